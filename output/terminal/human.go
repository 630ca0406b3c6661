package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

// human is the form of [Voice] for people.
type human struct {
	*lines
	idle bool // Idle has said what is watched
}

func (h *human) Refused(err error) { h.Error("", err) }

func (h *human) Unusable(problems config.Problems) { h.Problems(problems) }

func (h *human) Version(b Build) {
	commit := ""
	if b.Commit != "" {
		day, _, _ := strings.Cut(b.Date, "T")
		commit = fmt.Sprintf("commit %.12s of %s, ", b.Commit, day)
	}
	fmt.Fprintf(h.Out, "tokenform %s (%s%s %s/%s)\n", b.Release, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func (h *human) Wrote(file, next string) { h.wrote(file, next) }

func (h *human) Validated(profiles []config.Profile, _ config.Problems) {
	if !h.Quiet {
		fmt.Fprintf(h.Out, "%d %s valid\n", len(profiles), plural(len(profiles), "profile"))
	}
}

// Planned prints what apply would do, on standard output.
func (h *human) Planned(outcomes []flow.Outcome, _ bool) {
	for _, o := range outcomes {
		if o.Err != nil {
			h.Error(o.Profile.Name, o.Err)
			continue
		}
		fmt.Fprintf(h.Out, "%s: %s, %s\n", escaped(o.Profile.Name), paint(h.ColorOut, hue(o.Decision.Action), wish(o.Decision.Action)), escaped(o.Decision.Reason))
		writeChanges(h.Out, h.ColorOut, o.Outputs, true)
	}
	if len(outcomes) > 0 {
		fmt.Fprintf(h.Out, "\n%s\n", paint(h.ColorOut, bold, planSummary(outcomes).planned()))
	}
}

func (h *human) Applied(outcomes []flow.Outcome) { h.printApplied(outcomes) }

func (h *human) Failed(outcomes []flow.Outcome) { h.errors(outcomes) }

func (h *human) Imported(outcome flow.Outcome, next string) { h.imported(outcome, next) }

func (h *human) Logged(events []state.Event) {
	for _, e := range events {
		by := state.Holder{PID: e.PID, Host: e.Host, Command: e.Command}
		h.Print(escaped(fmt.Sprintf("%s %s: %s, serial %d, by %s", e.Time.Local().Format(time.DateTime), e.Profile, deed(flow.Action(e.Action)), e.Serial, by.Who())) + "\n")
	}
}

func (h *human) Begun(profile, address string, until time.Time, next string) {
	h.begun(profile, until, next)
	h.Print(address + "\n")
}

func (h *human) Shown(t *state.Token) {
	public := *t
	public.Access, public.Refresh = "", ""
	b, err := json.MarshalIndent(struct {
		state.Token
		Access string `json:"access_token,omitempty"` // an empty one would look like a lost token
	}{Token: public}, "", "  ")
	if err != nil {
		h.Error("", err)
		return
	}
	h.Print(string(b) + "\n")
}

func (h *human) Done(text string) { h.Say(text) }

func (h *human) Listed(names []string) {
	for _, name := range names {
		h.Print(escaped(name) + "\n")
	}
}

func (h *human) Destroyed(outcomes []flow.Outcome) { h.printDestroyed(outcomes) }

// Idle prints the first time what is watched. On a terminal, Idle keeps one line with
// the time that is left.
func (h *human) Idle(profiles int, next time.Time) {
	what := fmt.Sprintf("watching %d %s", profiles, plural(profiles, "profile"))
	if !h.idle {
		h.idle = true
		when := ""
		if !next.IsZero() {
			when = "; next action at " + next.Local().Format("15:04:05")
		}
		h.Say(what + when)
	}
	if h.Live && !h.Quiet && !h.asking.Load() {
		h.stop()
		h.start(next, func(left string) string {
			if next.IsZero() {
				return what
			}
			return what + "; next action in " + left
		})
	}
}

// Watched prints an event as a line on standard error.
func (h *human) Watched(o flow.Outcome) {
	if o.Err != nil {
		h.Error(o.Profile.Name, o.Err)
		return
	}
	var files []string
	for _, c := range o.Outputs {
		if c.Action != flow.KeepOutput {
			files = append(files, c.Shown)
		}
	}
	line := fmt.Sprintf("%s %s: %s, %s", h.Now().Format(time.DateTime), o.Profile.Name, deed(o.Decision.Action), flow.Validity(o.Profile, o.Token, h.Now()))
	if len(files) > 0 {
		line += "; wrote " + strings.Join(files, ", ")
	}
	h.Say(line)
}

// The following reports go to standard error, and are the same under JSON.

func (l *lines) errors(outcomes []flow.Outcome) {
	for _, o := range outcomes {
		if o.Err != nil {
			l.Error(o.Profile.Name, o.Err)
		}
	}
}

func (l *lines) wrote(file, next string) {
	l.Say("wrote " + file)
	if !l.Quiet {
		l.Hint(next)
	}
}

// printApplied prints what apply did. For a profile that failed and changed nothing, printApplied
// prints only the error.
func (l *lines) printApplied(outcomes []flow.Outcome) {
	for _, o := range outcomes {
		if o.Err != nil {
			l.Error(o.Profile.Name, o.Err)
		}
		if l.Quiet || o.Err != nil && (o.Decision.Action == flow.Delete || !o.Done && len(o.Outputs) == 0) {
			continue
		}
		state := o.Decision.Reason
		if o.Done {
			state = flow.Validity(o.Profile, o.Token, l.Now())
		}
		l.printChanges(fmt.Sprintf("%s: %s, %s", escaped(o.Profile.Name), paint(l.Color, hue(o.Decision.Action), deed(o.Decision.Action)), escaped(state)), o.Outputs, false)
	}
	// login is about one profile, which needs no sum. Nobody needs to be told that a run
	// that they have interrupted has failed.
	stopped := !slices.ContainsFunc(outcomes, func(o flow.Outcome) bool { return o.Err == nil || fault.KindOf(o.Err) != fault.Interrupted })
	if !l.Quiet && !stopped && l.Command != "login" {
		l.line("\n" + paint(l.Color, bold, resultSummary(outcomes).done()))
	}
}

func (l *lines) imported(o flow.Outcome, next string) {
	if o.Err != nil {
		l.Error(o.Profile.Name, o.Err)
		return
	}
	l.Say(o.Profile.Name + ": imported; " + next)
}

// WillDestroy prints what destroy is about to take away.
func (l *lines) WillDestroy(outcomes []flow.Outcome) {
	for _, o := range outcomes {
		if o.Stored() {
			l.printChanges(escaped(o.Profile.Name)+": "+paint(l.Color, red, "delete the stored token"), o.Outputs, true)
		}
	}
}

// printDestroyed prints what destroy has taken away.
func (l *lines) printDestroyed(outcomes []flow.Outcome) {
	for _, o := range outcomes {
		switch {
		case o.Err != nil:
			l.Error(o.Profile.Name, o.Err)
		case l.Quiet:
		case !o.Stored():
			l.line(escaped(o.Profile.Name) + ": nothing stored")
		default:
			l.printChanges(escaped(o.Profile.Name)+": destroyed", o.Outputs, false)
		}
	}
}

// printChanges prints a headline and the changes below it, in one write.
func (l *lines) printChanges(headline string, list []flow.Change, why bool) {
	var b strings.Builder
	b.WriteString(headline + "\n")
	writeChanges(&b, l.Color, list, why)
	l.line(strings.TrimSuffix(b.String(), "\n"))
}

// writeChanges writes a line for each output that is not simply kept. If why is set,
// the line has the reason, which is only right before the change.
func writeChanges(w io.Writer, color bool, list []flow.Change, why bool) {
	for _, c := range list {
		sign, sgr := "", ""
		switch c.Action {
		case flow.Create:
			sign, sgr = "+", green
		case flow.Update:
			sign, sgr = "~", yellow
		case flow.DeleteOutput:
			sign, sgr = "-", red
		case flow.Print:
			sign, sgr = ">", faint
		default:
			continue
		}
		fmt.Fprintf(w, "  %s %s", paint(color, sgr, sign), escaped(c.Shown))
		if c.Action == flow.DeleteOutput && len(c.Vars) > 0 {
			fmt.Fprintf(w, " (%s)", strings.Join(c.Vars, ", ")) // all other variables in the file stay
		}
		if why && c.Reason != "" {
			fmt.Fprintf(w, ": %s", escaped(c.Reason))
		}
		fmt.Fprintln(w)
	}
}

// wish names an action before it is done; deed names the action afterwards.
func wish(a flow.Action) string {
	switch a {
	case flow.Login:
		return "log in"
	case flow.Request:
		return "request a token"
	case flow.Adopt:
		return "adopt a token"
	case flow.Verify:
		return "verify the token"
	case flow.Leave:
		return "stays in state"
	}
	return string(a)
}

func deed(a flow.Action) string {
	switch a {
	case flow.Login:
		return "logged in"
	case flow.Request:
		return "requested a token"
	case flow.Refresh:
		return "refreshed"
	case flow.Adopt:
		return "adopted a token"
	case flow.Verify:
		return "verified the token"
	case flow.Delete:
		return "deleted"
	}
	return "kept"
}

func hue(a flow.Action) string {
	switch a {
	case flow.Keep:
		return green
	case flow.Login:
		return cyan
	case flow.Delete:
		return red
	}
	return yellow
}

// plural returns word with an s unless n is one.
func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
