package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRedirectsAreNotFollowed checks that neither client follows a redirect, so that no
// host but the first gets a request.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	thief := serve(t, says(200, "application/json", goodToken))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{thief.URL + "/api/token?x=hunter2", "/elsewhere", ""} {
			s := serve(t, says(status, "text/plain", "hunter2", "Location", location))
			a := appAt(t, s.URL)
			_, exchanged := a.Exchange(t.Context(), login(), theCode)
			_, refreshed := a.Refresh(t.Context(), theRefresh)
			_, asked := a.Me(t.Context(), theAccess)
			for _, err := range []error{exchanged, refreshed, asked} {
				e := wireError(t, err)
				if e.Kind != Unexpected || e.Status != status || !strings.Contains(e.Message, "redirect") || strings.Contains(e.Message, "hunter2") {
					t.Errorf("%d: kind %d, %s", status, e.Kind, e.Message)
				}
			}
			if n := len(s.requests()); n != 3 {
				t.Errorf("%d to %q: %d requests, want 3", status, location, n)
			}
			// The HTTP client alone follows no redirect either.
			resp, err := a.HTTP.Get(s.URL)
			if err != nil || resp.StatusCode != status {
				t.Fatalf("got %v, %v", resp, err)
			}
			resp.Body.Close()
		}
	}
	if got := thief.requests(); len(got) != 0 {
		t.Errorf("the other host got %+v", got)
	}
	// net/http reports a Location that it cannot parse, and quotes the text.
	s := serve(t, says(307, "text/plain", "", "Location", "http://[hunter2"))
	_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
	if e := wireError(t, err); strings.Contains(e.Message, "hunter2") {
		t.Error(e.Message)
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	good := says(200, "application/json", goodToken)
	for _, status := range []int{429, 500, 502, 503, 504} {
		bad := says(status, "text/plain", "later")
		s := serve(t, inTurn(bad, bad, bad, good))
		if _, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		got := s.requests()
		if len(got) != 4 {
			t.Errorf("%d: %d requests", status, len(got))
		}
		for _, r := range got {
			if r.body != "grant_type=refresh_token&refresh_token="+theRefresh {
				t.Errorf("%d: a try sent %q", status, r.body)
			}
		}
	}
	s := serve(t, inTurn(reset, reset, reset, good))
	if _, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh); err != nil || len(s.requests()) != 4 {
		t.Errorf("resets: %v after %d requests", err, len(s.requests()))
	}
	s = serve(t, reset)
	_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
	if e := wireError(t, err); e.Kind != Unavailable || e.Status != 0 || len(s.requests()) != 4 {
		t.Errorf("only resets: %+v after %d requests", e, len(s.requests()))
	}
	// The error is about the last answer, whatever came before.
	s = serve(t, inTurn(reset, says(500, "text/plain", "first"), reset, says(503, "text/plain", "the last one")))
	_, err = appAt(t, s.URL).Refresh(t.Context(), theRefresh)
	if e := wireError(t, err); e.Status != 503 || !strings.HasSuffix(e.Message, "answered 503: the last one") {
		t.Errorf("got %s", e.Message)
	}
}

// TestLostAnswer checks the hint for a POST that is sent again because its answer was
// lost: by then, the code or the rotated token may have been used.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, inTurn(reset, says(400, "application/json", `{"error":"invalid_grant"}`)))
	_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
	if e := wireError(t, err); e.Code != "invalid_grant" || !strings.Contains(e.Hint, "answer was lost") {
		t.Errorf("got %+v", e)
	}
}

// TestRetryAfter checks that a short Retry-After is waited for, and that a long one
// ends the call.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	good := says(200, "application/json", goodToken)
	for _, header := range [][]string{
		{"Retry-After", "1"},
		{"Date", "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After", "Wed, 21 Oct 2026 07:28:01 GMT"},
	} {
		t.Run(header[len(header)-1], func(t *testing.T) {
			t.Parallel()
			s := serve(t, inTurn(says(429, "text/plain", "", header...), good))
			start := time.Now()
			_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
			if took := time.Since(start); err != nil || took < time.Second || took > 10*time.Second {
				t.Errorf("got %v after %s", err, took)
			}
		})
	}
	for _, header := range []string{"0", "Wed, 21 Oct 2020 07:28:00 GMT"} {
		s := serve(t, inTurn(says(503, "text/plain", "", "Retry-After", header), good))
		if _, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh); err != nil || len(s.requests()) != 2 {
			t.Errorf("%s: %v after %d requests", header, err, len(s.requests()))
		}
	}
	s := serve(t, says(429, "text/plain", "", "Retry-After", "31"))
	_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
	if e := wireError(t, err); e.RetryAfter != 31*time.Second || len(s.requests()) != 1 {
		t.Errorf("31 s: %+v after %d requests", e, len(s.requests()))
	}
	// A wait that would outlive the deadline does not begin: the 429 would be lost.
	s = serve(t, says(429, "text/plain", "", "Retry-After", "20"))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	start := time.Now()
	_, err = appAt(t, s.URL).Refresh(ctx, theRefresh)
	if e := wireError(t, err); e.Kind != RateLimited || e.RetryAfter != 20*time.Second || time.Since(start) > 4*time.Second {
		t.Errorf("got %+v after %s", e, time.Since(start))
	}
}

