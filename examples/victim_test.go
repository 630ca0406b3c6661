package examples

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// stateTemporary is the temporary file of a new state, until the rename.
const stateTemporary = ".tokenform/.dev.json.tokenform-tmp"

// victim is a profile whose runs are killed. Each refresh token dies when it is used,
// so that a lost one is noticed.
type victim struct {
	trial
	all []string // variables
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	server := faults.New(sandbox.Options{AnyApp: true, RotateAll: true, AutoConsent: true, Now: time.Now})
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	v := &victim{trial: trial{t: t, server: server, dir: t.TempDir(), url: front.URL}}
	v.all = surroundings(v.dir, v.url, "BROWSER="+robot(t))
	write(t, v.file("tokenform.yaml"), racer+"  - {type: env, path: web/.env, keys: {access_token: TOKEN, expires_at: UNTIL}}\n")
	write(t, v.file(".env"), "# mine\nOTHER=1\n")
	if err := os.Mkdir(v.file("web"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, v.file("web/.env"), "TOKEN=old # by hand\r\nexport X='y'\r\n")
	v.must("browser")
	return v
}

func (v *victim) command(args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	cmd, stderr = exec.Command(program, args...), &bytes.Buffer{}
	cmd.Dir, cmd.Env, cmd.Stderr = v.dir, v.all, stderr
	return cmd, stderr
}

// end waits for a command and returns its exit code: -1 if it was killed.
func (v *victim) end(cmd *exec.Cmd, stderr *bytes.Buffer) (int, string) {
	_ = cmd.Wait()
	v.discreet(stderr.String())
	return cmd.ProcessState.ExitCode(), stderr.String()
}

var looksSecret = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[AB]Q[A-Za-z0-9_-]{40,}|hush-hush`) })

// shownParameter matches the random parameters that the authorize URL shows on purpose.
// In one of a thousand logins, such a parameter looks like a token.
var shownParameter = regexp.MustCompile(`(code_challenge|state)=[A-Za-z0-9_-]+`)

// discreet checks the output for secrets, instead of the canaries: there are thousands
// of runs.
func (v *victim) discreet(stderr string) {
	if looksSecret().MatchString(shownParameter.ReplaceAllString(stderr, "")) {
		v.t.Error("a secret is shown on standard error")
	}
}

func (v *victim) apply(login string) (int, string) {
	v.t.Helper()
	cmd, stderr := v.command("apply", "--login", login)
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	return v.end(cmd, stderr)
}

// must applies and checks that apply succeeds.
func (v *victim) must(login string) {
	v.t.Helper()
	if code, stderr := v.apply(login); code != 0 {
		v.t.Fatalf("exit %d\n%s", code, stderr)
	}
}

var envFile, webFile = regexp.MustCompile(`^# mine\nOTHER=1\nSPOTIFY_ACCESS_TOKEN=(BQ[\w-]+)\n$`),
	regexp.MustCompile(`^TOKEN=(BQ[\w-]+) # by hand\r\nexport X='y'\r\nUNTIL=2\d\d\d-\S+Z\r\n$`)

// tokens returns the access tokens in the files of v. A file that is torn, empty or
// missing gives "".
func (v *victim) tokens() (state string, outputs [3]string) {
	f := v.files()
	for i, m := range [][]string{envFile.FindStringSubmatch(f[".env"]), webFile.FindStringSubmatch(f["web/.env"])} {
		if m != nil {
			outputs[i] = m[1]
		}
	}
	access := func(text string) string {
		if !strings.HasSuffix(text, "}\n") {
			return ""
		}
		return field(v.t, []byte(text), "access_token")
	}
	outputs[2] = access(f["token.json"])
	return access(f[stateFileName]), outputs
}

// settled checks that every file is whole and has state's token.
func (v *victim) settled(when string) {
	v.t.Helper()
	if state, outputs := v.tokens(); state == "" || outputs != [3]string{state, state, state} {
		v.t.Errorf("%s: the files do not all have the token that state has", when)
	}
}

// readable checks that the program itself finds no error in its state.
func (v *victim) readable() {
	cmd, stderr := v.command("status")
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	// Exit code 4 means that the program has believed a false invalid_grant.
	if code, stderr := v.end(cmd, stderr); code != 0 && code != 4 {
		v.t.Errorf("status: exit %d\n%s", code, stderr)
	}
}
