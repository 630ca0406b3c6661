package terminal

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tokenform/flow"
	"tokenform/flow/state"
)

// Status prints on Out how long tokens and logins last, for a terminal as a dashboard and
// else as a table, and then what people must do about them.
func (h *human) Status(outcomes []flow.Outcome, reminders []flow.Reminder, apply string, _ bool) {
	if h.Columns != nil {
		h.dashboard(outcomes, h.Columns())
		h.remind(outcomes, reminders)
		if n := due(outcomes); n > 0 && !h.Quiet {
			h.Hint(fmt.Sprintf("%s brings %d %s up to date", apply, n, plural(n, "profile")))
		}
		return
	}
	w := tabwriter.NewWriter(h.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tGRANT\tTOKEN\tLOGIN\tACCOUNT\tSCOPES\tOUTPUTS")
	for _, o := range outcomes {
		fmt.Fprintln(w, escaped(o.Profile.Name)+"\t"+string(o.Profile.Grant)+"\t"+strings.Join(h.cells(o), "\t"))
	}
	_ = w.Flush()
	h.remind(outcomes, reminders)
}

func (h *human) remind(outcomes []flow.Outcome, reminders []flow.Reminder) {
	for _, m := range reminders {
		h.Remind(m)
	}
	h.errors(outcomes)
}

// due returns how many profiles the next apply would change without a person.
func due(outcomes []flow.Outcome) (n int) {
	for _, o := range outcomes {
		if o.Err == nil && o.Due() && o.Decision.Action != flow.Login && o.Decision.Action != flow.Leave {
			n++
		}
	}
	return n
}

// cells returns the columns of one profile after its name and grant.
func (l *lines) cells(o flow.Outcome) []string {
	t, now := o.Token, l.Now()
	outputs := upToDate(o.Outputs)
	if o.Err != nil {
		outputs = "see the error"
	}
	switch {
	case t == nil && o.Err != nil:
		return []string{"not known", "not known", "-", "-", outputs}
	case t == nil:
		return []string{"none", "-", "-", "-", outputs}
	}
	token := "valid for " + flow.Span(t.Expires.Sub(now))
	if !now.Before(t.Expires) {
		token = "expired " + flow.Span(now.Sub(t.Expires)) + " ago"
	}
	if o.Refused {
		token = "refused by the Web API"
	}
	account := "-"
	if t.Account != nil {
		account = escaped(t.Account.ID)
	}
	scopes := "-"
	if o.Profile.Grant.User() {
		scopes = fmt.Sprint(len(t.Scopes))
		if missing := flow.MissingScopes(o.Profile, t); len(missing) > 0 {
			scopes += fmt.Sprintf(" (%d missing)", len(missing))
		}
	}
	return []string{token, l.loginColumn(o, t, now), account, scopes, outputs}
}

// loginColumn returns the column for the life of the refresh token.
func (l *lines) loginColumn(o flow.Outcome, t *state.Token, now time.Time) string {
	end := flow.LoginUntil(o.Profile, t)
	switch {
	case o.Decision.Action == flow.Leave:
		return o.Undeclared()
	case !o.Profile.Grant.User():
		return "-"
	case !t.Rejected.IsZero():
		return "refused on " + t.Rejected.UTC().Format(time.DateOnly)
	case end.IsZero():
		return "end not known"
	case !now.Before(end):
		return "expired on " + end.UTC().Format(time.DateOnly)
	default:
		return "until " + end.UTC().Format(time.DateOnly)
	}
}

// upToDate returns the column for outputs: how many of them show the token in state.
func upToDate(list []flow.Change) string {
	files, stale := 0, 0
	for _, c := range list {
		switch c.Action {
		case flow.Print:
		case flow.KeepOutput:
			files++
		default:
			files++
			stale++
		}
	}
	switch {
	case files == 0:
		return "-"
	case stale == 0:
		return fmt.Sprintf("%d up to date", files)
	default:
		return fmt.Sprintf("%d of %d to write", stale, files)
	}
}
