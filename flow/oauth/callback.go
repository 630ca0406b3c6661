package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tokenform/config/fault"
)

// Callback is the listener that the browser comes back to after the login. A Callback
// serves one attempt.
type Callback struct {
	Profile string // for the page that shows a refusal; set before Wait
	Secured func() // called once if the browser asks for https, which the listener does not speak; may be nil; set before Wait

	redirectURI string
	startURL    string
	path        string // the path of redirectURI
	startPath   string // the path of startURL, which nobody can guess
	visitor     string // the cookie for the browser that opened startURL
	opened      atomic.Bool
	hosts       []string // the Host headers that are answered
	listener    net.Listener
	server      *http.Server
	serve       sync.Once
	served      chan struct{} // closed when no more connections are accepted

	authorizeURL, state string // set before the first request is served

	claimed atomic.Bool   // the one answer that counts has arrived
	answers chan result   // the answer that counts; room for one
	closing chan struct{} // closed when no caller waits for an outcome any more
	shown   chan struct{} // closed when the page for the answer that counts has been sent
	end     sync.Once
}

type result struct {
	answer *Answer
	err    error
}

// Listen binds the address of redirectURI, or listen if that is not empty, so that the
// port is ours before a browser opens. For a redirect URI without a port, Listen takes
// a free port (RFC 8252 section 7.3). The error is temporary if the login of another
// tokenform has the port.
func Listen(redirectURI, listen string) (*Callback, error) {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Hostname() == "" {
		return nil, &fault.Error{Message: "redirect_uri is not a URL with a host", Hint: "use http://127.0.0.1:8888/callback, or log in with --login paste"}
	}
	local := ownMachine(u)
	address := listen
	if listen == "" {
		if !local {
			return nil, &fault.Error{Message: "redirect_uri is not on this machine's loopback address", Hint: "log in with --login paste, or use http://127.0.0.1:8888/callback"}
		}
		address = net.JoinHostPort(u.Hostname(), port(u))
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, bindError(address, err)
	}
	_, bound, _ := net.SplitHostPort(l.Addr().String())
	if local && u.Port() == "" {
		// The rest of the URI stays byte for byte as registered.
		redirectURI = strings.Replace(redirectURI, u.Host, u.Host+":"+bound, 1)
		u.Host += ":" + bound
	}
	c := &Callback{
		redirectURI: redirectURI,
		path:        slash(u.Path),
		startPath:   "/" + rand.Text(),
		visitor:     rand.Text(),
		served:      make(chan struct{}),
		answers:     make(chan result, 1),
		closing:     make(chan struct{}),
		shown:       make(chan struct{}),
	}
	c.listener = limit(l, maxConnections, sync.OnceFunc(func() {
		if c.Secured != nil {
			c.Secured()
		}
	}))
	c.hosts = []string{bareHost(u)}
	// A browser reaches a loopback redirect URI as written, even through the port
	// mapping of a container. Behind a host name, a proxy may forward the path of the
	// redirect URI alone, so the browser starts at the bound address.
	start := url.URL{Scheme: "http", Host: u.Host, Path: c.startPath}
	if !local {
		host, _, _ := net.SplitHostPort(l.Addr().String())
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		start.Host = net.JoinHostPort(host, bound)
	}
	c.startURL = start.String()
	for _, host := range []string{bareHost(&start), l.Addr().String()} {
		if !slices.Contains(c.hosts, host) {
			c.hosts = append(c.hosts, host)
		}
	}
	c.server = &http.Server{
		Handler:                      http.HandlerFunc(c.handle),
		DisableGeneralOptionsHandler: true,
		ReadTimeout:                  5 * time.Second, // for a request with its body; ends connections that send nothing, or send slowly
		WriteTimeout:                 2 * time.Minute, // the page waits for the exchange
		MaxHeaderBytes:               32 << 10,
		ErrorLog:                     log.New(io.Discard, "", 0), // the default logger writes to stderr, and quotes requests
	}
	c.server.SetKeepAlivesEnabled(false)
	return c, nil
}

// RedirectURI is the redirect URI to send to the server, with the port that was chosen.
func (c *Callback) RedirectURI() string { return c.redirectURI }

