package atomicfile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// steps is how far each process of TestLockAcrossProcesses counts.
const steps = 15

// TestMain lets the test binary be another process.
func TestMain(m *testing.M) {
	path := os.Getenv("ATOMICFILE_PATH")
	var err error
	switch os.Getenv("ATOMICFILE_ROLE") {
	case "":
		os.Exit(m.Run())
	case "alternate":
		for i := 0; err == nil; i++ {
			_, err = Write(path, []byte([]string{strings.Repeat("a", 300<<10), strings.Repeat("b", 200<<10)}[i%2]), 0o600)
		}
	case "count":
		for range steps {
			if err = countUp(path); err != nil {
				break
			}
		}
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func countUp(path string) error {
	unlock, err := Lock(context.Background(), path)
	if err != nil {
		return err
	}
	defer unlock()
	b, _, err := Read(path, 1<<20)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return err
	}
	_, err = Write(path, []byte(strconv.Itoa(n+1)), 0o600)
	return err
}

// child returns this test binary in a role that TestMain knows.
func child(t *testing.T, role, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ATOMICFILE_ROLE="+role, "ATOMICFILE_PATH="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := Lock(t.Context(), filepath.Join(dir, "a"))
	must(t, err)

	// Another file of the same directory waits, within this process too.
	short, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	if _, err := Lock(short, filepath.Join(dir, "b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: %v", err)
	}
	// A file of another directory does not wait.
	other, err := Lock(t.Context(), filepath.Join(t.TempDir(), "a"))
	must(t, err)
	other()

	unlock()
	again, err := Lock(t.Context(), filepath.Join(dir, "b"))
	must(t, err)
	again()

	// Lock takes a free lock even if ctx has ended.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	last, err := Lock(over, filepath.Join(dir, "a"))
	must(t, err)
	last()

	if _, err := Lock(t.Context(), filepath.Join(dir, "no", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
}

// TestLockSeveral checks that two callers with the same directories, in another order
// and under other names, wait for each other and not forever.
func TestLockSeveral(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a"), 0o700))
	must(t, os.MkdirAll(filepath.Join(dir, "b"), 0o700))
	must(t, os.Symlink("b", filepath.Join(dir, "c")))
	one := []string{filepath.Join(dir, "a/x"), filepath.Join(dir, "b/x"), filepath.Join(dir, "b/y")}
	other := []string{filepath.Join(dir, "c/x"), filepath.Join(dir, "b/y"), filepath.Join(dir, "a/z")}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var inside atomic.Int32
	for _, paths := range [][]string{one, other, one, other} {
		wg.Go(func() {
			for range 20 {
				unlock, err := Lock(ctx, paths...)
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) > 1 {
					t.Error("two are inside")
				}
				time.Sleep(time.Millisecond)
				inside.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
}
