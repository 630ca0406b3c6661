package oauth

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/config/fault"
)

const authorizeURL = "https://accounts.spotify.com/authorize?state=" + theState

// waiting is a Callback whose Wait is being called.
type waiting struct {
	*Callback
	t      testing.TB
	got    chan result
	cancel context.CancelFunc
}

func await(t testing.TB, redirectURI, listen string) *waiting {
	t.Helper()
	c, err := Listen(redirectURI, listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &waiting{c, t, make(chan result, 1), cancel}
	go func() {
		a, err := c.Wait(ctx, authorizeURL, theState)
		w.got <- result{a, err}
	}()
	t.Cleanup(func() {
		cancel()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// result returns the result of Wait.
func (w *waiting) result() result {
	w.t.Helper()
	select {
	case r := <-w.got:
		return r
	case <-time.After(5 * time.Second):
		w.t.Fatal("Wait does not return")
		return result{}
	}
}

func (w *waiting) stillWaits() {
	w.t.Helper()
	select {
	case r := <-w.got:
		w.t.Fatalf("Wait returned %v, %v", r.answer, r.err)
	default:
	}
}

func (w *waiting) url(query string) string { return w.RedirectURI() + "?" + query }

type reply struct {
	status int
	header http.Header
	body   string
}

// browser returns a client that follows no redirect, so that tests see each step.
func browser(t testing.TB) *http.Client {
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: neverFollow,
		Timeout:       10 * time.Second,
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func send(t testing.TB, method, url string, change ...func(*http.Request)) reply {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	resp, err := browser(t).Do(req)
	if err != nil {
		t.Error(err) // not Fatal: it may be a goroutine that a test waits for
		return reply{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(resp.TransferEncoding) > 0 {
		t.Errorf("%s %s: %v, sent in parts: %v", method, req.URL.Path, err, resp.TransferEncoding)
	}
	for _, secret := range everySecret {
		if strings.Contains(string(body), secret) {
			t.Errorf("the page holds a secret: %s", body)
		}
	}
	for name, want := range map[string]string{
		"Cache-Control":           "no-store",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": contentPolicy(),
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s %s: %s is %q", method, req.URL.Path, name, got)
		}
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

func (r reply) want(t testing.TB, status int, part string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, part) {
		t.Errorf("got %d without %q: %s", r.status, part, r.body)
	}
}

const goodQuery = "code=" + theCode + "&state=" + theState

func TestLogin(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	u, err := url.Parse(w.RedirectURI())
	if err != nil || u.Hostname() != "127.0.0.1" || u.Port() == "" || u.Path != "/callback" {
		t.Fatalf("got %s", w.RedirectURI())
	}
	if random := strings.TrimPrefix(w.StartURL(), "http://"+u.Host+"/"); len(random) < 26 || strings.Contains(random, "/") {
		t.Errorf("got %s", w.StartURL())
	}
	r := send(t, "GET", w.StartURL())
	if r.status != 302 || r.header.Get("Location") != authorizeURL || r.body != "" {
		t.Errorf("got %+v", r)
	}
	page := make(chan reply)
	go func() { page <- send(t, "GET", w.url(goodQuery)) }()
	got := w.result()
	if got.err != nil || got.answer.Code != theCode {
		t.Fatalf("got %v, %v", got.answer, got.err)
	}
	select {
	case r := <-page:
		t.Fatalf("answered before the outcome was known: %+v", r)
	case <-time.After(50 * time.Millisecond):
	}
	send(t, "GET", w.url(goodQuery)).want(t, 409, "Already answered")
	send(t, "GET", w.StartURL()).want(t, 409, "Already answered")
	got.answer.Finish(Result{OK: true, Profile: "dev", Account: "Jane <b>& Co</b>"})
	got.answer.Finish(Result{Message: "a second call does nothing"})
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	r = <-page
	r.want(t, 200, "<h1>Logged in</h1>")
	r.want(t, 200, "<dd>Jane &lt;b&gt;&amp; Co&lt;/b&gt;</dd>")
	if _, err := w.listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still there: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestFailedExchange(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	page := make(chan reply)
	go func() { page <- send(t, "GET", w.url(goodQuery)) }()
	w.result().answer.Finish(Result{Profile: "dev", Message: "logged in as <joe>, not jane", Hint: "set show_dialog: true"})
	r := <-page
	for _, part := range []string{"<h1>Login failed</h1>", "&lt;joe&gt;", "show_dialog: true", "<dd>dev</dd>"} {
		r.want(t, 200, part)
	}
	if strings.Contains(r.body, "Account</dt>") {
		t.Error("an empty account is shown")
	}
}

// TestCloseWithoutFinish checks that the browser gets an answer if the program ends
// without an outcome.
func TestCloseWithoutFinish(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	page := make(chan reply)
	go func() { page <- send(t, "GET", w.url(goodQuery)) }()
	w.result()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	r := <-page
	r.want(t, 200, "Login stopped")
}

// TestBrowserLeaves closes the tab during the exchange.
func TestBrowserLeaves(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	conn, err := net.Dial("tcp", w.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /callback?%s HTTP/1.1\r\nHost: %s\r\n\r\n", goodQuery, w.listener.Addr())
	got := w.result()
	conn.Close()
	<-w.shown
	got.answer.Finish(Result{OK: true})
	start := time.Now()
	w.Close()
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("Close took %s", took)
	}
}

func TestDeclined(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][2]string{
		"error=access_denied&state=" + theState: {"access_denied", "The login was declined (access_denied)"},
		"error=server_error&state=" + theState:  {"server_error", "Spotify ended the login (server_error)"},
		"error=" + url.QueryEscape("<script>alert(1)</script>\x1b[2J") + "&state=" + theState: {
			"<script>alert(1)</script> [2J", "Spotify ended the login (&lt;script&gt;alert(1)&lt;/script&gt; [2J)"},
		"error=%1b&state=" + theState:              {"unreadable error", "Spotify ended the login (unreadable error)"},
		"error=" + theState + "&state=" + theState: {"[redacted]", "Spotify ended the login ([redacted])"},
	} {
		w := await(t, "http://127.0.0.1/callback", "")
		page := send(t, "GET", w.url(query))
		page.want(t, 200, want[1])
		if strings.Contains(page.body, "<script") {
			t.Errorf("a script in the page: %s", page.body)
		}
		got := w.result()
		declined, ok := errors.AsType[*Error](got.err)
		if !ok || declined.Kind != Declined || declined.Code != want[0] || declined.Hint == "" || got.answer != nil {
			t.Errorf("%s: got %v, %v", query, got.answer, got.err)
		}
	}
}

// TestNotTheAnswer checks that a request which is not the answer changes nothing, and
// that Wait goes on.
func TestNotTheAnswer(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	other := "Not the login that is waiting"
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	_, port, _ := net.SplitHostPort(w.listener.Addr().String())
	for _, test := range []struct {
		method, query string
		change        func(*http.Request)
		status        int
		part          string
	}{
		{"GET", "code=" + theCode, nil, 400, other},
		{"GET", "code=" + theCode + "&state=", nil, 400, other},
		{"GET", "code=" + theCode + "&state=" + theState + "x", nil, 400, other},
		{"GET", "code=" + theCode + "&state=" + theState[:5], nil, 400, other},
		{"GET", "code=x&state=" + theState + "&state=" + theState, nil, 400, other},
		{"GET", "code=x&state=" + theState + "&state=y", nil, 400, other},
		{"GET", "code=x&code=y&state=" + theState, nil, 400, other},
		{"GET", "code=x&error=y&state=" + theState, nil, 400, other},
		{"GET", "error=x&error=y&state=" + theState, nil, 400, other},
		{"GET", "code=&state=" + theState, nil, 400, other},
		{"GET", "error=&state=" + theState, nil, 400, other},
		{"GET", "state=" + theState, nil, 400, other},
		{"GET", "error=access_denied&state=wrong", nil, 400, other},
		{"GET", "error=access_denied", nil, 400, other},
		{"GET", "code=%zz&state=" + theState, nil, 400, other},
		{"GET", "code=x;state=" + theState, nil, 400, other},
		{"GET", "", nil, 400, other},
		{"HEAD", goodQuery, nil, 200, ""},
		{"POST", goodQuery, nil, 405, ""},
		{"OPTIONS", goodQuery, nil, 405, ""},
		{"PUT", goodQuery, nil, 405, ""},
		{"GET", goodQuery, host("evil.example:" + port), 421, ""},
		{"GET", goodQuery, host("localhost:" + port), 421, ""},
		{"GET", goodQuery, host("127.0.0.1"), 421, ""},
		{"GET", goodQuery, host("127.0.0.1:1"), 421, ""},
		{"GET", goodQuery, header("Sec-Purpose", "prefetch;prerender"), 503, ""},
		{"GET", goodQuery, header("Purpose", "prefetch"), 503, ""},
		{"GET", goodQuery, header("X-Moz", "prefetch"), 503, ""},
		{"GET", goodQuery, func(r *http.Request) { r.URL.Path = "/callback/" }, 404, ""},
		{"GET", goodQuery, func(r *http.Request) { r.URL.Path = "/Callback" }, 404, ""},
		{"GET", goodQuery, func(r *http.Request) { r.URL.Path = "//callback" }, 404, ""},
		{"GET", goodQuery, func(r *http.Request) { r.URL.Path = "/x/../callback" }, 404, ""},
		{"GET", goodQuery, func(r *http.Request) { r.URL.Path = "/favicon.ico" }, 404, ""},
		{"GET", goodQuery, func(r *http.Request) { r.URL.Path = "/" }, 404, ""},
		{"POST", "", func(r *http.Request) { r.URL.Path = w.startPath }, 405, ""},
	} {
		change := test.change
		if change == nil {
			change = func(*http.Request) {}
		}
		send(t, test.method, w.url(test.query), change).want(t, test.status, test.part)
	}
	w.stillWaits()
	page := make(chan reply)
	go func() { page <- send(t, "GET", w.url("iss=x&"+goodQuery)) }()
	w.result().answer.Finish(Result{OK: true})
	r := <-page
	r.want(t, 200, "Logged in")
}

func TestTwoAnswersAtOnce(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	var wg sync.WaitGroup
	pages := make(chan reply, 20)
	for i := range cap(pages) {
		wg.Go(func() { pages <- send(t, "GET", w.url(fmt.Sprintf("code=%d&state=%s", i, theState))) })
	}
	got := w.result()
	for range cap(pages) - 1 {
		r := <-pages
		r.want(t, 409, "Already answered")
	}
	got.answer.Finish(Result{OK: true, Account: "code " + got.answer.Code})
	r := <-pages
	r.want(t, 200, "code "+got.answer.Code)
	wg.Wait()
}

func TestLongQuery(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	resp, err := browser(t).Get(w.url("state=" + theState + "&code=" + strings.Repeat("a", 1<<20)))
	if err == nil { // the connection may be closed before all is written
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %d", resp.StatusCode)
		}
	}
	w.stillWaits()
}

// TestManyConnections opens more connections than are accepted, half of them silent.
// The browser must wait in the queue, and get its turn when the others end.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	var conns []net.Conn
	for i := range maxConnections + 88 {
		conn, err := net.Dial("tcp", w.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			_, _ = io.WriteString(conn, "GET /callback?code=x HTTP/1.1\r\nX-Slow: ")
		}
		conns = append(conns, conn)
	}
	for deadline := time.Now().Add(2 * time.Second); len(w.listener.(*limited).free) < maxConnections; {
		if time.Now().After(deadline) {
			t.Fatal("the connections are not accepted")
		}
		time.Sleep(time.Millisecond)
	}
	page := make(chan reply)
	go func() { page <- send(t, "GET", w.url(goodQuery)) }()
	time.Sleep(50 * time.Millisecond)
	w.stillWaits()
	for _, conn := range conns {
		conn.Close()
	}
	w.result().answer.Finish(Result{OK: true})
	r := <-page
	r.want(t, 200, "Logged in")
}

// TestSlowLoris checks that a connection which sends nothing, or sends slowly, ends by
// itself.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	c, err := Listen("http://127.0.0.1/callback", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.server.ReadTimeout != 5*time.Second {
		t.Errorf("the timeout is %s", c.server.ReadTimeout)
	}
	c.server.ReadTimeout = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.Wait(ctx, authorizeURL, theState)
	}()
	for _, start := range []string{
		"",
		"GET /callback?" + goodQuery + " HTTP/1.1\r\nHost: ",
		"GET / HTTP/1.1\r\nHost: " + c.listener.Addr().String() + "\r\nContent-Length: 9\r\n\r\n", // and no body
		"POST /callback HTTP/1.1\r\nHost: " + c.listener.Addr().String() + "\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", c.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, start)
		_ = conn.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%q: %v", start, err)
		}
		conn.Close()
	}
	cancel()
	<-done
}

