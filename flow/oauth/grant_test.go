package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	// This is the challenge of RFC 7636 appendix B.
	l := Login{
		State:       "xyz",
		Verifier:    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		RedirectURI: "http://127.0.0.1:8888/callback",
		Scopes:      []string{"user-read-email", "streaming"},
	}
	const want = "https://accounts.spotify.com/authorize" +
		"?client_id=" + theID +
		"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" +
		"&code_challenge_method=S256" +
		"&redirect_uri=http%3A%2F%2F127.0.0.1%3A8888%2Fcallback" +
		"&response_type=code" +
		"&scope=user-read-email+streaming" +
		"&state=xyz"
	for _, secret := range []string{"", theSecret} {
		a := App{ID: theID, Secret: secret, Endpoints: Endpoints{Accounts: DefaultAccounts}}
		if got := a.AuthorizeURL(l); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	l.ShowDialog, l.Scopes = true, nil
	u, err := url.Parse(App{ID: theID}.AuthorizeURL(l))
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("show_dialog") != "true" || q.Has("scope") {
		t.Errorf("got %s", u)
	}
}

func TestNewLogin(t *testing.T) {
	t.Parallel()
	a, b := NewLogin("r", []string{"s"}, true), NewLogin("r", nil, false)
	if a.State == b.State || a.Verifier == b.Verifier {
		t.Error("two attempts are alike")
	}
	// 26 characters of base32 have 130 bits.
	if len(a.State) < 26 || len(a.Verifier) < 43 || len(a.Verifier) > 128 {
		t.Errorf("state has %d characters, verifier %d", len(a.State), len(a.Verifier))
	}
	if a.RedirectURI != "r" || !slices.Equal(a.Scopes, []string{"s"}) || !a.ShowDialog {
		t.Error("the arguments are lost")
	}
}

// TestRequests checks that the style of client authentication is fixed: there is one
// request, with exactly these bytes.
func TestRequests(t *testing.T) {
	t.Parallel()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(theID+":"+url.QueryEscape(theSecret)))
	for _, test := range []struct {
		name, secret, form string
		call               func(App) (Token, error)
	}{
		{"code with a secret", theSecret, "code=" + theCode + "&code_verifier=" + theVerifier + "&grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%3A8888%2Fcallback",
			func(a App) (Token, error) { return a.Exchange(t.Context(), login(), theCode) }},
		{"code with PKCE", "", "client_id=" + theID + "&code=" + theCode + "&code_verifier=" + theVerifier + "&grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%3A8888%2Fcallback",
			func(a App) (Token, error) { return a.Exchange(t.Context(), login(), theCode) }},
		{"refresh with a secret", theSecret, "grant_type=refresh_token&refresh_token=" + theRefresh,
			func(a App) (Token, error) { return a.Refresh(t.Context(), theRefresh) }},
		{"refresh with PKCE", "", "client_id=" + theID + "&grant_type=refresh_token&refresh_token=" + theRefresh,
			func(a App) (Token, error) { return a.Refresh(t.Context(), theRefresh) }},
		{"client credentials", theSecret, "grant_type=client_credentials",
			func(a App) (Token, error) { return a.ClientCredentials(t.Context()) }},
	} {
		for _, good := range []bool{true, false} {
			h := says(200, "application/json", goodToken)
			if !good {
				h = says(400, "application/json", `{"error":"invalid_client","error_description":"Invalid client"}`)
			}
			s := serve(t, h)
			a := appAt(t, s.URL)
			a.Secret = test.secret
			a.HTTP = client(t, Options{UserAgent: "tokenform/1"})
			_, err := test.call(a)
			if good != (err == nil) {
				t.Errorf("%s: %v", test.name, err)
			}
			got := s.requests()
			if len(got) != 1 {
				t.Fatalf("%s: %d requests", test.name, len(got))
			}
			r := got[0]
			wantAuth := ""
			if test.secret != "" {
				wantAuth = basic
			}
			if r.method != "POST" || r.uri != "/api/token" || r.body != test.form ||
				r.header.Get("Authorization") != wantAuth ||
				r.header.Get("Content-Type") != "application/x-www-form-urlencoded" ||
				r.header.Get("User-Agent") != "tokenform/1" {
				t.Errorf("%s: got %+v", test.name, r)
			}
		}
	}
}

