package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// TestWatch checks that watch keeps tokens valid which live for seconds, notices a
// changed profile, and ends with success on SIGTERM.
func TestWatch(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the signals are those of unix")
	}
	t.Parallel()
	server, url := spotify(t, sandbox.Options{AnyApp: true, TokenLife: 4 * time.Second})
	dir := t.TempDir()
	profile := filepath.Join(dir, "tokenform.yaml")
	const text = "profile: dev\nclient: {id: app, secret: hush-hush}\ngrant: client_credentials\nmin_ttl: 2s\noutputs:\n"
	write(t, profile, text+"  - {type: json, path: token.json}\n")
	cmd := exec.Command(program, "watch", "--json", "--debug")
	cmd.Dir, cmd.Env = dir, surroundings(dir, url)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	var all strings.Builder
	next := func() (event, action, outputs string) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("it ended: %s", errs.String())
		}
		all.WriteString(lines.Text() + "\n")
		var v struct {
			Version       int
			Event, Action string
			Outputs       []struct{ Path string }
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil || v.Version != 1 {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		for _, o := range v.Outputs {
			outputs += filepath.Base(o.Path) + " "
		}
		return v.Event, v.Action, outputs
	}
	for range 3 {
		if event, action, outputs := next(); event != "applied" || action != "request" || outputs != "token.json " {
			t.Fatalf("event %s %s %s", event, action, outputs)
		}
	}

	write(t, profile, text+"  - {type: json, path: other.json}\n  - {type: env, path: .env, keys: {access_token: VITE_TOKEN}}\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, outputs := next(); strings.Contains(outputs, "other.json") {
			break
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "token.json")); err == nil {
		t.Error("the output that is no longer declared is still there")
	}

	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	next() // watch has read the profile again

	// If a profile becomes wrong, watch reports the error and keeps the old profile.
	write(t, profile, "nonsense: [\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	next()
	next()

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, errs.String())
	}
	if !strings.Contains(errs.String(), "error: tokenform.yaml:") {
		t.Errorf("nothing was said of the wrong profile:\n%s", errs.String())
	}
	if n := strings.Count(errs.String(), "front-end tools publish"); n != 1 {
		t.Errorf("what is unwise in the new profile was said %d times:\n%s", n, errs.String())
	}
	if n := server.Count("/api/token"); n < 5 || n > 20 {
		t.Errorf("%d token requests", n)
	}
	remember([]string{"watch", "--json", "--debug"}, all.String(), errs.String())
}
