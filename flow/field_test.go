package flow_test

import (
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
	"tokenform/flow/state"
)

func verified(p *config.Profile) { p.Verify = true }

// TestC4FalseUnauthorized checks the effect of a 401 of the Web API that says nothing
// about the token: once, three times in a row and forever, wherever a token is checked.
func TestC4FalseUnauthorized(t *testing.T) {
	const (
		fine   = "" // no error and no warning
		warned = "warned"
		later  = "later" // a temporary failure: exit code 5
	)
	for _, c := range []struct {
		name    string
		asks    string // the path of the Web API that is asked
		ever    string // the result of a 401 forever
		request int    // how many tokens are requested, whatever the Web API says
		do      func(w *world) flow.Outcome
	}{
		{"verify: true, a refresh", "/v1/me", later, 1, func(w *world) flow.Outcome {
			w.pass(time.Hour)
			return w.apply(w.profile(verified))
		}},
		{"verify: true, a login", "/v1/me", later, 1, func(w *world) flow.Outcome {
			w.options.Renew = true
			return w.apply(w.profile(verified))
		}},
		{"verify: true, an app's token", "/v1/search", later, 1, func(w *world) flow.Outcome {
			return w.apply(w.profile(verified, credentials, func(p *config.Profile) { p.Name = "app" }))
		}},
		{"verify: true, the stored token", "/v1/me", later, 0, func(w *world) flow.Outcome {
			old := w.stored(w.profile())
			old.Verified = false
			w.save(w.profile(), old)
			return w.apply(w.profile(verified))
		}},
		{"verify: true, no outputs", "/v1/me", warned, 1, func(w *world) flow.Outcome {
			w.pass(time.Hour)
			w.options.Outputs = flow.LookAtOutputs
			return w.apply(w.profile(verified))
		}},
		{"--verify", "/v1/me", warned, 0, func(w *world) flow.Outcome {
			w.options.Verify = true
			return w.apply(w.profile())
		}},
		{"a login", "/v1/me", warned, 1, func(w *world) flow.Outcome {
			w.options.Renew = true
			return w.apply(w.profile())
		}},
		{"import", "/v1/me", fine, 1, func(w *world) flow.Outcome {
			p := w.profile(func(p *config.Profile) { p.Name = "imported" })
			return w.runner().Import(w.Context(), p, config.Seed{Refresh: w.stored(w.profile()).Refresh}, true)
		}},
		{"import, verify: true", "/v1/me", warned, 1, func(w *world) flow.Outcome {
			p := w.profile(verified, func(p *config.Profile) { p.Name = "imported" })
			return w.runner().Import(w.Context(), p, config.Seed{Refresh: w.stored(w.profile()).Refresh}, true)
		}},
	} {
		for _, times := range []int{1, 3, -1} {
			name := map[int]string{1: " once", 3: " three times", -1: " for ever"}[times]
			t.Run(c.name+name, func(t *testing.T) {
				w := newWorld(t, sandbox.Options{})
				w.must(w.profile(), flow.Login)
				asked, requested, said := w.server.Count(c.asks), w.server.Count("/api/token"), len(w.warnings())
				w.server.Inject(c.asks, faults.FalseUnauthorized(), times)
				o := c.do(w)
				asked, requested = w.server.Count(c.asks)-asked, w.server.Count("/api/token")-requested
				want, tries := fine, times+1
				if times < 0 {
					want, tries = c.ever, 4
				}
				switch {
				case strings.Contains(c.name, "a login") && times < 0 && c.ever == later:
					tries = 8 // four for the account, and four for the check
				case c.name == "import":
					tries = 0
				}
				if asked != tries || requested != c.request {
					t.Errorf("asked the Web API %d times, want %d; requested %d tokens, want %d", asked, tries, requested, c.request)
				}
				got := fine
				switch warnings := w.warnings()[said:]; {
				case o.Err != nil && fault.KindOf(o.Err) == fault.Temporary:
					got = later
				case o.Err != nil:
					t.Errorf("failed: %v", o.Err)
				case len(warnings) > 0:
					got = warned
				}
				if got != want {
					t.Errorf("%q, want %q: %v, %q", got, want, o.Err, w.warnings()[said:])
				}
				if now := w.stored(o.Profile); now == nil || now.Verified != (asked > 0 && times > 0 || c.name == "--verify") { // the login before --verify was
					t.Errorf("stored as verified: %v", now != nil && now.Verified)
				}
				if w.options.Outputs == flow.WriteOutputs && o.Profile.Name != "imported" && !strings.Contains(w.env(), w.stored(o.Profile).Access) {
					t.Error("the output does not have the token")
				}
				// Once the Web API answers, the next apply has the token verified, and
				// the apply after that has nothing to do.
				w.server.Inject(c.asks, faults.Fault{}, 0)
				w.options = flow.Options{LockTimeout: time.Second, LoginTimeout: time.Second}
				next := flow.Keep
				if o.Profile.Verify && want != fine {
					next = flow.Verify
				}
				if o.Profile.Name != "imported" {
					w.must(o.Profile, next)
				}
				w.apply(o.Profile)
				w.must(o.Profile, flow.Keep)
			})
		}
	}
}