// TestCloseIsQuick checks that connections which the browser leaves open do not delay
// Close.
func TestCloseIsQuick(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	conn, err := net.Dial("tcp", w.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	page := make(chan reply)
	go func() { page <- send(t, "GET", w.url(goodQuery)) }()
	w.result().answer.Finish(Result{OK: true})
	start := time.Now()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("took %s", took)
	}
	r := <-page
	r.want(t, 200, "Logged in")
}

func TestWaitEnds(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	w.cancel()
	if got := w.result(); !errors.Is(got.err, context.Canceled) || got.answer != nil {
		t.Errorf("got %v, %v", got.answer, got.err)
	}
}

func TestCloseWithoutWait(t *testing.T) {
	t.Parallel()
	c, err := Listen("http://127.0.0.1/callback", "")
	if err != nil {
		t.Fatal(err)
	}
	address := c.listener.Addr().String()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the listener is still there")
	}
}

func TestRequestWithoutHost(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	conn, err := net.Dial("tcp", w.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /callback?%s HTTP/1.0\r\n\r\n", goodQuery)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, " 421 ") {
		t.Errorf("got %q, %v", line, err)
	}
	w.stillWaits()
}

// TestBoundAddress checks that the address in redirect_uri is bound, and no other.
func TestBoundAddress(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		host := ip
		if strings.Contains(ip, ":") {
			host = "[" + ip + "]"
		}
		if l, err := net.Listen("tcp", net.JoinHostPort(ip, "0")); err != nil {
			t.Logf("no %s here: %v", ip, err)
			continue
		} else {
			l.Close()
		}
		w := await(t, "http://"+host+"/callback?x=%20y", "")
		bound := w.listener.Addr().(*net.TCPAddr)
		if !bound.IP.Equal(net.ParseIP(ip)) {
			t.Errorf("bound to %s", bound)
		}
		if want := fmt.Sprintf("http://%s:%d/callback?x=%%20y", host, bound.Port); w.RedirectURI() != want {
			t.Errorf("got %s, want %s", w.RedirectURI(), want)
		}
		page := make(chan reply)
		go func() { page <- send(t, "GET", w.RedirectURI()+"&"+goodQuery) }()
		w.result().answer.Finish(Result{OK: true})
		r := <-page
		r.want(t, 200, "Logged in")
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	w := await(t, "http://127.0.0.1/callback", "")
	_, port, _ := net.SplitHostPort(w.listener.Addr().String())
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			if conn, err := net.DialTimeout("tcp", net.JoinHostPort(n.IP.String(), port), time.Second); err == nil {
				conn.Close()
				t.Errorf("reachable at %s", n.IP)
			}
		}
	}
}

