package sandbox_test

import (
	"testing"

	"tokenform/flow/sandbox"
)

func TestMe(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{User: sandbox.User{ID: "ann", AccountID: "21ann", Name: "Ann"}})
	tokens := w.pkce()
	w.SetUser(sandbox.User{ID: "bob"})
	// The token stands for the user who consented, whoever is logged in now.
	m := w.bearer("/v1/me", tokens["access_token"]).json(t)
	if m["id"] != "ann" || m["account_id"] != "21ann" || m["display_name"] != "Ann" {
		t.Errorf("%v", m)
	}
	refreshed := w.good(w.refresh(tokens["refresh_token"]))
	if m := w.bearer("/v1/me", refreshed["access_token"]).json(t); m["id"] != "ann" {
		t.Errorf("after a refresh: %v", m)
	}
	if m := w.bearer("/v1/me", w.pkce()["access_token"]).json(t); m["id"] != "bob" {
		t.Errorf("after a login as another: %v", m)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	user := w.pkce()
	app := w.good(w.token("basic", id+":"+secret, "grant_type", "client_credentials"))["access_token"].(string)
	bearer := "Bearer " + user["access_token"].(string)
	const search = "/v1/search?q=a&type=track&limit=1"
	const invalid = `{"error":{"status":401,"message":"Invalid access token"}}`
	for _, tt := range []struct {
		name, path, auth string
		status           int
		body             string // empty means any
	}{
		{"user", "/v1/me", bearer, 200, ""},
		{"a slash at the end", "/v1/me/", bearer, 200, ""},
		{"scheme in small letters", "/v1/me", "bearer " + user["access_token"].(string), 200, ""},
		{"app", "/v1/me", "Bearer " + app, 401, `{"error":{"status":401,"message":"Valid user authentication required"}}`},
		{"app searches", search, "Bearer " + app, 200, ""},
		{"user searches", search, bearer, 200, ""},
		{"none", "/v1/me", "", 401, `{"error":{"status":401,"message":"No token provided"}}`},
		{"basic", "/v1/me", "Basic eDp5", 400, `{"error":{"status":400,"message":"Only valid bearer authentication supported"}}`},
		{"garbage", "/v1/me", "Bearer x", 401, invalid},
		{"garbage searches", search, "Bearer x", 401, invalid},
		{"refresh token", "/v1/me", "Bearer " + user["refresh_token"].(string), 401, invalid},
		{"no query", "/v1/search?type=track", bearer, 400, `{"error":{"status":400,"message":"No search query"}}`},
		{"no type", "/v1/search?q=a", bearer, 400, `{"error":{"status":400,"message":"Missing parameter type"}}`},
		{"odd type", "/v1/search?q=a&type=song", bearer, 400, `{"error":{"status":400,"message":"Bad search type field song"}}`},
		{"odd limit", search + "0000", bearer, 400, `{"error":{"status":400,"message":"Invalid limit"}}`},
		{"gone", "/v1/markets", bearer, 404, `{"error":{"status":404,"message":"Service not found"}}`},
	} {
		r := w.request("GET", tt.path, nil)
		if tt.auth != "" {
			r.Header.Set("Authorization", tt.auth)
		}
		got := w.do(r)
		got.json(t)
		if got.StatusCode != tt.status || tt.body != "" && got.body != tt.body {
			t.Errorf("%s: %d %s", tt.name, got.StatusCode, got.body)
		}
		if h := got.Header.Get("WWW-Authenticate"); (tt.body == invalid) != (h == `Bearer realm="spotify", error="invalid_token", error_description="Invalid access token"`) {
			t.Errorf("%s: WWW-Authenticate %q", tt.name, h)
		}
	}
	if r := w.do(w.request("POST", "/v1/me", nil)); r.StatusCode != 405 {
		t.Errorf("POST: %d", r.StatusCode)
	}
}
