package flow

import (
	"time"

	"tokenform/flow/state"
)

// Voice tells people what happens while work goes on. Package output/terminal
// implements Voice. Its methods are called concurrently.
type Voice interface {
	// Warn says what is unwise or may go wrong, and what to do about it.
	Warn(profile, text, hint string)

	// Remind says that a person must log in, now or soon.
	Remind(m Reminder)

	// Waiting says who has the lock that the profile waits for.
	Waiting(profile string, holder state.Holder)

	// Ask asks a person to log in. Asked follows when the person is no longer asked,
	// whatever the result.
	Ask(profile string, p Prompt)
	Asked(profile string)

	// Misanswered says why an address that came back was no answer. The login goes on.
	Misanswered(profile, why string)

	// Hint says what to do next.
	Hint(text string)

	// LoggedIn says which account logged in.
	LoggedIn(profile, account string)
}

// Prompt is what a person needs for logging in.
type Prompt struct {
	Reason      string // why this login is needed
	URL         string // the authorize URL, complete
	Short       string // the listener's address, which redirects to URL; empty if only pasting works
	RedirectURI string
	Registered  string // the redirect URI that the app must list; RedirectURI may have a port that was chosen
	App         string // the client ID
	Listener    string // host:port that the listener is bound to; empty if there is none
	Browser     bool   // a browser is being opened
	Paste       bool   // a pasted address is read
	Until       time.Time
}
