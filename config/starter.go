package config

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Starter makes a first profile. The zero value takes the client id from the
// environment and asks for no scope.
type Starter struct {
	ClientID string // empty means ${SPOTIFY_CLIENT_ID}
	Secret   bool   // the app can keep a secret, which is ${SPOTIFY_CLIENT_SECRET}
	Scopes   []string
}

// Text returns the profile, with comments.
func (s Starter) Text() string {
	id := cmp.Or(s.ClientID, "${SPOTIFY_CLIENT_ID}")
	if strings.ContainsFunc(id, odd) {
		id = strconv.Quote(id)
	}
	secret := "  # secret: ${SPOTIFY_CLIENT_SECRET} # only for an app that can keep one; without it: PKCE\n"
	if s.Secret {
		secret = "  secret: ${SPOTIFY_CLIENT_SECRET}\n"
	}
	return fmt.Sprintf(`# Spotify tokens for this project, kept valid by tokenform.
#
#   tokenform plan    what is missing
#   tokenform apply   log in once in the browser, then refresh; write the outputs
#
# All keys: tokenform help profiles
client:
  # https://developer.spotify.com/dashboard: create an app, tick Web API, and
  # enter exactly this as its redirect URI: %s
  id: %s
%s
# What the user is asked to allow: https://developer.spotify.com/documentation/web-api/concepts/scopes
scopes: [%s]

outputs:
  - type: env
    path: .env
    keys:
      access_token: SPOTIFY_ACCESS_TOKEN
      expires_at: SPOTIFY_TOKEN_EXPIRES_AT
`, DefaultRedirectURI, id, secret, strings.Join(s.Scopes, ", "))
}

// odd reports whether r may have a meaning in YAML, so that a text with r needs
// quotes.
func odd(r rune) bool {
	return !strings.ContainsRune("${}_.-", r) && !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
}

// Check returns the errors that the profile has, whatever the client id and the
// secret will be.
func (s Starter) Check(src Sources) Problems {
	env := src.Env
	src.Env = func(name string) (string, bool) {
		if name == "SPOTIFY_CLIENT_ID" || name == "SPOTIFY_CLIENT_SECRET" {
			return "set-later", true
		}
		return env(name)
	}
	src.Stdin = ReadOnce(strings.NewReader("profile: starter\n" + s.Text()))
	_, problems := Load(context.Background(), src, []string{"-"})
	return problems.Errors()
}
