package sandbox_test

import (
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// TestManyClients: everything at once, and every request counted.
func TestManyClients(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{AutoConsent: true, RotatePKCE: true, UnionScopes: true})
	const clients, each = 50, 10
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			tokens := w.pkce()
			for range each {
				tokens = w.good(w.refresh(tokens["refresh_token"]))
				if r := w.bearer("/v1/me", tokens["access_token"]); r.StatusCode != 200 {
					t.Errorf("status %d", r.StatusCode)
				}
			}
		})
	}
	all.Wait()
	if got, want := w.Count("/api/token"), clients*(each+1); got != want {
		t.Errorf("counted %d, want %d", got, want)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	w.get(question("state", "s"))
	w.token("basic", id+":"+secret, "grant_type", "client_credentials")
	w.token("client_id", id, "client_secret", secret, "grant_type", "x")
	w.token("client_id", id, "grant_type", "y")
	w.bearer("/v1/me", "z")
	got := w.Requests()
	for i, want := range []sandbox.Request{
		{Method: "GET", Path: "/authorize", Auth: sandbox.AuthNone, ClientID: id},
		{Method: "POST", Path: "/api/token", Auth: sandbox.AuthBasic, ClientID: id},
		{Method: "POST", Path: "/api/token", Auth: sandbox.AuthBody, ClientID: id},
		{Method: "POST", Path: "/api/token", Auth: sandbox.AuthNone, ClientID: id},
		{Method: "GET", Path: "/v1/me", Auth: sandbox.AuthBearer},
	} {
		g := got[i]
		if g.Method != want.Method || g.Path != want.Path || g.Auth != want.Auth || g.ClientID != want.ClientID || !g.Time.Equal(w.clock.now()) {
			t.Errorf("%d: %+v", i, g)
		}
	}
	if got[0].Query.Get("state") != "s" || got[1].Form.Get("grant_type") != "client_credentials" || got[4].Header.Get("Authorization") != "Bearer z" {
		t.Error("parameters are not kept")
	}
}

// TestLogIsBounded: the newest 10,000 stay, in order; the count goes on.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	s := faults.New(sandbox.Options{Now: newClock().now})
	const sent = 10_500
	for n := range sent {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/me?n="+strconv.Itoa(n), nil))
	}
	got := s.Requests()
	if len(got) != 10_000 || s.Count("/v1/me") != sent {
		t.Fatalf("%d kept of %d", len(got), s.Count("/v1/me"))
	}
	for i, r := range got {
		if want := strconv.Itoa(sent - 10_000 + i); r.Query.Get("n") != want {
			t.Fatalf("request %d is %s, want %s", i, r.Query.Get("n"), want)
		}
	}
}
