package examples

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// oidcWorld is a server, a profile for one of its apps, and a person.
type oidcWorld struct {
	t       *testing.T
	client  string // the app, after which the profile is named
	dir     string
	url     string
	seen    int    // how many requests sent has checked
	browser string // the directory of the browser that runs next
	choice  string
}

func newOIDCWorld(t *testing.T, client string) *oidcWorld {
	w := &oidcWorld{t: t, client: client, dir: t.TempDir()}
	w.url = w.serve()
	w.profile("")
	// $BROWSER is split at spaces and colons, and this path may contain some.
	script, err := filepath.Abs("testdata/oidc/browser.mjs")
	if err == nil {
		err = os.Symlink(script, filepath.Join(w.dir, "browser.mjs"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// serve starts the server, which ends when its standard input ends, and returns the
// server's address.
func (w *oidcWorld) serve() string {
	w.t.Helper()
	server := exec.Command("node", "testdata/oidc/server.mjs")
	server.Env = append(os.Environ(), "OIDC_SECRET="+oidcSecret)
	var log bytes.Buffer
	server.Stderr = &log
	server.WaitDelay = 5 * time.Second
	in, err := server.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		w.t.Fatal(err)
	}
	kill := time.AfterFunc(2*time.Minute, func() { _ = server.Process.Kill() })
	w.t.Cleanup(func() {
		_ = in.Close()
		kill.Reset(5 * time.Second)
		_ = server.Wait()
		kill.Stop()
		if w.t.Failed() {
			w.t.Logf("the server's messages:\n%s", &log)
		}
	})
	line, _ := bufio.NewReader(out).ReadBytes('\n')
	var hello struct{ URL string }
	if err := json.Unmarshal(line, &hello); err != nil {
		w.t.Fatalf("the server did not start: %v", err)
	}
	return hello.URL
}

// profile writes the profile. A line of more replaces the line below with the same key.
func (w *oidcWorld) profile(more string) {
	w.t.Helper()
	lines := []string{
		"profile: " + w.client,
		"client: {id: " + w.client + "}",
		"redirect_uri: http://127.0.0.1/callback",
		"scopes: [playlist-read-private, user-library-read]",
		"outputs: [{type: env, path: .env, keys: {access_token: SPOTIFY_ACCESS_TOKEN}}]",
	}
	if w.secret() != "" {
		lines[1] = "client: {id: " + w.client + `, secret: "${SECRET}"}`
	}
	if strings.Contains(more, "client_credentials") {
		lines = slices.Delete(lines, 2, 4)
	}
	for _, line := range strings.Split(more, "\n") {
		key, _, _ := strings.Cut(line, ":")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+":") })
		lines = append(lines, line)
	}
	write(w.t, filepath.Join(w.dir, "tokenform.yaml"), strings.Join(lines, "\n")+"\n")
}

func (w *oidcWorld) secret() string {
	if w.client == "confidential" || w.client == "machine" {
		return oidcSecret
	}
	return ""
}

// apply runs tokenform and returns its output, which must have no secret.
func (w *oidcWorld) apply(code int, flags ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"apply", "--debug", "--login-timeout", "45s"}, flags...)...)
	cmd.Dir = w.dir
	cmd.WaitDelay = time.Second
	cmd.Env = surroundings(w.dir, w.url, "SECRET="+w.secret(), "BROWSER=node browser.mjs %s",
		"OIDC_CHROMIUM="+chromium, "OIDC_BROWSER_DIR="+w.browser, "OIDC_BROWSER_CHOICE="+w.choice)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	said := stdout.String() + stderr.String()
	if got := cmd.ProcessState.ExitCode(); got != code {
		w.t.Fatalf("apply %s: exit code %d, want %d\n%s", strings.Join(flags, " "), got, code, said)
	}
	w.noSecret("apply "+strings.Join(flags, " "), said)
	return said
}

// noSecret fails the test if text has one of the server's secrets.
func (w *oidcWorld) noSecret(where, text string) {
	w.t.Helper()
	escaped := url.QueryEscape(oidcSecret)
	basic := base64.StdEncoding.EncodeToString([]byte(w.client + ":" + escaped))
	for _, secret := range append(w.control().Secrets, oidcSecret, escaped, basic) {
		if strings.Contains(text, secret) {
			w.t.Errorf("%s shows a secret", where)
		}
	}
}

