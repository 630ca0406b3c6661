package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"tokenform/config"
	"tokenform/flow/sandbox"
	"tokenform/output"
)

// clientWorld is a profile with one json output after the first apply.
type clientWorld struct {
	file            string // the output
	url             string // of the stand-in
	content         []byte // of file
	access, refresh string // as state has them
}

// clientPrograms are the clients that are programs of their own: examples/testdata/clients
// has them, and its install script installs them.
var clientPrograms = []struct {
	name, format string
	argv         []string
	adopted      bool // the client's file says when its token ends
}{
	{"spotipy", "spotipy", []string{"CACHE/venv/bin/python", "spotipy-client.py"}, true},
	{"tekore", "tekore", []string{"CACHE/venv/bin/python", "tekore-client.py"}, false},
	{"rspotify", "rspotify", []string{"CACHE/cargo/debug/rust"}, true},
	{"zmb3", "oauth2", []string{"CACHE/zmb3"}, true},
	{"web-api-ts-sdk", "web-api-ts-sdk", []string{"node", "web-api-ts-sdk.mjs"}, true},
	{"spotify-web-api-node", "spotify-web-api-node", []string{"node", "--no-deprecation", "spotify-web-api-node.mjs"}, false},
}

// TestClients applies one profile for each json format. Every file holds the
// token that state has, is left alone by the second apply, and is used by the
// client that it is for. The client asks the Web API who it is with the file's
// access token, and again with a token that it got with the file's refresh token.
// It keeps that token in the file, and the next apply adopts the token, or, if the
// file does not say when its token ends, repairs the file.
func TestClients(t *testing.T) {
	t.Parallel()
	test := func(name, format string, use func(*testing.T, clientWorld)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newClientWorld(t, format)
			if use != nil {
				use(t, w)
			}
		})
	}
	var tested []string
	for _, c := range clientPrograms {
		test(c.name, c.format, func(t *testing.T, w clientWorld) { useProgram(t, w, c.argv, c.adopted) })
		tested = append(tested, c.name)
	}
	test("oauth2", "oauth2", useOAuth2)
	for _, format := range config.JSONFormats {
		if format != "oauth2" && !slices.Contains(tested, format) {
			test(format, format, nil) // no client of it can be installed here
		}
	}
}

