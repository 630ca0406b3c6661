package flow

import (
	"context"
	"os"
	"time"

	"tokenform/config"
)

// Limits of how often [Runner.Watch] tries what failed.
const (
	firstRetry  = 5 * time.Second
	longRetry   = 5 * time.Minute
	personRetry = time.Hour // what only a person can mend
	glance      = 15 * time.Second
)

// Watch is what [Runner.Watch] looks after.
type Watch struct {
	// Load reads the profiles anew. It is called after a wake-up, and when Changed
	// says so; with an error the old ones stay.
	Load    func() ([]config.Profile, error)
	Changed func() bool

	Wake  <-chan os.Signal // reload and look at everything now
	Tell  func(Result)     // what was done, or failed
	Error func(error)      // profiles that cannot be loaded

	// Sleep is over after d, when ctx ends, or when it is woken; nil: by the
	// machine's clock.
	Sleep func(ctx context.Context, d time.Duration, wake <-chan os.Signal) (woken bool)
}

// Watch keeps the tokens of profiles valid until ctx ends. It goes by the wall
// clock, because expiry does: it looks at it every quarter of a minute, so that a
// machine that was suspended, or whose clock was set, is noticed.
func (r *Runner) Watch(ctx context.Context, profiles []config.Profile, w Watch) {
	if w.Sleep == nil {
		w.Sleep = sleep
	}
	waits := map[string]*wait{}
	for ctx.Err() == nil {
		r.round(ctx, profiles, waits, w.Tell)
		if ctx.Err() != nil {
			break
		}
		woken := w.Sleep(ctx, r.pause(profiles, waits), w.Wake)
		if woken || w.Changed != nil && w.Changed() {
			if fresh, err := w.Load(); err != nil {
				w.Error(err)
			} else {
				profiles = fresh
			}
			clear(waits)
		}
	}
}

// wait is when a profile that failed is tried again.
type wait struct {
	until time.Time
	last  time.Duration
}

// round applies what is due and is not waiting.
func (r *Runner) round(ctx context.Context, profiles []config.Profile, waits map[string]*wait, tell func(Result)) {
	now := r.Now()
	var due []config.Profile
	for _, p := range profiles {
		if f := r.forecast(p); f.Err == nil && !f.Due() {
			delete(waits, p.Name) // mended, here or by somebody else
			continue
		}
		if x := waits[p.Name]; x == nil || !now.Before(x.until) {
			due = append(due, p)
		}
	}
	if len(due) == 0 {
		return
	}
	for _, res := range r.Apply(ctx, due) {
		if ctx.Err() != nil && KindOf(res.Err) == Interrupted {
			continue
		}
		tell(res)
		if res.Err == nil {
			delete(waits, res.Profile.Name)
			continue
		}
		x := waits[res.Profile.Name]
		if x == nil {
			x = &wait{}
			waits[res.Profile.Name] = x
		}
		x.postpone(res.Err, r.Now())
	}
}

// postpone doubles the wait for what passes by itself, and takes a long one
// for what does not. What the server asked for counts.
func (x *wait) postpone(err error, now time.Time) {
	switch {
	case KindOf(err) != Temporary:
		x.last = personRetry
	case x.last == 0:
		x.last = firstRetry
	default:
		x.last = min(2*x.last, longRetry)
	}
	x.until = now.Add(max(x.last, retryAfter(err)))
}

// pause is how long nothing needs to be done, at most a glance.
func (r *Runner) pause(profiles []config.Profile, waits map[string]*wait) time.Duration {
	now := r.Now()
	next := now.Add(glance)
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	for _, p := range profiles {
		if x := waits[p.Name]; x != nil {
			earlier(x.until)
		} else if t, err := r.store(p).Read(p.Name); err == nil && t != nil {
			earlier(t.Expires.Add(-p.MinTTL + time.Second))
		}
	}
	return max(next.Sub(now), time.Second)
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
