package output

import (
	"strings"
	"time"

	"tokenform/config"
	"tokenform/flow/state"
)

// These types are the token files of Spotify clients, field by field as the clients
// declare them. A missing refresh token is left out: some clients would send null or an
// empty text to Spotify.
type (
	// oauth2File is golang.org/x/oauth2's Token. A Token without expiry never expires.
	oauth2File struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		RefreshToken string `json:"refresh_token,omitempty"`
		Expiry       string `json:"expiry"`
	}

	// unixFile is the file of spotipy (token_info in oauth2.py) and of spotify-tui
	// (TokenInfo of rspotify 0.10). spotipy ignores a file without scope.
	unixFile struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"`
		RefreshToken string `json:"refresh_token,omitempty"`
		Scope        string `json:"scope"`
		ExpiresAt    int64  `json:"expires_at"`
	}

	// rspotifyFile is Token of rspotify-model since 0.11.
	rspotifyFile struct {
		AccessToken  string `json:"access_token"`
		ExpiresIn    int64  `json:"expires_in"`
		ExpiresAt    string `json:"expires_at"`
		RefreshToken string `json:"refresh_token,omitempty"`
		Scope        string `json:"scope"`
	}

	// sdkFile is AccessToken of @spotify/web-api-ts-sdk. If expires is missing, the SDK
	// counts expires_in from the moment it reads the file.
	sdkFile struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"`
		RefreshToken string `json:"refresh_token,omitempty"`
		Expires      int64  `json:"expires"`
	}

	// nodeFile is what setCredentials of spotify-web-api-node takes.
	// spotify-web-api-node does not look at times.
	nodeFile struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret,omitempty"`
		RedirectURI  string `json:"redirectUri,omitempty"`
		AccessToken  string `json:"accessToken"`
		RefreshToken string `json:"refreshToken,omitempty"`
	}

	// netFile is PKCETokenResponse and its like of SpotifyAPI-NET, as its samples
	// serialise them.
	netFile struct {
		AccessToken  string `json:"AccessToken"`
		TokenType    string `json:"TokenType"`
		ExpiresIn    int64  `json:"ExpiresIn"`
		Scope        string `json:"Scope"`
		RefreshToken string `json:"RefreshToken,omitempty"`
		CreatedAt    string `json:"CreatedAt"`
	}
)

// clientSecret returns the client secret if json output o shows it, else "". known is
// false if only a command can tell.
func clientSecret(p config.Profile, o config.Output) (secret string, known bool) {
	if !o.NeedsSecret() {
		return "", true
	}
	return p.Client.Secret.Known()
}

// fileContent returns the whole content of the file of json output o for t. The same
// arguments give the same content: times come from state, never from a clock.
func fileContent(p config.Profile, o config.Output, t *state.Token, secret string) []byte {
	clientID, _ := value(p, t, "client_id")
	var v any
	switch o.Format {
	case "oauth2":
		v = oauth2File{t.Access, t.Type, t.Refresh, instant(t.Expires)}
	case "spotipy", "spotify-tui":
		v = unixFile{t.Access, t.Type, lifetime(t), t.Refresh, scopeText(p, t), t.Expires.Unix()}
	case "rspotify":
		v = rspotifyFile{t.Access, lifetime(t), t.Expires.UTC().Format("2006-01-02T15:04:05.000Z"), t.Refresh, scopeText(p, t)}
	case "web-api-ts-sdk":
		v = sdkFile{t.Access, t.Type, lifetime(t), t.Refresh, t.Expires.UnixMilli()}
	case "spotify-web-api-node":
		v = nodeFile{clientID, secret, p.RedirectURI, t.Access, t.Refresh}
	case "SpotifyAPI-NET":
		v = netFile{t.Access, t.Type, lifetime(t), scopeText(p, t), t.Refresh, instant(issued(t))}
	case "tekore":
		return tekoreFile(clientID, secret, p.RedirectURI, t.Refresh)
	default:
		return tokenJSON(p, t, o.RefreshToken, jsonIndent)
	}
	return encode(v, jsonIndent)
}

// tekoreFile returns what tekore's config_from_file reads: an INI file by the rules of
// Python's configparser, for which % is special. tekore warns if the secret is missing,
// but would send an empty one.
func tekoreFile(clientID, secret, redirectURI, refresh string) []byte {
	var b strings.Builder
	b.WriteString("[DEFAULT]\n")
	for _, v := range [...][2]string{
		{"SPOTIFY_CLIENT_ID", clientID},
		{"SPOTIFY_CLIENT_SECRET", secret},
		{"SPOTIFY_REDIRECT_URI", redirectURI},
		{"SPOTIFY_USER_REFRESH", refresh},
	} {
		if v[1] != "" {
			b.WriteString(v[0] + " = " + strings.ReplaceAll(v[1], "%", "%%") + "\n")
		}
	}
	return []byte(b.String())
}

// issued returns when the token's life began. If state does not know, the time must be
// such that a client which adds the lifetime never gets a later end than the token's.
func issued(t *state.Token) time.Time {
	if t.Obtained.IsZero() {
		return t.Expires
	}
	return t.Obtained
}

// lifetime returns expires_in: whole seconds, counted from issued.
func lifetime(t *state.Token) int64 {
	return max(t.Expires.Unix()-issued(t).Unix(), 0)
}
