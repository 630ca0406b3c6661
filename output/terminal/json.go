package terminal

import (
	"encoding/json"
	"time"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// jsonVoice is the form of [Voice] for programs: the report is one [View] on
// standard output. Errors, warnings and events go to standard error as text.
type jsonVoice struct {
	*lines
	reminders []ReminderView // the reminders so far; guarded by mu
}

// Remind also keeps m for the report, or makes it an event of watch.
func (j *jsonVoice) Remind(m flow.Reminder) {
	j.lines.Remind(m)
	v := ReminderView{m.Code, m.Profile, int(m.Left / (24 * time.Hour)), m.Text, m.Hint}
	if j.Command == "watch" {
		j.event(reminderEvent{Version: 1, Time: j.Now().UTC().Truncate(time.Second), Event: m.Code, ReminderView: v})
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reminders = append(j.reminders, v)
}

// print prints v. print ignores errors, because the caller of New checks standard
// output.
func (j *jsonVoice) print(v View) {
	v.Version, v.Command, v.Warnings = 1, j.Command, j.reminders
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		j.Error("", err)
		return
	}
	_, _ = j.Out.Write(append(b, '\n'))
}

func (j *jsonVoice) Refused(err error) {
	j.Error("", err)
	j.print(View{Error: viewError(err)})
}

func (j *jsonVoice) Unusable(problems config.Problems) {
	j.Problems(problems)
	j.print(View{Problems: viewProblems(problems)})
}

func (j *jsonVoice) Version(b Build) {
	j.print(View{OK: true, Release: b.Release, Commit: b.Commit, Date: b.Date})
}

func (j *jsonVoice) Wrote(file, next string) {
	j.wrote(file, next)
	j.print(View{OK: true})
}

func (j *jsonVoice) Validated(profiles []config.Profile, warnings config.Problems) {
	views := make([]ProfileView, len(profiles))
	for i, p := range profiles {
		views[i] = viewOutcome(flow.Outcome{Profile: p})
	}
	j.print(View{OK: true, Problems: viewProblems(warnings), Profiles: views})
}

func (j *jsonVoice) Planned(outcomes []flow.Outcome, changes bool) {
	j.errors(outcomes)
	views := viewOutcomes(outcomes)
	for i := range views {
		views[i].Declared = viewDeclared(outcomes[i].Profile)
	}
	j.print(View{OK: ok(outcomes), Changes: &changes, Profiles: views, Summary: planSummary(outcomes)})
}

func (j *jsonVoice) Applied(outcomes []flow.Outcome) {
	j.printApplied(outcomes)
	j.print(View{OK: ok(outcomes), Profiles: viewOutcomes(outcomes), Summary: resultSummary(outcomes)})
}

func (j *jsonVoice) Status(outcomes []flow.Outcome, reminders []flow.Reminder, _ string, ok bool) {
	for _, m := range reminders {
		j.Remind(m)
	}
	j.errors(outcomes)
	j.print(View{OK: ok, Profiles: viewOutcomes(outcomes)})
}

func (j *jsonVoice) Failed(outcomes []flow.Outcome) {
	j.errors(outcomes)
	j.print(View{Profiles: viewOutcomes(outcomes)})
}

func (j *jsonVoice) Imported(outcome flow.Outcome, next string) {
	j.imported(outcome, next)
	j.print(View{OK: outcome.Err == nil, Profiles: []ProfileView{viewOutcome(outcome)}})
}

func (j *jsonVoice) Logged(events []state.Event) { j.print(View{OK: true, Events: events}) }

func (j *jsonVoice) Begun(profile, address string, until time.Time, next string) {
	j.begun(profile, until, next)
	j.print(View{OK: true, Login: &LoginView{profile, address, until}})
}

func (j *jsonVoice) Shown(t *state.Token) {
	kept := config.Profile{Name: t.Profile, Grant: config.Grant(t.Grant), LoginLifetime: config.DefaultLoginLifetime}
	j.print(View{OK: true, Profiles: []ProfileView{viewOutcome(flow.Outcome{Profile: kept, Token: t})}})
}

func (j *jsonVoice) Done(text string) {
	j.Say(text)
	j.print(View{OK: true})
}

func (j *jsonVoice) Listed(names []string) { j.print(View{OK: true, Kept: names}) }

func (j *jsonVoice) Destroyed(outcomes []flow.Outcome) {
	j.printDestroyed(outcomes)
	j.print(View{OK: ok(outcomes), Profiles: viewOutcomes(outcomes)})
}

// Idle implements [Voice]. For programs, nothing happens.
func (*jsonVoice) Idle(int, time.Time) {}

// Watched prints an event as an object on a line of its own.
func (j *jsonVoice) Watched(outcome flow.Outcome) {
	v := watchView{Version: 1, Time: j.Now().UTC().Truncate(time.Second), Event: "applied", ProfileView: viewOutcome(outcome)}
	if outcome.Err != nil {
		v.Event = "failed"
	}
	j.event(v)
}

// event prints an object on a line of its own.
func (j *jsonVoice) event(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, _ = j.Out.Write(append(b, '\n')) // ignore errors: watch keeps the tokens valid even without a reader
	}
}

// reminderEvent is a reminder as an event of watch.
type reminderEvent struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Event   string    `json:"event"` // the reminder's code
	ReminderView
}

// watchView is one event of watch under --json.
type watchView struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Event   string    `json:"event"` // applied or failed
	ProfileView
}

func ok(outcomes []flow.Outcome) bool {
	for i := range outcomes {
		if outcomes[i].Err != nil {
			return false
		}
	}
	return true
}
