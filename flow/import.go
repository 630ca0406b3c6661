package flow

import (
	"context"
	"fmt"

	"tokenform/config"
	"tokenform/config/fault"
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
		return nil, &fault.Error{Kind: fault.Invalid, Message: "grant client_credentials has no refresh token to import", Hint: "run tokenform apply: it needs no login"}
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
		return nil, err
	}
	if old != nil {
		return nil, &fault.Error{Message: "there is a login already", Hint: fmt.Sprintf("if it may go, run tokenform destroy -p %s%s first", p.Name, r.Here+r.Files)}
	}
	from := source{refresh: refresh, seed: seedDigest(p), foreign: true}
	if !try {
		n := r.unused(p, app, from, r.Now())
		return n, r.keep(entry, p, n, "nothing is lost: import it again")
	}
	n, err := r.refresh(ctx, p, app, entry, from)
	if refused(err) {
		return nil, &fault.Error{Message: "Spotify refuses this refresh token", Err: err, Hint: "is it whole, not older than six months, and of the app " + app.ID + "?"}
	}
	return n, err
}

// seedDigest is the digest of the profile's own refresh_token, for marking it as
// seen: it must not take over again at the next apply. Empty: it has none.
func seedDigest(p config.Profile) string {
	if seed, known := p.RefreshToken.Known(); known && seed != "" {
		return state.Digest(seed)
	}
	return ""
}
