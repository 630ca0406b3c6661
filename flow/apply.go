package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"tokenform/config"
	"tokenform/flow/state"
)

// Result is what apply did for one profile.
type Result struct {
	Profile  config.Profile
	Token    *state.Token // in state now, without secrets where nobody reads them; nil: none
	Decision Decision     // as taken under the lock
	Granted  bool         // the decision was carried out and its token is stored
	Changes  []Change     // made
	Err      error
}

// Apply brings every profile to its declared state, at most Parallelism of
// them at once, and returns the results in the order of profiles. One that
// fails does not stop the others. It goes by its own forecasts, each decided
// anew under the profile's lock.
func (r *Runner) Apply(ctx context.Context, profiles []config.Profile) []Result {
	here := len(profiles) == 1 // a goroutine's stack would have to grow first
	results, wait := r.start(ctx, profiles, here, func(Result) {})
	wait()
	return results
}

// start is Apply that comes back when each profile is done or waits for a person,
// and not before all are done where it is to do the work here, on this goroutine.
// done is told each result, from several goroutines; wait is over when it has all,
// and then all are in results.
func (r *Runner) start(ctx context.Context, profiles []config.Profile, here bool, done func(Result)) (results []Result, wait func()) {
	if r.logins == nil {
		r.logins = make(chan struct{}, 1)
	}
	slots := make(chan struct{}, max(r.Parallelism, 1))
	results, due := r.sort(ctx, profiles)
	r.tellDue(due)
	var all, busy sync.WaitGroup
	for i, p := range profiles {
		if len(due) == 0 || due[0].place != i {
			if r.writes() {
				if printed, err := r.Outputs.Print(p, results[i].Token); err != nil {
					results[i].Changes, results[i].Err = printed, err
				}
				if _, moved := declaredIn(p, results[i].Token); moved {
					r.claim(ctx, p)
				}
			}
			r.remind(p, results[i].Token)
			done(results[i])
			continue
		}
		f := due[0].Forecast
		due = due[1:]
		slots <- struct{}{}
		busy.Add(1)
		one := func() {
			free := sync.OnceFunc(func() { <-slots; busy.Done() })
			defer free()
			results[i] = r.apply(ctx, p, f, free)
			if results[i].Err == nil {
				r.remind(p, results[i].Token)
			}
			done(results[i])
		}
		if here {
			one()
		} else {
			all.Go(one)
		}
	}
	busy.Wait()
	return results, all.Wait
}

// task is what is to be done for the profile at a place of Apply's list.
type task struct {
	Forecast
	place int
}

// sort plans, and keeps the forecasts of those profiles alone that there is
// something to do for, in order. The others' results are complete but for what
// is printed: no lock, no write. What is printed is the token as it was read; the
// outputs may belong to a newer one by now.
func (r *Runner) sort(ctx context.Context, profiles []config.Profile) ([]Result, []*task) {
	results := make([]Result, len(profiles))
	var mu sync.Mutex
	var due []*task
	take := func(i int, f Forecast) {
		if f.Err != nil || f.Due() || r.store(f.Profile).Littered(f.Profile.Name) {
			mu.Lock()
			defer mu.Unlock()
			due = append(due, &task{f, i})
			return
		}
		if f.Token != nil { // what is only told of: of thousands the rest is more than half the memory
			f.Token.Outputs = nil // they are as declared
			if r.writes() && !slices.ContainsFunc(f.Changes, prints) {
				f.Token.Access, f.Token.Refresh = "", ""
			}
		}
		results[i] = Result{Profile: f.Profile, Token: f.Token, Decision: f.Decision, Changes: f.Changes}
	}
	if r.Verify {
		forecasts := r.Plan(profiles)
		r.Check(ctx, forecasts)
		for i, f := range forecasts {
			take(i, f)
		}
	} else {
		each(len(profiles), func(i int) { take(i, r.forecast(profiles[i])) })
	}
	sort.Slice(due, func(i, j int) bool { return due[i].place < due[j].place })
	return results, due
}

func prints(c Change) bool { return c.Action == Print }

func (r *Runner) tellDue(tasks []*task) {
	var due []config.Profile
	for _, t := range tasks {
		if t.Due() {
			due = append(due, t.Profile)
		}
	}
	if r.Due != nil && len(due) > 0 {
		r.Due(due)
	}
}

