package flow

import (
	"context"
	"fmt"
	"time"

	"tokenform/config"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// Import makes refresh the login of p, which must not have one yet. With try it
// is used once first, and what comes of that is stored; else it is stored as it
// is, and the next apply uses it. When its login was made is not known.
func (r *Runner) Import(ctx context.Context, p config.Profile, refresh string, try bool) Result {
	res := Result{Profile: p, Decision: Decision{Action: Refresh, Reason: "imported"}}
	res.Token, res.Err = r.take(ctx, p, refresh, try)
	res.Granted = res.Err == nil && try
	return res
}

func (r *Runner) take(ctx context.Context, p config.Profile, refresh string, try bool) (*state.Token, error) {
	if !p.Grant.User() {
		return nil, &Error{Kind: Invalid, Message: "grant client_credentials has no refresh token to import", Hint: "run tokenform apply: it needs no login"}
	}
	if err := resolve(ctx, p); err != nil {
		return nil, err
	}
	app, err := r.app(ctx, p)
	if err != nil {
		return nil, err
	}
	entry, err := r.lock(ctx, p)
	if err != nil {
		return nil, err
	}
	defer entry.Unlock()
	old, err := entry.Token()
	if err != nil {
		return nil, stored(err)
	}
	if old != nil {
		return nil, &Error{Message: "there is a login already", Hint: fmt.Sprintf("if it may go, run tokenform destroy -p %s first", p.Name)}
	}
	if err := reserve(entry); err != nil {
		return nil, err
	}
	if !try {
		// Expired on arrival: the next apply refreshes it.
		now := r.Now()
		n := r.absorb(p, app, nil, oauth.Token{Type: "Bearer", Refresh: refresh, ExpiresIn: -time.Second}, now)
		supersede(p, n)
		return n, r.keep(entry, p, n, "nothing is lost: import it again")
	}
	sent := r.Now()
	sending, done := patient(ctx)
	defer done()
	w, err := app.Refresh(sending, refresh)
	switch {
	case refused(err):
		return nil, &Error{Message: "Spotify refuses this refresh token", Err: err, Hint: "is it whole, not older than six months, and of the app " + app.ID + "?"}
	case err != nil:
		return nil, wire("trying the refresh token", err)
	}
	n := r.absorb(p, app, nil, w, sent)
	if n.Refresh == "" {
		n.Refresh = refresh
	}
	if p.Account != "" {
		if n.Account, err = r.account(ctx, p, app, nil, n); err != nil {
			return nil, err
		}
	}
	supersede(p, n)
	if err := r.keep(entry, p, n, "the old refresh token may be dead"); err != nil {
		return nil, err
	}
	if missing := Missing(p, n); len(missing) > 0 {
		return n, lessGranted(missing)
	}
	return n, nil
}

// supersede marks the profile's own refresh_token as seen, so that it does not
// take over again at the next apply.
func supersede(p config.Profile, n *state.Token) {
	if seed, known := p.RefreshToken.Known(); known && seed != "" {
		n.Seed = state.Digest(seed)
	}
}
