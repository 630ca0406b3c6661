package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// TestMistakes has the mistakes that stay on the server's own page.
func TestMistakes(t *testing.T) {
	t.Parallel()
	app := sandbox.App{ID: id, Secret: secret, RedirectURIs: []string{
		callback, "http://localhost:8888/callback", "http://example.com/callback", "https://localhost/callback",
		"http://127.0.0.1/free", "http://[::1]/six",
	}}
	opt := sandbox.Options{Apps: []sandbox.App{app}, AutoConsent: true}
	now := start(t, opt)
	opt.OldErrors = true
	before := start(t, opt)
	const match, oldMatch = "redirect_uri: Not matching configuration", "INVALID_CLIENT: Invalid redirect URI"
	const secure, oldSecure = "redirect_uri: Insecure", "INVALID_CLIENT: Insecure redirect URI"
	for _, tt := range []struct{ name, key, value, text, old string }{
		{"slash", "redirect_uri", callback + "/", match, oldMatch},
		{"path", "redirect_uri", "http://127.0.0.1:8888/Callback", match, oldMatch},
		{"query", "redirect_uri", callback + "?", match, oldMatch},
		{"port", "redirect_uri", "http://127.0.0.1:8889/callback", match, oldMatch},
		{"no port", "redirect_uri", "http://127.0.0.1/callback", match, oldMatch},
		{"other family", "redirect_uri", "http://[::1]:8888/callback", match, oldMatch},
		{"not registered", "redirect_uri", "https://example.com/callback", match, oldMatch},
		{"port with user", "redirect_uri", "http://127.0.0.1:1@evil.example/free", match, oldMatch},
		{"port zero", "redirect_uri", "http://127.0.0.1:0/free", match, oldMatch},
		{"port too high", "redirect_uri", "http://127.0.0.1:65536/free", match, oldMatch},
		{"no digits", "redirect_uri", "http://127.0.0.1:/free", match, oldMatch},
		{"fragment", "redirect_uri", callback + "#x", match, oldMatch},
		{"host that starts alike", "redirect_uri", "https://127.0.0.1.evil.example/free", match, oldMatch},
		{"localhost, though registered", "redirect_uri", "http://localhost:8888/callback", secure, oldSecure},
		{"https localhost", "redirect_uri", "https://localhost/callback", secure, oldSecure},
		{"LOCALHOST.", "redirect_uri", "https://LOCALHOST./callback", secure, oldSecure},
		{"plain http, though registered", "redirect_uri", "http://example.com/callback", secure, oldSecure},
		{"script", "redirect_uri", "javascript:alert(1)", secure, oldSecure},
		{"unknown client", "client_id", "nobody", "INVALID_CLIENT: Invalid client", "INVALID_CLIENT: Invalid client"},
		{"unknown scope", "scope", "user-library-read offline_access", "invalid scope", "Illegal scope"},
		{"commas", "scope", "user-library-read,user-top-read", "invalid scope", "Illegal scope"},
		{"implicit", "response_type", "token", "response_type must be code", "response_type must be code"},
		{"no client", "-client_id", "", "Missing required parameter: client_id", "Missing required parameter: client_id"},
		{"no redirect", "-redirect_uri", "", "Missing required parameter: redirect_uri", "Missing required parameter: redirect_uri"},
		{"no type", "-response_type", "", "Missing required parameter: response_type", "Missing required parameter: response_type"},
		{"plain", "code_challenge_method", "plain", "code_challenge_method must be S256", "code_challenge_method must be S256"},
		{"no method", "-code_challenge_method", "", "code_challenge_method must be S256", "code_challenge_method must be S256"},
		{"padded", "code_challenge", challenge(verifier) + "=", "code_challenge is invalid", "code_challenge is invalid"},
		{"short", "code_challenge", "abc", "code_challenge is invalid", "code_challenge is invalid"},
		{"no challenge", "-code_challenge", "", "code_challenge is invalid", "code_challenge is invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := now.get(question(tt.key, tt.value))
			if r.StatusCode != 400 || r.Header.Get("Location") != "" || !strings.Contains(r.body, `<p class="said">`+tt.text+"</p>") {
				t.Errorf("%d %v %s", r.StatusCode, r.Header, r.body)
			}
			r = before.get(question(tt.key, tt.value))
			if r.StatusCode != 400 || r.Header.Get("Location") != "" || r.body != tt.old {
				t.Errorf("before: %d %v %q", r.StatusCode, r.Header, r.body)
			}
		})
	}
}

