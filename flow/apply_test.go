package flow_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
	"tokenform/flow/state"
)

func TestLoginThenNothing(t *testing.T) {
	for name, change := range map[string]func(*config.Profile){"secret": func(*config.Profile) {}, "pkce": pkce} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sandbox.Options{})
			p := w.profile(change)
			tok := w.must(p, flow.Login)
			if !strings.Contains(w.env(), "SPOTIFY_ACCESS_TOKEN="+tok.Access+"\n") {
				t.Error(".env does not hold the token")
			}
			if !tok.Expires.Equal(w.clock().Add(time.Hour)) || !tok.Authorized.Equal(w.clock()) || tok.Account.ID != "sandbox-user" || tok.Refresh == "" {
				t.Errorf("stored: expires %v, authorized %v, account %+v", tok.Expires, tok.Authorized, tok.Account)
			}
			if got := w.texts("logged in"); len(got) != 1 || got[0] != "Sandy Box (sandbox-user)" {
				t.Errorf("said %q", got)
			}
			if n := w.server.Count("/v1/me"); n != 1 {
				t.Errorf("the account was asked for %d times", n)
			}

			before, files := w.requests(), snapshot(t, w.dir)
			w.must(p, flow.Keep)
			if n := w.requests() - before; n != 0 {
				t.Errorf("the second apply sent %d requests", n)
			}
			if now := snapshot(t, w.dir); now != files {
				t.Errorf("the second apply wrote:\n%s\nbefore:\n%s", now, files)
			}
		})
	}
}

// snapshot returns every file below dir with its content and its modification time.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			content, _ := os.ReadFile(path)
			fmt.Fprintf(&b, "%s %v %s\n", path, info.ModTime(), state.Digest(string(content)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRefresh checks that the stored refresh token stays if the answer to a refresh has
// none, and is replaced if the answer has one.
func TestRefresh(t *testing.T) {
	for name, rotate := range map[string]bool{"kept": false, "rotated": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sandbox.Options{RotateAll: rotate})
			p := w.profile()
			first := w.must(p, flow.Login)
			for range 3 {
				w.pass(56 * time.Minute)
				old := w.stored(p)
				n := w.must(p, flow.Refresh)
				if (n.Refresh != old.Refresh) != rotate || n.Refresh == "" {
					t.Errorf("refresh token changed: %v, rotation: %v", n.Refresh != old.Refresh, rotate)
				}
				if n.Access == old.Access || !strings.Contains(w.env(), n.Access) {
					t.Error("the new token is not in .env")
				}
				if !n.Authorized.Equal(first.Authorized) {
					t.Error("a refresh must not move the time of consent")
				}
				if n.Serial != old.Serial+1 {
					t.Errorf("serial went from %d to %d: one refresh is one write of state", old.Serial, n.Serial)
				}
			}
		})
	}
}

// TestExpiryCountsFromBeforeTheRequest checks that a slow answer does not lengthen a
// token's life.
func TestExpiryCountsFromBeforeTheRequest(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile(credentials)
	start := w.clock()
	w.server.Inject("/api/token", faults.Slow(200*time.Millisecond), 1)
	w.arrives(func() { w.pass(40 * time.Second) })
	if tok := w.must(p, flow.Request); !tok.Expires.Equal(start.Add(time.Hour)) {
		t.Errorf("expires %v after the start, want an hour", tok.Expires.Sub(start))
	}
}