// TestRedirectToRoot checks that a redirect URI without a path is not the start page.
func TestRedirectToRoot(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/"} {
		w := await(t, "http://127.0.0.1"+path, "")
		send(t, "GET", w.StartURL()).want(t, 302, "")
		root, _ := strings.CutSuffix(w.StartURL(), w.startPath)
		send(t, "GET", root+"/").want(t, 400, "Not the login")
		send(t, "GET", root+"/?code=x&state=y").want(t, 400, "Not the login")
		page := make(chan reply)
		go func() { page <- send(t, "GET", root+"/?"+goodQuery) }()
		w.result().answer.Finish(Result{OK: true})
		r := <-page
		r.want(t, 200, "Logged in")
	}
}

// TestListenElsewhere binds a port on all addresses, as in a container, and reaches it
// through another port.
func TestListenElsewhere(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1:9999/callback", "0.0.0.0:0")
	if w.RedirectURI() != "http://127.0.0.1:9999/callback" || w.StartURL() != "http://127.0.0.1:9999"+w.startPath {
		t.Errorf("got %s, %s", w.RedirectURI(), w.StartURL())
	}
	bound := w.listener.Addr().(*net.TCPAddr)
	if !bound.IP.IsUnspecified() {
		t.Errorf("bound to %s", bound)
	}
	through := func(host string) reply {
		return send(t, "GET", fmt.Sprintf("http://127.0.0.1:%d/callback?state=x", bound.Port), func(r *http.Request) { r.Host = host })
	}
	through("127.0.0.1:9999").want(t, 400, "Not the login")
	through("evil.example").want(t, 421, "")

	// For a redirect URI with a host name, a proxy forwards the request.
	w = await(t, "https://Login.example.com/callback", "127.0.0.1:0")
	bound = w.listener.Addr().(*net.TCPAddr)
	if w.RedirectURI() != "https://Login.example.com/callback" || w.StartURL() != fmt.Sprintf("http://%s%s", bound, w.startPath) {
		t.Errorf("got %s, %s", w.RedirectURI(), w.StartURL())
	}
	through("login.example.com").want(t, 400, "Not the login")
	send(t, "GET", w.StartURL()).want(t, 302, "")
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, test := range []struct{ redirect, listen, message, hint string }{
		{"http://127.0.0.1:" + port + "/callback", "", "port " + port + " is in use by another program", "another port in redirect_uri"},
		{"http://127.0.0.1/callback", l.Addr().String(), "port " + port + " is in use by another program", "another port in redirect_uri"},
		{"https://example.com/callback", "", "redirect_uri is not on this machine's loopback address", "--login paste"},
		{"http://localhost:8888/callback", "", "redirect_uri is not on this machine's loopback address", "127.0.0.1"},
		{"https://127.0.0.1:8888/callback", "", "redirect_uri is not on this machine's loopback address", "--login paste"},
		{"http://192.0.2.1:8888/callback", "", "redirect_uri is not on this machine's loopback address", ""},
		{"myapp:callback", "", "redirect_uri is not a URL with a host", "--login paste"},
		{"http://[", "", "redirect_uri is not a URL with a host", ""},
		{"http://127.0.0.1/callback", "8888", "cannot listen on 8888", "HOST:PORT"},
		{"http://127.0.0.1/callback", "192.0.2.1:0", "cannot listen on 192.0.2.1:0", "belong to this machine"},
	} {
		c, err := Listen(test.redirect, test.listen)
		if err == nil {
			c.Close()
			t.Errorf("%s, %s: no error", test.redirect, test.listen)
			continue
		}
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || !strings.HasPrefix(e.Message, test.message) || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%s, %s: %v", test.redirect, test.listen, e)
		}
	}
}

