package output

import (
	"bytes"
	"encoding/json"

	"tokenform/config"
	"tokenform/flow/state"
)

// tokenObject is the json format "tokenform". What is not known is left out: an
// empty text is no time.
type tokenObject struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope"`
	ExpiresAt    string `json:"expires_at"`
	RefreshToken string `json:"refresh_token,omitempty"`
	AuthorizedAt string `json:"authorized_at,omitempty"`
	Profile      string `json:"profile"`
}

// jsonIndent is for files, which people read.
const jsonIndent = "  "

// tokenJSON is t as one such object. The refresh token outlives the access token
// by months, so it goes out only where the profile says so.
func tokenJSON(p config.Profile, t *state.Token, refresh bool, indent string) []byte {
	o := tokenObject{
		AccessToken: t.Access,
		TokenType:   t.Type,
		Scope:       scope(p, t),
		ExpiresAt:   instant(t.Expires),
		Profile:     p.Name,
	}
	if refresh {
		o.RefreshToken, o.AuthorizedAt = t.Refresh, instant(t.Authorized)
	}
	return encode(o, indent)
}

// encode is a struct of strings and numbers as JSON and a newline, over several
// lines where there is an indent.
func encode(o any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // this is no HTML, and a token is compared as text
	e.SetIndent("", indent)
	_ = e.Encode(o) // neither these nor a buffer know an error
	return b.Bytes()
}
