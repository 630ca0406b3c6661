//go:build unix

package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"gopkg.in/yaml.v3"

	"tokenform/flow/sandbox"
)

// signIn logs in as the user of the machine, at its screen, with a command from the
// example.
func (p *pipeline) signIn(dir string, env []string, argv ...string) {
	p.Helper()
	p.take(p.home) // our browser must be able to read the home directory
	code, _, stderr := run(p, dir, append(p.environment(env...), "CANARIES="+canaries, "BROWSER="+robot(p.T)), append(argv, "--login", "browser")...)
	if code != 0 {
		p.Fatalf("%q: exit %d\n%s", argv, code, stderr)
	}
	p.give(p.home)
}

// TestPipelineMake checks that the target has the token, without a file of it, and that
// make stops if there is no token.
func TestPipelineMake(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.need("make", "curl", "sha256sum", "tar", "mktemp")
	state := filepath.Join(p.home, ".local", "state", "tokenform")
	p.releases()
	env := p.environment("SPOTIFY_CLIENT_ID=app")
	code, stdout, stderr := p.run(p.checkout, env, "make", "install")
	if code != 0 {
		t.Fatalf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = p.run(p.checkout, env, "make", "me")
	if code == 0 || stdout != "" || strings.Count(stderr, "hint: ") != 3 {
		t.Errorf("before the login: exit %d, want three hints\n%s\n%s", code, stdout, stderr)
	}
	p.signIn(p.checkout, []string{"SPOTIFY_CLIENT_ID=app"}, "--state", state, "apply", "spotify/dev.yaml")
	for range 2 {
		code, stdout, stderr = p.run(p.checkout, env, "make", "me")
		if code != 0 || !strings.Contains(stdout, `"sandbox-user"`) {
			t.Fatalf("exit %d\n%s\n%s", code, stdout, stderr)
		}
		p.older(state, "dev", time.Hour)
	}
	if code, stdout, stderr = p.run(p.checkout, env, "make", "login"); code != 0 {
		t.Errorf("the login that was: exit %d\n%s\n%s", code, stdout, stderr)
	}
}

// TestPipelineDirenv checks that a shell has the token once it enters the directory,
// has the new token after another process has refreshed it, and neither hangs nor fails
// if nobody has logged in.
func TestPipelineDirenv(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.need("direnv", "bash", "env")
	p.install()
	folder := filepath.Join(p.home, "project")
	p.must(os.CopyFS(folder, os.DirFS("pipelines")))
	p.must(os.Rename(filepath.Join(folder, "envrc"), filepath.Join(folder, ".envrc")))
	p.give(p.home)
	p.lock(folder)
	state := filepath.Join(p.home, ".local", "state", "tokenform")

	// prompt does what direnv's hook does before each prompt of a shell with the
	// environment env, and returns the shell's environment afterwards.
	prompt := func(env []string) (after []string, token, stderr string) {
		t.Helper()
		code, stdout, stderr := p.run(folder, env, "bash", "-c", `eval "$(direnv export bash)"; env -0`)
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		after = strings.Split(strings.TrimSuffix(stdout, "\x00"), "\x00")
		for _, kv := range after {
			if value, ok := strings.CutPrefix(kv, "SPOTIFY_ACCESS_TOKEN="); ok {
				token = value
			}
		}
		return after, token, stderr
	}
	if code, _, stderr := p.run(folder, p.environment(), "direnv", "allow"); code != 0 {
		t.Fatal(stderr)
	}
	env, token, stderr := prompt(p.environment())
	if token != "" || !strings.Contains(stderr, "a person must log in") || !slices.Contains(env, "SPOTIFY_CLIENT_ID=0123456789abcdef0123456789abcdef") {
		t.Errorf("before the login: %d bytes of token, and it says\n%s", len(token), stderr)
	}

	stored := func() string { return field(t, p.stateOf(state, "dev"), "access_token") }
	p.signIn(folder, []string{"SPOTIFY_CLIENT_ID=0123456789abcdef0123456789abcdef"}, "--state", state, "apply", "spotify/dev.yaml")
	// The state file of Spotify itself is dev.json, which .envrc watches.
	watched := filepath.Join(state, "dev.json")
	p.must(os.Symlink(filepath.Base(stateAt(state, "dev.json")), watched))
	p.must(exec.Command("touch", "-h", "-d", "2 days ago", watched).Run()) // direnv looks at the link, too
	p.older(state, "dev", time.Minute)                                     // direnv compares the times of files by the second
	env, token, stderr = prompt(env)
	if token != stored() {
		t.Fatalf("the shell's token is not the stored one\n%s", stderr)
	}
	asked := p.server.Count("/api/token")
	if env, token, stderr = prompt(env); token != stored() || stderr != "" || p.server.Count("/api/token") != asked {
		t.Errorf("at a prompt with nothing new it says\n%s", stderr)
	}
	p.older(state, "dev", time.Hour)
	before := token
	if code, _, stderr := p.run(folder, p.environment("SPOTIFY_CLIENT_ID=0123456789abcdef0123456789abcdef"), "tokenform", "apply", "--state", state, "spotify/dev.yaml"); code != 0 {
		t.Fatal(stderr)
	}
	if _, token, stderr = prompt(env); token != stored() || token == before {
		t.Errorf("after a refresh elsewhere the shell has not the new token\n%s", stderr)
	}
}

// TestPipelineCompose checks that the service reads the file that the profile writes,
// and that Compose's own code reads the stored token from the file.
func TestPipelineCompose(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.install()
	p.must(os.Mkdir(filepath.Join(p.home, ".spotify"), 0o700))
	p.signIn(p.checkout, []string{"SPOTIFY_CLIENT_ID=app"}, "apply", "spotify/service.yaml")
	b, err := os.ReadFile(filepath.Join(p.checkout, "compose.yaml"))
	p.must(err)
	var file struct {
		Services map[string]struct {
			EnvFile    []string `yaml:"env_file"`
			Entrypoint []string
		}
	}
	p.must(yaml.Unmarshal(b, &file))
	me := file.Services["me"]
	if len(me.EnvFile) != 1 || len(me.Entrypoint) != 3 {
		t.Fatalf("the service has %d files and %d words", len(me.EnvFile), len(me.Entrypoint))
	}
	interpolate := func(text string) string {
		t.Helper()
		text, err := template.Substitute(text, func(name string) (string, bool) { return p.home, name == "HOME" })
		p.must(err)
		return text
	}
	vars, err := dotenv.GetEnvFromFile(map[string]string{"HOME": p.home}, []string{interpolate(me.EnvFile[0])})
	p.must(err)
	if len(vars) != 1 || vars["SPOTIFY_ACCESS_TOKEN"] != field(t, p.stateOf(filepath.Join(p.home, ".spotify", "state"), "service"), "access_token") {
		t.Errorf("Compose finds %d variables, want the stored token", len(vars))
	}
	var argv []string
	for _, word := range me.Entrypoint {
		argv = append(argv, interpolate(word))
	}
	// A container gets nothing of the machine's environment.
	code, stdout, stderr := p.run(p.temp, []string{"PATH=/usr/bin:/bin", "TOKENFORM_API_URL=" + p.url, "SPOTIFY_ACCESS_TOKEN=" + vars["SPOTIFY_ACCESS_TOKEN"]}, argv...)
	if code != 0 || !strings.Contains(stdout, `"sandbox-user"`) {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
}

// TestPipelineApps checks that one command serves a directory of apps, that a pattern
// selects some of them, and that the lines and logins of the others stay as they are.
func TestPipelineApps(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	ids := []string{"DEV_CLIENT_ID=dev", "STAGING_CLIENT_ID=staging", "STAGING_CLIENT_SECRET=hush-hush", "PROD_CLIENT_ID=prod", "PROD_CLIENT_SECRET=hush-hush", "ENV_DIR=" + p.temp}
	ids = append(ids, "DEV_REFRESH_TOKEN="+p.login("apps/dev.yaml", ids...))
	state := filepath.Join(p.temp, "state")
	apply := func(want int, env []string, args ...string) string {
		t.Helper()
		code, _, stderr := p.run(p.checkout, p.environment(env...), append([]string{"tokenform", "apply", "apps", "--state", state}, args...)...)
		if code != want {
			t.Fatalf("%q: exit %d, want %d\n%s", args, code, want, stderr)
		}
		return stderr
	}
	lines := func() []string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(p.temp, ".env"))
		p.must(err)
		var names []string
		for line := range strings.Lines(string(b)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if !strings.HasPrefix(value, "BQ") {
				t.Errorf("%s has no token", name)
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}

	// A profile without a login does not stop the others.
	said := apply(4, ids)
	if !strings.Contains(said, "error: prod-player: a person must log in") || strings.Contains(said, "error: dev") {
		t.Errorf("it says\n%s", said)
	}
	if got := lines(); !slices.Equal(got, []string{"CATALOGUE_ACCESS_TOKEN", "DEV_ACCESS_TOKEN", "STAGING_ACCESS_TOKEN"}) {
		t.Errorf(".env has %q", got)
	}
	p.must(os.RemoveAll(state))
	p.must(os.Remove(filepath.Join(p.temp, ".env")))

	seed := p.login("apps/prod.yaml -p prod-player", ids...)
	ids = append(ids, "PROD_REFRESH_TOKEN="+seed)
	apply(0, ids, "-p", "prod*")
	if got := lines(); !slices.Equal(got, []string{"CATALOGUE_ACCESS_TOKEN", "PLAYER_ACCESS_TOKEN"}) {
		t.Errorf(".env has %q", got)
	}
	asked := p.server.Count("/api/token")
	apply(0, ids)
	if n := p.server.Count("/api/token") - asked; n != 2 || len(lines()) != 4 {
		t.Errorf("%d requests and %q, want the other two", n, lines())
	}
	apply(0, ids)
	if n := p.server.Count("/api/token") - asked; n != 2 {
		t.Errorf("the second apply sent %d requests", n-2)
	}
}
