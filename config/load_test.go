package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// write puts files into a new directory and returns the directory.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads profiles and fails the test if there is any problem.
func load(t testing.TB, src Sources, args ...string) []Profile {
	t.Helper()
	if src.Env == nil {
		src.Env = testEnv
	}
	ps, problems := Load(t.Context(), src, args)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", show(problems))
	}
	return ps
}

// one loads a single profile from standard input.
func one(t testing.TB, text string) Profile {
	t.Helper()
	ps := load(t, Sources{Dir: t.TempDir(), Stdin: ReadOnce(strings.NewReader("profile: dev\n" + text))}, "-")
	if len(ps) != 1 {
		t.Fatalf("%d profiles", len(ps))
	}
	return ps[0]
}

func known(t testing.TB, v *Value) string {
	t.Helper()
	s, ok := v.Known()
	if !ok {
		t.Fatal("the value is not known")
	}
	return s
}

var plainly = cmp.Options{
	cmpopts.IgnoreTypes(&Value{}, Client{}, Pos{}),
	cmpopts.IgnoreUnexported(Profile{}, Output{}),
}

func TestLoadEveryKey(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"p/dev.yaml": `
profile: dev
client:
  id: ${SPOTIFY_CLIENT_ID}
  secret: ${SPOTIFY_CLIENT_SECRET}
grant: authorization_code
scopes: [playlist-read-private, user-library-read]
redirect_uri: http://127.0.0.1:8888/cb
show_dialog: ${SHOW:-true}
min_ttl: 10m
login_lifetime: 150d
login_warning: 1w
refresh_token: ${SPOTIFY_REFRESH_TOKEN:-}
env_file: [../.env, .env]
verify: true
account: 0123
listen: 0.0.0.0:8888
state: ../state
outputs:
  - {type: env, path: out.env, keys: {access_token: A, expires_at: B}}
  - {type: json, path: ../token.json, refresh_token: true}
  - {type: stdout, format: export}
`,
		".env":   "SPOTIFY_CLIENT_ID=from-above\nSPOTIFY_CLIENT_SECRET=one\n",
		"p/.env": "export SPOTIFY_CLIENT_SECRET='two'\nSECRET=not this one\n",
	})
	got := load(t, Sources{Dir: dir}, "p/dev.yaml")
	want := []Profile{{
		Name:          "dev",
		Grant:         AuthorizationCode,
		Scopes:        []string{"playlist-read-private", "user-library-read"},
		RedirectURI:   "http://127.0.0.1:8888/cb",
		ShowDialog:    true,
		MinTTL:        10 * time.Minute,
		LoginLifetime: 150 * 24 * time.Hour,
		LoginWarning:  7 * 24 * time.Hour,
		NoSeed:        "p/dev.yaml:13:16: refresh_token is empty: the variable SPOTIFY_REFRESH_TOKEN has no value",
		Verify:        true,
		Account:       "0123",
		Listen:        "0.0.0.0:8888",
		State:         filepath.Join(dir, "state"),
		Dir:           filepath.Join(dir, "p"),
		Outputs: []Output{
			{Type: "env", Path: filepath.Join(dir, "p", "out.env"), Shown: "out.env", Keys: []Key{{"access_token", "A"}, {"expires_at", "B"}}},
			{Type: "json", Path: filepath.Join(dir, "token.json"), Shown: "../token.json", Format: "tokenform", RefreshToken: true},
			{Type: "stdout", Format: "export"},
		},
	}}
	if diff := cmp.Diff(want, got, plainly); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if id := known(t, got[0].Client.ID); id != "from-above" {
		t.Errorf("client.id is %q", id)
	}
	if secret := known(t, got[0].Client.Secret); secret != "two" {
		t.Errorf("the last env_file does not win: client.secret is %q", secret)
	}
	if got[0].RefreshToken != nil {
		t.Error("an empty refresh_token is a seed")
	}
	if at := got[0].Pos.String(); at != "p/dev.yaml:2:1" {
		t.Errorf("the profile stands at %s", at)
	}
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"tokenform.yml": "client: {id: abc}\n"})
	got := load(t, Sources{Dir: dir})
	want := []Profile{{
		Name:          "default",
		MovedFrom:     "tokenform",
		MovedByName:   true,
		Grant:         PKCE,
		RedirectURI:   DefaultRedirectURI,
		MinTTL:        DefaultMinTTL,
		LoginLifetime: DefaultLoginLifetime,
		LoginWarning:  DefaultLoginWarning,
		State:         filepath.Join(dir, ".tokenform"),
		Dir:           dir,
	}}
	if diff := cmp.Diff(want, got, plainly); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s := load(t, Sources{Dir: dir, State: "elsewhere"})[0].State; s != filepath.Join(dir, "elsewhere") {
		t.Errorf("--state: %s", s)
	}
	p := one(t, "client: {id: abc, secret: def}\nlogin_lifetime: 7d\n")
	if p.Grant != AuthorizationCode || p.LoginWarning != 7*24*time.Hour/10 {
		t.Errorf("grant %s, login_warning %s", p.Grant, p.LoginWarning)
	}
}

