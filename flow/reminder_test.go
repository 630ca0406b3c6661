package flow_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// TestReminders checks the reminders of plan and status in each stage of a login's
// life.
func TestReminders(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	said := func(within time.Duration, needed bool) string {
		t.Helper()
		var lines []string
		for _, m := range w.runner().Reminders(w.runner().Plan(w.Context(), []config.Profile{p}), within, needed) {
			lines = append(lines, fmt.Sprintf("%s %s %.0fd: %s", m.Code, m.Profile, m.Left.Hours()/24, m.Text))
		}
		return strings.Join(lines, "\n")
	}
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	is(said(0, false), "")
	is(said(0, true), "login_needed dev 0d: a person must log in: not logged in yet")
	w.must(p, flow.Login)
	is(said(0, true), "")
	is(said(179*24*time.Hour, true), "")
	is(said(181*24*time.Hour, true), "login_ending dev 180d: the login ends on 2027-05-22, in 180d")
	w.pass(166*24*time.Hour + time.Hour)
	is(said(0, false), "login_ending dev 14d: the login ends on 2027-05-22, in 13d")
	w.server.Inject("/api/token", faults.FalseInvalidGrant(), 1)
	w.unattended()
	w.fails(w.apply(p), fault.LoginNeeded, "invalid_grant")
	is(said(0, false), "")
	is(said(0, true), "login_needed dev 0d: a person must log in: refresh token refused on 2027-05-08, next attempt on 2027-05-09")
	w.pass(24 * time.Hour)
	is(said(0, true), "login_refused dev 0d: the server refused the refresh token on 2027-05-08")
	w.must(p, flow.Refresh)
	is(said(0, true), "login_ending dev 13d: the login ends on 2027-05-22, in 12d")
	w.pass(13 * 24 * time.Hour)
	is(said(0, false), "")
	is(said(0, true), "login_needed dev 0d: a person must log in: login expired on 2027-05-22")
	p = w.profile(credentials)
	is(said(365*24*time.Hour, true), "")
}

// TestWatchYear checks the reminders of watch in a year of a login that nobody renews:
// once a day in the last two weeks, however often watch refreshes, and then that a
// person is needed.
func TestWatchYear(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	w.must(p, flow.Login)
	w.unattended()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start, failures := w.clock(), 0
	w.runner().Watch(ctx, []config.Profile{p}, flow.Watch{
		Tell: func(o flow.Outcome) {
			if o.Err != nil {
				failures++
			}
		},
		Sleep: func(_ context.Context, _ time.Duration, _ <-chan os.Signal) bool {
			if w.pass(3 * time.Hour); w.clock().Sub(start) > 365*24*time.Hour {
				cancel()
			}
			return false
		},
	})
	said := w.texts("remind")
	if len(said) != 14 || said[0] != "login_ending: the login ends on 2027-05-22, in 13d" || said[13] != "login_ending: the login ends on 2027-05-22, in 21h" {
		t.Errorf("said %d times: %q", len(said), said)
	}
	if refreshes := w.server.Count("/api/token") - 1; refreshes < 1400 || failures == 0 {
		t.Errorf("%d refreshes, %d failures", refreshes, failures)
	}
	t.Logf("a year: %d refreshes, %d reminders, from %q to %q, %d failures told", w.server.Count("/api/token")-1, len(said), said[0], said[len(said)-1], failures)
}

// TestSeedWithDate checks that a machine without state learns the date of the login
// from the seed, or from authorized_at if the seed is a bare refresh token.
func TestSeedWithDate(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	login := w.must(w.profile(func(p *config.Profile) { p.Name = "laptop" }), flow.Login)
	w.unattended()
	w.pass(170 * 24 * time.Hour)
	seed := config.Seed{Refresh: login.Refresh, Authorized: login.Authorized, ClientID: "app", Grant: config.AuthorizationCode, Account: "sandbox-user", Scopes: login.Scopes}
	for name, c := range map[string]struct {
		text    string
		more    func(*config.Profile)
		account string
		said    bool
	}{
		"a seed":                     {seed.Encode(), nil, "sandbox-user", true},
		"a seed, account declared":   {seed.Encode(), func(p *config.Profile) { p.Account = "21sandboxaccount" }, "sandbox-user", true},
		"a bare token":               {login.Refresh, nil, "", false},
		"a bare token and its date":  {login.Refresh, func(p *config.Profile) { p.AuthorizedAt = login.Authorized }, "", true},
		"a seed wins over the date":  {seed.Encode(), func(p *config.Profile) { p.AuthorizedAt = w.clock() }, "sandbox-user", true},
		"a date, and a seed without": {config.Seed{Refresh: login.Refresh}.Encode(), func(p *config.Profile) { p.AuthorizedAt = login.Authorized }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.profile(func(p *config.Profile) {
				p.Name, p.RefreshToken = strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", ""), config.Literal(c.text)
				if c.more != nil {
					c.more(p)
				}
			})
			before := len(w.texts("remind"))
			tok := w.must(p, flow.Refresh)
			if said := w.texts("remind")[before:]; (len(said) == 1 && said[0] == "login_ending: the login ends on 2027-05-22, in 10d") != c.said || len(said) > 1 {
				t.Errorf("said %q", said)
			}
			if tok.Account == nil && c.account != "" || tok.Account != nil && tok.Account.ID != c.account || tok.Refresh != login.Refresh {
				t.Errorf("account %v", tok.Account)
			}
			w.must(p, flow.Keep) // the seed is known
		})
	}
	other := w.profile(func(p *config.Profile) {
		p.Name = "other"
		seed.ClientID = "another"
		p.RefreshToken = config.Literal(seed.Encode())
	})
	w.fails(w.apply(other), fault.Invalid, "belongs to the app another, and the profile to app")
}
