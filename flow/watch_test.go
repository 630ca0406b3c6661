package flow_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
	"tokenform/flow/state"
)

// watching runs Watch on profiles for a number of sleeps, with a clock that jumps to
// the end of every sleep. watching calls each at every sleep, and returns what the
// watcher told.
func (w *world) watching(profiles []config.Profile, sleeps int, each func(i int)) (told []string) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	i := 0
	w.runner().Watch(ctx, profiles, flow.Watch{
		Tell: func(r flow.Outcome) {
			text := string(r.Decision.Action)
			if r.Err != nil {
				text = r.Err.Error()
			}
			told = append(told, fmt.Sprintf("%s %s: %s", w.clock().Format("15:04:05"), r.Profile.Name, text))
		},
		Sleep: func(_ context.Context, d time.Duration, _ <-chan os.Signal) bool {
			if each != nil {
				each(i)
			}
			if i++; i >= sleeps {
				cancel()
			}
			w.pass(d)
			return false
		},
	})
	return told
}

func TestWatch(t *testing.T) {
	w := newWorld(t, sandbox.Options{RotateAll: true})
	p := w.profile()
	w.must(p, flow.Login)
	told := w.watching([]config.Profile{p}, 4*60*3, func(i int) { // three hours of glances
		if i == 4*60 {
			os.Remove(filepath.Join(w.dir, ".env")) // watch also looks after outputs
		}
	})
	want := []string{"12:55:01 dev: refresh", "13:00:01 dev: keep", "13:50:02 dev: refresh", "14:45:03 dev: refresh"}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("told:\n%s", got)
	}
	if n := w.server.Count("/api/token"); n != 4 {
		t.Errorf("%d token requests", n)
	}
}

// TestWatchTrouble checks that temporary trouble is tried again after longer and longer
// waits, and that a machine which slept past the expiry refreshes when it wakes.
func TestWatchTrouble(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	w.must(p, flow.Login)
	w.server.Inject("/api/token", faults.HTML(200), 3)
	told := w.watching([]config.Profile{p}, 12, func(i int) {
		if i == 2 {
			w.pass(8 * time.Hour) // the machine was suspended
		}
	})
	var times []string
	for _, line := range told {
		times = append(times, line[:8])
	}
	// Three failures, with 5, 10 and 20 seconds between them, and then a refresh.
	if got := strings.Join(times, " "); got != "20:00:45 20:00:50 20:01:00 20:01:20" || !strings.HasSuffix(told[len(told)-1], "refresh") {
		t.Errorf("told %q", told)
	}
}

// TestWatchNeedsPerson checks that a failure which only a person can mend is not tried
// again and again, and that watch notices when somebody has mended it.
func TestWatchNeedsPerson(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	browse := w.scene.Browse
	w.unattended()
	told := w.watching([]config.Profile{p}, 4*90, func(i int) { // an hour and a half
		if i == 4*75 {
			w.scene.Browse = browse
			if r := w.runner().Apply(context.Background(), []config.Profile{p})[0]; r.Err != nil {
				t.Error(r.Err)
			}
			w.unattended()
		}
	})
	if len(told) != 2 || !strings.HasPrefix(told[0], "12:00:00") || !strings.HasPrefix(told[1], "13:00:00") {
		t.Errorf("told %q", told)
	}
}

