package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tokenform/flow/sandbox"
)

// run starts the program in dir and returns its exit code and what it printed.
func run(t testing.TB, dir string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	remember(args, out.String(), errs.String())
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

const racer = `profile: dev
client: {id: app, secret: hush-hush}
redirect_uri: http://127.0.0.1/callback
scopes: [streaming]
outputs:
  - {type: env, path: .env, keys: {access_token: SPOTIFY_ACCESS_TOKEN}}
  - {type: json, path: token.json}
`

// TestThirtyProcesses: thirty processes apply one expired profile at once, with
// refresh tokens that die when they are used: one of them refreshes and all
// succeed.
func TestThirtyProcesses(t *testing.T) {
	t.Parallel()
	server, url := spotify(t, sandbox.Options{AnyApp: true, RotateAll: true})
	dir := t.TempDir()
	env := surroundings(dir, url, "BROWSER="+robot(t))
	write(t, filepath.Join(dir, "tokenform.yaml"), racer)
	if code, _, stderr := run(t, dir, env, "apply", "--login", "browser"); code != 0 {
		t.Fatal(stderr)
	}
	expire(t, filepath.Join(dir, ".tokenform", "dev.json"))
	before := server.Count("/api/token")

	var wg sync.WaitGroup
	errs := make([]string, 30)
	for i := range errs {
		wg.Go(func() {
			if code, _, stderr := run(t, dir, env, "apply", "--login", "never"); code != 0 {
				errs[i] = fmt.Sprintf("exit %d: %s", code, stderr)
			}
		})
	}
	wg.Wait()
	for _, e := range errs {
		if e != "" {
			t.Error(e)
		}
	}
	if n := server.Count("/api/token") - before; n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	if code, stdout, _ := run(t, dir, env, "plan", "--detailed-exitcode"); code != 0 {
		t.Errorf("afterwards plan says %s", stdout)
	}
}

// expire makes the stored access token one that has just run out.
func expire(t testing.TB, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(b), field(t, b, "expires_at"), "2026-01-01T00:00:00Z", 1))
}

// field is the value of a string in a state file.
func field(t testing.TB, file []byte, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(file, &fields); err != nil {
		t.Fatal(err)
	}
	s, ok := fields[name].(string)
	if !ok {
		t.Fatalf("no %s in state", name)
	}
	return s
}
