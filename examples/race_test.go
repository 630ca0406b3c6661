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
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// run runs the program in dir and returns its exit code and its output.
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

// start makes a directory in which the token of the profile racer has expired.
func start(t *testing.T) (server *faults.Server, dir string, env []string) {
	t.Helper()
	server, url := spotify(t, sandbox.Options{AnyApp: true, RotateAll: true})
	dir = t.TempDir()
	env = surroundings(dir, url, "BROWSER="+robot(t))
	write(t, filepath.Join(dir, "tokenform.yaml"), racer)
	if code, _, stderr := run(t, dir, env, "apply", "--login", "browser"); code != 0 {
		t.Fatal(stderr)
	}
	expire(t, stateAt(filepath.Join(dir, ".tokenform"), "dev.json"))
	return server, dir, env
}

// crowd runs the program n times at once, checks that each run succeeds, and returns
// their output.
func crowd(t *testing.T, dir string, env []string, n int, args func(i int) []string) []string {
	t.Helper()
	said := make([]string, n)
	var wg sync.WaitGroup
	for i := range said {
		wg.Go(func() {
			code, _, stderr := run(t, dir, env, args(i)...)
			if said[i] = stderr; code != 0 {
				t.Errorf("process %d: exit %d: %s", i, code, stderr)
			}
		})
	}
	wg.Wait()
	return said
}

// TestHundredProcesses applies one expired profile in a hundred processes at once, with
// refresh tokens that die when they are used. One process must refresh, and all must
// succeed.
func TestHundredProcesses(t *testing.T) {
	t.Parallel()
	server, dir, env := start(t)
	before := server.Count("/api/token")
	begun := time.Now()
	crowd(t, dir, env, 100, func(int) []string { return []string{"apply", "--login", "never"} })
	n := server.Count("/api/token") - before
	t.Logf("100 processes: %d token request, all done after %s", n, time.Since(begun).Round(time.Millisecond))
	if n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	if code, stdout, _ := run(t, dir, env, "plan", "--detailed-exitcode"); code != 0 {
		t.Errorf("afterwards plan says %s", stdout)
	}
}

// TestFiftyProfilesShareAFile refreshes fifty profiles at once, which all write to one
// .env. No line may be lost, and the old content must stay.
func TestFiftyProfilesShareAFile(t *testing.T) {
	t.Parallel()
	server, url := spotify(t, sandbox.Options{AnyApp: true, RotateAll: true})
	dir := t.TempDir()
	env := surroundings(dir, url)
	profiles, foreign := "", "# mine\nOTHER='a b' # stays\n"
	for i := range 50 {
		profiles += fmt.Sprintf("---\nprofile: p%d\nclient: {id: app%d, secret: hush-hush}\ngrant: client_credentials\noutputs:\n  - {type: env, path: .env, keys: {access_token: TOKEN_%d, expires_at: UNTIL_%d}}\n", i, i, i, i)
	}
	write(t, filepath.Join(dir, "tokenform.yaml"), profiles)
	write(t, filepath.Join(dir, ".env"), foreign)
	begun := time.Now()
	for round := range 2 {
		for i := range 50 * round {
			expire(t, stateAt(filepath.Join(dir, ".tokenform"), fmt.Sprintf("p%d.json", i)))
		}
		before := server.Count("/api/token")
		crowd(t, dir, env, 50, func(i int) []string { return []string{"apply", "-p", fmt.Sprintf("p%d", i)} })
		if n := server.Count("/api/token") - before; n != 50 {
			t.Errorf("%d token requests, want 50", n)
		}
		b, err := os.ReadFile(filepath.Join(dir, ".env"))
		if err != nil || !strings.HasPrefix(string(b), foreign) || strings.Count(string(b), "\n") != 102 {
			t.Fatalf("%v: .env has %d lines, want 102", err, strings.Count(string(b), "\n"))
		}
		for i := range 50 {
			state, err := os.ReadFile(stateAt(filepath.Join(dir, ".tokenform"), fmt.Sprintf("p%d.json", i)))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(b), fmt.Sprintf("\nTOKEN_%d=%s\n", i, field(t, state, "access_token"))) {
				t.Errorf("round %d: the update of p%d is lost", round, i)
			}
		}
	}
	t.Logf("twice 50 processes, one file: all done after %s", time.Since(begun).Round(time.Millisecond))
}

// expire makes the stored access token expire just now.
func expire(t testing.TB, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(b), field(t, b, "expires_at"), "2026-01-01T00:00:00Z", 1))
}

// field returns the value of a string in a state file.
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