// arrives calls what as soon as the next token request has reached the server. The
// server's answer should be slow.
func (w *world) arrives(what func()) {
	before := w.server.Count("/api/token")
	go func() {
		for range 5000 {
			if w.server.Count("/api/token") > before {
				what()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
}

// TestRescue checks that the rotated refresh token of a useless answer is stored,
// because the old refresh token is dead.
func TestRescue(t *testing.T) {
	for name, f := range map[string]faults.Fault{
		"no expires_in": faults.Without("expires_in"), "no access_token": faults.Without("access_token"), "token_type": faults.With("token_type", "mac"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sandbox.Options{RotateAll: true})
			p := w.profile()
			old := w.must(p, flow.Login)
			w.unattended()
			w.pass(time.Hour)
			w.server.Inject("/api/token", f, 1)
			w.fails(w.apply(p), fault.Temporary, "refreshing")
			if n := w.stored(p); n.Refresh == old.Refresh || n.Access != old.Access {
				t.Errorf("stored: refresh token changed %v, access token changed %v", n.Refresh != old.Refresh, n.Access != old.Access)
			}
			w.must(p, flow.Refresh)

			// The same is true of a refresh token from the profile.
			seed := w.stored(p).Refresh
			q := w.profile(func(p *config.Profile) { p.Name, p.RefreshToken = "ci", config.Literal(seed) })
			w.server.Inject("/api/token", f, 1)
			w.fails(w.apply(q), fault.Temporary, "refreshing")
			w.must(q, flow.Refresh)
		})
	}
}

func TestClientCredentials(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	w.unattended()
	p := w.profile(credentials, func(p *config.Profile) { p.Verify = true })
	tok := w.must(p, flow.Request)
	if tok.Refresh != "" || tok.Account != nil || w.server.Count("/v1/search") != 1 || w.server.Count("/v1/me") != 0 {
		t.Errorf("stored %+v after %d searches and %d /v1/me", tok.Account, w.server.Count("/v1/search"), w.server.Count("/v1/me"))
	}
	w.must(p, flow.Keep)
	w.pass(time.Hour)
	w.must(p, flow.Request)
}

func TestSeed(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	login := w.must(w.profile(func(p *config.Profile) { p.Name = "laptop" }), flow.Login)
	w.unattended()
	seed := func(s string) func(*config.Profile) {
		return func(p *config.Profile) { p.RefreshToken = config.Literal(s) }
	}

	p := w.profile(seed(login.Refresh))
	tok := w.must(p, flow.Refresh)
	if tok.Refresh != login.Refresh || tok.Seed != state.Digest(login.Refresh) || !tok.Authorized.IsZero() {
		t.Error("the seed is not what is stored")
	}
	w.must(p, flow.Keep)

	// A refused seed is remembered, and the stored login goes on.
	before := w.stored(p)
	dead := w.profile(seed("AQ-nonsense"))
	asked := w.server.Count("/api/token")
	w.must(dead, flow.Keep)
	if said := w.warnings(); len(said) == 0 || !strings.Contains(said[len(said)-1], "the profile's refresh_token is refused") {
		t.Errorf("warned of %q", said)
	}
	w.must(dead, flow.Keep)
	if n := w.server.Count("/api/token") - asked; n != 1 {
		t.Errorf("the refused seed was sent %d times", n)
	}
	if after := w.stored(p); after.Access != before.Access || after.Refresh != before.Refresh || after.Seed != before.Seed {
		t.Error("a refused seed changed the stored token")
	}
	w.pass(2 * time.Hour)
	if tok := w.must(dead, flow.Refresh); tok.Refresh != before.Refresh {
		t.Error("the stored login did not go on")
	}
}

// TestInvalidGrant checks that a refused refresh leaves the stored token as it was, but
// marked, if no person is there; that a false refusal before a good answer loses
// nothing; and that a refused refresh becomes a login if a person is there.
func TestInvalidGrant(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	w.must(p, flow.Login)
	browse := w.scene.Browse
	w.unattended()
	w.pass(2 * time.Hour)
	before := w.stored(p)

	w.server.Inject("/api/token", faults.FalseInvalidGrant(), 1)
	sent := w.server.Count("/api/token")
	w.fails(w.apply(p), fault.LoginNeeded, "invalid_grant", "tokenform apply --renew -p dev")
	if n := w.server.Count("/api/token") - sent; n != 1 {
		t.Errorf("invalid_grant was asked for %d times, want once", n)
	}
	after := w.stored(p)
	if after.Refresh != before.Refresh || after.Access != before.Access || !after.Rejected.Equal(w.clock()) {
		t.Errorf("stored after a refusal: refresh token kept %v, rejected at %v", after.Refresh == before.Refresh, after.Rejected)
	}

	w.fails(w.apply(p), fault.LoginNeeded, "refused on 2026-11-23, next attempt on 2026-11-24")
	if n := w.server.Count("/api/token") - sent; n != 1 {
		t.Errorf("a refused refresh was repeated within the day")
	}
	w.pass(25 * time.Hour)
	if tok := w.must(p, flow.Refresh); tok.Refresh != before.Refresh || !tok.Rejected.IsZero() {
		t.Error("the false refusal lost the login, or its mark stayed")
	}

	w.pass(2 * time.Hour)
	w.server.RevokeAll()
	w.scene.Browse = browse
	if tok := w.must(p, flow.Login); tok.Refresh == before.Refresh || !tok.Authorized.Equal(w.clock()) {
		t.Error("no new login was stored")
	}
}

// TestLoginLifetime checks that a login ends six months after consent, and that the end
// is announced.
func TestLoginLifetime(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	w.must(p, flow.Login)
	w.pass(165 * 24 * time.Hour)
	w.must(p, flow.Refresh)
	if warned := w.warnings(); len(warned) != 0 {
		t.Errorf("warned too early: %q", warned)
	}
	w.pass(2 * 24 * time.Hour)
	w.must(p, flow.Refresh)
	w.must(p, flow.Keep)
	warned := w.texts("remind")
	if len(warned) != 2 || warned[0] != "login_ending: the login ends on 2027-05-22, in 13d" {
		t.Errorf("warned %q", warned)
	}
	w.pass(20 * 24 * time.Hour)
	if r := w.apply(p); r.Err != nil || r.Decision.Reason != "login expired on 2027-05-22" {
		t.Errorf("apply = %+v, %v", r.Decision, r.Err)
	}
}

func TestRenew(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	w.must(p, flow.Login)
	w.pass(time.Minute)
	w.options.Renew = true
	if tok := w.must(p, flow.Login); !tok.Authorized.Equal(w.clock()) {
		t.Error("--renew did not log in")
	}
}

func TestScopes(t *testing.T) {
	t.Run("fewer at login: nothing is stored", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile()
		w.server.Inject("/api/token", faults.NarrowerScope("streaming"), 1)
		w.fails(w.apply(p), fault.Failed, "fewer scopes", "streaming")
		if w.stored(p) != nil || w.env() != "" {
			t.Error("something was stored or written")
		}
	})
	t.Run("fewer at refresh: stored, then a failure", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{RotateAll: true})
		p := w.profile()
		old := w.must(p, flow.Login)
		w.pass(time.Hour)
		w.server.Inject("/api/token", faults.NarrowerScope("streaming"), 1)
		env := w.env()
		w.fails(w.apply(p), fault.Failed, "fewer scopes", "streaming")
		if n := w.stored(p); n.Refresh == old.Refresh {
			t.Error("the rotated refresh token is lost")
		}
		if w.env() != env {
			t.Error("a token with too few scopes was written")
		}
		if f := w.runner().Plan(w.Context(), []config.Profile{p})[0]; f.Decision.Reason != "scopes added: streaming" {
			t.Errorf("the next plan says %+v", f.Decision)
		}
	})
	t.Run("more, reordered or absent is fine", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile()
		w.must(p, flow.Login)
		for _, f := range []faults.Fault{faults.WiderScope("user-read-email"), faults.ReorderedScope(), faults.Without("scope")} {
			w.pass(time.Hour)
			w.server.Inject("/api/token", f, 1)
			w.must(p, flow.Refresh)
			w.must(p, flow.Keep)
		}
	})
	t.Run("absent at login: as asked", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile()
		w.server.Inject("/api/token", faults.Without("scope"), 1)
		if tok := w.must(p, flow.Login); strings.Join(tok.Scopes, " ") != "streaming user-top-read" {
			t.Errorf("scopes %v", tok.Scopes)
		}
	})
}

