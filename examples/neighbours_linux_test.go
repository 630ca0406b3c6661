package examples

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// alice and bob are users of this machine who share a group.
const (
	alice   = 2001
	bob     = 2002
	friends = 3000
)

// neighbourhood is a directory that alice and bob share, and bob's own directory. Bob runs
// tokenform.
type neighbourhood struct {
	*testing.T
	shared, own, url string
	program          string
}

func newNeighbourhood(t *testing.T) *neighbourhood {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run programs as several users")
	}
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir, err := os.MkdirTemp("", "tokenform-neighbours") // other users may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n := &neighbourhood{T: t, shared: filepath.Join(dir, "shared"), own: filepath.Join(dir, "bob"), url: url, program: filepath.Join(dir, "tokenform")}
	n.must(os.Chmod(dir, 0o755))
	n.must(exec.Command("cp", program, n.program).Run())
	for path, owner := range map[string]int{n.shared: alice, n.own: bob} {
		n.must(os.Mkdir(path, 0o700))
		n.must(os.Chown(path, owner, friends))
	}
	n.must(os.Chmod(n.shared, 0o775))
	return n
}

func (n *neighbourhood) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

// make makes a file of the user owner.
func (n *neighbourhood) make(path, text string, owner int, mode os.FileMode) {
	n.Helper()
	n.must(os.WriteFile(path, []byte(text), 0o600))
	n.must(os.Chown(path, owner, friends))
	n.must(os.Chmod(path, mode))
}

// profile makes bob's profile.
func (n *neighbourhood) profile(dir, outputs string) {
	n.make(filepath.Join(dir, "tokenform.yaml"), "profile: dev\nclient: {id: app, secret: hush-hush}\ngrant: client_credentials\noutputs:\n"+outputs, bob, 0o600)
}

// run runs tokenform as bob.
func (n *neighbourhood) run(dir string, args ...string) (int, string) {
	n.Helper()
	var said bytes.Buffer
	cmd := exec.Command(n.program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	cmd.Env = []string{"HOME=" + n.own, "PATH=" + os.Getenv("PATH"), "TOKENFORM_ACCOUNTS_URL=" + n.url, "TOKENFORM_API_URL=" + n.url}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: bob, Gid: bob, Groups: []uint32{friends}}}
	n.must(cmd.Start())
	killer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	killer.Stop()
	return cmd.ProcessState.ExitCode(), said.String()
}

// is returns the owner, the mode and the content of a file.
func (n *neighbourhood) is(path string) (owner int, mode os.FileMode, text string) {
	n.Helper()
	info, err := os.Lstat(path)
	n.must(err)
	b, err := os.ReadFile(path)
	n.must(err)
	return int(info.Sys().(*syscall.Stat_t).Uid), info.Mode().Perm(), string(b)
}

// TestA8SharedDirectory checks that somebody else's .env in a shared directory keeps
// its mode, and its owner if the file can be rewritten, and that people are told of
// everything else.
func TestA8SharedDirectory(t *testing.T) {
	for _, c := range []struct {
		mode  os.FileMode
		owner int
		said  string
	}{
		{0o644, bob, "warning: dev: .env belonged to another user, and now belongs to this user"},
		{0o640, bob, "now belongs to this user"},
		{0o664, alice, "warning: dev: .env belongs to another user, who can read the token"},
		{0o660, alice, "belongs to another user"},
		{0o666, alice, "belongs to another user"},
		{0o604, alice, "error: dev: .env: permission denied"}, // bob is in the group, which may not read the file
		{0o600, alice, "error: dev: .env: permission denied"},
	} {
		t.Run(fmt.Sprintf("%o", c.mode), func(t *testing.T) {
			t.Parallel()
			n := newNeighbourhood(t)
			n.profile(n.shared, "  - {type: env, path: .env, keys: {access_token: TOKEN}}\n")
			env := filepath.Join(n.shared, ".env")
			n.make(env, "A=1\n", alice, c.mode)
			code, said := n.run(n.shared, "apply", "--state", filepath.Join(n.own, "state"))
			owner, mode, text := n.is(env)
			failed := strings.HasPrefix(c.said, "error")
			if owner != c.owner || mode != c.mode || !strings.Contains(said, c.said) || (code == 1) != failed || !strings.HasPrefix(text, "A=1\n") || strings.Contains(text, "TOKEN=BQ") == failed {
				t.Errorf("exit %d; uid %d, mode %o, %q\n%s", code, owner, mode, text, said)
			}
		})
	}
}

