package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// App is a Spotify app at the endpoints it talks to.
type App struct {
	ID     string
	Secret string // empty means a public client (PKCE)

	// IDFrom and SecretFrom say where ID and Secret come from, for hints: a variable's
	// name, a file. They may be empty.
	IDFrom, SecretFrom string

	Endpoints Endpoints
	HTTP      *http.Client // from NewHTTP
}

// Token is a token as the server sent it: its lifetime is relative, and a field that
// the server left out is empty.
type Token struct {
	Access    string
	Type      string        // "Bearer": some servers send "bearer", which not every client accepts
	Refresh   string        // empty means that the answer had none, so the refresh token at hand stays valid
	Scopes    []string      // sorted; nil means that the server did not say; empty means that it said none
	ExpiresIn time.Duration // always positive in a Token from an answer
	Date      time.Time     // the answer's Date; zero means that it had none
}

// Format keeps the secret out of every message.
func (a App) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "app %q (redacted)", a.ID) }

// Format keeps the tokens out of every message.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, "token (redacted)") }

// style returns how to send the client's credentials. Without a style, x/oauth2 tries
// both ways: every failure would be sent twice, and the first error lost.
func (a App) style() oauth2.AuthStyle {
	if a.Secret == "" {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

func (a App) config(redirectURI string, scopes []string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     a.ID,
		ClientSecret: a.Secret,
		RedirectURL:  redirectURI,
		Scopes:       scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:   a.Endpoints.Accounts + "/authorize",
			TokenURL:  a.tokenURL(),
			AuthStyle: a.style(),
		},
	}
}

func (a App) tokenURL() string { return a.Endpoints.Accounts + "/api/token" }

// Exchange trades the code of the login l for a token. A code is good for one use.
func (a App) Exchange(ctx context.Context, l Login, code string) (Token, error) {
	return a.grant(ctx, secrets{code, l.Verifier, l.State}, func(ctx context.Context) (*oauth2.Token, error) {
		return a.config(l.RedirectURI, nil).Exchange(ctx, code, oauth2.VerifierOption(l.Verifier))
	})
}

// Refresh gets a new access token, and a new refresh token if the server
// rotates them.
func (a App) Refresh(ctx context.Context, refreshToken string) (Token, error) {
	return a.grant(ctx, secrets{refreshToken}, func(ctx context.Context) (*oauth2.Token, error) {
		return a.config("", nil).TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	})
}

// ClientCredentials gets a token for the app alone, without a user.
func (a App) ClientCredentials(ctx context.Context) (Token, error) {
	c := clientcredentials.Config{ClientID: a.ID, ClientSecret: a.Secret, TokenURL: a.tokenURL(), AuthStyle: a.style()}
	return a.grant(ctx, nil, c.Token)
}

func (a App) grant(ctx context.Context, hide secrets, get func(context.Context) (*oauth2.Token, error)) (Token, error) {
	var tok *oauth2.Token
	var err error
	got, failed := a.ask(ctx, accounts, hide, func(ctx context.Context, hc *http.Client) {
		tok, err = get(context.WithValue(ctx, oauth2.HTTPClient, hc))
	})
	if failed != nil {
		return Token{}, failed
	}
	// Read the answer itself: if it has no refresh token, x/oauth2 fills in the old
	// one, and if anything in it is wrong, x/oauth2 returns nothing.
	var refresh string
	if json.Unmarshal(got.fields["refresh_token"], &refresh) != nil || !isVisible(refresh) {
		refresh = ""
	}
	damaged := func(what string) (Token, error) {
		e := got.damaged(what)
		e.Rotated = refresh
		return Token{}, e
	}
	switch {
	case empty(got.fields["access_token"]):
		return damaged("answer without access_token")
	case err != nil:
		return damaged("answer with a field of the wrong type")
	case got.lifetime == 0:
		// x/oauth2 takes a token without expires_in to be valid forever.
		return damaged("answer without expires_in")
	case tok.TokenType != "" && !strings.EqualFold(tok.TokenType, "bearer"):
		return damaged("answer with a token_type other than Bearer")
	case !isVisible(tok.AccessToken) || refresh == "" && !empty(got.fields["refresh_token"]):
		return damaged("answer with a token that holds forbidden characters")
	}
	t := Token{Access: tok.AccessToken, Type: "Bearer", Refresh: refresh, ExpiresIn: got.lifetime}
	if scope, ok := stringField(tok, "scope"); ok {
		t.Scopes = append([]string{}, strings.Fields(scope)...)
		slices.Sort(t.Scopes)
		t.Scopes = slices.Compact(t.Scopes)
	}
	t.Date, _ = http.ParseTime(got.header.Get("Date"))
	return t, nil
}

// stringField returns a field of the answer if the field is a string.
func stringField(tok *oauth2.Token, name string) (string, bool) {
	if tok == nil {
		return "", false
	}
	s, ok := tok.Extra(name).(string)
	return s, ok
}

func empty(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null" || string(raw) == `""`
}

// isVisible reports whether s consists of VSCHAR alone, as tokens do (RFC 6749 appendix
// A.12): a line break in a token would make a second header, or a second line of an env
// file.
func isVisible(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}
