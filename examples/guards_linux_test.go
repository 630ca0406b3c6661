package examples

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// The guards do not measure time. They count what costs time, so their figures are the
// same on a busy machine. If a limit is exceeded for a good reason, change the limit,
// and give the reason in the commit.

// TestGuardSize limits the size of the program, which is copied into containers and
// caches: stripped and with -trimpath, as releases are, and as go build makes it.
func TestGuardSize(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	build := exec.Command("go", "build", "-o", plain, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for path, most := range map[string]int64{program: 10 << 20, plain: 29 << 19} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", filepath.Base(path), info.Size())
		if info.Size() > most {
			t.Errorf("%s has %d bytes, over %d", filepath.Base(path), info.Size(), most)
		}
	}
}

// TestGuardInit limits the work of packages before main begins, because every run pays
// for this work, even in a prompt or a loop.
func TestGuardInit(t *testing.T) {
	cmd := exec.Command(program, "version")
	cmd.Env = surroundings(t.TempDir(), "", "GODEBUG=inittrace=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	type cost struct {
		name          string
		bytes, allocs int
	}
	var packages []cost
	var total cost
	for lines := bufio.NewScanner(&errs); lines.Scan(); {
		// init internal/bytealg @0.005 ms, 0 ms clock, 0 bytes, 0 allocs
		var c cost
		var at, clock float64
		if _, err := fmt.Sscanf(lines.Text(), "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &c.name, &at, &clock, &c.bytes, &c.allocs); err != nil {
			continue
		}
		packages = append(packages, c)
		total.bytes += c.bytes
		total.allocs += c.allocs
	}
	slices.SortFunc(packages, func(a, b cost) int { return cmp.Compare(b.allocs, a.allocs) })
	t.Logf("%d packages, %d bytes in %d allocations; most: %v", len(packages), total.bytes, total.allocs, packages[:min(6, len(packages))])
	if len(packages) < 10 {
		t.Fatalf("only %d packages were traced", len(packages))
	}
	if len(packages) > maxInitPackages || total.allocs > maxInitAllocs || total.bytes > maxInitBytes {
		t.Errorf("initialisation takes %d packages, %d allocations and %d bytes; at most %d, %d and %d",
			len(packages), total.allocs, total.bytes, maxInitPackages, maxInitAllocs, maxInitBytes)
	}
}

// Of 660 allocations, yaml.v3 makes 276 and retryablehttp 103, for tables and regular
// expressions.
const (
	maxInitPackages = 110
	maxInitAllocs   = 770
	maxInitBytes    = 101_000 // a plain build has HTTP/2 in net/http
)

// counted runs the program and counts its calls on files and sockets, without the calls
// by which Go's runtime examines the machine.
func counted(t *testing.T, dir string, env []string, args ...string) map[string]int {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, env
	var calls []string
	counts := map[string]int{}
	if code := trace(t, cmd, func(c call) bool {
		if strings.HasPrefix(c.what, "/sys/") || strings.HasPrefix(c.what, "/proc/") {
			return false
		}
		counts[c.name]++
		calls = append(calls, c.String())
		return false
	}); code != 0 {
		t.Fatalf("%q: exit %d", args, code)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%q:\n%s", args, strings.Join(calls, "\n"))
		}
	})
	return counts
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// TestGuardCalls counts the calls of a run that has nothing to do, and the
// requests and syncs of a refresh.
func TestGuardCalls(t *testing.T) {
	traceable(t)
	server := faults.New(sandbox.Options{AnyApp: true, AutoConsent: true, Now: time.Now})
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	dir := t.TempDir()
	env := surroundings(dir, front.URL, "BROWSER="+robot(t))
	profile := filepath.Join(dir, "tokenform.yaml")
	const text = `profile: dev
client: {id: app, secret: hush-hush}
redirect_uri: http://127.0.0.1/callback
outputs:
  - {type: env, path: .env, keys: {access_token: T}}
`
	write(t, profile, text)
	expired := func() { expire(t, stateAt(filepath.Join(dir, ".tokenform"), "dev.json")) }
	if code, _, stderr := run(t, dir, env, "apply", "--login", "browser"); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	for _, g := range []struct {
		args   []string
		most   int
		begin  func()
		exact  map[string]int // the exact number of each call
		grants int
	}{
		// apply opens, reads and closes the profile, the login, the record of outputs
		// and .env.
		{args: []string{"apply"}, most: maxApplyCalls, exact: map[string]int{"fsync": 0, "flock": 0, "connect": 0, "renameat": 0}},
		{args: []string{"token"}, most: maxTokenCalls, exact: map[string]int{"fsync": 0, "flock": 0, "connect": 0, "renameat": 0}},
		// A refresh syncs the login, the record of outputs and .env, and the directory
		// entry of each: six syncs. It makes one connection and one request.
		{args: []string{"apply"}, most: maxRefreshCalls, grants: 1, begin: expired, exact: map[string]int{"fsync": 6, "renameat": 3, "connect": 1}},
		// Two more files next to .env: each is synced, and their directory once.
		{args: []string{"apply"}, most: maxRefreshCalls + 26, grants: 1, begin: func() {
			expired()
			write(t, profile, text+"  - {type: json, path: a.json}\n  - {type: json, path: b.json}\n")
		}, exact: map[string]int{"fsync": 8, "renameat": 5, "connect": 1}},
	} {
		if g.begin != nil {
			g.begin()
		}
		before := server.Count("/api/token")
		counts := counted(t, dir, env, g.args...)
		t.Logf("%q: %d calls: %v", g.args, total(counts), counts)
		if n := total(counts); n > g.most {
			t.Errorf("%q: %d calls, at most %d: %v", g.args, n, g.most, counts)
		}
		for name, want := range g.exact {
			if counts[name] != want {
				t.Errorf("%q: %d × %s, want %d", g.args, counts[name], name, want)
			}
		}
		if n := server.Count("/api/token") - before; n != g.grants {
			t.Errorf("%q: %d requests, want %d", g.args, n, g.grants)
		}
	}
}

const (
	maxApplyCalls   = 21
	maxTokenCalls   = 15
	maxRefreshCalls = 101 // three of them for the log
)
