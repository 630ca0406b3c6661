package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// secret loads a profile with the given client.secret from a directory with files.
func secret(t *testing.T, yaml string, files map[string]string) *Value {
	t.Helper()
	if files == nil {
		files = map[string]string{}
	}
	files["dev.yaml"] = "client: {id: abc}\nenv_file: [vars.env]\n"
	if yaml != "" {
		files["dev.yaml"] = "client:\n  id: abc\n  secret: " + yaml + "\nenv_file: [vars.env]\n"
	}
	files["vars.env"] = "IN_FILE=from-file\n"
	return load(t, Sources{Dir: write(t, files)}, "dev.yaml")[0].Client.Secret
}

func TestValue(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the commands are those of unix")
	}
	long := strings.Repeat("x", maxSecret+1)
	tests := []struct {
		name, yaml string
		files      map[string]string
		known      bool // known without a side effect
		want       string
		wrong      string // part of the error; empty if there is none
	}{
		{name: "literal", yaml: "abc", known: true, want: "abc"},
		{name: "variable in a literal", yaml: "${SECRET}", known: true, want: "CANARY"},
		{name: "variable", yaml: "{env: SECRET}", known: true, want: "CANARY"},
		{name: "variable of an env_file", yaml: "{env: IN_FILE}", known: true, want: "from-file"},
		{name: "unset variable", yaml: "{env: NOT_SET}", wrong: "client.secret: the variable NOT_SET is not set"},
		{name: "empty variable", yaml: "{env: EMPTY}", wrong: "the value is empty"},
		{name: "file", yaml: "{file: s}", files: map[string]string{"s": "abc\n"}, known: true, want: "abc"},
		{name: "file with CRLF", yaml: "{file: s}", files: map[string]string{"s": "abc\r\n"}, known: true, want: "abc"},
		{name: "file with two newlines", yaml: "{file: s}", files: map[string]string{"s": "CANARY\n\n"}, wrong: "spans several lines"},
		{name: "file with a space", yaml: "{file: s}", files: map[string]string{"s": "CANARY \n"}, wrong: "white space"},
		{name: "no file", yaml: "{file: dir/s}", wrong: "cannot read dir/s: no such file or directory"},
		{name: "large file", yaml: "{file: s}", files: map[string]string{"s": long}, wrong: "cannot read s: too large"},
		{name: "endless file", yaml: "{file: /dev/zero}", wrong: "cannot read /dev/zero: too large"},
		{name: "command", yaml: "{command: [printf, 'abc\\n']}", want: "abc"},
		{name: "command in the profile's directory", yaml: "{command: [cat, s]}", files: map[string]string{"s": "abc"}, want: "abc"},
		{name: "no shell", yaml: "{command: [echo, '$HOME;echo']}", want: "$HOME;echo"},
		{name: "failing command", yaml: "{command: [sh, -c, 'echo CANARY >&2; echo CANARY; exit 7']}", wrong: "the command sh failed (exit status 7)"},
		{name: "no command", yaml: "{command: [tokenform-test-no-such-program]}", wrong: "cannot run the command tokenform-test-no-such-program: executable file not found"},
		{name: "silent command", yaml: "{command: ['true']}", wrong: "the value is empty"},
		{name: "talkative command", yaml: "{command: ['yes', CANARY]}", wrong: "the command yes printed more than 64 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := secret(t, tt.yaml, tt.files)
			if s, ok := v.Known(); ok != tt.known || ok && s != tt.want {
				t.Errorf("Known: %q, %t", s, ok)
			}
			got, err := v.Resolve(t.Context())
			switch {
			case tt.wrong == "" && (err != nil || got != tt.want):
				t.Errorf("Resolve: %q, %v", got, err)
			case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "CANARY")):
				t.Errorf("Resolve: %v, want %q", err, tt.wrong)
			}
			if p := (*Problem)(nil); err != nil && (!errors.As(err, &p) || p.Hint == "" && !strings.Contains(tt.wrong, "is empty")) {
				t.Errorf("not a problem with a hint: %v", err)
			}
		})
	}
	var none *Value
	if s, ok := none.Known(); s != "" || !ok {
		t.Error("a nil value is not known to be empty")
	}
}

// TestValueCommandTimeout checks that a command ends in time even if a child of it
// keeps the pipe open.
func TestValueCommandTimeout(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the command is one of unix")
	}
	v := secret(t, "{command: [sh, -c, 'sleep 60 & sleep 60']}", nil)
	v.timeout = 50 * time.Millisecond
	start := time.Now()
	_, err := v.Resolve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "did not end within 50ms") {
		t.Error(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Resolve(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestValueOnce checks that a command runs once if many goroutines resolve its value at
// the same time.
func TestValueOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the command is one of unix")
	}
	mark := filepath.Join(t.TempDir(), "ran")
	v := secret(t, "{command: [sh, -c, 'echo x >>\"$1\"; echo abc', sh, "+mark+"]}", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if s, err := v.Resolve(t.Context()); s != "abc" || err != nil {
				t.Errorf("%q, %v", s, err)
			}
		})
	}
	wg.Wait()
	if b, err := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("the command ran %d times, %v", len(b)/2, err)
	}
	if s, ok := v.Known(); s != "abc" || !ok {
		t.Error("a resolved value is not known")
	}
}

// TestValueFrom checks where messages say that a value comes from, and that no value is
// among that.
func TestValueFrom(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"secret.txt": "CANARY"})
	env := func(name string) (string, bool) { return "CANARY", true }
	for secret, want := range map[string]string{
		`"${SECRET}"`:               "SECRET",
		`"${A:-x}${B}$$x"`:          "A, B",
		`{env: SECRET}`:             "SECRET",
		`{file: secret.txt}`:        "secret.txt",
		`{command: [echo, CANARY]}`: "echo",
		`CANARY`:                    "p.yaml:1:27",
	} {
		if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte("client: {id: abc, secret: "+secret+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := load(t, Sources{Dir: dir, Env: env}, "p.yaml")[0].Client.Secret.From(); got != want {
			t.Errorf("%s: from %q, want %q", secret, got, want)
		}
	}
}
