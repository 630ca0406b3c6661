package state

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// encode is the content of t's state file: what [json.MarshalIndent] makes of t.
//
// It goes field by field, as decode does: before json writes the first struct
// of a type it takes longer to look at the type than all the rest of a Save
// takes but for the disk.
func encode(t *Token) ([]byte, error) {
	w := writer{indent: "\n"}
	w.open('{')
	w.int("version", t.Version)
	w.int("serial", t.Serial)
	w.string("profile", t.Profile)
	w.some("source", t.Source)
	w.string("client_id", t.ClientID)
	w.string("grant", t.Grant)
	w.string("access_token", t.Access)
	w.string("token_type", t.Type)
	w.strings("scopes", t.Scopes)
	w.time("obtained_at", t.Obtained)
	w.time("expires_at", t.Expires)
	w.some("refresh_token", t.Refresh)
	if !t.Authorized.IsZero() {
		w.time("authorized_at", t.Authorized)
	}
	w.some("seed_digest", t.Seed)
	if !t.Rejected.IsZero() {
		w.time("rejected_at", t.Rejected)
	}
	if a := t.Account; a != nil {
		w.key("account")
		w.open('{')
		w.string("id", a.ID)
		w.some("account_id", a.AccountID)
		w.some("display_name", a.Name)
		w.close('}')
	}
	if len(t.Outputs) > 0 {
		w.key("outputs")
		w.open('[')
		for _, o := range t.Outputs {
			w.item()
			w.open('{')
			w.string("type", o.Type)
			w.string("path", o.Path)
			w.some("digest", o.Digest)
			if len(o.Vars) > 0 {
				w.key("variables")
				w.open('{')
				for _, name := range slices.Sorted(maps.Keys(o.Vars)) {
					w.string(name, o.Vars[name])
				}
				w.close('}')
			}
			w.close('}')
		}
		w.close(']')
	}
	w.close('}')
	return w.b, w.err
}

// encode is what [json.Marshal] makes of h.
func (h Holder) encode() ([]byte, error) {
	var w writer
	w.open('{')
	w.int("pid", h.PID)
	w.some("host", h.Host)
	w.string("command", h.Command)
	w.time("since", h.Since)
	w.close('}')
	return w.b, w.err
}

// writer writes JSON.
type writer struct {
	b      []byte
	indent string // a line break and the blanks of this depth; empty: all in one line
	filled bool   // the object or list has something in it already
	err    error  // the first
}

func (w *writer) open(bracket byte) {
	w.b = append(w.b, bracket)
	w.filled = false
	if w.indent != "" {
		w.indent += "  "
	}
}

func (w *writer) close(bracket byte) {
	if w.indent != "" {
		w.indent = w.indent[:len(w.indent)-2]
		if w.filled {
			w.b = append(w.b, w.indent...)
		}
	}
	w.b = append(w.b, bracket)
	w.filled = true
}

// item begins an element of a list.
func (w *writer) item() {
	if w.filled {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, w.indent...)
	w.filled = true
}

func (w *writer) key(name string) {
	w.item()
	w.text(name)
	w.b = append(w.b, ':')
	if w.indent != "" {
		w.b = append(w.b, ' ')
	}
}

func (w *writer) text(s string) { w.raw(json.Marshal(s)) }

func (w *writer) raw(b []byte, err error) {
	if w.err == nil {
		w.err = err
	}
	w.b = append(w.b, b...)
}

func (w *writer) int(name string, n int) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, int64(n), 10)
}

func (w *writer) string(name, s string) {
	w.key(name)
	w.text(s)
}

// some leaves out what is empty.
func (w *writer) some(name, s string) {
	if s != "" {
		w.string(name, s)
	}
}

func (w *writer) time(name string, t time.Time) {
	w.key(name)
	w.raw(t.MarshalJSON())
}

// strings keeps the difference between none and not known.
func (w *writer) strings(name string, list []string) {
	w.key(name)
	if list == nil {
		w.b = append(w.b, "null"...)
		return
	}
	w.open('[')
	for _, s := range list {
		w.item()
		w.text(s)
	}
	w.close(']')
}