// TestTokenAnswers has the answers with a token that servers have been seen to send.
func TestTokenAnswers(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	full := Token{Access: "BQnew", Type: "Bearer", Refresh: "AQnew", Scopes: []string{"a", "b"}, ExpiresIn: time.Hour, Date: date}
	with := func(change func(*Token)) Token { t := full; change(&t); return t }
	for body, want := range map[string]Token{
		goodToken: full,
		strings.Replace(goodToken, "Bearer", "bearer", 1):                           full,
		strings.Replace(goodToken, `"token_type":"Bearer",`, "", 1):                 full,
		strings.Replace(goodToken, "3600", "3600.0", 1):                             full,
		strings.Replace(goodToken, "3600", "3.6e3", 1):                              full,
		strings.Replace(goodToken, "3600", `"3600"`, 1):                             full,
		strings.Replace(goodToken, "3600", "3600.9", 1):                             full,
		strings.Replace(goodToken, "3600", "1", 1):                                  with(func(t *Token) { t.ExpiresIn = time.Second }),
		strings.Replace(goodToken, "3600", "1e300", 1):                              with(func(t *Token) { t.ExpiresIn = 1<<31*time.Second - time.Second }),
		strings.Replace(goodToken, `,"refresh_token":"AQnew"`, "", 1):               with(func(t *Token) { t.Refresh = "" }),
		strings.Replace(goodToken, `"AQnew"`, "null", 1):                            with(func(t *Token) { t.Refresh = "" }),
		strings.Replace(goodToken, `"AQnew"`, `""`, 1):                              with(func(t *Token) { t.Refresh = "" }),
		strings.Replace(goodToken, `"scope":"b a b",`, "", 1):                       with(func(t *Token) { t.Scopes = nil }),
		strings.Replace(goodToken, `"b a b"`, `""`, 1):                              with(func(t *Token) { t.Scopes = []string{} }),
		strings.Replace(goodToken, `"b a b"`, `null`, 1):                            with(func(t *Token) { t.Scopes = nil }),
		strings.Replace(goodToken, `{`, `{"more":{"a":[1,2]},"b":"<>&",`, 1):        full,
		"  " + goodToken + "\n":                                                     full,
		strings.Replace(goodToken, `{`, `{"error":null,"error_description":"",`, 1): full,
	} {
		for _, contentType := range []string{"application/json", "text/plain", "text/html", ""} {
			s := serve(t, says(200, contentType, body, "Date", date.Format(http.TimeFormat)))
			got, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
			if err != nil {
				t.Errorf("%s (%s): %v", body, contentType, err)
				continue
			}
			if got.Scopes == nil != (want.Scopes == nil) || !cmp.Equal(fields(got), fields(want)) {
				t.Errorf("%s: %s", body, cmp.Diff(fields(got), fields(want)))
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%s: %d requests", body, n)
			}
		}
	}
	// A missing or wrong Date is no error.
	for _, header := range []string{"yesterday", ""} {
		s := serve(t, says(200, "application/json", goodToken, "Date", header))
		got, err := appAt(t, s.URL).ClientCredentials(t.Context())
		if err != nil || !got.Date.IsZero() {
			t.Errorf("Date %q: %v, %v", header, got.Date, err)
		}
	}
}

// fields returns t without its Format method, so that tests can print a difference.
func fields(t Token) any {
	type bare Token
	return bare(t)
}

