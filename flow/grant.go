package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

const (
	// noticeable is how long a wait may be before it is spoken of.
	noticeable = 500 * time.Millisecond
	// skew is how far the server's clock may be off before it is spoken of. The
	// Date header has a resolution of one second and an answer takes some.
	skew = time.Minute
)

// grant runs the decided grant and stores what it yields before anybody sees
// it. A token comes back where one was stored, even beside an error. A refresh
// that is refused becomes a login where a person is there; d then says so.
func (r *Runner) grant(ctx context.Context, p config.Profile, entry *state.Entry, t *state.Token, d *Decision, free func()) (*state.Token, error) {
	app, err := r.app(ctx, p)
	if err != nil {
		return nil, err
	}
	switch d.Action {
	case Request:
		return r.request(ctx, p, app, entry, t)
	case Refresh:
		from, err := r.source(ctx, p, t, *d)
		if err != nil {
			return nil, err
		}
		n, err := r.refresh(ctx, p, app, entry, from)
		if !refused(err) {
			return n, err
		}
		if !r.attended() {
			return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "refreshing", Err: err, Hint: r.unattendedHint(p)}
		}
		*d = Decision{Action: Login, Reason: reasonOf(err)}
	}
	return r.login(ctx, p, app, entry, t, d.Reason, free)
}

