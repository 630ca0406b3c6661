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

// Check asks the Web API about every stored token that has not expired. One
// that it refuses is marked so, and is to be replaced where it would have been
// kept. No answer is a warning: it proves nothing.
func (r *Runner) Check(ctx context.Context, forecasts []Forecast) {
	slots := make(chan struct{}, max(r.Parallelism, 1))
	var wg sync.WaitGroup
	for i := range forecasts {
		f := &forecasts[i]
		if f.Err != nil || f.Token == nil || !r.Now().Before(f.Token.Expires) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r.checkOne(ctx, f)
		})
	}
	wg.Wait()
}

func (r *Runner) checkOne(ctx context.Context, f *Forecast) {
	app := oauth.App{ID: f.Token.ClientID, Endpoints: r.Endpoints, HTTP: r.HTTP}
	err := check(ctx, f.Profile, app, f.Token)
	e, ok := errors.AsType[*oauth.Error](err)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		f.Err = ctx.Err()
	case ok && e.Kind == oauth.Unauthorized:
		f.Refused = true
		if f.Decision.Action == Keep {
			f.Decision = replace(f.Profile, f.Token)
			if r.writes() {
				f.Changes, f.Err = r.Outputs.Stale(f.Profile, f.Token, true)
			}
		}
	default:
		r.warn(f.Profile.Name, "the Web API does not say whether the token is good: "+reasonOf(err), fault.HintOf(err))
	}
}

// replace is the decision on a token that looked good and is not.
func replace(p config.Profile, t *state.Token) Decision {
	d := Decision{Action: Refresh, Reason: "the Web API refuses the token"}
	switch {
	case !p.Grant.User():
		d.Action = Request
	case t.Refresh == "":
		d.Action = Login
	}
	return d
}