// TestRetryAfterWithoutDate checks that the local clock is used for a Retry-After date
// in an answer without a Date.
func TestRetryAfterWithoutDate(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 10, 21, 7, 28, 0, 0, time.UTC) }
	h := http.Header{"Retry-After": {"Wed, 21 Oct 2026 07:28:40 GMT"}}
	if got := retryAfter(h, now); got != 40*time.Second {
		t.Errorf("got %s", got)
	}
	if got := retryAfter(h, nil); got != 0 {
		t.Errorf("without a clock: got %s", got)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	r := &retrying{Options: Options{RetryWaitMin: 500 * time.Millisecond, RetryWaitMax: time.Second}}
	for try, most := range []time.Duration{500 * time.Millisecond, time.Second, time.Second} {
		c := &call{retrying: r, seen: new(callInfo), try: try}
		c.wait = c.nextWait()
		if got := c.backoff(0, 0, 0, nil); c.wait != most || got > most || got < most*3/4 {
			t.Errorf("try %d: %s of %s", try, got, c.wait)
		}
		c.seen.retryAfter = 7 * time.Second
		c.wait = c.nextWait()
		if got := c.backoff(0, 0, 0, nil); got != 7*time.Second {
			t.Errorf("try %d: %s, want the server's 7s", try, got)
		}
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, goodToken[:20])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	t.Run("one try ends", func(t *testing.T) {
		t.Parallel()
		s := serve(t, inTurn(hang, says(200, "application/json", goodToken)))
		a := appAt(t, s.URL)
		a.HTTP = client(t, Options{AttemptTimeout: 200 * time.Millisecond})
		if _, err := a.Refresh(t.Context(), theRefresh); err != nil || len(s.requests()) < 2 {
			t.Errorf("got %v after %d requests", err, len(s.requests()))
		}
	})
	t.Run("every try ends", func(t *testing.T) {
		t.Parallel()
		s := serve(t, hang)
		a := appAt(t, s.URL)
		tries := 0 // a busy machine may end a try before it reaches the server
		a.HTTP = client(t, Options{AttemptTimeout: 50 * time.Millisecond, Debug: func(line string) {
			if strings.HasPrefix(line, "POST ") {
				tries++
			}
		}})
		_, err := a.Refresh(t.Context(), theRefresh)
		if e := wireError(t, err); e.Kind != Unavailable || !strings.HasSuffix(e.Message, "it took too long") || tries != 4 {
			t.Errorf("got %+v after %d tries", e, tries)
		}
	})
	t.Run("a body that never ends", func(t *testing.T) {
		t.Parallel()
		s := serve(t, drip)
		a := appAt(t, s.URL)
		a.HTTP = client(t, Options{AttemptTimeout: 300 * time.Millisecond})
		_, err := a.Refresh(t.Context(), theRefresh)
		if e := wireError(t, err); e.Kind != Unavailable || !strings.HasSuffix(e.Message, "answer took too long") {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("the deadline of all tries", func(t *testing.T) {
		t.Parallel()
		s := serve(t, hang)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := appAt(t, s.URL).Refresh(ctx, theRefresh)
		if e := wireError(t, err); e.Kind != Unavailable || !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(e.Message, "in time") {
			t.Errorf("got %+v", e)
		}
	})
}

// TestCallTimeout checks that every call has a deadline of its own.
func TestCallTimeout(t *testing.T) {
	t.Parallel()
	var left time.Duration
	a := appAt(t, "http://127.0.0.1:1")
	a.HTTP = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		if end, ok := r.Context().Deadline(); ok {
			left = time.Until(end)
		}
		return nil, io.EOF
	})}
	_, err := a.Refresh(t.Context(), theRefresh)
	wireError(t, err)
	if left <= 25*time.Second || left > 30*time.Second {
		t.Errorf("%s left", left)
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCutAnswer(t *testing.T) {
	t.Parallel()
	cut := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body)+10, body)
			conn.Close()
		}
	}
	for status, want := range map[int]string{200: "answer cut short", 400: "answer cut short", 503: "answered 503 with damaged JSON"} {
		s := serve(t, cut(status, `{"error":"invalid_grant","error_desc`))
		_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
		if e := wireError(t, err); e.Kind != Unavailable || e.Status != status || !strings.HasSuffix(e.Message, want) {
			t.Errorf("%d: got %+v", status, e)
		}
	}
	// This server does not speak HTTP.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			fmt.Fprintf(conn, "SSH-2.0-hunter2\r\n\r\n")
			conn.Close()
		}
	}()
	_, err = appAt(t, "http://"+l.Addr().String()).Refresh(t.Context(), theRefresh)
	l.Close()
	<-done
	if e := wireError(t, err); e.Kind != Unavailable || strings.Contains(e.Message, "hunter2") {
		t.Errorf("got %+v", e)
	}
}