// refused reports whether the server says that the refresh token (or code) is
// good no more: RFC 6749 section 5.2, invalid_grant.
func refused(err error) bool {
	e, ok := errors.AsType[*oauth.Error](err)
	return ok && e.Kind == oauth.Refused && e.Code == "invalid_grant"
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// request is the client credentials grant.
func (r *Runner) request(ctx context.Context, p config.Profile, app oauth.App, entry *state.Entry, t *state.Token) (*state.Token, error) {
	if err := reserve(entry); err != nil {
		return nil, err
	}
	sent := r.Now()
	w, err := app.ClientCredentials(ctx)
	if err != nil {
		return nil, &fault.Error{Message: "requesting a token", Err: err}
	}
	n := r.absorb(p, app, bare(t), w, sent)
	if err := r.keep(entry, p, n, "the next apply requests another one"); err != nil {
		return nil, err
	}
	return n, r.verify(ctx, p, app, n)
}

// source is a refresh token and where it comes from.
type source struct {
	refresh string
	base    *state.Token // what state keeps of what it has now; nil: nothing
	seed    string       // the digest of the profile's refresh_token, once this one is stored; empty: as in base
	foreign bool         // it is not state's own, so it may be anybody's
	found   bool         // it is a client's, from an output of a login that was state's
}

// source says which refresh token the decision d is about.
func (r *Runner) source(ctx context.Context, p config.Profile, t *state.Token, d Decision) (source, error) {
	seed, err := p.RefreshToken.Resolve(ctx)
	switch {
	case err != nil:
		return source{}, err
	case d.Seed:
		return source{refresh: seed, base: bare(t), seed: state.Digest(seed), foreign: true}, nil
	case seed != "" && seed == t.Refresh:
		return source{refresh: t.Refresh, base: t, seed: state.Digest(seed)}, nil
	}
	return source{refresh: t.Refresh, base: t}, nil
}

// refresh trades the refresh token for a new access token. An invalid_grant
// leaves the stored token as it was, marked with the time: it may be the
// server that is wrong.
func (r *Runner) refresh(ctx context.Context, p config.Profile, app oauth.App, entry *state.Entry, from source) (*state.Token, error) {
	if err := reserve(entry); err != nil {
		return nil, err
	}
	sent := r.Now()
	sending, done := patient(ctx)
	defer done()
	w, err := app.Refresh(sending, from.refresh)
	if refused(err) && !from.foreign {
		// Another client may have stored a newer one meanwhile.
		newer, readErr := entry.Token()
		switch {
		case readErr != nil:
			return nil, readErr
		case newer != nil && newer.Refresh != "" && newer.Refresh != from.refresh:
			from, sent = source{refresh: newer.Refresh, base: newer}, r.Now()
			w, err = app.Refresh(sending, from.refresh)
		}
		if refused(err) {
			if other := r.clients(p, from); other != "" {
				sent = r.Now()
				if w, err = app.Refresh(sending, other); !refused(err) {
					base := *from.base
					base.Refresh = other
					from = source{refresh: other, base: &base, found: true}
				}
			}
		}
		if refused(err) {
			from.base.Rejected = sent.UTC().Truncate(time.Second)
			if err := entry.Save(from.base); err != nil {
				return nil, err
			}
		}
	}
	if err != nil {
		if refused(err) {
			return nil, err
		}
		return nil, errors.Join(&fault.Error{Message: "refreshing", Err: err}, r.rescue(p, app, entry, from, err, sent))
	}
	n := r.absorb(p, app, from.base, w, sent)
	n.Seed = cmp.Or(from.seed, n.Seed)
	if n.Refresh == "" {
		n.Refresh = from.refresh // RFC 6749 section 6: without a new one the old one stays
	}
	asked := p.Account != "" && n.Account == nil
	if asked && n.Refresh != from.refresh && !from.foreign && !from.found {
		// Our own login goes on with this token, whoever turns out to have logged in:
		// it is not left to the memory of a process while the Web API is asked.
		if err := r.salvage(p, app, entry, from, n.Refresh, sent); err != nil {
			return nil, err
		}
		n.Serial++
	}
	switch {
	case asked:
		n.Account, err = r.account(ctx, p, app, nil, n)
	case from.found:
		n.Account, err = r.account(ctx, p, app, from.base, n)
	}
	if err != nil {
		// The wrong account's login is not ours to keep. Where nobody said whose it
		// is, the next apply asks again.
		_, silent := errors.AsType[*oauth.Error](err)
		if n.Refresh != from.refresh && silent && (from.foreign || from.found) {
			err = errors.Join(err, r.salvage(p, app, entry, from, n.Refresh, sent))
		}
		return nil, err
	}
	cure := "nothing is lost: the old refresh token still works"
	if n.Refresh != from.refresh {
		cure = "the old refresh token may be dead: if the next apply is refused, log in to " + p.Name + " again"
	}
	if err := r.keep(entry, p, n, cure); err != nil {
		return nil, err
	}
	if missing := Missing(p, n); len(missing) > 0 {
		return n, lessGranted(missing)
	}
	return n, r.verify(ctx, p, app, n)
}

// clients is the refresh token that a client has written into an output after
// state's own was stored; empty: none has. It was given a new one when it used
// ours, which is dead since then.
func (r *Runner) clients(p config.Profile, from source) string {
	if r.Outputs == nil {
		return ""
	}
	for _, f := range r.newer(p, from.base) {
		if f.Refresh != "" && f.Refresh != from.refresh {
			return f.Refresh
		}
	}
	return ""
}

// rescue stores the refresh token of an answer that is of no other use, because
// the one that was sent is dead by then. The next apply refreshes with it.
func (r *Runner) rescue(p config.Profile, app oauth.App, entry *state.Entry, from source, err error, sent time.Time) error {
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Rotated == "" || e.Rotated == from.refresh {
		return nil
	}
	return r.salvage(p, app, entry, from, e.Rotated, sent)
}

// salvage stores a refresh token that was sent instead of from's, and nothing
// else that came with it.
func (r *Runner) salvage(p config.Profile, app oauth.App, entry *state.Entry, from source, rotated string, sent time.Time) error {
	n := r.unused(p, app, from, sent)
	if !from.foreign {
		*n = *from.base // its access token is as good as it was
	}
	if from.found {
		n.Account = nil // not known until the Web API says it
	}
	n.Refresh, n.Rejected = rotated, time.Time{}
	return r.keep(entry, p, n, "log in to "+p.Name+" again")
}

// unused is a token without an access token, expired on arrival: the next apply
// refreshes it.
func (r *Runner) unused(p config.Profile, app oauth.App, from source, now time.Time) *state.Token {
	n := r.absorb(p, app, from.base, oauth.Token{Type: "Bearer", Refresh: from.refresh, ExpiresIn: -time.Second}, now)
	n.Seed = cmp.Or(from.seed, n.Seed)
	return n
}

// patient is ctx for a request that may use something up: when ctx is canceled,
// the answer has a moment to arrive and be stored. Nobody but a second signal
// should throw a rotated refresh token away.
func patient(ctx context.Context) (_ context.Context, done func()) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(3*time.Second, cancel) })
	return sending, func() { stop(); cancel() }
}

// bare is what stays of t when another login or app takes over: nothing of
// the token, only what state knows beside it.
func bare(t *state.Token) *state.Token {
	if t == nil {
		return nil
	}
	return &state.Token{Serial: t.Serial, Outputs: t.Outputs, Source: t.Source}
}

