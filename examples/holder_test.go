//go:build !windows

package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tokenform/flow"
)

// hold starts a login that waits for a person, and so holds the profile's lock. The
// caller logs in by opening address. wait returns the exit code.
func hold(t *testing.T, dir string, env []string) (p *os.Process, address string, wait func() int) {
	t.Helper()
	cmd := exec.Command(program, "apply", "--login", "browser", "--renew")
	cmd.Dir, cmd.Env = dir, append(env, "BROWSER=true") // the browser does nothing
	asked := make(chan string, 1)
	errs := &listener{}
	errs.on(regexp.MustCompile(`\n\s+(https?://\S+/authorize\?\S+)\n`), func(at string) { asked <- at })
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait = sync.OnceValue(func() int {
		_ = cmd.Wait()
		remember(cmd.Args[1:], "", errs.text.String())
		return cmd.ProcessState.ExitCode()
	})
	t.Cleanup(func() { _ = cmd.Process.Kill(); wait() })
	select {
	case address = <-asked:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not ask for a login")
	}
	return cmd.Process, address, wait
}

func agree(t *testing.T, address string) {
	t.Helper()
	if _, err := flow.AgreeingBrowser(t.Context(), address); err != nil {
		t.Fatal(err)
	}
}

// named returns a pattern for how messages name the holder.
func named(p *os.Process) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`tokenform apply \(process %d, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)`, p.Pid))
}

// TestRefreshesWaitForALogin checks that runs which come while a person logs in wait
// for the login, say for whom they wait, and use the new token.
func TestRefreshesWaitForALogin(t *testing.T) {
	t.Parallel()
	server, dir, env := start(t)
	before := server.Count("/api/token")
	p, address, wait := hold(t, dir, env)
	time.AfterFunc(1500*time.Millisecond, func() { _, _ = flow.AgreeingBrowser(t.Context(), address) })
	for i, stderr := range crowd(t, dir, env, 20, func(int) []string { return []string{"apply", "--login", "never"} }) {
		if !named(p).MatchString(stderr) {
			t.Errorf("process %d does not say for whom it waits: %q", i, stderr)
		}
	}
	if code := wait(); code != 0 {
		t.Errorf("the login: exit %d", code)
	}
	if n := server.Count("/api/token") - before; n != 1 {
		t.Errorf("%d token requests, want the login's", n)
	}
}

// TestHolderStopped stops the holder of a lock. A run with something to do must wait
// for the holder as long as --lock-timeout says, and name the holder. A run with
// nothing to do must not wait. When the holder continues, all must be well.
func TestHolderStopped(t *testing.T) {
	t.Parallel()
	_, dir, env := start(t)
	p, address, wait := hold(t, dir, env)
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	code, _, stderr := run(t, dir, env, "apply", "--login", "never", "--lock-timeout", "2s")
	if took := time.Since(begun); code != 5 || took < time.Second || took > 10*time.Second || !named(p).MatchString(stderr) || !strings.Contains(stderr, "gave up after 2s") {
		t.Errorf("exit %d after %s, want 5 after 2s\n%s", code, took, stderr)
	}
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	agree(t, address)
	if code := wait(); code != 0 {
		t.Errorf("the login: exit %d", code)
	}
	p, _, _ = hold(t, dir, env)
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, dir, env, "apply", "--login", "never", "--lock-timeout", "0s"); code != 0 {
		t.Errorf("with a valid token: exit %d\n%s", code, stderr)
	}
}

// TestHolderKilled checks that a lock ends with its process, at once.
func TestHolderKilled(t *testing.T) {
	t.Parallel()
	server, dir, env := start(t)
	before := server.Count("/api/token")
	p, _, wait := hold(t, dir, env)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	wait()
	begun := time.Now()
	code, _, stderr := run(t, dir, env, "apply", "--login", "never", "--lock-timeout", "0s")
	if took := time.Since(begun); code != 0 || took > 10*time.Second {
		t.Errorf("exit %d after %s\n%s", code, took, stderr)
	}
	if n := server.Count("/api/token") - before; n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

// TestHolderOfAnotherClock checks that the text in a lock file is only shown. The
// kernel decides whether the lock is held, whatever host and time the file names.
func TestHolderOfAnotherClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{`{"pid":4711,"host":"elsewhere","command":"watch","since":"2099-01-01T00:00:00Z"}`, "tokenform watch (process 4711 on elsewhere, since "},
		{`{"pid":4712,"host":"elsewhere","command":"apply","since":"1999-01-01T00:00:00Z"}`, "tokenform apply (process 4712 on elsewhere, since "},
		{`{"pid":`, "another process holds the lock"},
		{"\x00\xff{}", "another process holds the lock"},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			_, dir, env := start(t)
			path := stateAt(filepath.Join(dir, ".tokenform"), "dev.lock")
			write(t, path, " "+tt.text)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			code, _, stderr := run(t, dir, env, "apply", "--login", "never", "--lock-timeout", "1s")
			if took := time.Since(begun); code != 5 || took > 10*time.Second || !strings.Contains(stderr, tt.want) {
				t.Errorf("held: exit %d after %s, want %q\n%s", code, took, tt.want, stderr)
			}
			f.Close()
			write(t, path, " "+tt.text)
			if code, _, stderr := run(t, dir, env, "apply", "--login", "never", "--lock-timeout", "0s"); code != 0 {
				t.Errorf("free: exit %d\n%s", code, stderr)
			}
		})
	}
}
