package output

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// edit is what is to become of one file. Plan and apply both get it from
// [declared] or [undeclared], so that they cannot disagree.
type edit struct {
	change  flow.Change
	content []byte // what the file will hold, if every value is known
	unknown bool   // one is not
	private bool   // the file holds a secret
	left    string // what was to go and stays, because somebody changed it; empty: nothing
}

// deletes reports whether the file is to go as a whole.
func (e edit) deletes() bool { return e.change.Action == flow.DeleteOutput && len(e.content) == 0 }

// declared says what becomes of output o, which is an env, json or template file and now
// holds old, for the token t; nil is a token yet to come. recorded is what was
// written before, to this and other outputs of the profile.
func declared(p config.Profile, o config.Output, t *state.Token, recorded []state.Written, old *file, others others) (edit, error) {
	switch o.Type {
	case "template":
		return templateEdit(p, o, t, state.Find(recorded, "template", o.Path), old)
	case "json":
		return jsonEdit(p, o, t, state.Find(recorded, "json", o.Path), old), nil
	}
	for _, kind := range []string{"json", "template"} {
		if w := state.Find(recorded, kind, o.Path); w != nil && old != nil && w.Digest == state.Digest(string(old.data)) {
			// The profile had this path for such an output: nothing in it is the user's.
			old = &file{mode: old.mode}
		}
	}
	return envEdit(p, o, t, state.Find(recorded, "env", o.Path), old, others)
}

// others reports whether another profile declares a file, and in an env file the
// variable: what it has there now may look like what this one wrote before.
type others func(variable string) bool

func jsonEdit(p config.Profile, o config.Output, t *state.Token, recorded *state.Written, old *file) edit {
	e := edit{change: flow.Change{Type: o.Type, Path: o.Path, Shown: o.Shown, Action: flow.Update}, private: true}
	if t != nil {
		secret, known := clientSecret(p, o)
		if !known {
			secret = writtenSecret(recorded, old)
		}
		e.content = fileContent(p, o, t, secret)
		e.unknown = !known && (secret == "" || !bytes.Equal(old.data, e.content))
	}
	e.judge(t, old, !e.unknown && old != nil && bytes.Equal(old.data, e.content))
	if e.change.Reason == differs && t.Refresh != "" && recognise(e.content).RefreshToken != "" && recognise(old.data).RefreshToken == "" {
		e.change.Reason = "its refresh token is gone" // some clients drop it when they refresh
	}
	return e
}

// judge says what becomes of a file that is ours as a whole; same: it holds
// what it should.
func (e *edit) judge(t *state.Token, old *file, same bool) {
	switch {
	case old == nil:
		e.change.Action, e.change.Reason = flow.Create, "missing"
	case t == nil:
		e.change.Reason = newToken
	case same:
		e.change.Action = flow.KeepOutput
	default:
		e.change.Reason = differs
	}
}

func templateEdit(p config.Profile, o config.Output, t *state.Token, recorded *state.Written, old *file) (edit, error) {
	e := edit{change: flow.Change{Type: o.Type, Path: o.Path, Shown: o.Shown, Action: flow.Update}, private: true}
	content, known, err := rendered(p, o, t)
	if err != nil {
		return edit{}, err
	}
	e.content, e.unknown = content, !known
	same := old != nil && known && bytes.Equal(old.data, content)
	if old != nil && !known && recorded != nil && recorded.Digest == state.Digest(string(old.data)) {
		same = agrees(string(old.data), string(content)) // what is not known was written
	}
	e.judge(t, old, same)
	return e, nil
}

// writtenSecret is the client secret that was asked for when old was written, if
// old is as it was written: a plan need not ask again to see whether the rest is
// the same. Else it is empty.
func writtenSecret(recorded *state.Written, old *file) string {
	if recorded == nil || old == nil || recorded.Digest != state.Digest(string(old.data)) {
		return ""
	}
	return recognise(old.data).secret
}

// Reasons for a change.
const (
	newToken = "new token" // the token is about to be another one
	differs  = "differs"   // somebody has written it
)

