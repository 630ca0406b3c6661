package terminal

import (
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

// View is what --json prints: one object for every command, with only the fields that
// the command uses. View never has a secret.
type View struct {
	Version  int            `json:"version"` // 1; a change that breaks readers makes it 2
	Command  string         `json:"command"`
	OK       bool           `json:"ok"`                // the exit code is 0 or 2
	Changes  *bool          `json:"changes,omitempty"` // plan: apply would do something
	Profiles []ProfileView  `json:"profiles,omitempty"`
	Events   []state.Event  `json:"events,omitempty"`  // log
	Kept     []string       `json:"kept,omitempty"`    // state list
	Login    *LoginView     `json:"login,omitempty"`   // login --print
	Summary  *Summary       `json:"summary,omitempty"` // plan and apply
	Problems []ProblemView  `json:"problems,omitempty"`
	Warnings []ReminderView `json:"warnings,omitempty"` // logins that need a person, now or soon
	Error    *ErrorView     `json:"error,omitempty"`    // an error that belongs to no profile
	Release  string         `json:"release,omitempty"`  // version: the release of this program
	Commit   string         `json:"commit,omitempty"`   // version: what it was built from
	Date     string         `json:"date,omitempty"`     // version: when that was committed (RFC 3339)
}

// ProfileView is one profile in a [View].
type ProfileView struct {
	Profile  string        `json:"profile"`
	Grant    string        `json:"grant"`
	Action   string        `json:"action,omitempty"` // keep, refresh, login, request, adopt, verify, delete, leave
	Reason   string        `json:"reason,omitempty"`
	Token    *TokenView    `json:"token,omitempty"`
	Declared *DeclaredView `json:"declared,omitempty"` // plan: what the profile says, with its defaults
	Outputs  []OutputView  `json:"outputs,omitempty"`
	Error    *ErrorView    `json:"error,omitempty"`
}

// DeclaredView is what a profile declares, with the defaults of its file or directory
// and of the program filled in. Durations are as a profile may have them.
type DeclaredView struct {
	File          string   `json:"file,omitempty"` // absent if it is standard input
	State         string   `json:"state"`
	MinTTL        string   `json:"min_ttl"`
	Verify        bool     `json:"verify"`
	Scopes        []string `json:"scopes,omitempty"`
	RedirectURI   string   `json:"redirect_uri,omitempty"`
	ShowDialog    bool     `json:"show_dialog,omitempty"`
	LoginLifetime string   `json:"login_lifetime,omitempty"`
	LoginWarning  string   `json:"login_warning,omitempty"`
	Account       string   `json:"account,omitempty"`
	Listen        string   `json:"listen,omitempty"`
}

func viewDeclared(p config.Profile) *DeclaredView {
	v := &DeclaredView{File: p.File(), State: p.State, MinTTL: p.MinTTL.String(), Verify: p.Verify}
	if p.Grant.User() {
		v.Scopes, v.RedirectURI, v.ShowDialog, v.Account, v.Listen = p.Scopes, p.RedirectURI, p.ShowDialog, p.Account, p.Listen
		v.LoginLifetime, v.LoginWarning = p.LoginLifetime.String(), p.LoginWarning.String()
	}
	return v
}

// ReminderView is a login that needs a person, now or soon.
type ReminderView struct {
	Code     string `json:"code"` // login_ending, login_refused, login_needed
	Profile  string `json:"profile"`
	DaysLeft int    `json:"days_left"` // zero if a person is needed now
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

// LoginView is a login that was begun.
type LoginView struct {
	Profile string    `json:"profile"`
	Address string    `json:"address"` // to open in a browser
	Until   time.Time `json:"until"`   // when it can no longer be finished; RFC 3339, UTC
}

// TokenView is the part of a token that is no secret. Times are RFC 3339 in UTC.
type TokenView struct {
	ExpiresAt    time.Time      `json:"expires_at"`
	ObtainedAt   time.Time      `json:"obtained_at"`
	AuthorizedAt time.Time      `json:"authorized_at,omitzero"`
	LoginUntil   time.Time      `json:"login_until,omitzero"` // absent if not known
	RejectedAt   time.Time      `json:"rejected_at,omitzero"`
	Scopes       []string       `json:"scopes,omitempty"`
	Account      *state.Account `json:"account,omitempty"`
	Refused      bool           `json:"refused,omitempty"` // by the Web API, under --verify
}

// OutputView is one output and what happens, or happened, to it.
type OutputView struct {
	Type      string   `json:"type"`
	Path      string   `json:"path,omitempty"`
	Action    string   `json:"action"`
	Reason    string   `json:"reason,omitempty"`
	Variables []string `json:"variables,omitempty"`
}

// ProblemView is something wrong in a profile.
type ProblemView struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"` // error or warning
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

// ErrorView is an error and what can be done about it.
type ErrorView struct {
	Kind    string `json:"kind"` // failed, login_needed, temporary, invalid, interrupted
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func viewError(err error) *ErrorView {
	if err == nil {
		return nil
	}
	return &ErrorView{Kind: fault.KindOf(err).String(), Message: message(err), Hint: fault.HintOf(err)}
}

func viewProblems(problems config.Problems) []ProblemView {
	var views []ProblemView
	for _, x := range problems {
		severity := "error"
		if x.Warning {
			severity = "warning"
		}
		views = append(views, ProblemView{x.Pos.File, x.Pos.Line, x.Pos.Col, severity, x.Message, x.Hint})
	}
	return views
}

func viewOutcomes(outcomes []flow.Outcome) []ProfileView {
	views := make([]ProfileView, len(outcomes))
	for i, o := range outcomes {
		views[i] = viewOutcome(o)
	}
	return views
}

func viewOutcome(o flow.Outcome) ProfileView {
	v := ProfileView{Profile: o.Profile.Name, Grant: string(o.Profile.Grant), Action: string(o.Decision.Action), Reason: o.Decision.Reason, Error: viewError(o.Err)}
	if t := o.Token; t != nil {
		v.Token = &TokenView{
			ExpiresAt: t.Expires, ObtainedAt: t.Obtained, AuthorizedAt: t.Authorized, LoginUntil: flow.LoginUntil(o.Profile, t),
			RejectedAt: t.Rejected, Scopes: t.Scopes, Account: t.Account, Refused: o.Refused,
		}
	}
	for _, c := range o.Outputs {
		v.Outputs = append(v.Outputs, OutputView{string(c.Type), c.Path, string(c.Action), c.Reason, c.Vars})
	}
	return v
}
