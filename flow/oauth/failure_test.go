package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestTokenFailures has every error of the token endpoint, and checks that no body is
// printed.
func TestTokenFailures(t *testing.T) {
	t.Parallel()
	oauthError := func(code, text string) string {
		return toJSON(map[string]string{"error": code, "error_description": text})
	}
	const asJSON, asText, asHTML = "application/json", "text/plain", "text/html; charset=utf-8"
	for _, test := range []struct {
		status            int
		contentType, body string
		header            []string
		kind              Kind
		code              string
		message           string // HOST stands for the server's host
		hint              string // a part of the hint
		retryAfter        time.Duration
		tries             int
	}{
		{400, asJSON, oauthError("invalid_grant", "Refresh token revoked"), nil, Refused, "invalid_grant", "refresh token revoked (invalid_grant)", "log in again", 0, 1},
		{400, asJSON, oauthError("invalid_grant", "Invalid authorization code"), nil, Refused, "invalid_grant", "invalid authorization code (invalid_grant)", "log in again", 0, 1},
		{400, asJSON, oauthError("invalid_grant", ""), nil, Refused, "invalid_grant", "refused by HOST (invalid_grant)", "log in again", 0, 1},
		{400, asJSON, oauthError("invalid_client", "Invalid client secret"), nil, Refused, "invalid_client", "invalid client secret (invalid_client)", "swapped", 0, 1},
		{401, asJSON, oauthError("invalid_client", "Invalid client."), nil, Refused, "invalid_client", "invalid client (invalid_client)", "swapped", 0, 1},
		{400, asJSON, oauthError("invalid_request", "code must be supplied"), nil, Refused, "invalid_request", "code must be supplied (invalid_request)", "", 0, 1},
		{400, asJSON, oauthError("invalid_scope", ""), nil, Refused, "invalid_scope", "refused by HOST (invalid_scope)", "scopes", 0, 1},
		{400, asJSON, oauthError("unauthorized_client", ""), nil, Refused, "unauthorized_client", "refused by HOST (unauthorized_client)", "grant", 0, 1},
		{400, asJSON, oauthError("unsupported_grant_type", "grant_type X is not supported"), nil, Refused, "unsupported_grant_type", "grant_type X is not supported (unsupported_grant_type)", "", 0, 1},
		{403, asJSON, oauthError("access_denied", ""), nil, Refused, "access_denied", "refused by HOST (access_denied)", "", 0, 1},
		{200, asJSON, oauthError("invalid_grant", "Refresh token revoked"), nil, Refused, "invalid_grant", "refresh token revoked (invalid_grant)", "log in again", 0, 1},
		{200, asJSON, strings.Replace(goodToken, "{", `{"error":"invalid_grant",`, 1), nil, Refused, "invalid_grant", "refused by HOST (invalid_grant)", "", 0, 1},
		{400, asText, oauthError("invalid_grant", "x"), nil, Refused, "invalid_grant", "x (invalid_grant)", "", 0, 1},
		{400, asJSON, oauthError("temporarily_unavailable", "Come back"), nil, Unavailable, "temporarily_unavailable", "HOST answered 400: Come back", "", 0, 1},

		// A server's claims in an outage prove nothing.
		{503, asJSON, oauthError("invalid_grant", "Invalid refresh token"), nil, Unavailable, "invalid_grant", "HOST answered 503: Invalid refresh token", "", 0, 4},
		{500, asJSON, oauthError("server_error", ""), nil, Unavailable, "server_error", "HOST answered 500", "", 0, 4},
		{502, asText, "upstream connect error\nor disconnect", nil, Unavailable, "", "HOST answered 502: upstream connect error or disconnect", "", 0, 4},
		{503, asHTML, "<html><script>alert(1)</script>", nil, Unavailable, "", "HOST answered 503 with an HTML page", "", 0, 4},
		{503, "", "<html>", nil, Unavailable, "", "HOST answered 503 with an HTML page", "", 0, 4},
		{504, asText, "", nil, Unavailable, "", "HOST answered 504", "", 0, 4},
		{501, asText, "", nil, Unavailable, "", "HOST answered 501", "", 0, 1},
		{503, asText, "later", []string{"Retry-After", "120"}, Unavailable, "", "HOST answered 503: later; try again in 2m", "", 2 * time.Minute, 1},
		{429, asText, "", []string{"Retry-After", "61200"}, RateLimited, "", "HOST answered 429; try again in 17h", "", 17 * time.Hour, 1},
		{429, asText, "", []string{"Retry-After", "99999999999999999999"}, RateLimited, "", "HOST answered 429; try again in 8760h", "", 8760 * time.Hour, 1},
		{429, asText, "", []string{"Date", "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After", "Wed, 21 Oct 2026 07:29:30 GMT"}, RateLimited, "", "HOST answered 429; try again in 1m30s", "", 90 * time.Second, 1},
		{429, asText, "", []string{"Retry-After", "soon"}, RateLimited, "", "HOST answered 429", "", 0, 4},
		{429, asText, "", []string{"Retry-After", "-5"}, RateLimited, "", "HOST answered 429", "", 0, 4},
		{429, asJSON, `{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}`, nil, RateLimited, "", "HOST answered 429: Too many requests (QUOTA_EXCEEDED)", "", 0, 4},

		{404, asHTML, "<html>", nil, Unexpected, "", "HOST answered 404 with an HTML page", "TOKENFORM_ACCOUNTS_URL", 0, 1},
		{400, asText, "\x1b[2Jno\x07 such\u202e thing", nil, Unexpected, "", "HOST answered 400: [2Jno such thing", "", 0, 1},
		{400, asJSON, `{"error":"invalid_gr`, nil, Unavailable, "", "HOST answered 400 with damaged JSON", "", 0, 1},
		{400, asJSON, `{}`, nil, Unexpected, "", "HOST answered 400", "", 0, 1},
		{400, asJSON, `{"error":5,"error_description":["x"]}`, nil, Unexpected, "", "HOST answered 400", "", 0, 1},
		{400, asJSON, oauthError("no code at all\x00", "text"), nil, Unexpected, "", "HOST answered 400: text", "", 0, 1},
		{403, asHTML, "<html>", nil, Unavailable, "", "HOST answered 403 with an HTML page", "", 0, 1},
		{401, asText, "", nil, Unexpected, "", "HOST answered 401", "", 0, 1},
		{407, asText, "", nil, Unexpected, "", "HOST answered 407", "HTTPS_PROXY", 0, 1},
		{400, asText, strings.Repeat("much ", 1000), nil, Unexpected, "", "HOST answered 400: " + strings.Repeat("much ", 40) + "…", "", 0, 1},
	} {
		s := serve(t, says(test.status, test.contentType, test.body, test.header...))
		got, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
		e := wireError(t, err)
		want := strings.Replace(test.message, "HOST", strings.TrimPrefix(s.URL, "http://"), 1)
		if e.Kind != test.kind || e.Code != test.code || e.Status != test.status || e.Message != want ||
			!strings.Contains(e.Hint, test.hint) || e.RetryAfter != test.retryAfter || got.Access != "" {
			t.Errorf("%d %s:\ngot  %d %q %d %s | %s | %s\nwant %d %q %d %s | %s | %s", test.status, test.body,
				e.Kind, e.Code, e.Status, e.Message, e.Hint, e.RetryAfter,
				test.kind, test.code, test.status, want, test.hint, test.retryAfter)
		}
		if n := len(s.requests()); n != test.tries {
			t.Errorf("%d %s: %d tries, want %d", test.status, test.body, n, test.tries)
		}
	}
}

func TestWebAPIFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status      int
		body        string
		kind        Kind
		message     string
		hint        string
		retryHeader string
	}{
		{401, `{"error":{"status":401,"message":"The access token expired"}}`, Unauthorized, "HOST answered 401: The access token expired", "log in again", ""},
		{401, "", Unavailable, "HOST answered 401", "", ""},
		{401, `{"error":"invalid_grant"}`, Unavailable, "HOST answered 401", "", ""},
		{401, `{"error":{"status":401,"message":"Access token missing"}}`, Unavailable, "HOST answered 401: Access token missing", "", ""},
		{403, "Active premium subscription required for the owner of the app.", Forbidden, "HOST answered 403: Active premium subscription required for the owner of the app.", "Premium", ""},
		{403, `{"error":{"status":403,"message":"Insufficient client scope"}}`, Forbidden, "HOST answered 403: Insufficient client scope", "scopes", ""},
		{404, `{"error":{"status":404,"message":"Not found"}}`, Unexpected, "HOST answered 404: Not found", "TOKENFORM_API_URL", ""},
		{429, "", RateLimited, "HOST answered 429; try again in 17h", "", "61200"},
		{500, "", Unavailable, "HOST answered 500", "", ""},
		{200, "<html>", Unavailable, "HOST: answer with an HTML page", "", ""},
	} {
		s := serve(t, says(test.status, "text/plain", test.body, "Retry-After", test.retryHeader))
		a := appAt(t, s.URL)
		_, meErr := a.Me(t.Context(), theAccess)
		for _, err := range []error{meErr, a.Search(t.Context(), theAccess)} {
			e := wireError(t, err)
			want := strings.Replace(test.message, "HOST", strings.TrimPrefix(s.URL, "http://"), 1)
			if e.Kind != test.kind || e.Message != want || e.Code != "" || !strings.Contains(e.Hint, test.hint) {
				t.Errorf("%d %s: got %d %s | %s", test.status, test.body, e.Kind, e.Message, e.Hint)
			}
		}
	}
}

