package flow

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// Check asks the Web API about every stored token that has not expired. A token that
// the Web API refuses is marked so, and is replaced instead of kept. If there is no
// answer, Check only warns: the token may still be good.
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
			defer fault.Crash()
			defer func() { <-slots }()
			r.checkOne(ctx, o)
		})
	}
	wg.Wait()
}

func (r *Runner) checkOne(ctx context.Context, o *Outcome) {
	err := askAPI(ctx, o.Profile, r.api(o.Token), o.Token)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		o.Err = ctx.Err()
	case unauthorized(err):
		o.Refused = true
		if !o.Decision.grants() {
			o.Decision = replaceRefused(o.Profile, o.Token, r.now())
			if r.writes() {
				o.Outputs, o.Err = r.world.Outputs.Stale(o.Profile, o.Token, o.recorded, true)
			}
		}
	default:
		r.warn(o.Profile.Name, "the Web API does not confirm the token: "+reasonOf(err), fault.HintOf(err))
	}
}

// replaceRefused decides about a token that has time left but is refused.
func replaceRefused(p config.Profile, t *state.Token, now time.Time) Decision {
	d := Decision{Action: Refresh, Reason: "the Web API refuses the token"}
	switch {
	case !p.Grant.User():
		d.Action = Request
	case t.Refresh == "":
		d.Action = Login
	case refusedLately(t, now) != "":
		return Decision{Action: Login, Reason: d.Reason + ", " + refusedLately(t, now)}
	}
	return d
}

// verify asks the Web API whether it takes the new token t, if the profile has verify:
// true. If there is no answer, the token is used, and the next apply asks again.
func (s *session) verify(ctx context.Context, app oauth.App, t *state.Token) error {
	if !s.profile.Verify || t.Verified {
		return nil
	}
	switch err := askAPI(ctx, s.profile, app, t); {
	case err == nil:
		t.Verified = true
		return s.entry.Save(t)
	case unauthorized(err):
		return &fault.Error{Message: "the Web API refuses the new token", Err: err}
	default:
		s.noVerdict(err)
		return nil
	}
}

// verifyStored asks the Web API about the stored token: whether it is good, and whose it
// is. If the answer rules the token out, d becomes what is to be done instead.
func (s *session) verifyStored(ctx context.Context, d *Decision) (*state.Token, error) {
	t := *s.token
	app := s.api(&t)
	account, err := t.Account, error(nil)
	if s.profile.Grant.User() {
		var me oauth.Me
		if me, err = app.Me(ctx, t.Access); err == nil {
			account = accountOf(me)
		}
	} else {
		err = app.Search(ctx, t.Access)
	}
	switch {
	case unauthorized(err):
		*d = replaceRefused(s.profile, s.token, s.now())
		return s.carryOut(ctx, d)
	case err != nil && s.profile.Account != "" && t.Account == nil:
		return nil, &fault.Error{Message: "the profile requires the account " + s.profile.Account + ", but the Web API does not say whose login is stored", Err: err}
	case err != nil:
		s.noVerdict(err)
		return nil, nil
	}
	t.Account, t.Verified = account, true
	if err := s.entry.Save(&t); err != nil {
		return nil, err
	}
	s.token = &t
	if next := s.Runner.decide(s.profile, &t); next.Action != Keep { // the login is of another account
		*d = next
		return s.carryOut(ctx, d)
	}
	return &t, nil
}

// noVerdict notes that the Web API does not confirm the token. If the
// reason is temporary, the run fails after its outputs are written; else noVerdict
// warns at once.
func (s *session) noVerdict(err error) {
	s.doubt = &fault.Error{Message: "the Web API does not confirm the token", Err: err, Hint: cmp.Or(fault.HintOf(err), "the token is written; apply again to verify it")}
	if fault.KindOf(err) != fault.Temporary {
		s.warnOfDoubt()
	}
}

// warnOfDoubt warns if verifying failed.
func (s *session) warnOfDoubt() {
	if s.doubt != nil {
		s.warn(s.profile.Name, s.doubt.Error(), fault.HintOf(s.doubt))
		s.doubt = nil
	}
}

// unauthorized reports whether the Web API says that the token is no longer good.
func unauthorized(err error) bool {
	e, ok := errors.AsType[*oauth.Error](err)
	return ok && e.Kind == oauth.Unauthorized
}

// askAPI sends the cheapest request that needs nothing but a good token.
func askAPI(ctx context.Context, p config.Profile, app oauth.App, t *state.Token) error {
	if !p.Grant.User() {
		return app.Search(ctx, t.Access)
	}
	_, err := app.Me(ctx, t.Access)
	return err
}
