//go:build unix

package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

const (
	actions   = "github-actions.yaml"
	actionUse = "github-actions-action.yaml"
	writeback = "github-actions-writeback.yaml"
)

// TestPipelineGitHub checks that a job which has only the refresh token of a login
// elsewhere uses a token, and that nobody can read the token in the job's log.
func TestPipelineGitHub(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	seed := p.login("spotify/github.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush")
	var tokens []string
	for range 2 { // the second run has nothing from the first
		r := newGitHubRunner(p)
		r.secrets["SPOTIFY_REFRESH_TOKEN"] = seed
		// The reader of the example may add a careless step.
		r.extra = []workflowStep{{Run: `echo "the token is $TOKEN"; env | grep -c BQ`, Env: map[string]string{"TOKEN": "${{ steps.spotify.outputs.access_token }}"}}}
		if code := r.job(actions); code != 0 {
			t.Fatalf("exit %d\n%s", code, &r.log)
		}
		p.quiet("the log", r.log.String())
		state := filepath.Join(p.temp, "tokenform")
		token := field(t, p.stateOf(state, "github"), "access_token")
		if !slices.Contains(r.masks, token) || r.outputs["spotify"]["access_token"] != token {
			t.Error("the token that was masked and handed on is not the one in state")
		}
		for _, want := range []string{
			`"sandbox-user"`, // the Web API accepted the token
			"good until " + field(t, p.stateOf(state, "github"), "expires_at"),
			"the token is ***\n1\n", // the token is set only in the step that asks for it
		} {
			if !strings.Contains(r.log.String(), want) {
				t.Errorf("the log does not have %q:\n%s", want, &r.log)
			}
		}
		tokens = append(tokens, token)
		p.must(os.RemoveAll(state)) // GitHub does so after each job
	}
	if tokens[0] == tokens[1] {
		t.Error("two jobs without state had the same token")
	}
}

// TestPipelineGitHubNeedsAPerson checks that a job fails with exit code 4 if nobody can
// log in, says what to do, and starts no browser.
func TestPipelineGitHubNeedsAPerson(t *testing.T) {
	t.Parallel()
	steps := `tokenform token -p github --format seed spotify/github.yaml
hint: store its output here as the secret SPOTIFY_REFRESH_TOKEN

Applied: 1 failed
`
	for _, c := range []struct {
		name, says string
		hint       string // the beginning of the first hints
		ready      func(*pipeline, *gitHubRunner)
	}{
		{"no secret", "a person must log in: not logged in yet; spotify/github.yaml:6:16: refresh_token is empty: the variable SPOTIFY_REFRESH_TOKEN has no value; CI does not pass secrets to pull requests from forks", "on a machine with a browser, run: ", func(*pipeline, *gitHubRunner) {}},
		{"revoked", `refreshing: refresh token revoked \(invalid_grant\)`, "on a machine with a browser, run: tokenform apply --renew -p github spotify/github.yaml\nhint: then: ", func(p *pipeline, r *gitHubRunner) {
			r.secrets["SPOTIFY_REFRESH_TOKEN"] = p.login("spotify/github.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush")
			if code := r.job(actions); code != 0 {
				p.Fatalf("the first run: exit %d\n%s", code, &r.log)
			}
			p.must(os.RemoveAll(filepath.Join(p.temp, "tokenform")))
			p.server.RevokeAll()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t, sandbox.Options{})
			r := newGitHubRunner(p)
			c.ready(p, r)
			r.log.Reset()
			asked := p.server.Count("/authorize")
			code := r.job(actions)
			if want := regexp.MustCompile(`(?:^|\n)error: github: ` + c.says + "\nhint: " + c.hint + steps + "$"); code != 4 || !want.MatchString(r.log.String()) {
				t.Errorf("exit %d, want 4, and the log has not %s:\n%s", code, want, &r.log)
			}
			if p.server.Count("/authorize") != asked {
				t.Error("a login was begun")
			}
			if len(r.errors) != 1 || !strings.HasPrefix(r.errors[0], "github: ") || !strings.Contains(r.errors[0], "%0Ahint: store its output") {
				t.Errorf("the annotations are %q", r.errors)
			}
			p.quiet("the log", r.log.String())
		})
	}
}

