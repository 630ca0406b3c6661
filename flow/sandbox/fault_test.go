package sandbox_test

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
)

// TestAnswerFaults: each fault that is an answer, and whether the code is
// still good after it.
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
		fault    sandbox.Fault
		status   int
		consumed bool
		ok       func(reply) bool
	}{
		{sandbox.Fault{}, 200, true, field("token_type", `"Bearer"`)},
		{sandbox.TooManyRequests("7"), 429, false, func(r reply) bool { return r.Header.Get("Retry-After") == "7" }},
		{sandbox.TooManyRequests("Fri, 31 Dec 1999 23:59:59 GMT"), 429, false, func(r reply) bool { return r.Header.Get("Retry-After") == "Fri, 31 Dec 1999 23:59:59 GMT" }},
		{sandbox.TooManyRequests(""), 429, false, func(r reply) bool { return r.Header["Retry-After"] == nil }},
		{sandbox.QuotaExceeded("61200"), 429, false, says("application/json", `"reason":"QUOTA_EXCEEDED"`)},
		{sandbox.Outage(500), 500, false, says("text/plain", "Internal server error")},
		{sandbox.Outage(502), 502, false, says("text/plain", "upstream connect error")},
		{sandbox.Outage(503), 503, false, says("text/plain", "upstream connect error")},
		{sandbox.HTML(200), 200, false, says("text/html", "<!DOCTYPE html>")},
		{sandbox.HTML(503), 503, false, says("text/html", "<!DOCTYPE html>")},
		{sandbox.Says(404, "text/plain", "gone"), 404, false, says("text/plain", "gone")},
		{sandbox.Says(200, "application/json", "[]"), 200, false, says("application/json", "[]")},
		{sandbox.OAuthError("invalid_client", "Invalid client"), 400, false, says("application/json", `{"error":"invalid_client","error_description":"Invalid client"}`)},
		{sandbox.FalseInvalidGrant(), 400, false, says("application/json", `"error":"invalid_grant"`)},
		{sandbox.RedirectTo(301, "http://127.0.0.1:1/"), 301, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{sandbox.RedirectTo(302, "http://127.0.0.1:1/"), 302, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{sandbox.RedirectTo(307, "http://127.0.0.1:1/"), 307, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{sandbox.RedirectTo(308, "http://127.0.0.1:1/"), 308, false, func(r reply) bool { return r.Header.Get("Location") == "http://127.0.0.1:1/" }},
		{sandbox.Huge(5 << 20), 200, false, func(r reply) bool { return len(r.body) == 5<<20 && strings.HasPrefix(r.body, `{"access_token":"AAA`) }},
		{sandbox.Huge(5), 200, false, func(r reply) bool { return r.body == `{"acc` }},
		{sandbox.Dated(time.Unix(0, 0)), 200, true, func(r reply) bool { return r.Header.Get("Date") == "Thu, 01 Jan 1970 00:00:00 GMT" }},
		{sandbox.Truncated(), 200, true, func(r reply) bool {
			return !json.Valid([]byte(r.body)) && strings.HasPrefix(r.body, `{"access_token":"BQ`)
		}},
		{sandbox.Without("access_token"), 200, true, field("access_token", "")},
		{sandbox.Without("expires_in"), 200, true, field("expires_in", "")},
		{sandbox.Without("scope"), 200, true, field("scope", "")},
		{sandbox.With("expires_in", "3600"), 200, true, field("expires_in", `"3600"`)},
		{sandbox.With("expires_in", json.RawMessage("3600.0")), 200, true, field("expires_in", `3600.0`)},
		{sandbox.With("access_token", 5), 200, true, field("access_token", `5`)},
		{sandbox.With("refresh_token", nil), 200, true, field("refresh_token", `null`)},
		{sandbox.With("token_type", "bEARER"), 200, true, field("token_type", `"bEARER"`)},
		{sandbox.WiderScope("user-top-read"), 200, true, field("scope", `"playlist-read-private user-library-read user-top-read"`)},
		{sandbox.NarrowerScope("playlist-read-private"), 200, true, field("scope", `"user-library-read"`)},
		{sandbox.ReorderedScope(), 200, true, field("scope", `"user-library-read playlist-read-private"`)},
		{sandbox.Slow(time.Millisecond), 200, true, field("token_type", `"Bearer"`)},
		{sandbox.Drip(time.Microsecond), 200, true, field("token_type", `"Bearer"`)},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			exchange := []string{"grant_type", "authorization_code", "client_id", id, "redirect_uri", callback, "code", w.login(), "code_verifier", verifier}
			w.Inject("/api/token", tt.fault, 1)
			r := w.token(exchange...)
			if r.StatusCode != tt.status || !tt.ok(r) {
				t.Errorf("%d %v %.200s", r.StatusCode, r.Header, r.body)
			}
			if all := w.Requests(); tt.fault.String() != "none" && all[len(all)-1].Fault != tt.fault.String() {
				t.Errorf("noted fault %q", all[len(all)-1].Fault)
			}
			if again := w.token(exchange...); (again.StatusCode == 400) != tt.consumed {
				t.Errorf("the code afterwards: %d %s", again.StatusCode, again.body)
			}
		})
	}
	// A refusal stays one, whatever is done to good answers.
	w.Inject("/api/token", sandbox.Without("error"), 1)
	w.token().refused(t, "unsupported_grant_type: grant_type parameter is missing")
}