// apply does what the forecast f says, or what turns out to be right once the
// lock is held. It calls free when it starts to wait for a person, so that
// other profiles can go on.
func (r *Runner) apply(ctx context.Context, p config.Profile, f Forecast, free func()) Result {
	res := Result{Profile: p, Token: f.Token, Decision: f.Decision}
	fail := func(err error) Result { res.Err = err; return res }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if f.Err == nil && f.Decision.Action != Keep && f.Decision.Action != Adopt {
		// Commands that yield secrets run before the lock is taken.
		if err := resolve(ctx, p); err != nil {
			return fail(err)
		}
	}
	entry, err := r.lock(ctx, p)
	if err != nil {
		return fail(err)
	}
	defer entry.Unlock()

	t, err := entry.Token()
	if err != nil {
		return fail(err)
	}
	var found Found
	var next *state.Token
	decide := func() (d Decision) {
		d, found, next = r.adoptable(p, t, r.decide(p, t))
		if d.Action == Keep && f.Refused && t.Access == f.Token.Access {
			return replace(p, t)
		}
		return d
	}
	res.Token, res.Decision = t, decide()
	if res.Decision.Action != Keep && res.Decision.Action != Adopt {
		if err := resolve(ctx, p); err != nil {
			return fail(err)
		}
		res.Decision = decide() // now that every value is known
	}
	if res.Decision.Action == Login && f.Err != nil {
		return fail(f.Err) // nobody is asked to log in for what cannot be written
	}
	if r.writes() && res.Decision.Action != Keep {
		if err := r.Outputs.Ready(p); err != nil {
			return fail(err)
		}
	}
	switch res.Decision.Action {
	case Keep:
	case Adopt:
		n, err := r.adopt(ctx, p, entry, t, found, next)
		if n != nil {
			res.Token, res.Granted = n, true
		}
		if err != nil {
			return fail(err)
		}
	default:
		n, err := r.grant(ctx, p, entry, t, &res.Decision, free)
		if n != nil {
			res.Token, res.Granted = n, true
		}
		if err != nil {
			return fail(err)
		}
	}
	if !r.writes() {
		return res
	}
	if err := r.write(ctx, p, entry, &res); err != nil {
		return fail(err)
	}
	return res
}

// resolve fetches every value of p that a grant or an output may need.
func resolve(ctx context.Context, p config.Profile) error {
	for _, v := range []*config.Value{p.Client.ID, p.Client.Secret, p.RefreshToken} {
		if _, err := v.Resolve(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
	}
	return nil
}

// needsSecret reports whether an output of p shows the client secret.
func needsSecret(p config.Profile) bool {
	return slices.ContainsFunc(p.Outputs, config.Output.NeedsSecret)
}

// me is who takes a lock now.
func (r *Runner) me() state.Holder {
	me := r.Me
	me.Since = r.Now().UTC() // in another zone the lock file would need that zone's rules
	return me
}

// lock takes p's lock, telling who has it when that takes long enough to be
// noticed.
func (r *Runner) lock(ctx context.Context, p config.Profile) (*state.Entry, error) {
	return r.store(p).Lock(ctx, p.Name, r.me(), state.Waiting{
		Timeout: r.LockTimeout,
		After:   noticeable,
		Tell:    func(h state.Holder) { r.notify(Event{Kind: Waiting, Profile: p.Name, Holder: h}) },
	})
}

// write brings the outputs in line with the token and state in line with the
// outputs.
func (r *Runner) write(ctx context.Context, p config.Profile, entry *state.Entry, res *Result) error {
	if needsSecret(p) {
		// Both what is written and what is remembered of it need the value.
		if err := resolve(ctx, p); err != nil {
			return err
		}
	}
	// What will be written is remembered before it is: an output written and not
	// remembered could never be taken back. Save comes for free after a grant,
	// which has stored this record with its token.
	want := r.Outputs.Record(p, res.Token)
	source, moved := declaredIn(p, res.Token)
	if !res.Granted && (moved || !covers(res.Token.Outputs, want)) {
		res.Token.Source = source
		res.Token.Outputs = merge(res.Token.Outputs, want)
		if err := entry.Save(res.Token); err != nil {
			return err
		}
	}
	changes, err := r.Outputs.Write(ctx, p, res.Token)
	res.Changes = changes
	ran := false
	for _, c := range changes {
		if c.Got != "" {
			ran = true
			res.Token.Outputs = merge(res.Token.Outputs, []state.Written{{Type: c.Type, Path: c.Path, Digest: c.Got}})
		}
	}
	if err != nil {
		if ran { // the next apply must not run them again for what they have
			err = errors.Join(err, entry.Save(res.Token))
		}
		return err
	}
	want = r.Outputs.Record(p, res.Token)
	if ran || len(res.Token.Outputs) != len(want) || !covers(want, res.Token.Outputs) {
		res.Token.Outputs = want // the undeclared ones are gone now
		if err := entry.Save(res.Token); err != nil {
			return err
		}
	}
	return nil
}

// remind warns of a login that is about to end.
func (r *Runner) remind(p config.Profile, t *state.Token) {
	if t == nil {
		return
	}
	if end, near := loginNear(p, t, r.Now()); near {
		r.warn(p.Name, fmt.Sprintf("the login ends on %s, in %s", day(end), Span(end.Sub(r.Now()))), "log in again before that: tokenform apply --renew -p "+p.Name+r.Here+r.Files)
	}
}
