package flow

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tokenform/config"
	"tokenform/flow/state"
)

// Forecast is what apply would do for one profile, or why that cannot be said.
type Forecast struct {
	Profile  config.Profile
	Token    *state.Token // in state now; nil: none
	Decision Decision
	Changes  []Change
	Refused  bool // the Web API does not take the token, as [Runner.Check] found
	Err      error
}

// Due reports whether apply would change anything: a token or an output.
// Printing is no change.
func (f Forecast) Due() bool {
	if f.Err == nil && f.Decision.Action != Keep && f.Decision.Action != Leave {
		return true
	}
	for _, c := range f.Changes {
		if c.Action != KeepOutput && c.Action != Print {
			return true
		}
	}
	return false
}

// Plan says what [Runner.Apply] would do, from state and outputs as they are
// at this moment. It takes no lock, runs no command and sends nothing.
func (r *Runner) Plan(profiles []config.Profile) []Forecast {
	forecasts := make([]Forecast, len(profiles))
	each(len(profiles), func(i int) { forecasts[i] = r.forecast(profiles[i]) })
	return forecasts
}

// each calls do with every number below n. Forecasts are mostly system calls and
// JSON: a thousand keep every processor busy; a few are done before another one
// is awake.
func each(n int, do func(i int)) {
	const few = 16
	var wg sync.WaitGroup
	var next atomic.Int32
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	for range min(runtime.GOMAXPROCS(0)-1, n/few) {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

func (r *Runner) forecast(p config.Profile) Forecast {
	f := Forecast{Profile: p}
	t, err := r.store(p).Read(p.Name)
	if err != nil {
		f.Err = err
		return f
	}
	f.Token = t
	f.Decision = r.decide(p, t)
	if r.writes() {
		f.Changes, f.Err = r.Outputs.Stale(p, t, f.Decision.Action != Keep)
	}
	if f.Decision.Action == Keep && !slices.ContainsFunc(f.Changes, rewrites) {
		return f // every file is as it should be, so nobody has written one
	}
	d, _, next := r.adoptable(p, t, f.Decision)
	f.Decision = d
	if next != nil && r.writes() {
		f.Changes, f.Err = r.Outputs.Stale(p, next, false)
	}
	return f
}

// rewrites reports whether a change replaces a file that somebody may have
// written a token into.
func rewrites(c Change) bool { return c.Type == "json" && c.Action == Update }

// loginNear returns the end of t's login where that is less than the profile's
// login_warning away, and not past.
func loginNear(p config.Profile, t *state.Token, now time.Time) (end time.Time, near bool) {
	end = LoginUntil(p, t)
	left := end.Sub(now)
	return end, !end.IsZero() && left > 0 && left < p.LoginWarning
}
