package config

import (
	"os"
	"os/exec"
	"path/filepath"
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