// save makes t the stored token of p.
func (w *world) save(p config.Profile, t *state.Token) {
	w.Helper()
	e, err := state.Real.Open(p.State).Lock(w.Context(), p.Name, state.Holder{}, state.Waiting{})
	if err != nil {
		w.Fatal(err)
	}
	defer e.Unlock()
	if err := e.Save(t); err != nil {
		w.Fatal(err)
	}
}

// TestD9NeverVerified checks that a token which the Web API refused when it was new is
// verified before it is used again.
func TestD9NeverVerified(t *testing.T) {
	for name, grant := range map[string]func(*config.Profile){"a login": func(*config.Profile) {}, "an app": credentials} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sandbox.Options{})
			p := w.profile(verified, grant)
			path := "/v1/me"
			if !p.Grant.User() {
				path = "/v1/search"
			}
			w.server.Inject(path, faults.APIError(401, "Invalid access token"), -1)
			w.fails(w.apply(p), fault.Failed, "refuses the new token")
			first := w.stored(p)
			if first == nil || first.Verified || w.env() != "" {
				t.Errorf("stored %v, .env %q", first != nil, w.env())
			}
			w.fails(w.apply(p), fault.Failed, "refuses the new token") // a new token, refused again
			second := w.stored(p)
			if second.Access == first.Access || w.env() != "" {
				t.Error("the refused token is kept, or written")
			}
			w.server.Inject(path, faults.Fault{}, 0)
			if tok := w.must(p, flow.Verify); tok.Access != second.Access || !strings.Contains(w.env(), tok.Access) {
				t.Error("the good token is not used")
			}
			w.must(p, flow.Keep)
		})
	}
	t.Run("verify: true comes later", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		w.must(w.profile(credentials), flow.Request)
		w.must(w.profile(credentials, verified), flow.Verify)
		w.must(w.profile(credentials, verified), flow.Keep)
	})
}

// TestD11AccountDeclaredLater checks that the account of a login is asked for as soon as
// a profile declares one, and no token is written before.
func TestD11AccountDeclaredLater(t *testing.T) {
	unknown := func(t *testing.T) *world {
		w := newWorld(t, sandbox.Options{})
		w.server.Inject("/v1/me", faults.PlainForbidden(), 1)
		if tok := w.must(w.profile(), flow.Login); tok.Account != nil {
			t.Fatalf("the account is known: %v", tok.Account)
		}
		w.unattended()
		return w
	}
	account := func(id string) func(*config.Profile) { return func(p *config.Profile) { p.Account = id } }
	t.Run("the right one", func(t *testing.T) {
		w := unknown(t)
		asked := w.server.Count("/api/token")
		tok := w.must(w.profile(account("sandbox-user")), flow.Verify)
		if tok.Account == nil || w.server.Count("/api/token") != asked {
			t.Errorf("account %v; %d tokens were asked for", tok.Account, w.server.Count("/api/token")-asked)
		}
		w.must(w.profile(account("sandbox-user")), flow.Keep)
	})
	t.Run("another one", func(t *testing.T) {
		w := unknown(t)
		w.fails(w.apply(w.profile(account("somebodyelse"))), fault.LoginNeeded, "not as somebodyelse")
		w.fails(w.apply(w.profile(account("somebodyelse"))), fault.LoginNeeded, "not as somebodyelse")
	})
	t.Run("no answer", func(t *testing.T) {
		w := unknown(t)
		w.server.Inject("/v1/me", faults.Outage(503), -1)
		w.fails(w.apply(w.profile(account("sandbox-user"))), fault.Temporary, "does not say whose login is stored")
	})
}

