package output

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"tokenform/config"
	"tokenform/flow/state"
)

// formatToken is a token as state has it: whole seconds.
func formatToken() *state.Token {
	t := someToken()
	t.Expires = expires.Truncate(time.Second)
	t.Obtained = t.Expires.Add(-time.Hour)
	return t
}

func clientFile(format string) config.Output {
	return config.Output{Type: "json", Shown: format + ".golden", Format: format}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "formats", name+".golden")
	if os.Getenv("GOLDEN") == "update" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", name, diff)
	}
}

// TestFormats writes every format for a user of an app with a secret, for a user of an
// app without a secret if the format differs, and for an app itself, and reads the
// users' files back.
func TestFormats(t *testing.T) {
	t.Parallel()
	for _, format := range config.JSONFormats {
		o := clientFile(format)
		o.RefreshToken = format == "tokenform"
		d := newDisk(t, o)
		d.p.RedirectURI = "http://127.0.0.1:8888/call%20back" // % is special to tekore's reader
		tok := formatToken()
		read := func() []byte {
			t.Helper()
			b, err := os.ReadFile(d.path(o.Shown))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		back := func() {
			t.Helper()
			got, err := ReadClientFile(o.Shown, read())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got.From, format) || got.RefreshToken != refresh {
				t.Errorf("%s is read as a file of %s", format, got.From)
			}
			if got.Access != access && format != "tekore" {
				t.Errorf("%s: the access token is lost", format)
			}
			hasTime := format != "tekore" && format != "spotify-web-api-node"
			if hasTime && !got.Expires.Equal(tok.Expires) || !hasTime && !got.Expires.IsZero() {
				t.Errorf("%s: it expires at %s, want %s", format, got.Expires, tok.Expires)
			}
			if got.Scopes != nil && !cmp.Equal(got.Scopes, []string{"streaming", "user-top-read"}) {
				t.Errorf("%s: scopes %q", format, got.Scopes)
			}
			if got.ClientID != "" && got.ClientID != "id" {
				t.Errorf("%s: client id %q", format, got.ClientID)
			}
		}
		d.says(d.apply(tok), "create "+o.Shown+": missing")
		golden(t, format, read())
		back()
		d.says(d.apply(tok))

		if o.NeedsSecret() {
			d.p.Client.Secret, d.p.Grant = nil, config.PKCE
			d.apply(tok)
			golden(t, format+".public", read())
			back()
		}

		switch format {
		case "spotipy", "spotify-tui", "tekore":
			continue // profiles cannot have this format
		}
		d.p.Client.Secret, d.p.Grant, d.p.RedirectURI, d.p.Scopes = config.Literal(client), config.ClientCredentials, "", nil
		tok.Refresh, tok.Scopes, tok.Authorized = "", nil, time.Time{}
		d.apply(tok)
		golden(t, format+".machine", read())
		if _, err := ReadClientFile("machine.json", read()); err == nil || !strings.Contains(err.Error(), "it contains no refresh token") {
			t.Errorf("%s without a refresh token: %v", format, err)
		}
	}
}

// TestFormatScopes checks that the file has the granted scopes, if the server named
// them: the client must not expect more.
func TestFormatScopes(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	d.p.Scopes = []string{"user-top-read", "app-remote-control"}
	for _, format := range []string{"spotipy", "spotify-tui", "rspotify", "SpotifyAPI-NET"} {
		for _, c := range []struct {
			granted []string
			want    string
		}{
			{[]string{"streaming"}, "streaming"},
			{[]string{}, ""},
			{nil, "app-remote-control user-top-read"}, // RFC 6749 section 5.1
		} {
			tok := formatToken()
			tok.Scopes = c.granted
			var got map[string]any
			if err := json.Unmarshal(fileContent(d.p, clientFile(format), tok, ""), &got); err != nil {
				t.Fatal(err)
			}
			name := "scope"
			if format == "SpotifyAPI-NET" {
				name = "Scope"
			}
			if got[name] != c.want {
				t.Errorf("%s, granted %q: scope %q, want %q", format, c.granted, got[name], c.want)
			}
		}
	}
}

