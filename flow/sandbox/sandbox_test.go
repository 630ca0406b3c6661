package sandbox_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

const (
	id       = "sandbox-client"
	secret   = "sandbox-secret"
	callback = "http://127.0.0.1:8888/callback"
	verifier = "this-is-a-verifier_of.more~than-43-characters-0123"
)

// clock is a server's clock, which the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 8, 31, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) { c.set(c.now().Add(d)) }

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// world is a sandbox on a loopback port, and a browser that follows no redirects.
type world struct {
	*testing.T
	*sandbox.Server
	clock *clock
	url   string
	http  *http.Client
}

func start(t *testing.T, opt sandbox.Options) *world {
	t.Helper()
	c := newClock()
	if opt.Now == nil {
		opt.Now = c.now
	}
	s := sandbox.New(opt)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return &world{t, s, c, web.URL, client}
}

// reply is a response with its whole body.
type reply struct {
	*http.Response
	body string
}

func (w *world) do(r *http.Request) reply {
	w.Helper()
	res, err := w.http.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return reply{res, string(b)}
}

func (w *world) request(method, path string, form url.Values) *http.Request {
	w.Helper()
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (w *world) get(path string) reply {
	w.Helper()
	return w.do(w.request("GET", path, nil))
}

// token posts to the token endpoint. Pairs are names and values; "basic" is
// the id and secret to send in the header.
func (w *world) token(pairs ...string) reply {
	w.Helper()
	form, basic := url.Values{}, ""
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "basic" {
			basic = pairs[i+1]
			continue
		}
		form.Set(pairs[i], pairs[i+1])
	}
	r := w.request("POST", "/api/token", form)
	if user, pass, ok := strings.Cut(basic, ":"); ok {
		r.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(pass))
	}
	return w.do(r)
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		t.Fatalf("content type %q, body %q", got, r.body)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	return m
}

// refused checks that r is an OAuth error, given as "code: description".
func (r reply) refused(t testing.TB, want string) {
	t.Helper()
	m := r.json(t)
	if got := m["error"].(string) + ": " + m["error_description"].(string); r.StatusCode != 400 || got != want || len(m) != 2 {
		t.Errorf("status %d, %v, want 400 %q", r.StatusCode, m, want)
	}
}

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// question is a good request to /authorize, with changes: name and value, or
// "-name" and any value to leave the parameter out.
func question(pairs ...string) string {
	q := url.Values{
		"client_id": {id}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {"st&te"},
		"scope":                 {"user-library-read playlist-read-private"},
		"code_challenge_method": {"S256"}, "code_challenge": {challenge(verifier)},
	}
	for i := 0; i < len(pairs); i += 2 {
		if name, ok := strings.CutPrefix(pairs[i], "-"); ok {
			q.Del(name)
			continue
		}
		q.Set(pairs[i], pairs[i+1])
	}
	return "/authorize?" + q.Encode()
}

var sealed = regexp.MustCompile(`name="request" value="([A-Za-z0-9_-]+)"`)

// press answers the consent page.
func (w *world) press(page reply, button string) reply {
	w.Helper()
	m := sealed.FindStringSubmatch(page.body)
	if page.StatusCode != 200 || m == nil {
		w.Fatalf("no consent page: %d %s", page.StatusCode, page.body)
	}
	return w.do(w.request("POST", "/authorize", url.Values{"request": {m[1]}, "answer": {button}}))
}

// login logs in, with the consent page if there is one, and returns the code.
func (w *world) login(pairs ...string) string {
	w.Helper()
	r := w.get(question(pairs...))
	if r.StatusCode == 200 {
		r = w.press(r, "allow")
	}
	return w.landed(r).Get("code")
}

// landed returns the query that the redirect URI got.
func (w *world) landed(r reply) url.Values {
	w.Helper()
	u, err := r.Location()
	if err != nil {
		w.Fatalf("%v: %d %s", err, r.StatusCode, r.body)
	}
	return u.Query()
}

// good returns the fields of a good token answer.
func (w *world) good(r reply) map[string]any {
	w.Helper()
	m := r.json(w)
	if r.StatusCode != 200 || m["access_token"] == nil {
		w.Fatalf("status %d: %s", r.StatusCode, r.body)
	}
	return m
}

func (w *world) pkce() map[string]any {
	w.Helper()
	return w.good(w.token("grant_type", "authorization_code", "client_id", id, "redirect_uri", callback,
		"code", w.login(), "code_verifier", verifier))
}

func (w *world) withSecret() map[string]any {
	w.Helper()
	return w.good(w.token("basic", id+":"+secret, "grant_type", "authorization_code", "redirect_uri", callback,
		"code", w.login("-code_challenge", "", "-code_challenge_method", "")))
}

func (w *world) refresh(token any) reply {
	w.Helper()
	return w.token("grant_type", "refresh_token", "client_id", id, "refresh_token", token.(string))
}

func (w *world) bearer(path string, token any) reply {
	w.Helper()
	r := w.request("GET", path, nil)
	r.Header.Set("Authorization", "Bearer "+token.(string))
	return w.do(r)
}

func fields(m map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}
