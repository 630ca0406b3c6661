package flow

import (
	"context"
	"net/http"
	"sync"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// World is what a run acts on: servers, outputs, people, the clock.
type World struct {
	Endpoints oauth.Endpoints
	HTTP      *http.Client
	Now       func() time.Time
	Realm     state.Realm
	Stores    *state.Stores // nil keeps all state in directories
	Outputs   Outputs       // may be nil if Options.Outputs is IgnoreOutputs
	Voice     Voice

	// Browse opens an address in a browser. Pasted returns a channel with the lines
	// that a person pastes; the channel is closed after the last line. If both are nil,
	// nobody can log in.
	Browse func(ctx context.Context, url string) error
	Pasted func() <-chan string

	// Each Apply calls BeforeFirstChange once, before it changes the first profile,
	// with every profile that has something to do. BeforeFirstChange may be nil.
	BeforeFirstChange func([]config.Profile)
}

// Options are the settings of a run.
type Options struct {
	Invocation   config.Invocation // for hints
	Command      string            // the subcommand, such as "apply", shown to those who wait for a lock
	Outputs      OutputMode
	LockTimeout  time.Duration
	LoginTimeout time.Duration
	Parallelism  int  // profiles at once; less than one means one
	Verify       bool // ask the Web API about tokens that would be kept
	Renew        bool // log in again although the login is still valid
}

// OutputMode says what a run does with outputs.
type OutputMode int

const (
	WriteOutputs  OutputMode = iota // bring outputs in line with tokens
	LookAtOutputs                   // only look for tokens that clients have written
	IgnoreOutputs
)

// Runner plans and applies profiles in one [World]. A Runner is safe for
// concurrent use.
type Runner struct {
	world   World
	options Options
	logins  chan struct{} // holds one element while a person is asked to log in
	telling sync.Mutex    // held while notify tells people, so that the next notify knows what they were told
}

// New returns a Runner.
func New(w World, o Options) *Runner {
	return &Runner{world: w, options: o, logins: make(chan struct{}, 1)}
}

func (r *Runner) now() time.Time { return r.world.Now() }

func (r *Runner) warn(profile, text, hint string) { r.world.Voice.Warn(profile, text, hint) }

// command returns the command line for a hint about p.
func (r *Runner) command(p config.Profile, words ...string) string {
	return r.options.Invocation.Command(append(words, "-p", p.Name)...)
}

// stateOf returns the state that holds p's token.
func (r *Runner) stateOf(p config.Profile) *state.Store { return r.world.Stores.Of(r.world.Realm, p) }

// attended reports whether there is a person who can log in.
func (r *Runner) attended() bool { return r.world.Browse != nil || r.world.Pasted != nil }

// writes reports whether outputs are brought in line with tokens.
func (r *Runner) writes() bool { return r.options.Outputs == WriteOutputs }

// decide is [Decide], but decides to log in if Options.Renew asks for it.
func (r *Runner) decide(p config.Profile, t *state.Token) Decision {
	d := Decide(p, t, r.now())
	if r.options.Renew && p.Grant.User() && d.Action != Login {
		return Decision{Action: Login, Reason: "new login requested"}
	}
	return d
}

// keepLogin returns an error if the decision d about p would lose the login of t although
// nobody has asked for that.
func (r *Runner) keepLogin(p config.Profile, t *state.Token, d Decision) error {
	reason := discarded(p, t, d, r.now())
	if reason == "" {
		return nil
	}
	whose := ""
	if t.Account != nil {
		whose = " of " + accountName(t.Account)
	}
	return &fault.Error{
		Kind:    fault.Invalid,
		Message: reason + ", which would discard the stored login" + whose,
		Hint: "to keep that login, give this profile a new name (profile: NAME), or save it: " + r.stateCommand(p, "pull", p.Name) +
			"\nto discard it: " + r.command(p, "destroy"),
	}
}

// stateCommand returns the command line for a hint to use tokenform state for p.
func (r *Runner) stateCommand(p config.Profile, words ...string) string {
	line := r.options.Invocation
	if len(line.Files) > 0 && line.State == "" {
		line.State = p.State // state reads no other files than tokenform.yaml
	}
	line.Files = nil
	return line.Command(append([]string{"state"}, words...)...)
}

// api returns a client without a secret, for asking the Web API about t.
func (r *Runner) api(t *state.Token) oauth.App {
	return oauth.App{ID: t.ClientID, Endpoints: r.world.Endpoints, HTTP: r.world.HTTP}
}

// app returns p's client at the Accounts service. app fetches the client's credentials,
// by a command if the profile names one.
func (r *Runner) app(ctx context.Context, p config.Profile) (oauth.App, error) {
	id, err := p.Client.ID.Resolve(ctx)
	if err != nil {
		return oauth.App{}, err
	}
	secret, err := p.Client.Secret.Resolve(ctx)
	if err != nil {
		return oauth.App{}, err
	}
	return oauth.App{
		ID: id, Secret: secret, IDFrom: p.Client.ID.From(), SecretFrom: p.Client.Secret.From(),
		Endpoints: r.world.Endpoints, HTTP: r.world.HTTP,
	}, nil
}
