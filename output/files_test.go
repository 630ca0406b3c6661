package output

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

// These secrets must never be in a message.
const (
	access  = "BQaccess-1_x"
	refresh = "AQrefresh"
	client  = "5ec3et5ec3et"
)

var expires = time.Date(2026, 11, 23, 21, 4, 5, 678, time.FixedZone("", 3600))

func someToken() *state.Token {
	return &state.Token{
		Profile: "dev", ClientID: "id", Grant: "authorization_code",
		Access: access, Type: "Bearer", Scopes: []string{"user-top-read", "streaming"},
		Expires: expires, Refresh: refresh, Authorized: expires.Add(-time.Hour),
	}
}

// disk is a directory, a profile that writes into it, and the warnings so far.
type disk struct {
	*testing.T
	dir   string
	p     config.Profile
	out   bytes.Buffer
	files *Files
	mu    sync.Mutex
	warn  []string

	recorded []state.Written // what state remembers
}

func newDisk(t *testing.T, outputs ...config.Output) *disk {
	d := &disk{T: t, dir: t.TempDir()}
	d.p = config.Profile{
		Name: "dev", Grant: config.AuthorizationCode, Scopes: []string{"streaming"},
		Client: config.Client{ID: config.Literal("id"), Secret: config.Literal(client)},
	}
	d.declare(outputs...)
	d.files = &Files{Out: &d.out, Warn: func(_, text, hint string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.warn = append(d.warn, text+" | "+hint)
	}}
	return d
}

func (d *disk) declare(outputs ...config.Output) {
	for i := range outputs {
		if outputs[i].Type != "stdout" {
			outputs[i].Path = filepath.Join(d.dir, outputs[i].Shown)
		}
	}
	d.p.Outputs = outputs
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *disk) write(name, content string, mode fs.FileMode) {
	d.Helper()
	if err := os.WriteFile(d.path(name), []byte(content), mode); err != nil {
		d.Fatal(err)
	}
}

func (d *disk) holds(name, want string) {
	d.Helper()
	b, err := os.ReadFile(d.path(name))
	if err != nil {
		d.Error(err)
	} else if diff := cmp.Diff(want, string(b)); diff != "" {
		d.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func (d *disk) read(name string) string {
	d.Helper()
	b, err := os.ReadFile(d.path(name))
	if err != nil {
		d.Fatal(err)
	}
	return string(b)
}

func (d *disk) lacks(name string) {
	d.Helper()
	if _, err := os.Lstat(d.path(name)); !errors.Is(err, fs.ErrNotExist) {
		d.Errorf("%s is there (%v)", name, err)
	}
}

// warned checks the warnings since the last call.
func (d *disk) warned(want ...string) {
	d.Helper()
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "DIR/", d.dir+string(filepath.Separator))
	}
	if diff := cmp.Diff(want, d.warn); diff != "" {
		d.Errorf("warnings (-want +got):\n%s", diff)
	}
	d.warn = nil
}

// apply does what flow does: apply plans, remembers and writes. The changes must agree
// with the plan, and a second plan must be empty.
func (d *disk) apply(t *state.Token) []flow.Change {
	d.Helper()
	planned, err := d.files.Stale(d.p, t, d.recorded, false)
	if err != nil {
		d.Fatal(err)
	}
	remembered := d.files.Remembered(d.p, t, d.recorded) // before the write, as in flow
	made, err := d.files.Write(d.Context(), d.p, t, d.recorded)
	if err != nil {
		d.Fatal(err)
	}
	if diff := cmp.Diff(changing(planned), made); diff != "" {
		d.Errorf("planned (-) is not what was made (+):\n%s", diff)
	}
	d.recorded = d.files.Remembered(d.p, t, remembered)
	again, err := d.files.Stale(d.p, t, d.recorded, false)
	if err != nil {
		d.Fatal(err)
	}
	for _, c := range changing(again) {
		if c.Action != flow.Print {
			d.Errorf("still to do: %+v", c)
		}
	}
	d.noSecrets(fmt.Sprint(planned, made, d.warn))
	return made
}

func changing(list []flow.Change) (rest []flow.Change) {
	for _, c := range list {
		if c.Action != flow.KeepOutput {
			rest = append(rest, c)
		}
	}
	return rest
}

func (d *disk) noSecrets(text string) {
	d.Helper()
	for _, s := range []string{access, refresh, client} {
		if strings.Contains(text, s) {
			d.Errorf("a secret is shown: %s", text)
		}
	}
}

