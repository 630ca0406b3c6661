//go:build unix

package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"gopkg.in/yaml.v3"

	"tokenform/flow/sandbox"
)

// crontab reads the file as cron does: variables for all lines, and lines of five
// fields and a command ("crontab(5)").
func (p *pipeline) crontab() (env []string, lines [][2]string) {
	p.Helper()
	b, err := os.ReadFile(filepath.Join(p.checkout, "crontab"))
	p.must(err)
	variable := regexp.MustCompile(`^([A-Z_]+) *= *(.*)$`)
	entry := regexp.MustCompile(`^((?:[0-9*/,-]+ +){5})(\S.*)$`)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		switch m, e := variable.FindStringSubmatch(line), entry.FindStringSubmatch(line); {
		case line == "" || line[0] == '#':
		case m != nil && strings.Contains(m[2], "$"):
			p.Fatalf("cron does not expand %s", line)
		case m != nil:
			env = append(env, m[1]+"="+m[2])
		case e != nil && strings.Contains(e[2], "%"):
			p.Fatalf("a %% ends the command for cron: %s", line)
		case e != nil:
			lines = append(lines, [2]string{e[1], e[2]})
		default:
			p.Fatalf("cron does not understand %q", line)
		}
	}
	return env, lines
}

// TestPipelineCron runs the line in cron's own small environment. The line must keep a
// file valid from run to run, and print nothing, because cron would mail that, unless a
// person must log in.
func TestPipelineCron(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.install()
	p.must(os.CopyFS(filepath.Join(p.home, "spotify"), os.DirFS("pipelines/spotify")))
	p.must(os.Mkdir(filepath.Join(p.home, ".spotify"), 0o700))
	env, lines := p.crontab()
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	p.signIn(p.home, env, "apply", "spotify/service.yaml")

	// vixie-cron: "several environment variables are set up automatically".
	env = append([]string{"HOME=" + p.home, "LOGNAME=nobody", "SHELL=/bin/sh", "PATH=/usr/bin:/bin",
		"TOKENFORM_ACCOUNTS_URL=" + p.url, "TOKENFORM_API_URL=" + p.url}, env...)
	cron := func(i int) (code int, mail string) {
		t.Helper()
		code, stdout, stderr := p.run(p.home, env, "/bin/sh", "-c", lines[i][1])
		return code, stdout + stderr
	}
	file, state := filepath.Join(p.home, ".spotify", "token.env"), filepath.Join(p.home, ".spotify", "state")
	token := func() string { return tokenIn(t, file) }
	first := token()
	for i, c := range []struct {
		since   time.Duration
		renewed bool
	}{{0, false}, {20 * time.Minute, false}, {20 * time.Minute, true}, {20 * time.Minute, false}} {
		p.older(state, "service", c.since)
		before := token()
		if code, mail := cron(0); code != 0 || mail != "" {
			t.Fatalf("run %d: exit %d, mail %q", i, code, mail)
		}
		if now := token(); (now != before) != c.renewed || now != field(t, p.stateOf(state, "service"), "access_token") {
			t.Errorf("run %d: renewed %v, want %v", i, now != before, c.renewed)
		}
	}
	if first == token() {
		t.Error("the token of an hour ago is still there")
	}

	// The comment about min_ttl must be true: the token outlives the time between two
	// runs.
	every, err := strconv.Atoi(strings.TrimPrefix(strings.Fields(lines[0][0])[0], "*/"))
	p.must(err)
	b, err := os.ReadFile("pipelines/spotify/service.yaml")
	p.must(err)
	var profile struct {
		MinTTL string `yaml:"min_ttl"`
	}
	p.must(yaml.Unmarshal(b, &profile))
	if left, err := time.ParseDuration(profile.MinTTL); err != nil || left <= time.Duration(every)*time.Minute {
		t.Errorf("min_ttl is %s, but cron comes every %d minutes", profile.MinTTL, every)
	}

	p.older(state, "service", 168*24*time.Hour)
	if code, mail := cron(1); code != 0 || !strings.Contains(mail, "warning: service: the login ends on ") {
		t.Errorf("on Monday: exit %d, mail %q", code, mail)
	}
	p.server.RevokeAll()
	p.older(state, "service", time.Hour)
	if code, mail := cron(0); code != 4 || !strings.Contains(mail, "error: service: refreshing: refresh token revoked") || strings.Count(mail, "hint: ") != 3 || !strings.Contains(mail, "tokenform apply --renew -p service") {
		t.Errorf("revoked: exit %d, mail %q", code, mail)
	}
}

// tokenIn returns the token in an env file.
func tokenIn(t *testing.T, file string) string {
	t.Helper()
	fields, err := dotenv.Read(file)
	if err != nil || fields["SPOTIFY_ACCESS_TOKEN"] == "" {
		t.Fatalf("no token in %s: %v", file, err)
	}
	return fields["SPOTIFY_ACCESS_TOKEN"]
}
