package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

const repair = "restore the file from a backup, or delete it and log in again"

// decode reads a state file's content. What it cannot vouch for is an error
// that names the file: starting over would throw a login away.
//
// It goes through a map, field by field: json's reflection on [Token] would be
// the largest part of a run that has nothing to do.
func decode(path, name string, b []byte) (*Token, error) {
	f := fields{}
	if err := json.Unmarshal(b, &f.values); err != nil {
		return nil, broken(path, "not a state file: "+shape(b), repair)
	}
	version := f.int("version")
	switch {
	case version > Version:
		return nil, broken(path, fmt.Sprintf("written by a newer tokenform (version %d; this one knows %d)", version, Version), "use that tokenform, or a newer one")
	case version < 1:
		return nil, broken(path, "not a state file: it has no version", repair)
	}
	t := f.token()
	switch {
	case f.wrong:
		return nil, broken(path, "not a state file: a field has the wrong type", repair)
	case t.Profile != name:
		return nil, broken(path, fmt.Sprintf("belongs to the profile %q", t.Profile), "rename the file back, or delete it and log in again")
	case t.Access == "" && t.Refresh == "" || t.Expires.IsZero() || t.Grant == "":
		return nil, broken(path, "not a state file: it has no token", repair)
	}
	return t, nil
}

// shape says what is wrong with bytes that are no JSON object, without quoting
// them.
func shape(b []byte) string {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return "it is empty"
	case b[0] == '{':
		return "its JSON is damaged"
	default:
		return "it is not a JSON object"
	}
}

// fields are the values of a JSON object. Reading one of another type than it
// must have sets wrong; one that is not there is zero.
type fields struct {
	values map[string]any
	wrong  bool
}

func (f *fields) token() *Token {
	t := &Token{
		Version:    f.int("version"),
		Serial:     f.int("serial"),
		Profile:    f.string("profile"),
		Source:     f.string("source"),
		ClientID:   f.string("client_id"),
		Grant:      f.string("grant"),
		Access:     f.string("access_token"),
		Type:       f.string("token_type"),
		Scopes:     f.strings("scopes"),
		Obtained:   f.time("obtained_at"),
		Expires:    f.time("expires_at"),
		Refresh:    f.string("refresh_token"),
		Authorized: f.time("authorized_at"),
		Seed:       f.string("seed_digest"),
		Rejected:   f.time("rejected_at"),
	}
	f.object(f.values["account"], func(a *fields) {
		t.Account = &Account{ID: a.string("id"), AccountID: a.string("account_id"), Name: a.string("display_name")}
	})
	for _, v := range f.list("outputs") {
		f.object(v, func(o *fields) {
			w := Written{Type: o.string("type"), Path: o.string("path"), Digest: o.string("digest")}
			o.object(o.values["variables"], func(vars *fields) {
				w.Vars = make(map[string]string, len(vars.values))
				for name := range vars.values {
					w.Vars[name] = vars.string(name)
				}
			})
			t.Outputs = append(t.Outputs, w)
		})
	}
	return t
}

// get is the field's value where it is a T, and zero where it is missing.
func get[T any](f *fields, name string) (v T) {
	if raw := f.values[name]; raw != nil {
		var ok bool
		v, ok = raw.(T)
		f.wrong = f.wrong || !ok
	}
	return v
}

func (f *fields) string(name string) string { return get[string](f, name) }

func (f *fields) int(name string) int { return int(get[float64](f, name)) }

func (f *fields) list(name string) []any { return get[[]any](f, name) }

func (f *fields) time(name string) (t time.Time) {
	if s := f.string(name); s != "" {
		var err error
		t, err = time.Parse(time.RFC3339, s)
		f.wrong = f.wrong || err != nil
	}
	return t
}

// strings keeps the difference between none and not known.
func (f *fields) strings(name string) []string {
	if f.values[name] == nil {
		return nil
	}
	list := []string{}
	for _, v := range f.list(name) {
		s, ok := v.(string)
		f.wrong = f.wrong || !ok
		list = append(list, s)
	}
	return list
}

// object reads a nested object, if it is there.
func (f *fields) object(v any, read func(*fields)) {
	if v == nil {
		return
	}
	values, ok := v.(map[string]any)
	inner := &fields{values: values, wrong: !ok}
	read(inner)
	f.wrong = f.wrong || inner.wrong
}
