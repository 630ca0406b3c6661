package oauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxTries       = 4
	maxBody        = 1 << 20
	maxHeader      = 64 << 10
	longestWait    = 30 * time.Second // the longest Retry-After that is waited for
	connectTimeout = 10 * time.Second
)

// Options are the settings of the HTTP client. The zero value is ready for use.
type Options struct {
	RetryWaitMin   time.Duration // zero means 500 ms
	RetryWaitMax   time.Duration // zero means 5 s
	AttemptTimeout time.Duration // of one try, its body included; zero means 10 s

	// Debug gets a line for each request and each answer, without any query, body, or
	// header that may hold a secret. Debug may be called concurrently. nil means no
	// debugging.
	Debug func(line string)

	UserAgent string

	CertFile string      // SSL_CERT_FILE
	TLS      *tls.Config // replaces the defaults, but not the lowest version; nil means the defaults
	Parallel int         // calls at once, for which connections are kept open; zero means 10

	// Now gives the time for a Retry-After that is a date in an answer without a Date,
	// and for the durations in Debug. nil means to go without both.
	Now func() time.Time
}

// NewHTTP returns a client for every request, to Spotify or to a store of logins. NewHTTP is cheap: the system's
// certificates are read when the first TLS connection is made.
func NewHTTP(o Options) *http.Client {
	o.RetryWaitMin = cmp.Or(o.RetryWaitMin, 500*time.Millisecond)
	o.RetryWaitMax = cmp.Or(o.RetryWaitMax, 5*time.Second)
	o.AttemptTimeout = cmp.Or(o.AttemptTimeout, 10*time.Second)
	config := &tls.Config{}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.MinVersion = tls.VersionTLS12
	transport := &http.Transport{
		Proxy:                  proxyFromEnvironment,
		OnProxyConnectResponse: proxyAnswered,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConnsPerHost:    cmp.Or(o.Parallel, 10),
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
	tries := &attempts{transport, o.AttemptTimeout}
	if config.RootCAs == nil {
		tries.RoundTripper = trust(transport, o.CertFile)
	}
	inner := &http.Client{Transport: tries, CheckRedirect: neverFollow}
	return &http.Client{Transport: &retrying{o, inner}, CheckRedirect: neverFollow}
}

// attempts gives each request, its body included, a time in which the process is awake: a
// process that was stopped for longer than that finds its answer in the socket, and must
// not throw it away. The timeout of [http.Client] would.
type attempts struct {
	http.RoundTripper
	timeout time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (a *attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	go func() {
		const ticks = 10 // while the process is stopped, one tick passes at most
		clock := time.NewTicker(a.timeout / ticks)
		defer clock.Stop()
		for range ticks {
			select {
			case <-ctx.Done():
				return
			case <-clock.C:
			}
		}
		cancel(context.DeadlineExceeded)
	}()
	resp, err := a.RoundTripper.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &attemptBody{resp.Body, cancel}
	return resp, nil
}

// CloseIdleConnections passes [http.Client.CloseIdleConnections] on.
func (a *attempts) CloseIdleConnections() {
	if c, ok := a.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// attemptBody ends the request when the body is closed.
type attemptBody struct {
	io.ReadCloser
	end context.CancelCauseFunc
}

func (b *attemptBody) Close() error {
	defer b.end(nil)
	return b.ReadCloser.Close()
}

// neverFollow must be set on both the inner and the outer client, because each of them
// follows redirects on its own: a 307 would carry a code or a refresh token to another
// host.
func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// retrying is the outer client's transport: the inner client under retries.
type retrying struct {
	Options
	inner *http.Client
}

// CloseIdleConnections passes [http.Client.CloseIdleConnections] on to the inner
// client.
func (t *retrying) CloseIdleConnections() { t.inner.CloseIdleConnections() }

// RoundTrip gives each call a retrying client of its own, so that what the client
// learns about the call needs no lock. The calls share connections.
func (t *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	if !safe(req.URL) {
		return nil, errPlainHTTP
	}
	if t.UserAgent != "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", t.UserAgent)
	}
	c := &call{retrying: t, seen: seenIn(req.Context())}
	resp, err := (&retryablehttp.RoundTripper{Client: &retryablehttp.Client{
		HTTPClient:     t.inner,
		Logger:         nil, // the default one prints URLs with their queries
		RetryMax:       maxTries - 1,
		RequestLogHook: c.sending,
		CheckRetry:     c.check,
		Backoff:        c.backoff,
		ErrorHandler:   lastAnswer,
	}}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxBody), resp.Body}
	return resp, nil
}

