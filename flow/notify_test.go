package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
	"tokenform/flow/state"
)

// TestMain lets the test binary play a notifier: Windows has no shell.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != "append" {
		os.Exit(m.Run())
	}
	f, err := os.OpenFile(os.Args[2], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = io.Copy(f, os.Stdin)
	}
	if err != nil {
		os.Exit(1)
	}
}

// notified adds a notifier that appends each notice to a file.
func (w *world) notified(on ...string) func(*config.Profile) {
	if on == nil {
		on = config.NotifyEvents
	}
	self, err := os.Executable()
	if err != nil {
		w.Fatal(err)
	}
	return func(p *config.Profile) {
		p.Notify = append(p.Notify, config.Notifier{On: on, Command: []string{self, "append", filepath.Join(w.dir, "notices")}, Dir: w.dir})
	}
}

// notices returns what was told since the last call.
func (w *world) notices() (list []string) {
	w.Helper()
	b, _ := os.ReadFile(filepath.Join(w.dir, "notices"))
	for line := range strings.Lines(string(b)) {
		var n flow.Notice
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			w.Fatal(err)
		}
		if strings.Contains(line, "AQ") || strings.Contains(line, "BQ") || strings.Contains(line, "app-secret") {
			w.Errorf("a secret: %s", line)
		}
		list = append(list, fmt.Sprintf("%s %s %dd", n.Event, n.Profile, n.DaysLeft))
	}
	_ = os.Remove(filepath.Join(w.dir, "notices"))
	return list
}

func (w *world) gets(want ...string) {
	w.Helper()
	if got := w.notices(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.Errorf("told %q, want %q", got, want)
	}
}

// TestNotify follows a profile whose cron job runs each hour.
func TestNotify(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile(w.notified())
	w.must(p, flow.Login)
	w.gets()
	w.unattended()
	hours := func(n int) {
		for range n {
			w.pass(time.Hour)
			w.apply(p)
		}
	}
	hours(24)
	w.gets()

	// Nobody is told of trouble that passes; people are told once a day of trouble that
	// stays.
	w.server.Inject("/api/token", faults.HTML(200), -1)
	hours(2)
	w.server.Inject("/api/token", faults.Fault{}, 0)
	hours(2)
	w.gets()
	w.server.Inject("/api/token", faults.HTML(200), -1)
	hours(50)
	w.gets("failing dev 0d", "failing dev 0d")
	w.server.Inject("/api/token", faults.Fault{}, 0)
	hours(24)
	w.gets("recovered dev 0d")

	// The login's last two weeks.
	w.pass(166*24*time.Hour - (24+2+2+50+24)*time.Hour)
	hours(48)
	w.gets("login_ending dev 13d", "login_ending dev 12d")
	w.pass(13 * 24 * time.Hour)
	hours(30)
	w.gets("login_needed dev 0d", "login_needed dev 0d")
	w.scene.Browse = func(ctx context.Context, url string) error { _, err := flow.AgreeingBrowser(ctx, url); return err }
	hours(2)
	w.gets("recovered dev 0d")
	if _, err := os.Stat(filepath.Join(p.State, "dev.told")); err == nil {
		t.Error("what is over is still remembered")
	}

	// A notifier gets only the events it asks for. A run without outputs, or with the
	// stand-in, tells nothing.
	w.unattended()
	p = w.profile(w.notified(config.Failing))
	p.Name = "other"
	hours(1)
	w.gets()
	p = w.profile(w.notified())
	p.Name = "third"
	w.options.Outputs = flow.LookAtOutputs
	hours(1)
	w.options.Outputs = flow.WriteOutputs
	w.scene.Realm = state.Sandbox
	hours(1)
	w.gets()
}

func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("no %s here", program)
	}
}

// TestNotifierTrouble checks that a notifier which fails, hangs or prints without end
// does no harm.
func TestNotifierTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		warns   string
	}{
		"fails":          {[]string{"sh", "-c", "exit 7"}, "notify: sh failed (exit status 7)"},
		"is missing":     {[]string{"/nowhere/tell"}, "notify: cannot run /nowhere/tell"},
		"floods":         {[]string{"sh", "-c", "head -c 100000000 /dev/zero; head -c 100000000 /dev/zero >&2"}, ""},
		"reads not":      {[]string{"true"}, ""},
		"leaves a child": {[]string{"sh", "-c", "sleep 5 &"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "is missing" {
				needs(t, c.command[0])
			}
			w := newWorld(t, sandbox.Options{})
			p := w.profile(func(p *config.Profile) {
				p.Notify = []config.Notifier{{On: config.NotifyEvents, Command: c.command, Dir: w.dir}}
			})
			w.must(p, flow.Login)
			w.pass(170 * 24 * time.Hour)
			for range 3 { // a notice is not repeated at once, whether telling failed or not
				w.must(p, map[bool]flow.Action{true: flow.Refresh, false: flow.Keep}[w.stored(p).Expires.Before(w.clock())])
			}
			said := strings.Join(w.warnings(), "\n")
			if strings.Count(said, "notify: ") != strings.Count(c.warns, "notify: ") || !strings.Contains(said, c.warns) {
				t.Errorf("warned %q", said)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		needs(t, "sleep")
		w := newWorld(t, sandbox.Options{})
		p := w.profile(func(p *config.Profile) {
			p.Notify = []config.Notifier{{On: config.NotifyEvents, Command: []string{"sleep", "600"}, Dir: w.dir}}
		})
		w.must(p, flow.Login)
		w.pass(170 * 24 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // the end of ctx stands for a person's Ctrl-C
		defer cancel()
		begun := time.Now()
		o := w.runner().Apply(ctx, []config.Profile{p})[0]
		if took := time.Since(begun); o.Err != nil || took > 10*time.Second || !strings.Contains(w.env(), w.stored(p).Access) {
			t.Errorf("after %s: %v", took, o.Err)
		}
	})
}

// TestNotifyWatch checks that watch tells once a day too, whether it has something to
// do or not, and that a restarted watch remembers what was told.
func TestNotifyWatch(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile(w.notified())
	w.must(p, flow.Login)
	w.unattended()
	w.pass(167 * 24 * time.Hour)
	for range 3 {
		w.watching([]config.Profile{p}, 30, func(i int) {
			w.pass(30 * time.Minute)
			time.Sleep(20 * time.Millisecond)
			if i == 29 { // watch is stopped now, and would stop a notifier that has told people already
				time.Sleep(time.Second)
			}
		})
	}
	// The clock runs on while a notifier works, so the number of days varies. A day is
	// told once.
	got := w.notices()
	if len(got) < 2 {
		t.Errorf("told %q", got)
	}
	for i, n := range got {
		if !strings.HasPrefix(n, "login_ending dev 1") || i > 0 && n >= got[i-1] {
			t.Errorf("told %q", got)
		}
	}
}
