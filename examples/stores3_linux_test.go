package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tokenform/flow/sandbox"
)

// TestStoreS3Machines checks machines that share a login in an S3 bucket: one of them logs
// in for all, and whenever the token has expired, one of them refreshes for all.
func TestStoreS3Machines(t *testing.T) {
	t.Parallel()
	_, store := versitygw(t)
	server, url := spotify(t, sandbox.Options{AnyApp: true})
	const machines = 8
	dirs := make([]string, machines)
	env := append(surroundings(t.TempDir(), url, "BROWSER="+robot(t)), "AWS_ACCESS_KEY_ID=access", "AWS_SECRET_ACCESS_KEY=hush-hush-s3")
	for i := range dirs {
		dirs[i] = t.TempDir()
		write(t, filepath.Join(dirs[i], "tokenform.yaml"), strings.Replace(racer, "outputs:", "state: {type: s3, bucket: tokens, prefix: spotify/, endpoint: \""+store+"\", path_style: true}\noutputs:", 1))
	}
	if code, _, stderr := run(t, dirs[0], env, "apply", "--login", "browser"); code != 0 {
		t.Fatalf("login: exit %d\n%s", code, stderr)
	}
	for round := range 4 {
		code, login, stderr := run(t, dirs[0], env, "state", "pull", "dev")
		if code != 0 {
			t.Fatalf("pull: exit %d\n%s", code, stderr)
		}
		expired := strings.Replace(login, field(t, []byte(login), "expires_at"), "2026-01-01T00:00:00Z", 1)
		push := exec.Command(program, "state", "push", "dev", "--force")
		push.Dir, push.Env, push.Stdin = dirs[0], env, strings.NewReader(expired)
		if out, err := push.CombinedOutput(); err != nil {
			t.Fatalf("push: %v\n%s", err, out)
		}
		before := server.Count("/api/token")
		var wg sync.WaitGroup
		for _, dir := range dirs {
			wg.Go(func() {
				if code, _, stderr := run(t, dir, env, "apply", "--login", "never"); code != 0 {
					t.Errorf("round %d: exit %d\n%s", round, code, stderr)
				}
			})
		}
		wg.Wait()
		if n := server.Count("/api/token") - before; n != 1 {
			t.Errorf("round %d: %d refreshes, want 1", round, n)
		}
		var first string
		for i, dir := range dirs {
			b, err := os.ReadFile(filepath.Join(dir, ".env"))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = string(b)
			} else if string(b) != first {
				t.Errorf("round %d: machine %d has another token", round, i)
			}
		}
	}
	if code, _, stderr := run(t, dirs[3], env, "destroy", "--yes"); code != 0 {
		t.Errorf("destroy: exit %d\n%s", code, stderr)
	}
	if code, names, _ := run(t, dirs[0], env, "state", "list"); code != 0 || names != "" {
		t.Errorf("after destroy: exit %d, %q", code, names)
	}
}
