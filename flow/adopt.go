package flow

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// Found is a token that another program has written into an output.
type Found struct {
	Shown   string // the output
	Path    string
	Digest  string // of all that the file holds
	Access  string
	Refresh string // empty: it has dropped it
	Expires time.Time
	Scopes  []string // nil: it does not say
}

// Format keeps tokens out of every message, as [state.Token]'s does.
func (f Found) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "token in %s (redacted)", f.Shown) }

// longestLife is more than an access token ever has to live: a file that says
// more is wrong, and would keep a dead token for good.
const longestLife = 24 * time.Hour

// adoptable looks for a token that a client got when it refreshed on its own,
// where the decision on t is to keep or refresh it. It is adopted instead of
// being overwritten: its refresh token may be the only one that still works. Then
// the decision says so, and next is what t becomes; else d comes back as it was.
func (r *Runner) adoptable(p config.Profile, t *state.Token, d Decision) (_ Decision, found Found, next *state.Token) {
	if r.Outputs == nil || t == nil || !p.Grant.User() || d.Seed || d.Action != Keep && d.Action != Refresh {
		return d, Found{}, nil
	}
	now := r.Now()
	for _, f := range r.newer(p, t) {
		n := *t
		n.Access, n.Expires, n.Rejected = f.Access, f.Expires.UTC().Truncate(time.Second), time.Time{}
		n.Obtained = now.UTC().Truncate(time.Second) // at the latest
		if f.Refresh != "" {
			n.Refresh = f.Refresh
		}
		if f.Scopes != nil {
			n.Scopes = f.Scopes
		}
		if n.Expires.Sub(now) <= longestLife && Decide(p, &n, now).Action == Keep {
			return Decision{Action: Adopt, Reason: "newer token in " + f.Shown + ", " + Validity(p, &n, now)}, f, &n
		}
	}
	return d, Found{}, nil
}

// newer are the tokens that clients have written into outputs after t, but not
// what the stand-in's run has written there, or the real one: see [Runner.Twin].
func (r *Runner) newer(p config.Profile, t *state.Token) []Found {
	list := r.Outputs.Newer(p, t)
	if len(list) == 0 || r.Twin == r.Apart {
		return list
	}
	twin, err := state.Open(filepath.Join(p.State, r.Twin)).Read(p.Name)
	if err != nil || twin == nil {
		return list
	}
	return slices.DeleteFunc(list, func(f Found) bool {
		return slices.ContainsFunc(twin.Outputs, func(w state.Written) bool { return w.Path == f.Path && w.Digest == f.Digest })
	})
}

// adopt stores next, the token that was found in an output. One with another
// refresh token than t's takes the place of a login, so it must be of the same
// account and of this app. The Web API tells the one and a refresh the other: the
// file says neither. A token comes back where one was stored, even beside an
// error.
func (r *Runner) adopt(ctx context.Context, p config.Profile, entry *state.Entry, t *state.Token, found Found, next *state.Token) (*state.Token, error) {
	if next.Refresh == t.Refresh {
		if err := r.keep(entry, p, next, "nothing is lost: the token is still in "+found.Shown); err != nil {
			return nil, err
		}
		return next, nil
	}
	app, err := r.app(ctx, p)
	if err != nil {
		return nil, err
	}
	var n *state.Token
	err = r.sameAccount(ctx, p, app, t, next)
	if err == nil {
		if n, err = r.refresh(ctx, p, app, entry, source{refresh: next.Refresh, base: next, foreign: true}); !refused(err) {
			return n, err
		}
	}
	return nil, &fault.Error{Message: found.Shown + " holds a newer token of another login; nothing is overwritten", Err: err,
		Hint: fmt.Sprintf("if it is to be used here: tokenform destroy -p %[1]s%[2]s, then tokenform import -p %[1]s%[2]s --from FILE with a copy of it; else move it away", p.Name, r.Here+r.Files)}
}

// sameAccount asks the Web API whose token next is, and refuses everybody but the
// declared account or t's. No answer is a refusal too.
func (r *Runner) sameAccount(ctx context.Context, p config.Profile, app oauth.App, t, next *state.Token) error {
	me, err := app.Me(ctx, next.Access)
	if err != nil {
		return err
	}
	got := accountOf(me)
	switch ok, known := expected(p, t, got); {
	case !known:
		return &fault.Error{Message: "it is of " + name(got) + ", and whose login is stored is not known"}
	case !ok:
		return &fault.Error{Message: "it is of " + name(got)}
	}
	next.Account = got
	return nil
}
