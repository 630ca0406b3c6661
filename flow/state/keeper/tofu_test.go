package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state/keeper/keepertest"
)

// tofu is a directory with a configuration of OpenTofu whose state is in a server.
type tofu struct {
	*testing.T
	program, dir string
}

// command returns the command of OpenTofu with these arguments, and what it prints.
func (f tofu) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(f.program, args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "TF_CLI_CONFIG_FILE="+os.DevNull, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1", "NO_COLOR=1", "TF_CLI_ARGS=-no-color")
	cmd.WaitDelay = time.Second // what a killed OpenTofu has started holds its output open
	said := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	return cmd, said
}

// run runs OpenTofu, and checks whether it succeeds and what it says.
func (f tofu) run(succeeds bool, says string, args ...string) string {
	f.Helper()
	cmd, said := f.command(args...)
	err := cmd.Run()
	if (err == nil) != succeeds || !strings.Contains(said.String(), says) {
		f.Fatalf("tofu %q: %v, want success %t and %q\n%s", args, err, succeeds, says, said)
	}
	return said.String()
}

// hold starts an apply that holds the lock until go exists in its directory.
func (f tofu) hold() (cmd *exec.Cmd, said *bytes.Buffer) {
	f.Helper()
	_, started := filepath.Join(f.dir, "go"), filepath.Join(f.dir, "started")
	_ = os.Remove(filepath.Join(f.dir, "go"))
	_ = os.Remove(started)
	cmd, said = f.command("apply", "-auto-approve", "-var=hold=true", fmt.Sprintf("-var=input=%d", time.Now().UnixNano()))
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = cmd.Process.Kill() })
	for range 600 {
		if _, err := os.Stat(started); err == nil {
			return cmd, said
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.Fatal("tofu does not get to the resource")
	return nil, nil
}

// TestTofu lets OpenTofu use the server of the tests as its backend, which proves the
// server, and then lets OpenTofu and a keeper meet at each other's locks.
func TestTofu(t *testing.T) {
	program, err := exec.LookPath("tofu")
	if err != nil {
		if os.Getenv("TOKENFORM_TEST_STORES") == "require" {
			t.Fatal("tofu is not installed; .ci/run installs it")
		}
		t.Skip("tofu is not installed; .ci/run installs it")
	}
	t.Parallel()
	for name, c := range map[string]struct {
		server  func(*keepertest.HTTPServer)
		client  func(*config.Store, *Options)
		backend string // %s is the address
		by      string // how a keeper names an apply of OpenTofu
	}{
		"strict": {func(*keepertest.HTTPServer) {}, nil, "lock_address = %[1]q\n unlock_address = %[1]q", "another program (OperationTypeApply) by "},
		"GitLab": {func(s *keepertest.HTTPServer) { s.GitLab = true }, asGitLab, "lock_address = \"%[1]s/lock\"\n unlock_address = \"%[1]s/lock\"\n lock_method = \"POST\"\n unlock_method = \"DELETE\"", "another program by "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, address := httpServer(t)
			c.server(server)
			f := tofu{t, program, t.TempDir()}
			main := fmt.Sprintf(`terraform {
  backend "http" {
    address = %[1]q
    username = "tokenform"
    password = "hush-hush"
    retry_max = 0
    `+c.backend+`
  }
}
variable "input" { default = "one" }
variable "hold" { default = false }
resource "terraform_data" "it" {
  input            = var.input
  triggers_replace = var.input
  provisioner "local-exec" {
    command = var.hold ? "touch started; while [ ! -e go ]; do sleep 0.05; done" : "true"
  }
}
`, address+"/dev")
			if err := os.WriteFile(filepath.Join(f.dir, "main.tf"), []byte(main), 0o600); err != nil {
				t.Fatal(err)
			}
			f.run(true, "Successfully configured the backend", "init")
			f.run(true, "1 added", "apply", "-auto-approve")
			f.run(true, "No changes", "plan")
			if state := server.State("/dev"); !bytes.Contains(state, []byte(`"serial"`)) || server.Holder("/dev") != "" {
				t.Fatalf("after apply, the server has %s, lock %q", state, server.Holder("/dev"))
			}

			// OpenTofu has the lock.
			holder, said := f.hold()
			id := server.Holder("/dev")
			f.run(false, id, "apply", "-auto-approve")
			k := httpAt(t, address+"/dev", c.client)
			_, err := k.Lock(t.Context(), "dev", Owner{"apply", "me", time.Minute})
			held, ok := errors.AsType[*HeldError](err)
			if !ok || held.ID != id || !strings.HasPrefix(held.By, c.by) || !held.Until.IsZero() || held.Since.IsZero() || server.Holder("/dev") != id {
				t.Errorf("OpenTofu has the lock %s: %v; the server has the lock %s", id, err, server.Holder("/dev"))
			}
			if err := os.WriteFile(filepath.Join(f.dir, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := holder.Wait(); err != nil || server.Holder("/dev") != "" {
				t.Fatalf("%v\n%s", err, said)
			}
			if _, err := k.Read(t.Context(), "dev"); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "a state of Terraform") {
				t.Errorf("a state of OpenTofu as a login: %v", err)
			}

			// OpenTofu dies with the lock.
			holder, _ = f.hold()
			_ = holder.Process.Kill()
			_ = holder.Wait()
			_ = os.WriteFile(filepath.Join(f.dir, "go"), nil, 0o600)
			id = server.Holder("/dev")
			if !regexp.MustCompile(`ID: +` + id).MatchString(f.run(false, "Error acquiring the state lock", "plan")) {
				t.Errorf("OpenTofu does not name the lock %s", id)
			}
			f.run(false, "", "force-unlock", "-force", "00000000-0000-0000-0000-000000000000")
			if server.Holder("/dev") != id {
				t.Error("the server let go of a lock with another ID")
			}
			f.run(true, "successfully unlocked", "force-unlock", "-force", id)

			// A keeper has the lock.
			lease, err := k.Lock(t.Context(), "dev", Owner{"apply", "me@here", time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			text := f.run(false, lease.ID, "apply", "-auto-approve", "-var=input=two")
			if !strings.Contains(text, "me@here") && !server.GitLab || !strings.Contains(text, "Error acquiring the state lock") {
				t.Errorf("OpenTofu does not name the keeper:\n%s", text)
			}
			f.run(true, "successfully unlocked", "force-unlock", "-force", lease.ID)
			if _, err := k.Write(t.Context(), "dev", login(1, "one"), "", lease); err == nil {
				t.Error("a write over a state of OpenTofu, without the lock")
			}
			if lease, err = k.Lock(t.Context(), "dev", Owner{"apply", "me@here", time.Minute}); err != nil {
				t.Fatal(err)
			}
			if err := k.Unlock(t.Context(), "dev", lease.ID); err != nil {
				t.Fatal(err)
			}
			f.run(true, "Destroy complete", "destroy", "-auto-approve")
			testKeeper(t, func(t *testing.T) Keeper { return httpAt(t, address+"/state/{profile}", c.client) })
		})
	}
}
