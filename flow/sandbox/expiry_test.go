package sandbox_test

import (
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{RotatePKCE: true})
	exchange := func(code string) reply {
		return w.token("grant_type", "authorization_code", "client_id", id, "redirect_uri", callback, "code", code, "code_verifier", verifier)
	}
	code, late := w.login(), w.login()
	w.clock.add(10*time.Minute - time.Second)
	tokens := w.good(exchange(code))
	w.clock.add(time.Second)
	exchange(late).refused(t, "invalid_grant: Authorization code expired")

	access := tokens["access_token"]
	w.clock.add(time.Hour - 2*time.Second)
	if r := w.bearer("/v1/me", access); r.StatusCode != 200 {
		t.Errorf("a second before its end: %d", r.StatusCode)
	}
	w.clock.add(time.Second)
	r := w.bearer("/v1/me", access)
	if r.StatusCode != 401 || r.body != `{"error":{"status":401,"message":"The access token expired"}}` ||
		r.Header.Get("WWW-Authenticate") != `Bearer realm="spotify", error="invalid_token", error_description="The access token expired"` {
		t.Errorf("%d %s %v", r.StatusCode, r.body, r.Header)
	}

	// A login lasts six months by the calendar from consent. Neither a refresh nor a
	// rotation moves the end, nor does an exchange ten minutes after consent.
	consent := time.Date(2026, 8, 31, 12, 0, 0, 0, time.UTC)
	token := tokens["refresh_token"]
	for _, month := range []int{1, 3, 5} {
		w.clock.set(consent.AddDate(0, month, 0))
		token = w.good(w.refresh(token))["refresh_token"]
	}
	w.clock.set(consent.AddDate(0, 6, 0).Add(-time.Second))
	token = w.good(w.refresh(token))["refresh_token"]
	w.clock.set(consent.AddDate(0, 6, 0))
	w.refresh(token).refused(t, "invalid_grant: Refresh token expired")

	// A new consent starts a new six months.
	w.good(w.refresh(w.pkce()["refresh_token"]))
}

func TestLives(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{TokenLife: 90 * time.Second, LoginLife: time.Hour})
	tokens := w.pkce()
	if tokens["expires_in"] != 90.0 {
		t.Errorf("expires_in %v", tokens["expires_in"])
	}
	w.clock.add(90 * time.Second)
	if r := w.bearer("/v1/me", tokens["access_token"]); r.StatusCode != 401 {
		t.Errorf("status %d", r.StatusCode)
	}
	w.good(w.refresh(tokens["refresh_token"]))
	w.clock.add(time.Hour - 90*time.Second)
	w.refresh(tokens["refresh_token"]).refused(t, "invalid_grant: Refresh token expired")
}