// TestRedirects checks which redirect URIs are accepted, and to which exact URL the
// browser goes.
func TestRedirects(t *testing.T) {
	t.Parallel()
	uris := []string{
		callback, "http://127.0.0.1/free", "http://[::1]/six", "https://example.com/cb?a=b", "myapp://cb", "com.example.app:/cb",
		"https://127.0.0.1", "http://127.0.0.1?x=y",
	}
	registered := start(t, sandbox.Options{Apps: []sandbox.App{{ID: id, RedirectURIs: uris}}, AutoConsent: true})
	anything := start(t, sandbox.Options{AnyApp: true, AutoConsent: true})
	for _, tt := range []struct{ uri, want string }{
		{callback, callback + "?"},
		{"http://127.0.0.1/free", "http://127.0.0.1/free?"},
		{"http://127.0.0.1:1/free", "http://127.0.0.1:1/free?"},
		{"http://127.0.0.1:65535/free", "http://127.0.0.1:65535/free?"},
		{"http://[::1]:9000/six", "http://[::1]:9000/six?"},
		{"https://example.com/cb?a=b", "https://example.com/cb?a=b&"},
		{"myapp://cb", "myapp://cb?"},
		{"com.example.app:/cb", "com.example.app:/cb?"},
		{"https://127.0.0.1:8443", "https://127.0.0.1:8443?"},
		{"http://127.0.0.1:8?x=y", "http://127.0.0.1:8?x=y&"},
	} {
		for _, w := range []*world{registered, anything} {
			r := w.get(question("redirect_uri", tt.uri))
			if got := r.Header.Get("Location"); r.StatusCode != 302 || !strings.HasPrefix(got, tt.want+"code=AQ") || !strings.HasSuffix(got, "&state=st%26te") {
				t.Errorf("%s: %d %q", tt.uri, r.StatusCode, got)
			}
		}
	}
}

func TestAnyApp(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{AnyApp: true})
	code := w.login("client_id", "whoever", "redirect_uri", "http://127.0.0.1:4321/x")
	m := w.good(w.token("basic", "whoever:whatever", "grant_type", "authorization_code", "code", code, "redirect_uri", "http://127.0.0.1:4321/x", "code_verifier", verifier))
	refresh := m["refresh_token"].(string)
	w.good(w.token("basic", "whoever:another", "grant_type", "refresh_token", "refresh_token", refresh))
	w.token("client_id", "whoever", "grant_type", "refresh_token", "refresh_token", refresh).refused(t, "invalid_client: Invalid client secret")
	w.token("basic", "else:whatever", "grant_type", "refresh_token", "refresh_token", refresh).refused(t, "invalid_grant: Invalid refresh token")
	if r := w.get(question("redirect_uri", "http://localhost:8888/callback")); r.StatusCode != 400 || !strings.Contains(r.body, "redirect_uri: Insecure") {
		t.Errorf("localhost: %d", r.StatusCode)
	}
}

func TestUnknownScopesIgnored(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{IgnoreUnknownScopes: true})
	code := w.login("scope", "offline_access  user-top-read")
	m := w.good(w.token("grant_type", "authorization_code", "client_id", id, "redirect_uri", callback, "code", code, "code_verifier", verifier))
	if m["scope"] != "user-top-read" {
		t.Errorf("scope %v", m["scope"])
	}
}

func TestConsent(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	asks := func(pairs ...string) bool {
		t.Helper()
		r := w.get(question(pairs...))
		if r.StatusCode != 200 && r.StatusCode != 302 {
			t.Fatalf("status %d", r.StatusCode)
		}
		return r.StatusCode == 200
	}
	page := w.get(question())
	r := w.press(page, "cancel")
	if got, want := r.Header.Get("Location"), callback+"?error=access_denied&state=st%26te"; r.StatusCode != 303 || got != want {
		t.Errorf("cancel: %d %s", r.StatusCode, got)
	}
	if !asks() {
		t.Error("cancel was taken for consent")
	}
	r = w.press(page, "allow")
	if q := w.landed(r); r.StatusCode != 303 || !opaque.MatchString(q.Get("code")) || q.Get("state") != "st&te" || len(q) != 2 {
		t.Errorf("allow: %d %v", r.StatusCode, q)
	}
	for _, tt := range []struct {
		name string
		ask  []string
		want bool
	}{
		{"the same again", nil, false},
		{"fewer scopes", []string{"scope", "user-library-read"}, false},
		{"no scopes", []string{"-scope", ""}, false},
		{"more scopes", []string{"scope", "user-library-read user-top-read"}, true},
		{"show_dialog", []string{"show_dialog", "true"}, true},
		{"show_dialog=false", []string{"show_dialog", "false"}, false},
		{"without state", []string{"-state", ""}, false},
	} {
		if got := asks(tt.ask...); got != tt.want {
			t.Errorf("%s: asks %v", tt.name, got)
		}
	}
	w.SetUser(sandbox.User{ID: "else"})
	if !asks() {
		t.Error("one user's consent counts for another")
	}
	for _, answer := range []string{"", "maybe"} {
		if r := w.press(w.get(question()), answer); r.StatusCode != 400 {
			t.Errorf("answer %q: %d", answer, r.StatusCode)
		}
	}

	auto := start(t, sandbox.Options{AutoConsent: true})
	if r := auto.get(question()); r.StatusCode != 302 {
		t.Errorf("AutoConsent: %d", r.StatusCode)
	}
	if r := auto.get(question("show_dialog", "true")); r.StatusCode != 200 {
		t.Errorf("AutoConsent with show_dialog: %d", r.StatusCode)
	}
}

// TestForgedConsent answers consent pages that this server did not make.
func TestForgedConsent(t *testing.T) {
	t.Parallel()
	w, stranger := start(t, sandbox.Options{}), start(t, sandbox.Options{})
	old := w.get(question())
	w.clock.add(time.Hour)
	for _, r := range []reply{
		w.press(old, "allow"),
		w.press(stranger.get(question()), "allow"),
		w.press(reply{old.Response, `name="request" value="` + w.login() + `"`}, "allow"),
		w.do(w.request("POST", "/authorize", nil)),
	} {
		if r.StatusCode != 400 || r.Header.Get("Location") != "" {
			t.Errorf("%d %v", r.StatusCode, r.Header)
		}
	}
}
