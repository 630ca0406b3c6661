package examples

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// trouble is a problem that a disk can cause, and what the program must do then: its
// exit code, its messages, the number of token requests, the content of state and
// outputs afterwards, and the next run.
type trouble struct {
	name     string
	first    bool   // nobody has logged in yet; else a token is stored
	valid    bool   // the stored token is still valid; else it has expired, and its refresh token dies when it is used
	ordinary bool   // an ordinary user runs the program, because permissions do not stop root
	mount    string // where in the project a file system of 64 KiB is mounted
	before   func(*disk)
	during   func(*disk) // while the server answers
	after    func(*disk) // ends the trouble
	args     []string    // nil means apply --login never

	exit     int
	message  string // part of the error, or of the warning if there is no error
	hint     string
	requests int
	state    string // old, new, or none
	outputs  string // .env and token.json: each old, new, none, or torn
	next     int    // token requests of the next apply, which succeeds
}

// disk is a project on a real file system, with outputs in a directory of their own.
type disk struct {
	*testing.T
	server *faults.Server
	dir    string
	env    []string
	user   *syscall.SysProcAttr // the user who runs the program; nil means the user who runs the tests
}

const diskProfile = `profile: dev
client: {id: app, secret: hush-hush}
redirect_uri: http://127.0.0.1/callback
scopes: [streaming]
outputs:
  - {type: env, path: out/.env, keys: {access_token: TOKEN}}
  - {type: json, path: out/token.json}
`

var firstLogin = []string{"apply", "--login", "browser", "--login-timeout", "20s"}

// mine is the user's own text in .env.
const mine = "# mine\nOTHER=1\n"

func newDisk(t *testing.T) *disk {
	t.Helper()
	server, url := spotify(t, sandbox.Options{AnyApp: true, RotateAll: true})
	d := &disk{T: t, server: server, dir: t.TempDir()}
	d.env = surroundings(d.dir, url, "BROWSER="+robot(t))
	write(t, d.path("tokenform.yaml"), diskProfile)
	for _, name := range []string{"out", ".tokenform"} {
		d.must(os.Mkdir(d.path(name), 0o700))
	}
	return d
}

func (d *disk) path(name string) string {
	if name == stateFileName {
		return stateAt(filepath.Join(d.dir, ".tokenform"), filepath.Base(name))
	}
	return filepath.Join(d.dir, filepath.FromSlash(name))
}

func (d *disk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// read returns the content of a file; nil means that there is no regular file.
func (d *disk) read(name string) []byte {
	if info, err := os.Stat(d.path(name)); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	b, err := os.ReadFile(d.path(name))
	d.must(err)
	return b
}

// tokenform runs the program, and calls during while the server answers.
func (d *disk) tokenform(during func(*disk), args ...string) (code, requests int, stdout, stderr string) {
	d.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = d.dir, d.env, d.user
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	asked := d.server.Count("/api/token")
	if during != nil {
		d.server.Inject("/api/token", faults.Slow(150*time.Millisecond), 1)
	}
	d.must(cmd.Start())
	if during != nil {
		reached(d, d.server, "/api/token", asked)
		during(d)
	}
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		d.Fatal(err)
	}
	remember(args, out.String(), errs.String())
	return cmd.ProcessState.ExitCode(), d.server.Count("/api/token") - asked, out.String(), errs.String()
}

// withstand runs the program through every trouble. With -v, withstand prints the
// table.
func withstand(t *testing.T, troubles []trouble) {
	lines := make([]string, len(troubles))
	t.Run("rows", func(t *testing.T) {
		for i, x := range troubles {
			t.Run(x.name, func(t *testing.T) { t.Parallel(); lines[i] = x.meet(t) })
		}
	})
	for _, line := range lines {
		if line != "" { // empty if the trouble was skipped, or left out by -run
			t.Log(line)
		}
	}
}

