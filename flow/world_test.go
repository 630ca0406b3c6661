package flow_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
	"tokenform/flow/state"
	"tokenform/output"
)

// world has a stand-in for Spotify, a directory and a clock for a test.
type world struct {
	*testing.T
	server  *faults.Server
	dir     string
	scene   flow.World
	options flow.Options

	mu   sync.Mutex
	now  time.Time
	said []saying
}

// saying is one call of a method of the voice.
type saying struct {
	what string // "warn", "remind", "waiting", "ask", "asked", "misanswered" or "logged in"
	text string
}

// runner returns a new runner with the current scene and options.
func (w *world) runner() *flow.Runner { return flow.New(w.scene, w.options) }

func (w *world) say(what, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, saying{what, text})
}

// world implements [flow.Voice].
func (w *world) Warn(_, text, _ string)           { w.say("warn", text) }
func (w *world) Remind(m flow.Reminder)           { w.say("remind", m.Code+": "+m.Text) }
func (w *world) Waiting(_ string, h state.Holder) { w.say("waiting", h.String()) }
func (w *world) Ask(_ string, p flow.Prompt)      { w.say("ask", p.Reason) }
func (w *world) Asked(string)                     { w.say("asked", "") }
func (w *world) Misanswered(_, why string)        { w.say("misanswered", why) }
func (w *world) Hint(text string)                 { w.say("hint", text) }
func (w *world) LoggedIn(_, account string)       { w.say("logged in", account) }

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// texts lists the texts of one kind that were said.
func (w *world) texts(what string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var texts []string
	for _, s := range w.said {
		if s.what == what {
			texts = append(texts, s.text)
		}
	}
	return texts
}

func (w *world) warnings() []string { return w.texts("warn") }

func newWorld(t *testing.T, o sandbox.Options) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	o.Now, o.AutoConsent = w.clock, true
	o.Apps = []sandbox.App{{ID: "app", Secret: "app-secret", RedirectURIs: []string{"http://127.0.0.1/callback"}}}
	w.server = faults.New(o)
	s := httptest.NewServer(w.server)
	t.Cleanup(s.Close)
	w.scene = flow.World{
		Endpoints: oauth.Endpoints{Accounts: s.URL, API: s.URL},
		HTTP:      oauth.NewHTTP(oauth.Options{RetryWaitMin: time.Millisecond, RetryWaitMax: 2 * time.Millisecond, Now: w.clock}),
		Outputs:   &output.Files{Out: os.Stderr, Warn: func(string, string, string) {}},
		Now:       w.clock,
		Voice:     w,
		Browse:    func(ctx context.Context, url string) error { _, err := flow.AgreeingBrowser(ctx, url); return err },
	}
	w.options = flow.Options{Command: "test", LockTimeout: 10 * time.Second, LoginTimeout: 10 * time.Second, Parallelism: 4}
	return w
}

// profile returns a profile of an app with a secret, with two scopes and a .env.
func (w *world) profile(changes ...func(*config.Profile)) config.Profile {
	p := config.Profile{
		Name:   "dev",
		Client: config.Client{ID: config.Literal("app"), Secret: config.Literal("app-secret")},
		Grant:  config.AuthorizationCode, Scopes: []string{"user-top-read", "streaming"}, RedirectURI: "http://127.0.0.1/callback",
		MinTTL: config.DefaultMinTTL, LoginLifetime: config.DefaultLoginLifetime, LoginWarning: config.DefaultLoginWarning,
		State: filepath.Join(w.dir, ".tokenform"),
		Outputs: []config.Output{{
			Type: "env", Path: filepath.Join(w.dir, ".env"), Shown: ".env",
			Keys: []config.Key{{Field: "access_token", Variable: "SPOTIFY_ACCESS_TOKEN"}, {Field: "expires_at", Variable: "SPOTIFY_TOKEN_EXPIRES_AT"}},
		}},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func pkce(p *config.Profile) { p.Grant, p.Client.Secret = config.PKCE, nil }

func credentials(p *config.Profile) { p.Grant, p.Scopes = config.ClientCredentials, nil }

func (w *world) apply(p config.Profile) flow.Outcome {
	w.Helper()
	return w.runner().Apply(context.Background(), []config.Profile{p})[0]
}

// must applies p, which must succeed with the action want.
func (w *world) must(p config.Profile, want flow.Action) *state.Token {
	w.Helper()
	r := w.apply(p)
	if r.Err != nil || r.Decision.Action != want {
		w.Fatalf("apply = %s (%s), %v; want %s", r.Decision.Action, r.Decision.Reason, r.Err, want)
	}
	return w.stored(p)
}

func (w *world) stored(p config.Profile) *state.Token {
	w.Helper()
	t, err := state.Real.Open(p.State).Read(w.Context(), p.Name)
	if err != nil {
		w.Fatal(err)
	}
	return t
}

func (w *world) env() string {
	b, _ := os.ReadFile(filepath.Join(w.dir, ".env"))
	return string(b)
}

// requests counts the requests that have reached the server so far.
func (w *world) requests() int { return len(w.server.Requests()) }

func (w *world) unattended() { w.scene.Browse, w.scene.Pasted = nil, nil }

// fails checks that r failed, with an error of the kind that has the words and no secret.
func (w *world) fails(r flow.Outcome, kind fault.Kind, words ...string) {
	w.Helper()
	if r.Err == nil {
		w.Fatalf("apply succeeded, want an error with %q", words)
	}
	if fault.KindOf(r.Err) != kind {
		w.Errorf("kind %v, want %v: %v", fault.KindOf(r.Err), kind, r.Err)
	}
	text := r.Err.Error() + "\n" + fault.HintOf(r.Err)
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.Errorf("the error does not say %q:\n%s", word, text)
		}
	}
	if slices.ContainsFunc([]string{"app-secret", "AQ", "BQ"}, func(s string) bool { return strings.Contains(text, s) }) {
		w.Errorf("the error holds a secret: %s", text)
	}
}
