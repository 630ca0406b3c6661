package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestE2GitRunsNothing: git is asked about a repository of somebody else without
// running a program that its configuration names.
func TestE2GitRunsNothing(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here")
	}
	dir := write(t, map[string]string{"p.yaml": "client: {id: abc, secret: literal}\noutputs: [{type: json, path: token.json}]\n", "evil": "#!/bin/sh\ntouch ran\n"})
	if err := os.Chmod(filepath.Join(dir, "evil"), 0o700); err != nil {
		t.Fatal(err)
	}
	evil := filepath.Join(dir, "evil")
	for _, args := range [][]string{
		{"init", "-q"}, {"config", "core.fsmonitor", evil}, {"config", "core.pager", evil}, {"config", "core.hooksPath", dir}, {"-c", "core.fsmonitor=false", "add", "p.yaml"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	found := Inspect(t.Context(), load(t, Sources{Dir: dir}, "p.yaml"))
	if len(found) < 2 { // the literal secret and the output: git was asked
		t.Errorf("found %v", found)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("the repository's program ran")
	}
}

// TestD7StateWithTheProfile checks that the profile's own directory, or one above it, is
// no state directory, whichever way it is named.
func TestD7StateWithTheProfile(t *testing.T) {
	dir := write(t, map[string]string{
		"here.yaml": "client: {id: abc}\nstate: .\n", "p/above.yaml": "client: {id: abc}\nstate: ..\n",
		"linked.yaml": "client: {id: abc}\nstate: link\n", "fine.yaml": "client: {id: abc}\nstate: p/tokens\n",
	})
	if err := os.Symlink(".", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	for file, src := range map[string]Sources{"here.yaml": {}, "p/above.yaml": {}, "linked.yaml": {}, "fine.yaml": {State: "p/.."}} {
		src.Dir, src.Env = dir, testEnv
		_, problems := Load(t.Context(), src, []string{file})
		if got := show(problems); !strings.Contains(got, "the profile lies in a state directory") || !strings.Contains(got, ".tokenform") {
			t.Errorf("%s: %s", file, got)
		}
	}
	load(t, Sources{Dir: dir, Env: testEnv}, "fine.yaml")
}
