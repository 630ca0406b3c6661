package flow

import (
	"context"
	"os"
	"sync"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// How long [Runner.Watch] waits.
const (
	firstRetry  = 5 * time.Second
	longRetry   = 5 * time.Minute
	personRetry = time.Hour // for a failure that only a person can mend
	glance      = 15 * time.Second
	storeGlance = time.Minute // for a login in a store, where each look is a request
)

// Watch is what [Runner.Watch] looks after.
type Watch struct {
	// Load reads the profiles anew, after a wake-up and when Changed reports true. If
	// Load fails, the old profiles stay.
	Load    func() ([]config.Profile, error)
	Changed func() bool

	Wake  <-chan os.Signal                   // reload and look at everything now
	Idle  func(next time.Time, profiles int) // called before each pause; next is when a profile is due, zero if that is not known. May be nil
	Tell  func(Outcome)                      // called with the outcome of each profile that was changed or failed
	Error func(error)                        // called if the profiles cannot be loaded

	// Sleep returns after d, when ctx ends, or when wake yields. nil means to sleep by
	// the machine's clock.
	Sleep func(ctx context.Context, d time.Duration, wake <-chan os.Signal) (woken bool)
}

// Watch keeps the tokens of profiles valid until ctx ends. Watch goes by the wall
// clock, as expiry does, and looks at the clock every 15 seconds, so that a suspended
// machine or a clock that was set is noticed. A profile that waits for a person does
// not hold up the others.
func (r *Runner) Watch(ctx context.Context, profiles []config.Profile, w Watch) {
	if w.Sleep == nil {
		w.Sleep = sleep
	}
	x := watcher{Runner: r, ctx: ctx, tell: w.Tell, waits: map[string]*wait{}, busy: map[string]bool{}, reminded: map[string]reminded{}, looks: map[string]look{}}
	defer x.people.Wait()
	for ctx.Err() == nil {
		x.round(ctx, profiles)
		if ctx.Err() != nil {
			break
		}
		next := x.next(profiles)
		if w.Idle != nil {
			w.Idle(next, len(profiles))
		}
		woken := w.Sleep(ctx, x.pause(next), w.Wake)
		changed := w.Changed != nil && w.Changed()
		if w.Load != nil && (woken || changed || x.retries(profiles)) {
			if fresh, err := w.Load(); err != nil {
				w.Error(err)
			} else {
				profiles = fresh
			}
		}
		if woken || changed {
			x.forget()
		}
	}
}

// watcher is one call of Watch.
type watcher struct {
	*Runner
	ctx    context.Context // the context of Watch, for work that outlives a round
	tell   func(Outcome)
	people sync.WaitGroup // the profiles that wait for a person

	mu       sync.Mutex
	waits    map[string]*wait
	busy     map[string]bool // the profiles that are being applied
	reminded map[string]reminded
	looks    map[string]look // of the logins in stores
}

// look is the last look at a login in a store.
type look struct {
	again time.Time // when to look again
	due   time.Time // when the token must be replaced
}

// reminded is the last reminder of a profile.
type reminded struct {
	code string
	at   time.Time
}

// remind tells people a new reminder at once, and then once a day.
func (x *watcher) remind(o Outcome) {
	m, due := x.reminder(&o, 0, false)
	last, said := x.reminded[m.Profile]
	switch {
	case !due:
		delete(x.reminded, o.Profile.Name)
	case !said || last.code != m.Code || x.clock().Sub(last.at) >= 24*time.Hour:
		x.reminded[m.Profile] = reminded{m.Code, x.clock()}
		x.world.Voice.Remind(m)
		x.people.Go(func() { x.notify(x.ctx, o) })
	}
}

// clock returns the wall clock's time alone. The monotonic clock, which Go reads
// with it, stands still while the machine is suspended.
func (x *watcher) clock() time.Time { return x.now().Round(0) }

// wait says when a profile is looked at again.
type wait struct {
	until  time.Time
	last   time.Duration
	person bool // only a person can mend the failure, maybe in a file that the profile names

	// token is the end of a token that the profile was just given. Until then, watch
	// does not replace that token, but looks after everything else. Zero means that
	// nothing was given, and that the profile is left alone.
	token time.Time
}

// holds reports whether w says to leave the profile of o alone.
func (w *wait) holds(o Outcome, now time.Time) bool {
	switch {
	case w == nil || !now.Before(w.until):
		return false
	case w.token.IsZero():
		return true
	}
	return o.Token != nil && o.Token.Expires.Equal(w.token) && (o.Decision.Action == Refresh || o.Decision.Action == Request)
}

// round applies the profiles that are due and have no wait.
func (x *watcher) round(ctx context.Context, profiles []config.Profile) {
	due := x.due(profiles)
	if len(due) == 0 {
		return
	}
	_, wait := x.start(ctx, due, false, func(o Outcome) {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.busy, o.Profile.Name)
		if ctx.Err() == nil || fault.KindOf(o.Err) != fault.Interrupted {
			x.tell(o)
			x.postpone(o)
			x.people.Go(func() { x.notify(ctx, o) }) // a notifier may take its time
		}
	})
	x.people.Go(wait)
}

