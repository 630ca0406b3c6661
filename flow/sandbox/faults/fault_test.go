package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// TestAnswerFaults checks what each fault answers, and whether the code is still good
// after it.
func TestAnswerFaults(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	field := func(name string, want any) func(reply) bool {
		return func(r reply) bool {
			var m map[string]json.RawMessage
			if json.Unmarshal([]byte(r.body), &m) != nil || m["access_token"] == nil && name != "access_token" {
				return false
			}
			return string(m[name]) == want
		}
	}
	says := func(contentType, text string) func(reply) bool {
		return func(r reply) bool {
			return strings.HasPrefix(r.Header.Get("Content-Type"), contentType) && strings.Contains(r.body, text)
		}
	}
	for _, tt := range []struct {
		fault    faults.Fault
		status   int
		consumed bool
		ok       func(reply) bool
	}{
		{faults.Fault{}, 200, true, field("token_type", `"Bearer"`)},
		{faults.TooManyRequests("7"), 429, false, func(r reply) bool { return r.Header.Get("Retry-After") == "7" }},
		{faults.TooManyRequests("Fri, 31 Dec 1999 23:59:59 GMT"), 429, false, func(r reply) bool { return r.Header.Get("Retry-After") == "Fri, 31 Dec 1999 23:59:59 GMT" }},
		{faults.TooManyRequests(""), 429, false, func(r reply) bool { return r.Header["Retry-After"] == nil }},
		{faults.QuotaExceeded("61200"), 429, false, says("application/json", `"reason":"QUOTA_EXCEEDED"`)},
		{faults.Outage(500), 500, false, says("text/plain", "Internal server error")},
		{faults.Outage(502), 502, false, says("text/plain", "upstream connect error")},
		{faults.Outage(503), 503, false, says("text/plain", "upstream connect error")},
		{faults.HTML(200), 200, false, says("text/html", "<!DOCTYPE html>")},
		{faults.HTML(503), 503, false, says("text/html", "<!DOCTYPE html>")},
		{faults.Says(404, "text/plain", "gone"), 404, false, says("text/plain", "gone")},
		{faults.Says(200, "application/json", "[]"), 200, false, says("application/json", "[]")},
		{faults.OAuthError("invalid_client", "Invalid client"), 400, false, says("application/json", `{"error":"invalid_client","error_description":"Invalid client"}`)},
		{faults.FalseInvalidGrant(), 400, false, says("application/json", `"error":"invalid_grant"`)},
		{faults.RedirectTo(301, "http://127.0.0.1:1/"), 301, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{faults.RedirectTo(302, "http://127.0.0.1:1/"), 302, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{faults.RedirectTo(307, "http://127.0.0.1:1/"), 307, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{faults.RedirectTo(308, "http://127.0.0.1:1/"), 308, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{faults.Huge(5 << 20), 200, false, func(r reply) bool { return len(r.body) == 5<<20 && strings.HasPrefix(r.body, `{"access_token":"AAA`) }},
		{faults.Huge(5), 200, false, func(r reply) bool { return r.body == `{"acc` }},
		{faults.Dated(time.Unix(0, 0)), 200, true, func(r reply) bool { return r.Header.Get("Date") == "Thu, 01 Jan 1970 00:00:00 GMT" }},
		{faults.Truncated(), 200, true, func(r reply) bool {
			return !json.Valid([]byte(r.body)) && strings.HasPrefix(r.body, `{"access_token":"BQ`)
		}},
		{faults.Without("access_token"), 200, true, field("access_token", "")},
		{faults.Without("expires_in"), 200, true, field("expires_in", "")},
		{faults.Without("scope"), 200, true, field("scope", "")},
		{faults.With("expires_in", "3600"), 200, true, field("expires_in", `"3600"`)},
		{faults.With("expires_in", json.RawMessage("3600.0")), 200, true, field("expires_in", `3600.0`)},
		{faults.With("access_token", 5), 200, true, field("access_token", `5`)},
		{faults.With("refresh_token", nil), 200, true, field("refresh_token", `null`)},
		{faults.With("token_type", "bEARER"), 200, true, field("token_type", `"bEARER"`)},
		{faults.WiderScope("user-top-read"), 200, true, field("scope", `"playlist-read-private user-library-read user-top-read"`)},
		{faults.NarrowerScope("playlist-read-private"), 200, true, field("scope", `"user-library-read"`)},
		{faults.ReorderedScope(), 200, true, field("scope", `"user-library-read playlist-read-private"`)},
		{faults.Slow(time.Millisecond), 200, true, field("token_type", `"Bearer"`)},
		{faults.Drip(time.Microsecond), 200, true, field("token_type", `"Bearer"`)},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			exchange := w.exchange()
			w.Inject("/api/token", tt.fault, 1)
			r := w.token(exchange)
			if r.StatusCode != tt.status || !tt.ok(r) {
				t.Errorf("%d %v %.200s", r.StatusCode, r.Header, r.body)
			}
			if all := w.Requests(); tt.fault.String() != "none" && all[len(all)-1].Fault != tt.fault.String() {
				t.Errorf("noted fault %q", all[len(all)-1].Fault)
			}
			if again := w.token(exchange); (again.StatusCode == 400) != tt.consumed {
				t.Errorf("the code afterwards: %d %s", again.StatusCode, again.body)
			}
		})
	}
	// A fault that changes good answers leaves a refusal as it is.
	w.Inject("/api/token", faults.Without("error"), 1)
	if r := w.token(nil); r.StatusCode != 400 || r.body != `{"error":"unsupported_grant_type","error_description":"grant_type parameter is missing"}` {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestAPIFaults(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	token, _ := w.good(w.token(w.exchange()))
	for _, tt := range []struct {
		fault  faults.Fault
		status int
		body   string
	}{
		{faults.APIError(401, "Invalid access token"), 401, `{"error":{"status":401,"message":"Invalid access token"}}`},
		{faults.APIError(403, "Insufficient client scope"), 403, `{"error":{"status":403,"message":"Insufficient client scope"}}`},
		{faults.PlainForbidden(), 403, "Check settings on developer.spotify.com/dashboard, the user may not be registered."},
		{faults.TooManyRequests("61200"), 429, `{"error":{"status":429,"message":"API rate limit exceeded"}}`},
		{faults.QuotaExceeded(""), 429, `{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}`},
		{faults.With("id", "else"), 200, ""},
	} {
		w.Inject("/v1/me", tt.fault, 1)
		r := w.get("/v1/me", token)
		if r.StatusCode != tt.status || tt.body != "" && r.body != tt.body {
			t.Errorf("%v: %d %s", tt.fault, r.StatusCode, r.body)
		}
		if has := r.Header.Get("WWW-Authenticate") != ""; has != (tt.status == 401) {
			t.Errorf("%v: %v", tt.fault, r.Header)
		}
	}
	if r := w.get("/v1/search?q=a&type=track", token); r.StatusCode != 200 {
		t.Errorf("another path: %d", r.StatusCode)
	}
}

// TestInjectOrder checks that each path has its own queue of faults.
func TestInjectOrder(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	w.Inject("/v1/me", faults.Fault{}, 1)
	w.Inject("/v1/me", faults.Outage(503), 2)
	w.Inject("/v1/me", faults.Says(418, "text/plain", ""), -1)
	for i, want := range []int{401, 503, 503, 418, 418, 418} {
		if r := w.get("/v1/me", ""); r.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, r.StatusCode, want)
		}
	}
	w.Inject("/v1/me", faults.Fault{}, 0)
	if r := w.get("/v1/me", ""); r.StatusCode != 401 || w.Count("/v1/me") != 7 {
		t.Errorf("%d after %d", r.StatusCode, w.Count("/v1/me"))
	}
}

// TestWireFaults breaks connections. The rotating refresh token shows whether the grant
// was consumed.
func TestWireFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault    faults.Fault
		consumed bool
		cause    error // of the failure; nil means any
	}{
		{faults.ResetBeforeGrant(), false, syscall.ECONNRESET},
		{faults.ResetAfterGrant(), true, syscall.ECONNRESET},
		{faults.HangBeforeGrant(), false, context.DeadlineExceeded},
		{faults.HangAfterGrant(), true, context.DeadlineExceeded},
		{faults.Slow(time.Hour), true, context.DeadlineExceeded},
		{faults.Drip(time.Hour), true, context.DeadlineExceeded},
		{faults.Huge(-1), false, context.DeadlineExceeded},
		{faults.CutOff(), true, io.ErrUnexpectedEOF},
	} {
		for _, tls := range []bool{false, true} {
			name := tt.fault.String()
			if tls {
				name += " TLS"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := start(t, sandbox.Options{RotatePKCE: true})
				if tls {
					web := httptest.NewTLSServer(w.Server)
					defer web.Close()
					w.url, w.http = web.URL, web.Client()
					w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				}
				if transport, ok := w.http.Transport.(*http.Transport); ok {
					transport.DisableKeepAlives = true // net/http tries again by itself on a connection that was used before
				}
				_, token := w.good(w.token(w.exchange()))
				w.http.CloseIdleConnections() // the default transport's
				w.Inject("/api/token", tt.fault, 1)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				r := w.request("POST", "/api/token", refresh(token)).WithContext(ctx)
				res, err := w.http.Do(r)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				if err == nil {
					t.Fatal("no trouble")
				}
				if !errors.Is(err, tt.cause) && !(runtime.GOOS == "windows" && tt.cause == syscall.ECONNRESET) {
					t.Errorf("%v, want %v", err, tt.cause)
				}
				if again := w.token(refresh(token)); (again.StatusCode == 400) != tt.consumed {
					t.Errorf("the token afterwards: %d %s", again.StatusCode, again.body)
				}
			})
		}
	}
}