func envEdit(p config.Profile, o config.Output, t *state.Token, recorded *state.Written, old *file, others others) (edit, error) {
	e := edit{change: flow.Change{Type: o.Type, Path: o.Path, Shown: o.Shown, Action: flow.Update}}
	var data []byte
	if old != nil {
		data = old.data
	}
	var set []assignment
	var missing, differ []string
	fresh := false
	for _, k := range o.Keys {
		e.private = e.private || secret(k.Field)
		text, known := value(p, t, k.Field)
		a := assignment{k.Variable, text}
		switch {
		case !known && !renewed(k.Field) && asRecorded(data, k.Variable, recorded):
			continue // and not set: it is what it was, and was written
		case !known:
			e.unknown = true
		default:
			set = append(set, a)
			// A variable differs if setting it changes the file.
			merged, err := mergeDotenv(data, []assignment{a}, nil)
			if err != nil {
				return edit{}, err
			}
			if bytes.Equal(merged, data) {
				continue
			}
		}
		e.change.Vars = append(e.change.Vars, k.Variable)
		switch values, _ := dotenvValues(data, k.Variable); {
		case len(values) == 0:
			missing = append(missing, k.Variable)
		case known || !renewed(k.Field):
			differ = append(differ, k.Variable)
		default:
			fresh = true
		}
	}
	drop, left := takeable(data, recorded, o.Keys, others)
	e.left = strings.Join(left, ", ")
	e.change.Vars = append(e.change.Vars, drop...)
	switch {
	case old == nil:
		e.change.Action, e.change.Reason = flow.Create, "missing"
	case len(e.change.Vars) == 0:
		e.change.Action = flow.KeepOutput
	default:
		e.change.Reason = reason(missing, differ, fresh, drop)
	}
	var err error
	e.content, err = mergeDotenv(data, set, drop)
	return e, err
}

func reason(missing, differ []string, fresh bool, drop []string) string {
	var parts []string
	add := func(names []string, what string) {
		if len(names) > 0 {
			parts = append(parts, strings.Join(names, ", ")+" "+what)
		}
	}
	add(missing, "missing")
	add(differ, "changed")
	if fresh {
		parts = append(parts, newToken)
	}
	add(drop, flow.NotDeclared)
	return strings.Join(parts, "; ")
}

// undeclared says what becomes of w, which was written before and is to go.
// Only what is as tokenform left it is taken back.
func undeclared(w state.Written, old *file, others others) (e edit, err error) {
	e.change = flow.Change{Type: w.Type, Path: w.Path, Action: flow.KeepOutput}
	switch {
	case old == nil:
	case w.Type != "env" && others(""):
	case w.Type != "env" && w.Digest != state.Digest(string(old.data)):
		e.left = "it"
	case w.Type != "env":
		e.change.Action = flow.DeleteOutput
	default:
		drop, left := takeable(old.data, &w, nil, others)
		e.left = strings.Join(left, ", ")
		if len(drop) > 0 {
			e.change.Action, e.change.Vars = flow.DeleteOutput, drop
			e.content, err = mergeDotenv(old.data, nil, drop)
		}
	}
	return e, err
}

// takeable sorts the recorded variables that are not in keys by whether they
// are as they were written. One that is gone, or another profile's, is nobody's
// concern.
func takeable(data []byte, recorded *state.Written, keys []config.Key, others others) (drop, left []string) {
	if recorded == nil {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(recorded.Vars)) {
		declared := slices.ContainsFunc(keys, func(k config.Key) bool { return k.Variable == name })
		values, _ := dotenvValues(data, name)
		switch {
		case declared || len(values) == 0 || others(name):
		case asRecorded(data, name, recorded):
			drop = append(drop, name)
		default:
			left = append(left, name)
		}
	}
	return drop, left
}

// asRecorded reports whether the variable has, at every place where it is
// assigned, the value that was last written.
func asRecorded(data []byte, name string, recorded *state.Written) bool {
	if recorded == nil || recorded.Vars[name] == "" {
		return false
	}
	values, plain := dotenvValues(data, name)
	for _, v := range values {
		plain = plain && state.Digest(v) == recorded.Vars[name]
	}
	return plain && len(values) > 0
}