// TestEchoes checks that a secret which the server echoes is hidden, in any spelling.
func TestEchoes(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte(theID + ":" + theSecret))
	for _, secret := range append([]string{url.QueryEscape(theSecret), base64.StdEncoding.EncodeToString([]byte(theRefresh)), basic}, everySecret...) {
		for _, h := range []struct{ contentType, body string }{
			{"text/plain", "bad: " + secret + " is bad"},
			{"text/plain", strings.Repeat("x ", 98) + secret}, // the secret is at the place where the text is cut
			{"application/json", toJSON(map[string]string{"error": "invalid_grant", "error_description": "no such token " + secret})},
			{"application/json", toJSON(map[string]string{"error": secret, "error_description": "x"})},
			{"application/json", toJSON(map[string]any{"error": map[string]string{"message": secret, "reason": secret}})},
			{"text/html", "<p>" + secret},
		} {
			s := serve(t, says(400, h.contentType, h.body))
			a := appAt(t, s.URL)
			_, exchanged := a.Exchange(t.Context(), login(), theCode)
			_, refreshed := a.Refresh(t.Context(), theRefresh)
			_, asked := a.Me(t.Context(), theAccess)
			for _, call := range []struct {
				err  error
				sent []string
			}{
				{exchanged, []string{theCode, theVerifier, theSecret, theState}},
				{refreshed, []string{theRefresh, theSecret}},
				{asked, []string{theAccess}},
			} {
				e := call.err.(*Error)
				all := e.Message + e.Hint + e.Code
				for _, own := range call.sent {
					if strings.Contains(all, own) || strings.Contains(all, url.QueryEscape(own)) ||
						strings.Contains(all, base64.StdEncoding.EncodeToString([]byte(own))) || strings.Contains(all, basic) {
						t.Errorf("%s: %s", h.body, all)
					}
				}
			}
		}
	}
}

// TestForeignTokens checks that a token which is not ours is recognized by its length,
// or by its field.
func TestForeignTokens(t *testing.T) {
	t.Parallel()
	long := "BQ" + strings.Repeat("aB3_-", 30)
	for _, body := range []string{
		toJSON(map[string]string{"error": "invalid_grant", "error_description": "not " + long + "!"}),
		toJSON(map[string]string{"error": "invalid_grant", "error_description": "not BQshort", "access_token": "BQshort"}),
		"some text with " + long,
	} {
		s := serve(t, says(400, "application/json", body))
		_, err := appAt(t, s.URL).ClientCredentials(t.Context())
		if e := wireError(t, err); !strings.Contains(e.Message, "[redacted]") || strings.Contains(e.Message, "BQ") {
			t.Errorf("got %s", e.Message)
		}
	}
}

func TestClientHint(t *testing.T) {
	t.Parallel()
	s := serve(t, says(400, "application/json", `{"error":"invalid_client","error_description":"Invalid client"}`))
	for _, test := range []struct{ id, secret, part string }{
		{theID, theSecret, "swapped"},
		{theID, theSecret + "\n", "newline around client.secret"},
		{theID + " ", theSecret, "newline around client.id"},
		{theID, "", "client.id"},
	} {
		a := appAt(t, s.URL)
		a.ID, a.Secret = test.id, test.secret
		_, err := a.Refresh(t.Context(), theRefresh)
		if e := wireError(t, err); !strings.Contains(e.Hint, test.part) {
			t.Errorf("got %s, want %s", e.Hint, test.part)
		}
	}
}

// TestClientHintOrigin checks that a refused client is told with where its ID and secret
// come from, and never with the values.
func TestClientHintOrigin(t *testing.T) {
	t.Parallel()
	for app, want := range map[*App]string{
		{ID: "CANARY", Secret: "CANARY", IDFrom: "SPOTIFY_CLIENT_ID", SecretFrom: "secret.txt"}: "check client.id (from SPOTIFY_CLIENT_ID) and client.secret (from secret.txt): are they swapped",
		{ID: "CANARY", IDFrom: "dev.yaml:2:7"}:                                                  "check client.id (from dev.yaml:2:7); a login",
		{ID: "CANARY", Secret: "CANARY "}:                                                       "remove the space or newline around client.secret",
	} {
		if got := app.clientHint(); !strings.HasPrefix(got, want) || strings.Contains(got, "CANARY") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
