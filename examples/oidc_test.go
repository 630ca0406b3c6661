package examples

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	chromium   = "/usr/bin/chromium"
	oidcSecret = "s3cret/with+odd=bytes&a%20colon:" // form-encoded within Basic (RFC 6749 section 2.3.1)
)

// TestOIDC runs whole logins against oidc-provider, a certified OAuth server by other
// authors, with Chromium as the person's browser. `npm ci` in testdata/oidc installs
// everything that TestOIDC needs except Chromium.
func TestOIDC(t *testing.T) {
	chromiumNeeds(t, "oidc", "oidc-provider")
	t.Run("confidential", func(t *testing.T) { oidcStory(t, "confidential") })
	t.Run("pkce", func(t *testing.T) { oidcStory(t, "public") })
	t.Run("revoked", oidcRevoked)
	t.Run("denied", oidcDenied)
	t.Run("fewer scopes", oidcFewerScopes)
	t.Run("refused scope", oidcRefusedScope)
	t.Run("client credentials", oidcClientCredentials)
}

// chromiumNeeds skips if Chromium, Node.js or the packages of testdata/dir, of which
// pkg is one, are not installed. If TOKENFORM_TEST_OIDC is "require", it fails.
func chromiumNeeds(t *testing.T, dir, pkg string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	missing := ""
	if out, err := exec.CommandContext(ctx, "node", "-p", "process.versions.node.split('.')[0] >= 20").Output(); err != nil || strings.TrimSpace(string(out)) != "true" {
		missing = "node 20 or newer is not installed"
	} else if _, err := os.Stat("testdata/" + dir + "/node_modules/" + pkg); err != nil {
		missing = "npm ci has not been run in examples/testdata/" + dir
	} else if _, err := os.Stat(chromium); err != nil {
		missing = chromium + " is not installed"
	}
	switch {
	case missing == "":
	case os.Getenv("TOKENFORM_TEST_OIDC") == "require":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// oidcStory runs the life of a profile whose person agrees: a login, a run with nothing
// to do, refreshes that rotate, and the end of the rotated tokens.
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

	// Now nothing is left to do.
	before, env := w.read(w.stateFile()), w.read(".env")
	w.apply(0, "--login", "never")
	w.sent()
	if w.read(w.stateFile()) != before || w.read(".env") != env {
		t.Error("the second apply changed a file")
	}

	// A refresh brings new tokens, and the rotated refresh token brings the next.
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

	// The server takes the second use of a rotated token for a theft, and ends the
	// whole login (RFC 9700 section 4.14.2).
	if status := w.post("/api/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}}); status != http.StatusBadRequest {
		t.Errorf("the server answered the first refresh token with %d", status)
	}
	w.apply(4, "--login", "never")
	w.rejected(last)
}

// oidcRevoked ends a login at the server, first without a person and then with one.
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

	// Only the Web API tells that the login has ended, until the token must be
	// refreshed.
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

// oidcFewerScopes asks for a scope that the server does not know and leaves out of the
// grant, as RFC 6749 section 3.3 allows.
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

// oidcRefusedScope lets the server send the browser back with an error of its own.
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
