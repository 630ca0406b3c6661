package atomicfile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// steps is how far each process of TestLockAcrossProcesses counts.
const steps = 15

// TestMain lets the test binary play another process.
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
	b, _, err := Read(path)
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

// child is this test binary in a role of TestMain.
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

	// Another file of the directory waits, within this process too.
	short, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	if _, err := Lock(short, filepath.Join(dir, "b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: %v", err)
	}
	// Another directory does not.
	other, err := Lock(t.Context(), filepath.Join(t.TempDir(), "a"))
	must(t, err)
	other()

	unlock()
	again, err := Lock(t.Context(), filepath.Join(dir, "b"))
	must(t, err)
	again()

	// A free lock is taken even where there is no time to wait.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	last, err := Lock(over, filepath.Join(dir, "a"))
	must(t, err)
	last()

	if _, err := Lock(t.Context(), filepath.Join(dir, "no", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
}
