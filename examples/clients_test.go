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
	url             string // the stand-in
	access, refresh string // as in state
}

// TestClients applies one profile for each json format. Every file must have the token
// of state, stay as it is at the second apply, and work with its client, if the client
// can be installed here: npm ci in testdata/clients does that. The client asks the Web
// API for the account with the file's access token, and again with a token that it got
// with the file's refresh token.
func TestClients(t *testing.T) {
	t.Parallel()
	clients := map[string]func(*testing.T, clientWorld){
		"oauth2":               useOAuth2,
		"web-api-ts-sdk":       useNode("web-api-ts-sdk"),
		"spotify-web-api-node": useNode("spotify-web-api-node"),
	}
	for _, format := range config.JSONFormats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := newClientWorld(t, format)
			if use := clients[format]; use != nil {
				use(t, w)
			}
		})
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
	dir := filepath.Dir(w.file)
	if code, stdout, stderr := run(t, dir, surroundings(dir, w.url), "apply", "--debug"); code != 0 || !strings.Contains(stderr, "dev: adopted a token, valid for 59m") || strings.Contains(stderr, "POST") {
		t.Errorf("apply: exit %d\n%s%s", code, stdout, stderr)
	}
	state, err := os.ReadFile(stateAt(filepath.Join(dir, ".tokenform"), "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	if field(t, state, "access_token") != fresh.AccessToken {
		t.Error("state has another token than the client")
	}
}

// useNode runs testdata/clients/NAME.mjs, and checks what NAME.mjs prints.
func useNode(name string) func(*testing.T, clientWorld) {
	return func(t *testing.T, w clientWorld) {
		clientsNeed(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", "--no-deprecation", name+".mjs", w.file, "app", w.url)
		cmd.Dir = "testdata/clients"
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, &said)
		}
		if want := `{"valid":true,"user":"sandbox-user","later":"sandbox-user"}`; strings.TrimSpace(string(out)) != want {
			t.Errorf("%s sees %s\nwant %s", name, out, want)
		}
	}
}

// clientsNeed skips the test if a needed program is not installed, or fails the test if
// TOKENFORM_TEST_CLIENTS says that it must be there.
func clientsNeed(t *testing.T) {
	t.Helper()
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node is not installed"
	} else if _, err := os.Stat("testdata/clients/node_modules/spotify-web-api-node"); err != nil {
		missing = "npm ci has not been run in examples/testdata/clients"
	}
	switch {
	case missing == "":
	case os.Getenv("TOKENFORM_TEST_CLIENTS") == "require":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}