func TestLoadOrder(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"d/b.yml":            "client: {id: abc}\n",
		"d/a.yaml":           "profile: two\nclient: {id: abc}\n---\nprofile: one\nclient: {id: abc}\n",
		"d/deeper/no.yaml":   "not a profile",
		"d/folder.yaml/x":    "",
		"d/.hidden.yaml":     "not a profile",
		"d/notes.txt":        "not a profile",
		"z.yaml":             "client: {id: abc}\n",
		"never-named.yaml":   "not a profile",
		"d/deeper/readme.md": "",
	})
	src := Sources{Dir: dir, Stdin: ReadOnce(strings.NewReader("profile: in\nclient: {id: abc}\n"))}
	var names []string
	for _, p := range load(t, src, "z.yaml", "-", "d") {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "z in two one b" {
		t.Errorf("order: %s", got)
	}
}

// TestStdinTwice checks that a second load, as in watch, finds the same profiles on
// standard input.
func TestStdinTwice(t *testing.T) {
	t.Parallel()
	src := Sources{Dir: t.TempDir(), Stdin: ReadOnce(strings.NewReader("profile: in\nclient: {id: abc}\n"))}
	for range 2 {
		if ps := load(t, src, "-"); len(ps) != 1 || ps[0].Name != "in" {
			t.Errorf("%d profiles", len(ps))
		}
	}
}

// TestLoadMany checks that files which are read side by side keep their order and
// their problems.
func TestLoadMany(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 2300 {
		files[fmt.Sprintf("d/p%04d.yaml", i)] = fmt.Sprintf("client: {id: app%d}\n", i)
	}
	dir := write(t, files)
	told := 0
	for i, p := range load(t, Sources{Dir: dir, Many: func() { told++ }}, "d") {
		if id := known(t, p.Client.ID); p.Name != fmt.Sprintf("p%04d", i) || id != fmt.Sprintf("app%d", i) {
			t.Errorf("at %d: %s with %s", i, p.Name, id)
		}
	}
	if told != 1 {
		t.Errorf("told %d times that there are many", told)
	}

	files["d/p1000.yaml"], files["d/p2000.yaml"] = "client: {id: [}\n", "client: {}\n"
	profiles, problems := Load(t.Context(), Sources{Dir: write(t, files), Env: testEnv}, []string{"d"})
	if len(profiles) != 0 || len(problems) != 2 || problems[0].Pos.File != filepath.Join("d", "p1000.yaml") || problems[1].Pos.File != filepath.Join("d", "p2000.yaml") {
		t.Errorf("%d profiles, problems:\n%s", len(profiles), show(problems))
	}
}

// TestLoadRefuses checks errors that no single golden file can show.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.yaml":            "client: {id: abc}\n",
		"empty/x.txt":       "",
		"big.yaml":          "# " + strings.Repeat("x", maxBytes),
		"links/a.yaml":      "client: {id: abc}\noutputs: [{type: json, path: real/t.json}, {type: json, path: linked/t.json}]\n",
		"links/b.yaml":      "client: {id: abc}\noutputs: [{type: json, path: real/u.json}, {type: env, path: u.env, keys: {scope: A}}]\n",
		"links/real/u.json": "{}",
	})
	for from, to := range map[string]string{"linked": "real", "u.env": "real/u.json"} {
		if err := os.Symlink(filepath.FromSlash(to), filepath.Join(dir, "links", from)); err != nil {
			t.Skip(err)
		}
	}
	tests := []struct {
		name  string
		args  []string
		stdin string
		want  string
	}{
		{"nothing named", nil, "", "no tokenform.yaml in the current directory or above it, up to the repository root or home directory"},
		{"not there", []string{"b.yaml"}, "", "b.yaml: no such file or directory"},
		{"no profile in a directory", []string{"empty"}, "", "empty: no *.yaml or *.yml file in this directory"},
		{"too large", []string{"big.yaml"}, "", "big.yaml: larger than 1 MiB"},
		{"twice", []string{"a.yaml", "./a.yaml"}, "", "./a.yaml: named twice on the command line, also as a.yaml"},
		{"standard input twice", []string{"-", "-"}, "profile: x\nclient: {id: abc}", "-: standard input can be read only once"},
		{"standard input without a name", []string{"-"}, "client: {id: abc}", "-:1:1: the profile has no name"},
		{"empty standard input", []string{"-"}, "", "-: the file contains no profile"},
		{"large standard input", []string{"-"}, strings.Repeat("#", maxBytes+1), "-: larger than 1 MiB"},
		{"one file through a linked directory", []string{"links/a.yaml"}, "", "links/a.yaml:2:44: the output at links/a.yaml:2:11 already writes this file"},
		{"one file through a link", []string{"links/b.yaml"}, "", "links/b.yaml:2:44: the output at links/b.yaml:2:11 already writes this file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ps, problems := Load(t.Context(), Sources{Env: testEnv, Dir: dir, Stdin: ReadOnce(strings.NewReader(tt.stdin))}, tt.args)
			if problems.Error() != tt.want || ps != nil {
				t.Errorf("got  %s\nwant %s", problems, tt.want)
			}
			for _, p := range problems {
				if p.Hint == "" && !strings.Contains(tt.want, "no such file") {
					t.Error("no hint")
				}
			}
		})
	}
}