// TestFormatTimes checks that no client computes a later end than the token's.
func TestFormatTimes(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	end := time.Date(2026, 11, 23, 21, 4, 5, 999_999_999, time.UTC)
	for _, obtained := range []time.Time{{}, end.Add(-time.Hour), end.Add(-time.Hour - time.Millisecond), end.Add(-1), end, end.Add(time.Minute)} {
		tok := formatToken()
		tok.Obtained, tok.Expires = obtained, end
		for _, format := range config.JSONFormats {
			b := fileContent(d.p, clientFile(format), tok, client)
			i := recognise(b)
			if i.Expires.After(end) || !i.Expires.IsZero() && i.Expires.Before(end.Add(-time.Second)) && format != "SpotifyAPI-NET" {
				t.Errorf("%s, obtained %s: it says %s", format, obtained, i.Expires)
			}
			if strings.Contains(string(b), ": -") {
				t.Errorf("%s, obtained %s: a negative lifetime:\n%s", format, obtained, b)
			}
		}
	}
}

// TestOAuth2Reads checks that golang.org/x/oauth2 reads the file as a valid token that
// expires.
func TestOAuth2Reads(t *testing.T) {
	t.Parallel()
	tok := formatToken()
	for _, c := range []struct {
		end   time.Time
		valid bool
	}{{time.Now().Add(time.Hour), true}, {time.Now().Add(-time.Minute), false}} {
		tok.Expires = c.end
		var got oauth2.Token
		if err := json.Unmarshal(fileContent(config.Profile{}, clientFile("oauth2"), tok, ""), &got); err != nil {
			t.Fatal(err)
		}
		if got.AccessToken != access || got.RefreshToken != refresh || got.Type() != "Bearer" || got.Valid() != c.valid || got.Expiry.Unix() != c.end.Unix() {
			t.Errorf("valid %v, expiry %s; want %v, %s", got.Valid(), got.Expiry, c.valid, c.end)
		}
	}
}

// TestConfigparserReads reads the file with Python's configparser, set up as in
// tekore's config_from_file.
func TestConfigparserReads(t *testing.T) {
	t.Parallel()
	d := newDisk(t, clientFile("tekore"))
	d.p.RedirectURI = "https://example.com/%7Eme/%(x)s?a=b;c#d"
	d.apply(formatToken())
	const script = `
import configparser, json, sys
c = configparser.ConfigParser()
c.optionxform = str
with open(sys.argv[1], 'r') as f:
    c.read_file(f)
d = c['DEFAULT']
print(json.dumps([[d.get(v, None) for v in ('SPOTIFY_CLIENT_ID', 'SPOTIFY_CLIENT_SECRET', 'SPOTIFY_REDIRECT_URI', 'SPOTIFY_USER_REFRESH')]]))`
	got := answers(t, exec.Command(program(t, "python3"), "-c", script, d.path("tekore.golden")))
	if diff := cmp.Diff([][]string{{"id", client, d.p.RedirectURI, refresh}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestFormatWithASecretFromACommand checks that a plan does not fetch the secret to
// find out whether the file is as tokenform wrote it.
func TestFormatWithASecretFromACommand(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the command of this test is a shell's")
	}
	for _, format := range []string{"spotify-web-api-node", "tekore"} {
		d := newDisk(t)
		runs := 0
		load := func(id string) {
			t.Helper()
			d.write("p.yaml", fmt.Sprintf(`profile: dev
client: {id: %s, secret: {command: [sh, -c, "echo x >> runs; echo %s"]}}
outputs: [{type: json, path: out, format: %s}]
`, id, client, format), 0o600)
			profiles, problems := config.Load(t.Context(), config.Sources{Env: func(string) (string, bool) { return "", false }, Dir: d.dir}, []string{"p.yaml"})
			if len(problems.Errors()) > 0 {
				t.Fatal(problems)
			}
			d.p = profiles[0]
		}
		ran := func(more int) {
			t.Helper()
			b, _ := os.ReadFile(d.path("runs"))
			if runs += more; strings.Count(string(b), "x") != runs {
				t.Errorf("ran %d times, want %d", strings.Count(string(b), "x"), runs)
			}
		}
		tok := formatToken()
		load("id")
		if changes, err := d.files.Stale(d.p, tok, d.recorded, false); err != nil {
			t.Fatal(err)
		} else {
			d.says(changes, "create out: missing")
		}
		ran(0)
		d.apply(tok)
		ran(1)

		load("id")
		d.says(d.apply(tok))
		ran(0)

		load("other")
		d.says(d.apply(tok), "update out: differs")
		ran(1)

		load("other")
		d.write("out", strings.ReplaceAll(string(fileContent(d.p, d.p.Outputs[0], tok, client)), client, "tampered"), 0o600)
		d.says(d.apply(tok), "update out: differs")
		ran(1)
		if b, err := os.ReadFile(d.path("out")); err != nil || !strings.Contains(string(b), client) {
			t.Errorf("%s: the secret is not in the file (%v)", format, err)
		}
	}
}
