package oauth

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// What the standards ask of a native app, and the test that holds us to it.
// examples/ is the built program; a test without a folder is in this package.
//
//	RFC 8252  OAuth for native apps
//	6         the user's own browser, no embedded one    examples/TestCallbackUnderAttack
//	7.1, 7.2  a redirect that is not ours to listen on   TestListenFails, TestParseAnswer
//	7.3       any port; IPv4 and IPv6                    TestLogin, TestBoundAddress, examples/TestCallbackIPv6
//	8.1       PKCE, always                               TestAuthorizeURL, TestVerifier, TestForeignVerifier
//	8.2       no implicit grant                          TestAuthorizeURL, TestNotTheAnswer
//	8.3       loopback alone, by IP and not by name      TestBoundAddress, TestListenFails
//	8.3       open while a login waits, and no longer    TestBoundBeforeWait, TestNobodyListensAfterwards
//	8.4       redirect_uri byte for byte                 TestBoundAddress, TestRequests, TestForeignVerifier
//	8.5       a public client sends no secret            TestRequests
//	8.9       state: high entropy, new each time         TestVerifier, TestReplayedAnswer
//	8.10      one server per redirect: a run knows one   TestParseEndpoints
//	8.12      no embedded browser: see 6
//
//	RFC 7636  PKCE
//	4.1, 7.1  verifier: its characters, 256 bits         TestVerifier
//	4.2, 7.2  challenge: S256 and never plain            TestVerifier, TestAuthorizeURL (appendix B)
//	4.3       both parameters at /authorize              TestAuthorizeURL
//	4.4       the code, or error=                        TestNotTheAnswer, TestDeclined
//	4.5, 4.6  verifier at the token endpoint, checked    TestRequests, TestForeignVerifier
//	7.5       TLS                                        TestPlainHTTPIsRefused, TestTLS
//
//	RFC 9700  security best current practice
//	2.1.1     PKCE with a secret too                     TestAuthorizeURL, TestRequests
//	2.1.2     no token in a URL                          TestRequests, TestMe
//	4.1       exact path, host, method                   TestNotTheAnswer, TestRawRequests
//	4.2       no Referer; nothing loaded                 send, which looks at every page
//	4.3       no-store; the code is used when it shows   send, TestLogin
//	4.4       mix-up: see RFC 8252 8.10; iss may come    TestNotTheAnswer
//	4.5       a code injected from another login         TestForeignVerifier
//	4.7       state missing, wrong, twice, replayed      TestNotTheAnswer, TestReplayedAnswer, FuzzCallback
//	4.8       a challenge in every request               TestVerifier
//	4.11      the start page leads to one address only   TestRawRequests
//	4.12      302, and no redirect followed with secrets TestLogin, TestRedirectsAreNotFollowed
//	4.14      refresh tokens: rotation, one use          TestTokenAnswers, TestLostAnswer
//	4.16      frame-ancestors 'none'                     send, which looks at every page
//	4.17      no CORS: no other page reads an answer     TestRawRequests
//
//	The machine around it
//	replayed, two at once                                TestLogin, TestTwoAnswersAtOnce, TestReplayedAnswer
//	error= with script in it                             TestDeclined, TestFailedExchange
//	a query of 1 MiB                                     TestLongQuery
//	slow in its header, slow in its body                 TestSlowLoris, TestSlowExchange
//	hundreds of connections                              TestManyConnections, examples/TestCallbackUnderAttack
//	the port taken                                       TestListenFails, examples/TestCallbackPortTaken
//	no goroutine left                                    TestMain (goleak)
//	secrets in messages, logs, the page                  TestNothingPrintsASecret, TestEchoes, TestDebug, send
//	secrets in ps, files, a dump; signals                examples/callback_test.go
//
// What remains: whoever can connect can ask the start page for the authorize
// URL, and so learn the state; a browser must be able to. Another user of this
// machine could thus log us in to an account of their own. The account that is
// shown after every login tells, and `account` in the profile refuses it.

