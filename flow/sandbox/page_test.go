package sandbox_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"tokenform/flow/sandbox"
)

const attack = `<script>alert("1")</script>'&`

// TestPagesEscape sends markup through every parameter that a page shows.
func TestPagesEscape(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{
		AnyApp: true,
		User:   sandbox.User{ID: "id" + attack, Name: attack},
	})
	q := func(pairs ...string) string { return question(append(pairs, "client_id", attack)...) }
	shown := map[string]string{
		"client and user": q(),
		"redirect URI":    q("redirect_uri", "https://example.com/<script>\"'"),
		"scope":           q("scope", attack),
		"bad redirect":    q("redirect_uri", "x<script>"),
	}
	listed := start(t, sandbox.Options{Apps: []sandbox.App{{ID: attack, RedirectURIs: []string{attack}}}})
	for name, r := range map[string]reply{"index": listed.get("/"), "mismatch": listed.get(q())} {
		if strings.Contains(r.body, "<script") {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	for name, path := range shown {
		r := w.get(path)
		if strings.Contains(r.body, "<script") || !strings.Contains(r.body, "&lt;script&gt;") {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
}

func TestConsentPage(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	r := w.get(question())
	for _, want := range []string{
		"This is not Spotify", id, "Sandy Box", "sandbox-user", "playlist-read-private", "See your private playlists",
		"user-library-read", "See what you saved in your library", ">Allow<", ">Cancel<", callback, `method="post"`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(r.body, secret) || strings.Contains(r.body, "user-top-read") {
		t.Error("the page shows what it must not")
	}
	if strings.Count(r.body, "http://") != 1 || strings.Contains(r.body, "https://") {
		t.Error("the page names another address than the redirect URI")
	}
	_, rest, _ := strings.Cut(r.body, "<style>")
	css, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(css))
	want := "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'self' http://127.0.0.1:8888; frame-ancestors 'none'; base-uri 'none'"
	if got := r.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy\n%s, want\n%s", got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestFormTarget checks that the policy lets the browser continue to the redirect URI,
// and that no redirect URI can add to the policy.
func TestFormTarget(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{AnyApp: true})
	for uri, want := range map[string]string{
		"http://127.0.0.1:4000/x":             "http://127.0.0.1:4000",
		"https://example.com/x;script-src *":  "", // a space is no part of a URL
		"https://example.com/x;script-src":    "https://example.com",
		"https://a;script-src/x":              "https:",
		"http://[::1]:4000/x":                 "http:",
		"my-app.x://callback":                 "my-app.x:",
		"com.example.app:/oauth;form-action/": "com.example.app:",
	} {
		r := w.get(question("redirect_uri", uri))
		policy := r.Header.Get("Content-Security-Policy")
		if want == "" {
			if r.StatusCode != 400 {
				t.Errorf("%s: %d", uri, r.StatusCode)
			}
			continue
		}
		if !strings.Contains(policy, "; form-action 'self' "+want+"; frame-ancestors") {
			t.Errorf("%s: %s", uri, policy)
		}
	}
}

func TestIndexAndOthers(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	r := w.get("/")
	for _, want := range []string{"TOKENFORM_ACCOUNTS_URL=" + w.url, id, secret, callback} {
		if !strings.Contains(r.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	other := start(t, sandbox.Options{Apps: []sandbox.App{{ID: "mine", Secret: "hush"}}})
	if r := other.get("/"); !strings.Contains(r.body, "mine") || strings.Contains(r.body, "hush") {
		t.Error("a secret of the user's own is shown")
	}
	anything := start(t, sandbox.Options{AnyApp: true})
	if r := anything.get("/"); !strings.Contains(r.body, "Any client ID") {
		t.Error("AnyApp is not told")
	}
	for path, want := range map[string]int{"/favicon.ico": 404, "/authorize/": 404, "/v1/markets": 404, "/api/token/": 404} {
		if r := w.get(path); r.StatusCode != want {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if r := w.do(w.request("DELETE", "/authorize", url.Values{})); r.StatusCode != 405 {
		t.Errorf("DELETE: %d", r.StatusCode)
	}
}
