package sandbox_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tokenform/flow/sandbox"
)

var (
	opaqueAccess = regexp.MustCompile(`^BQ[A-Za-z0-9_-]{500,}$`)
	opaque       = regexp.MustCompile(`^AQ[A-Za-z0-9_-]{100,}$`)
)

// TestGrants has the answer to each grant.
func TestGrants(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	pkce, confidential := w.pkce(), w.withSecret()
	both := w.good(w.token("basic", id+":"+secret, "grant_type", "authorization_code", "redirect_uri", callback,
		"code", w.login(), "code_verifier", verifier))
	const all = "access_token expires_in refresh_token scope token_type"
	const kept = "access_token expires_in scope token_type"
	for _, tt := range []struct {
		name string
		got  map[string]any
		want string
	}{
		{"authorization_code with a secret", confidential, all},
		{"authorization_code with PKCE", pkce, all},
		{"authorization_code with both", both, all},
		{"client_credentials", w.good(w.token("basic", id+":"+secret, "grant_type", "client_credentials")), "access_token expires_in token_type"},
		{"client_credentials in the body", w.good(w.token("client_id", id, "client_secret", secret, "grant_type", "client_credentials")), "access_token expires_in token_type"},
		{"refresh with a secret", w.good(w.token("basic", id+":"+secret, "grant_type", "refresh_token", "refresh_token", confidential["refresh_token"].(string))), kept},
		{"refresh with PKCE", w.good(w.refresh(pkce["refresh_token"])), kept},
		{"refresh with PKCE and a secret", w.good(w.token("basic", id+":"+secret, "grant_type", "refresh_token", "refresh_token", pkce["refresh_token"].(string))), kept},
	} {
		if got := fields(tt.got); got != tt.want {
			t.Errorf("%s: fields %s, want %s", tt.name, got, tt.want)
		}
		if a := tt.got["access_token"].(string); !opaqueAccess.MatchString(a) {
			t.Errorf("%s: access token %q", tt.name, a)
		}
		if r, ok := tt.got["refresh_token"].(string); ok && !opaque.MatchString(r) {
			t.Errorf("%s: refresh token %q", tt.name, r)
		}
		if tt.got["expires_in"] != 3600.0 || tt.got["token_type"] != "Bearer" {
			t.Errorf("%s: %v %v", tt.name, tt.got["expires_in"], tt.got["token_type"])
		}
		// The request lists the scopes the other way round; the server has its own order.
		if s, ok := tt.got["scope"]; ok && s != "playlist-read-private user-library-read" {
			t.Errorf("%s: scope %v", tt.name, s)
		}
	}
	if code := w.login(); !opaque.MatchString(code) {
		t.Errorf("code %q", code)
	}
	r := w.token("basic", id+":"+secret, "grant_type", "client_credentials")
	if r.Header.Get("Cache-Control") != "no-store" || !strings.Contains(r.body, `"expires_in":3600`) {
		t.Errorf("%v %s", r.Header, r.body)
	}
	if got, want := r.Header.Get("Date"), "Mon, 31 Aug 2026 12:00:00 GMT"; got != want {
		t.Errorf("Date %q, want the server's own clock, %q", got, want)
	}
}