func TestVerifier(t *testing.T) {
	t.Parallel()
	unreserved := regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
	seen := map[string]bool{}
	for range 500 {
		l := NewLogin("http://127.0.0.1:8888/callback", nil, false)
		raw, err := base64.RawURLEncoding.DecodeString(l.Verifier)
		if !unreserved.MatchString(l.Verifier) || err != nil || len(raw) < 32 {
			t.Fatalf("a verifier of %d characters and %d bytes, %v", len(l.Verifier), len(raw), err)
		}
		if seen[l.Verifier] || seen[l.State] {
			t.Fatal("drawn twice")
		}
		seen[l.Verifier], seen[l.State] = true, true
		for _, secret := range []string{"", theSecret} {
			address := App{ID: theID, Secret: secret, Endpoints: Endpoints{Accounts: DefaultAccounts}}.AuthorizeURL(l)
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256([]byte(l.Verifier))
			q := u.Query()
			if q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || q.Get("code_challenge_method") != "S256" || q.Get("state") != l.State {
				t.Fatalf("got %s", address)
			}
			if strings.Contains(address, l.Verifier) || strings.Contains(address, "client_secret") || secret != "" && strings.Contains(address, url.QueryEscape(secret)) {
				t.Fatalf("a secret in %s", address)
			}
		}
	}
}

