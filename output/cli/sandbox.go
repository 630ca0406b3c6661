package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"tokenform/config/fault"
	"tokenform/flow/sandbox"
)

const longSandbox = `Runs a stand-in for Spotify's accounts service and Web API on a loopback port, to try
profiles and to test programs. Any client ID and secret will do, with any redirect URI
that Spotify would accept. Ctrl-C stops it.`

const examplesSandbox = `tokenform sandbox                      # prints two lines for another terminal
tokenform sandbox --consent --token-life 10s`

type sandboxCommand struct {
	listen               string // host:port on loopback
	rotate, consent      bool
	tokenLife, loginLife time.Duration
}

func (c *sandboxCommand) flags(f flags) {
	f.StringVar(&c.listen, "listen", "127.0.0.1:8889", "listen on this loopback `ADDRESS`")
	f.BoolVar(&c.rotate, "rotate", false, "answer every refresh with a new refresh token")
	f.BoolVar(&c.consent, "consent", false, "consent without asking")
	c.tokenLife = time.Hour
	f.long(&c.tokenLife, "token-life", "how long access tokens live")
	f.long(&c.loginLife, "login-life", "how long refresh tokens live (default six months)")
}

func (c *sandboxCommand) check(_, _ []string) error {
	if c.tokenLife < time.Second {
		return usage("--token-life must be at least one second", "write for example --token-life 10m")
	}
	return nil
}

// run serves the stand-in until it is interrupted.
func (c *sandboxCommand) run(ctx context.Context, p *program) int {
	if p.json {
		return p.refuse(usage("sandbox prints shell commands, not JSON", "leave out --json"))
	}
	server, url, err := serve(sandbox.New(sandbox.Options{
		AnyApp: true, Now: p.Now, AutoConsent: c.consent, RotateAll: c.rotate, TokenLife: c.tokenLife, LoginLife: c.loginLife,
	}), c.listen)
	if err != nil {
		return p.refuse(err)
	}
	defer server.Close()
	p.guard()
	p.voice.Say("the stand-in for Spotify runs at " + url + "; Ctrl-C ends it")
	p.voice.Say("in another terminal, run these lines and then tokenform apply; afterwards: unset TOKENFORM_ACCOUNTS_URL TOKENFORM_API_URL")
	p.voice.Print(fmt.Sprintf("export TOKENFORM_ACCOUNTS_URL=%s\nexport TOKENFORM_API_URL=%s\n", url, url))
	<-ctx.Done()
	return 0
}

// serve serves h on a loopback address and returns its URL.
func serve(h http.Handler, address string) (*http.Server, string, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, "", usage("--listen: must be a loopback address and a port", "write for example 127.0.0.1:8889")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, "", &fault.Error{Message: "cannot listen on " + address, Err: errors.Unwrap(err), Hint: "choose another port with --listen"}
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l)
	return server, "http://" + l.Addr().String(), nil
}