func TestAccount(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	first := w.must(p, flow.Login)
	w.server.SetUser(sandbox.User{ID: "somebody-else", Name: "Else"})
	w.options.Renew = true
	w.fails(w.apply(p), fault.Failed, "Else (somebody-else)", "Sandy Box (sandbox-user)", "show_dialog")
	if w.stored(p).Refresh != first.Refresh {
		t.Error("the wrong account's login was stored")
	}

	p.Account = "somebody-else" // on purpose
	if tok := w.must(p, flow.Login); tok.Account.ID != "somebody-else" {
		t.Errorf("account %+v", tok.Account)
	}
	p.Account = "21sandboxaccount"
	w.fails(w.apply(p), fault.Failed, "somebody-else", "21sandboxaccount")
	w.server.SetUser(sandbox.DemoUser())
	w.must(p, flow.Login)

	// If there is no answer, the login stands, unless the profile declares the account.
	for _, f := range []faults.Fault{faults.PlainForbidden(), faults.APIError(404, "Service not found"), faults.QuotaExceeded("60000"), faults.ResetBeforeGrant()} {
		p.Account = ""
		w.server.Inject("/v1/me", f, -1)
		w.must(p, flow.Login)
		if warned := w.warnings(); !strings.Contains(warned[len(warned)-1], "does not say who logged in") {
			t.Errorf("%v: warned %q", f, warned)
		}
		w.server.Inject("/v1/me", faults.Fault{}, 0)
		p.Account = "sandbox-user"
		w.server.Inject("/v1/me", f, -1)
		if r := w.apply(p); r.Err == nil || !strings.Contains(r.Err.Error(), "sandbox-user") {
			t.Errorf("%v: with a declared account apply = %v", f, r.Err)
		}
		w.server.Inject("/v1/me", faults.Fault{}, 0)
	}
}

