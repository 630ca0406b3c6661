package state

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Version is the newest format of state files this program reads and the one
// it writes.
const Version = 1

// Token is a profile's token and login, with absolute times. Client credentials have no
// login, and a login that is yet to be refreshed has no access token. The wire's token, in
// package oauth, has relative times and may lack a refresh token.
type Token struct {
	Version     int       `json:"version"`
	Serial      int       `json:"serial"` // one more with every Save
	Profile     string    `json:"profile"`
	Source      string    `json:"source,omitempty"` // the profile's file, relative to the state directory, so that both may move together; empty means standard input
	Server      string    `json:"server,omitempty"` // the accounts server that granted the token; empty means Spotify's
	ClientID    string    `json:"client_id"`
	Grant       string    `json:"grant"`
	Access      string    `json:"access_token"`
	Type        string    `json:"token_type"`
	Scopes      []string  `json:"scopes"` // granted, sorted; nil means that the server never said
	Obtained    time.Time `json:"obtained_at"`
	Expires     time.Time `json:"expires_at"`                    // of the access token
	Refresh     string    `json:"refresh_token,omitempty"`       // empty for client credentials
	Authorized  time.Time `json:"authorized_at,omitzero"`        // consent; zero means not known (seeded)
	Retired     []string  `json:"retired_digests,omitempty"`     // Digests of the refresh tokens that Refresh replaced, the newest last
	Seed        string    `json:"seed_digest,omitempty"`         // Digest of the profile's refresh_token last taken up
	RefusedSeed string    `json:"refused_seed_digest,omitempty"` // Digest of the profile's refresh_token, if the server refused it
	Verified    bool      `json:"verified,omitempty"`            // the Web API has accepted Access
	Rejected    time.Time `json:"rejected_at,omitzero"`          // when the server answered invalid_grant to Refresh; zero means never
	Account     *Account  `json:"account,omitempty"`

	inherited []Written // outputs, from the login's file of an older tokenform
}

// Account is the Spotify account that logged in.
type Account struct {
	ID        string `json:"id"`
	AccountID string `json:"account_id,omitempty"`
	Name      string `json:"display_name,omitempty"`
}

// Digest returns a hash of a secret, so that state recognizes the secret without
// keeping it.
func Digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Retire notes a refresh token that t's own has replaced. Outputs may still have the
// old token.
func (t *Token) Retire(refresh string) {
	if refresh == "" || refresh == t.Refresh || slices.Contains(t.Retired, Digest(refresh)) {
		return
	}
	const most = 5 // an output with an older token belongs to a client
	t.Retired = append(slices.Clone(t.Retired), Digest(refresh))
	t.Retired = t.Retired[max(len(t.Retired)-most, 0):]
}

// Had reports whether t has, or has had, the refresh token.
func (t *Token) Had(refresh string) bool {
	return refresh == t.Refresh || slices.Contains(t.Retired, Digest(refresh))
}

// Format keeps tokens out of every message: for every verb, Format prints the profile's
// name and nothing else.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "token of %q (redacted)", t.Profile) }
