package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/output/cli"
)

// ran is the result of a run of the program in this process.
type ran struct {
	code     int
	out, err string
	guarded  bool // the run asked that signals end the context
}

// run runs the program in dir like a pipeline: without a terminal, and with no
// variables but env.
func run(t *testing.T, dir string, env map[string]string, stdin string, args ...string) ran {
	t.Helper()
	t.Chdir(dir)
	var out, errs bytes.Buffer
	var r ran
	r.code = cli.Run(t.Context(), cli.Process{
		Args:    args,
		Env:     func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Environ: os.Environ,
		In:      strings.NewReader(stdin), Out: &out, Err: &errs,
		Now: time.Now, Version: func() cli.Build {
			return cli.Build{Release: "v1.2.3", Commit: "0123456789abcdef", Date: "2026-03-04T05:06:07Z"}
		},
		Guard:   func(...os.Signal) { r.guarded = true },
		Hangups: func() (<-chan os.Signal, func()) { return make(chan os.Signal), func() {} },
	})
	r.out, r.err = out.String(), errs.String()
	return r
}

const profile = `profile: dev
client: {id: 0123456789abcdef0123456789abcdef, secret: hush-hush}
redirect_uri: http://127.0.0.1/callback
outputs:
  - {type: env, path: .env, keys: {access_token: TOKEN}}
`

