package config

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Seed is a login for a machine where nobody can log in: a refresh token and, as far as
// known, the time of the consent and the account. A bare refresh token is a seed too.
type Seed struct {
	Refresh    string    `json:"refresh_token"`
	Authorized time.Time `json:"authorized_at,omitzero"` // consent; zero means not known
	ClientID   string    `json:"client_id,omitempty"`
	Grant      Grant     `json:"grant,omitempty"`
	Scopes     []string  `json:"scopes,omitempty"`
	Account    string    `json:"account,omitempty"` // id
}

// ParseSeed reads a seed as [Seed.Encode] writes it. Any other text is a refresh token.
func ParseSeed(text string) Seed {
	if strings.HasPrefix(text, "eyJ") { // base64 of {"
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		var s Seed
		if err == nil && json.Unmarshal(b, &s) == nil && s.Refresh != "" {
			return s
		}
	}
	return Seed{Refresh: text}
}

// Encode returns the seed as one word: base64url of its JSON.
func (s Seed) Encode() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts and a time always have JSON
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Format keeps the refresh token out of every message.
func (s Seed) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seed (redacted)") }

// ParseAuthorized reads when a login was made: a date, or a time of RFC 3339.
func ParseAuthorized(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &Problem{Message: "not a date", Hint: "write for example 2026-11-23, or 2026-11-23T14:03:05Z"}
}
