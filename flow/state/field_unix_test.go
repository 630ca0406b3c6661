//go:build unix

package state

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tokenform/config/fault"
)

// TestA9StateDirectory checks that the error names the true reason if a state directory
// cannot be used.
func TestA9StateDirectory(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{"dangling": "nowhere", "loop": "loop", "deep": "dangling/x"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"dangling": "is a link to nowhere, which does not exist\nmake that directory, or remove the link",
		"deep":     "is a link to dangling/x, which does not exist\nmake that directory, or remove the link",
		"loop":     "is a link to loop, which does not exist\nmake that directory, or remove the link",
	} {
		_, err := Real.Open(filepath.Join(dir, name)).Lock(t.Context(), "dev", Holder{}, Waiting{})
		if err == nil || !strings.HasSuffix(err.Error()+"\n"+fault.HintOf(err), want) {
			t.Errorf("%s: %v, hint %q", name, err, fault.HintOf(err))
		}
	}
}

// TestA9AfterSudo checks the hint for a user whose state was made by a run with sudo.
func TestA9AfterSudo(t *testing.T) {
	if stateDir := os.Getenv("STATE_OF_ROOT"); stateDir != "" {
		_, err := Real.Open(stateDir).Lock(t.Context(), "dev", Holder{}, Waiting{})
		t.Logf("%v; hint %s", err, fault.HintOf(err))
		_, err = Real.Open(stateDir).Read(t.Context(), "dev")
		t.Logf("%v; hint %s", err, fault.HintOf(err))
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can run as another user")
	}
	for what, ready := range map[string]func(dir string) error{
		"the directory": func(string) error { return nil },
		"the files":     func(dir string) error { return os.Chown(dir, 65534, 65534) },
	} {
		dir, err := os.MkdirTemp("", "state") // only root can read t.TempDir
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		state, binary := filepath.Join(dir, ".tokenform"), filepath.Join(dir, "test")
		e, err := Real.Open(state).Lock(t.Context(), "dev", Holder{}, Waiting{})
		if err == nil {
			err = e.Save(token())
			e.Unlock()
		}
		if err == nil {
			err = ready(state)
		}
		if err == nil {
			err = exec.Command("cp", os.Args[0], binary).Run()
		}
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(binary, "-test.run=TestA9AfterSudo", "-test.v")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "STATE_OF_ROOT="+state)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		const want = "permission denied; hint it belongs to root, as after a run with sudo; make it yours: sudo chown -R 65534 "
		if err != nil || strings.Count(string(out), want) != 2 {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
}
