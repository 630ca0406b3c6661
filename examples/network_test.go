package examples

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// TestNetwork runs the program through every fault at each grant. A row has the exit
// code, the messages, the number of requests and the state afterwards, and the result
// of the next run once the fault is over. With -v, TestNetwork prints the table.
func TestNetwork(t *testing.T) {
	t.Parallel()
	thief := newThief(t)
	rows := troubles(thief.URL)
	lines := make([][]string, len(rows))
	slots := make(chan struct{}, 32) // most rows sleep, but -parallel would count them as working
	var wg sync.WaitGroup
	for i, r := range rows {
		lines[i] = make([]string, len(grants))
		for j, g := range grants {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				t.Run(g.name+"/"+r.name, func(t *testing.T) { lines[i][j] = try(t, g, r, r.want[j]) })
			})
		}
	}
	wg.Wait()
	for j := range grants {
		for i := range rows {
			if lines[i][j] != "" { // -run may leave some out
				t.Log(lines[i][j])
			}
		}
	}
	if n := thief.requests.Load(); n != 0 {
		t.Errorf("%d requests were replayed to another host", n)
	}
}

// grant is one way to get a token: the profile, and the server's options.
type grant struct {
	name, client, doing string
	server              sandbox.Options
	login               bool // a first login, without state
}

const (
	confidential = "client: {id: app, secret: hush-hush}\nscopes: [user-library-read, streaming]\nredirect_uri: http://127.0.0.1/callback\n"
	public       = "client: {id: app}\nscopes: [user-library-read, streaming]\nredirect_uri: http://127.0.0.1/callback\n"
	machine      = "client: {id: app, secret: hush-hush}\ngrant: client_credentials\n"
)

var grants = []grant{
	{"login", confidential, "logging in", sandbox.Options{AnyApp: true}, true},
	{"login-pkce", public, "logging in", sandbox.Options{AnyApp: true}, true},
	{"refresh", confidential, "refreshing", sandbox.Options{AnyApp: true}, false},
	{"refresh-rotating", public, "refreshing", sandbox.Options{AnyApp: true, RotatePKCE: true}, false},
	{"client-credentials", machine, "requesting a token", sandbox.Options{AnyApp: true}, false},
}

// try lets g meet r's fault, and returns the result for the table.
func try(t *testing.T, g grant, r row, want outcome) string {
	server, url := spotify(t, g.server)
	x := &trial{t: t, server: server, dir: t.TempDir(), url: url}
	write(t, filepath.Join(x.dir, "tokenform.yaml"), "profile: dev\n"+g.client+
		"outputs:\n  - {type: env, path: .env, keys: {access_token: TOKEN}}\n  - {type: json, path: token.json}\n")
	write(t, x.file(".env"), "# mine\nOTHER=1\n")
	if !g.login {
		if code, stderr := x.apply("paste"); code != 0 {
			t.Fatalf("before the fault: exit %d\n%s", code, stderr)
		}
		expire(t, x.file(stateFileName))
	}

	// From here on, the fault is there.
	before, asked := x.files(), server.Count("/api/token")
	if r.before != nil {
		r.before(x)
	}
	if r.times != 0 {
		server.Inject("/api/token", r.fault, r.times)
	}
	mode := "never"
	if g.login {
		mode = "paste"
	}
	code, stderr := x.apply(mode, "--debug")
	after := x.files()
	arrived := server.Count("/api/token") - asked
	tries := len(regexp.MustCompile(`(?m)^debug: POST \S+/api/token \(try `).FindAllString(stderr, -1))
	state := compare(before[stateFileName], after[stateFileName])
	line := fmt.Sprintf("%-18s  %-39s  exit %d  %d tried  %d arrived  %-9s", g.name, r.name, code, tries, arrived, state)
	if x.measure {
		t.Logf("%s: at most %.1f MiB of memory", r.name, float64(x.peak)/1024)
	}
	if code != want.exit || tries != want.tries || arrived != want.arrived || state != want.state {
		t.Errorf("got  %s\nwant %59s  exit %d  %d tried  %d arrived  %s\n%s", line, "", want.exit, want.tries, want.arrived, want.state, stderr)
	}
	checkWords(t, g, want, stderr)
	checkOutputs(t, code == 0, before, after)
	if x.measure && runtime.GOOS == "linux" && (x.peak == 0 || x.peak > 32<<10) {
		t.Errorf("it took %d KiB of memory", x.peak)
	}
	if want.check != nil && state == "new" {
		want.check(t, after[stateFileName])
	}

	// From here on, the fault is over.
	server.Inject("/api/token", faults.Fault{}, 0)
	x.url, x.env, x.measure = url, nil, false
	forgive(t, x.file(stateFileName))
	x.recover(g, want, before[stateFileName])
	return fmt.Sprintf("%s  then exit %d", line, want.next)
}

