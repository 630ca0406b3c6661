package oauth

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzTokenAnswer checks that each answer gives a token or an error, never both, and
// never a secret in the error. Marks in the body stand for values of the request, so
// that the fuzzer can echo them.
func FuzzTokenAnswer(f *testing.F) {
	f.Add(200, "application/json", goodToken)
	f.Add(200, "text/plain", strings.Replace(goodToken, "3600", "3600.0", 1))
	f.Add(200, "application/json", `{"access_token":"x","expires_in":1,"error":"REFRESH"}`)
	f.Add(400, "application/json", `{"error":"invalid_grant","error_description":"no REFRESH for SECRET"}`)
	f.Add(400, "application/json", `{"error":{"message":"REFRESH","reason":"SECRET"}}`)
	f.Add(429, "text/html", "<html>REFRESH")
	f.Add(503, "", "\x1b[2JSECRET\u202eREFRESH")
	f.Add(302, "text/plain", "")
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		if status < 100 || status > 999 {
			t.Skip()
		}
		body = strings.NewReplacer("REFRESH", theRefresh, "SECRET", theSecret).Replace(body)
		a := App{ID: theID, Secret: theSecret, Endpoints: Endpoints{Accounts: DefaultAccounts, API: DefaultAPI}}
		a.HTTP = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status,
				Header:     http.Header{"Content-Type": {contentType}, "Location": {body}},
				Body:       io.NopCloser(strings.NewReader(body)),
				Request:    r,
			}, nil
		})}
		tok, err := a.Refresh(t.Context(), theRefresh)
		empty := tok.Access == "" && tok.Refresh == "" && tok.Type == "" && tok.ExpiresIn == 0 && tok.Scopes == nil
		if err != nil {
			if !empty {
				t.Fatal("a token and an error")
			}
			clean(t, wireError(t, err))
			return
		}
		if tok.Access == "" || tok.Type != "Bearer" || tok.ExpiresIn <= 0 || status/100 != 2 || strings.ContainsAny(tok.Access+tok.Refresh, "\r\n\x00") {
			t.Fatalf("a token that is none, from %d %q", status, body)
		}
	})
}

// FuzzCallback checks that a code is accepted only with the right state.
func FuzzCallback(f *testing.F) {
	const host = "127.0.0.1:8888"
	f.Add("GET", "/callback", goodQuery, host)
	f.Add("GET", "/callback", "code=x&state=STATE&state=STATE", host)
	f.Add("GET", "/callback", "error=access_denied&state=STATE", host)
	f.Add("HEAD", "/callback", goodQuery, host)
	f.Add("GET", "/", goodQuery, host)
	f.Add("GET", "/callback", goodQuery, "evil.example")
	f.Fuzz(func(t *testing.T, method, path, query, to string) {
		query = strings.ReplaceAll(query, "STATE", theState)
		c := &Callback{
			path:         "/callback",
			hosts:        []string{host},
			authorizeURL: authorizeURL,
			state:        theState,
			answers:      make(chan result, 1),
			closing:      make(chan struct{}),
			shown:        make(chan struct{}),
		}
		close(c.closing)
		w := httptest.NewRecorder()
		c.handle(w, &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Host: to, Header: http.Header{}})
		values, _ := url.ParseQuery(query)
		right := method == http.MethodGet && path == "/callback" && to == host &&
			len(values["state"]) == 1 && values["state"][0] == theState
		select {
		case r := <-c.answers:
			if !right {
				t.Fatalf("taken: %s %s?%s for %s", method, path, query, to)
			}
			if (r.answer == nil) == (r.err == nil) || r.answer != nil && r.answer.Code != values.Get("code") {
				t.Fatalf("got %v, %v", r.answer, r.err)
			}
		default:
			if w.Code == http.StatusOK && method != http.MethodHead {
				t.Fatalf("answered %d and not taken", w.Code)
			}
		}
		page := w.Body.String()
		if strings.Contains(page, theState) || strings.Contains(page, "<script") {
			t.Fatalf("got the page %s", page)
		}
	})
}

// FuzzParseAnswer checks that a code is accepted only from the right address and with
// the right state.
func FuzzParseAnswer(f *testing.F) {
	const redirect = "http://127.0.0.1:8888/callback"
	f.Add(redirect + "?" + goodQuery)
	f.Add("?" + goodQuery)
	f.Add("127.0.0.1:8888/callback?" + goodQuery)
	f.Add("https://accounts.spotify.com/?" + goodQuery)
	f.Add(redirect + "?error=x&state=" + theState)
	f.Fuzz(func(t *testing.T, final string) {
		code, err := ParseAnswer(final, redirect, theState)
		if (code == "") == (err == nil) {
			t.Fatalf("got %q, %v", code, err)
		}
		if err == nil {
			unescaped, _ := url.QueryUnescape(final)
			if !strings.Contains(final+unescaped, theState) {
				t.Fatalf("a code without the state from %q", final)
			}
			return
		}
		declined, ok := errors.AsType[*Error](err)
		if !ok && !errors.Is(err, ErrNotRedirect) && !errors.Is(err, ErrWrongState) && !errors.Is(err, ErrNoCode) && err != ErrNotAddress && err != ErrNoState {
			t.Fatalf("an error without a type: %v", err)
		}
		if ok && strings.Contains(declined.Error(), theState) {
			t.Fatalf("the state in %v", declined)
		}
	})
}
