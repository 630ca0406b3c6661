package output

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state"
)

// jsonSink writes a whole file: an object of our own, or a client's token file.
type jsonSink struct{}

func (jsonSink) edit(x target, old *file) (edit, error) {
	p, o, t := x.profile, x.output, x.token
	e := edit{change: x.newChange(flow.Update), private: true}
	if t != nil {
		secret, known := clientSecret(p, o)
		if !known {
			secret = writtenSecret(x.last(), old)
		}
		e.content = fileContent(p, o, t, secret)
		e.unknown = !known && (secret == "" || !bytes.Equal(old.data, e.content))
	}
	same := !e.unknown && old != nil && bytes.Equal(old.data, e.content)
	if old != nil && !same {
		switch found := recognise(old.data); {
		case atomicfile.OfAnother(x.output.Path):
			return edit{}, x.errNotOurs()
		case x.owned(old):
			if x.unseen(found, old) {
				return edit{}, x.holdsLogin()
			}
			if x.changed(old) && whole(old.data) && (found.From == "" || (!strings.Contains(found.From, o.Format) || found.RefreshToken == "" && strange(old.data)) && !x.holdsOurs(old)) {
				return edit{}, x.errForeign()
			}
		case !strings.Contains(found.From, o.Format):
			return edit{}, x.errNotOurs()
		default:
			e.keepsBefore = true
		}
	}
	e.setAction(t, old, same)
	if e.change.Reason == differs && t.Refresh != "" && recognise(e.content).RefreshToken != "" && recognise(old.data).RefreshToken == "" {
		e.change.Reason = "its refresh token is missing" // some clients drop it when they refresh
	}
	if e.keepsBefore {
		e.change.Reason = "not tokenform's; kept as " + filepath.Base(o.Shown) + ".before"
	}
	return e, nil
}

// strange reports whether data is a JSON object with a field that no token file of a client
// has.
func strange(data []byte) bool {
	var f object
	if json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &f) != nil {
		return false
	}
	for name := range f {
		switch strings.ToLower(strings.ReplaceAll(name, "_", "")) {
		case "accesstoken", "tokentype", "refreshtoken", "scope", "scopes", "expires", "expiresin", "expiresat", "expiry",
			"createdat", "isexpired", "authorizedat", "profile", "clientid", "clientsecret", "redirecturi", "idtoken":
		default:
			return true
		}
	}
	return false
}

// whole reports whether data is more than the beginning of a JSON object, which is what a
// killed client leaves of a token file.
func whole(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 0 && (data[0] != '{' || json.Valid(data))
}

// unseen reports whether a file that was ours has a refresh token that tokenform never
// had. If so, a client has refreshed on its own, and our refresh token may be dead.
func (x target) unseen(found Imported, old *file) bool {
	last := x.last()
	if found.RefreshToken == "" || last == nil || last.Wrote(old.digest()) {
		return false
	}
	if slices.ContainsFunc(x.otherRealms(), func(w state.Written) bool { return w.Wrote(old.digest()) }) {
		return false // the token of another realm, which has the token in state
	}
	return state.Digest(found.RefreshToken) != last.Refresh && (x.stored == nil || !x.stored.Had(found.RefreshToken))
}

// holdsLogin is the error for a file that may have the only refresh token that still
// works.
func (x target) holdsLogin() error {
	return &fault.Error{
		Message: "contains a refresh token that tokenform did not write, so it is not overwritten",
		Hint:    "to use that login: keep a copy, run tokenform destroy -p " + x.profile.Name + " and then tokenform import -p " + x.profile.Name + " --from COPY; otherwise move the file away",
	}
}

func (jsonSink) remembered(x target) (state.Written, bool) {
	w := state.Written{Type: string(x.output.Type), Path: x.output.Path}
	secret, known := clientSecret(x.profile, x.output)
	content := fileContent(x.profile, x.output, x.token, secret)
	if known {
		w.Digest = state.Digest(string(content))
	} else if before := x.last(); before != nil {
		w.Digest = before.Digest
	}
	if refresh := recognise(content).RefreshToken; refresh != "" {
		w.Refresh = state.Digest(refresh)
	}
	replaces := func(old *file) bool { return old != nil && w.Digest != old.digest() }
	w.Made = x.made(replaces)
	old := x.present()
	x.keepTrace(&w, old, content)
	return w, old == nil || !replaces(old) || x.owned(old) || strings.Contains(recognise(old.data).From, x.output.Format)
}

func (jsonSink) takeBack(w state.Written, old *file, others ownedByOther) (edit, error) {
	return takeBackWhole(w, old, others), nil
}

// writtenSecret returns the client secret in old, if old is as tokenform wrote it, else
// "". So a plan need not fetch the secret to see whether the rest is the same.
func writtenSecret(recorded *state.Written, old *file) string {
	if recorded == nil || old == nil || !recorded.Wrote(old.digest()) {
		return ""
	}
	return recognise(old.data).secret
}

// tokenObject is the json format "tokenform". Unknown fields are left out, because an
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

// tokenJSON returns t as a tokenObject. The refresh token outlives the access token by
// months, so tokenJSON includes it only if refresh is set.
func tokenJSON(p config.Profile, t *state.Token, refresh bool, indent string) []byte {
	o := tokenObject{
		AccessToken: t.Access,
		TokenType:   t.Type,
		Scope:       scopeText(p, t),
		ExpiresAt:   instant(t.Expires),
		Profile:     p.Name,
	}
	if refresh {
		o.RefreshToken, o.AuthorizedAt = t.Refresh, instant(t.Authorized)
	}
	return encode(o, indent)
}

// encode returns a struct of strings and numbers as JSON with a newline at the end, on
// several lines if there is an indent.
func encode(o any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the output is no HTML, and a token must stay as it is
	e.SetIndent("", indent)
	_ = e.Encode(o) // strings, numbers and a buffer cause no errors
	return b.Bytes()
}
