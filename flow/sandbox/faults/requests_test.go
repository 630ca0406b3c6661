package faults_test

import (
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// TestManyClients logs in, refreshes and calls the Web API from many clients at once.
// The server must count every request.
func TestManyClients(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{AutoConsent: true, RotatePKCE: true, UnionScopes: true})
	const clients, each = 50, 10
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			_, token := w.good(w.token(w.exchange()))
			for range each {
				var access string
				access, token = w.good(w.token(refresh(token)))
				if r := w.get("/v1/me", access); r.StatusCode != 200 {
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
	w.get(authorize(), "")
	basic := w.request("POST", "/api/token", url.Values{"grant_type": {"client_credentials"}})
	basic.SetBasicAuth(id, secret)
	w.do(basic)
	w.token(url.Values{"client_id": {id}, "client_secret": {secret}, "grant_type": {"x"}})
	w.token(url.Values{"client_id": {id}, "grant_type": {"y"}})
	w.get("/v1/me", "z")
	got := w.Requests()
	for i, want := range []faults.Request{
		{Method: "GET", Path: "/authorize"},
		{Method: "POST", Path: "/api/token"},
		{Method: "POST", Path: "/api/token"},
		{Method: "POST", Path: "/api/token"},
		{Method: "GET", Path: "/v1/me"},
	} {
		g := got[i]
		if g.Method != want.Method || g.Path != want.Path || !g.Time.Equal(now()) {
			t.Errorf("%d: %+v", i, g)
		}
	}
	for i, kept := range []bool{
		got[0].Query.Get("state") == "s" && got[0].Query.Get("client_id") == id,
		got[1].Form.Get("grant_type") == "client_credentials" && got[1].Header.Get("Authorization") == basic.Header.Get("Authorization"),
		got[2].Form.Get("client_id") == id && got[2].Form.Get("client_secret") == secret,
		got[3].Form.Get("client_id") == id && !got[3].Form.Has("client_secret"),
		got[4].Header.Get("Authorization") == "Bearer z",
	} {
		if !kept {
			t.Errorf("%d: parameters are not kept: %+v", i, got[i])
		}
	}
}

// TestLogIsBounded checks that the newest 10,000 requests stay, in order, and that the
// count goes on.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	s := faults.New(sandbox.Options{Now: now})
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