// absorb makes our token from the wire's: it is the one place where relative
// becomes absolute, and where what an answer leaves out is kept from old. The
// expiry counts from sent, the moment before the request, so that a slow
// answer never makes a token look longer-lived than it is.
func (r *Runner) absorb(p config.Profile, app oauth.App, old *state.Token, w oauth.Token, sent time.Time) *state.Token {
	n := &state.Token{
		ClientID: app.ID,
		Grant:    string(p.Grant),
		Access:   w.Access,
		Type:     w.Type,
		Scopes:   w.Scopes,
		Obtained: sent.UTC().Truncate(time.Second),
		Expires:  sent.Add(w.ExpiresIn).UTC().Truncate(time.Second),
		Refresh:  w.Refresh,
	}
	if old != nil {
		n.Serial, n.Outputs, n.Source = old.Serial, old.Outputs, old.Source
		n.Authorized, n.Seed, n.Account = old.Authorized, old.Seed, old.Account
		if n.Refresh == "" && p.Grant.User() {
			n.Refresh = old.Refresh
		}
		if n.Scopes == nil {
			n.Scopes = slices.Clone(old.Scopes)
		}
	}
	if got := r.Now(); !w.Date.IsZero() && (got.Sub(w.Date) > skew || w.Date.Sub(got) > skew) {
		off, way := got.Sub(w.Date), "ahead of"
		if off < 0 {
			off, way = -off, "behind"
		}
		r.warn(p.Name, fmt.Sprintf("this machine's clock is %s %s the server's", Span(off), way), "set the clock: expiry times are computed from it")
	}
	return n
}

// reserve makes sure that the answer to a grant can be stored before the grant
// is asked for: a rotated refresh token that cannot be stored is a lost login.
func reserve(entry *state.Entry) error {
	if err := entry.Reserve(); err != nil {
		return &fault.Error{Message: "a token could not be stored", Err: err, Hint: cmp.Or(fault.HintOf(err), "make room or make it writable, then apply again; nothing was asked of Spotify")}
	}
	return nil
}

// keep stores n with what its outputs will be. Past this line the token
// survives everything; where it cannot be stored nobody sees it.
func (r *Runner) keep(entry *state.Entry, p config.Profile, n *state.Token, cure string) error {
	n.Source, _ = declaredIn(p, n)
	if r.writes() {
		n.Outputs = merge(n.Outputs, r.Outputs.Record(p, n))
	}
	if err := entry.Save(n); err != nil {
		return &fault.Error{Kind: fault.Failed, Message: "the token was granted but cannot be stored", Err: err, Hint: "make room or make it writable, then apply again; " + cure}
	}
	return nil
}

func lessGranted(missing []string) error {
	return &fault.Error{
		Message: "Spotify granted fewer scopes than declared; missing: " + strings.Join(missing, " "),
		Hint:    "log in again and allow them, or take them out of scopes",
	}
}

// verify asks the Web API whether it takes the token, where the profile wants
// to know. No answer proves nothing and is a warning.
func (r *Runner) verify(ctx context.Context, p config.Profile, app oauth.App, t *state.Token) error {
	if !p.Verify {
		return nil
	}
	err := check(ctx, p, app, t)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*oauth.Error](err); ok && e.Kind == oauth.Unauthorized {
		return &fault.Error{Message: "the Web API refuses the new token", Err: err}
	}
	r.warn(p.Name, "the Web API does not say whether the token is good: "+reasonOf(err), fault.HintOf(err))
	return nil
}

// check sends the cheapest request that needs nothing but a good token.
func check(ctx context.Context, p config.Profile, app oauth.App, t *state.Token) error {
	if !p.Grant.User() {
		return app.Search(ctx, t.Access)
	}
	_, err := app.Me(ctx, t.Access)
	return err
}

// retryAfter is how long the server asked to be left alone; zero: it did not.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// unattendedHint says how to log in where nobody can: one line for each step.
func (r *Runner) unattendedHint(p config.Profile) string {
	return fmt.Sprintf(`log in where a browser is: tokenform token -p %s --format refresh_token%s
store what that prints as a secret here: SPOTIFY_REFRESH_TOKEN
let the profile read it: refresh_token: ${SPOTIFY_REFRESH_TOKEN}`, p.Name, r.There+r.Files)
}
