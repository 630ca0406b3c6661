package flow

import (
	"context"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// Import makes seed the login of p, which must not have a login yet. If try is set,
// Import refreshes once and stores the answer. Else Import stores the refresh token as
// it is, and the next apply uses it.
func (r *Runner) Import(ctx context.Context, p config.Profile, seed config.Seed, try bool) Outcome {
	o := Outcome{Profile: p, Decision: Decision{Action: Refresh, Reason: "imported"}}
	o.Token, o.Err = r.importToken(ctx, p, seed, try)
	o.Done = o.Err == nil && try
	return o
}

func (r *Runner) importToken(ctx context.Context, p config.Profile, seed config.Seed, try bool) (*state.Token, error) {
	if !p.Grant.User() {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "grant client_credentials has no refresh token to import", Hint: "run tokenform apply: it needs no login"}
	}
	if err := resolveValues(ctx, p); err != nil {
		return nil, err
	}
	app, err := r.app(ctx, p)
	if err != nil {
		return nil, err
	}
	s, err := r.lock(ctx, p, true, func() {})
	if err != nil {
		return nil, err
	}
	defer s.unlock()
	if s.token != nil {
		return nil, &fault.Error{Message: "a login already exists", Hint: "to replace it, run " + r.command(p, "destroy") + " first"}
	}
	s.warnOfServer("the imported refresh token")
	from, err := s.seeded(seed, seedDigest(p))
	if err != nil {
		return nil, err
	}
	if !try {
		n := s.refreshOnly(app, from, r.now())
		return n, s.store(n, "nothing is lost: import it again")
	}
	n, err := s.refresh(ctx, app, from)
	s.warnOfDoubt()
	if refused(err) {
		return nil, &fault.Error{Message: "Spotify refuses this refresh token", Err: err, Hint: "check that it is complete, less than six months old, and issued to the app " + app.ID}
	}
	return n, err
}

// seedDigest returns the digest of the profile's own refresh_token, or "". State
// remembers the digest, so that the next apply does not refresh from the profile's
// refresh_token again.
func seedDigest(p config.Profile) string {
	if seed, known := p.RefreshToken.Known(); known && seed != "" {
		return state.Digest(seed)
	}
	return ""
}