// says compares changes in short: "create .env: missing [A B]".
func (d *disk) says(list []flow.Change, want ...string) {
	d.Helper()
	var got []string
	for _, c := range list {
		s := fmt.Sprintf("%s %s", c.Action, c.Shown)
		if c.Reason != "" {
			s += ": " + c.Reason
		}
		if c.Vars != nil {
			s += fmt.Sprint(" ", c.Vars)
		}
		got = append(got, s)
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "DIR/", d.dir+string(filepath.Separator))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.Errorf("changes (-want +got):\n%s", diff)
	}
}

func env(name string, keys ...string) config.Output {
	o := config.Output{Type: "env", Shown: name}
	for _, k := range keys {
		field, variable, _ := strings.Cut(k, "=")
		o.Keys = append(o.Keys, config.Key{Field: field, Variable: variable})
	}
	return o
}

func jsonFile(name string) config.Output {
	return config.Output{Type: "json", Shown: name, Format: "tokenform"}
}

const tokenFile = `{
  "access_token": "BQaccess-1_x",
  "token_type": "Bearer",
  "scope": "streaming user-top-read",
  "expires_at": "2026-11-23T20:04:05Z",
  "profile": "dev"
}
`

func TestCreateAndKeep(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env(".env", "access_token=T", "scope=S"), jsonFile("token.json"))
	tok := someToken()
	d.says(d.apply(tok), "create .env: missing [T S]", "create token.json: missing")
	d.holds(".env", "T=BQaccess-1_x\nS='streaming user-top-read'\n")
	d.holds("token.json", tokenFile)
	before := map[string]fs.FileInfo{}
	for _, name := range []string{".env", "token.json"} {
		info, err := os.Stat(d.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
		before[name] = info
	}
	planned, err := d.files.Stale(d.p, tok, d.recorded, false)
	if err != nil {
		t.Fatal(err)
	}
	d.says(planned, "keep .env", "keep token.json")
	d.says(d.apply(tok))
	for name, info := range before {
		if after, err := os.Stat(d.path(name)); err != nil || !os.SameFile(info, after) || !info.ModTime().Equal(after.ModTime()) {
			t.Errorf("%s was touched (%v)", name, err)
		}
	}
	if entries, err := os.ReadDir(d.dir); err != nil || len(entries) != 2 {
		t.Errorf("litter: %v, %v", entries, err)
	}
	d.warned()
}

func TestFields(t *testing.T) {
	t.Parallel()
	all := func() *disk {
		var keys []string
		for _, f := range config.Fields {
			keys = append(keys, f+"="+strings.ToUpper(f))
		}
		return newDisk(t, env(".env", keys...))
	}
	d := all()
	d.apply(someToken())
	d.holds(".env", `ACCESS_TOKEN=BQaccess-1_x
TOKEN_TYPE=Bearer
SCOPE='streaming user-top-read'
EXPIRES_AT=2026-11-23T20:04:05Z
REFRESH_TOKEN=AQrefresh
AUTHORIZED_AT=2026-11-23T19:04:05Z
CLIENT_ID=id
CLIENT_SECRET=5ec3et5ec3et
PROFILE=dev
`)
	// The server never named the scopes, the time of consent is not known, and there is
	// no secret and no refresh token.
	d = all()
	d.p.Client.Secret = nil
	tok := someToken()
	tok.Scopes, tok.Authorized, tok.Refresh = nil, time.Time{}, ""
	d.apply(tok)
	d.holds(".env", `ACCESS_TOKEN=BQaccess-1_x
TOKEN_TYPE=Bearer
SCOPE=streaming
EXPIRES_AT=2026-11-23T20:04:05Z
REFRESH_TOKEN=
AUTHORIZED_AT=
CLIENT_ID=id
CLIENT_SECRET=
PROFILE=dev
`)
}

