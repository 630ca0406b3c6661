package output

import (
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/flow/state"
)

// value returns the text of one of [config.Fields]. known is false if only a command
// can tell, or if only a token that is yet to come can (t is nil). A field that the
// token does not have is the empty text.
func value(p config.Profile, t *state.Token, field string) (text string, known bool) {
	switch field {
	case "profile":
		return p.Name, true
	case "client_secret":
		return p.Client.Secret.Known()
	case "client_id":
		if id, ok := p.Client.ID.Known(); ok || t == nil {
			return id, ok
		}
		return t.ClientID, true
	}
	if t == nil {
		return "", false
	}
	switch field {
	case "access_token":
		text = t.Access
	case "token_type":
		text = t.Type
	case "scope":
		text = scopeText(p, t)
	case "expires_at":
		text = instant(t.Expires)
	case "refresh_token":
		text = t.Refresh
	case "authorized_at":
		text = instant(t.Authorized)
	}
	return text, true
}

// renewed reports whether a grant may change the field.
func renewed(field string) bool {
	return field != "profile" && field != "client_id" && field != "client_secret"
}

// isSecret reports whether only the user may read the field.
func isSecret(field string) bool {
	return field == "access_token" || field == "refresh_token" || field == "client_secret"
}

// scopeText returns the granted scopes. If the server never named them, scopeText returns the
// declared ones, because the server has granted all of them then (RFC 6749 section
// 5.1). The scopes are sorted, because the server's order means nothing and changes.
func scopeText(p config.Profile, t *state.Token) string {
	scopes := t.Scopes
	if scopes == nil {
		scopes = p.Scopes
	}
	return strings.Join(slices.Sorted(slices.Values(scopes)), " ")
}

// instant returns a time in the form of every output: UTC, whole seconds, rounded down
// so that no token seems to live longer than it does. The zero time is the empty text.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
