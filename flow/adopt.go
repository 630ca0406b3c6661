package flow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// Found is a token that another program has written into an output.
type Found struct {
	Shown   string // the output, as people know it
	Path    string
	Digest  string // of the whole file
	Access  string
	Refresh string // empty if the client has dropped it
	Expires time.Time
	Scopes  []string // nil if the file does not say
}

// Format keeps tokens out of every message, as [state.Token]'s does.
func (f Found) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "token in %s (redacted)", f.Shown) }

// longestLife is longer than any access token lives. A file that claims a longer life
// is wrong, and would keep a dead token in use forever.
const longestLife = 24 * time.Hour

// adoptable looks for a token that a client got when it refreshed on its own, if the
// decision d is to keep, to verify or to refresh t. Such a token is adopted and not
// overwritten: its refresh token may be the only one that still works. If there is one,
// adoptable returns the decision to adopt, and next is what t becomes. Else adoptable
// returns d.
func (r *Runner) adoptable(p config.Profile, t *state.Token, recorded []state.Written, d Decision) (_ Decision, found Found, next *state.Token) {
	if r.options.Outputs == IgnoreOutputs || t == nil || !p.Grant.User() || d.Seed || d.grants() && d.Action != Refresh {
		return d, Found{}, nil
	}
	now := r.now()
	for _, f := range r.clientTokens(p, t, recorded) {
		n := *t
		n.Access, n.Verified = f.Access, false
		n.Expires, n.Rejected = f.Expires.UTC().Truncate(time.Second), time.Time{}
		n.Obtained = now.UTC().Truncate(time.Second) // at the latest; the file does not say when
		if f.Refresh != "" {
			n.Refresh = f.Refresh
		}
		if f.Scopes != nil {
			n.Scopes = f.Scopes
		}
		if n.Expires.Sub(now) <= longestLife && !Decide(p, &n, now).grants() {
			return Decision{Action: Adopt, Reason: "newer token in " + f.Shown + ", " + Validity(p, &n, now)}, f, &n
		}
	}
	return d, Found{}, nil
}

// clientTokens returns the tokens that clients have written into outputs after t. A
// token that a run in another realm has written does not count as a client's.
func (r *Runner) clientTokens(p config.Profile, t *state.Token, recorded []state.Written) []Found {
	list := r.world.Outputs.ClientTokens(p, t, recorded)
	if len(list) == 0 {
		return list
	}
	for _, realm := range r.world.Realm.Others(p.State) {
		theirs, _, _ := realm.Open(p.State).Outputs(p.Name, p.Dir, nil)
		theirs = asDeclared(p, theirs)
		list = slices.DeleteFunc(list, func(f Found) bool {
			return slices.ContainsFunc(theirs, func(w state.Written) bool { return w.Path == f.Path && w.Wrote(f.Digest) })
		})
	}
	return list
}

// adopt stores the token that was found in an output, if the token belongs to our
// login: if it came with our refresh token, or is of the same account. The file does
// not say the account, but the Web API does. If a token was stored, adopt returns the
// token even with an error.
//
// A found token with a refresh token of its own replaces the stored login, so it must
// be of this app too; a refresh shows that. A found token without a refresh token that
// is not of our login is worth nothing to anybody in an hour: d becomes what it would
// be without the found token.
func (s *session) adopt(ctx context.Context, d *Decision) (*state.Token, error) {
	t, next := s.token, s.adopted
	if next.Refresh == t.Refresh {
		var err error
		if s.found.Refresh == "" {
			err = s.checkAccount(ctx, s.api(t), next)
		}
		if err != nil {
			s.warn(s.profile.Name, s.found.Shown+" contains a token without a refresh token, which tokenform does not adopt: "+err.Error(), "let only one program write the file")
			if *d = s.Runner.decide(s.profile, s.token); d.Action == Keep {
				return nil, nil
			}
			return s.carryOut(ctx, d)
		}
		if err := s.store(next, "nothing is lost: the token is still in "+s.found.Shown); err != nil {
			return nil, err
		}
		return next, nil
	}
	app, err := s.app(ctx, s.profile)
	if err != nil {
		return nil, err
	}
	var n *state.Token
	err = s.checkAccount(ctx, app, next)
	if err == nil {
		if n, err = s.refresh(ctx, app, refreshSource{refresh: next.Refresh, base: next, notOurs: true}); !refused(err) {
			return n, err
		}
	}
	hint := "move the file away"
	if s.world.Realm == state.Real {
		hint = fmt.Sprintf("to use it here, run %s, then %s with a copy of it; otherwise move it away", s.command(s.profile, "destroy"), s.options.Invocation.Command("import", "-p", s.profile.Name, "--from", "FILE"))
	}
	return nil, &fault.Error{Message: s.found.Shown + " contains a newer token of another login; nothing was overwritten", Err: err, Hint: hint}
}

// checkAccount asks the Web API whose token next is, and refuses everybody but the
// declared account or the stored login's. checkAccount also refuses if the Web API does
// not answer.
func (s *session) checkAccount(ctx context.Context, app oauth.App, next *state.Token) error {
	me, err := app.Me(ctx, next.Access)
	if err != nil {
		return err
	}
	got := accountOf(me)
	switch ok, known := accountFits(s.profile, s.token, got); {
	case !known:
		return &fault.Error{Message: "it belongs to " + accountName(got) + ", and the account of the stored login is not known"}
	case !ok:
		return &fault.Error{Message: "it belongs to " + accountName(got)}
	}
	next.Account = got
	return nil
}