func TestJSONWithRefreshToken(t *testing.T) {
	t.Parallel()
	o := jsonFile("token.json")
	o.RefreshToken = true
	d := newDisk(t, o)
	tok := someToken()
	tok.Type = "<&>" // JSON must not escape these characters
	d.apply(tok)
	b, err := os.ReadFile(d.path("token.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"access_token": access, "token_type": "<&>", "scope": "streaming user-top-read", "expires_at": "2026-11-23T20:04:05Z",
		"refresh_token": refresh, "authorized_at": "2026-11-23T19:04:05Z", "profile": "dev",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(b), `"<&>"`) {
		t.Errorf("escaped: %s", b)
	}
	tok.Authorized = time.Time{}
	d.apply(tok)
	if b, _ := os.ReadFile(d.path("token.json")); bytes.Contains(b, []byte("authorized_at")) {
		t.Errorf("an unknown time is written: %s", b)
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	d := newDisk(t, jsonFile("token.json"))
	d.apply(someToken())
	d.declare(env(".env", "access_token=T", "expires_at=E"), jsonFile("token.json"))
	d.write(".env", "# mine\nA=1\r\nexport T=\"old\" # why\nB='x y'", 0o640)
	d.write("token.json", tokenFile[:30], 0o600)
	d.says(d.apply(someToken()), "update .env: E missing; T changed [T E]", "update token.json: differs")
	d.holds(".env", "# mine\nA=1\r\nexport T=BQaccess-1_x # why\nB='x y'\nE=2026-11-23T20:04:05Z\n")
	d.holds("token.json", tokenFile)
	if info, err := os.Stat(d.path(".env")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("the mode changed: %v, %v", info.Mode(), err)
	}
	if runtime.GOOS != "windows" {
		d.warned(".env contains a secret that other users can read | chmod 600 DIR/.env")
	}
}

func TestReadableByOthersMatters(t *testing.T) {
	t.Parallel()
	// An output without a secret gives no warning.
	d := newDisk(t, env(".env", "expires_at=E", "profile=P"))
	d.write(".env", "", 0o644)
	d.apply(someToken())
	d.warned()
}

func TestStaleBeforeAGrant(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env(".env", "access_token=T", "client_id=I"), env("app.env", "profile=P", "client_secret=C"), jsonFile("token.json"), config.Output{Type: "stdout", Format: "token"})
	fresh := func(tok *state.Token, want ...string) {
		t.Helper()
		changes, err := d.files.Stale(d.p, tok, d.recorded, true)
		if err != nil {
			t.Fatal(err)
		}
		d.says(changes, want...)
	}
	fresh(nil, "create .env: missing [T I]", "create app.env: missing [P C]", "create token.json: missing", "print standard output")
	tok := someToken()
	d.apply(tok)
	fresh(tok, "update .env: new token [T]", "keep app.env", "update token.json: new token", "print standard output")
	fresh(nil, "update .env: new token [T]", "keep app.env", "update token.json: new token", "print standard output")
	d.write(".env", "A=1\n", 0o600)
	d.write("app.env", "P=prod\nC=other\n", 0o600)
	fresh(tok, "update .env: T, I missing [T I]", "update app.env: P, C changed [P C]", "update token.json: new token", "print standard output")
}

func TestSeveralOutputsOfOneFile(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env(".env", "access_token=T"), env(".env", "profile=P"))
	tok := someToken()
	d.says(d.apply(tok), "create .env: missing [T P]")
	d.holds(".env", "T=BQaccess-1_x\nP=dev\n")
	d.declare(env(".env", "access_token=T"))
	d.says(d.apply(tok), "update .env: P no longer declared [P]")
	d.holds(".env", "T=BQaccess-1_x\n")
}

// TestSecretFromACommand has a client secret that only a command can tell. The command
// must run when the secret is written, and never just to find out whether the output
// differs.
func TestSecretFromACommand(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the command of this test is a shell's")
	}
	d := newDisk(t)
	runs := 0
	load := func() {
		t.Helper()
		yaml := `profile: dev
client: {id: id, secret: {command: [sh, -c, "echo x >> runs; echo ` + client + `"]}}
scopes: [streaming]
outputs: [{type: env, path: .env, keys: {access_token: T, client_secret: C}}]
`
		d.write("p.yaml", yaml, 0o600)
		profiles, problems := config.Load(t.Context(), config.Sources{Env: func(string) (string, bool) { return "", false }, Dir: d.dir}, []string{"p.yaml"})
		if len(problems.Errors()) > 0 {
			t.Fatal(problems)
		}
		d.p = profiles[0]
	}
	ran := func(more int) {
		t.Helper()
		b, _ := os.ReadFile(d.path("runs"))
		if runs += more; bytes.Count(b, []byte("x")) != runs {
			t.Errorf("ran %d times, want %d", bytes.Count(b, []byte("x")), runs)
		}
	}
	tok := someToken()
	load()
	if changes, err := d.files.Stale(d.p, tok, d.recorded, false); err != nil {
		t.Fatal(err)
	} else {
		d.says(changes, "create .env: missing [T C]")
	}
	ran(0)
	d.apply(tok)
	d.holds(".env", "T=BQaccess-1_x\nC="+client+"\n")
	ran(1)

	load() // another process, which does not know the secret
	tok.Access = "BQsecond"
	d.says(d.apply(tok), "update .env: T changed [T]")
	d.holds(".env", "T=BQsecond\nC="+client+"\n")
	ran(0)
	if got := d.files.Remembered(d.p, tok, d.recorded)[0].Vars["C"]; got != state.Digest(client) {
		t.Errorf("the record lost the secret's digest: %q", got)
	}

	load()
	d.write(".env", "T=BQsecond\nC=tampered\n", 0o600)
	d.says(d.apply(tok), "update .env: C changed [C]")
	d.holds(".env", "T=BQsecond\nC="+client+"\n")
	ran(1)
}

