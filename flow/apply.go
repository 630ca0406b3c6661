package flow

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"tokenform/config"
	"tokenform/config/fault"
)

// Apply brings every profile to its declared state, at most Options.Parallelism of them
// at once, and returns the outcomes in the order of profiles. A profile that fails does
// not stop the others. Apply makes its own forecasts, and decides each one again under
// the profile's lock.
func (r *Runner) Apply(ctx context.Context, profiles []config.Profile) []Outcome {
	alone := len(profiles) == 1 // start no goroutine: its stack would have to grow first
	outcomes, wait := r.start(ctx, profiles, alone, func(Outcome) {})
	wait()
	for i := range outcomes {
		o := &outcomes[i]
		if len(o.Profile.Notify) > 0 {
			r.notify(ctx, *o)
		}
		if m, due := r.reminder(o, 0, false); due && o.Err == nil {
			r.world.Voice.Remind(m)
		}
	}
	return outcomes
}

// start is Apply, but returns as soon as each profile is done or waits for a person. If
// alone is set, start does the work on the calling goroutine, and returns when all
// profiles are done. start calls done with each outcome, from several goroutines. wait
// returns once outcomes has every outcome.
func (r *Runner) start(ctx context.Context, profiles []config.Profile, alone bool, done func(Outcome)) (outcomes []Outcome, wait func()) {
	slots := make(chan struct{}, max(r.options.Parallelism, 1))
	outcomes, due := r.forecastAll(ctx, profiles)
	r.announce(due)
	var all, busy sync.WaitGroup
	for i := range profiles {
		if len(due) == 0 || due[0].index != i {
			r.finishUnchanged(ctx, &outcomes[i])
			done(outcomes[i])
			continue
		}
		forecast := due[0].Outcome
		due = due[1:]
		slots <- struct{}{}
		busy.Add(1)
		one := func() {
			defer fault.Crash()
			yield := sync.OnceFunc(func() { <-slots; busy.Done() })
			defer yield()
			outcomes[i] = r.apply(ctx, forecast, yield)
			done(outcomes[i])
		}
		if alone {
			one()
		} else {
			all.Go(one)
		}
	}
	busy.Wait()
	return outcomes, all.Wait
}

// finishUnchanged finishes the profile of o, for which nothing is due: finishUnchanged
// prints what every apply prints, and notes the file that declares the profile if that
// has changed.
func (r *Runner) finishUnchanged(ctx context.Context, o *Outcome) {
	if r.writes() {
		if printed, err := r.world.Outputs.Print(o.Profile, o.Token); err != nil {
			o.Outputs, o.Err = printed, err
		}
		if _, moved := declaredIn(o.Profile, o.Token); moved {
			r.noteSource(ctx, o.Profile)
		}
	}
}

// dueForecast is a forecast with something to do, and its index in Apply's list.
type dueForecast struct {
	Outcome
	index int
}

// forecastAll makes a forecast for each profile. due has the forecasts with something
// to do, in the order of profiles. The other outcomes lack only what is printed: their
// profiles need no lock and no write. The printed token is the one that forecastAll has
// read; the outputs may belong to a newer token by now.
func (r *Runner) forecastAll(ctx context.Context, profiles []config.Profile) (outcomes []Outcome, due []dueForecast) {
	outcomes = make([]Outcome, len(profiles))
	var mu sync.Mutex
	take := func(i int, f Outcome) {
		if f.Err != nil || f.Due() || r.stateOf(f.Profile).Littered(f.Profile.Name) {
			mu.Lock()
			defer mu.Unlock()
			due = append(due, dueForecast{f, i})
			return
		}
		if f.Token != nil {
			r.dropUnread(&f, len(profiles))
		}
		outcomes[i] = f
	}
	if r.options.Verify {
		forecasts := r.Plan(ctx, profiles)
		r.Check(ctx, forecasts)
		for i, f := range forecasts {
			take(i, f)
		}
	} else {
		r.each(profiles, func(i int) { take(i, r.forecast(ctx, profiles[i])) })
	}
	slices.SortFunc(due, func(a, b dueForecast) int { return cmp.Compare(a.index, b.index) })
	return outcomes, due
}

