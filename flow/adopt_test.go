package flow_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// clientFile adds the token file of an x/oauth2 program to the outputs.
func clientFile(dir string) func(*config.Profile) {
	return func(p *config.Profile) {
		p.Outputs = append(p.Outputs, config.Output{Type: "json", Format: "oauth2", Path: filepath.Join(dir, "token.json"), Shown: "token.json"})
	}
}

// theirs is the content of the client's file.
type theirs struct {
	Access  string    `json:"access_token"`
	Refresh string    `json:"refresh_token,omitempty"`
	Expiry  time.Time `json:"expiry"`
	Type    string    `json:"token_type"`
}

func (w *world) clientHas() (f theirs) {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "token.json"))
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		w.Fatal(err)
	}
	return f
}

func (w *world) clientWrites(f theirs) {
	w.Helper()
	b, err := json.Marshal(f)
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, "token.json"), b, 0o600)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// clientRefreshes refreshes as a client does on its own, and writes the answer to the
// client's file.
func (w *world) clientRefreshes() theirs {
	w.Helper()
	f := w.clientHas()
	got, err := oauth.App{ID: "app", Secret: "app-secret", Endpoints: w.scene.Endpoints, HTTP: w.scene.HTTP}.Refresh(w.Context(), f.Refresh)
	if err != nil {
		w.Fatal(err)
	}
	f.Access, f.Expiry = got.Access, w.clock().Add(got.ExpiresIn)
	if got.Refresh != "" {
		f.Refresh = got.Refresh
	}
	w.clientWrites(f)
	return f
}

// adopts plans and applies p, and checks that p takes the client's token without a
// request for another one, and that everything agrees with that token.
func (w *world) adopts(p config.Profile, want theirs) {
	w.Helper()
	plan := w.runner().Plan(w.Context(), []config.Profile{p})[0]
	if plan.Err != nil || plan.Decision.Action != flow.Adopt || !strings.HasPrefix(plan.Decision.Reason, "newer token in token.json, valid for ") {
		w.Fatalf("planned %s (%s), %v", plan.Decision.Action, plan.Decision.Reason, plan.Err)
	}
	asked := w.server.Count("/api/token")
	tok := w.must(p, flow.Adopt)
	if tok.Access != want.Access || !tok.Expires.Equal(want.Expiry.UTC().Truncate(time.Second)) || !tok.Rejected.IsZero() {
		w.Error("state did not take the client's token")
	}
	if w.server.Count("/api/token") != asked {
		w.Error("a token was asked for")
	}
	if !strings.Contains(w.env(), want.Access) {
		w.Error(".env has another token")
	}
	if f := w.clientHas(); f.Access != want.Access || f.Refresh != tok.Refresh || tok.Refresh == "" {
		w.Error("the file is not in line with state")
	}
	w.must(p, flow.Keep)
}

func TestAdopt(t *testing.T) {
	t.Run("the same login", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile(clientFile(w.dir))
		before := w.must(p, flow.Login)
		w.pass(10 * time.Minute) // our token is still valid
		w.adopts(p, w.clientRefreshes())
		w.pass(57 * time.Minute)
		w.must(p, flow.Refresh)
		w.pass(57 * time.Minute) // our token has expired, and the client's has not
		w.adopts(p, w.clientRefreshes())
		if now := w.stored(p); now.Refresh != before.Refresh || !now.Authorized.Equal(before.Authorized) {
			t.Error("the login changed")
		}
	})
	t.Run("its refresh token dropped", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile(clientFile(w.dir))
		before := w.must(p, flow.Login)
		w.pass(time.Minute)
		f := w.clientRefreshes()
		f.Refresh = ""
		w.clientWrites(f)
		w.adopts(p, f)
		if w.stored(p).Refresh != before.Refresh {
			t.Error("the refresh token was lost")
		}
	})
	t.Run("rotated", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{RotateAll: true})
		p := w.profile(clientFile(w.dir))
		w.must(p, flow.Login)
		w.pass(time.Minute)
		w.clientRefreshes()
		asked := w.server.Count("/api/token")
		tok := w.must(p, flow.Adopt)
		if n := w.server.Count("/api/token") - asked; n != 1 || tok.Account == nil {
			t.Errorf("%d tokens were asked for, account %v", n, tok.Account)
		}
		if has := w.clientHas(); has.Refresh != tok.Refresh || has.Access != tok.Access || !strings.Contains(w.env(), tok.Access) {
			t.Error("the outputs are not in line with state")
		}
		w.must(p, flow.Keep)
		w.pass(time.Hour)
		w.must(p, flow.Refresh)
	})
	t.Run("rotated, and over since", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{RotateAll: true})
		p := w.profile(clientFile(w.dir))
		w.must(p, flow.Login)
		w.pass(time.Minute)
		w.clientRefreshes()
		w.pass(2 * time.Hour)
		w.unattended()
		w.must(p, flow.Refresh) // with the client's refresh token, after ours was refused
		w.pass(2 * time.Hour)
		w.must(p, flow.Refresh)
	})
	t.Run("for a token alone", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile(clientFile(w.dir))
		w.must(p, flow.Login)
		w.pass(58 * time.Minute)
		f := w.clientRefreshes()
		env := w.env()
		w.options.Outputs = flow.LookAtOutputs
		if tok := w.must(p, flow.Adopt); tok.Access != f.Access || w.env() != env {
			t.Error("another token, or an output was written")
		}
	})
}

