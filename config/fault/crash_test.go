package fault_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tokenform/config/fault"
)

func TestMain(m *testing.M) {
	what := os.Getenv("CRASH")
	if what == "" {
		os.Exit(m.Run())
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		defer fault.Crash()
		var none []int
		switch what {
		case "index":
			_ = none[len(what)]
		case "text":
			panic("hush-hush")
		case "error":
			panic(errors.New("hush-hush"))
		}
	}()
	<-done
}

// TestE8Crash checks that a crash is exit code 1, on any goroutine, and shows no secret.
func TestE8Crash(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		code int
		said string
	}{
		"index": {1, "index out of range [5] with length 0"},
		"text":  {1, "a panic with a string"},
		"error": {1, "a panic with a *errors.errorString"},
		"none":  {0, ""},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CRASH="+what)
		var said bytes.Buffer
		cmd.Stderr = &said
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(said.String(), c.said) || strings.Contains(said.String(), "hush-hush") ||
			c.code == 1 && (!strings.HasPrefix(said.String(), "error: tokenform has a bug") || !strings.Contains(said.String(), "crash_test.go")) {
			t.Errorf("%s: exit %d\n%s", what, code, said.String())
		}
	}
}