// project is a directory with a profile.
func project(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokenform.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestUsage checks that a wrong command line gives exit code 3 and a hint, and prints
// nothing on standard output.
func TestUsage(t *testing.T) {
	dir := project(t, profile)
	for line, want := range map[string]string{
		"aply":                              `unknown command "aply"` + "\nhint: did you mean apply?",
		"whoami":                            `unknown command "whoami"` + "\nhint: tokenform status shows the account",
		"get":                               `unknown command "get"` + "\nhint: tokenform token prints",
		"login --print --finish x":          "--print and --finish cannot be combined",
		"apply --snadbox":                   "unknown flag --snadbox\nhint: did you mean --sandbox?",
		"apply -x":                          "unknown flag -x",
		"apply --parallelism 0":             "--parallelism: must be at least 1",
		"apply --parallelism many":          "--parallelism: must be a whole number",
		"apply --lock-timeout -1s":          "--lock-timeout: a duration cannot be negative\nhint: write a number with a unit",
		"apply --login-timeout":             "--login-timeout needs a value",
		"apply --login maybe":               "--login: must be one of auto, browser, paste, never",
		"apply --login paste -":             "standard input cannot be both the profile and the pasted address",
		"exec":                              "exec needs a command",
		"exec tokenform.yaml":               "exec needs a command",
		"import -":                          "standard input cannot be both the profile and the refresh token",
		"init a b":                          "init writes one file",
		"schema state":                      `there is no schema "state"`,
		"sandbox --json --listen 0.0.0.0:1": "sandbox prints shell commands, not JSON",
		"sandbox --listen 0.0.0.0:1":        "--listen: must be a loopback address and a port",
		"sandbox --token-life 1ms":          "--token-life must be at least one second",
		"version now":                       "version takes no arguments",
		"help me":                           `no help for "me"` + "\nhint: tokenform help lists",
		"help aply":                         `no help for "aply"` + "\nhint: did you mean apply?",
		"help outptus":                      `no help for "outptus"` + "\nhint: did you mean outputs?",
		"help completion":                   `no help for "completion"` + "\nhint: tokenform completion --help",
		"apply --bogus":                     "unknown flag --bogus\nhint: tokenform apply --help lists the flags",
		"status --expires-within 9999999d":  "--expires-within: the duration is too long",
		"schema states":                     `there is no schema "states"`,
		"completion tcsh":                   `no completion for the shell "tcsh"`,
		"destroy --sandbox=perhaps":         "--sandbox: must be true or false",
		"apply -p nobody":                   `no profile matches "nobody"`,
		"destroy":                           "", // nothing is stored, so nothing is asked
	} {
		r := run(t, dir, nil, "", strings.Fields(line)...)
		if want == "" {
			if r.code != 0 {
				t.Errorf("%s: exit %d\n%s", line, r.code, r.err)
			}
			continue
		}
		if r.code != 3 || !strings.Contains(r.err, "error: "+want) {
			t.Errorf("%s: exit %d, %q; want %q", line, r.code, r.err, want)
		}
		if json := strings.Contains(line, "--json"); (r.out != "") != json {
			t.Errorf("%s: standard output %q", line, r.out)
		}
	}
}

// TestUsageJSON checks that an error is JSON only if --json is our own flag.
func TestUsageJSON(t *testing.T) {
	dir := project(t, profile)
	for line, want := range map[string]bool{
		"apply --bogus --json":                  true,
		"apply --json --bogus":                  true,
		"apply --json=true --bogus":             true,
		"--json apply --bogus":                  true,
		"apply --json=false --bogus":            false,
		"apply --json --json=false --bogus":     false,
		"apply --bogus -- --json":               false,
		"exec --bogus -- curl --json {}":        false,
		"exec --json --bogus -- curl":           true,
		"import --from --json --bogus":          false, // the value of --from
		"import --from=x --json --bogus":        true,
		"apply -p --json --bogus":               false, // the value of -p
		"apply -q --json --bogus":               true,
		"aply --json":                           true,
		"apply --state --json --parallelism no": false,
	} {
		r := run(t, dir, nil, "", strings.Fields(line)...)
		var view struct {
			Version int
			Command string
			OK      bool
			Error   struct{ Kind, Message string }
		}
		err := json.Unmarshal([]byte(r.out), &view)
		if got := err == nil && view.Version == 1 && view.Error.Kind == "invalid" && view.Error.Message != "" && !view.OK; got != want || r.code != 3 || !want && r.out != "" {
			t.Errorf("%s: exit %d, JSON %v, want %v: %q", line, r.code, got, want, r.out)
		}
	}
}

// TestCommands runs each command in this process, one after the other, as a
// person who tries the program does.
func TestCommands(t *testing.T) {
	dir := project(t, profile)
	for _, step := range []struct {
		line  string
		code  int
		out   string
		err   string
		guard bool
	}{
		{line: "version", out: "tokenform v1.2.3 (commit 0123456789ab of 2026-03-04, go"},
		{line: "version --json", out: `"release": "v1.2.3",`},
		{line: "version --json", out: `"commit": "0123456789abcdef",`},
		{line: "version --json", out: `"date": "2026-03-04T05:06:07Z"`},
		{line: "--version", out: "tokenform v1.2.3 ("},
		{line: "", out: "\nCommands:"},
		{line: "help exit-codes", out: "130  interrupted"},
		{line: "schema", out: `"$schema"`},
		{line: "schema output", out: "login_needed"},
		{line: "init -", out: "client:"},
		{line: "init", code: 1, err: "tokenform.yaml already exists"},
		{line: "init other.yaml --state kept", err: "then: tokenform apply --state kept other.yaml"},
		{line: "validate", out: "1 profile valid"},
		{line: "validate --json", out: `"ok": true`},
		{line: "plan --sandbox", out: "dev: log in, not logged in yet\n  + .env: missing"},
		{line: "plan --sandbox --detailed-exitcode", code: 2, out: "Plan: 1 to log in"},
		{line: "status", code: 4, out: "dev      authorization_code  none", err: "a person must log in: not logged in yet\nhint: log in: tokenform apply -p dev"},
		{line: "apply", code: 4, err: "hint: in a terminal, run: tokenform apply -p dev\nhint: without a terminal: add --login browser or --login paste, or run tokenform login --print\nhint: for a pipeline: tokenform help ci\n", guard: true},
		{line: "apply --sandbox", err: "dev: logged in, valid for 59m", guard: true},
		{line: "apply --sandbox", err: "Applied: 1 unchanged"},
		{line: "plan --sandbox --detailed-exitcode", out: "Plan: 1 unchanged"},
		{line: "token --sandbox", out: "BQ"},
		{line: "token --sandbox --format export", out: "export SPOTIFY_ACCESS_TOKEN="},
		{line: "status --sandbox --verify", out: "1 up to date", guard: true},
		{line: "import --from tokenform.yaml", code: 3, err: "tokenform.yaml: not a token file of a known client", guard: true},
		{line: "destroy --sandbox", code: 3, err: "destroy asks before it deletes, and standard input is not a terminal\nhint: add --yes", guard: true},
		{line: "destroy --sandbox --yes", err: "dev: destroyed\n  - .env (TOKEN)", guard: true},
		{line: "destroy --sandbox --yes", err: "dev: nothing stored", guard: true},
	} {
		r := run(t, dir, nil, "", strings.Fields(step.line)...)
		if r.code != step.code || !strings.Contains(r.out, step.out) || !strings.Contains(r.err, step.err) {
			t.Errorf("%s: exit %d, want %d\nstandard output: %q, want %q\nstandard error: %q, want %q", step.line, r.code, step.code, r.out, step.out, r.err, step.err)
		}
		if r.guarded != step.guard {
			t.Errorf("%s: signals guarded: %v", step.line, r.guarded)
		}
	}
}

// TestImportPiped imports a refresh token from standard input, and checks that the
// hints repeat the call.
func TestImportPiped(t *testing.T) {
	dir := project(t, profile)
	if err := os.Rename(filepath.Join(dir, "tokenform.yaml"), filepath.Join(dir, "my app.yaml")); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", "--no-verify", "--state", "kept", "my app.yaml"}
	if r := run(t, dir, nil, "AQ token\n", args...); r.code != 3 || !strings.Contains(r.err, "it must be one word") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	if r := run(t, dir, nil, "AQtoken\n", args...); r.code != 0 || !strings.Contains(r.err, "dev: imported; tokenform apply --state kept 'my app.yaml' writes the outputs") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	if r := run(t, dir, nil, "AQtoken\n", args...); r.code != 1 || !strings.Contains(r.err, "hint: to replace it, run tokenform destroy -p dev --state kept 'my app.yaml' first") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
}

// TestImportInterrupted checks that a signal ends the run while the program reads from
// a pipe.
func TestImportInterrupted(t *testing.T) {
	dir := project(t, profile)
	t.Chdir(dir)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	defer read.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	code := make(chan int)
	go func() {
		code <- cli.Run(ctx, cli.Process{
			Args: []string{"import"}, Env: func(string) (string, bool) { return "", false }, Environ: os.Environ,
			In: read, Out: &out, Err: &errs, Now: time.Now,
			Guard: func(...os.Signal) { time.AfterFunc(50*time.Millisecond, cancel) },
		})
	}()
	select {
	case c := <-code:
		if c != 130 || errs.String() != "error: interrupted\n" {
			t.Errorf("exit %d, %q", c, errs.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the read goes on")
	}
}

// TestFullOutput checks that the run fails if its result cannot be printed.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	t.Chdir(project(t, profile))
	var errs bytes.Buffer
	code := cli.Run(t.Context(), cli.Process{
		Args: []string{"schema"}, Env: func(string) (string, bool) { return "", false }, In: strings.NewReader(""), Out: full, Err: &errs, Now: time.Now,
	})
	if code != 1 || !strings.Contains(errs.String(), "error: standard output: no space left on device") {
		t.Errorf("exit %d, %q", code, errs.String())
	}
}

// TestInvocation checks that the command in a hint means the same profiles as the call.
func TestInvocation(t *testing.T) {
	for want, i := range map[string]config.Invocation{
		"tokenform destroy -p b":                                   {},
		"tokenform destroy -p b --sandbox":                         {Sandbox: true},
		"tokenform destroy -p b --sandbox --state kept 'a b.yaml'": {Sandbox: true, State: "kept", Files: []string{"a b.yaml"}},
	} {
		if got := i.Command("destroy", "-p", "b"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	ci := config.Invocation{State: "/cache", CI: true, Files: []string{"x.yaml"}}
	if got := ci.Elsewhere().Command("token"); got != "tokenform token x.yaml" {
		t.Errorf("%q", got)
	}
}

// TestA6SSHPort checks that the ssh command in the prompt has the port of the SSH
// server.
func TestA6SSHPort(t *testing.T) {
	dir := project(t, strings.Replace(profile, "127.0.0.1/", "127.0.0.1:18651/", 1))
	for connection, want := range map[string]string{
		"198.51.100.7 5000 192.0.2.9 2222": "run: ssh -L 18651:127.0.0.1:18651 -p 2222 me@192.0.2.9\n",
		"198.51.100.7 5000 192.0.2.9 22":   "run: ssh -L 18651:127.0.0.1:18651 me@192.0.2.9\n",
	} {
		r := run(t, dir, map[string]string{"SSH_CONNECTION": connection, "USER": "me", "BROWSER": "true", "TOKENFORM_ACCOUNTS_URL": "http://127.0.0.1:9"}, "", "apply", "--login", "browser", "--login-timeout", "50ms")
		if !strings.Contains(r.err, want) {
			t.Errorf("%s: %s", connection, r.err)
		}
	}
}
