package flow

import (
	"cmp"
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/config/paths"
	"tokenform/flow/state"
)

// Plan says what [Runner.Apply] would do, from state and outputs as they are
// now. Plan takes no lock, sends nothing to Spotify, and runs no command but that of a
// store.
func (r *Runner) Plan(ctx context.Context, profiles []config.Profile) []Outcome {
	outcomes := make([]Outcome, len(profiles))
	r.each(profiles, func(i int) { outcomes[i] = r.forecast(ctx, profiles[i]) })
	return outcomes
}

// each calls do with the index of each profile: at once as many as there are processors
// if state is on disk, and as many as Options.Parallelism says (default: 10) if state is in stores.
func (r *Runner) each(profiles []config.Profile, do func(i int)) {
	if !slices.ContainsFunc(profiles, func(p config.Profile) bool { return p.Store != nil }) {
		each(len(profiles), do)
		return
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, cmp.Or(r.options.Parallelism, 10))
	for i := range profiles {
		slots <- struct{}{}
		wg.Go(func() {
			defer fault.Crash()
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}

// each calls do with every number below n, on several processors if n is large.
// Forecasts are mostly system calls and JSON: a thousand of them keep every processor
// busy, and a few are done before a second goroutine is awake. On two processors,
// 10,000 profiles take 1.26 times as long in a plain loop.
func each(n int, do func(i int)) {
	const few = 16
	var wg sync.WaitGroup
	var next atomic.Int32
	work := func() {
		defer fault.Crash()
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

func (r *Runner) forecast(ctx context.Context, p config.Profile) Outcome {
	o := Outcome{Profile: p}
	if o.Token, o.recorded, o.Err = r.readState(ctx, p); o.Err != nil {
		return o
	}
	o.Decision = r.decide(p, o.Token)
	if o.Moves = o.Token != nil && o.Token.Profile != p.Name; o.Moves {
		o.Decision.Reason += "; moved from " + p.MovedFrom
	}
	if o.Err = r.keepLogin(p, o.Token, o.Decision); o.Err != nil {
		return o
	}
	if r.writes() {
		o.Outputs, o.Err = r.world.Outputs.Stale(p, o.Token, o.recorded, o.Decision.grants())
	}
	if !o.Decision.grants() && !slices.ContainsFunc(o.Outputs, rewrites) {
		return o // no JSON file is to be rewritten, so no client has written one
	}
	d, _, next := r.adoptable(p, o.Token, o.recorded, o.Decision)
	o.Decision = d
	if next != nil && r.writes() {
		o.Outputs, o.Err = r.world.Outputs.Stale(p, next, o.recorded, false)
	}
	return o
}

// readState returns the state of p: the login and the record of outputs.
func (r *Runner) readState(ctx context.Context, p config.Profile) (t *state.Token, recorded []state.Written, err error) {
	store := r.stateOf(p)
	if t, err = store.Read(ctx, p.Name); err == nil {
		if t == nil && p.MovedFrom != "" {
			return r.readMoved(ctx, p)
		}
		err = r.checkOwner(p, t)
	}
	if err == nil {
		err = r.checkMigrated(p, t)
	}
	if err != nil || r.options.Outputs == IgnoreOutputs {
		return t, nil, err
	}
	recorded, _, err = store.Outputs(p.Name, p.Dir, t)
	return t, asDeclared(p, recorded), err
}

// checkMigrated refuses a profile whose login is still in the state directory, although the
// profile names a store: a second login would be made beside the first one.
func (r *Runner) checkMigrated(p config.Profile, t *state.Token) error {
	if t != nil || p.Store == nil || r.world.Realm == state.Sandbox || !slices.Contains(r.world.Realm.Open(p.State).LocalNames(), p.Name) {
		return nil
	}
	return &fault.Error{Kind: fault.Failed, Message: "the login is still in " + p.State + ", not in " + r.stateOf(p).Where(), Hint: "tokenform state migrate moves it"}
}

// asDeclared returns recorded with each path as p declares it, if both paths lead to
// the same file: a project may be reached by a second path.
func asDeclared(p config.Profile, recorded []state.Written) []state.Written {
	for i := range recorded {
		w := &recorded[i]
		if !filepath.IsAbs(w.Path) || slices.ContainsFunc(p.Outputs, func(o config.Output) bool { return o.Path == w.Path }) {
			continue
		}
		for _, o := range p.Outputs {
			if o.Path != "" && paths.Same(o.Path, w.Path) {
				w.Path = o.Path
			}
		}
	}
	return recorded
}

// rewrites reports whether a change replaces a file that a client may have
// written a token into.
func rewrites(c Change) bool { return c.Type == config.JSONOutput && c.Action == Update }
