package flow

import (
	"fmt"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
)

// Reminder says that a person must log in, now or soon. Spotify ends a login six months
// after the consent, and nothing that the server sends says when.
type Reminder struct {
	Code    string // what the reminder is about, for programs: one of the codes below
	Profile string
	Left    time.Duration // until the login ends; zero if a person is needed now
	Text    string
	Hint    string
}

// These are the codes of a [Reminder]. Programs read the codes, so they must not
// change.
const (
	LoginEnding  = config.LoginEnding // the login ends within the profile's login_warning
	LoginRefused = "login_refused"    // the server has refused the refresh token
	LoginNeeded  = config.LoginNeeded // without a login nothing can be done
)

// Reminders returns the reminders about the logins of outcomes. A login that ends
// within the duration within, which may be zero, gets a reminder whatever its profile's
// login_warning says. A login that an outcome itself decides on gets one only if needed
// is set.
func (r *Runner) Reminders(outcomes []Outcome, within time.Duration, needed bool) (list []Reminder) {
	for i := range outcomes {
		if m, ok := r.reminder(&outcomes[i], within, needed); ok {
			list = append(list, m)
		}
	}
	return list
}

func (r *Runner) reminder(o *Outcome, within time.Duration, needed bool) (m Reminder, ok bool) {
	t, now := o.Token, r.now()
	m.Profile = o.Profile.Name
	again := func(start string) string {
		if line := r.options.Invocation; line.CI {
			line = line.Elsewhere()
			return strings.TrimSuffix(start, ": ") + ", on a machine with a browser: " + line.Command("apply", "--renew", "-p", m.Profile) +
				"\nthen store its login here as a secret: " + line.Command("token", "-p", m.Profile, "--format", "seed")
		}
		return start + r.command(o.Profile, "apply", "--renew")
	}
	switch {
	case !o.Profile.Grant.User() || o.Decision.Action == Delete || o.Decision.Action == Leave:
		return m, false
	case o.Decision.Action == Login && !o.Done:
		m.Code, m.Text, m.Hint = LoginNeeded, "a person must log in: "+o.Decision.Reason, "log in: "+r.command(o.Profile, "apply")
		return m, needed
	case t == nil:
		return m, false
	case !t.Rejected.IsZero():
		m.Code, m.Text, m.Hint = LoginRefused, "the server refused the refresh token on "+day(t.Rejected), again("log in again: ")
		return m, true
	}
	end := LoginUntil(o.Profile, t)
	left := end.Sub(now)
	if end.IsZero() || left <= 0 || left >= max(within, o.Profile.LoginWarning) {
		return m, false
	}
	m.Code, m.Left, m.Text = LoginEnding, left, fmt.Sprintf("the login ends on %s, in %s", day(end), Span(left))
	m.Hint = again("log in again before that: ")
	return m, true
}

// DeadLogin returns an error if the server has refused the refresh token of o, which is
// then worth nothing to another machine.
func (r *Runner) DeadLogin(o Outcome) error {
	if o.Token == nil || o.Token.Rejected.IsZero() {
		return nil
	}
	return &fault.Error{Kind: fault.LoginNeeded, Message: "the server refused the refresh token on " + day(o.Token.Rejected), Hint: "log in again: " + r.command(o.Profile, "apply", "--renew")}
}

// Remind tells people the reminders of outcomes.
func (r *Runner) Remind(outcomes []Outcome) {
	for _, m := range r.Reminders(outcomes, 0, false) {
		r.world.Voice.Remind(m)
	}
}