// TestHugeBody checks that a body of half a gigabyte is neither read nor kept.
func TestHugeBody(t *testing.T) {
	for _, status := range []int{200, 400, 503} {
		var sent int64
		var mu sync.Mutex
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"access_token":"`)
			chunk := []byte(strings.Repeat("a", 64<<10))
			for range 512 << 20 / len(chunk) {
				n, err := w.Write(chunk)
				mu.Lock()
				sent += int64(n)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
		runtime.ReadMemStats(&after)
		if e := wireError(t, err); e.Kind != Unavailable {
			t.Errorf("%d: got %+v", status, e)
		}
		// io.ReadAll of one MiB allocates some MiB on its way.
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%d: %d MiB allocated", status, grown>>20)
		}
		s.Close()
		mu.Lock()
		if sent > 64<<20 {
			t.Errorf("%d: the server got rid of %d MiB", status, sent>>20)
		}
		mu.Unlock()
	}
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = appAt(t, "http://"+address).Refresh(t.Context(), theRefresh)
	e := wireError(t, err)
	if e.Kind != Unavailable || e.Message != "no answer from "+address+": connection refused" || !strings.Contains(e.Hint, "network") {
		t.Errorf("got %+v", e)
	}
}

func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	s := new(server)
	s.Server = httptest.NewUnstartedServer(s.remember(says(200, "application/json", goodToken)))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	tries := 0
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			tries++
		}
	}
	s.StartTLS()
	_, err := appAt(t, s.URL).Refresh(t.Context(), theRefresh)
	s.Close()
	e := wireError(t, err)
	if e.Kind != Insecure || !strings.HasSuffix(e.Message, "its certificate cannot be trusted: signed by an unknown authority") {
		t.Errorf("got %+v", e)
	}
	if runtime.GOOS == "linux" && !strings.Contains(e.Hint, "SSL_CERT_FILE") {
		t.Errorf("got the hint %s", e.Hint)
	}
	if tries != 1 || len(s.requests()) != 0 {
		t.Errorf("%d tries, %d requests", tries, len(s.requests()))
	}
}

func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://accounts.spotify.com", "http://localhost:1", "ftp://127.0.0.1"} {
		_, err := appAt(t, url).Refresh(t.Context(), theRefresh)
		if e := wireError(t, err); e.Kind != Insecure {
			t.Errorf("%s: got %+v", url, e)
		}
	}
}

