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

// Callback is the listener that the browser comes back to after the login. It
// serves one attempt.
type Callback struct {
	Profile string // for the page that shows a refusal; set before Wait
	Secured func() // called once if the browser asks for https, which nobody here speaks; may be nil; set before Wait

	redirectURI string
	startURL    string
	path        string // of redirectURI
	startPath   string // of startURL: nobody can guess it
	visitor     string // the cookie of the browser that opened startURL
	opened      atomic.Bool
	hosts       []string // that a request may be for
	listener    net.Listener
	server      *http.Server
	serve       sync.Once
	served      chan struct{} // closed when no connection is accepted any more

	authorizeURL, state string // set before the first request is served

	claimed atomic.Bool   // the one answer that counts has come
	answers chan result   // it; room for one
	closing chan struct{} // closed when no caller waits for an outcome any more
	shown   chan struct{} // closed when that answer's page is out
	end     sync.Once
}

type result struct {
	answer *Answer
	err    error
}

// Listen binds the address of redirectURI, or listen if that is given, so
// that the port is ours before a browser opens. A redirect URI without a port
// takes a free one (RFC 8252 section 7.3). The error is temporary if the login of
// another tokenform has the port.
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
		// The rest stays byte for byte as it was registered.
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
	// A browser reaches a loopback redirect as it is written, even if a
	// container's port mapping lies between. Behind a name there may be a proxy that
	// knows the redirect's path alone, so the browser starts at the bound address.
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
		ReadTimeout:                  5 * time.Second, // of a request with its body; ends connections that say nothing, or say it slowly
		WriteTimeout:                 2 * time.Minute, // the page waits for the exchange
		MaxHeaderBytes:               32 << 10,
		ErrorLog:                     log.New(io.Discard, "", 0), // it would go to stderr, and quote requests
	}
	c.server.SetKeepAlivesEnabled(false)
	return c, nil
}

// RedirectURI is the one to send to the server, with the port that was chosen.
func (c *Callback) RedirectURI() string { return c.redirectURI }

// StartURL redirects to the authorize URL, so that the long one need not stand on a
// command line, where every process can read its state. It does so for one browser
// alone: whoever else learns StartURL from a command line cannot log us in to an
// account of theirs unseen.
func (c *Callback) StartURL() string { return c.startURL }

// Address is the host and port that the listener is bound to.
func (c *Callback) Address() string { return c.listener.Addr().String() }

// Wait serves until the first answer with the right state, or until ctx ends.
// The error is an [*Error] that is [Declined] if the user or the server declined. The
// browser is still waiting for [Answer.Finish]; Close must follow in any case.
// A Callback waits once.
func (c *Callback) Wait(ctx context.Context, authorizeURL, state string) (*Answer, error) {
	c.serve.Do(func() {
		c.authorizeURL, c.state = authorizeURL, state
		go func() {
			defer close(c.served)
			if err := c.server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
				select {
				case c.answers <- result{err: &fault.Error{Message: "the listener for the login broke"}}:
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

// Close ends the listener and every connection. It gives the page of the answer
// that counted a moment to get out.
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
		c.serve.Do(func() { // Wait was never called: the server does not know the listener
			err = c.listener.Close()
			close(c.served)
		})
		<-c.served
	})
	return err
}

// Answer is the login's answer, and the browser that waits for its outcome.
type Answer struct {
	Code   string
	finish chan Outcome
}

// Finish shows the outcome of the exchange to the waiting browser. It must be
// called; it does not wait. Calls after the first do nothing.
func (a *Answer) Finish(o Outcome) {
	select {
	case a.finish <- o:
	default:
	}
}

// Format keeps the code out of every message.
func (a *Answer) Format(f fmt.State, _ rune) { fmt.Fprint(f, "answer (redacted)") }

// port is what to listen on: zero takes a free one.
func port(u *url.URL) string {
	if u.Port() == "" {
		return "0"
	}
	return u.Port()
}

// bareHost is what a browser sends as Host for u: the default port is left out.
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

// otherLogin reports whether it is a [Callback] that listens on address.
func otherLogin(address string) bool {
	hc := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := hc.Get("http://" + address + "/")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.Header.Get("Server") == serverName
}

// bindError names the port and the cure.
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
		e.Hint = "stop that program, or choose another port in redirect_uri and register it in Spotify's developer dashboard; or register and use http://127.0.0.1/callback, which takes a free port"
		if otherLogin(address) {
			e.Kind = fault.Temporary
			e.Message = "port " + port + " is in use by the login of another tokenform"
			e.Hint = "finish or stop that login first; or register and use http://127.0.0.1/callback, which takes a free port"
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
		e.Hint = "check listen and redirect_uri: the address must be one of this machine"
	default:
		e.Hint = "check listen and redirect_uri"
	}
	return e
}
