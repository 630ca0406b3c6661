//go:build !windows

package examples

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// TestInterrupted checks that a signal during a refresh ends the program, but only
// after the new refresh token is stored, and that exec does not start its command. An
// ignored signal, as under nohup, must have no effect.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	apply := []string{"apply"}
	touch := []string{"exec", "--", "touch", "begun"}
	for _, c := range []struct {
		name    string
		signal  syscall.Signal
		args    []string
		ignored bool
		want    int
	}{
		{"SIGINT, apply", syscall.SIGINT, apply, false, 0}, // nothing was left to do
		{"SIGTERM, apply", syscall.SIGTERM, apply, false, 0},
		{"SIGHUP, apply", syscall.SIGHUP, apply, false, 0},
		{"SIGTERM, exec", syscall.SIGTERM, touch, false, 130},
		{"SIGHUP, exec", syscall.SIGHUP, touch, false, 130},
		{"SIGHUP, exec under nohup", syscall.SIGHUP, touch, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, url := spotify(t, sandbox.Options{AnyApp: true, RotateAll: true})
			dir := t.TempDir()
			env := surroundings(dir, url, "BROWSER="+robot(t))
			write(t, filepath.Join(dir, "tokenform.yaml"), "profile: dev\nclient: {id: app}\nredirect_uri: http://127.0.0.1/callback\n")
			if code, _, stderr := run(t, dir, env, "apply", "--login", "browser"); code != 0 {
				t.Fatal(stderr)
			}
			if err := ageState(stateAt(filepath.Join(dir, ".tokenform"), "dev.json"), time.Hour); err != nil {
				t.Fatal(err)
			}
			asked := server.Count("/api/token")
			server.Inject("/api/token", faults.Slow(300*time.Millisecond), 1)
			cmd := exec.Command(program, c.args...)
			if c.ignored {
				cmd = exec.Command("sh", append([]string{"-c", `trap "" HUP; exec "$0" "$@"`, program}, c.args...)...)
			}
			cmd.Dir, cmd.Env = dir, env
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			reached(t, server, "/api/token", asked)
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if c.signal == syscall.SIGHUP { // the end of a terminal sends SIGHUP twice
				time.Sleep(50 * time.Millisecond)
				_ = cmd.Process.Signal(c.signal)
			}
			if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
				t.Fatal(err)
			}
			_, err := os.Stat(filepath.Join(dir, "begun"))
			code, begun := cmd.ProcessState.ExitCode(), err == nil
			if code != c.want || begun != c.ignored {
				t.Errorf("exit %d, begun: %v\n%s", code, begun, &out)
			}
			code, _, stderr := run(t, dir, env, "apply", "--login", "never")
			if code != 0 || !strings.Contains(stderr, "dev: kept") || server.Count("/api/token") != asked+1 {
				t.Errorf("the next apply: exit %d\n%s", code, stderr)
			}
		})
	}
}