// TestProxyWantsAPassword checks the error if the proxy of TestMain answers 407, as it
// does for every address that is not loopback.
func TestProxyWantsAPassword(t *testing.T) {
	t.Parallel()
	start := time.Now()
	_, err := appAt(t, "https://accounts.example.invalid").Refresh(t.Context(), theRefresh)
	e := wireError(t, err)
	if e.Kind != Unexpected || e.Message != "no answer from accounts.example.invalid: the proxy answered 407" || !strings.Contains(e.Hint, "HTTPS_PROXY") {
		t.Errorf("got %+v", e)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		&net.DNSError{Err: "x", Name: "hunter2", IsNotFound: true}:                                                      "no such host",
		&net.DNSError{Err: "x", Name: "hunter2"}:                                                                        "the DNS lookup failed",
		http.ErrSchemeMismatch:                                                                                          "it speaks http, not https",
		&net.OpError{Op: "remote error", Err: errors.New("tls: handshake failure")}:                                     "TLS failed: handshake failure",
		errors.New(`proxyconnect "http://u:hunter2@h"`):                                                                 "the connection failed",
		&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "hunter2"}}:   "its certificate cannot be trusted: it has expired or is not yet valid",
		&tls.CertificateVerificationError{Err: x509.HostnameError{Host: "hunter2", Certificate: new(x509.Certificate)}}: "its certificate cannot be trusted: it is for another host",
		&tls.CertificateVerificationError{Err: errors.New("hunter2")}:                                                   "its certificate cannot be trusted: it is not valid",
		&proxyURLError{"https_proxy"}:                                                                                   "https_proxy is not the address of a proxy",
		context.Canceled:                                                                                                "interrupted",
	} {
		if got := reason(fmt.Errorf("outer: %w", err)); got != want {
			t.Errorf("%v: got %s", err, got)
		}
	}
	for err, part := range map[error]string{
		&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}: "clock",
		&net.OpError{Op: "proxyconnect", Err: io.EOF}:                                              "HTTPS_PROXY",
		&proxyURLError{"x"}:    "percent-encode",
		&proxyError{407}:       "USER:PASSWORD",
		&proxyError{502}:       "network",
		errPlainHTTP:           "https",
		http.ErrSchemeMismatch: "TOKENFORM_ACCOUNTS_URL",
	} {
		if got := networkHint(err); !strings.Contains(got, part) {
			t.Errorf("%v: got the hint %s", err, got)
		}
	}
}

// TestDebug checks that only Debug gets output, and that the output has no secret.
func TestDebug(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	now := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	o := Options{
		Debug: func(line string) { mu.Lock(); lines = append(lines, line); mu.Unlock() },
		Now:   func() time.Time { now = now.Add(6 * time.Millisecond); return now },
	}
	var printed strings.Builder
	defer log.SetOutput(log.Writer())
	log.SetOutput(&printed)
	s := serve(t, inTurn(
		says(503, "text/plain; charset=\""+theSecret+"\"", theRefresh, "X-Secret", theAccess),
		reset,
		says(200, "application/json", goodToken),
	))
	a := appAt(t, s.URL)
	a.HTTP = client(t, o)
	if _, err := a.Refresh(t.Context(), theRefresh); err != nil {
		t.Fatal(err)
	}
	if err := a.Search(t.Context(), theAccess); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST " + s.URL + "/api/token (try 1 of 4)", "503 text/plain after 6ms, retrying",
		"POST " + s.URL + "/api/token (try 2 of 4)", "it closed the connection after 6ms, retrying",
		"POST " + s.URL + "/api/token (try 3 of 4)", "200 application/json after 6ms",
		"GET " + s.URL + "/v1/search (try 1 of 4)", "200 application/json after 6ms",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if printed.Len() != 0 {
		t.Errorf("printed %s", printed.String())
	}
	for _, secret := range everySecret {
		if strings.Contains(strings.Join(lines, "\n"), secret) {
			t.Errorf("a secret in\n%s", strings.Join(lines, "\n"))
		}
	}
}

// TestTLS checks that no certificate is read before the first TLS connection. A client
// with certificates of its own would have to read them at once.
func TestTLS(t *testing.T) {
	t.Parallel()
	x := NewHTTP(Options{}).Transport.(*retrying).inner.Transport.(*attempts).RoundTripper.(*trusting)
	for _, c := range []*tls.Config{x.all.TLSClientConfig, transportConfig(x.quick)} {
		if c != nil && (c.MinVersion != tls.VersionTLS12 || c.InsecureSkipVerify || c.VerifyConnection != nil || c.VerifyPeerCertificate != nil) {
			t.Error("the TLS settings are not what they must be")
		}
	}
	if x.all.TLSClientConfig.RootCAs != nil {
		t.Error("it is not crypto/x509 that has the last word")
	}
}

func transportConfig(t *http.Transport) *tls.Config {
	if t == nil {
		return nil
	}
	return t.TLSClientConfig
}

func TestCallsSideBySide(t *testing.T) {
	t.Parallel()
	s := serve(t, says(200, "application/json", goodToken))
	a := appAt(t, s.URL)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := a.Refresh(t.Context(), theRefresh); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
