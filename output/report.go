package output

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"tokenform/flow"
)

// Plan prints what apply would do, on Out.
func (p *Printer) Plan(forecasts []flow.Forecast) {
	for _, f := range forecasts {
		if f.Err != nil {
			p.Error(f.Profile.Name, f.Err)
			continue
		}
		if p.JSON {
			continue
		}
		fmt.Fprintf(p.Out, "%s: %s, %s\n", visible(f.Profile.Name), paint(p.ColorOut, hue(f.Decision.Action), wish(f.Decision.Action)), visible(f.Decision.Reason))
		changes(p.Out, p.ColorOut, f.Changes, true)
	}
	if !p.JSON && len(forecasts) > 0 {
		fmt.Fprintf(p.Out, "\n%s\n", paint(p.ColorOut, bold, planSummary(forecasts).planned()))
	}
}

// Results prints what apply did, on Err.
func (p *Printer) Results(results []flow.Result) {
	for _, r := range results {
		if r.Err != nil {
			p.Error(r.Profile.Name, r.Err)
		}
		if p.Quiet || r.Err != nil && (r.Decision.Action == flow.Delete || !r.Granted && len(r.Changes) == 0) {
			continue
		}
		state := r.Decision.Reason
		if r.Granted {
			state = flow.Validity(r.Profile, r.Token, p.Now())
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s: %s, %s\n", visible(r.Profile.Name), paint(p.Color, hue(r.Decision.Action), deed(r.Decision.Action)), visible(state))
		changes(&b, p.Color, r.Changes, false)
		p.line(strings.TrimSuffix(b.String(), "\n"))
	}
	if !p.Quiet && len(results) > 0 {
		p.line("\n" + paint(p.Color, bold, resultSummary(results).done()))
	}
}

// wish, deed: an action before and after it was done.
func wish(a flow.Action) string {
	switch a {
	case flow.Login:
		return "log in"
	case flow.Request:
		return "request a token"
	case flow.Adopt:
		return "adopt a token"
	case flow.Leave:
		return "leave in state"
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

// changes prints a line for each output that is not simply kept, with the
// reasons where why is set: what was missing before is not missing now.
func changes(w io.Writer, color bool, list []flow.Change, why bool) {
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
		fmt.Fprintf(w, "  %s %s", paint(color, sgr, sign), visible(c.Shown))
		if c.Action == flow.DeleteOutput && len(c.Vars) > 0 {
			fmt.Fprintf(w, " (%s)", strings.Join(c.Vars, ", ")) // all else in the file stays
		}
		if why && c.Reason != "" {
			fmt.Fprintf(w, ": %s", visible(c.Reason))
		}
		fmt.Fprintln(w)
	}
}

// Watched prints one thing that watch did, as one line: an event on Err, or
// under JSON an object on Out.
func (p *Printer) Watched(r flow.Result) {
	if p.JSON {
		v := watchView{Version: 1, Time: p.Now().UTC().Truncate(time.Second), Event: "applied", ProfileView: ViewResults([]flow.Result{r})[0]}
		if r.Err != nil {
			v.Event = "failed"
		}
		b, err := json.Marshal(v)
		if err == nil {
			_, _ = p.Out.Write(append(b, '\n')) // nobody reads it: the tokens are kept valid all the same
		}
		return
	}
	if r.Err != nil {
		p.Error(r.Profile.Name, r.Err)
		return
	}
	var files []string
	for _, c := range r.Changes {
		if c.Action != flow.KeepOutput {
			files = append(files, c.Shown)
		}
	}
	line := fmt.Sprintf("%s %s: %s, %s", p.Now().Format(time.DateTime), r.Profile.Name, deed(r.Decision.Action), flow.Validity(r.Profile, r.Token, p.Now()))
	if len(files) > 0 {
		line += "; wrote " + strings.Join(files, ", ")
	}
	p.Say(line)
}

// watchView is one event of watch under --json.
type watchView struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Event   string    `json:"event"` // applied or failed
	ProfileView
}

// Remains prints what destroy would take away.
func (p *Printer) Remains(remains []flow.Remains) {
	for _, x := range remains {
		if !x.Any() {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s: %s\n", visible(x.Profile.Name), paint(p.Color, red, "delete the stored token"))
		changes(&b, p.Color, x.Changes, true)
		p.line(strings.TrimSuffix(b.String(), "\n"))
	}
}

// Destroyed prints what destroy has taken away.
func (p *Printer) Destroyed(remains []flow.Remains) {
	for _, x := range remains {
		switch {
		case x.Err != nil:
			p.Error(x.Profile.Name, x.Err)
		case p.Quiet:
		case !x.Any():
			p.line(visible(x.Profile.Name) + ": nothing stored")
		default:
			var b strings.Builder
			fmt.Fprintf(&b, "%s: destroyed\n", visible(x.Profile.Name))
			changes(&b, p.Color, x.Changes, false)
			p.line(strings.TrimSuffix(b.String(), "\n"))
		}
	}
}

// Plural is word with an s, but for one.
func Plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