// recover applies again after the fault. The login in state from before the fault may
// be lost only if want says so.
func (x *trial) recover(g grant, want outcome, before string) {
	count, mode := x.server.Count("/api/token"), "never"
	if g.login {
		mode = "browser"
	}
	code, stderr := x.apply(mode)
	asked := x.server.Count("/api/token") - count
	if code != want.next {
		x.t.Fatalf("afterwards: exit %d, want %d\n%s", code, want.next, stderr)
	}
	now := x.files()[stateFileName]
	if code == 4 {
		// The login is lost, as want says. But state must keep the token, and a login
		// must help.
		if want.state != "new" && compare(before, now) != "marked" {
			x.t.Errorf("afterwards state is %s", compare(before, now))
		}
		if code, stderr := x.apply("browser"); code != 0 {
			x.t.Errorf("a login does not mend it: exit %d\n%s", code, stderr)
		}
		return
	}
	if want.exit == 0 && asked != 0 {
		x.t.Errorf("a second apply sent %d token requests", asked)
	}
	if g.name == "refresh" && field(x.t, []byte(now), "refresh_token") != field(x.t, []byte(before), "refresh_token") {
		x.t.Error("the refresh token is another one, although none was issued")
	}
	// The stored token must work at the next refresh.
	expire(x.t, x.file(stateFileName))
	if code, stderr := x.apply("never"); code != 0 {
		x.t.Errorf("the next refresh: exit %d\n%s", code, stderr)
	}
}

// checkWords compares the error and its hint. A run that must succeed must have
// neither.
func checkWords(t *testing.T, g grant, want outcome, stderr string) {
	t.Helper()
	var errors, hints []string
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "error: ") {
			errors = append(errors, line)
		}
		if strings.HasPrefix(line, "hint: ") {
			hints = append(hints, line)
		}
	}
	if want.exit == 0 {
		if len(errors)+len(hints) > 0 || strings.Contains(stderr, "warning: ") {
			t.Errorf("it succeeds and says\n%s", stderr)
		}
		return
	}
	if said := strings.Join(errors, ""); len(errors) != 1 || !strings.Contains(said, want.message) ||
		!strings.HasPrefix(said, "error: dev: "+g.doing+": ") && !strings.HasPrefix(said, "error: dev: "+want.message) {
		t.Errorf("it says %q, want %q", errors, want.message)
	}
	if (want.hint == "") != (len(hints) == 0) || !strings.Contains(strings.Join(hints, ""), want.hint) {
		t.Errorf("it hints %q, want %q", hints, want.hint)
	}
}

// checkOutputs checks that the outputs have the new token after a success, and are
// untouched otherwise.
func checkOutputs(t *testing.T, ok bool, before, after map[string]string) {
	t.Helper()
	token := ""
	if ok && after[stateFileName] != "" {
		token = field(t, []byte(after[stateFileName]), "access_token")
	}
	for _, name := range []string{".env", "token.json"} {
		if !ok && before[name] != after[name] {
			t.Errorf("%s has changed", name)
		}
		if ok && (token == "" || !strings.Contains(after[name], token)) {
			t.Errorf("%s does not hold the new token", name)
		}
	}
	if !strings.HasPrefix(after[".env"], "# mine\nOTHER=1\n") {
		t.Error("what was in .env is gone")
	}
	for name := range after {
		if strings.HasSuffix(name, "tmp") {
			t.Errorf("%s is left over", name)
		}
	}
}