func newClientWorld(t *testing.T, format string) clientWorld {
	t.Helper()
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	w := clientWorld{file: filepath.Join(dir, "token.json"), url: url}
	app := "{id: app, secret: hush-hush}"
	if format == "web-api-ts-sdk" {
		app = "{id: app}" // the client refreshes without a secret
	}
	more := ""
	if format == "tokenform" {
		more = ", refresh_token: true"
	}
	write(t, filepath.Join(dir, "tokenform.yaml"), `profile: dev
client: `+app+`
redirect_uri: http://127.0.0.1/callback
scopes: [streaming, user-read-email]
outputs: [{type: json, path: token.json, format: `+format+more+`}]
`)
	env := surroundings(dir, url, "BROWSER="+robot(t))
	apply := func(args ...string) []byte {
		t.Helper()
		if code, _, stderr := run(t, dir, env, args...); code != 0 {
			t.Fatalf("%q: exit %d\n%s", args, code, stderr)
		}
		b, err := os.ReadFile(w.file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := apply("apply", "--login", "browser")
	apply("plan", "--detailed-exitcode")
	if again := apply("apply"); !bytes.Equal(first, again) {
		t.Error("the second apply changed the file")
	}

	state, err := os.ReadFile(stateAt(filepath.Join(dir, ".tokenform"), "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	w.content = first
	w.access, w.refresh = field(t, state, "access_token"), field(t, state, "refresh_token")
	got, err := output.ReadClientFile("token.json", first)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.From, format) {
		t.Errorf("it is read as a file of %s", got.From)
	}
	if got.RefreshToken != w.refresh || got.Access != w.access && format != "tekore" {
		t.Error("the file does not hold the token that state has")
	}
	if !got.Expires.IsZero() && got.Expires.Format(time.RFC3339) != field(t, state, "expires_at") {
		t.Errorf("the file ends at %s, state at %s", got.Expires.Format(time.RFC3339), field(t, state, "expires_at"))
	}
	if got.Scopes != nil && !slices.Equal(got.Scopes, []string{"streaming", "user-read-email"}) {
		t.Errorf("scopes %q", got.Scopes)
	}
	return w
}

// useOAuth2 reads the file like a program with golang.org/x/oauth2, such as
// zmb3/spotify's samples.
func useOAuth2(t *testing.T, w clientWorld) {
	b, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	var tok oauth2.Token
	if err := json.Unmarshal(b, &tok); err != nil {
		t.Fatal(err)
	}
	left := time.Until(tok.Expiry) // a token without expiry would be valid forever, and left negative
	if !tok.Valid() || tok.AccessToken != w.access || tok.RefreshToken != w.refresh || left <= 0 || left > time.Hour {
		t.Errorf("x/oauth2 finds another token: valid %v, expiry %s", tok.Valid(), tok.Expiry)
	}
	app := oauth2.Config{ClientID: "app", ClientSecret: "hush-hush", Endpoint: oauth2.Endpoint{TokenURL: w.url + "/api/token", AuthStyle: oauth2.AuthStyleInHeader}}
	over := tok
	over.AccessToken, over.Expiry = "over", time.Now().Add(-time.Hour)
	for _, tok := range []*oauth2.Token{&tok, &over} {
		r, err := app.Client(t.Context(), tok).Get(w.url + "/v1/me")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("the Web API answers %s", r.Status)
		}
	}

	// The program refreshes on its own and writes the answer back; tokenform must adopt
	// that token.
	fresh, err := app.TokenSource(t.Context(), &over).Token()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(fresh); err != nil {
		t.Fatal(err)
	}
	write(t, w.file, string(b))
	applyAfter(t, w, true)
}

// applyAfter applies after the client has written to its file, and checks that
// tokenform adopts the client's token, or else puts its own back. Neither takes a
// request for a token.
func applyAfter(t *testing.T, w clientWorld, adopted bool) {
	t.Helper()
	kept, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(kept, w.content) {
		t.Fatal("the client did not write to its file")
	}
	dir := filepath.Dir(w.file)
	said := "1 output written"
	if adopted {
		said = "dev: adopted a token, valid for 59m"
	}
	code, stdout, stderr := run(t, dir, surroundings(dir, w.url), "apply", "--debug")
	if code != 0 || !strings.Contains(stderr, said) || strings.Contains(stderr, "POST") {
		t.Errorf("apply: exit %d\n%s%s", code, stdout, stderr)
	}
	state, err := os.ReadFile(stateAt(filepath.Join(dir, ".tokenform"), "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	access := field(t, state, "access_token")
	if fromClient := access != w.access && bytes.Contains(kept, []byte(access)); fromClient != adopted || !adopted && access != w.access {
		t.Errorf("state has the client's token: %v, want %v", fromClient, adopted)
	}
	after, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := output.ReadClientFile("token.json", after); err != nil || now.RefreshToken != w.refresh || now.Access != "" && now.Access != access {
		t.Errorf("the file is not that of state after apply: %v", err)
	}
	if !adopted && !bytes.Equal(after, w.content) {
		t.Errorf("apply did not repair the file: %q", stderr)
	}
	if code, _, stderr := run(t, dir, surroundings(dir, w.url), "plan", "--detailed-exitcode"); code != 0 {
		t.Errorf("plan finds changes after apply: exit %d\n%s", code, stderr)
	}
}

// useProgram runs a client, which prints what it saw.
func useProgram(t *testing.T, w clientWorld, argv []string, adopted bool) {
	argv = slices.Clone(argv)
	argv[0] = installed(t, argv[0])
	if argv[0] == "node" {
		installed(t, "testdata/clients/node_modules/.installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], w.file, "app", w.url)...)
	cmd.Dir = "testdata/clients"
	cmd.Env = append(os.Environ(), "CLIENT_SECRET=hush-hush", "PYTHONDONTWRITEBYTECODE=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	var saw struct {
		Valid       bool
		User, Later string
	}
	if err := json.Unmarshal(out, &saw); err != nil || !saw.Valid || saw.User != "sandbox-user" || saw.Later != "sandbox-user" {
		t.Errorf("the client sees %s (%v)\n%s", out, err, &said)
	}
	applyAfter(t, w, adopted)
}

// installed returns the path of a program, or of a file, that the install script of
// testdata/clients brings, with CACHE for the folder that the script installs to.
// Without it the test is skipped, or fails if TOKENFORM_TEST_CLIENTS says that it
// must be there.
func installed(t *testing.T, name string) string {
	t.Helper()
	path := name
	if rest, ok := strings.CutPrefix(name, "CACHE/"); ok {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(cache, "tokenform-tests", rest)
	}
	var err error
	if strings.Contains(path, "/") {
		_, err = os.Stat(path)
	} else {
		_, err = exec.LookPath(path)
	}
	switch {
	case err == nil:
	case os.Getenv("TOKENFORM_TEST_CLIENTS") == "require":
		t.Fatalf("%v: run examples/testdata/clients/install", err)
	default:
		t.Skipf("%v: run examples/testdata/clients/install", err)
	}
	return path
}
