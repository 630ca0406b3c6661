package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tokenform/flow/sandbox"
)

// FuzzAuthorize checks that the browser never goes to a redirect URI that is not
// registered, and that no page runs a parameter as a script.
func FuzzAuthorize(f *testing.F) {
	s := sandbox.New(sandbox.Options{Now: newClock().now, AutoConsent: true})
	lands := regexp.MustCompile(`^http://127\.0\.0\.1(:8888|(:[1-9][0-9]{0,4})?)/callback\?code=AQ[A-Za-z0-9_-]+(&state=[^&<>"]*)?$`)
	for _, uri := range []string{
		callback, "http://127.0.0.1:1/callback", "http://127.0.0.1:80@evil.example/callback", "http://127.0.0.1:8888/callback/../x",
		"//evil.example", "http://127.0.0.1\\@evil.example/callback", "http://127.0.0.1:٣/callback", "http://localhost/callback",
	} {
		f.Add(id, uri, "user-top-read", "state", "")
	}
	f.Add("<script>", callback, "<script>", "a\r\nSet-Cookie: x", "true")
	f.Fuzz(func(t *testing.T, client, uri, scope, state, dialog string) {
		q := url.Values{
			"client_id": {client}, "redirect_uri": {uri}, "scope": {scope}, "state": {state}, "show_dialog": {dialog}, "response_type": {"code"},
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/authorize?"+q.Encode(), nil))
		location := w.Header().Get("Location")
		switch w.Code {
		case http.StatusFound:
			if !lands.MatchString(location) || !strings.HasPrefix(location, uri+"?") {
				t.Errorf("sent to %q", location)
			}
			u, err := url.Parse(location)
			if err != nil || u.Query().Get("state") != state {
				t.Errorf("state %q in %q", state, location)
			}
		case http.StatusOK, http.StatusBadRequest:
			if location != "" || strings.Contains(w.Body.String(), "<script") {
				t.Errorf("%d %q %s", w.Code, location, w.Body)
			}
		default:
			t.Errorf("status %d", w.Code)
		}
	})
}

// FuzzToken checks that the answer to any form is a JSON refusal or a token.
func FuzzToken(f *testing.F) {
	s := sandbox.New(sandbox.Options{Now: newClock().now})
	f.Add("grant_type=client_credentials", "application/x-www-form-urlencoded", "Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ=")
	f.Add("grant_type=refresh_token&client_id=sandbox-client&refresh_token=AQAA", "application/x-www-form-urlencoded", "")
	f.Add("grant_type=authorization_code&client_id=sandbox-client&code=AQ%zz;&code_verifier=x", "application/x-www-form-urlencoded;", "Basic ::")
	f.Add(`{"grant_type":"client_credentials"}`, "application/json", "Bearer x")
	f.Fuzz(func(t *testing.T, body, contentType, auth string) {
		r := httptest.NewRequest("POST", "/api/token", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var m map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%v: %s", err, w.Body)
		}
		_, token := m["access_token"].(string)
		_, refusal := m["error"].(string)
		if token == refusal || token != (w.Code == 200) || refusal != (w.Code == 400) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
