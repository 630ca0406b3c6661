package faults_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

const (
	id       = "sandbox-client"
	secret   = "sandbox-secret"
	callback = "http://127.0.0.1:8888/callback"
	verifier = "this-is-a-verifier_of.more~than-43-characters-0123"
)

// now is the clock of every server. The time does not change.
func now() time.Time { return time.Date(2026, 8, 31, 12, 0, 0, 0, time.UTC) }

// world is a server on a loopback port, and a browser that follows no redirects.
type world struct {
	*testing.T
	*faults.Server
	url  string
	http *http.Client
}

func start(t *testing.T, opt sandbox.Options) *world {
	t.Helper()
	opt.Now, opt.AutoConsent = now, true
	s := faults.New(opt)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return &world{t, s, web.URL, client}
}

// reply is a response with its whole body.
type reply struct {
	*http.Response
	body string
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

// get sends the access token unless it is empty.
func (w *world) get(path, token string) reply {
	w.Helper()
	r := w.request("GET", path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.do(r)
}

func (w *world) token(form url.Values) reply {
	w.Helper()
	return w.do(w.request("POST", "/api/token", form))
}

func authorize() string {
	sum := sha256.Sum256([]byte(verifier))
	return "/authorize?" + url.Values{
		"client_id": {id}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {"s"}, "scope": {"user-library-read playlist-read-private"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode()
}

// exchange logs in and returns the form that trades the code for tokens.
func (w *world) exchange() url.Values {
	w.Helper()
	u, err := w.get(authorize(), "").Location()
	if err != nil {
		w.Fatal(err)
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "client_id": {id}, "redirect_uri": {callback},
		"code": {u.Query().Get("code")}, "code_verifier": {verifier},
	}
}

func refresh(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {token}}
}

// good returns the tokens of a good answer.
func (w *world) good(r reply) (access, refresh string) {
	w.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || r.StatusCode != 200 {
		w.Fatalf("status %d: %s", r.StatusCode, r.body)
	}
	access, _ = m["access_token"].(string)
	refresh, _ = m["refresh_token"].(string)
	if access == "" {
		w.Fatalf("no access token: %s", r.body)
	}
	return access, refresh
}
