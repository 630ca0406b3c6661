package oauth

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/oauth2"
)

// Login is one attempt to log in. It is made anew for each: a verifier used
// twice, or made anew between the two halves of one attempt, is refused.
type Login struct {
	State       string // ties the answer to this attempt (RFC 6749 section 10.12)
	Verifier    string // of RFC 7636; sent with a client secret too
	RedirectURI string // with the port that was chosen: both halves must send the same
	Scopes      []string
	ShowDialog  bool // ask for consent even if it was given before
}

// NewLogin draws a state and a verifier.
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

// AuthorizeURL is where the browser goes. It holds the challenge, not the
// verifier.
func (a App) AuthorizeURL(l Login) string {
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(l.Verifier)}
	if l.ShowDialog {
		opts = append(opts, oauth2.SetAuthURLParam("show_dialog", "true"))
	}
	return a.config(l.RedirectURI, l.Scopes).AuthCodeURL(l.State, opts...)
}
