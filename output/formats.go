package output

import (
	"strings"
	"time"

	"tokenform/config"
	"tokenform/flow/state"
)

// The token files of Spotify clients, field by field as the clients declare
// them. A refresh token that is not there is left out: null or an empty text
// would be sent to Spotify by some.
type (
	// oauth2File is golang.org/x/oauth2's Token. One without expiry never expires.
	oauth2File struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		RefreshToken string `json:"refresh_token,omitempty"`
		Expiry       string `json:"expiry"`
	}

	// unixFile is what spotipy keeps (token_info in oauth2.py), and spotify-tui
	// (TokenInfo of rspotify 0.10). spotipy takes a file without scope for none.
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

	// sdkFile is AccessToken of @spotify/web-api-ts-sdk. Where expires is missing
	// it counts expires_in from the moment it reads the file.
	sdkFile struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"`
		RefreshToken string `json:"refresh_token,omitempty"`
		Expires      int64  `json:"expires"`
	}

	// nodeFile is what setCredentials of spotify-web-api-node takes. It never looks
	// at a time.
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

// clientSecret is the client secret if json output o shows it, else empty.
// known is false if only a command could tell.
func clientSecret(p config.Profile, o config.Output) (secret string, known bool) {
	if !o.NeedsSecret() {
		return "", true
	}
	return p.Client.Secret.Known()
}

// fileContent is the whole of the file that json output o is to be for t. It is
// the same for the same arguments: times come from state, never from a clock.
func fileContent(p config.Profile, o config.Output, t *state.Token, secret string) []byte {
	clientID, _ := value(p, t, "client_id")
	var v any
	switch o.Format {
	case "oauth2":
		v = oauth2File{t.Access, t.Type, t.Refresh, instant(t.Expires)}
	case "spotipy", "spotify-tui":
		v = unixFile{t.Access, t.Type, lifetime(t), t.Refresh, scope(p, t), t.Expires.Unix()}
	case "rspotify":
		v = rspotifyFile{t.Access, lifetime(t), t.Expires.UTC().Format("2006-01-02T15:04:05.000Z"), t.Refresh, scope(p, t)}
	case "web-api-ts-sdk":
		v = sdkFile{t.Access, t.Type, lifetime(t), t.Refresh, t.Expires.UnixMilli()}
	case "spotify-web-api-node":
		v = nodeFile{clientID, secret, p.RedirectURI, t.Access, t.Refresh}
	case "SpotifyAPI-NET":
		v = netFile{t.Access, t.Type, lifetime(t), scope(p, t), t.Refresh, instant(issued(t))}
	case "tekore":
		return tekoreFile(clientID, secret, p.RedirectURI, t.Refresh)
	default:
		return tokenJSON(p, t, o.RefreshToken, jsonIndent)
	}
	return encode(v, jsonIndent)
}

// tekoreFile is what tekore's config_from_file reads: an INI file by the rules of
// Python's configparser, to which % is special. A missing secret is a warning to
// tekore; an empty one would be sent.
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

// issued is when the token's life began. State may not say so; a client that
// adds a lifetime to it must never come out later than when the token ends.
func issued(t *state.Token) time.Time {
	if t.Obtained.IsZero() {
		return t.Expires
	}
	return t.Obtained
}

// lifetime is expires_in: whole seconds, counted from issued.
func lifetime(t *state.Token) int64 {
	return max(t.Expires.Unix()-issued(t).Unix(), 0)
}