func TestAnchorsAndMerges(t *testing.T) {
	t.Parallel()
	p := one(t, `
client: {id: &id abc, secret: *id}
outputs:
  - &env
    type: env
    path: a.env
    keys: &keys {access_token: A, scope: S}
  - <<: *env
    path: b.env
  - {<<: [*env, {path: z, type: json}], path: c.env, keys: {<<: *keys, scope: T, profile: P}}
`)
	want := []Output{
		{Type: "env", Shown: "a.env", Keys: []Key{{"access_token", "A"}, {"scope", "S"}}},
		{Type: "env", Shown: "b.env", Keys: []Key{{"access_token", "A"}, {"scope", "S"}}},
		{Type: "env", Shown: "c.env", Keys: []Key{{"scope", "T"}, {"profile", "P"}, {"access_token", "A"}}},
	}
	if diff := cmp.Diff(want, p.Outputs, plainly, cmpopts.IgnoreFields(Output{}, "Path")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s := known(t, p.Client.Secret); s != "abc" {
		t.Errorf("client.secret is %q", s)
	}
}

// TestTextAsWritten checks texts to which YAML gives another meaning: 010 is 8.
func TestTextAsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"010", "0x1F", "1e3", "true", "2001-12-14", "!!str 010", "'010'", `"\u0030\u00310"`} {
		p := one(t, "client: {id: "+text+"}\n")
		want := strings.TrimPrefix(strings.Trim(text, "'"), "!!str ")
		if strings.HasPrefix(text, `"`) {
			want = "010"
		}
		if got := known(t, p.Client.ID); got != want {
			t.Errorf("id: %s is read as %q", text, got)
		}
	}
}

// TestNoValueChangesTheStructure checks that the value of a variable stays text,
// whatever YAML is in it.
func TestNoValueChangesTheStructure(t *testing.T) {
	t.Parallel()
	evil := "x\"}, secret: stolen #"
	env := func(string) (string, bool) { return evil, true }
	dir := write(t, map[string]string{"a.yaml": "client: {id: abc}\nstate: \"${EVIL}\"\n"})
	p := load(t, Sources{Dir: dir, Env: env}, "a.yaml")[0]
	if p.Client.Secret != nil || p.State != filepath.Join(dir, evil) {
		t.Errorf("state is %q", p.State)
	}
}

