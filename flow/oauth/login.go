package oauth

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/oauth2"
)

// Login is one attempt to log in. Each attempt needs a new Login, and both halves of an
// attempt need the same one: the server refuses a verifier that is used twice or does
// not fit the challenge.
type Login struct {
	State       string // ties the answer to this attempt (RFC 6749 section 10.12)
	Verifier    string // the code verifier of RFC 7636; sent even with a client secret
	RedirectURI string // with the port that was chosen: authorize and token request must send the same URI
	Scopes      []string
	ShowDialog  bool // ask for consent even if it was given before
}

// NewLogin returns a Login with a random state and verifier.
func NewLogin(redirectURI string, scopes []string, showDialog bool) Login {
	return Login{
		State:       rand.Text(), // 130 bits
		Verifier:    oauth2.GenerateVerifier(),
		RedirectURI: redirectURI,
		Scopes:      scopes,
		ShowDialog:  showDialog,
	}
}

// Format keeps state and verifier out of every message.
func (l Login) Format(f fmt.State, _ rune) { fmt.Fprint(f, "login (redacted)") }

// AuthorizeURL returns the URL to open in the browser. The URL holds the challenge, not
// the verifier.
func (a App) AuthorizeURL(l Login) string {
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(l.Verifier)}
	if l.ShowDialog {
		opts = append(opts, oauth2.SetAuthURLParam("show_dialog", "true"))
	}
	return a.config(l.RedirectURI, l.Scopes).AuthCodeURL(l.State, opts...)
}
