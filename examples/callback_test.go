//go:build linux

package examples

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

func callbackProfile(t *testing.T, host, port, secret string) (dir string) {
	dir = t.TempDir()
	write(t, filepath.Join(dir, "tokenform.yaml"), `profile: dev
client: {id: app, secret: `+secret+`}
redirect_uri: http://`+net.JoinHostPort(host, port)+`/callback
scopes: [streaming]
outputs:
  - {type: env, path: .env, keys: {access_token: SPOTIFY_ACCESS_TOKEN}}
  - {type: json, path: token.json}
`)
	return dir
}

// TestCallbackUnderAttack attacks the listener in every way open to other programs on
// this machine. The login must succeed, and no secret may show.
func TestCallbackUnderAttack(t *testing.T) {
	t.Parallel()
	server, spotify := spotify(t, sandbox.Options{AnyApp: true})
	port := portBelow(t, "127.0.0.1")
	arguments := []string{"; touch pwned", "$(touch pwned)", "`touch pwned`", "> pwned", "a  b", "*", "~", `\`}
	dir := callbackProfile(t, "127.0.0.1", port, "{command: [./vault, '"+strings.Join(arguments, "', '")+"']}")
	write(t, filepath.Join(dir, "vault"), "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$NOTES/arguments\"\necho hush-hush\n")
	if err := os.Chmod(filepath.Join(dir, "vault"), 0o700); err != nil {
		t.Fatal(err)
	}
	w := begin(t, dir, spotify)
	if got := w.bound(); !slices.Equal(got, []string{"0100007F"}) || w.opened.Port() != port {
		t.Errorf("when the browser started, %s listened on %q", w.opened, got)
	}
	if got, _ := os.ReadFile(filepath.Join(w.notes, "arguments")); string(got) != strings.Join(arguments, "\n")+"\n" {
		t.Errorf("the command was called with %q", got)
	}

	for i := range 400 { // all of them stay open until the end
		conn, err := net.Dial("tcp", w.opened.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, []string{
			"", "GET /callback?code=x HTTP/1.1\r\nX-Slow: ", "POST / HTTP/1.1\r\nHost: " + w.opened.Host + "\r\nContent-Length: 9\r\n\r\n",
		}[i%3])
	}
	base := "http://" + w.opened.Host
	good := "code=x&state=" + w.authorize.Query().Get("state")
	as := func(host, method string) func(*http.Request) {
		return func(r *http.Request) { r.Host, r.Method = host, method }
	}
	for _, test := range []struct {
		path   string
		change func(*http.Request)
		status int
	}{
		{"/callback?code=x&state=wrong", as("", "GET"), 400},
		{"/callback?error=access_denied&state=wrong", as("", "GET"), 400},
		{"/callback?error=%3Cscript%3E", as("", "GET"), 400},
		{"/callback/?" + good, as("", "GET"), 404},
		{"/callback?" + good, as("evil.example:"+port, "GET"), 421},
		{"/callback?" + good, as("localhost:"+port, "GET"), 421},
		{"/callback?" + good, as("", "POST"), 405},
		{"/callback?" + good + strings.Repeat("x", 1<<20), as("", "GET"), 431},
	} {
		status, _, body := w.get(base+test.path, test.change)
		if status != test.status && (test.status != 431 || status != 0) { // the connection may be cut before the request is sent completely
			t.Errorf("%.40s: got %d: %s", test.path, status, body)
		}
	}

	w.agree(server)
	want := []string{".env", ".tokenform", ".tokenform/.gitignore", ".tokenform/dev.json", ".tokenform/dev.lock", ".tokenform/dev.outputs", ".tokenform/log.jsonl", "token.json", "tokenform.yaml", "vault"}
	if got := private(t, dir); !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	// The browser of the first login still runs, and must not disturb the next login.
	begin(t, dir, spotify, "--renew").agree(server)
}

func TestCallbackIPv6(t *testing.T) {
	t.Parallel()
	server, spotify := spotify(t, sandbox.Options{AnyApp: true})
	port := portBelow(t, "::1")
	w := begin(t, callbackProfile(t, "::1", port, "hush-hush"), spotify)
	if got := w.bound(); !slices.Equal(got, []string{"00000000000000000000000001000000"}) || w.opened.Host != "[::1]:"+port {
		t.Errorf("when the browser started, %s listened on %q", w.opened, got)
	}
	w.agree(server)
}

func TestCallbackPortTaken(t *testing.T) {
	t.Parallel()
	server, spotify := spotify(t, sandbox.Options{AnyApp: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dir := callbackProfile(t, "127.0.0.1", port, "hush-hush")
	code, _, stderr := run(t, dir, surroundings(dir, spotify, "BROWSER=/nowhere"), "apply", "--login", "browser")
	want := "error: dev: port " + port + " is in use by another program\nhint: stop that program, or choose another port"
	if code != 1 || !strings.Contains(stderr, want) || strings.Contains(stderr, "/authorize") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if n := len(server.Requests()); n > 0 || len(private(t, dir)) != 4 {
		t.Errorf("%d requests, files %q", n, private(t, dir))
	}
}

// TestCallbackSignals checks that a login which is given up leaves nothing behind, and
// that a dump of the program has no secret. The test measures time, so no other test
// may run in parallel.
func TestCallbackSignals(t *testing.T) {
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 130, syscall.SIGQUIT: 2} {
		_, spotify := spotify(t, sandbox.Options{AnyApp: true})
		dir := callbackProfile(t, "127.0.0.1", portBelow(t, "127.0.0.1"), "hush-hush")
		w := begin(t, dir, spotify)
		if err := w.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if code := w.end(time.Second); code != want {
			t.Errorf("%s: exit %d\n%s", signal, code, w.errs.String())
		}
		if got := private(t, dir); !slices.Equal(got, []string{".tokenform", ".tokenform/.gitignore", ".tokenform/dev.lock", "tokenform.yaml"}) {
			t.Errorf("%s: there is %q", signal, got)
		}
		if signal != syscall.SIGQUIT {
			if !strings.Contains(w.errs.String(), "\nerror: dev: interrupted\n") {
				t.Errorf("%s: it said %q", signal, w.errs.String())
			}
			continue
		}
		_, dump, found := strings.Cut(w.errs.String(), "SIGQUIT: quit")
		if !found || strings.Count(dump, "\ngoroutine ") < 3 {
			t.Errorf("no dump in\n%s", w.errs.String())
		}
		q := w.authorize.Query()
		for _, secret := range []string{"hush-hush", q.Get("state"), q.Get("code_challenge")} {
			if strings.Contains(dump, secret) {
				t.Errorf("%.8s… is in the dump", secret)
			}
		}
		for at := range len(dump) - 42 { // only the program knows the verifier, so look for its form
			if sum := sha256.Sum256([]byte(dump[at : at+43])); base64.RawURLEncoding.EncodeToString(sum[:]) == q.Get("code_challenge") {
				t.Error("the verifier is in the dump")
			}
		}
	}
}
