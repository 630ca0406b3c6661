package output

import (
	"bytes"
	"encoding/json"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// jsonSink writes a whole file: an object of our own, or a client's token file.
type jsonSink struct{}

func (jsonSink) edit(x target, old *file) (edit, error) {
	p, o, t := x.profile, x.output, x.token
	e := edit{change: x.changed(flow.Update), private: true}
	if t != nil {
		secret, known := clientSecret(p, o)
		if !known {
			secret = writtenSecret(x.last(), old)
		}
		e.content = fileContent(p, o, t, secret)
		e.unknown = !known && (secret == "" || !bytes.Equal(old.data, e.content))
	}
	e.judge(t, old, !e.unknown && old != nil && bytes.Equal(old.data, e.content))
	if e.change.Reason == differs && t.Refresh != "" && recognise(e.content).RefreshToken != "" && recognise(old.data).RefreshToken == "" {
		e.change.Reason = "its refresh token is gone" // some clients drop it when they refresh
	}
	return e, nil
}

func (jsonSink) remembered(x target) state.Written {
	w := state.Written{Type: string(x.output.Type), Path: x.output.Path}
	if secret, known := clientSecret(x.profile, x.output); known {
		w.Digest = state.Digest(string(fileContent(x.profile, x.output, x.token, secret)))
	} else if before := x.last(); before != nil {
		w.Digest = before.Digest
	}
	return w
}

func (jsonSink) takeBack(w state.Written, old *file, others others) (edit, error) {
	return takeBackWhole(w, old, others), nil
}

// writtenSecret is the client secret that was asked for when old was written, if
// old is as it was written: a plan need not ask again to see whether the rest is
// the same. Else it is empty.
func writtenSecret(recorded *state.Written, old *file) string {
	if recorded == nil || old == nil || recorded.Digest != old.digest() {
		return ""
	}
	return recognise(old.data).secret
}

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
// by months, so it goes out only if the profile says so.
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
// lines if there is an indent.
func encode(o any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // this is no HTML, and a token is compared as text
	e.SetIndent("", indent)
	_ = e.Encode(o) // neither these nor a buffer know an error
	return b.Bytes()
}