// TestNotAdopted checks that a token which may be of another login is not adopted, and
// that no login is overwritten.
func TestNotAdopted(t *testing.T) {
	t.Run("of another account", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile(clientFile(w.dir))
		before := w.must(p, flow.Login)
		w.pass(time.Minute)
		w.server.SetUser(sandbox.User{ID: "somebody-else", Name: "Else"})
		other := w.must(w.profile(func(p *config.Profile) { p.Name, p.Outputs = "other", nil }), flow.Login)
		w.clientWrites(theirs{other.Access, other.Refresh, other.Expires, "Bearer"})
		file := w.clientHas()
		w.fails(w.apply(p), fault.Failed, "token.json contains a newer token of another login; nothing was overwritten", "Else (somebody-else)", "import -p dev --from")
		if w.stored(p).Access != before.Access || w.clientHas() != file {
			t.Error("something changed")
		}
		// An outage proves nothing, and is no reason to overwrite the file.
		w.server.Inject("/v1/me", faults.Outage(503), -1)
		w.fails(w.apply(p), fault.Temporary, "nothing was overwritten")
		if w.clientHas() != file {
			t.Error("the file was overwritten")
		}
	})
	// The user is the same, but a refresh token is good for its own app alone.
	t.Run("of another app", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{AnyApp: true})
		p := w.profile(clientFile(w.dir))
		before := w.must(p, flow.Login)
		w.pass(time.Minute)
		other := w.must(w.profile(func(p *config.Profile) {
			p.Name, p.Outputs = "other", nil
			p.Client = config.Client{ID: config.Literal("other-app"), Secret: config.Literal("other-secret")}
		}), flow.Login)
		w.clientWrites(theirs{other.Access, other.Refresh, other.Expires, "Bearer"})
		file := w.clientHas()
		w.fails(w.apply(p), fault.Failed, "token.json contains a newer token of another login; nothing was overwritten", "invalid_grant")
		if w.stored(p).Refresh != before.Refresh || w.clientHas() != file {
			t.Error("something changed")
		}
	})
	// A file that is there before its output is first declared was never ours.
	t.Run("never written here", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{AnyApp: true})
		p := w.profile()
		before := w.must(p, flow.Login)
		w.pass(time.Minute)
		w.clientWrites(theirs{"BQanybody's", "", w.clock().Add(time.Hour), "Bearer"})
		clientFile(w.dir)(&p)
		if w.must(p, flow.Keep).Access != before.Access {
			t.Error("a token was taken that is of nobody knows whom")
		}
	})
	t.Run("of another profile", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{AnyApp: true})
		shared := []config.Output{{Type: "json", Format: "tokenform", Path: filepath.Join(w.dir, "token.json"), Shown: "token.json"}}
		bob := w.profile(func(p *config.Profile) { p.Name, p.Outputs = "bob", shared })
		before := w.must(bob, flow.Login)
		w.pass(time.Minute)
		w.must(w.profile(func(p *config.Profile) { p.Name, p.Outputs = "alice", shared }), flow.Login)
		if w.must(bob, flow.Keep).Access != before.Access {
			t.Error("alice's token was taken")
		}
	})
	for name, change := range map[string]func(*theirs, time.Time){
		"valid for ever":   func(f *theirs, now time.Time) { f.Expiry = now.AddDate(20, 0, 0) },
		"ends before ours": func(f *theirs, now time.Time) { f.Expiry = now.Add(time.Hour - time.Second) },
		"no token":         func(f *theirs, _ time.Time) { f.Access = "two words" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sandbox.Options{})
			p := w.profile(clientFile(w.dir))
			before := w.must(p, flow.Login)
			f := w.clientHas()
			f.Access, f.Expiry = "BQmade-up", w.clock().Add(2*time.Hour)
			change(&f, w.clock())
			w.clientWrites(f)
			w.must(p, flow.Keep)
			if w.clientHas().Access != before.Access {
				t.Error("the file is not put right")
			}
		})
	}
	t.Run("for fewer scopes", func(t *testing.T) {
		w := newWorld(t, sandbox.Options{})
		p := w.profile(func(p *config.Profile) {
			p.Outputs = []config.Output{{Type: "json", Format: "spotipy", Path: filepath.Join(w.dir, ".cache"), Shown: ".cache"}}
		})
		before := w.must(p, flow.Login)
		path := filepath.Join(w.dir, ".cache")
		b, _ := json.Marshal(map[string]any{"access_token": "BQfewer", "scope": "streaming", "expires_at": w.clock().Add(2 * time.Hour).Unix()})
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if plan := w.runner().Plan(w.Context(), []config.Profile{p})[0]; plan.Decision.Action != flow.Keep || plan.Outputs[0].Reason != "its refresh token is missing" {
			t.Errorf("planned %s, %q", plan.Decision.Action, plan.Outputs[0].Reason)
		}
		if tok := w.must(p, flow.Keep); tok.Access != before.Access {
			t.Error("a token for fewer scopes was taken")
		}
	})
}
