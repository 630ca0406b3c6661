package flow

import (
	"context"
	"errors"
	"sync"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// Check asks the Web API about every stored token that has not expired. A token
// that the Web API refuses is marked so, and is replaced instead of kept. If there is
// no answer, Check warns: no answer proves nothing.
func (r *Runner) Check(ctx context.Context, outcomes []Outcome) {
	slots := make(chan struct{}, max(r.options.Parallelism, 1))
	var wg sync.WaitGroup
	for i := range outcomes {
		o := &outcomes[i]
		if o.Err != nil || o.Token == nil || !r.now().Before(o.Token.Expires) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r.checkOne(ctx, o)
		})
	}
	wg.Wait()
}

func (r *Runner) checkOne(ctx context.Context, o *Outcome) {
	app := oauth.App{ID: o.Token.ClientID, Endpoints: r.world.Endpoints, HTTP: r.world.HTTP}
	err := askAPI(ctx, o.Profile, app, o.Token)
	e, ok := errors.AsType[*oauth.Error](err)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		o.Err = ctx.Err()
	case ok && e.Kind == oauth.Unauthorized:
		o.Refused = true
		if o.Decision.Action == Keep {
			o.Decision = replaceRefused(o.Profile, o.Token)
			if r.writes() {
				o.Outputs, o.Err = r.world.Outputs.Stale(o.Profile, o.Token, o.recorded, true)
			}
		}
	default:
		r.warn(o.Profile.Name, "the Web API does not say whether the token is good: "+reasonOf(err), fault.HintOf(err))
	}
}

// replaceRefused decides about a token that has time left but is refused.
func replaceRefused(p config.Profile, t *state.Token) Decision {
	d := Decision{Action: Refresh, Reason: "the Web API refuses the token"}
	switch {
	case !p.Grant.User():
		d.Action = Request
	case t.Refresh == "":
		d.Action = Login
	}
	return d
}

// verify asks the Web API whether it takes the new token, if the profile has
// verify: true. If there is no answer, verify warns: no answer proves nothing.
func (s *session) verify(ctx context.Context, app oauth.App, t *state.Token) error {
	if !s.profile.Verify {
		return nil
	}
	err := askAPI(ctx, s.profile, app, t)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*oauth.Error](err); ok && e.Kind == oauth.Unauthorized {
		return &fault.Error{Message: "the Web API refuses the new token", Err: err}
	}
	s.warn(s.profile.Name, "the Web API does not say whether the token is good: "+reasonOf(err), fault.HintOf(err))
	return nil
}

// askAPI sends the cheapest request that needs nothing but a good token.
func askAPI(ctx context.Context, p config.Profile, app oauth.App, t *state.Token) error {
	if !p.Grant.User() {
		return app.Search(ctx, t.Access)
	}
	_, err := app.Me(ctx, t.Access)
	return err
}