// TestTrouble checks that temporary trouble of any kind leaves the stored token as it
// is, and that the kind of the error says to try again later.
func TestTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		fault faults.Fault
		tries int
	}{
		"503":               {faults.Outage(503), 4},
		"html":              {faults.HTML(200), 1},
		"truncated":         {faults.Truncated(), 1},
		"no access_token":   {faults.Without("access_token"), 1},
		"no expires_in":     {faults.Without("expires_in"), 1},
		"429 for 17 hours":  {faults.TooManyRequests("61200"), 1},
		"reset":             {faults.ResetBeforeGrant(), 4},
		"reset after grant": {faults.ResetAfterGrant(), 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{})
			p := w.profile()
			before := w.must(p, flow.Login)
			w.pass(time.Hour)
			sent := w.server.Count("/api/token")
			w.server.Inject("/api/token", c.fault, -1)
			w.fails(w.apply(p), fault.Temporary, "refreshing")
			if n := w.server.Count("/api/token") - sent; n != c.tries {
				t.Errorf("%d requests, want %d", n, c.tries)
			}
			if after := w.stored(p); after.Refresh != before.Refresh || after.Serial != before.Serial {
				t.Error("the stored token changed")
			}
			w.server.Inject("/api/token", faults.Fault{}, 0)
			w.must(p, flow.Refresh)
		})
	}
}

// TestManyProfiles checks that one profile's failure does not stop the others, and that
// logins come one at a time.
func TestManyProfiles(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	counter := &logins{Voice: w.scene.Voice}
	w.scene.Voice = counter
	var profiles []config.Profile
	for i := range 12 {
		p := w.profile(func(p *config.Profile) { p.Name = fmt.Sprintf("p%d", i) })
		p.Outputs[0].Keys = []config.Key{{Field: "access_token", Variable: fmt.Sprintf("TOKEN_%d", i)}}
		if i == 5 {
			p.Client.Secret = config.Literal("wrong")
		}
		profiles = append(profiles, p)
	}
	for i, r := range w.runner().Apply(context.Background(), profiles) {
		if (r.Err != nil) != (i == 5) {
			t.Errorf("%s: %v", r.Profile.Name, r.Err)
		}
		if i == 5 {
			w.fails(r, fault.Failed, "invalid_client")
			continue
		}
		if !strings.Contains(w.env(), fmt.Sprintf("TOKEN_%d=%s\n", i, r.Token.Access)) {
			t.Errorf("%s is not in the shared .env", r.Profile.Name)
		}
	}
	if counter.most != 1 || counter.asking != 0 {
		t.Errorf("%d logins at once", counter.most)
	}
}

// logins is a voice that counts how many logins are asked for at once.
type logins struct {
	flow.Voice
	mu           sync.Mutex
	asking, most int
}

func (l *logins) Ask(profile string, p flow.Prompt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking++
	l.most = max(l.most, l.asking)
	l.Voice.Ask(profile, p)
}

func (l *logins) Asked(profile string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking--
	l.Voice.Asked(profile)
}

func TestPlanTellsTheTruth(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	plan := func() string {
		f := w.runner().Plan(w.Context(), []config.Profile{p})[0]
		if f.Err != nil {
			t.Fatal(f.Err)
		}
		s := string(f.Decision.Action)
		for _, c := range f.Outputs {
			s += " " + string(c.Action)
		}
		return fmt.Sprintf("%s %v", s, f.Due())
	}
	step := func(want string) {
		t.Helper()
		sent, files := w.requests(), snapshot(t, w.dir)
		if got := plan(); got != want {
			t.Errorf("plan = %q, want %q", got, want)
		}
		if w.requests() != sent || snapshot(t, w.dir) != files {
			t.Error("plan sent or wrote something")
		}
		r := w.apply(p)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		did := string(r.Decision.Action)
		for _, c := range r.Outputs {
			did += " " + string(c.Action)
		}
		if !strings.HasPrefix(want, did) {
			t.Errorf("apply did %q, the plan was %q", did, want)
		}
	}
	step("login create true")
	step("keep keep false")
	w.pass(time.Hour)
	step("refresh update true")
	if err := os.Remove(filepath.Join(w.dir, ".env")); err != nil {
		t.Fatal(err)
	}
	step("keep create true")
	p.Outputs = nil
	step("keep delete true")
	step("keep false")
	if w.env() != "" {
		t.Errorf(".env still holds %q", w.env())
	}
}

