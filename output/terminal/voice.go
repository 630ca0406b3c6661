// Package terminal says everything that the program says, to people and, under
// --json, to programs. Only this package and the outputs that write tokens print.
// Its rules:
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

// Voice is all that a run says. It has two forms: one for people, and one for
// programs, which prints one JSON object for each command. Both are safe for concurrent use.
type Voice interface {
	flow.Voice

	// Error says what went wrong, and the hint. Problems says the same of what is
	// wrong in profiles.
	Error(profile string, err error)
	Problems(problems config.Problems)

	// Say tells an event. Hint says what to do next. Debug tells of a request or an
	// answer.
	Say(text string)
	Hint(text string)
	Debug(text string)

	// Question asks a person. What is typed follows on the same line, and NewLine
	// ends a line that was not typed.
	Question(text string)
	NewLine()

	// Print prints a text that was asked for, as it is.
	Print(text string)

	// The reports, of which a command makes one at the end.
	Refused(err error)                                                  // the run could not begin
	Unusable(problems config.Problems)                                  // the profiles are wrong
	Version(release, build string)                                      // version
	Wrote(file, next string)                                            // init
	Validated(profiles []config.Profile, warnings config.Problems)      // validate
	Planned(outcomes []flow.Outcome, changes bool)                      // plan
	Applied(outcomes []flow.Outcome)                                    // apply
	Status(outcomes []flow.Outcome, reminders []flow.Reminder, ok bool) // status
	Failed(outcomes []flow.Outcome)                                     // token and exec, if one failed
	Imported(outcome flow.Outcome, next string)                         // import
	Logged(events []state.Event)                                        // log
	Listed(names []string)                                              // state list
	Shown(t *state.Token)                                               // state show, without secrets
	Done(text string)                                                   // state mv, rm and push
	Destroyed(outcomes []flow.Outcome)                                  // destroy

	// WillDestroy says what destroy is about to take away, before it asks. Watched
	// tells one thing that watch did.
	WillDestroy(outcomes []flow.Outcome)
	Watched(outcome flow.Outcome)
}

// Options say where and how a [Voice] speaks.
type Options struct {
	Out, Err io.Writer
	Now      func() time.Time
	Command  string // for JSON
	JSON     bool
	Quiet    bool
	Color    bool   // on Err
	ColorOut bool   // on Out
	Live     bool   // Err is a terminal: spin while waiting, show source lines
	GitHub   bool   // the run is a job of GitHub Actions: warnings are annotations, too
	SSH      string // the words behind ssh that lead to this machine; empty if the session is not over SSH
}

// New returns the voice for o.
func New(o Options) Voice {
	l := &lines{Options: o}
	if o.JSON {
		return &jsonVoice{lines: l}
	}
	return &human{l}
}
