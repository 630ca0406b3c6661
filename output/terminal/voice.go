// Package terminal prints everything that the program tells people and, under --json,
// programs. Besides terminal, only the outputs that write tokens print. Its rules:
//
//   - Data goes to standard output: what plan, status and validate find, JSON,
//     texts that were asked for. Everything else goes to standard error, so that
//     eval "$(tokenform apply)" is safe.
//   - A line on standard error is an event ("dev: …"), or begins with "error: ",
//     "warning: " or "hint: ". A hint follows what it is about, and says what to
//     run or change.
//   - Lower case, no full stop, one line each. What comes from elsewhere (a
//     path, a server's words) has its control characters made visible.
//   - Quiet leaves errors, their hints, and the address to log in at.
//   - No token, code, verifier or secret is ever handed to a [Voice], except in the
//     address to log in at.
package terminal

import (
	"io"
	"time"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// Build says what this program was built from.
type Build struct {
	Release string // "v1.2.3", or (devel) without a version control system
	Commit  string // "" if it is unknown
	Date    string // of the commit, RFC 3339; "" if it is unknown
}

// Voice prints everything that a run tells. Voice has two forms: one for people, and
// one for programs, which prints one JSON object for each command. Both forms are safe
// for concurrent use.
type Voice interface {
	flow.Voice

	// Error prints an error and its hint. Problems does the same for errors and
	// warnings in profiles.
	Error(profile string, err error)
	Problems(problems config.Problems)

	// Say prints an event. Hint prints what to do next. Debug prints a line about a
	// request or an answer.
	Say(text string)
	Hint(text string)
	Debug(text string)

	// Question asks a person, who answers on the same line. NewLine ends the line if
	// nothing was typed.
	Question(text string)
	NewLine()

	// Print prints a text that was asked for, as it is.
	Print(text string)

	// These are the reports. A command makes one of them at the end.
	Refused(err error)                                             // the run could not begin
	Unusable(problems config.Problems)                             // the profiles are wrong
	Version(Build)                                                 // version
	Wrote(file, next string)                                       // init
	Validated(profiles []config.Profile, warnings config.Problems) // validate
	Planned(outcomes []flow.Outcome, changes bool)                 // plan
	Applied(outcomes []flow.Outcome)                               // apply
	// status; apply is the command line that brings the profiles up to date
	Status(outcomes []flow.Outcome, reminders []flow.Reminder, apply string, ok bool)
	Failed(outcomes []flow.Outcome)                              // token and exec, if one failed
	Imported(outcome flow.Outcome, next string)                  // import
	Logged(events []state.Event)                                 // log
	Listed(names []string)                                       // state list
	Begun(profile, address string, until time.Time, next string) // login --print
	Shown(t *state.Token)                                        // state show, without secrets
	Done(text string)                                            // state mv, rm and push
	Destroyed(outcomes []flow.Outcome)                           // destroy

	// WillDestroy prints what destroy is about to delete, before destroy asks. Watched
	// prints one event of watch.
	WillDestroy(outcomes []flow.Outcome)
	Watched(outcome flow.Outcome)

	// Idle says what watch waits for. next is when a profile is due; zero means that this
	// is not known.
	Idle(profiles int, next time.Time)

	// Stopped says that watch was stopped.
	Stopped()
}

// Options say where and how a [Voice] speaks.
type Options struct {
	Out, Err   io.Writer
	Now        func() time.Time
	Command    string // for JSON
	JSON       bool
	Quiet      bool
	Color      bool       // on Err
	ColorOut   bool       // on Out
	Columns    func() int // how many columns the terminal on Out has; nil if Out is none
	ErrColumns func() int // the same of Err
	UTF8       bool       // the terminal shows more than ASCII
	Live       bool       // Err is a terminal: spin while waiting, show source lines
	GitHub     bool       // the run is a job of GitHub Actions: warnings are annotations, too
	SSH        string     // the words behind ssh that lead to this machine; empty if the session is not over SSH
}

// New returns the voice for o.
func New(o Options) Voice {
	l := &lines{Options: o}
	if o.JSON {
		return &jsonVoice{lines: l}
	}
	return &human{lines: l}
}