// TestNoRoom checks that nothing is requested which cannot be stored.
func TestNoRoom(t *testing.T) {
	for name, change := range map[string]func(*config.Profile){"login": func(*config.Profile) {}, "client credentials": credentials} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sandbox.Options{})
			p := w.profile(change)
			// A directory where the temporary file goes stops the write, for root too.
			if err := os.MkdirAll(filepath.Join(p.State, ".dev.json.tokenform-tmp", "x"), 0o700); err != nil {
				t.Fatal(err)
			}
			w.fails(w.apply(p), fault.Failed, "could not be stored", "no request was sent to Spotify")
			if n := w.server.Count("/api/token"); n != 0 {
				t.Errorf("%d token requests", n)
			}
		})
	}
}

// TestInterruptedWhileRefreshing checks that a first Ctrl-C while the server answers
// loses nothing.
func TestInterruptedWhileRefreshing(t *testing.T) {
	w := newWorld(t, sandbox.Options{RotateAll: true})
	p := w.profile()
	old := w.must(p, flow.Login)
	w.pass(time.Hour)
	w.server.Inject("/api/token", faults.Slow(300*time.Millisecond), 1)
	ctx, cancel := context.WithCancel(context.Background())
	w.arrives(cancel)
	if r := w.runner().Apply(ctx, []config.Profile{p})[0]; r.Err != nil && fault.KindOf(r.Err) != fault.Interrupted {
		t.Error(r.Err)
	}
	if n := w.stored(p); n.Refresh == old.Refresh || n.Refresh == "" {
		t.Error("the rotated refresh token is lost")
	}
	w.must(p, flow.Keep)
}

// TestSeedOfAnotherAccount checks that a seed of another account than the declared one
// is refused.
func TestSeedOfAnotherAccount(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	login := w.must(w.profile(func(p *config.Profile) { p.Name = "laptop" }), flow.Login)
	w.unattended()
	p := w.profile(func(p *config.Profile) { p.RefreshToken, p.Account = config.Literal(login.Refresh), "somebody-else" })
	w.fails(w.apply(p), fault.Failed, "sandbox-user", "somebody-else", "nothing was stored")
	if w.stored(p) != nil {
		t.Error("it was stored")
	}
	p.Account = "sandbox-user"
	w.must(p, flow.Refresh)
}

// TestSeedRotatedAndNobodyKnowsWhose rotates a seed while the Web API does not say
// whose login it is. The new refresh token must be stored, not used, and asked about
// again.
func TestSeedRotatedAndNobodyKnowsWhose(t *testing.T) {
	for account, kind := range map[string]fault.Kind{"sandbox-user": -1, "somebody-else": fault.Failed} {
		t.Run(account, func(t *testing.T) {
			w := newWorld(t, sandbox.Options{RotateAll: true})
			login := w.must(w.profile(func(p *config.Profile) { p.Name = "laptop" }), flow.Login)
			w.unattended()
			p := w.profile(func(p *config.Profile) {
				p.RefreshToken, p.Account, p.Outputs = config.Literal(login.Refresh), account, nil
			})
			w.server.Inject("/v1/me", faults.Outage(503), 4)
			w.fails(w.apply(p), fault.Temporary, "does not say who logged in")
			if tok := w.stored(p); tok == nil || tok.Access != "" || tok.Account != nil {
				t.Fatal("not stored, or with a token that may be anybody's")
			}
			if kind < 0 {
				if w.must(p, flow.Refresh).Account == nil {
					t.Error("the account was not asked for again")
				}
				return
			}
			for range 2 { // the seed stays refused, and is not lost
				w.fails(w.apply(p), kind, "the profile requires the account somebody-else")
			}
			if w.stored(p).Access != "" {
				t.Error("the wrong account's token is there to be used")
			}
		})
	}
}

