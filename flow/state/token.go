// Package state keeps tokens on disk: one file per profile, replaced
// atomically, changed only under the profile's lock.
package state

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Version is the newest format of state files this program reads and the one
// it writes.
const Version = 1

// Token is a profile's login, complete and with absolute times. The wire's token, in
// package oauth, has relative times and may lack a refresh token.
type Token struct {
	Version    int       `json:"version"`
	Serial     int       `json:"serial"` // one more with every Save
	Profile    string    `json:"profile"`
	Source     string    `json:"source,omitempty"` // the profile's file, from the state directory, which may move along with it; empty means standard input
	ClientID   string    `json:"client_id"`
	Grant      string    `json:"grant"`
	Access     string    `json:"access_token"`
	Type       string    `json:"token_type"`
	Scopes     []string  `json:"scopes"` // granted, sorted; nil means that the server never said
	Obtained   time.Time `json:"obtained_at"`
	Expires    time.Time `json:"expires_at"`              // of the access token
	Refresh    string    `json:"refresh_token,omitempty"` // empty for client credentials
	Authorized time.Time `json:"authorized_at,omitzero"`  // consent; zero means not known (seeded)
	Seed       string    `json:"seed_digest,omitempty"`   // Digest of the profile's refresh_token last taken up
	Rejected   time.Time `json:"rejected_at,omitzero"`    // when the server answered invalid_grant to Refresh; zero means that it did not
	Account    *Account  `json:"account,omitempty"`
	Outputs    []Written `json:"outputs,omitempty"`
}

// Account is the Spotify account that logged in.
type Account struct {
	ID        string `json:"id"`
	AccountID string `json:"account_id,omitempty"`
	Name      string `json:"display_name,omitempty"`
}

// Written is an output as tokenform last wrote it, kept so that an output that
// is no longer declared can be taken back.
type Written struct {
	Type   string            `json:"type"`
	Path   string            `json:"path"`                // absolute
	Digest string            `json:"digest,omitempty"`    // json: Digest of the whole file
	Vars   map[string]string `json:"variables,omitempty"` // env: variable to Digest of its value
}

// Find returns the entry of list for a type and a path, or nil.
func Find(list []Written, kind, path string) *Written {
	for i := range list {
		if list[i].Type == kind && list[i].Path == path {
			return &list[i]
		}
	}
	return nil
}

// Digest is how a secret is remembered without being kept.
func Digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Format keeps tokens out of every message: whatever the verb, it prints the
// profile's name and nothing else.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "token of %q (redacted)", t.Profile) }