// TestCaps checks that a hostile file is refused quickly.
func TestCaps(t *testing.T) {
	repeat := func(s string) string { return strings.Repeat(s, (maxBytes-100)/len(s)) }
	var keys, bomb, merges strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&keys, "k%d: v\n", i)
	}
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	merges.WriteString("m0: &m0 {a: 1, b: 2}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
		fmt.Fprintf(&merges, "m%d: &m%d {<<: [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d,", i-1), 10), ","))
	}
	merges.WriteString("<<: *m29\n")
	unknown := strings.Repeat("login_life: v\n", 4000)
	tests := map[string]string{
		"keys":           keys.String(),
		"unknown keys":   unknown,
		"alias bomb":     bomb.String(),
		"merge bomb":     merges.String(),
		"aliases":        "a: &a b\nscopes: [" + strings.Repeat("*a,", 5000) + "]",
		"flow list":      "scopes: [" + repeat("a,"),
		"flow in flow":   repeat("["),
		"mappings":       repeat("{a: "),
		"nested list":    repeat("- "),
		"nested keys":    repeat("? "),
		"list":           repeat("-\n"),
		"comments":       repeat("a: #\n"),
		"documents":      repeat("---\na\n"),
		"carriage":       repeat("a:\r"),
		"depth":          "scopes: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"quoted":         "client: \"" + repeat(`\n`),
		"self":           "&a [*a, *a]",
		"self in client": "client: &a {id: *a, secret: {env: *a}}",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			// Each takes well under 200 ms. The race detector and a busy machine
			// make it ten times slower, so the best of three tries counts.
			best := time.Hour
			var problems Problems
			for try := 0; try < 3 && best > 200*time.Millisecond; try++ {
				start := time.Now()
				_, problems = Load(t.Context(), Sources{Env: testEnv, Dir: ".", Stdin: ReadOnce(strings.NewReader(text))}, []string{"-"})
				best = min(best, time.Since(start))
			}
			if len(problems.Errors()) == 0 {
				t.Fatal("accepted")
			}
			if best > time.Second {
				t.Errorf("took %s", best)
			}
			t.Logf("%s, %d problems, first: %s", best, len(problems), problems[0].Error())
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, `---
profile: p%d
client: {id: abc, secret: "${SECRET}"}
scopes: [playlist-read-private, user-library-read]
redirect_uri: http://127.0.0.1:8888/callback
outputs:
  - {type: env, path: p%d.env, keys: {access_token: SPOTIFY_ACCESS_TOKEN, expires_at: EXPIRES}}
  - {type: json, path: out/p%d.json}
`, i, i, i)
	}
	dir := write(b, map[string]string{"a.yaml": text.String()})
	b.ResetTimer()
	for range b.N {
		load(b, Sources{Dir: dir}, "a.yaml")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/profile")
}

// TestDefaultFiles checks where Load looks for profiles if no file is named.
func TestDefaultFiles(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"tokenform.yaml": "", "repo/.git/HEAD": "", "repo/tokenform.yml": "", "repo/a/b/x": "", "repo/both/tokenform.yaml": "", "repo/both/tokenform.yml": "",
		"empty/.git": "", "empty/a/x": "", "home/tokenform.yaml": "", "home/a/x": "", "outside/a/x": "", "outside/tokenform.yaml": "",
	})
	for at, want := range map[string]string{
		".": "tokenform.yaml", "repo": "tokenform.yml", "repo/a/b": "../../tokenform.yml", "repo/both": "tokenform.yaml tokenform.yml",
		"empty/a": "", "empty": "", // not above the repository, although a file is there
		"home/a": "../tokenform.yaml", "home": "tokenform.yaml",
		"outside/a": "", "outside": "tokenform.yaml", // whose file is above?
	} {
		env := func(name string) (string, bool) {
			return map[string]string{"HOME": filepath.Join(dir, "home")}[name], true
		}
		if got := strings.Join(DefaultFiles(Sources{Dir: filepath.Join(dir, at), Env: env}), " "); got != filepath.FromSlash(want) {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
		named := func(name string) (string, bool) { return map[string]string{"TOKENFORM_FILE": "x.yaml"}[name], true }
		if got := DefaultFiles(Sources{Dir: filepath.Join(dir, at), Env: named}); len(got) != 1 || got[0] != "x.yaml" {
			t.Errorf("%s, named: %q", at, got)
		}
	}
	_, problems := Load(t.Context(), Sources{Dir: filepath.Join(dir, "repo/both"), Env: testEnv}, nil)
	if got := show(problems); !strings.Contains(got, "warning: tokenform.yaml: tokenform.yml also exists and is not read") {
		t.Error(got)
	}
}

