package cli

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/flow/state"
	"tokenform/flow/state/keeper"
	"tokenform/output"
)

// runner makes the runner of a command. begin may be nil. The caller must call
// end when the runner is no longer needed.
func (p *program) runner(s selection, l loginFlags, o flow.Options, begin func([]config.Profile)) (r *flow.Runner, end func(), err error) {
	o.Invocation, o.Command = p.invocation(s), p.commandName
	o.LockTimeout, o.LoginTimeout = l.lockTimeout, l.timeout
	build := p.realWorld
	if s.sandbox {
		build = p.sandboxWorld
	}
	w, end, err := build(s, l, o)
	if err != nil {
		return nil, nil, err
	}
	w.BeforeFirstChange = begin
	return flow.New(w, o), end, nil
}

// realWorld returns a world with Spotify's servers, or the ones that the environment
// names, and the people and outputs of this process.
func (p *program) realWorld(s selection, l loginFlags, o flow.Options) (w flow.World, end func(), err error) {
	endpoints, err := p.endpoints()
	if err != nil {
		return flow.World{}, nil, err
	}
	certFile, _ := p.Env("SSL_CERT_FILE")
	options := oauth.Options{UserAgent: "tokenform", Now: p.Now, CertFile: certFile, Parallel: o.Parallelism}
	if p.debug {
		options.Debug = p.voice.Debug
	}
	realm := state.RealmOf(endpoints.Accounts, oauth.DefaultAccounts)
	client := oauth.NewHTTP(options)
	w = flow.World{
		Endpoints: endpoints, HTTP: client, Now: p.Now, Realm: realm, Voice: p.voice,
		Stores: state.NewStores(keeper.Options{Now: p.Now, Env: p.Env, HTTP: func(c *tls.Config) *http.Client {
			if c == nil {
				return client
			}
			own := options
			own.TLS = c
			return oauth.NewHTTP(own)
		}}),
		Outputs: &output.Files{
			Out: p.Out, Err: p.Err, Env: p.Env, Warn: p.voice.Warn, Realm: realm,
			Declared: func() []config.Profile { return *p.declared.Load() },
		},
	}
	w.Browse, w.Pasted = p.people(s, l)
	return w, func() {}, nil
}

// endpoints returns the servers that the environment names, or Spotify's.
func (p *program) endpoints() (oauth.Endpoints, error) {
	accounts, _ := p.Env("TOKENFORM_ACCOUNTS_URL")
	api, _ := p.Env("TOKENFORM_API_URL")
	endpoints, err := oauth.ParseEndpoints(accounts, api)
	if err != nil {
		return endpoints, &fault.Error{Kind: fault.Invalid, Err: err}
	}
	return endpoints, nil
}

// people returns the ways in which a person can be asked to log in.
func (p *program) people(s selection, l loginFlags) (browse func(context.Context, string) error, pasted func() <-chan string) {
	mode := l.mode
	if mode == "auto" {
		mode = "never"
		if ci, _ := p.Env("CI"); p.ErrTerminal && ci == "" {
			mode = "browser"
		}
	}
	typed := sync.OnceValue(p.typedLines)
	switch mode {
	case "paste":
		return nil, typed
	case "browser":
		preferred, _ := p.Env("BROWSER")
		browse = func(_ context.Context, url string) error { return flow.OpenBrowser(preferred, url) }
		if p.InTerminal && !s.readsStdin() {
			pasted = typed
		}
	}
	return browse, pasted
}

// sandboxWorld returns the real world with the stand-in for Spotify, which runs inside
// this process on a port of its own. The stand-in's tokens are sealed with a fixed key,
// so that the next run accepts them.
func (p *program) sandboxWorld(s selection, l loginFlags, o flow.Options) (w flow.World, end func(), err error) {
	if w, _, err = p.realWorld(s, l, o); err != nil {
		return w, nil, err
	}
	server, url, err := serve(sandbox.New(sandbox.Options{AnyApp: true, AutoConsent: l.mode == "auto", Now: p.Now, Key: []byte("apply --sandbox")}), "127.0.0.1:0")
	if err != nil {
		return w, nil, err
	}
	w.Endpoints = oauth.Endpoints{Accounts: url, API: url}
	w.Realm = state.Sandbox
	w.Outputs.(*output.Files).Realm = state.Sandbox
	if l.mode == "auto" {
		robot := &robotVoice{Voice: w.Voice, fail: p.voice.Error, pasted: make(chan string)}
		w.Voice, w.Browse = robot, robot.browse
		w.Pasted = func() <-chan string { return robot.pasted }
	}
	return w, func() { server.Close() }, nil
}

// robotVoice logs in without a person: its voice asks nobody.
type robotVoice struct {
	flow.Voice
	fail   func(profile string, err error)
	pasted chan string
}

// browse follows the login page. If the page leads to another machine, browse pastes
// the address of that page.
func (r *robotVoice) browse(ctx context.Context, url string) error {
	away, err := flow.AgreeingBrowser(ctx, url)
	if away != "" {
		r.pasted <- away
	}
	return err
}

// Ask implements [flow.Voice]. Ask opens the page only if the redirect URI has no
// listener; else the runner opens it.
func (r *robotVoice) Ask(profile string, q flow.Prompt) {
	if q.Browser {
		return
	}
	go func() {
		if err := r.browse(context.Background(), q.URL); err != nil {
			r.fail(profile, err)
		}
	}()
}

// Asked implements [flow.Voice].
func (r *robotVoice) Asked(string) {}