// TestWatchWaitsForPerson checks that a login which nobody answers does not hold up
// other profiles, and that nobody is asked twice at once.
func TestWatchWaitsForPerson(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	plain := func(name string) config.Profile {
		return w.profile(func(p *config.Profile) { p.Name, p.Outputs = name, nil })
	}
	a, b, c := plain("a"), plain("b"), plain("c")
	w.must(a, flow.Login)
	var asked atomic.Int32
	w.scene.Browse = func(context.Context, string) error { asked.Add(1); return nil } // nobody logs in
	w.options.LoginTimeout = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	begin := time.Now()
	var told []string
	w.runner().Watch(ctx, []config.Profile{a, b, c}, flow.Watch{
		Tell: func(r flow.Outcome) {
			told = append(told, r.Profile.Name)
			if len(told) == 2 {
				cancel()
			}
		},
		Sleep: func(_ context.Context, d time.Duration, _ <-chan os.Signal) bool {
			for asked.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			w.pass(d)
			return false
		},
	})
	if got := strings.Join(told, " "); got != "a a" || asked.Load() != 1 || time.Since(begin) > 15*time.Second {
		t.Errorf("told of %s, asked %d times, in %s", got, asked.Load(), time.Since(begin))
	}
}

// TestWatchShortLives checks that a token which lives hardly longer than min_ttl, or
// less, is refreshed at half of its life, and not all the time.
func TestWatchShortLives(t *testing.T) {
	w := newWorld(t, sandbox.Options{TokenLife: 4 * time.Minute}) // min_ttl is five
	p := w.profile()
	w.must(p, flow.Login)
	asked := w.server.Count("/api/token")
	w.watching([]config.Profile{p}, 4*60, nil)
	if n := w.server.Count("/api/token") - asked; n < 25 || n > 35 {
		t.Errorf("%d refreshes in an hour", n)
	}
}

// TestWatchAfterRefresh checks what watch notices after a refresh, when nothing is due
// for a while: the state is deleted, or the machine sleeps past the new token's end,
// which Go's monotonic clock does not see.
func TestWatchAfterRefresh(t *testing.T) {
	t.Run("state deleted", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile(credentials)
		told := w.watching([]config.Profile{p}, 8, func(i int) {
			if i == 2 {
				os.Remove(filepath.Join(p.State, "dev.json"))
			}
		})
		if got := strings.Join(told, "; "); got != "12:00:00 dev: request; 12:00:45 dev: request" {
			t.Errorf("told %s", got)
		}
	})
	t.Run("suspended", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile(credentials)
		begin, awake, slept := time.Now(), time.Duration(0), time.Duration(0)
		w.scene.Now = func() time.Time {
			now := begin.Add(awake) // the time has a monotonic reading; Go compares monotonic readings if both times have one
			if slept > 0 {
				now = later(now, slept)
			}
			return now
		}
		ctx, cancel := context.WithCancel(context.Background())
		var told []time.Duration
		w.runner().Watch(ctx, []config.Profile{p}, flow.Watch{
			Tell: func(flow.Outcome) {
				if told = append(told, awake); len(told) == 2 {
					cancel()
				}
			},
			Sleep: func(_ context.Context, d time.Duration, _ <-chan os.Signal) bool {
				if awake += d; awake > time.Hour {
					cancel()
				}
				slept = 8 * time.Hour
				return false
			},
		})
		if len(told) != 2 || told[1] > time.Minute {
			t.Errorf("applied after %v awake", told)
		}
	})
}

// later returns t as on a machine whose wall clock went on by d while the monotonic
// clock stood still.
func later(t time.Time, d time.Duration) time.Time {
	// In time.Time, the wall clock's seconds begin at bit 30. The top bit says that
	// there is a monotonic reading.
	*(*uint64)(unsafe.Pointer(&t)) += uint64(d/time.Second) << 30
	return t
}

// TestWatchReadsOnce checks that a second login that waits for a person does not make
// watch read the profiles at every look.
func TestWatchReadsOnce(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	asked := make(chan bool, 10)
	first := true
	w.scene.Browse = func(context.Context, string) error {
		asked <- true
		if first {
			first = false
			return &fault.Error{Kind: fault.LoginNeeded, Message: "no login within a moment"}
		}
		return nil // the next login waits
	}
	w.options.LoginTimeout = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	loads, sleeps := 0, 0
	failed := make(chan bool, 10)
	w.runner().Watch(ctx, []config.Profile{p}, flow.Watch{
		Load: func() ([]config.Profile, error) { loads++; return []config.Profile{p}, nil },
		Tell: func(flow.Outcome) { failed <- true },
		Sleep: func(_ context.Context, d time.Duration, _ <-chan os.Signal) bool {
			switch sleeps++; sleeps {
			case 1:
				<-asked
				<-failed
			case 4*60 + 20:
				cancel()
			}
			w.pass(d)
			return false
		},
	})
	if loads != 1 {
		t.Errorf("read %d times", loads)
	}
}