// TestNoTokenInAnswer checks that an answer of success without a usable token is
// Unavailable, because it proves nothing.
func TestNoTokenInAnswer(t *testing.T) {
	t.Parallel()
	without := func(old, new string) string { return strings.Replace(goodToken, old, new, 1) }
	for _, test := range []struct{ contentType, body, part string }{
		{"application/json", without(`"expires_in":3600,`, ""), "answer without expires_in"},
		{"application/json", without("3600", "0"), "answer without expires_in"},
		{"application/json", without("3600", "0.5"), "answer without expires_in"},
		{"application/json", without("3600", "-1"), "answer without expires_in"},
		{"application/json", without("3600", "-4294967297"), "answer without expires_in"},
		{"application/json", without("3600", "null"), "answer without expires_in"},
		{"application/json", without("3600", `"soon"`), "answer without expires_in"},
		{"application/json", without("3600", `"Infinity"`), "answer without expires_in"},
		{"application/json", without("3600", `"NaN"`), "answer without expires_in"},
		{"application/json", without("3600", `{}`), "answer without expires_in"},
		{"application/json", without(`"access_token":"BQnew",`, ""), "answer without access_token"},
		{"application/json", without(`"BQnew"`, `""`), "answer without access_token"},
		{"application/json", without(`"BQnew"`, `null`), "answer without access_token"},
		{"application/json", "{}", "answer without access_token"},
		{"application/json", without(`"BQnew"`, `5`), "wrong type"},
		{"application/json", without(`"AQnew"`, `["x"]`), "wrong type"},
		{"application/json", without("Bearer", "mac"), "token_type"},
		{"application/json", without("BQnew", `BQ\r\nEVIL=1`), "forbidden characters"},
		{"application/json", without("AQnew", `AQ\u0000`), "forbidden characters"},
		{"application/json", goodToken[:len(goodToken)-20], "damaged JSON"},
		{"application/json", "", "without a body"},
		{"application/json", "[]", "not JSON"},
		{"application/json", "null", "not JSON"},
		{"text/plain", "access_token=BQ&expires_in=3600", "not JSON"},
		{"text/html", "<!doctype html><h1>Sign in to the Wi-Fi</h1>", "HTML page"},
		{"", "<html>", "HTML page"},
	} {
		s := serve(t, says(200, test.contentType, test.body))
		got, err := appAt(t, s.URL).Exchange(t.Context(), login(), theCode)
		e := wireError(t, err)
		if e.Kind != Unavailable || e.Status != 200 || !strings.Contains(e.Message, test.part) || !cmp.Equal(fields(got), fields(Token{})) {
			t.Errorf("%s: kind %d, status %d, %s", test.body, e.Kind, e.Status, e.Message)
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%s: %d requests", test.body, n)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		App{ID: theID, Secret: theSecret},
		&App{Secret: theSecret},
		Token{Access: theAccess, Refresh: theRefresh},
		&Token{Access: theAccess, Refresh: theRefresh},
		login(),
		&Answer{Code: theCode},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			text := fmt.Sprintf(verb, v)
			if slices.ContainsFunc(everySecret, func(s string) bool { return strings.Contains(text, s) }) || !strings.Contains(text, "redacted") {
				t.Errorf("%T with %s: %s", v, verb, text)
			}
		}
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	s := serve(t, says(200, "application/json", `{"id":"jane","account_id":"21abc","display_name":"Jane\u001b[31m\nDoe","email":"x"}`))
	a := appAt(t, s.URL)
	me, err := a.Me(t.Context(), theAccess)
	if err != nil || me != (Me{"jane", "21abc", "Jane [31m Doe"}) {
		t.Errorf("got %+v, %v", me, err)
	}
	if err := a.Search(t.Context(), theAccess); err != nil {
		t.Error(err)
	}
	got := s.requests()
	if len(got) != 2 || got[0].uri != "/v1/me" || got[1].uri != "/v1/search?q=a&type=track&limit=1" {
		t.Fatalf("got %+v", got)
	}
	for _, r := range got {
		if r.method != "GET" || r.header.Get("Authorization") != "Bearer "+theAccess {
			t.Errorf("got %+v", r)
		}
	}
	for _, body := range []string{"{}", `{"id":""}`, `{"id":5}`, "<html>", ""} {
		s := serve(t, says(200, "application/json", body))
		me, err := appAt(t, s.URL).Me(t.Context(), theAccess)
		if e := wireError(t, err); e.Kind != Unavailable || me != (Me{}) {
			t.Errorf("%s: kind %d, %v", body, e.Kind, me)
		}
	}
	s = serve(t, says(200, "application/json", `{"id":"jane","display_name":null}`))
	if me, err := appAt(t, s.URL).Me(t.Context(), theAccess); err != nil || me != (Me{ID: "jane"}) {
		t.Errorf("got %+v, %v", me, err)
	}
}

func TestNoRefreshToken(t *testing.T) {
	t.Parallel()
	s := serve(t, says(200, "application/json", goodToken))
	_, err := appAt(t, s.URL).Refresh(t.Context(), "")
	if e := wireError(t, err); e.Kind != Unexpected || len(s.requests()) != 0 {
		t.Errorf("got kind %d, %d requests", e.Kind, len(s.requests()))
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := appAt(t, s.URL).Refresh(ctx, theRefresh)
	if e := wireError(t, err); e.Kind != Canceled || !errors.Is(err, context.Canceled) || len(s.requests()) != 1 {
		t.Errorf("got %+v after %d requests", e, len(s.requests()))
	}
}
