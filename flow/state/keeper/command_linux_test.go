package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
)

// need skips the test if a program is not installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("TOKENFORM_TEST_STORES") == "require" {
			t.Fatalf("%s is not installed; .ci/run installs it", program)
		}
		t.Skipf("%s is not installed; .ci/run installs it", program)
	}
}

// commandWith opens a store of type command with more environment.
func commandWith(t *testing.T, env []string, command ...string) Keeper {
	t.Helper()
	k, err := Open(t.Context(), config.Store{
		Type: config.CommandStore, LockTTL: config.DefaultLockTTL, Dir: t.TempDir(),
		Command: append(append([]string{"env"}, env...), command...),
	}, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// example returns a program of the repository.
func example(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../../examples", path))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Programs take their time: each of them runs several others.
const (
	programs = 6
	patience = time.Minute
)

// TestCommandFolder checks the folder of the stories.
func TestCommandFolder(t *testing.T) {
	t.Parallel()
	need(t, "flock")
	dir := t.TempDir()
	testMachines(t, programs, patience, func(t *testing.T) Keeper {
		return commandWith(t, []string{"STORE_DIR=" + dir}, example(t, "testdata/stores/folder"))
	})
}

// openVault returns a function that opens the example for vault, and the directory of a
// stand-in for vault.
func openVault(t *testing.T) (open func(*testing.T) Keeper, dir string) {
	t.Helper()
	need(t, "jq")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	return func(t *testing.T) Keeper {
		return commandWith(t, []string{"VAULT_DIR=" + dir, "TOKENFORM_VAULT=" + self}, example(t, "stores/vault-kv"))
	}, dir
}

func TestCommandVault(t *testing.T) {
	t.Parallel()
	open, dir := openVault(t)
	testMachines(t, programs, patience, open)
	t.Run("a lost answer", func(t *testing.T) {
		k := open(t)
		lose := func() {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "lost"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		lose()
		lease, err := k.Lock(t.Context(), "lost", Owner{"apply", "one", time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer lease.Release(t.Context())
		lose()
		revision, err := k.Write(t.Context(), "lost", login(1, "one"), "", lease)
		if err != nil {
			t.Fatal(err)
		}
		if item, err := k.Read(t.Context(), "lost"); err != nil || item.Revision != revision {
			t.Errorf("revision %q, want %q, %v", item.Revision, revision, err)
		}
	})
	for says, want := range map[string]fault.Kind{
		"Error making API request.\n\nCode: 403. Errors:\n\n* permission denied":              fault.Failed,
		"Error making API request.\n\nCode: 503. Errors:\n\n* Vault is sealed":                fault.Temporary,
		`Get "https://v:8200": dial tcp 127.0.0.1:8200: connect: connection refused`:          fault.Temporary,
		`Get "https://v:8200": tls: failed to verify certificate: x509: certificate is wrong`: fault.Failed,
	} {
		allFail(t, says, want, func(t *testing.T) Keeper {
			k := open(t)
			if err := os.WriteFile(filepath.Join(dir, "says"), []byte(says), 0o600); err != nil {
				t.Fatal(err)
			}
			return k
		})
	}
}

// allFail checks that every word fails with the kind: nothing is taken for "none" or
// "changed", in one line with a hint.
func allFail(t *testing.T, name string, want fault.Kind, open func(*testing.T) Keeper) {
	t.Run(name, func(t *testing.T) {
		k, ctx := open(t), t.Context()
		lease := &Lease{ID: "1", Until: time.Now().Add(time.Minute)}
		_, read := k.Read(ctx, "dev")
		_, create := k.Write(ctx, "dev", login(1, "hush-hush-login"), "", lease)
		_, write := k.Write(ctx, "dev", login(1, "hush-hush-login"), "7", lease)
		_, names := k.Names(ctx)
		_, lock := k.Lock(ctx, "dev", Owner{"apply", "one", time.Minute})
		for word, err := range map[string]error{
			"read": read, "create": create, "write": write, "names": names, "lock": lock,
			"delete": k.Delete(ctx, "dev", "7", lease), "unlock": k.Unlock(ctx, "dev", "1"),
		} {
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != want || e.Hint == "" || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("%s: %v", word, err)
			}
		}
	})
}

func TestCommandKubernetes(t *testing.T) {
	t.Parallel()
	need(t, "jq", "kubectl")
	cluster, server, file := startCluster(t)
	open := func(t *testing.T) Keeper {
		return commandWith(t, []string{"KUBECONFIG=" + file}, example(t, "stores/kubernetes-secret"))
	}
	testMachines(t, programs, patience, open)
	t.Run("a lost answer", func(t *testing.T) {
		k := open(t)
		lease, err := k.Lock(t.Context(), "lost", Owner{"apply", "one", time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer lease.Release(t.Context())
		cluster.mu.Lock()
		cluster.lose = true
		cluster.mu.Unlock()
		// kubectl does not try again: the caller does not know, and reads.
		_, err = k.Write(t.Context(), "lost", login(1, "one"), "", lease)
		if err == nil || errors.Is(err, ErrChanged) {
			t.Errorf("a lost answer: %v", err)
		}
		if item, err := k.Read(t.Context(), "lost"); err != nil || !sameJSON(item.Data, login(1, "one")) {
			t.Errorf("%s, %v", item.Data, err)
		}
	})
	for status, want := range map[int]fault.Kind{403: fault.Failed, 429: fault.Temporary, 503: fault.Temporary} {
		allFail(t, fmt.Sprint(status), want, func(t *testing.T) Keeper {
			cluster.mu.Lock()
			cluster.refuse = status
			cluster.mu.Unlock()
			return open(t)
		})
	}
	server.Close()
	allFail(t, "away", fault.Temporary, open)
}

// script opens a store whose program is a shell script.
func script(t *testing.T, text string) Keeper {
	t.Helper()
	return commandWith(t, nil, "sh", "-c", text, "store")
}

// TestCommandWrongAnswers lets programs do what they should not.
func TestCommandWrongAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		kind fault.Kind
		says string
	}{
		"fails":          {"echo 'no such thing' >&2; exit 1", fault.Failed, "exit status 1): no such thing"},
		"killed":         {"kill -9 $$", fault.Failed, "signal: killed"},
		"away":           {"echo 'come back later' >&2; exit 75", fault.Temporary, "away or busy: come back later"},
		"usage":          {"exit 64", fault.Failed, "exit status 64"},
		"too much":       {"head -c 2000000 /dev/zero", fault.Failed, "more than 1 MiB"},
		"endless":        {"exec yes", fault.Failed, "more than 1 MiB"},
		"endless errors": {"head -c 9000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo 'at last' >&2; exit 1", fault.Failed, ": at last"},
		"echoes":         {"cat >&2; echo >&2; exit 1", fault.Failed, "exit status 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			allFail(t, "words", c.kind, func(t *testing.T) Keeper { return script(t, c.text) })
			if _, err := script(t, c.text).Read(t.Context(), "dev"); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s", err, c.says)
			}
		})
	}
	lease := &Lease{ID: "1", Until: time.Now().Add(time.Minute)}
	for _, text := range []string{"", "echo", "exit 5", "exit 6"} {
		if item, err := script(t, text).Read(t.Context(), "dev"); fault.KindOf(err) != fault.Failed || item.Revision != "" || fault.HintOf(err) == "" {
			t.Errorf("read by %q: %+v, %v", text, item, err)
		}
	}
	for _, text := range []string{"", "echo", "exit 4"} {
		if now, err := script(t, text).Write(t.Context(), "dev", login(1, "one"), "7", lease); fault.KindOf(err) != fault.Failed || now != "" || fault.HintOf(err) == "" {
			t.Errorf("write by %q: %q, %v", text, now, err)
		}
	}
	missing, err := Open(t.Context(), config.Store{Type: config.CommandStore, Command: []string{"no-such-program"}}, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	allFail(t, "no program", fault.Failed, func(*testing.T) Keeper { return missing })
}

// TestCommandProcesses checks what a program may leave behind, and how it is stopped.
func TestCommandProcesses(t *testing.T) {
	t.Parallel()
	t.Run("a process that stays", func(t *testing.T) {
		t.Parallel()
		start := time.Now()
		item, err := script(t, "sleep 20 & echo 7; echo data").Read(t.Context(), "dev")
		if took := time.Since(start); err != nil || item.Revision != "7" || string(item.Data) != "data\n" || took > 10*time.Second {
			t.Errorf("after %s: %+v, %v", took, item, err)
		}
	})
	t.Run("too slow", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := script(t, "sleep 20").Read(ctx, "dev"); fault.KindOf(err) != fault.Temporary || fault.HintOf(err) == "" {
			t.Error(err)
		}
	})
	t.Run("stopped while it takes a lock", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		dir := t.TempDir()
		k := script(t, `if [ "$1" = lock ]; then echo "$3" >`+dir+`/lock; exec sleep 20; fi; [ "$(cat `+dir+`/lock)" = "$3" ] && rm `+dir+`/lock`)
		go func() {
			for range 1000 {
				if b, err := os.ReadFile(dir + "/lock"); err == nil && len(b) > 1 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
		}()
		if _, err := k.Lock(ctx, "dev", Owner{"apply", "one", time.Minute}); fault.KindOf(err) != fault.Interrupted {
			t.Error(err)
		}
		if _, err := os.Stat(dir + "/lock"); err == nil {
			t.Error("the lock was not released")
		}
	})
	// Ctrl-C reaches every process of the terminal's group. Whatever stores a new login must
	// not be among them.
	t.Run("group", func(t *testing.T) {
		t.Parallel()
		k := script(t, `set -- $(cat /proc/$$/stat); echo "$1 $5"`)
		lease := &Lease{ID: "1", Until: time.Now().Add(time.Minute)}
		for range 2 {
			said, err := k.Write(t.Context(), "dev", login(1, "one"), "7", lease)
			if err != nil {
				t.Fatal(err)
			}
			if process, group, _ := strings.Cut(said, " "); process != group {
				t.Errorf("process %s is in group %s", process, group)
			}
		}
	})
}

// TestCommandHolder checks what is told of the holder of a lock: any line may be missing,
// and none is believed to be fit for a terminal.
func TestCommandHolder(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]HeldError{
		"":                                   {},
		"echo 7":                             {ID: "7"},
		"echo 7; echo me":                    {ID: "7", By: "me"},
		"echo 7; echo me; echo soon":         {ID: "7", By: "me"},
		`printf '7\r\n\033[31mme\007\r\n\n'`: {ID: "7", By: "[31mme"},
	} {
		_, err := script(t, text+"\nexit 6").Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute})
		if held, ok := errors.AsType[*HeldError](err); !ok || *held != want {
			t.Errorf("%s: %+v, want %+v", text, err, want)
		}
	}
	_, err := script(t, "echo 7; echo me; echo 60; exit 6").Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute})
	if held, ok := errors.AsType[*HeldError](err); !ok || time.Until(held.Until).Round(10*time.Second) != time.Minute {
		t.Errorf("%+v", err)
	}
}