// TestForeignVerifier checks that a code works only with the login that it was asked
// for.
func TestForeignVerifier(t *testing.T) {
	t.Parallel()
	spotify := httptest.NewServer(faults.New(sandbox.Options{AnyApp: true, AutoConsent: true, Now: time.Now}))
	defer spotify.Close()
	a := appAt(t, spotify.URL)
	code := func(l Login) string {
		resp, err := browser(t).Get(a.AuthorizeURL(l))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		code, err := ParseAnswer(resp.Header.Get("Location"), l.RedirectURI, l.State)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	const redirect = "http://127.0.0.1:8888/callback"
	mine, theirs := NewLogin(redirect, nil, false), NewLogin(redirect, nil, false)
	elsewhere := mine
	elsewhere.RedirectURI = "http://127.0.0.1:8889/callback"
	for _, wrong := range []Login{theirs, elsewhere} {
		_, err := a.Exchange(t.Context(), wrong, code(mine))
		if e := wireError(t, err); e.Kind != Refused || e.Code != "invalid_grant" {
			t.Errorf("got %+v", e)
		}
	}
	if _, err := a.Exchange(t.Context(), mine, code(mine)); err != nil {
		t.Error(err)
	}
}

// TestBoundBeforeWait checks that a browser which answers before Wait is called waits
// in the queue.
func TestBoundBeforeWait(t *testing.T) {
	t.Parallel()
	c, err := Listen("http://127.0.0.1/callback", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := make(chan reply)
	go func() { start <- send(t, "GET", c.StartURL()) }()
	select {
	case r := <-start:
		t.Errorf("answered before there was a login: %+v", r)
	case <-time.After(50 * time.Millisecond):
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go c.Wait(ctx, authorizeURL, theState)
	if r := <-start; r.status != 302 || r.header.Get("Location") != authorizeURL {
		t.Errorf("got %+v", r)
	}
}

// TestNobodyListensAfterwards checks that the port is free at once after a login,
// however the login ends, and stays free.
func TestNobodyListensAfterwards(t *testing.T) {
	t.Parallel()
	address := ""
	for name, end := range map[string]func(*waiting){
		"done": func(w *waiting) {
			page := make(chan reply)
			go func() { page <- send(t, "GET", w.url(goodQuery)) }()
			w.result().answer.Finish(Result{OK: true})
			<-page
		},
		"declined": func(w *waiting) {
			send(t, "GET", w.url("error=x&state="+theState))
			w.result()
		},
		"canceled": func(w *waiting) {
			w.cancel()
			w.result()
		},
	} {
		w := await(t, "http://127.0.0.1/callback", address)
		address = w.listener.Addr().String() // the next login takes the same port
		end(w)
		if err := w.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Errorf("%s: the listener is still there", name)
		}
	}
}

// TestReplayedAnswer sends an old answer to the port on which a new login waits.
func TestReplayedAnswer(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	for range 3 {
		old := NewLogin(w.RedirectURI(), nil, false)
		send(t, "GET", w.url("code="+theCode+"&state="+old.State)).want(t, 400, "Not the login")
		send(t, "GET", w.url("error=access_denied&state="+old.State)).want(t, 400, "Not the login")
	}
	w.stillWaits()
}

// TestSlowExchange checks that an exchange may take longer than a request may take to
// arrive.
func TestSlowExchange(t *testing.T) {
	t.Parallel()
	c, err := Listen("http://127.0.0.1/callback", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.server.ReadTimeout = 50 * time.Millisecond
	page := make(chan reply)
	go func() { page <- send(t, "GET", c.RedirectURI()+"?"+goodQuery) }()
	a, err := c.Wait(t.Context(), authorizeURL, theState)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	a.Finish(Result{OK: true})
	r := <-page
	r.want(t, 200, "Logged in")
}

// TestRawRequests sends requests that no HTTP client of ours would send.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	host := w.listener.Addr().String()
	_, port, _ := net.SplitHostPort(host)
	start := w.startPath
	for _, test := range []struct{ head, status string }{
		{"GET http://evil.example/callback?" + goodQuery + " HTTP/1.1\r\nHost: " + host, "421"},
		{"GET /callback?" + goodQuery + " HTTP/1.1\r\nHost: " + host + "\r\nHost: evil.example", "400"},
		{"GET /callback?" + goodQuery + " HTTP/1.1", "400"},
		{"GET /callback?" + goodQuery + " HTTP/1.1\r\nHost: 127.0.0.1.:" + port, "421"},
		{"GET /callback?" + goodQuery + " HTTP/1.1\r\nHost: 127.1:" + port, "421"},
		{"GET /callback?" + goodQuery + " HTTP/1.1\r\nHost: [::1]:" + port, "421"},
		{"GET /callback?" + goodQuery + " HTTP/1.1\r\nHost: x@" + host, "400"},
		{"GET /callback?" + goodQuery + " HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: " + host, "421"},
		{"CONNECT " + host + " HTTP/1.1\r\nHost: " + host, "404"},
		{"TRACE /callback?" + goodQuery + " HTTP/1.1\r\nHost: " + host, "405"},
		{"OPTIONS * HTTP/1.1\r\nHost: " + host, "404"},
		{"OPTIONS " + start + " HTTP/1.1\r\nHost: " + host + "\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true", "405"},
		{"PRI * HTTP/2.0\r\n\r\nSM", "421"},
		{"GET /callback HTTP/1.1\r\nHost: " + host + "\r\nX-Long: " + strings.Repeat("a", 1<<20), "431"},
		// The start page leads to one address only, whatever the request says.
		{"GET " + start + " HTTP/1.1\r\nHost: " + host + "\r\nOrigin: https://evil.example", "302"},
		{"GET " + start + "?next=https://evil.example/&redirect_uri=//evil.example HTTP/1.1\r\nHost: " + host + "\r\nCookie: tokenform=" + w.visitor, "302"},
		{"GET //evil.example/ HTTP/1.1\r\nHost: " + host, "404"},
		{"GET /%2f%2fevil.example HTTP/1.1\r\nHost: " + host, "404"},
	} {
		r, err := raw(host, test.head)
		if err != nil {
			t.Errorf("%.60q: %v", test.head, err)
			continue
		}
		if fmt.Sprint(r.StatusCode) != test.status {
			t.Errorf("%.60q: got %d", test.head, r.StatusCode)
		}
		if to := r.Header.Get("Location"); to != "" && to != authorizeURL {
			t.Errorf("%.60q leads to %s", test.head, to)
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" && r.StatusCode != 302 {
				t.Errorf("%.60q: there is a header %s", test.head, name)
			}
		}
	}
	w.stillWaits()
}

// raw sends a request's head and reads the head of the answer, which may come before
// all of the request is sent.
func raw(address, head string) (*http.Response, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, head+"\r\n\r\n")
	return http.ReadResponse(bufio.NewReader(conn), nil)
}
