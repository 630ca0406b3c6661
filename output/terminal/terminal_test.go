package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// speaking returns a voice for people, with changes to its options.
func speaking(out, errs *bytes.Buffer, changes ...func(*Options)) *human {
	o := Options{Out: out, Err: errs, Now: func() time.Time { return noon }}
	for _, change := range changes {
		change(&o)
	}
	return New(o).(*human)
}

func quiet(o *Options) { o.Quiet = true }
func live(o *Options)  { o.Live = true }

// outcomes returns an outcome of every kind.
func outcomes() []flow.Outcome {
	profile := func(name string, g config.Grant) config.Profile {
		return config.Profile{Name: name, Grant: g, Scopes: []string{"streaming", "user-top-read"}, LoginLifetime: 180 * 24 * time.Hour}
	}
	token := func() *state.Token {
		return &state.Token{
			Access: "BQ-canary", Refresh: "AQ-canary", Scopes: []string{"streaming"}, Obtained: noon, Expires: noon.Add(52 * time.Minute),
			Authorized: noon.Add(-24 * time.Hour), Account: &state.Account{ID: "somebody"},
		}
	}
	env := func(a flow.OutputAction, reason string) flow.Change {
		return flow.Change{Type: "env", Path: "/p/.env", Shown: ".env", Action: a, Reason: reason, Vars: []string{"TOKEN"}}
	}
	rejected := token()
	rejected.Rejected, rejected.Expires, rejected.Account = noon, noon.Add(-2*time.Hour), nil
	return []flow.Outcome{
		{Profile: profile("kept", config.AuthorizationCode), Token: token(), Decision: flow.Decision{Action: flow.Keep, Reason: "valid for 52m"}, Outputs: []flow.Change{env(flow.KeepOutput, "")}},
		{Profile: profile("new", config.PKCE), Decision: flow.Decision{Action: flow.Login, Reason: "not logged in yet"}, Outputs: []flow.Change{env(flow.Create, "missing"), {Type: "stdout", Shown: "standard output", Action: flow.Print}}},
		{Profile: profile("stale", config.AuthorizationCode), Token: rejected, Decision: flow.Decision{Action: flow.Refresh, Reason: "expired 2h ago, refused on 2026-11-23"}, Outputs: []flow.Change{env(flow.Update, "TOKEN changed"), {Type: "json", Shown: "old.json", Action: flow.DeleteOutput, Reason: "no longer declared"}}},
		{Profile: profile("app", config.ClientCredentials), Decision: flow.Decision{Action: flow.Request, Reason: "no token yet"}},
		{Profile: profile("broken", config.PKCE), Err: &fault.Error{Message: "a file\x1b[2Jname: is damaged", Hint: "mend it"}},
	}
}

func TestPlanText(t *testing.T) {
	var out, errs bytes.Buffer
	speaking(&out, &errs).Planned(outcomes(), true)
	const want = `kept: keep, valid for 52m
new: log in, not logged in yet
  + .env: missing
  > standard output
stale: refresh, expired 2h ago, refused on 2026-11-23
  ~ .env: TOKEN changed
  - old.json: no longer declared
app: request a token, no token yet

Plan: 1 to refresh, 1 to log in, 1 to request, 1 unchanged, 1 cannot be planned; 2 outputs to write, 1 output to delete
`
	if out.String() != want {
		t.Errorf("standard output:\n%s\nwant:\n%s", out.String(), want)
	}
	if want := "error: broken: a file\\x1b[2Jname: is damaged\nhint: mend it\n"; errs.String() != want {
		t.Errorf("standard error:\n%s\nwant:\n%s", errs.String(), want)
	}
}

func TestResultsText(t *testing.T) {
	results := outcomes()[2:] // the other outcomes have no token
	results[0].Done = true
	var out, errs bytes.Buffer
	speaking(&out, &errs).Applied(results)
	const want = `stale: refreshed, valid for 0s; login refused on 2026-11-23
  ~ .env
  - old.json
app: requested a token, no token yet
error: broken: a file\x1b[2Jname: is damaged
hint: mend it

Applied: 1 refreshed, 1 requested, 1 failed; 1 output written, 1 output deleted
`
	if errs.String() != want || out.Len() > 0 {
		t.Errorf("standard error:\n%s\nwant:\n%s", errs.String(), want)
	}
	errs.Reset()
	speaking(&out, &errs, quiet).Applied(results)
	if want := "error: broken: a file\\x1b[2Jname: is damaged\nhint: mend it\n"; errs.String() != want {
		t.Errorf("quiet: %q", errs.String())
	}
}