// dropUnread drops the parts of an outcome with nothing to do that nobody reads. 10,000
// profiles take 41 MiB with dropUnread, and 51 MiB without.
func (r *Runner) dropUnread(o *Outcome, profiles int) {
	const many = 1000
	o.recorded = nil
	if profiles > many && r.writes() && !slices.ContainsFunc(o.Outputs, prints) {
		o.Token.Access, o.Token.Refresh = "", ""
	}
}

func prints(c Change) bool { return c.Action == Print }

// announce calls World.BeforeFirstChange with the profiles that have something to do.
func (r *Runner) announce(due []dueForecast) {
	var profiles []config.Profile
	for _, d := range due {
		if d.Due() {
			profiles = append(profiles, d.Profile)
		}
	}
	if r.world.BeforeFirstChange != nil && len(profiles) > 0 {
		r.world.BeforeFirstChange(profiles)
	}
}

// apply does what forecast says or, if that is no longer right, what decide says under
// the lock. apply calls yield when it starts to wait for a person, so that other
// profiles can go on.
func (r *Runner) apply(ctx context.Context, forecast Outcome, yield func()) Outcome {
	o := Outcome{Profile: forecast.Profile, Token: forecast.Token, Decision: forecast.Decision}
	o.Err = r.applyUnderLock(ctx, forecast, &o, yield)
	return o
}

func (r *Runner) applyUnderLock(ctx context.Context, forecast Outcome, o *Outcome, yield func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if forecast.Err != nil && o.Profile.Store != nil && fault.KindOf(forecast.Err) == fault.Temporary {
		return forecast.Err // the store does not answer, and has been asked long enough
	}
	if forecast.Err == nil && forecast.Decision.grants() {
		// Commands that yield secrets run before the lock is taken.
		if err := resolveValues(ctx, o.Profile); err != nil {
			return err
		}
	}
	s, err := r.lock(ctx, o.Profile, forecast.Decision.changes(), yield)
	if err != nil {
		return err
	}
	defer s.unlock()

	if err := s.decide(ctx, forecast, o); err != nil {
		return err
	}
	if o.Decision.changes() && !s.entry.Leased() { // not as forecast
		if err := s.lease(ctx); err != nil {
			return err
		}
		if err := s.decide(ctx, forecast, o); err != nil {
			return err
		}
	}
	if err := s.keepLogin(s.profile, s.token, o.Decision); err != nil {
		return err
	}
	if o.Decision.Action == Login && forecast.Err != nil {
		return forecast.Err // nobody is asked to log in for an output that cannot be written
	}
	if r.writes() && o.Decision.Action != Keep {
		if err := r.world.Outputs.Missing(o.Profile); err != nil {
			return err
		}
	}
	if o.Decision.Action != Keep {
		n, err := s.carryOut(ctx, &o.Decision)
		if n != nil {
			o.Token, o.Done = n, true
			s.log(o.Decision.Action, n)
		}
		if err != nil {
			return err
		}
	}
	if !r.writes() {
		s.warnOfDoubt()
		return nil
	}
	return cmp.Or(s.write(ctx, o), s.doubt)
}

// resolveValues fetches every value of p that a grant or an output may need.
func resolveValues(ctx context.Context, p config.Profile) error {
	for _, v := range []*config.Value{p.Client.ID, p.Client.Secret, p.RefreshToken} {
		if _, err := v.Resolve(ctx); err != nil {
			return cmp.Or(ctx.Err(), err)
		}
	}
	return nil
}

// needsSecret reports whether an output of p shows the client secret.
func needsSecret(p config.Profile) bool {
	return slices.ContainsFunc(p.Outputs, config.Output.NeedsSecret)
}