func TestNoLongerDeclared(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env(".env", "access_token=T", "refresh_token=R"), env("own.env", "access_token=T"), env("prefs.env", "access_token=T"), jsonFile("a.json"), jsonFile("b.json"))
	d.write(".env", "A=1\n", 0o600)
	d.write("prefs.env", "# mine\n", 0o600)
	tok := someToken()
	d.apply(tok)
	d.write("b.json", "{}", 0o600) // the file is no longer ours
	d.write("prefs.env", "# mine\nT=\"BQaccess-1_x\"\n", 0o600)
	d.declare(env(".env", "access_token=T"))
	d.says(d.apply(tok),
		"update .env: R no longer declared [R]",
		"delete DIR/own.env: no longer declared [T]",
		"delete DIR/prefs.env: no longer declared [T]",
		"delete DIR/a.json: no longer declared")
	d.holds(".env", "A=1\nT=BQaccess-1_x\n")
	d.holds("prefs.env", "# mine\n")
	d.holds("b.json", "{}")
	d.lacks("own.env")
	d.lacks("a.json")
	d.warned("DIR/b.json was changed since tokenform wrote it: left it there | delete it if you do not need it")

	// A variable of ours that somebody changed stays, even if only one of its
	// assignments has changed.
	d.declare(env(".env", "access_token=T", "refresh_token=R"), env("own.env", "access_token=T"))
	d.apply(tok)
	d.write(".env", "T=BQaccess-1_x\nR=AQrefresh\nR=theirs\n", 0o600)
	d.write("own.env", "T=$theirs\n", 0o600)
	d.declare(env(".env", "access_token=T"))
	d.says(d.apply(tok))
	d.holds(".env", "T=BQaccess-1_x\nR=AQrefresh\nR=theirs\n")
	d.holds("own.env", "T=$theirs\n")
	d.warned(".env was changed since tokenform wrote it: left R there | delete it if you do not need it",
		"DIR/own.env was changed since tokenform wrote it: left T there | delete it if you do not need it")

	// An output that is gone, or has become something else, need not be taken back.
	d.declare(jsonFile("gone.json"), jsonFile("dir.json"), env("sub.env", "access_token=T"))
	d.apply(tok)
	for _, name := range []string{"gone.json", "dir.json", "sub.env"} {
		if err := os.Remove(d.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(d.path("dir.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.declare()
	d.says(d.apply(tok))
	d.warned()
}

func TestTypeOfAPathChanges(t *testing.T) {
	t.Parallel()
	d := newDisk(t, jsonFile("out"))
	tok := someToken()
	d.apply(tok)
	d.declare(env("out", "access_token=T"))
	d.says(d.apply(tok), "update out: T missing [T]")
	d.holds("out", "T=BQaccess-1_x\n")
	d.declare(jsonFile("out"))
	d.says(d.apply(tok), "update out: differs")
	d.holds("out", tokenFile)
}

func TestTakeBack(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env(".env", "access_token=T"), jsonFile("token.json"), jsonFile("changed.json"), config.Output{Type: "stdout", Format: "token"})
	d.write(".env", "A=1\nT=\n", 0o600)
	tok := someToken()
	d.apply(tok)
	d.write("changed.json", "{}", 0o600)
	planned, err := d.files.Leftovers(d.p, d.recorded)
	if err != nil {
		t.Fatal(err)
	}
	d.says(planned, "delete .env [T]", "delete token.json")
	d.holds(".env", "A=1\nT=BQaccess-1_x\n")
	made, err := d.files.TakeBack(t.Context(), d.p, d.recorded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(planned, made); diff != "" {
		t.Errorf("planned (-) is not what was made (+):\n%s", diff)
	}
	d.holds(".env", "A=1\n")
	d.holds("changed.json", "{}")
	d.lacks("token.json")
	d.warned("changed.json was changed since tokenform wrote it: left it there | delete it if you do not need it")
}

func TestSymlinkedOutput(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env(".env", "access_token=T"))
	if err := os.Mkdir(d.path("real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("real", "env"), d.path(".env")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	tok := someToken()
	d.says(d.apply(tok), "create .env: missing [T]")
	d.holds("real/env", "T=BQaccess-1_x\n")
	if _, err := d.files.TakeBack(t.Context(), d.p, d.recorded); err != nil {
		t.Fatal(err)
	}
	d.holds("real/env", "") // the target of a link is emptied, not deleted
	if _, err := os.Readlink(d.path(".env")); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	d := newDisk(t,
		jsonFile("dir"), env("no/such/.env", "access_token=T"), env("file/.env", "access_token=T"), env("utf16.env", "access_token=T"),
		env("value.env", "client_secret=C"), jsonFile("dangling.json"), jsonFile("good.json"), config.Output{Type: "stdout", Format: "token"})
	if err := errors.Join(os.Mkdir(d.path("dir"), 0o700), os.Symlink("nowhere/token.json", d.path("dangling.json"))); err != nil {
		t.Fatal(err)
	}
	d.write("file", "", 0o600)
	d.write("utf16.env", "\xff\xfeA\x00", 0o600)
	d.p.Client.Secret = config.Literal(client + "'")
	tok := someToken()
	want := []string{
		"dir: is a directory | name another path in the profile, or move away what is there",
		"file/.env: file is a file, and not a directory | name another path in the profile, or move that file away",
		"utf16.env: is not a UTF-8 text file | save it as UTF-8; PowerShell's > writes UTF-16",
		"value.env: a dotenv file cannot represent the value of C: it contains a single quote | use a json output for it",
	}
	check := func(err error, want []string) {
		t.Helper()
		if err == nil {
			t.Errorf("no error, want %q", want)
			return
		}
		var got []string
		for _, e := range fault.Split(err) {
			got = append(got, e.Error()+" | "+fault.HintOf(e))
		}
		for i := range got {
			got[i] = filepath.ToSlash(strings.ReplaceAll(got[i], d.dir, "DIR"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("errors (-want +got):\n%s", diff)
		}
		d.noSecrets(err.Error())
	}
	planned, err := d.files.Stale(d.p, tok, d.recorded, false)
	check(err, want)
	d.says(planned, "create no/such/.env: missing, as is its directory [T]", "create dangling.json: missing", "create good.json: missing", "print standard output")

	// If one output fails, no file is written and nothing is printed.
	nothing := func(want []string) {
		t.Helper()
		made, err := d.files.Write(t.Context(), d.p, tok, d.recorded)
		check(err, want)
		d.says(made)
		d.lacks("good.json")
		d.lacks(".good.json.tokenform-tmp")
		if d.out.Len() > 0 {
			t.Error("the token was printed")
		}
	}
	nothing(want)
	// This failure shows only when the new contents are staged beside the files.
	d.declare(jsonFile("good.json"), jsonFile("dangling.json"), config.Output{Type: "stdout", Format: "token"})
	nothing([]string{"dangling.json: its directory does not exist | mkdir -p DIR/nowhere"})
	d.declare(jsonFile("good.json"), config.Output{Type: "stdout", Format: "token"})
	made, err := d.files.Write(t.Context(), d.p, tok, d.recorded)
	if err != nil {
		t.Fatal(err)
	}
	d.says(made, "create good.json: missing", "print standard output")
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	d := newDisk(t, jsonFile("token.json"))
	unlock := lockDir(t, d.path("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.files.Write(ctx, d.p, someToken(), d.recorded)
	if fault.KindOf(err) != fault.Interrupted {
		t.Errorf("while waiting for the lock: %v", err)
	}
	d.lacks("token.json")
	unlock()
	// Write writes a stored token even if ctx has ended, if there is nothing to wait
	// for.
	if _, err := d.files.Write(ctx, d.p, someToken(), d.recorded); err != nil {
		t.Error(err)
	}
	d.holds("token.json", tokenFile)
}

// TestSharedFile lets many profiles write their variables to one file at once.
func TestSharedFile(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	d.write(".env", "# shared\n", 0o600)
	const n = 12
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		p := d.p
		p.Name = fmt.Sprint("p", i)
		o := env(".env", fmt.Sprintf("profile=P%d", i))
		o.Path = d.path(".env")
		p.Outputs = []config.Output{o}
		wg.Go(func() { _, errs[i] = d.files.Write(t.Context(), p, someToken(), d.recorded) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(d.path(".env"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if line := fmt.Sprintf("\nP%d=p%d\n", i, i); !bytes.Contains(b, []byte(line)) {
			t.Errorf("%q is lost", line)
		}
	}
}