// TestBroken checks that lines break between words on a terminal, and commands never.
func TestBroken(t *testing.T) {
	for text, want := range map[string]string{
		"it fits":                     "it fits",
		"one two three four five six": "one two three\n  four five six",
		"register https://developer.spotify.com/dashboard x": "register\n  https://developer.spotify.com/dashboard\n  x",
		"log in again: tokenform apply --renew -p x":         "log in again:\n  tokenform apply --renew -p x",
		"tokenform apply --renew -p x":                       "tokenform apply --renew -p x",
		"either chmod 600 x y z: tokenform apply":            "either chmod 600 x y z: tokenform apply",
	} {
		if got := broken(text, 6, 20); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestStoppedText checks that a run that a person has stopped counts nothing as failed,
// and that login, which is about one profile, counts nothing at all.
func TestStoppedText(t *testing.T) {
	stopped := []flow.Outcome{{Profile: config.Profile{Name: "web", Grant: config.PKCE}, Decision: flow.Decision{Action: flow.Login}, Err: context.Canceled}}
	var out, errs bytes.Buffer
	speaking(&out, &errs).Applied(stopped)
	if want := "error: web: interrupted\n"; errs.String() != want {
		t.Errorf("stopped: %q, want %q", errs.String(), want)
	}
	errs.Reset()
	speaking(&out, &errs, func(o *Options) { o.Command = "login" }).Applied(outcomes()[2:])
	if strings.Contains(errs.String(), "Applied") {
		t.Errorf("login:\n%s", errs.String())
	}
}

func TestStatusText(t *testing.T) {
	var out, errs bytes.Buffer
	speaking(&out, &errs).Status(outcomes(), nil, "", true)
	const want = `PROFILE  GRANT               TOKEN           LOGIN                  ACCOUNT   SCOPES         OUTPUTS
kept     authorization_code  valid for 52m   until 2027-05-21       somebody  1 (1 missing)  1 up to date
new      pkce                none            -                      -         -              1 of 1 to write
stale    authorization_code  expired 2h ago  refused on 2026-11-23  -         1 (1 missing)  2 of 2 to write
app      client_credentials  none            -                      -         -              -
broken   pkce                not known       not known              -         -              see the error
`
	if out.String() != want {
		t.Errorf("standard output:\n%s\nwant:\n%s", out.String(), want)
	}
	if want := "error: broken: a file\\x1b[2Jname: is damaged\nhint: mend it\n"; errs.String() != want {
		t.Errorf("standard error:\n%s\nwant:\n%s", errs.String(), want)
	}
	// The token is shown even if an output has an error.
	troubled := outcomes()[:1]
	troubled[0].Err, troubled[0].Outputs = errors.New("cannot be read"), nil
	out.Reset()
	speaking(&out, &errs).Status(troubled, nil, "", true)
	if want := "kept     authorization_code  valid for 52m  until 2027-05-21  somebody  1 (1 missing)  see the error\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("standard output:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestProblemsText(t *testing.T) {
	problems := config.Problems{
		{Pos: config.Pos{File: "a.yaml", Line: 3, Col: 9}, Message: `unknown scope "x"`, Hint: "did you mean y?", Line: "\tscopes: [x]"},
		{Pos: config.Pos{File: "a.yaml"}, Message: "other users can read it", Warning: true},
	}
	for _, c := range []struct {
		live, quiet bool
		want        string
	}{
		{false, false, "error: a.yaml:3:9: unknown scope \"x\"\nhint: did you mean y?\nwarning: a.yaml: other users can read it\n"},
		{true, false, "error: a.yaml:3:9: unknown scope \"x\"\n   scopes: [x]\n          ^\nhint: did you mean y?\nwarning: a.yaml: other users can read it\n"},
		{false, true, "error: a.yaml:3:9: unknown scope \"x\"\nhint: did you mean y?\n"},
	} {
		var out, errs bytes.Buffer
		speaking(&out, &errs, func(o *Options) { o.Live, o.Quiet = c.live, c.quiet }).Problems(problems)
		if errs.String() != c.want {
			t.Errorf("live %v, quiet %v:\n%s\nwant:\n%s", c.live, c.quiet, errs.String(), c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "error: dev: plain\n"},
		{&fault.Error{Message: "refreshing", Err: &fault.Error{Message: "no answer", Hint: "look at the network"}}, "error: dev: refreshing: no answer\nhint: look at the network\n"},
		{errors.Join(errors.New("one"), &fault.Error{Message: "two", Hint: "h"}), "error: dev: one\nerror: dev: two\nhint: h\n"},
		{fmt.Errorf("refreshing: %w", context.Canceled), "error: dev: interrupted\n"},
	} {
		var out, errs bytes.Buffer
		speaking(&out, &errs).Error("dev", c.err)
		if errs.String() != c.want {
			t.Errorf("%v:\n%s\nwant:\n%s", c.err, errs.String(), c.want)
		}
	}
}

func TestPromptText(t *testing.T) {
	prompt := flow.Prompt{Reason: "not logged in yet", URL: "https://accounts.example/authorize?x", Short: "http://127.0.0.1:8888/", RedirectURI: "http://127.0.0.1:8888/callback", Registered: "http://127.0.0.1/callback", App: "0123"}
	heard := func(listener string, q *flow.Prompt) { q.Browser, q.Paste, q.Listener = true, true, listener }
	const both = "dev: not logged in yet; log in to Spotify in the browser, or open this address yourself:\n\n  https://accounts.example/authorize?x\n\nyour app 0123 must list this redirect URI: http://127.0.0.1/callback\nthen wait here, or paste the address from the browser's address bar\n"
	const ssh = both + "hint: this is an SSH session; on the machine with the browser, run: ssh -L "
	for name, c := range map[string]struct {
		change func(*flow.Prompt)
		ssh    string
		want   string
	}{
		"browser": {func(q *flow.Prompt) { q.Browser = true }, "",
			"dev: not logged in yet; log in to Spotify in the browser, or open this address yourself:\n\n  https://accounts.example/authorize?x\n\nyour app 0123 must list this redirect URI: http://127.0.0.1/callback\n"},
		"both, over SSH":            {func(q *flow.Prompt) { heard("127.0.0.1:8888", q) }, "me@host", ssh + "8888:127.0.0.1:8888 me@host\n"},
		"bound elsewhere, over SSH": {func(q *flow.Prompt) { heard("0.0.0.0:9999", q) }, "me@host", ssh + "8888:127.0.0.1:9999 me@host\n"},
		"IPv6, over SSH": {func(q *flow.Prompt) {
			heard("[::1]:8888", q)
			q.RedirectURI = "http://[::1]:8888/callback"
		}, "me@host", ssh + "8888:[::1]:8888 me@host\n"},
		// The browser comes back through another machine, to which SSH does not lead.
		"https, over SSH": {func(q *flow.Prompt) {
			heard("0.0.0.0:8888", q)
			q.RedirectURI = "https://auth.example.com/callback"
		}, "me@host", both},
		"paste": {func(q *flow.Prompt) { q.Paste = true }, "me@host",
			"dev: not logged in yet; log in to Spotify at this address:\n\n  https://accounts.example/authorize?x\n\nyour app 0123 must list this redirect URI: http://127.0.0.1/callback\nthen paste the address from the browser's address bar (http://127.0.0.1:8888/callback?code=…), even if that page does not load\n"},
	} {
		t.Run(name, func(t *testing.T) {
			q := prompt
			c.change(&q)
			var out, errs bytes.Buffer
			v := speaking(&out, &errs, quiet, func(o *Options) { o.SSH = c.ssh }) // the address is printed even under quiet: the login needs it
			v.Ask("dev", q)
			v.Asked("dev")
			if errs.String() != c.want {
				t.Errorf("%q\nwant %q", errs.String(), c.want)
			}
		})
	}
}

// TestSpinner checks that the spinner draws on one line, gives way to messages and
// leaves nothing behind.
func TestSpinner(t *testing.T) {
	var out, errs bytes.Buffer
	v := speaking(&out, &errs, live)
	v.Ask("dev", flow.Prompt{URL: "u", Browser: true, Until: noon.Add(299 * time.Second)})
	time.Sleep(300 * time.Millisecond)
	v.Misanswered("dev", "no")
	v.Asked("dev")
	text := errs.String()
	if !strings.Contains(text, "waiting for the login, 4:59 left") || !strings.Contains(text, "\r\x1b[Kdev: no; still waiting\n") {
		t.Errorf("%q", text)
	}
	if last := text[strings.LastIndex(text, "\n")+1:]; strings.Contains(last, "left") && !strings.HasSuffix(last, "\r\x1b[K") {
		t.Errorf("the spinner is left on the screen: %q", last)
	}
}

// TestSpinnerStops checks that a tick which comes while the spinner stops draws
// nothing.
func TestSpinnerStops(t *testing.T) {
	var wg sync.WaitGroup
	var left atomic.Int32
	for i := range 300 {
		wg.Go(func() {
			out := &slow{}
			p := &lines{Options: Options{Err: out, Now: time.Now, Live: true}}
			p.start(time.Now().Add(time.Minute), func(left string) string { return "waiting for the login, " + left + " left" })
			time.Sleep(360*time.Millisecond + time.Duration(i%20)*50*time.Microsecond)
			p.stop()
			if s := out.String(); !strings.HasSuffix(s, "\r\x1b[K") {
				left.Add(1)
			}
		})
	}
	wg.Wait()
	if n := left.Load(); n > 0 {
		t.Errorf("%d spinners are left on the screen", n)
	}
}

// slow is a terminal that takes a moment for each write.
type slow struct{ bytes.Buffer }

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.Buffer.Write(p)
}

// TestViewHasNoSecrets checks that --json prints one object with everything but tokens.
func TestViewHasNoSecrets(t *testing.T) {
	var out, errs bytes.Buffer
	New(Options{Out: &out, Err: &errs, JSON: true, Command: "plan"}).Planned(outcomes(), true)
	if strings.Contains(out.String(), "canary") {
		t.Error("a token is in the JSON")
	}
	var v struct {
		Version  int
		Changes  bool
		Profiles []struct {
			Profile, Action string
			Token           struct{ Login_Until, Expires_At time.Time }
			Outputs         []struct{ Action, Path string }
			Error           struct{ Kind, Message, Hint string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if v.Version != 1 || !v.Changes || len(v.Profiles) != 5 || v.Profiles[1].Action != "login" || v.Profiles[4].Error.Kind != "failed" ||
		v.Profiles[4].Error.Hint != "mend it" || v.Profiles[2].Outputs[1].Action != "delete" || v.Profiles[0].Token.Login_Until.Format(time.DateOnly) != "2027-05-21" {
		t.Errorf("read back: %+v", v)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode": "plain ünïcode", "a\x1b[31mb": `a\x1b[31mb`, "a\nb\r": `a\x0ab\x0d`, "\u202eevil": `\x202eevil`, "\x7f": `\x7f`,
	} {
		if got := escaped(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

// lockedBuffer is a buffer that a spinner may write to meanwhile.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestWatchLine checks that watch says once what it watches, and on a terminal keeps one
// line with the time that is left, which gives way to an event.
func TestWatchLine(t *testing.T) {
	t.Parallel()
	var plain bytes.Buffer
	h := speaking(&plain, &plain)
	for range 3 {
		h.Idle(2, noon.Add(90*time.Second))
	}
	if got := plain.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "watching 2 profiles; next action at ") {
		t.Errorf("in a pipe: %q", got)
	}

	var errs lockedBuffer
	h = New(Options{Out: &plain, Err: &errs, Live: true, Now: func() time.Time { return noon }}).(*human)
	h.Idle(1, noon.Add(90*time.Second))
	drawn := func(want string) bool {
		for range 100 {
			if strings.Contains(errs.String(), want) {
				return true
			}
			time.Sleep(20 * time.Millisecond)
		}
		return false
	}
	if !drawn("watching 1 profile; next action in 1:30") {
		t.Errorf("on a terminal: %q", errs.String())
	}
	h.Watched(outcomes()[0])
	if got := errs.String(); !strings.Contains(got, "\r\x1b[K2026-11-23 12:00:00 kept: ") {
		t.Errorf("an event does not take the place of the line: %q", got)
	}
	h.Idle(3, time.Time{})
	if !drawn("watching 3 profiles") || strings.Contains(errs.String(), "3 profiles;") {
		t.Errorf("without a next action: %q", errs.String())
	}
	h.stop()
	if !strings.HasSuffix(errs.String(), "\r\x1b[K") {
		t.Errorf("the line stays behind: %q", errs.String())
	}
}