// TestE4Planted checks that a file or link which somebody else has put into a state
// directory, or at an output's path, is not followed or believed, and gets no token.
func TestE4Planted(t *testing.T) {
	const precious = "precious\n"
	for _, name := range []string{"dev.lock", "dev.json", "dev.outputs", ".gitignore"} {
		name = strings.Replace(name, "dev.", "dev@AT.", 1)
		for what, plant := range map[string]func(n *neighbourhood, path string){
			"a link":          func(n *neighbourhood, path string) { n.must(os.Symlink(filepath.Join(n.own, "precious"), path)) },
			"a dangling link": func(n *neighbourhood, path string) { n.must(os.Symlink(filepath.Join(n.own, "new"), path)) },
			"a pipe":          func(n *neighbourhood, path string) { n.must(syscall.Mkfifo(path, 0o666)) },
			"a directory":     func(n *neighbourhood, path string) { n.must(os.Mkdir(path, 0o755)) },
			"a file":          func(n *neighbourhood, path string) { n.make(path, "{}", alice, 0o666) },
		} {
			t.Run(name+" is "+what, func(t *testing.T) {
				t.Parallel()
				n := newNeighbourhood(t)
				n.profile(n.own, "  - {type: json, path: token.json}\n")
				n.make(filepath.Join(n.own, "precious"), precious, bob, 0o600)
				state := filepath.Join(n.own, "state")
				n.must(os.Mkdir(state, 0o700))
				n.must(os.Chown(state, bob, friends))
				n.must(os.Chmod(state, 0o770)) // alice can write in the directory
				if name != ".gitignore" {
					n.make(filepath.Join(state, ".gitignore"), "*\n", bob, 0o600)
				}
				path := filepath.Join(state, strings.Replace(name, "@AT", at(n.url), 1))
				plant(n, path)
				begun := time.Now()
				code, said := n.run(n.own, "apply", "--state", state, "--lock-timeout", "2s")
				if took := time.Since(begun); code != 1 || !strings.Contains(said, filepath.Base(path)) || !strings.Contains(said, "hint: move it away") || took > 20*time.Second {
					t.Errorf("exit %d after %s\n%s", code, took, said)
				}
				if _, _, text := n.is(filepath.Join(n.own, "precious")); text != precious {
					t.Errorf("the file that the link leads to: %q", text)
				}
				for _, made := range []string{"new", "token.json"} {
					if _, err := os.Lstat(filepath.Join(n.own, made)); err == nil {
						t.Errorf("%s was made", made)
					}
				}
				n.run(n.own, "plan", "--state", state)
				n.run(n.own, "destroy", "--yes", "--state", state)
				if _, _, text := n.is(filepath.Join(n.own, "precious")); text != precious {
					t.Errorf("the file that the link leads to: %q", text)
				}
			})
		}
	}
	t.Run("an output", func(t *testing.T) {
		t.Parallel()
		n := newNeighbourhood(t)
		n.profile(n.shared, "  - {type: json, path: token.json}\n")
		file := filepath.Join(n.shared, "token.json")
		for _, text := range []string{"", "{}", `{"access_token":"BQx","token_type":"Bearer","scope":"","expires_at":"2026-01-01T00:00:00Z","profile":"dev"}`} {
			n.make(file, text, alice, 0o666)
			code, said := n.run(n.shared, "apply", "--state", filepath.Join(n.own, "state"))
			if owner, _, now := n.is(file); code != 1 || !strings.Contains(said, "tokenform did not create this file") || owner != alice || now != text {
				t.Errorf("exit %d; uid %d, %q\n%s", code, owner, now, said)
			}
		}
		n.must(os.Remove(file))
		if code, said := n.run(n.shared, "apply", "--state", filepath.Join(n.own, "state")); code != 0 {
			t.Fatalf("exit %d\n%s", code, said)
		}
		n.must(os.Remove(file)) // alice can write in the directory, too
		n.make(file, "", alice, 0o666)
		code, said := n.run(n.shared, "apply", "--state", filepath.Join(n.own, "state"))
		if _, _, now := n.is(file); code != 1 || now != "" {
			t.Errorf("exit %d, %q\n%s", code, now, said)
		}
	})
}

// TestE7InTheWay checks that the error names a file in the way of a lock or of staged
// content, and that nobody else can hold a lock of ours.
func TestE7InTheWay(t *testing.T) {
	t.Run("a directory at the staging name", func(t *testing.T) {
		t.Parallel()
		n := newNeighbourhood(t)
		n.profile(n.own, "  - {type: json, path: token.json}\n")
		state := filepath.Join(n.own, "state")
		if code, said := n.run(n.own, "apply", "--state", state); code != 0 {
			t.Fatalf("exit %d\n%s", code, said)
		}
		tmp := filepath.Join(state, ".dev"+at(n.url)+".json.tokenform-tmp")
		n.must(os.MkdirAll(filepath.Join(tmp, "full"), 0o755))
		n.must(os.Chown(tmp, bob, bob))
		n.must(os.Remove(filepath.Join(state, "dev"+at(n.url)+".json")))
		if code, said := n.run(n.own, "apply", "--state", state); code != 1 || !strings.Contains(said, tmp+" is in the way: directory not empty") {
			t.Errorf("exit %d\n%s", code, said)
		}
	})
	t.Run("a lock that somebody holds", func(t *testing.T) {
		t.Parallel()
		n := newNeighbourhood(t)
		n.profile(n.shared, "  - {type: json, path: token.json}\n")
		dir, err := os.Open(n.shared)
		n.must(err)
		defer dir.Close()
		n.must(syscall.Flock(int(dir.Fd()), syscall.LOCK_EX))
		begun := time.Now()
		code, said := n.run(n.shared, "apply", "--state", filepath.Join(n.own, "state"))
		if took := time.Since(begun); code != 0 || took > 20*time.Second {
			t.Errorf("exit %d after %s\n%s", code, took, said)
		}
	})
}