// StartURL redirects to the authorize URL, so that the long authorize URL need not be
// on a command line, where every process can read its state. StartURL works for one
// browser only: whoever else reads StartURL on a command line cannot secretly log us in
// to an account of theirs.
func (c *Callback) StartURL() string { return c.startURL }

// Address is the host and port that the listener is bound to.
func (c *Callback) Address() string { return c.listener.Addr().String() }

// Wait serves until the first answer with the right state, or until ctx ends. The error
// is an [*Error] of kind [Declined] if the user or the server declined. After Wait, the
// browser still waits: the caller must call [Answer.Finish], and Close in any case. A
// Callback can Wait only once.
func (c *Callback) Wait(ctx context.Context, authorizeURL, state string) (*Answer, error) {
	c.serve.Do(func() {
		c.authorizeURL, c.state = authorizeURL, state
		go func() {
			defer close(c.served)
			if err := c.server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
				select {
				case c.answers <- result{err: &fault.Error{Message: "the login listener failed"}}:
				default:
				}
			}
		}()
	})
	select {
	case r := <-c.answers:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends the listener and every connection, after a moment for sending the page of
// the answer that counted.
func (c *Callback) Close() error {
	var err error
	c.end.Do(func() {
		close(c.closing)
		if c.claimed.Load() {
			select {
			case <-c.shown:
			case <-time.After(2 * time.Second):
			}
		}
		err = c.server.Close()
		c.serve.Do(func() { // without Wait, the server does not know the listener
			err = c.listener.Close()
			close(c.served)
		})
		<-c.served
	})
	return err
}

// Answer is the login's answer. A browser waits for its outcome.
type Answer struct {
	Code   string
	finish chan Result
}

// Finish shows the outcome of the exchange to the waiting browser. The caller of Wait
// must call Finish once; later calls do nothing. Finish does not wait.
func (a *Answer) Finish(o Result) {
	select {
	case a.finish <- o:
	default:
	}
}

// Format keeps the code out of every message.
func (a *Answer) Format(f fmt.State, _ rune) { fmt.Fprint(f, "answer (redacted)") }

// port returns the port to listen on: zero means a free one.
func port(u *url.URL) string {
	if u.Port() == "" {
		return "0"
	}
	return u.Port()
}

// bareHost returns the Host header that a browser sends for u: without the default
// port.
func bareHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" {
		return strings.TrimSuffix(host, ":80")
	}
	return strings.TrimSuffix(host, ":443")
}

func slash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// otherLogin reports whether a [Callback] listens on address.
func otherLogin(address string) bool {
	hc := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := hc.Get("http://" + address + "/")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.Header.Get("Server") == serverName
}

// bindError says which port cannot be bound, and how to cure that.
func bindError(address string, err error) error {
	e := &fault.Error{Message: "cannot listen on " + oneLine(address, 80)}
	_, port, splitErr := net.SplitHostPort(address)
	errno, known := errors.AsType[syscall.Errno](err)
	cause := fault.Cause(errno) // Windows has other numbers
	switch {
	case splitErr != nil:
		e.Hint = "write listen as HOST:PORT"
	case errors.Is(cause, syscall.EADDRINUSE):
		e.Message = "port " + port + " is in use by another program"
		e.Hint = "stop that program, or choose another port in redirect_uri and register it in Spotify's developer dashboard; or register and use http://127.0.0.1/callback, which uses a free port"
		if otherLogin(address) {
			e.Kind = fault.Temporary
			e.Message = "port " + port + " is in use by another tokenform login"
			e.Hint = "finish or stop that login first; or register and use http://127.0.0.1/callback, which uses a free port"
			return e
		}
		if port == "5000" || port == "7000" {
			e.Hint = "on macOS that is the AirPlay Receiver: choose another port in redirect_uri and register it in Spotify's developer dashboard"
		}
	case errors.Is(cause, syscall.EACCES):
		e.Message += ": permission denied"
		e.Hint = "choose a port above 1023 in redirect_uri and register it in Spotify's developer dashboard"
	case known:
		e.Message += ": " + cause.Error()
		e.Hint = "check listen and redirect_uri: the address must belong to this machine"
	default:
		e.Hint = "check listen and redirect_uri"
	}
	return e
}