// TestPipelineGitHubWarns checks that the run's page warns two weeks before the login
// ends, on a runner that keeps its directories, and so the date of the login.
func TestPipelineGitHubWarns(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	state := filepath.Join(p.temp, "tokenform")
	// The person logs in on the runner itself.
	code, _, stderr := run(t, p.checkout, surroundings(p.home, p.url, "BROWSER="+robot(t), "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush"),
		"token", "spotify/github.yaml", "--state", state, "--login", "browser", "--format", "token")
	if code != 0 {
		t.Fatal(stderr)
	}
	p.older(state, "github", 170*24*time.Hour)
	r := newGitHubRunner(p)
	if code := r.job(actions); code != 0 {
		t.Fatalf("exit %d\n%s", code, &r.log)
	}
	if want := regexp.MustCompile(`^github: the login ends on 20[0-9-]+, in \d+d%0Ahint: log in again before that, on a machine with a browser: tokenform apply --renew -p github`); len(r.warnings) != 1 || !want.MatchString(r.warnings[0]) {
		t.Errorf("the annotations are %q, want one like %s", r.warnings, want)
	}
	if want := "hint: log in again before that, on a machine with a browser: tokenform apply --renew -p github"; !strings.Contains(r.log.String(), want) {
		t.Errorf("the log does not have %q:\n%s", want, &r.log)
	}
}

// TestPipelineGitHubWriteback checks that the secret is written if Spotify has replaced
// the refresh token, and only then, and that nothing is requested from Spotify if the
// secret cannot be written.
func TestPipelineGitHubWriteback(t *testing.T) {
	t.Parallel()
	job := func(t *testing.T, p *pipeline, seed string) (code int, r *gitHubRunner, calls []told) {
		t.Helper()
		r = newGitHubRunner(p)
		r.secrets["SPOTIFY_REFRESH_TOKEN"], r.secrets["SPOTIFY_SECRETS_WRITER"] = seed, "a-token-of-github"
		code = r.job(writeback)
		p.must(os.RemoveAll(filepath.Join(p.temp, "tokenform")))
		p.quiet("the log", r.log.String())
		return code, r, p.calls()
	}
	for _, rotates := range []bool{false, true} {
		t.Run(map[bool]string{false: "kept", true: "replaced"}[rotates], func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t, sandbox.Options{RotateAll: rotates})
			p.fake("gh", fakeGH)
			seed := p.login("spotify/writeback.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush")
			for range 3 { // each run uses what the run before has written
				code, r, calls := job(t, p, seed)
				if code != 0 {
					t.Fatalf("exit %d\n%s", code, &r.log)
				}
				if len(calls) == 0 || calls[0].args != "secret set SPOTIFY_CHECKED_AT" {
					t.Fatalf("gh was not tried first: %v", calls)
				}
				switch written := calls[1:]; {
				case !rotates && len(written) == 0:
				case rotates && len(written) == 1 && written[0].args == "secret set SPOTIFY_REFRESH_TOKEN" && strings.HasPrefix(written[0].stdin, "eyJ") && written[0].stdin != seed:
					seed = written[0].stdin
				default:
					t.Fatalf("replaced: %v, and gh was run %d times", rotates, len(written))
				}
			}
		})
	}
	t.Run("nothing can be written", func(t *testing.T) {
		t.Parallel()
		p := newPipeline(t, sandbox.Options{RotateAll: true})
		p.fake("gh", "#!/bin/sh\necho 'HTTP 403: Resource not accessible by personal access token' >&2; exit 1\n")
		seed := p.login("spotify/writeback.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush")
		asked := p.server.Count("/api/token")
		if code, r, _ := job(t, p, seed); code != 1 || p.server.Count("/api/token") != asked {
			t.Errorf("exit %d after %d requests, want 1 after none\n%s", code, p.server.Count("/api/token")-asked, &r.log)
		}
	})
	t.Run("written at the second try", func(t *testing.T) {
		t.Parallel()
		p := newPipeline(t, sandbox.Options{RotateAll: true})
		p.need("touch")
		p.fake("sleep", "#!/bin/sh\n")
		p.fake("gh", strings.Replace(fakeGH, "case", `case "$*" in *REFRESH_TOKEN) test -e "$HOME/tried" || { touch "$HOME/tried"; exit 1; } ;; esac
case`, 1))
		seed := p.login("spotify/writeback.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush")
		asked := p.server.Count("/api/token")
		code, r, calls := job(t, p, seed)
		if code != 0 || len(calls) != 2 || !strings.HasPrefix(calls[1].stdin, "eyJ") || calls[1].stdin == seed {
			t.Errorf("exit %d, and gh has taken %d secrets, want 2\n%s", code, len(calls), &r.log)
		}
		if n := p.server.Count("/api/token") - asked; n != 1 {
			t.Errorf("%d requests, want 1: the second would have met a dead token", n)
		}
	})
}