func (x trouble) meet(t *testing.T) string {
	if x.mount != "" {
		ownMounts(t)
	}
	d := newDisk(t)
	if x.mount != "" {
		mountAt(t, "tmpfs", d.path(x.mount), "tmpfs", 0, "size=64k,nr_inodes=20,mode=700")
	}
	write(t, d.path("out/.env"), mine)
	if !x.first {
		if code, _, _, stderr := d.tokenform(nil, firstLogin...); code != 0 {
			t.Fatal(stderr)
		}
		if !x.valid {
			expire(t, d.path(stateFileName))
		}
	}
	state, env, object := d.read(stateFileName), d.read("out/.env"), d.read("out/token.json")
	if x.ordinary {
		d.become()
	}
	if x.before != nil {
		x.before(d)
	}
	args := x.args
	if args == nil {
		args = []string{"apply", "--login", "never"}
	}
	people := d.server.Count("/authorize")
	code, requests, stdout, stderr := d.tokenform(x.during, args...)
	now := d.read(stateFileName)
	outputs := compareFile(env, d.read("out/.env"), func(b []byte) bool { return string(b) == mine+"TOKEN="+field(t, now, "access_token")+"\n" }) +
		" " + compareFile(object, d.read("out/token.json"), func(b []byte) bool { return field(t, b, "access_token") == field(t, now, "access_token") })
	const outcome = "exit %d  %d requests  state %-4s  outputs %-9s"
	got := fmt.Sprintf(outcome, code, requests, compareFile(state, now, json.Valid), outputs)
	if want := fmt.Sprintf(outcome, x.exit, x.requests, x.state, x.outputs); got != want {
		t.Errorf("got  %s\nwant %s\n%s", got, want, stderr)
	}
	said := strings.Join(regexp.MustCompile(`(?m)^(error|warning): .*`).FindAllString(stderr, -1), "\n")
	if !strings.Contains(said, x.message) || !strings.Contains(stderr, "hint: ") && x.hint != "" || !strings.Contains(stderr, x.hint) ||
		strings.Contains(said, "error: dev: ") != (x.exit != 0) || x.message == "" && said != "" {
		t.Errorf("it says\n%swant %q and %q", stderr, x.message, x.hint)
	}
	if n := d.server.Count("/authorize") - people; x.exit != 0 && x.requests == 0 && n != 0 {
		t.Error("a person was asked to log in for nothing")
	}
	if args[0] == "apply" && stdout != "" || regexp.MustCompile(`[AB]Q[A-Za-z0-9_-]{60,}`).MatchString(stderr) {
		t.Errorf("it prints a token:\n%s%s", stdout, stderr)
	}

	if x.after != nil {
		x.after(d)
	}
	x.mend(d)
	return fmt.Sprintf("%-48s  %s  next: %d requests", x.name, got, x.next)
}

// mend applies again, and looks for leftovers.
func (x trouble) mend(d *disk) {
	login := "never"
	if x.first && x.state != "new" {
		login = "browser"
		if d.user != nil { // other users may not run the browser
			d.give(os.Geteuid())
			d.user = nil
		}
	}
	code, requests, _, stderr := d.tokenform(nil, "apply", "--login", login, "--login-timeout", "20s")
	if code != 0 || requests != x.next {
		d.Errorf("afterwards: exit %d after %d token requests, want %d\n%s", code, requests, x.next, stderr)
	}
	if code, _, stdout, _ := d.tokenform(nil, "plan", "--detailed-exitcode"); code != 0 {
		d.Errorf("afterwards plan says %s", stdout)
	}
	if string(d.read(".tokenform/.gitignore")) != "*\n" {
		d.Error("git does not ignore state")
	}
	d.must(filepath.WalkDir(d.dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tokenform-tmp") {
			d.Errorf("%s is left over", path)
		}
		return err
	}))
}

// compareFile returns one word for what happened to a file. whole reports whether new
// content is complete.
func compareFile(before, now []byte, whole func([]byte) bool) string {
	switch {
	case now == nil:
		return "none"
	case before != nil && bytes.Equal(before, now):
		return "old"
	case whole(now):
		return "new"
	}
	return "torn"
}