func (x *watcher) due(profiles []config.Profile) []config.Profile {
	now := x.clock()
	x.mu.Lock()
	defer x.mu.Unlock()
	var due []config.Profile
	for _, p := range profiles {
		if x.busy[p.Name] || p.Store != nil && now.Before(x.looks[p.Name].again) {
			continue
		}
		w := x.waits[p.Name]
		if p.Store != nil && w != nil && w.token.IsZero() && now.Before(w.until) {
			continue // the store is not asked while the profile waits
		}
		f := x.forecast(x.ctx, p)
		if f.Err == nil {
			x.remind(f)
		}
		switch {
		case f.Err == nil && !f.Due():
			if w != nil && w.token.IsZero() {
				delete(x.waits, p.Name) // the failure is mended, by this process or another one
			}
			if p.Store != nil && f.Token != nil {
				due := dueAt(p, f.Token)
				x.looks[p.Name] = look{again: earliest(now.Add(storeGlance), due), due: due}
			}
			continue
		case w.holds(f, now):
			continue
		}
		x.busy[p.Name] = true
		due = append(due, p)
	}
	return due
}

// postpone decides when the profile of o is looked at again. After a temporary
// failure the wait doubles each time; after any other failure the wait is an hour.
// A longer wait that the server asked for counts. After a grant the token keeps half
// of its life, even if min_ttl makes it due sooner.
func (x *watcher) postpone(o Outcome) {
	name, now := o.Profile.Name, x.clock()
	w := x.waits[name]
	switch {
	case o.Err == nil && o.Done:
		x.waits[name] = &wait{until: now.Add(o.Token.Expires.Sub(now) / 2), token: o.Token.Expires}
		return
	case o.Err == nil:
		if w != nil && w.token.IsZero() {
			delete(x.waits, name)
		}
		return
	case w == nil || !w.token.IsZero():
		w = &wait{}
		x.waits[name] = w
	}
	w.person = fault.KindOf(o.Err) != fault.Temporary
	switch {
	case w.person:
		w.last = personRetry
	case w.last == 0:
		w.last = firstRetry
	default:
		w.last = min(2*w.last, longRetry)
	}
	w.until = now.Add(max(w.last, retryAfter(o.Err)))
}

// retries reports whether a failure that only a person can mend is about to be
// tried again. The person may have mended a secret that the profile takes from a
// file or a command, so the profiles must be read again first.
func (x *watcher) retries(profiles []config.Profile) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range profiles {
		if w := x.waits[p.Name]; w != nil && w.person && !x.busy[p.Name] && !x.clock().Before(w.until) {
			return true
		}
	}
	return false
}

// forget drops all waits, so that watch looks at every profile again.
func (x *watcher) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.waits)
	clear(x.looks)
}

// dueAt returns when the token t of p is to be replaced.
func dueAt(p config.Profile, t *state.Token) time.Time {
	return t.Expires.Add(-p.MinTTL + time.Second)
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// next returns when the first profile is due, or zero if that is not known.
func (x *watcher) next(profiles []config.Profile) (next time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.clock()
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, p := range profiles {
		if x.busy[p.Name] {
			continue
		}
		if w := x.waits[p.Name]; w != nil && now.Before(w.until) {
			earlier(w.until)
		} else if l, looked := x.looks[p.Name]; looked {
			earlier(l.due)
		} else if w == nil || !w.token.IsZero() {
			if t, err := x.stateOf(p).Read(x.ctx, p.Name); err == nil && t != nil {
				earlier(dueAt(p, t))
			}
		}
	}
	return next
}

// pause returns how long to sleep until next, at most glance.
func (x *watcher) pause(next time.Time) time.Duration {
	left := next.Sub(x.clock())
	if next.IsZero() {
		left = glance
	}
	return max(min(left, glance), time.Second)
}

func sleep(ctx context.Context, d time.Duration, wake <-chan os.Signal) (woken bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
		return true
	}
	return false
}