// TestD5ForeignToken checks that a token in a client's file is adopted only if it is of
// our login.
func TestD5ForeignToken(t *testing.T) {
	for name, c := range map[string]struct {
		access  func(w *world) string
		refresh func(ours string) string
		adopted bool
	}{
		"ours, without its refresh token": {refreshed, none, true},
		"an app's token":                  {appToken, none, false},
		"an app's token, beside ours":     {appToken, func(ours string) string { return ours }, true}, // the client has our login
		"another account's":               {otherAccount, none, false},
		"nobody's":                        {func(*world) string { return "BQ-nonsense" }, none, false},
	} {
		for _, due := range []bool{false, true} {
			t.Run(name+map[bool]string{false: "", true: ", and ours is about to expire"}[due], func(t *testing.T) {
				w := newWorld(t, sandbox.Options{})
				p := w.profile(clientFile(w.dir))
				before := w.must(p, flow.Login)
				w.pass(time.Minute)
				if due {
					w.pass(57 * time.Minute)
				}
				f := theirs{Access: c.access(w), Refresh: c.refresh(before.Refresh), Expiry: w.clock().Add(time.Hour), Type: "Bearer"}
				w.clientWrites(f)
				want := flow.Keep
				switch {
				case c.adopted:
					want = flow.Adopt
				case due:
					want = flow.Refresh
				}
				after := w.must(p, want)
				if (after.Access == f.Access) != c.adopted || after.Refresh != before.Refresh {
					t.Errorf("adopted: %v", after.Access == f.Access)
				}
				if told := strings.Contains(strings.Join(w.warnings(), "\n"), "does not adopt"); told == c.adopted {
					t.Errorf("warned %q", w.warnings())
				}
				if has := w.clientHas(); has.Access != after.Access || has.Refresh != after.Refresh {
					t.Error("the file is not in line with state")
				}
				w.must(p, flow.Keep)
			})
		}
	}
}

func none(string) string { return "" }

// refreshed is the access token of a client that has refreshed with our refresh token.
func refreshed(w *world) string { return w.clientRefreshes().Access }

func appToken(w *world) string {
	got, err := oauth.App{ID: "app", Secret: "app-secret", Endpoints: w.scene.Endpoints, HTTP: w.scene.HTTP}.ClientCredentials(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return got.Access
}

func otherAccount(w *world) string {
	w.server.SetUser(sandbox.User{ID: "somebody-else", Name: "Else"})
	return w.must(w.profile(func(p *config.Profile) { p.Name, p.Outputs = "other", nil }), flow.Login).Access
}

// TestA7PortOfAnotherLogin checks that a login waits for the one that has its port, as for
// a lock, and gives up as for a lock.
func TestA7PortOfAnotherLogin(t *testing.T) {
	w := newWorld(t, sandbox.Options{})
	other, err := oauth.Listen("http://127.0.0.1/callback", "")
	if err != nil {
		t.Fatal(err)
	}
	go other.Wait(t.Context(), "", "")
	p := w.profile(func(p *config.Profile) { p.Listen = other.Address() })
	w.options.LockTimeout = 300 * time.Millisecond
	w.fails(w.apply(p), fault.Temporary, "in use by another tokenform login", "finish or stop that login")
	w.options.LockTimeout = 10 * time.Second
	time.AfterFunc(400*time.Millisecond, func() { other.Close() })
	p.RedirectURI = "http://" + other.Address() + "/callback"
	o := w.apply(p)
	for tries := 0; tries < 20 && o.Err != nil && strings.Contains(o.Err.Error(), "in use by another program"); tries++ {
		time.Sleep(100 * time.Millisecond) // a connection of another test got the port in the moment in which it was free
		o = w.apply(p)
	}
	if o.Err != nil || o.Decision.Action != flow.Login {
		t.Fatalf("apply = %s, %v", o.Decision.Action, o.Err)
	}
	if said := strings.Join(w.warnings(), "\n"); !strings.Contains(said, "waiting for that login to end") {
		t.Errorf("warned %q", said)
	}
}