// TestRefusals has the errors of the token endpoint.
func TestRefusals(t *testing.T) {
	t.Parallel()
	other := sandbox.App{ID: "other", RedirectURIs: []string{callback}}
	w := start(t, sandbox.Options{Apps: []sandbox.App{sandbox.DemoApp(), other}})
	tokens, confidential := w.pkce(), w.withSecret()
	refresh := tokens["refresh_token"].(string)
	const basic = id + ":" + secret
	exchange := func(pairs ...string) []string {
		return append([]string{"grant_type", "authorization_code", "client_id", id, "redirect_uri", callback, "code_verifier", verifier}, pairs...)
	}
	fresh, plain := w.login(), w.login("-code_challenge", "", "-code_challenge_method", "")
	w.good(w.token(exchange("code", fresh)...)) // now it is used
	for _, tt := range []struct {
		name string
		ask  []string
		want string
	}{
		{"no form", nil, "unsupported_grant_type: grant_type parameter is missing"},
		{"other grant", []string{"grant_type", "password"}, "unsupported_grant_type: grant_type password is not supported"},
		{"no client", []string{"grant_type", "client_credentials"}, "invalid_client: Invalid client"},
		{"unknown client", []string{"grant_type", "client_credentials", "basic", "nobody:" + secret}, "invalid_client: Invalid client"},
		{"id and secret swapped", []string{"grant_type", "client_credentials", "basic", secret + ":" + id}, "invalid_client: Invalid client"},
		{"wrong secret", []string{"grant_type", "client_credentials", "basic", id + ":wrong"}, "invalid_client: Invalid client secret"},
		{"secret with a newline", []string{"grant_type", "client_credentials", "basic", basic + "\n"}, "invalid_client: Invalid client secret"},
		{"empty secret", []string{"grant_type", "client_credentials", "basic", id + ":"}, "invalid_client: Invalid client secret"},
		{"wrong secret in the body", []string{"grant_type", "client_credentials", "client_id", id, "client_secret", "x"}, "invalid_client: Invalid client secret"},
		{"secret of a public app", []string{"grant_type", "client_credentials", "basic", "other:" + secret}, "invalid_client: Invalid client secret"},
		{"two clients", []string{"grant_type", "client_credentials", "basic", basic, "client_id", "other"}, "invalid_client: Invalid client"},
		{"client_credentials without a secret", []string{"grant_type", "client_credentials", "client_id", id}, "invalid_client: Invalid client secret"},
		{"wrong secret with a good code", exchange("code", w.login(), "basic", id+":wrong"), "invalid_client: Invalid client secret"},

		{"no code", exchange(), "invalid_request: code must be supplied"},
		{"garbage", exchange("code", "AQgarbage"), "invalid_grant: Invalid authorization code"},
		{"a refresh token", exchange("code", refresh), "invalid_grant: Invalid authorization code"},
		{"used", exchange("code", fresh), "invalid_grant: Invalid authorization code"},
		{"another app's", exchange("code", w.login(), "client_id", "other"), "invalid_grant: Invalid authorization code"},
		{"other port", exchange("code", w.login(), "redirect_uri", "http://127.0.0.1:8889/callback"), "invalid_grant: Invalid redirect URI"},
		{"no redirect URI", exchange("code", w.login(), "redirect_uri", ""), "invalid_grant: Invalid redirect URI"},
		{"no verifier", exchange("code", w.login(), "code_verifier", ""), "invalid_request: code_verifier required"},
		{"no verifier but a secret", exchange("code", w.login(), "code_verifier", "", "basic", basic), "invalid_request: code_verifier required"},
		{"no verifier, no challenge, no secret", exchange("code", plain, "code_verifier", ""), "invalid_request: code_verifier required"},
		{"wrong verifier", exchange("code", w.login(), "code_verifier", verifier+"x"), "invalid_grant: code_verifier was incorrect"},
		{"wrong verifier and a secret", exchange("code", w.login(), "code_verifier", verifier+"x", "basic", basic), "invalid_grant: code_verifier was incorrect"},
		{"short verifier", exchange("code", w.login("code_challenge", challenge("short")), "code_verifier", "short"), "invalid_grant: code_verifier was incorrect"},
		{"long verifier", exchange("code", w.login("code_challenge", challenge(strings.Repeat("a", 129))), "code_verifier", strings.Repeat("a", 129)), "invalid_grant: code_verifier was incorrect"},
		{"verifier with other characters", exchange("code", w.login("code_challenge", challenge(verifier+"=")), "code_verifier", verifier+"="), "invalid_grant: code_verifier was incorrect"},
		{"verifier without a challenge", exchange("code", plain, "basic", basic), "invalid_grant: code_verifier was incorrect"},

		{"no refresh token", []string{"grant_type", "refresh_token", "client_id", id}, "invalid_request: refresh_token must be supplied"},
		{"garbage refresh token", []string{"grant_type", "refresh_token", "client_id", id, "refresh_token", "x"}, "invalid_grant: Invalid refresh token"},
		{"an access token", []string{"grant_type", "refresh_token", "client_id", id, "refresh_token", tokens["access_token"].(string)}, "invalid_grant: Invalid refresh token"},
		{"refresh token with a newline", []string{"grant_type", "refresh_token", "client_id", id, "refresh_token", refresh + "\n"}, "invalid_grant: Invalid refresh token"},
		{"another app's refresh token", []string{"grant_type", "refresh_token", "client_id", "other", "refresh_token", refresh}, "invalid_grant: Invalid refresh token"},
		{"refresh without client", []string{"grant_type", "refresh_token", "refresh_token", refresh}, "invalid_client: Invalid client"},
		{"got with a secret, refreshed without", []string{"grant_type", "refresh_token", "client_id", id, "refresh_token", confidential["refresh_token"].(string)}, "invalid_client: Invalid client secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.token(tt.ask...).refused(t, tt.want)
		})
	}
	// A refused exchange leaves the code usable.
	w.good(w.refresh(refresh))
	w.good(w.token("basic", basic, "grant_type", "authorization_code", "redirect_uri", callback, "code", plain))
}

