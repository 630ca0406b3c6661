package flow

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"tokenform/config"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// Runner is the world in which profiles are planned and applied. Its fields
// are set once, before the first call.
type Runner struct {
	Endpoints oauth.Endpoints
	HTTP      *http.Client
	Outputs   Outputs // nil: none are looked at or written
	TokenOnly bool    // outputs are only looked at, for a token that a client wrote
	Now       func() time.Time
	Notify    func(Event) // what people are told meanwhile; called concurrently

	// Due is told once of the profiles that have something to do, before it is
	// done; nil: nobody is.
	Due func([]config.Profile)

	// Browse opens an address in a browser and Pasted yields the lines a person
	// pastes, closed when there will be no more. Both nil: nobody to ask.
	Browse func(ctx context.Context, url string) error
	Pasted func() <-chan string

	// What names the profiles on a command line, for hints: " team/a.yaml". Here is
	// what is true of this machine only: " --state kept". There is what holds where a
	// person logs in instead.
	Files, Here, There string

	Me           state.Holder // who we are in lock messages; Since is set per lock
	LockTimeout  time.Duration
	LoginTimeout time.Duration
	Parallelism  int    // profiles at once; less than one: one
	Verify       bool   // ask the Web API about tokens that would be kept
	Renew        bool   // log in again although the login still holds
	Apart        string // subdirectory of the state directory; empty: that itself
	Twin         string // the same of runs that write the same outputs with tokens of another server; as Apart: there are none

	logins chan struct{} // holds one token while a person is being asked
}

// EventKind says what an [Event] is about.
type EventKind int

const (
	Warned      EventKind = iota // Text and Hint
	Waiting                      // Holder has the lock that we wait for
	Asking                       // Prompt: a person must log in
	Asked                        // the asking is over, one way or the other
	Misanswered                  // Text: what came back was no answer; waiting goes on
	LoggedIn                     // Text: the account
)

// Event is something to tell the user while work goes on.
type Event struct {
	Kind    EventKind
	Profile string
	Text    string
	Hint    string
	Holder  state.Holder
	Prompt  Prompt
}

// Prompt is what a person needs for logging in.
type Prompt struct {
	Reason      string // why this login is needed
	URL         string // the authorize URL, complete
	Short       string // the listener's address that leads there; empty: paste only
	RedirectURI string
	Browser     bool // a browser is being opened
	Paste       bool // a pasted address is read
	Until       time.Time
}

func (r *Runner) notify(e Event) {
	if r.Notify != nil {
		r.Notify(e)
	}
}

func (r *Runner) warn(profile, text, hint string) {
	r.notify(Event{Kind: Warned, Profile: profile, Text: text, Hint: hint})
}

// store is the state directory of p.
func (r *Runner) store(p config.Profile) *state.Store {
	return state.Open(filepath.Join(p.State, r.Apart))
}

// attended reports whether there is a person who can log in to p.
func (r *Runner) attended() bool { return r.Browse != nil || r.Pasted != nil }

// writes reports whether outputs are brought in line with tokens.
func (r *Runner) writes() bool { return r.Outputs != nil && !r.TokenOnly }

// decide is [Decide] with the wish to log in anew on top.
func (r *Runner) decide(p config.Profile, t *state.Token) Decision {
	d := Decide(p, t, r.Now())
	if r.Renew && p.Grant.User() && d.Action != Login {
		return Decision{Action: Login, Reason: "renewal asked for"}
	}
	return d
}

// app is p's client at the Accounts service. Its credentials are fetched now,
// by a command where the profile says so.
func (r *Runner) app(ctx context.Context, p config.Profile) (oauth.App, error) {
	id, err := p.Client.ID.Resolve(ctx)
	if err != nil {
		return oauth.App{}, err
	}
	secret, err := p.Client.Secret.Resolve(ctx)
	if err != nil {
		return oauth.App{}, err
	}
	return oauth.App{ID: id, Secret: secret, Endpoints: r.Endpoints, HTTP: r.HTTP}, nil
}
