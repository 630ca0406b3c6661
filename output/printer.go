package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
)

// Printer says everything that tokenform says. It is the one file with words
// for people, and these are its rules:
//
//   - Data goes to Out: tokens, JSON, and what plan, status and validate find.
//     Everything else goes to Err, so that eval "$(tokenform apply)" is safe.
//   - A line on Err is an event ("dev: …"), or begins with "error: ",
//     "warning: " or "hint: ". A hint follows what it is about and says what to
//     run or change.
//   - Lower case, no full stop, one line each. What comes from elsewhere (a
//     path, a server's words) has its control characters made visible.
//   - Quiet leaves errors, their hints, and the address to log in at.
//   - No token, code, verifier or secret is ever handed to it.
//
// A Printer is safe for concurrent use.
type Printer struct {
	Out, Err io.Writer
	Now      func() time.Time
	Quiet    bool
	JSON     bool // no text on Out
	Color    bool // on Err, and on Out where that is a terminal too
	ColorOut bool
	Live     bool   // Err is a terminal: spin while waiting, show source lines
	GitHub   bool   // warnings are annotations, too: we run in GitHub Actions
	SSH      string // who we are logged in as over SSH, user@host; empty: not over SSH

	mu      sync.Mutex
	spin    *spinner
	spinner sync.WaitGroup
}

// The colours that are used, as SGR parameters.
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

// visible makes control characters harmless: a server's error text must not
// move the cursor or colour the prompt.
func visible(s string) string {
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

// unprintable also covers the characters that reorder text (Unicode's Cf).
func unprintable(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// line writes one line to Err, above the spinner where there is one.
func (p *Printer) line(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	fmt.Fprintln(p.Err, s)
}

// Error prints err, profile first where it has one, and its hint. An error
// made of several takes several lines.
func (p *Printer) Error(profile string, err error) {
	if list := fault.Split(err); list != nil {
		for _, e := range list {
			p.Error(profile, e)
		}
		return
	}
	if problems, ok := errors.AsType[config.Problems](err); ok {
		p.Problems(problems)
		return
	}
	text := message(err)
	if profile != "" {
		text = profile + ": " + text
	}
	p.line(paint(p.Color, red, "error:") + " " + visible(text))
	p.Hint(fault.HintOf(err))
}

func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}

// Warn prints a warning and what to do about it.
func (p *Printer) Warn(profile, text, hint string) {
	if p.Quiet {
		return
	}
	if profile != "" {
		text = profile + ": " + text
	}
	if p.GitHub {
		// An annotation on the run's page (workflow commands, "Setting a warning
		// message"). It is read from standard error, too.
		p.line("::warning title=tokenform::" + strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(visible(text)))
	}
	p.line(paint(p.Color, yellow, "warning:") + " " + visible(text))
	p.Hint(hint)
}

// Hint prints one, a line for each of its steps, or nothing where it is empty.
func (p *Printer) Hint(text string) {
	if text == "" {
		return
	}
	for step := range strings.SplitSeq(text, "\n") {
		p.line(paint(p.Color, cyan, "hint:") + " " + visible(step))
	}
}

// Say prints an event.
func (p *Printer) Say(text string) {
	if !p.Quiet {
		p.line(visible(text))
	}
}

// Debug prints a line about a request or an answer.
func (p *Printer) Debug(text string) {
	p.line(paint(p.Color, faint, "debug: "+visible(text)))
}

// Problems prints what is wrong in profiles, with the offending line and a
// caret on a terminal.
func (p *Printer) Problems(problems config.Problems) {
	for _, x := range problems {
		if x.Warning && p.Quiet {
			continue
		}
		label := paint(p.Color, red, "error:")
		if x.Warning {
			label = paint(p.Color, yellow, "warning:")
		}
		p.line(label + " " + visible(x.Error()))
		if p.Live && x.Line != "" && x.Pos.Col > 0 {
			p.line("  " + visible(strings.ReplaceAll(x.Line, "\t", " ")))
			p.line("  " + strings.Repeat(" ", min(x.Pos.Col-1, len([]rune(x.Line)))) + paint(p.Color, red, "^"))
		}
		p.Hint(x.Hint)
	}
}

// Event tells what happens while a run goes on.
func (p *Printer) Event(e flow.Event) {
	switch e.Kind {
	case flow.Warned:
		p.Warn(e.Profile, e.Text, e.Hint)
	case flow.Waiting:
		p.Say(e.Profile + ": waiting for " + e.Holder.String() + " to finish")
	case flow.Asking:
		p.ask(e.Profile, e.Prompt)
	case flow.Asked:
		p.stop()
	case flow.Misanswered:
		p.line(visible(e.Profile + ": " + e.Text + "; still waiting"))
	case flow.LoggedIn:
		p.Say(e.Profile + ": logged in as " + e.Text)
	}
}

// ask says how to log in. It is printed even under Quiet: without it nobody
// could go on.
func (p *Printer) ask(profile string, q flow.Prompt) {
	where := "at this address:"
	if q.Browser {
		where = "in the browser, or open this address yourself:"
	}
	p.line(visible(profile + ": " + q.Reason + "; log in to Spotify " + where))
	p.line("\n  " + q.URL + "\n")
	switch {
	case q.Browser && q.Paste:
		p.line("then wait here, or paste the address that the browser ends at")
	case q.Paste:
		p.line("then paste the address that the browser ends at (" + visible(q.RedirectURI) + "?code=…), even if that page does not load")
	}
	if u, err := url.Parse(q.RedirectURI); err == nil && q.Browser && p.SSH != "" {
		p.Hint(fmt.Sprintf("this is a session over SSH; on the machine with the browser, run: ssh -L %s:%s %s", u.Port(), u.Host, p.SSH))
	}
	if p.Live && !p.Quiet && q.Browser { // it would write over a long paste
		p.start(q.Until)
	}
}
