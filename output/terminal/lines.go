package terminal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

// lines writes to standard error what both forms of [Voice] have in common.
type lines struct {
	Options

	mu      sync.Mutex
	spin    *spinner
	spinner sync.WaitGroup
	asking  atomic.Bool // a person is asked to log in
}

// These are the colours in use, as SGR parameters.
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func paint(on bool, sgr, s string) string {
	if !on || s == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// escaped makes control characters harmless: a server's error text must not
// move the cursor or colour the prompt.
func escaped(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unprintable reports whether r is a control character, or one that reorders text
// (Unicode's Cf).
func unprintable(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// line writes one line to Err, above the spinner if there is one.
func (l *lines) line(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
	fmt.Fprintln(l.Err, s)
}

// labelled writes a text behind its label. On a terminal, a text that is too long for a
// line breaks between words.
func (l *lines) labelled(label, hue, text string) {
	l.line(paint(l.Color, hue, label) + " " + l.fitted(escaped(text), len(label)+1))
}

// fitted breaks a text that begins at the column start if it is for a terminal.
func (l *lines) fitted(text string, start int) string {
	if !l.Live || l.ErrColumns == nil {
		return text
	}
	return broken(text, start, l.ErrColumns())
}

// multiword are the beginnings of commands in messages.
var multiword = []string{"tokenform ", "ssh -L ", "chmod ", "mkdir ", "git "}

// broken breaks a text, of which the first line begins at the column start, into lines of
// so many columns. A command with several words stays in one line, which a terminal wraps
// and copies as one; a command at the end of the text that does not fit begins a line.
func broken(text string, start, columns int) string {
	if start+cellsOf(text) <= columns {
		return text
	}
	text, command, ends := strings.Cut(text, ": tokenform ")
	if ends {
		text, command = text+":", "\n  tokenform "+command
	}
	if slices.ContainsFunc(multiword, func(w string) bool { return strings.Contains(text, w) }) {
		return text + strings.Replace(command, "\n ", "", 1)
	}
	var b strings.Builder
	for i, word := range strings.Split(text, " ") {
		n := cellsOf(word)
		switch {
		case i == 0:
		case start+1+n > columns:
			b.WriteString("\n  ")
			start = 2
		default:
			b.WriteString(" ")
			start++
		}
		b.WriteString(word)
		start += n
	}
	return b.String() + command
}

// Error prints err, after the profile if there is one, and the hint of err. An error
// made of several takes several lines.
func (l *lines) Error(profile string, err error) {
	if list := fault.Split(err); list != nil {
		for _, e := range list {
			l.Error(profile, e)
		}
		return
	}
	if problems, ok := errors.AsType[config.Problems](err); ok {
		l.Problems(problems)
		return
	}
	text := message(err)
	if profile != "" {
		text = profile + ": " + text
	}
	at := config.Pos{}
	if x, ok := errors.AsType[*config.Problem](err); ok {
		at = x.Pos
	}
	l.annotate("error", at, text, fault.HintOf(err))
	l.labelled("error:", red, text)
	l.Hint(fault.HintOf(err))
}

// annotate shows an error or a warning on the page of a GitHub Actions run, at its
// place in the file if there is one (Workflow commands, "Setting an error message").
// GitHub reads such a line from standard error, too.
func (l *lines) annotate(level string, at config.Pos, text, hint string) {
	if !l.GitHub {
		return
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	where := ""
	if at.File != "" && at.File != "-" {
		where = "file=" + property.Replace(escaped(at.File)) + ","
		if at.Line > 0 {
			where += fmt.Sprintf("line=%d,col=%d,", at.Line, at.Col)
		}
	}
	text = escaped(text)
	for step := range strings.Lines(hint) {
		text += "\nhint: " + escaped(strings.TrimSuffix(step, "\n"))
	}
	l.line("::" + level + " " + where + "title=tokenform::" + data.Replace(text))
}

// message returns an error's text, or says that the run was interrupted.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}

// Remind implements [flow.Voice].
func (l *lines) Remind(m flow.Reminder) { l.Warn(m.Profile, m.Text, m.Hint) }

// Warn prints a warning and what to do about it.
func (l *lines) Warn(profile, text, hint string) {
	if l.Quiet {
		return
	}
	if profile != "" {
		text = profile + ": " + text
	}
	l.annotate("warning", config.Pos{}, text, hint)
	l.labelled("warning:", yellow, text)
	l.Hint(hint)
}

// Hint prints a hint, with a line for each of its steps, or nothing if text is empty.
func (l *lines) Hint(text string) {
	if text == "" {
		return
	}
	for step := range strings.SplitSeq(text, "\n") {
		l.labelled("hint:", cyan, step)
	}
}

// Say prints an event.
func (l *lines) Say(text string) {
	if !l.Quiet {
		l.line(escaped(text))
	}
}

// Stopped implements [Voice].
func (l *lines) Stopped() {
	l.stop()
	l.Say("stopped")
}

// Debug prints a line about a request or an answer.
func (l *lines) Debug(text string) {
	l.line(paint(l.Color, faint, "debug: "+escaped(text)))
}

// Problems prints what is wrong in profiles, with the offending line and a
// caret on a terminal.
func (l *lines) Problems(problems config.Problems) {
	for _, x := range problems {
		if x.Warning && l.Quiet {
			continue
		}
		level, hue := "error", red
		if x.Warning {
			level, hue = "warning", yellow
		}
		l.annotate(level, x.Pos, x.Message, x.Hint)
		l.labelled(level+":", hue, x.Error())
		if l.Live && x.Line != "" && x.Pos.Col > 0 {
			columns := 80
			if l.ErrColumns != nil {
				columns = l.ErrColumns()
			}
			part, caret := window(escaped(strings.ReplaceAll(x.Line, "\t", " ")), x.Pos.Col, columns-3)
			l.line("  " + part)
			l.line("  " + strings.Repeat(" ", caret) + paint(l.Color, red, "^"))
		}
		l.Hint(x.Hint)
	}
}

// Waiting implements [flow.Voice].
func (l *lines) Waiting(profile string, holder state.Holder) {
	l.Say(profile + ": waiting for " + holder.String() + " to finish")
}

// Asked implements [flow.Voice].
func (l *lines) Asked(string) {
	l.asking.Store(false)
	l.stop()
}

// Misanswered implements [flow.Voice].
func (l *lines) Misanswered(profile, why string) {
	l.line(escaped(profile + ": " + why + "; still waiting"))
}

// LoggedIn implements [flow.Voice].
func (l *lines) LoggedIn(profile, account string) { l.Say(profile + ": logged in as " + account) }

// Question asks a person on standard error.
func (l *lines) Question(text string) { fmt.Fprint(l.Err, text) }

// NewLine ends a line on standard error.
func (l *lines) NewLine() { fmt.Fprintln(l.Err) }

// Print prints a text on standard output.
func (l *lines) Print(text string) { fmt.Fprint(l.Out, text) }