func TestAPIFaults(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	token := w.pkce()["access_token"]
	for _, tt := range []struct {
		fault  sandbox.Fault
		status int
		body   string
	}{
		{sandbox.APIError(401, "Invalid access token"), 401, `{"error":{"status":401,"message":"Invalid access token"}}`},
		{sandbox.APIError(403, "Insufficient client scope"), 403, `{"error":{"status":403,"message":"Insufficient client scope"}}`},
		{sandbox.PlainForbidden(), 403, "Check settings on developer.spotify.com/dashboard, the user may not be registered."},
		{sandbox.TooManyRequests("61200"), 429, `{"error":{"status":429,"message":"API rate limit exceeded"}}`},
		{sandbox.QuotaExceeded(""), 429, `{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}`},
		{sandbox.With("id", "else"), 200, ""},
	} {
		w.Inject("/v1/me", tt.fault, 1)
		r := w.bearer("/v1/me", token)
		if r.StatusCode != tt.status || tt.body != "" && r.body != tt.body {
			t.Errorf("%v: %d %s", tt.fault, r.StatusCode, r.body)
		}
		if has := r.Header.Get("WWW-Authenticate") != ""; has != (tt.status == 401) {
			t.Errorf("%v: %v", tt.fault, r.Header)
		}
	}
	if r := w.bearer("/v1/search?q=a&type=track", token); r.StatusCode != 200 {
		t.Errorf("another path: %d", r.StatusCode)
	}
}

// TestInjectOrder: faults wait in line, for a path each.
func TestInjectOrder(t *testing.T) {
	t.Parallel()
	w := start(t, sandbox.Options{})
	w.Inject("/v1/me", sandbox.Fault{}, 1)
	w.Inject("/v1/me", sandbox.Outage(503), 2)
	w.Inject("/v1/me", sandbox.Says(418, "text/plain", ""), -1)
	for i, want := range []int{401, 503, 503, 418, 418, 418} {
		if r := w.get("/v1/me"); r.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, r.StatusCode, want)
		}
	}
	w.Inject("/v1/me", sandbox.Fault{}, 0)
	if r := w.get("/v1/me"); r.StatusCode != 401 || w.Count("/v1/me") != 7 {
		t.Errorf("%d after %d", r.StatusCode, w.Count("/v1/me"))
	}
}

// TestWireFaults: the connection breaks, and the rotating refresh token tells
// whether the grant was consumed.
func TestWireFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault    sandbox.Fault
		consumed bool
		cause    error // of the failure; nil: any
	}{
		{sandbox.ResetBeforeGrant(), false, syscall.ECONNRESET},
		{sandbox.ResetAfterGrant(), true, syscall.ECONNRESET},
		{sandbox.HangBeforeGrant(), false, context.DeadlineExceeded},
		{sandbox.HangAfterGrant(), true, context.DeadlineExceeded},
		{sandbox.Slow(time.Hour), true, context.DeadlineExceeded},
		{sandbox.Drip(time.Hour), true, context.DeadlineExceeded},
		{sandbox.Huge(-1), false, context.DeadlineExceeded},
		{sandbox.CutOff(), true, io.ErrUnexpectedEOF},
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
				token := w.pkce()["refresh_token"].(string)
				w.http.CloseIdleConnections() // else net/http tries again on a new one
				w.Inject("/api/token", tt.fault, 1)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				r := w.request("POST", "/api/token", map[string][]string{
					"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {token},
				}).WithContext(ctx)
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
				if again := w.refresh(token); (again.StatusCode == 400) != tt.consumed {
					t.Errorf("the token afterwards: %d %s", again.StatusCode, again.body)
				}
			})
		}
	}
}
