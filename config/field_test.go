package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestE2GitRunsNothing checks that a question to git about somebody else's repository
// runs no program that the repository's configuration names.
func TestE2GitRunsNothing(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here")
	}
	dir := write(t, map[string]string{"p.yaml": "client: {id: abc, secret: literal}\noutputs: [{type: json, path: token.json}]\n", "evil": "#!/bin/sh\ntouch ran\n"})
	if err := os.Chmod(filepath.Join(dir, "evil"), 0o700); err != nil {
		t.Fatal(err)
	}
	evil := filepath.Join(dir, "evil")
	for _, args := range [][]string{
		{"init", "-q"}, {"config", "core.fsmonitor", evil}, {"config", "core.pager", evil}, {"config", "core.hooksPath", dir}, {"-c", "core.fsmonitor=false", "add", "p.yaml"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	found := Inspect(t.Context(), load(t, Sources{Dir: dir}, "p.yaml"))
	if len(found) < 2 { // the literal secret and the output: git was asked
		t.Errorf("found %v", found)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("the repository's program ran")
	}
}

// TestD7StateWithTheProfile checks that the profile's own directory, or one above it,
// is refused as a state directory, whatever path leads to it.
func TestD7StateWithTheProfile(t *testing.T) {
	dir := write(t, map[string]string{
		"here.yaml": "client: {id: abc}\nstate: .\n", "p/above.yaml": "client: {id: abc}\nstate: ..\n",
		"linked.yaml": "client: {id: abc}\nstate: link\n", "fine.yaml": "client: {id: abc}\nstate: p/tokens\n",
	})
	if err := os.Symlink(".", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	for file, src := range map[string]Sources{"here.yaml": {}, "p/above.yaml": {}, "linked.yaml": {}, "fine.yaml": {State: "p/.."}} {
		src.Dir, src.Env = dir, testEnv
		_, problems := Load(t.Context(), src, []string{file})
		if got := show(problems); !strings.Contains(got, "the profile is inside a state directory") || !strings.Contains(got, ".tokenform") {
			t.Errorf("%s: %s", file, got)
		}
	}
	load(t, Sources{Dir: dir, Env: testEnv}, "fine.yaml")
}

// TestB4References checks that the value of a variable of an env_file is not used as
// written if it refers to another variable.
func TestB4References(t *testing.T) {
	for value, want := range map[string]string{
		"${BASE}-id":         "!",
		`"${BASE}-id"`:       "!",
		"$BASE":              "!",
		"a$b":                "!",
		`"x$y"`:              "!",
		"${BASE:-x}":         "!",
		"id-${_}":            "!",
		"'${BASE}-id'":       "${BASE}-id",
		"'a$b'":              "a$b",
		`"a\$b"`:             "a$b",
		"5$":                 "5$",
		"a$5":                "a$5",
		"$(id)":              "$(id)",
		"x # ${BASE} is old": "x",
	} {
		dir := write(t, map[string]string{
			"p.yaml":    "client: {id: abc}\naccount: ${A}\nenv_file: [vars.env]\n",
			"lazy.yaml": "client: {id: abc, secret: {env: A}}\nenv_file: [vars.env]\n",
			"off.yaml":  "client: {id: abc}\nenv_file: [vars.env]\n",
			"vars.env":  "BASE=x\nA=" + value + "\n",
		})
		for _, file := range []string{"p.yaml", "lazy.yaml"} {
			ps, problems := Load(t.Context(), Sources{Dir: dir, Env: testEnv}, []string{file})
			got := show(problems)
			switch refused := strings.Contains(got, "vars.env:2:1: A: the value refers to another variable"); {
			case refused != (want == "!") || refused && !strings.Contains(got, "single quotes"):
				t.Errorf("%s, %s: %s", file, value, got)
			case !refused && file == "p.yaml" && ps[0].Account != want:
				t.Errorf("%s: %q, want %q", value, ps[0].Account, want)
			}
		}
		load(t, Sources{Dir: dir}, "off.yaml") // no profile uses the variable
		set := func(name string) (string, bool) { return "fine", name == "A" }
		load(t, Sources{Dir: dir, Env: set}, "lazy.yaml") // the environment wins
	}
}

// TestB5ClientID checks that a client id of an unusual form gives a warning, but only
// if the profile is for Spotify itself.
func TestB5ClientID(t *testing.T) {
	const real = "0123456789abcdef0123456789abcdef"
	dir := write(t, map[string]string{
		"p.yaml": "client: {id: \"${ID}\"}\n", "secret.yaml": "client: {id: " + real + ", secret: not-hexadecimal}\n",
	})
	for id, wrong := range map[string]bool{
		real: false, "YOUR_CLIENT_ID": true, "abc": true, real + "0": true, real[1:]: true, strings.ToUpper(real): true,
		"0123456789abcdef0123456789abcdeg": true, "spotify-app-0123456789abcdef0123": true,
	} {
		env := func(string) (string, bool) { return id, true }
		for _, spotify := range []bool{true, false} {
			ps, problems := Load(t.Context(), Sources{Dir: dir, Env: env, Spotify: spotify}, []string{"p.yaml"})
			if got := show(problems); len(ps) != 1 || strings.HasPrefix(got, "warning: p.yaml:1:14: client.id: a client ID has 32 hexadecimal digits") != (wrong && spotify) || strings.Contains(got, id) {
				t.Errorf("%s, %t: %s", id, spotify, got)
			}
		}
	}
	load(t, Sources{Dir: dir, Spotify: true}, "secret.yaml")
}

// TestB7EmptyInCI checks the hint about an empty secret, which is usual in a pull
// request from a fork.
func TestB7EmptyInCI(t *testing.T) {
	dir := write(t, map[string]string{
		"seed.yaml":    "client: {id: abc}\nrefresh_token: ${SPOTIFY_REFRESH_TOKEN:-}\n",
		"literal.yaml": "client: {id: abc}\nrefresh_token: ''\n",
		"secret.yaml":  "client:\n  id: abc\n  secret: ${SECRET}\n",
	})
	for _, ci := range []string{"", "true"} {
		const forks = "CI does not pass secrets to pull requests from forks"
		env := func(empty bool) func(string) (string, bool) {
			return func(name string) (string, bool) { return map[string]string{"CI": ci}[name], empty || name == "CI" }
		}
		for _, empty := range []bool{true, false} {
			p := load(t, Sources{Dir: dir, Env: env(empty)}, "seed.yaml")[0]
			if want := "seed.yaml:2:16: refresh_token is empty: the variable SPOTIFY_REFRESH_TOKEN has no value"; !strings.HasPrefix(p.NoSeed, want) || strings.Contains(p.NoSeed, forks) != (ci != "") || p.RefreshToken != nil {
				t.Errorf("%q", p.NoSeed)
			}
			_, problems := Load(t.Context(), Sources{Dir: dir, Env: env(empty)}, []string{"secret.yaml"})
			if got := show(problems); !strings.Contains(got, "secret.yaml:3:11: client.secret") || strings.Contains(got, forks) != (ci != "") {
				t.Errorf("%s", got)
			}
		}
		if p := load(t, Sources{Dir: dir, Env: env(true)}, "literal.yaml")[0]; p.NoSeed != "" {
			t.Errorf("%q", p.NoSeed)
		}
	}
}

// TestC3Unselected checks that profiles which are not selected need no variables and
// files of their own, and that everything else about them is still checked.
func TestC3Unselected(t *testing.T) {
	dir := write(t, map[string]string{"apps/apps.yaml": `profile: prod-one
client: {id: "${PROD_ID}", secret: "${PROD_SECRET}"}
outputs: [{type: env, path: prod.env, keys: {access_token: T}}]
---
profile: dev
client: {id: "${DEV_ID}", secret: {file: missing.txt}}
env_file: [missing.env]
account: ${DEV_ACCOUNT:?ask Ann}
min_ttl: ${DEV_TTL}
scopes: ["${DEV_SCOPE}"]
state: ${DEV_STATE}
refresh_token: {env: DEV_SEED}
outputs: [{type: json, path: "${DEV_PATH}"}, {type: template, path: x, template: missing.tmpl}]
---
profile: staging
client: {id: "${STAGING_ID}"}
redirect_uri: ${STAGING_URI}
`, "apps/more.yaml": "client: {id: \"${MORE_ID}\"}\n"})
	env := func(name string) (string, bool) { return "abc", strings.HasPrefix(name, "PROD_") }
	for _, pattern := range []string{"prod*", "prod-one", "prod-[o]ne", "*-one"} {
		all := load(t, Sources{Dir: dir, Env: env, Only: []string{pattern}}, "apps")
		ps, err := Select(all, []string{pattern})
		if err != nil || len(ps) != 1 || ps[0].Name != "prod-one" {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	for pattern, want := range map[string]string{
		"dev":     "the variable DEV_ID is not set",
		"more":    "the variable MORE_ID is not set",
		"[":       "the variable STAGING_ID is not set", // Select reports the bad pattern
		"":        "the variable STAGING_ID is not set",
		"staging": "the variable STAGING_URI is not set",
	} {
		only := []string{pattern}
		if pattern == "" {
			only = nil
		}
		if _, problems := Load(t.Context(), Sources{Dir: dir, Env: env, Only: only}, []string{"apps"}); !strings.Contains(show(problems), want) {
			t.Errorf("%s: %s", pattern, show(problems))
		}
	}
	// An unknown key is an error, whether or not the profile is selected.
	dir = write(t, map[string]string{"p.yaml": "profile: a\nclient: {id: abc}\n---\nprofile: b\nclient: {id: \"${B}\"}\nscope: [x]\n"})
	if _, problems := Load(t.Context(), Sources{Dir: dir, Env: env, Only: []string{"a"}}, []string{"p.yaml"}); !strings.Contains(show(problems), "unknown key") || len(problems) != 1 {
		t.Errorf("%s", show(problems))
	}
}

// TestE6OtherLines checks that lines which only other readers understand cause no
// error.
func TestE6OtherLines(t *testing.T) {
	dir := write(t, map[string]string{
		"p.yaml":    "client: {id: \"${ID}\"}\nenv_file: [vars.env]\n",
		"lone.yaml": "client: {id: \"${LONE}\"}\nenv_file: [vars.env]\n",
		"open.yaml": "client: {id: \"${OPEN}\"}\nenv_file: [vars.env]\n",
		"vars.env":  "LONE\nexport A\nA.B=1\nA-B=2\nyaml: 3\n[section]\nOPEN=\"x\nTAIL='a'b\n1X=2\nsome text = here\nID=abc\n",
	})
	load(t, Sources{Dir: dir}, "p.yaml")
	for file, want := range map[string]string{
		"lone.yaml": "the variable LONE is not set\nhint: export it, put it in the env_file (.env by default), or give it a default: ${LONE:-…}; line 1 of vars.env is not NAME=value and was skipped",
		"open.yaml": "vars.env:7:1: OPEN: missing closing quote",
	} {
		_, problems := Load(t.Context(), Sources{Dir: dir, Env: testEnv}, []string{file})
		got := show(problems)
		if i := strings.Index(got, "  | "); i >= 0 { // compare without the excerpt
			got = got[:i] + got[strings.Index(got, "hint: "):]
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", file, got)
		}
	}
	env := func(string) (string, bool) { return "abc", true }
	load(t, Sources{Dir: dir, Env: env}, "lone.yaml") // docker reads the line so
}
