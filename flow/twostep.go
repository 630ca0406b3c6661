package flow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// pendingLife is how long a login that was begun can be finished.
const pendingLife = 10 * time.Minute

// BeginLogin begins a login of p, and returns the address to log in at and the time
// until which [Runner.FinishLogin] can finish the login, perhaps in another process. A
// new login replaces one that was begun before.
func (r *Runner) BeginLogin(ctx context.Context, p config.Profile) (address string, until time.Time, err error) {
	if err := needsLogin(p); err != nil {
		return "", until, err
	}
	if err := resolveValues(ctx, p); err != nil {
		return "", until, err
	}
	s, err := r.lock(ctx, p, false, func() {})
	if err != nil {
		return "", until, err
	}
	defer s.unlock()
	app, err := r.app(ctx, p)
	if err != nil {
		return "", until, err
	}
	login := oauth.NewLogin(p.RedirectURI, p.Scopes, p.ShowDialog)
	until = r.now().UTC().Add(pendingLife).Truncate(time.Second)
	return app.AuthorizeURL(login), until, s.entry.SavePending(&state.Pending{
		State: login.State, Verifier: login.Verifier, RedirectURI: login.RedirectURI,
		ClientID: app.ID, Server: app.Endpoints.Accounts, Scopes: login.Scopes, Until: until,
	})
}

func needsLogin(p config.Profile) error {
	if p.Grant.User() {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Message: "grant client_credentials has no login", Hint: "run tokenform apply: it needs no login"}
}

// FinishLogin finishes the login that [Runner.BeginLogin] began: FinishLogin takes the
// address that the browser ended at, stores the token and writes the outputs.
func (r *Runner) FinishLogin(ctx context.Context, p config.Profile, address string) Outcome {
	o := Outcome{Profile: p, Decision: Decision{Action: Login, Reason: "login finished"}}
	o.Err = r.finishLogin(ctx, &o, address)
	return o
}

func (r *Runner) finishLogin(ctx context.Context, o *Outcome, address string) error {
	p := o.Profile
	again := r.command(p, "login", "--print") + " begins a new one"
	if err := needsLogin(p); err != nil {
		return err
	}
	if err := resolveValues(ctx, p); err != nil {
		return err
	}
	if r.world.BeforeFirstChange != nil {
		r.world.BeforeFirstChange([]config.Profile{p})
	}
	s, err := r.lock(ctx, p, false, func() {})
	if err != nil {
		return err
	}
	defer s.unlock()
	o.Token = s.token
	if err := r.world.Outputs.Missing(p); err != nil {
		return err
	}
	pending, err := s.entry.Pending()
	if err != nil {
		return err
	}
	app, err := r.app(ctx, p)
	if err != nil {
		return err
	}
	switch {
	case pending == nil:
		return &fault.Error{Kind: fault.LoginNeeded, Message: "no login is in progress", Hint: again}
	case !r.now().Before(pending.Until):
		return cmp.Or(s.entry.SavePending(nil), error(&fault.Error{Kind: fault.LoginNeeded, Message: "the login was begun more than ten minutes ago", Hint: again}))
	case pending.ClientID != app.ID || pending.Server != app.Endpoints.Accounts || pending.RedirectURI != p.RedirectURI || !slices.Equal(pending.Scopes, p.Scopes):
		return &fault.Error{Kind: fault.LoginNeeded, Message: "the profile has changed since the login was begun", Hint: again}
	}
	code, err := oauth.ParseAnswer(address, pending.RedirectURI, pending.State)
	if err != nil {
		if _, ended := errors.AsType[*oauth.Error](err); ended {
			return cmp.Or(s.entry.SavePending(nil), loginError(err))
		}
		return &fault.Error{Kind: fault.Invalid, Err: err, Hint: "paste the complete address from the browser's address bar, in single quotes; it starts with " + pending.RedirectURI + "?code="}
	}
	// A code works once, and so does the attempt. The attempt goes first: if storing the
	// token fails, only a new login helps.
	if err := s.entry.SavePending(nil); err != nil {
		return err
	}
	login := oauth.Login{State: pending.State, Verifier: pending.Verifier, RedirectURI: pending.RedirectURI, Scopes: pending.Scopes}
	n, err := s.exchange(ctx, app, &asking{login: login, code: code})
	if n != nil {
		o.Token, o.Done = n, true
		s.log(Login, n)
	}
	if err != nil {
		return err
	}
	return cmp.Or(s.write(ctx, o), s.doubt)
}
