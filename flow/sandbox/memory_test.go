package sandbox_test

import (
	"sync"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	refreshSecret := func(w *world, token any) reply {
		return w.token("basic", id+":"+secret, "grant_type", "refresh_token", "refresh_token", token.(string))
	}
	for _, tt := range []struct {
		name           string
		opt            sandbox.Options
		pkce, withHead bool
	}{
		{"off", sandbox.Options{}, false, false},
		{"PKCE only", sandbox.Options{RotatePKCE: true}, true, false},
		{"all", sandbox.Options{RotateAll: true}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := start(t, tt.opt)
			for _, kind := range []struct {
				tokens  map[string]any
				refresh func(*world, any) reply
				rotates bool
			}{
				{w.pkce(), (*world).refresh, tt.pkce},
				{w.withSecret(), refreshSecret, tt.withHead},
			} {
				first := kind.tokens["refresh_token"]
				second, rotated := w.good(kind.refresh(w, first))["refresh_token"]
				if rotated != kind.rotates {
					t.Fatalf("rotated: %v, want %v", rotated, kind.rotates)
				}
				if !rotated {
					w.good(kind.refresh(w, first))
					continue
				}
				kind.refresh(w, first).refused(t, "invalid_grant: Refresh token revoked")
				third := w.good(kind.refresh(w, second))["refresh_token"]
				kind.refresh(w, second).refused(t, "invalid_grant: Refresh token revoked")
				w.good(kind.refresh(w, third))
			}
		})
	}
}

// TestOneRefreshWins refreshes one rotating token many times at once; exactly one
// refresh may win.
func TestOneRefreshWins(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{RotatePKCE: true})
	token := w.pkce()["refresh_token"]
	for range 10 {
		won := make(chan any, 40)
		var all sync.WaitGroup
		for range cap(won) {
			all.Go(func() {
				if m := w.refresh(token).json(t); m["refresh_token"] != nil {
					won <- m["refresh_token"]
				} else if m["error_description"] != "Refresh token revoked" {
					t.Errorf("%v", m)
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("%d refreshes won", len(won))
		}
		token = <-won
	}
}

// TestOneExchangeWins exchanges one code many times at once; exactly one exchange may
// win.
func TestOneExchangeWins(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	code := w.login()
	won := make(chan bool, 40)
	var all sync.WaitGroup
	for range cap(won) {
		all.Go(func() {
			r := w.token("grant_type", "authorization_code", "client_id", id, "redirect_uri", callback, "code", code, "code_verifier", verifier)
			if r.StatusCode == 200 {
				won <- true
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d exchanges won", len(won))
	}
}

// TestOneKeyManyServers checks that servers with one key accept each other's tokens
// and codes.
func TestOneKeyManyServers(t *testing.T) {
	t.Parallel()
	key := []byte("one key")
	opt := sandbox.Options{Key: key, RotatePKCE: true}
	first, second := start(t, opt), start(t, opt)
	stranger := start(t, sandbox.Options{})

	code := first.login()
	tokens := second.good(second.token("grant_type", "authorization_code", "client_id", id, "redirect_uri", callback, "code", code, "code_verifier", verifier))
	if r := first.bearer("/v1/me", tokens["access_token"]); r.StatusCode != 200 {
		t.Errorf("access token: %d", r.StatusCode)
	}
	next := first.good(first.refresh(tokens["refresh_token"]))["refresh_token"]
	third := second.good(second.refresh(next))["refresh_token"]
	second.refresh(next).refused(t, "invalid_grant: Refresh token revoked")
	// The rotation of next at second revokes the older token there too.
	second.refresh(tokens["refresh_token"]).refused(t, "invalid_grant: Refresh token revoked")

	stranger.refresh(third).refused(t, "invalid_grant: Invalid refresh token")
	if r := stranger.bearer("/v1/me", tokens["access_token"]); r.StatusCode != 401 {
		t.Errorf("stranger: %d", r.StatusCode)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	key := []byte("one key")
	other := start(t, sandbox.Options{Key: key})
	foreign := other.pkce()["refresh_token"]

	w := start(t, sandbox.Options{Key: key})
	first, second := w.pkce()["refresh_token"], w.pkce()["refresh_token"]
	code := w.login()
	w.Revoke("garbage")
	w.good(w.refresh(second))
	w.Revoke(first.(string))
	for _, token := range []any{first, second, foreign} {
		w.refresh(token).refused(t, "invalid_grant: Refresh token revoked")
	}
	w.token("grant_type", "authorization_code", "client_id", id, "redirect_uri", callback, "code", code, "code_verifier", verifier).
		refused(t, "invalid_grant: Invalid authorization code")
	if r := w.get(question()); r.StatusCode != 200 {
		t.Errorf("the consent is remembered after the app was removed: %d", r.StatusCode)
	}

	// The clock stands still, but a login after the removal is good.
	third := w.pkce()["refresh_token"]
	w.good(w.refresh(third))
	w.RevokeAll()
	w.refresh(third).refused(t, "invalid_grant: Refresh token revoked")
	w.good(w.refresh(w.pkce()["refresh_token"]))
	other.clock.add(time.Second)
	w.good(w.refresh(other.pkce()["refresh_token"]))
}
