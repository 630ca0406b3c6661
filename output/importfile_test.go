package output

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tokenform/config/fault"
)

// TestReadClientFile reads files that clients have written themselves, if these differ
// from ours, and files that are no token files.
func TestReadClientFile(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 23, 20, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name, data string
		want       Imported
		wrong      string // the error, after the name
	}{
		{"spotipy, one line", `{"access_token": "BQa", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "AQr", "scope": "b a", "expires_at": 1795464245}`,
			Imported{From: "spotipy or spotify-tui", RefreshToken: "AQr", Access: "BQa", Expires: end, Scopes: []string{"a", "b"}}, ""},
		{"spotipy without scopes", `{"access_token":"BQa","refresh_token":"AQr","scope":null,"expires_at":1795464245.5}`,
			Imported{From: "spotipy or spotify-tui", RefreshToken: "AQr", Access: "BQa", Expires: end}, ""},
		{"rspotify, nanoseconds", `{"access_token":"BQa","expires_in":3600,"expires_at":"2026-11-23T20:04:05.123456789Z","refresh_token":"AQr","scope":"a"}`,
			Imported{From: "rspotify", RefreshToken: "AQr", Access: "BQa", Expires: end.Add(123456789), Scopes: []string{"a"}}, ""},
		{"oauth2 with a zone", `{"access_token":"BQa","token_type":"Bearer","refresh_token":"AQr","expiry":"2026-11-23T21:04:05.5+01:00"}`,
			Imported{From: "oauth2", RefreshToken: "AQr", Access: "BQa", Expires: end.Add(time.Second / 2)}, ""},
		{"oauth2 without an access token", `{"refresh_token":"AQr"}`, Imported{From: "oauth2", RefreshToken: "AQr"}, ""},
		{"the SDK's cache", `{"access_token":"BQa","token_type":"Bearer","expires_in":3600,"refresh_token":"AQr","scope":"a","expires":1795464245250}`,
			Imported{From: "web-api-ts-sdk", RefreshToken: "AQr", Access: "BQa", Expires: end.Add(time.Second / 4), Scopes: []string{"a"}}, ""},
		{"the SDK's never", `{"access_token":"BQa","refresh_token":"AQr","expires":-1}`, Imported{From: "web-api-ts-sdk", RefreshToken: "AQr", Access: "BQa"}, ""},
		{"SpotifyAPI-NET, ticks and an unknown zone", `{"AccessToken":"BQa","TokenType":"Bearer","ExpiresIn":3600,"Scope":"a","RefreshToken":"AQr","CreatedAt":"2026-11-23T19:04:05.0000000","IsExpired":false}`,
			Imported{From: "SpotifyAPI-NET", RefreshToken: "AQr", Access: "BQa", Expires: end, Scopes: []string{"a"}}, ""},
		{"spotify-web-api-node", `{"refreshToken":"AQr"}`, Imported{From: "spotify-web-api-node", RefreshToken: "AQr"}, ""},
		{"tekore, another section", "# mine\n[user]\nSPOTIFY_CLIENT_ID: id\n\n[other]\nSPOTIFY_USER_REFRESH=AQr\r\n",
			Imported{From: "tekore", RefreshToken: "AQr", ClientID: "id"}, ""},
		{"our state", `{"version":1,"profile":"dev","client_id":"id","access_token":"BQa","expires_at":"2026-11-23T20:04:05Z","refresh_token":"AQr"}`,
			Imported{From: "tokenform", RefreshToken: "AQr", Access: "BQa", Expires: end, ClientID: "id"}, ""},
		{"a byte order mark", "\ufeff{\"refreshToken\":\"AQr\"}", Imported{From: "spotify-web-api-node", RefreshToken: "AQr"}, ""},

		{"tokenform without", `{"access_token":"BQa","token_type":"Bearer","scope":"","expires_at":"2026-11-23T20:04:05Z","profile":"dev"}`, Imported{}, "it contains no refresh token"},
		{"spotipy without", `{"access_token":"BQsecret","expires_at":1795464245,"scope":"a"}`, Imported{}, "it contains no refresh token"},
		{"null", `{"access_token":"BQsecret","refresh_token":null}`, Imported{}, "it contains no refresh token"},
		{"a number", `{"refresh_token":12345678}`, Imported{}, "it contains no refresh token"},
		{"tekore without", "[DEFAULT]\nSPOTIFY_CLIENT_SECRET = secret\n", Imported{}, "it contains no refresh token"},
		{"tekore, two users", "[a]\nSPOTIFY_USER_REFRESH = AQsecret\n[b]\nSPOTIFY_USER_REFRESH = AQother\n", Imported{}, "it contains refresh tokens of several users"},
		{"librespot", `{"username":"u","auth_type":1,"auth_data":"AQsecret"}`, Imported{}, "a login of Spotify's own app, as stored by librespot, spotifyd and ncspot"},
		{"white space", `{"refresh_token":"AQsecret\n"}`, Imported{}, "its refresh token contains white space"},
		{"nothing", "", Imported{}, "not a token file of a known client"},
		{"a bare token", "AQsecret\n", Imported{}, "not a token file of a known client"},
		{"cut midway", `{"access_token":"BQsecret","refresh_token":"AQsec`, Imported{}, "not a token file of a known client"},
		{"a list", `["AQsecret"]`, Imported{}, "not a token file of a known client"},
		{"null alone", `null`, Imported{}, "not a token file of a known client"},
		{"an env file", "SPOTIFY_USER_REFRESH=AQsecret\n", Imported{}, "not a token file of a known client"},
		{"another program's", `{"Access_Token":"BQsecret","token":{"refresh_token":"AQsecret"}}`, Imported{}, "not a token file of a known client"},
	} {
		got, err := ReadClientFile("it", []byte(c.data))
		message := ""
		if err != nil {
			message = err.Error()
			if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
				t.Errorf("%s: the error has the kind %v and the hint %q", c.name, fault.KindOf(err), fault.HintOf(err))
			}
			if strings.Contains(message+fault.HintOf(err), "secret") {
				t.Errorf("%s: a secret is shown: %s", c.name, message)
			}
		}
		if c.wrong != "" {
			c.wrong = "it: " + c.wrong
		}
		if message != c.wrong {
			t.Errorf("%s: error %q, want %q", c.name, message, c.wrong)
		}
		if diff := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(Imported{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}
}

// FuzzReadClientFile checks that each file gives a refresh token or an error, and that
// the error quotes nothing of the file.
func FuzzReadClientFile(f *testing.F) {
	files, err := filepath.Glob("testdata/formats/*.golden")
	if err != nil || len(files) < 9 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	known := map[string]bool{}
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := ReadClientFile("it", data)
		if (err == nil) != (i.RefreshToken != "") || (err == nil) != (i.From != "") {
			t.Fatalf("%v with %v", err, i)
		}
		if err != nil && !known[err.Error()] {
			if known[err.Error()] = true; len(known) > 5 {
				t.Fatalf("an error that depends on the content: %v", err)
			}
		}
	})
}