// oidcRequest is a request as the server saw it: the names of its fields without
// values.
type oidcRequest struct {
	Method string
	Path   string
	Fields []string
	Grant  string
	Basic  bool
}

type oidcControl struct {
	Requests []oidcRequest
	Secrets  []string
}

func (w *oidcWorld) control() oidcControl {
	w.t.Helper()
	var c oidcControl
	resp, err := oidcClient.Get(w.url + "/control")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		w.t.Fatal(err)
	}
	return c
}

var oidcClient = &http.Client{Timeout: 10 * time.Second}

// sent checks the requests since the last call of sent or forget, without those between
// the browser and the server's own pages.
func (w *oidcWorld) sent(want ...oidcRequest) {
	w.t.Helper()
	all := w.control().Requests
	var got []oidcRequest
	for _, r := range all[w.seen:] {
		if slices.Contains([]string{"/authorize", "/api/token", "/v1/me", "/v1/search"}, r.Path) {
			got = append(got, r)
		}
	}
	w.seen = len(all)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("requests:\n got %+v\nwant %+v", got, want)
	}
}

// forget makes the next sent ignore all requests until now.
func (w *oidcWorld) forget() { w.seen = len(w.control().Requests) }

// post sends a form as the profile's app and returns the answer's status.
func (w *oidcWorld) post(path string, form url.Values) int {
	w.t.Helper()
	if w.secret() == "" {
		form.Set("client_id", w.client)
	}
	req, err := http.NewRequest(http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w.secret() != "" {
		req.SetBasicAuth(url.QueryEscape(w.client), url.QueryEscape(w.secret()))
	}
	resp, err := oidcClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// oidcState is the part of a state file that the tests check.
type oidcState struct {
	Access     string    `json:"access_token"`
	Refresh    string    `json:"refresh_token"`
	Scopes     []string  `json:"scopes"`
	Authorized time.Time `json:"authorized_at"`
	Rejected   time.Time `json:"rejected_at"`
	Account    struct {
		ID        string `json:"id"`
		AccountID string `json:"account_id"`
		Name      string `json:"display_name"`
	} `json:"account"`
}

func (w *oidcWorld) stateFile() string {
	path, _ := filepath.Rel(w.dir, stateAt(filepath.Join(w.dir, ".tokenform"), w.client+".json"))
	return path
}

func (w *oidcWorld) state() oidcState {
	w.t.Helper()
	var s oidcState
	if err := json.Unmarshal([]byte(w.read(w.stateFile())), &s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *oidcWorld) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// hasToken checks that s is the token that the server issued and the output has, and
// that the token works.
func (w *oidcWorld) hasToken(s oidcState) {
	w.t.Helper()
	issued := w.control().Secrets
	if !slices.Contains(issued, s.Access) || !slices.Contains(issued, s.Refresh) {
		w.t.Error("state holds a token that the server never issued")
	}
	if got, want := w.read(".env"), "SPOTIFY_ACCESS_TOKEN="+s.Access+"\n"; got != want {
		w.t.Error(".env does not hold the access token, and that alone")
	}
	req, err := http.NewRequest(http.MethodGet, w.url+"/v1/me", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Access)
	resp, err := oidcClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Errorf("the Web API answers the access token with %d", resp.StatusCode)
	}
}

// rejected checks that a refusal has left the tokens in state and marked them.
func (w *oidcWorld) rejected(before oidcState) {
	w.t.Helper()
	after := w.state()
	if after.Access != before.Access || after.Refresh != before.Refresh || after.Account != before.Account {
		w.t.Error("a refused refresh changed the stored login")
	}
	if after.Rejected.IsZero() {
		w.t.Error("a refused refresh left no mark")
	}
}

func (w *oidcWorld) nothingStored() {
	w.t.Helper()
	for _, name := range []string{w.stateFile(), ".env"} {
		if _, err := os.Lstat(filepath.Join(w.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			w.t.Errorf("%s: want no such file, got %v", name, err)
		}
	}
}