// TestDefaultEnvFile checks .env beside the profile: read without being named, beneath
// the process environment, and not read if nothing needs it or env_file says otherwise.
func TestDefaultEnvFile(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"p.yaml":      "client: {id: \"${ID}\", secret: {env: KEY}}\n",
		"none.yaml":   "client: {id: \"${ID}\"}\nenv_file: []\n",
		".env":        "ID=of-env\nKEY='of#env'\n",
		"a/p.yaml":    "client: {id: \"${ID}\"}\n",
		"b/p.yaml":    "client: {id: plain}\n",
		"b/.env":      "\xff\xfeI\x00D\x00",
		"b/uses.yaml": "client: {id: \"${ID}\"}\n",
	})
	got := load(t, Sources{Dir: dir, Env: testEnv}, "p.yaml")[0]
	if id, secret := known(t, got.Client.ID), known(t, got.Client.Secret); id != "of-env" || secret != "of#env" {
		t.Errorf("id %q, secret %q", id, secret)
	}
	if want := []string{filepath.Join(dir, ".env")}; !slices.Equal(got.envFiles, want) {
		t.Errorf("watch would look at %q", got.envFiles)
	}
	process := func(name string) (string, bool) { return "of-process", name == "ID" }
	if id := known(t, load(t, Sources{Dir: dir, Env: process}, "p.yaml")[0].Client.ID); id != "of-process" {
		t.Errorf("the process environment does not win: %q", id)
	}
	for file, want := range map[string]string{
		"none.yaml":   "none.yaml:1:14: client.id: the variable ID is not set",
		"a/p.yaml":    "a/p.yaml:1:14: client.id: the variable ID is not set",
		"b/p.yaml":    "",
		"b/uses.yaml": "b/.env: the file is UTF-16",
	} {
		_, problems := Load(t.Context(), Sources{Dir: dir, Env: testEnv}, []string{file})
		if got := show(problems.Errors()); want == "" && got != "" || !strings.Contains(filepath.ToSlash(got), want) {
			t.Errorf("%s: %s", file, got)
		}
	}
}

// TestDefaults checks what profiles take from the defaults of their directory and of
// their file.
func TestDefaults(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"apps/defaults.yaml": "defaults:\n  client: {id: shared, secret: s}\n  scopes: [user-read-email]\n  state: ../state\n  min_ttl: 10m\n",
		"apps/a.yaml":        "scopes: [user-read-private]\n",
		"apps/b.yml":         "client: {id: own}\n",
		"apps/c.yaml":        "grant: client_credentials\n",
		"file.yaml":          "defaults: {client: {id: x}, min_ttl: 7m}\n---\nprofile: d\n---\nprofile: e\nmin_ttl: 8m\n",
		"one.yaml":           "defaults: {client: {id: x}}\n---\nmin_ttl: 9m\n",
		"sub/defaults.yaml":  "client: {id: y}\n",
	})
	for args, want := range map[string]string{
		"apps":        "a shared authorization_code [user-read-private] 10m0s state, b own pkce [user-read-email] 10m0s state, c shared client_credentials [] 10m0s state",
		"apps/a.yaml": "a shared authorization_code [user-read-private] 10m0s state",
		"file.yaml":   "d x pkce [] 7m0s .tokenform, e x pkce [] 8m0s .tokenform",
		"one.yaml":    "one x pkce [] 9m0s .tokenform",
		"sub":         "defaults y pkce [] 5m0s .tokenform", // a profile that has this name
	} {
		var got []string
		for _, p := range load(t, Sources{Dir: dir, Env: testEnv}, args) {
			got = append(got, fmt.Sprint(p.Name, " ", known(t, p.Client.ID), " ", p.Grant, " ", p.Scopes, " ", p.MinTTL, " ", filepath.Base(p.State)))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: %s\nwant %s", args, got, want)
		}
	}
	if ok, err := Declares(filepath.Join(dir, "one.yaml"), "one"); !ok || err != nil {
		t.Errorf("one.yaml: %v, %v", ok, err)
	}
	if ok, err := Declares(filepath.Join(dir, "apps", "defaults.yaml"), "defaults"); ok || err != nil {
		t.Errorf("Declares counts defaults as a profile: %v, %v", ok, err)
	}
	_, problems := Load(t.Context(), Sources{Dir: dir, Env: testEnv}, []string{"apps/defaults.yaml"})
	if got := show(problems); !strings.Contains(got, "the file contains no profile, only the defaults of its directory") {
		t.Error(got)
	}
	before := Stamp(Sources{Dir: dir, Env: testEnv}, []string{"apps/a.yaml"}, nil)
	if err := os.WriteFile(filepath.Join(dir, "apps", "defaults.yaml"), []byte("defaults: {client: {id: z}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !Stamp(Sources{Dir: dir, Env: testEnv}, []string{"apps/a.yaml"}, nil).Changed(before) {
		t.Error("watch does not notice changed defaults")
	}
}

// TestDefaultsOpen checks that a secret in defaults is found in their file.
func TestDefaultsOpen(t *testing.T) {
	dir := write(t, map[string]string{
		"defaults.yaml": "defaults: {client: {id: x, secret: s}}\n",
		"a.yaml":        "scopes: []\n",
	})
	if err := os.Chmod(filepath.Join(dir, "defaults.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := show(Inspect(t.Context(), load(t, Sources{Dir: dir, Env: testEnv}, "a.yaml")))
	if runtime.GOOS != "windows" && !strings.Contains(got, "hint: chmod 600 defaults.yaml") {
		t.Error(got)
	}
}
