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
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	oidcChromium = "/usr/bin/chromium"
	oidcSecret   = "s3cret/with+odd=bytes&a%20colon:" // form-encoded within Basic (RFC 6749 section 2.3.1)
)

// TestOIDC runs whole logins against oidc-provider, a certified OAuth server
// that nobody here wrote, with Chromium as the person's browser. `npm ci` in
// testdata/oidc installs what it needs besides Chromium.
func TestOIDC(t *testing.T) {
	oidcNeeds(t)
	t.Run("confidential", func(t *testing.T) { oidcStory(t, "confidential") })
	t.Run("pkce", func(t *testing.T) { oidcStory(t, "public") })
	t.Run("revoked", oidcRevoked)
	t.Run("denied", oidcDenied)
	t.Run("fewer scopes", oidcFewerScopes)
	t.Run("refused scope", oidcRefusedScope)
	t.Run("client credentials", oidcClientCredentials)
}

// oidcNeeds skips where something is not installed, or fails where
// TOKENFORM_TEST_OIDC says that it must be there.
func oidcNeeds(t *testing.T) {
	missing := ""
	if out, err := exec.Command("node", "-p", "process.versions.node.split('.')[0] >= 20").Output(); err != nil || strings.TrimSpace(string(out)) != "true" {
		missing = "node 20 or newer is not installed"
	} else if _, err := os.Stat("testdata/oidc/node_modules/oidc-provider"); err != nil {
		missing = "npm ci has not been run in examples/testdata/oidc"
	} else if _, err := os.Stat(oidcChromium); err != nil {
		missing = oidcChromium + " is not installed"
	}
	switch {
	case missing == "":
	case os.Getenv("TOKENFORM_TEST_OIDC") == "require":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// oidcStory is the life of a profile whose person agrees: login, nothing to do,
// refreshes that rotate, and the end of what was rotated out.
func oidcStory(t *testing.T, client string) {
	t.Parallel()
	w := newOIDCWorld(t, client)
	basic := client == "confidential"
	fields := func(names ...string) []string {
		if !basic {
			names = append(names, "client_id")
		}
		slices.Sort(names)
		return names
	}

	// The first login.
	w.choose("allow")
	w.apply(0, "--login", "browser")
	page := w.page("Logged in")
	for _, want := range []string{w.client, "Ada Lovelace", "ada"} {
		if !strings.Contains(page.Text, want) {
			t.Errorf("the page does not show %q:\n%s", want, page.Text)
		}
	}
	first := w.state()
	if first.Account.ID != "ada" || first.Account.AccountID != "account-of-ada" || first.Account.Name != "Ada Lovelace" {
		t.Errorf("account in state: %+v", first.Account)
	}
	if want := []string{"playlist-read-private", "user-library-read"}; !slices.Equal(first.Scopes, want) {
		t.Errorf("scopes in state: %q, want %q", first.Scopes, want)
	}
	w.sent(
		oidcRequest{Method: "GET", Path: "/authorize", Fields: []string{"client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "state"}},
		oidcRequest{Method: "POST", Path: "/api/token", Grant: "authorization_code", Basic: basic, Fields: fields("code", "code_verifier", "grant_type", "redirect_uri")},
		oidcRequest{Method: "GET", Path: "/v1/me", Fields: []string{}},
	)
	w.hasToken(first)
	w.forget()

	// Nothing is left to do.
	before, env := w.read(w.stateFile()), w.read(".env")
	w.apply(0, "--login", "never")
	w.sent()
	if w.read(w.stateFile()) != before || w.read(".env") != env {
		t.Error("the second apply changed a file")
	}

	// A refresh brings new tokens, and the rotated one the next.
	w.profile("min_ttl: 59m") // more than the half hour that tokens live
	last := first
	for range 2 {
		w.apply(0, "--login", "never")
		w.sent(oidcRequest{Method: "POST", Path: "/api/token", Grant: "refresh_token", Basic: basic, Fields: fields("grant_type", "refresh_token")})
		next := w.state()
		w.hasToken(next)
		w.forget()
		if next.Access == last.Access || next.Refresh == last.Refresh {
			t.Error("a refresh kept a token that was rotated out")
		}
		if !next.Authorized.Equal(first.Authorized) || next.Account != first.Account {
			t.Errorf("a refresh changed the login: %v %+v", next.Authorized, next.Account)
		}
		last = next
	}

	// The server takes a rotated token that comes again for a theft, and ends the
	// whole login (RFC 9700 section 4.14.2).
	if status := w.post("/api/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}}); status != http.StatusBadRequest {
		t.Errorf("the server answered the first refresh token with %d", status)
	}
	w.apply(4, "--login", "never")
	w.rejected(last)
}

// oidcRevoked: a login that was ended at the server, without a person and then
// with one.
func oidcRevoked(t *testing.T) {
	t.Parallel()
	w := newOIDCWorld(t, "confidential")
	w.choose("allow")
	w.apply(0, "--login", "browser")
	w.page("Logged in")
	first := w.state()
	if status := w.post("/revoke", url.Values{"token": {first.Refresh}}); status != http.StatusOK {
		t.Fatalf("revoking answered %d", status)
	}
	w.forget()

	// Nothing tells so but the Web API, until the token must be refreshed.
	w.apply(0, "--login", "never")
	w.sent()
	out := w.apply(4, "--login", "never", "--verify")
	w.rejected(first)
	if !strings.Contains(out, "invalid_grant") || !strings.Contains(out, "hint: ") {
		t.Errorf("the message does not tell what happened and what to do:\n%s", out)
	}

	w.profile("min_ttl: 59m")
	w.choose("allow")
	w.apply(0, "--login", "browser")
	w.page("Logged in")
	second := w.state()
	w.hasToken(second)
	if second.Refresh == first.Refresh || !second.Rejected.IsZero() {
		t.Error("the new login did not replace the refused one")
	}
}

func oidcDenied(t *testing.T) {
	t.Parallel()
	w := newOIDCWorld(t, "public")
	w.choose("deny")
	out := w.apply(4, "--login", "browser")
	if !strings.Contains(out, "denied") {
		t.Errorf("the message does not say that access was denied:\n%s", out)
	}
	if page := w.page("Login failed"); !strings.Contains(page.Text, "denied") {
		t.Errorf("the page does not say that access was denied:\n%s", page.Text)
	}
	w.nothingStored()
}

// oidcFewerScopes: the server leaves a scope out of the grant that it does not
// know, as RFC 6749 section 3.3 lets it.
func oidcFewerScopes(t *testing.T) {
	t.Parallel()
	w := newOIDCWorld(t, "public")
	w.profile("scopes: [playlist-read-private, user-top-read]")
	w.choose("allow")
	out := w.apply(1, "--login", "browser")
	page := w.page("Login failed")
	for name, text := range map[string]string{"message": out, "page": page.Text} {
		if !strings.Contains(text, "user-top-read") {
			t.Errorf("the %s does not name the scope that is missing:\n%s", name, text)
		}
	}
	w.nothingStored()
}

// oidcRefusedScope: the server sends the browser back with an error of its own.
func oidcRefusedScope(t *testing.T) {
	t.Parallel()
	w := newOIDCWorld(t, "restricted")
	w.choose("none")
	out := w.apply(4, "--login", "browser")
	page := w.page("Login failed")
	for name, text := range map[string]string{"message": out, "page": page.Text} {
		if !strings.Contains(text, "invalid_scope") {
			t.Errorf("the %s does not name the error:\n%s", name, text)
		}
	}
	w.nothingStored()
}

func oidcClientCredentials(t *testing.T) {
	t.Parallel()
	w := newOIDCWorld(t, "machine")
	w.profile("grant: client_credentials\nverify: true")
	w.apply(0, "--login", "never")
	w.sent(
		oidcRequest{Method: "POST", Path: "/api/token", Grant: "client_credentials", Basic: true, Fields: []string{"grant_type"}},
		oidcRequest{Method: "GET", Path: "/v1/search", Fields: []string{"limit", "q", "type"}},
	)
	token := w.state()
	if token.Access == "" || token.Refresh != "" || !strings.Contains(w.read(".env"), token.Access) {
		t.Error("the access token is not where it belongs")
	}
	w.apply(0, "--login", "never")
	w.sent()
}

// oidcWorld is a server, a profile for one of its apps, and a person.
type oidcWorld struct {
	t       *testing.T
	client  string // the app, and the profile named for it
	dir     string
	url     string
	seen    int    // requests that were looked at
	browser string // the directory of the browser that is to run next
	choice  string
}

func newOIDCWorld(t *testing.T, client string) *oidcWorld {
	w := &oidcWorld{t: t, client: client, dir: t.TempDir()}
	w.url = w.serve()
	w.profile("")
	// $BROWSER is split at spaces and colons, of which this path may hold some.
	script, err := filepath.Abs("testdata/oidc/browser.mjs")
	if err == nil {
		err = os.Symlink(script, filepath.Join(w.dir, "browser.mjs"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// serve starts the server, which ends with its standard input, and returns its
// address.
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

// profile writes the profile: more stands in place of the lines below that
// begin alike.
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

// choose readies a browser in which the person does as told.
func (w *oidcWorld) choose(choice string) {
	dir := w.t.TempDir()
	w.choice, w.browser = choice, dir
	w.t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(dir, "result.json")); err == nil {
			return // it has ended on its own
		}
		var pid int
		b, _ := os.ReadFile(filepath.Join(dir, "pid"))
		if _, err := fmt.Sscan(string(b), &pid); err != nil {
			return
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // and with the pipe between the two, Chromium
		}
	})
}

// apply runs tokenform and returns what it said. None of that may hold a
// secret.
func (w *oidcWorld) apply(code int, flags ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"apply", "--debug", "--login-timeout", "45s"}, flags...)...)
	cmd.Dir = w.dir
	cmd.WaitDelay = time.Second
	cmd.Env = surroundings(w.dir, w.url, "SECRET="+w.secret(), "BROWSER=node browser.mjs %s",
		"OIDC_CHROMIUM="+oidcChromium, "OIDC_BROWSER_DIR="+w.browser, "OIDC_BROWSER_CHOICE="+w.choice)
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

// noSecret fails where text holds one of the server's secrets.
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

// oidcPage is what the browser saw last, and on its way.
type oidcPage struct {
	Error       string
	Args        []string
	Requests    []string
	Console     []string
	Status      int
	Headers     map[string]string
	Title       string
	Heading     string
	Text        string
	HTML        string
	StyleSheets int
}

// page waits for the browser and checks what holds for every page that a login
// ends on.
func (w *oidcWorld) page(heading string) oidcPage {
	w.t.Helper()
	var page oidcPage
	path := filepath.Join(w.browser, "result.json")
	b, err := os.ReadFile(path)
	for end := time.Now().Add(45 * time.Second); errors.Is(err, fs.ErrNotExist) && time.Now().Before(end); b, err = os.ReadFile(path) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		w.t.Fatalf("the browser left no result: %v", err)
	}
	if err := json.Unmarshal(b, &page); err != nil {
		w.t.Fatal(err)
	}
	if page.Error != "" {
		w.t.Fatalf("the browser: %s", page.Error)
	}
	if page.Status != http.StatusOK || page.Heading != heading || page.Title != heading+" · tokenform" {
		w.t.Errorf("the page: status %d, heading %q, title %q; want %q", page.Status, page.Heading, page.Title, heading)
	}
	for name, want := range map[string]string{
		"content-type": "text/html; charset=utf-8", "cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff",
	} {
		if page.Headers[name] != want {
			w.t.Errorf("the page's %s: %q, want %q", name, page.Headers[name], want)
		}
	}
	if policy := page.Headers["content-security-policy"]; !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		w.t.Errorf("the page's content policy: %q", policy)
	}
	if page.StyleSheets != 1 || strings.Contains(page.HTML, "<script") {
		w.t.Errorf("the page has %d style sheets in force, or a script", page.StyleSheets)
	}
	w.noSecret("the page", page.HTML)

	// The command line, which everybody on the machine can read, has the short
	// address alone.
	if len(page.Args) != 1 || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/$`).MatchString(page.Args[0]) {
		w.t.Fatalf("the browser's arguments: %q", page.Args)
	}
	for _, line := range page.Console {
		// Browsers ask for an icon on their own.
		if strings.HasPrefix(line, page.Args[0]) && !strings.HasPrefix(line, page.Args[0]+"favicon.ico") {
			w.t.Errorf("the browser's console: %s", line)
		}
	}
	for _, request := range page.Requests {
		if !strings.HasPrefix(request, page.Args[0]) && !strings.HasPrefix(request, w.url+"/") {
			w.t.Errorf("the browser asked another server: %s", request)
		}
	}
	return page
}

// oidcRequest is a request as the server saw it: the names of its fields, and
// no values.
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

// sent checks the requests since the last look, those between the browser and
// the server's own pages left out.
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

// forget leaves everything until now out of the next look.
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

// oidcState is what the test wants to know of a state file.
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

func (w *oidcWorld) stateFile() string { return filepath.Join(".tokenform", w.client+".json") }

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

// hasToken checks that s is what the server issued and what the output holds,
// and that it works.
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

// rejected checks that a refusal left the tokens in state and marked them.
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