// lastAnswer returns the answer to the last try; retryablehttp alone would only say
// that it gave up. A RoundTripper must not return both an answer and an error.
func lastAnswer(resp *http.Response, err error, _ int) (*http.Response, error) {
	if err != nil && resp != nil {
		resp.Body.Close()
		resp = nil
	}
	return resp, err
}

// callInfo is what the transport learns about a call beyond the last answer. A caller that
// wants to know puts a callInfo into the request's context.
type callInfo struct {
	reached    int           // tries that may have reached the server
	retryAfter time.Duration // from the last answer
}

type seenKey struct{}

func seenIn(ctx context.Context) *callInfo {
	if s, ok := ctx.Value(seenKey{}).(*callInfo); ok {
		return s
	}
	return new(callInfo)
}

type onceKey struct{}

// Once returns a context in which the client sends each request once, because the caller
// knows another server to try.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// call is one request with its retries.
type call struct {
	*retrying
	seen  *callInfo
	try   int // counts from zero
	since time.Time
	wait  time.Duration // until the next try
}

func (c *call) sending(_ retryablehttp.Logger, req *http.Request, try int) {
	c.try = try
	if c.Debug == nil {
		return
	}
	if c.Now != nil {
		c.since = c.Now()
	}
	bare := url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path}
	c.Debug(fmt.Sprintf("%s %s (try %d of %d)", req.Method, &bare, try+1, maxTries))
}

// check decides whether to try again. check does not if the wait would outlive the
// call's deadline, because then the answer at hand would be lost.
func (c *call) check(ctx context.Context, resp *http.Response, err error) (bool, error) {
	again := false
	if err != nil {
		c.seen.retryAfter = 0
		again = ctx.Err() == nil && passing(err)
		if dial, ok := errors.AsType[*net.OpError](err); !ok || dial.Op != "dial" {
			c.seen.reached++
		}
	} else {
		c.seen.reached++
		c.seen.retryAfter = retryAfter(resp.Header, c.Now)
		again = slices.Contains([]int{408, 429, 500, 502, 503, 504}, resp.StatusCode) ||
			resp.StatusCode == http.StatusUnauthorized && resp.Request.Method == http.MethodGet && strings.HasPrefix(resp.Request.Header.Get("Authorization"), "Bearer ") && !strings.Contains(resp.Header.Get("WWW-Authenticate"), `"invalid_token"`)
	}
	c.wait = c.nextWait()
	// The context ends by the machine's own clock, whatever Now says.
	if end, ok := ctx.Deadline(); ok && time.Until(end) < c.wait {
		again = false
	}
	again = again && c.seen.retryAfter <= longestWait && c.try < maxTries-1 && ctx.Value(onceKey{}) == nil
	c.report(resp, err, again)
	return again, nil
}

// nextWait returns the wait before the next try, at most. The wait doubles with every
// try, and is never shorter than the server asked for.
func (c *call) nextWait() time.Duration {
	return max(c.seen.retryAfter, min(c.RetryWaitMin<<c.try, c.RetryWaitMax))
}

// backoff shortens check's wait by a random part, so that profiles that failed together
// do not try again together. A wait that the server asked for is not shortened.
func (c *call) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	return max(c.seen.retryAfter, c.wait-rand.N(c.wait/4+1))
}

func (c *call) report(resp *http.Response, err error, again bool) {
	if c.Debug == nil {
		return
	}
	line := ""
	if err != nil {
		line = reason(err)
	} else {
		line = fmt.Sprint(resp.StatusCode)
		if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil {
			line += " " + oneLine(media, 60)
		}
	}
	if c.Now != nil {
		line += " after " + c.Now().Sub(c.since).Round(time.Millisecond).String()
	}
	if again {
		line += ", retrying"
	}
	c.Debug(line)
}
