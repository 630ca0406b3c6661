package examples

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSandboxCommand checks that tokenform sandbox prints the variables that point
// tokenform at the stand-in, and ends with success when it is interrupted.
func TestSandboxCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := exec.Command(program, "sandbox", "--listen", "127.0.0.1:0", "--consent", "--rotate")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	env := surroundings(dir, "", "BROWSER="+robot(t))
	for lines := bufio.NewScanner(out); len(env) < 7 && lines.Scan(); {
		variable, ok := strings.CutPrefix(lines.Text(), "export ")
		if !ok {
			t.Fatalf("it printed %q", lines.Text())
		}
		env = append(env, variable)
	}

	write(t, filepath.Join(dir, "tokenform.yaml"), racer)
	if code, _, stderr := run(t, dir, env, "apply", "--login", "browser"); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	state := stateAt(filepath.Join(dir, ".tokenform"), "dev.json")
	before, _ := os.ReadFile(state)
	expire(t, state)
	if code, _, stderr := run(t, dir, env, "apply"); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	after, _ := os.ReadFile(state)
	if field(t, before, "refresh_token") == field(t, after, "refresh_token") {
		t.Error("--rotate did not rotate")
	}

	if err := server.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}
