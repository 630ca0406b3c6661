package terminal

import (
	"fmt"
	"strings"
	"time"

	"tokenform/flow"
)

// cell is a text and its color.
type cell struct{ text, hue string }

// column is one column of the dashboard.
type column struct {
	title string
	cells []cell
}

func (c column) width() int {
	n := cellsOf(c.title)
	for _, x := range c.cells {
		n = max(n, cellsOf(x.text))
	}
	return n
}

// dashboard prints how long tokens and logins last, for a terminal with so many columns:
// what does not fit is left out, the least important column first, and no line wraps.
func (h *human) dashboard(outcomes []flow.Outcome, columns int) {
	named := h.dashboardColumns(outcomes, true)
	shown := fitting(named, columns)
	if len(shown) < len(named) { // perhaps the number of scopes has room, if their names do not
		shown = fitting(h.dashboardColumns(outcomes, false), columns)
	}
	var b strings.Builder
	for row := -1; row < len(outcomes); row++ {
		left := columns
		for i, c := range shown {
			x := cell{c.title, faint}
			if row >= 0 {
				x = c.cells[row]
			}
			text := cut(x.text, left)
			if i < len(shown)-1 {
				text = pad(text, min(c.width(), left))
			}
			b.WriteString(paint(h.ColorOut, x.hue, text))
			if left -= cellsOf(text) + 2; left <= 0 {
				break
			}
			if i < len(shown)-1 {
				b.WriteString("  ")
			}
		}
		b.WriteString("\n")
	}
	_, _ = h.Out.Write([]byte(b.String()))
}

// fitting returns the columns that fit, in their order. The first three always stay.
func fitting(all []column, columns int) []column {
	sum := -2
	for i, c := range all {
		if sum += c.width() + 2; sum > columns && i >= 3 {
			return all[:i]
		}
	}
	return all
}

// dashboardColumns returns all columns, the most important first.
func (h *human) dashboardColumns(outcomes []flow.Outcome, names bool) []column {
	all := []column{{title: "PROFILE"}, {title: "TOKEN"}, {title: "LOGIN"}, {title: "OUTPUTS"}, {title: "ACCOUNT"}, {title: "SCOPES"}, {title: "GRANT"}}
	for _, o := range outcomes {
		texts := h.cells(o) // token, login, account, scopes, outputs
		row := []cell{
			{escaped(o.Profile.Name), bold}, h.tokenCell(o, texts[0]), h.loginCell(o, texts[1]),
			{texts[4], staleHue(texts[4])}, {texts[2], ""}, {texts[3], ""}, {string(o.Profile.Grant), faint},
		}
		if names && o.Token != nil && len(o.Token.Scopes) > 0 {
			row[5].text = escaped(strings.Join(o.Token.Scopes, " "))
		}
		if strings.Contains(texts[3], "missing") {
			row[5] = cell{texts[3], yellow}
		}
		for i := range all {
			all[i].cells = append(all[i].cells, row[i])
		}
	}
	return all
}

func staleHue(outputs string) string {
	switch {
	case strings.Contains(outputs, "to write"):
		return yellow
	case outputs == "see the error":
		return red
	case outputs == "-":
		return faint
	}
	return green
}

// tokenCell shows the time that an access token has left as a bar and in words.
func (h *human) tokenCell(o flow.Outcome, words string) cell {
	const cells = 8
	t, now := o.Token, h.Now()
	if t == nil || o.Refused || !now.Before(t.Expires) {
		hue := yellow // the next apply mends it
		if o.Decision.Action == flow.Login || o.Err != nil {
			hue = red
		}
		return cell{words, hue}
	}
	left, life := t.Expires.Sub(now), max(t.Expires.Sub(t.Obtained), time.Second)
	full := min(int((left*cells+life-1)/life), cells)
	on, off := "█", "░"
	if !h.UTF8 {
		on, off = "#", "-"
	}
	hue := green
	if left < o.Profile.MinTTL {
		hue = yellow
	}
	return cell{strings.Repeat(on, full) + strings.Repeat(off, cells-full) + " " + flow.Span(left), hue}
}

// loginCell shows the days that a login has left.
func (h *human) loginCell(o flow.Outcome, words string) cell {
	if o.Token == nil || o.Decision.Action == flow.Leave || !o.Profile.Grant.User() {
		hue := faint
		if o.Decision.Action == flow.Login {
			words, hue = "needed", red
		}
		return cell{words, hue}
	}
	end := flow.LoginUntil(o.Profile, o.Token)
	left := end.Sub(h.Now())
	switch {
	case o.Decision.Action == flow.Login:
		return cell{words, red}
	case end.IsZero():
		return cell{words, faint}
	case left < o.Profile.LoginWarning:
		return cell{flow.Span(left) + " left", yellow}
	default:
		return cell{fmt.Sprintf("%s left", flow.Span(left)), green}
	}
}