// TestEveryCharacterOfATokenCounts changes each character in turn.
func TestEveryCharacterOfATokenCounts(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	token := w.pkce()["refresh_token"].(string)
	for i := range len(token) {
		b := []byte(token)
		b[i] = 'A' + (b[i]-'A'+1)%26
		if string(b) != token {
			w.refresh(string(b)).refused(t, "invalid_grant: Invalid refresh token")
		}
	}
	w.refresh(token[:len(token)-1]).refused(t, "invalid_grant: Invalid refresh token")
	w.refresh(token+"A").refused(t, "invalid_grant: Invalid refresh token")
	w.good(w.refresh(token))
}

// TestOnlyAFormIsRead sends the parameters outside a form.
func TestOnlyAFormIsRead(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	form := url.Values{"grant_type": {"client_credentials"}}
	get := w.request("GET", "/api/token?"+form.Encode(), nil)
	query := w.request("POST", "/api/token?"+form.Encode(), nil)
	asJSON := w.request("POST", "/api/token", form)
	asJSON.Header.Set("Content-Type", "application/json")
	put := w.request("PUT", "/api/token", form)
	put.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	huge := w.request("POST", "/api/token", url.Values{"x": {strings.Repeat("x", 1<<20)}, "y": form["grant_type"]})
	for _, r := range []reply{w.do(get), w.do(query), w.do(asJSON), w.do(put), w.do(huge)} {
		r.refused(t, "unsupported_grant_type: grant_type parameter is missing")
	}
	charset := w.request("POST", "/api/token", form)
	charset.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	charset.SetBasicAuth(id, secret)
	w.good(w.do(charset))
}

// TestBasicIsFormEncoded checks the encoding of RFC 6749, section 2.3.1.
func TestBasicIsFormEncoded(t *testing.T) {
	t.Parallel()
	odd := sandbox.App{ID: "odd:id", Secret: "p%2 + ü:"}
	w := start(t, sandbox.Options{Apps: []sandbox.App{odd}})
	for _, tt := range []struct {
		id, secret string
		ok         bool
	}{
		{url.QueryEscape(odd.ID), url.QueryEscape(odd.Secret), true},
		{url.PathEscape(odd.ID), url.QueryEscape(odd.Secret), false}, // the colon splits too early
		{url.QueryEscape(odd.ID), odd.Secret, false},
	} {
		r := w.request("POST", "/api/token", url.Values{"grant_type": {"client_credentials"}})
		r.SetBasicAuth(tt.id, tt.secret)
		if got := w.do(r).StatusCode == 200; got != tt.ok {
			t.Errorf("%q %q: %v", tt.id, tt.secret, got)
		}
	}
}

func TestUnionScopes(t *testing.T) {
	t.Parallel()
	for _, union := range []bool{false, true} {
		w := start(t, sandbox.Options{UnionScopes: union})
		first := w.pkce()
		w.login("scope", "user-top-read")
		want := "playlist-read-private user-library-read"
		if union {
			want += " user-top-read"
		}
		if got := w.good(w.refresh(first["refresh_token"]))["scope"]; got != want {
			t.Errorf("union %v: scope %q, want %q", union, got, want)
		}
	}
}