// TestWatchReplacedSecret checks that watch reads a replaced secret from its file again
// before it tries again.
func TestWatchReplacedSecret(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write("secret", "app-secret\n")
	write("p.yaml", "profile: dev\nclient: {id: app, secret: {file: secret}}\nredirect_uri: http://127.0.0.1/callback\n")
	load := func() ([]config.Profile, error) {
		ps, problems := config.Load(t.Context(), config.Sources{Env: os.LookupEnv, Dir: w.dir}, []string{"p.yaml"})
		if errs := problems.Errors(); len(errs) > 0 {
			return nil, errs
		}
		return ps, nil
	}
	ps, err := load()
	if err != nil {
		t.Fatal(err)
	}
	w.must(ps[0], flow.Login)
	write("secret", "old-secret\n")
	if ps, err = load(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var told []string
	sleeps := 0
	w.runner().Watch(ctx, ps, flow.Watch{
		Load: load,
		Tell: func(r flow.Outcome) {
			told = append(told, fmt.Sprint(r.Err == nil))
			if r.Err == nil {
				cancel()
			}
			write("secret", "app-secret\n")
		},
		Sleep: func(_ context.Context, d time.Duration, _ <-chan os.Signal) bool {
			if sleeps++; sleeps > 4*60*5 {
				cancel()
			}
			w.pass(d)
			return false
		},
	})
	if got := strings.Join(told, " "); got != "false true" {
		t.Errorf("told %s", got)
	}
}

// TestWatchMemory checks that 600 refreshes, or as many as TOKENFORM_WATCH says, leave
// the heap as large as before. The stand-in is in the same heap, so its log of 10,000
// requests is filled before.
func TestWatchMemory(t *testing.T) {
	total := 600
	if s := os.Getenv("TOKENFORM_WATCH"); s != "" {
		var err error
		if total, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, sandbox.Options{})
	p := w.profile(credentials)
	w.scene.Voice = silence{}
	app := oauth.App{ID: "app", Secret: "app-secret", Endpoints: w.scene.Endpoints, HTTP: w.scene.HTTP}
	for range 10_000 {
		if _, err := app.ClientCredentials(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cycles, early := 0, uint64(0)
	w.runner().Watch(ctx, []config.Profile{p}, flow.Watch{
		Tell: func(r flow.Outcome) {
			if r.Err != nil {
				t.Error(r.Err)
			}
			if cycles++; cycles == total/2 {
				early = heap()
			} else if cycles == total {
				cancel()
			}
		},
		Sleep: func(context.Context, time.Duration, <-chan os.Signal) bool { w.pass(56 * time.Minute); return false },
	})
	late := heap()
	t.Logf("heap after %d cycles %d KiB, after %d cycles %d KiB", total/2, early>>10, total, late>>10)
	if late > early+256<<10 {
		t.Errorf("the heap grew from %d to %d KiB", early>>10, late>>10)
	}
}

// silence is a voice that remembers nothing.
type silence struct{}

func (silence) Warn(_, _, _ string)          {}
func (silence) Remind(flow.Reminder)         {}
func (silence) Waiting(string, state.Holder) {}
func (silence) Ask(string, flow.Prompt)      {}
func (silence) Asked(string)                 {}
func (silence) Misanswered(_, _ string)      {}
func (silence) Hint(string)                  {}
func (silence) LoggedIn(_, _ string)         {}