// TestRotatedBeforeTheAccountIsAsked rotates our own refresh token while the account is
// not known. The new refresh token must be on the disk before the Web API is asked
// about the account.
func TestRotatedBeforeTheAccountIsAsked(t *testing.T) {
	w := newWorld(t, sandbox.Options{RotateAll: true})
	p := w.profile(func(p *config.Profile) { p.Outputs = nil })
	w.server.Inject("/v1/me", faults.Outage(503), 4)
	old := w.must(p, flow.Login)
	if old.Account != nil {
		t.Fatal("the account is known")
	}
	p.Account = "sandbox-user"
	w.pass(time.Hour)
	w.server.Inject("/v1/me", faults.Slow(300*time.Millisecond), 1)
	seen := make(chan *state.Token, 1)
	go func() {
		for w.server.Count("/v1/me") < 5 {
			time.Sleep(time.Millisecond)
		}
		seen <- w.stored(p)
	}()
	done := w.must(p, flow.Refresh)
	if between := <-seen; between.Refresh != done.Refresh || between.Refresh == old.Refresh || between.Access != old.Access {
		t.Error("while the Web API was asked, state did not have the new refresh token alone")
	}
	if done.Account == nil || done.Serial <= old.Serial+1 {
		t.Errorf("account %v, serial %d after %d", done.Account, done.Serial, old.Serial)
	}
}

// TestCannotStore lets the disk fail while the server answers. The error must say which
// login is lost, and nobody may see the token.
func TestCannotStore(t *testing.T) {
	w := newWorld(t, sandbox.Options{RotateAll: true})
	p := w.profile()
	w.must(p, flow.Login)
	w.pass(time.Hour)
	env := w.env()
	w.server.Inject("/api/token", faults.Slow(300*time.Millisecond), 1)
	w.arrives(func() {
		if runtime.GOOS == "windows" { // which removes no directory with open files in it
			os.Remove(filepath.Join(p.State, "dev.json"))
			os.Mkdir(filepath.Join(p.State, "dev.json"), 0o700)
			return
		}
		os.RemoveAll(p.State)
		os.WriteFile(p.State, nil, 0o600)
	})
	w.fails(w.apply(p), fault.Failed, "granted but cannot be stored", "log in to dev again")
	if w.env() != env {
		t.Error("a token that is not stored was written")
	}
}

// TestLitter checks that the next run deletes the temporary file of a killed process,
// even if the run has nothing else to do.
func TestLitter(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	w.must(p, flow.Login)
	litter := filepath.Join(p.State, ".dev.json.tokenform-tmp")
	if err := os.WriteFile(litter, []byte("half a to"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must(p, flow.Keep)
	if _, err := os.Lstat(litter); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	// The temporary file may be the only file, with a token in it.
	if err := os.Rename(filepath.Join(p.State, "dev.json"), litter); err != nil {
		t.Fatal(err)
	}
	done := w.runner().Destroy(w.Context(), w.runner().PlanDestroy(w.Context(), []config.Profile{p}))
	if _, err := os.Lstat(litter); !done[0].Stored() || !os.IsNotExist(err) {
		t.Errorf("destroyed %v, and %v", done[0].Stored(), err)
	}
	if strings.Contains(w.env(), "BQ") {
		t.Error("its output was not taken back")
	}
}

func TestDestroy(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	env := filepath.Join(w.dir, ".env")
	if err := os.WriteFile(env, []byte("# mine\nOTHER=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.must(p, flow.Login)
	remains := w.runner().PlanDestroy(w.Context(), []config.Profile{p})
	if !remains[0].Stored() {
		t.Fatal("nothing remains after a login")
	}
	for _, x := range w.runner().Destroy(context.Background(), remains) {
		if x.Err != nil {
			t.Error(x.Err)
		}
	}
	if w.stored(p) != nil || w.env() != "# mine\nOTHER=1\n" {
		t.Errorf("left: state %v, .env %q", w.stored(p) != nil, w.env())
	}
}

// TestVerify checks that Check finds a token that the user has revoked, and that apply
// replaces it.
func TestVerify(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	p := w.profile()
	old := w.must(p, flow.Login)
	w.must(p, flow.Keep)
	w.options.Verify = true
	w.must(p, flow.Keep)
	w.server.Inject("/v1/me", faults.APIError(401, "The access token expired"), 1)
	if tok := w.must(p, flow.Refresh); tok.Access == old.Access {
		t.Error("the refused token is still there")
	}
}

func TestClockOff(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	w.server.Inject("/api/token", faults.Dated(w.clock().Add(3*time.Hour)), 1)
	w.must(w.profile(credentials), flow.Request)
	if warned := w.warnings(); len(warned) != 1 || warned[0] != "this machine's clock is 3h behind the server's" {
		t.Errorf("warned %q", warned)
	}
}