// TestE1Visitors checks that the start address leads only one browser to Spotify, that
// nobody can guess the address, and that no page and no script can use it.
func TestE1Visitors(t *testing.T) {
	t.Parallel()
	header := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
	w, other := await(t, "http://127.0.0.1/callback", ""), await(t, "http://127.0.0.1/callback", "")
	if w.startPath == other.startPath {
		t.Error("two logins have the same address")
	}
	root, _ := strings.CutSuffix(w.StartURL(), w.startPath)
	for _, path := range []string{"/", "/login", "/?state=" + theState, strings.ToLower(w.startPath), w.startPath + "/", w.startPath[:20], "/callback"} {
		if r := send(t, "GET", root+path); r.status == 302 || r.header.Get("Location") != "" {
			t.Errorf("%s leads to %s", path, r.header.Get("Location"))
		}
	}
	for name, change := range map[string]func(*http.Request){
		"fetch":           header("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "cross-site"),
		"an image":        header("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"),
		"a frame":         header("Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"),
		"a websocket":     header("Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "websocket"),
		"a form's answer": header("Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object"),
	} {
		if r := send(t, "GET", w.StartURL(), change); r.status != 403 || r.header.Get("Location") != "" {
			t.Errorf("%s: %d", name, r.status)
		}
	}
	if r := send(t, "HEAD", w.StartURL()); r.header.Get("Location") != "" {
		t.Error("HEAD tells the address")
	}
	// None of these requests counted as the visit.
	first := send(t, "GET", w.StartURL(), header("Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none"))
	first.want(t, 302, "")
	cookie, _, _ := strings.Cut(first.header.Get("Set-Cookie"), ";")
	send(t, "GET", w.StartURL()).want(t, 409, "Already opened")
	send(t, "GET", w.StartURL(), header("Cookie", "tokenform="+theState)).want(t, 409, "Already opened")
	send(t, "GET", w.StartURL(), header("Cookie", cookie)).want(t, 302, "")
	send(t, "GET", w.StartURL(), header("Cookie", cookie, "Sec-Fetch-Dest", "iframe")).want(t, 403, "")
	w.stillWaits()
	go func() { send(t, "GET", w.url(goodQuery)) }()
	w.result().answer.Finish(Result{OK: true})
}

// TestA2Secured checks that Secured is called once if a browser asks for https, and
// that the login goes on.
func TestA2Secured(t *testing.T) {
	t.Parallel()
	c, err := Listen("http://127.0.0.1/callback", "")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan bool, 10)
	c.Secured = func() { told <- true }
	got := make(chan result, 1)
	go func() {
		a, err := c.Wait(t.Context(), authorizeURL, theState)
		got <- result{a, err}
	}()
	defer c.Close()
	send(t, "GET", c.StartURL()).want(t, 302, "") // http does not call Secured
	for range 3 {
		conn, err := tls.Dial("tcp", c.Address(), &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			conn.Close()
			t.Error("TLS was spoken")
		}
	}
	select {
	case <-told:
	case <-time.After(5 * time.Second):
		t.Error("not told of")
	}
	go func() { send(t, "GET", c.RedirectURI()+"?"+goodQuery) }()
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	r.answer.Finish(Result{OK: true})
	if len(told) > 0 {
		t.Error("told of again")
	}
}

// TestA7OtherLogin checks that the login of another tokenform is distinguished from
// another program, which may be silent or speak another protocol.
func TestA7OtherLogin(t *testing.T) {
	t.Parallel()
	w := await(t, "http://127.0.0.1/callback", "")
	if _, err := Listen(w.RedirectURI(), ""); fault.KindOf(err) != fault.Temporary || !strings.Contains(err.Error(), "another tokenform login") || !strings.Contains(fault.HintOf(err), "http://127.0.0.1/callback, which uses a free port") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	for name, serve := range map[string]func(net.Conn){
		"silent": func(net.Conn) {},
		"http":   func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n") },
		"ssh":    func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2\r\n") },
		"endless": func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX: ")
			for i := 0; i < 1000; i++ {
				if _, err := fmt.Fprint(c, strings.Repeat("a", 1<<16)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					serve(c)
					time.AfterFunc(3*time.Second, func() { c.Close() })
				}
			}()
			_, err = Listen("http://"+l.Addr().String()+"/callback", "")
			if fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), "by another program") || !strings.Contains(fault.HintOf(err), "http://127.0.0.1/callback, which uses a free port") {
				t.Errorf("%v, hint %q", err, fault.HintOf(err))
			}
		})
	}
}
