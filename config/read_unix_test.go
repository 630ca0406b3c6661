//go:build unix

package config

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// pipes puts named pipes into dir.
func pipes(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// ends checks that run blocks, and that run returns when its context is canceled.
func ends(t *testing.T, run func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() {
		defer close(done)
		run(ctx)
	}()
	select {
	case <-done:
		t.Error("it did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
}

func TestValueFromPipe(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"dev.yaml": "client: {id: abc, secret: {file: secret}}\n"})
	pipes(t, dir, "secret")
	v := load(t, Sources{Dir: dir}, "dev.yaml")[0].Client.Secret
	for range 2 {
		if s, ok := v.Known(); ok {
			t.Errorf("known without reading: %q", s)
		}
		if _, err := os.OpenFile(filepath.Join(dir, "secret"), os.O_WRONLY|syscall.O_NONBLOCK, 0); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("somebody reads the pipe: %v", err)
		}
	}
	go os.WriteFile(filepath.Join(dir, "secret"), []byte("from-pipe\n"), 0)
	if s, err := v.Resolve(t.Context()); s != "from-pipe" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if s, ok := v.Known(); s != "from-pipe" || !ok {
		t.Error("a resolved value is not known")
	}

	v = load(t, Sources{Dir: dir}, "dev.yaml")[0].Client.Secret
	ends(t, func(ctx context.Context) {
		if _, err := v.Resolve(ctx); err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestLoadFromPipe(t *testing.T) {
	t.Parallel()
	stdin, w := io.Pipe()
	defer w.Close()
	dir := write(t, map[string]string{
		"a.yaml": "client: {id: abc}\n",
		"b.yaml": "client: {id: abc}\nenv_file: [env]\n",
	})
	pipes(t, dir, "env", "c.yaml")
	for _, args := range [][]string{{"-"}, {"b.yaml"}, {"c.yaml"}, {"a.yaml", "c.yaml"}, {"."}} {
		ends(t, func(ctx context.Context) {
			profiles, problems := Load(ctx, Sources{Dir: dir, Env: testEnv, Stdin: ReadOnce(stdin)}, args)
			if profiles != nil || len(problems.Errors()) == 0 {
				t.Errorf("%v: %d profiles, %v", args, len(profiles), problems)
			}
		})
	}
}

// TestStampOfPipe checks that Stamp does not read a pipe, and that a write into a pipe
// is no change.
func TestStampOfPipe(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.yaml": "client: {id: abc, secret: {file: secret}}\n"})
	pipes(t, dir, "secret", "b.yaml")
	src := Sources{Dir: dir}
	profiles := load(t, src, "a.yaml")
	args := []string{"a.yaml", "b.yaml", "."}
	before := Stamp(src, args, profiles)
	later := time.Now().Add(time.Hour)
	for _, name := range []string{"secret", "b.yaml"} {
		if err := os.Chtimes(filepath.Join(dir, name), later, later); err != nil { // as a write does
			t.Fatal(err)
		}
	}
	if Stamp(src, args, profiles).Changed(before) {
		t.Error("what is written into a pipe is a change")
	}
}
