package output

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/config/paths"
	"tokenform/flow"
	"tokenform/flow/state"
)

// envSink sets variables in a dotenv file and leaves every other byte as it is.
type envSink struct{}

func (envSink) edit(x target, old *file) (edit, error) {
	if x.wroteWhole(old) {
		// tokenform wrote the whole file for another output at this path: nothing in
		// the file is the user's.
		old = &file{mode: old.mode}
	}
	recorded := x.last()
	e := edit{change: x.newChange(flow.Update)}
	var data []byte
	if old != nil {
		data = old.data
	}
	var set []assignment
	var missing, differ []string
	fresh := false
	for _, k := range x.output.Keys {
		e.private = e.private || isSecret(k.Field)
		if x.unseenIn(data, k) {
			return edit{}, x.holdsLoginIn(k.Variable)
		}
		text, known := x.value(k.Field)
		a := assignment{k.Variable, text}
		switch {
		case !known && !renewed(k.Field) && asRecorded(data, k.Variable, recorded):
			continue // the value is unknown, so the variable keeps the last one
		case !known:
			e.unknown = true
		default:
			set = append(set, a)
			// A variable differs if setting the variable changes the file.
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
	drop, left := takeable(data, recorded, x.output.Keys, x.otherProfiles)
	e.left = strings.Join(left, ", ")
	e.change.Vars = append(e.change.Vars, drop...)
	switch {
	case old == nil:
		e.change.Action, e.change.Reason = flow.Create, "missing"
	case len(e.change.Vars) == 0:
		e.change.Action = flow.KeepOutput
	default:
		e.change.Reason = variablesReason(missing, differ, fresh, drop)
	}
	var err error
	e.content, err = mergeDotenv(data, set, drop)
	return e, err
}

// unseenIn reports whether the variable of a refresh token has one that tokenform never
// had: a client has refreshed on its own and ours may be dead, or it is somebody's own.
func (x target) unseenIn(data []byte, k config.Key) bool {
	if k.Field != "refresh_token" {
		return false
	}
	values, _ := dotenvValues(data, k.Variable)
	return slices.ContainsFunc(values, func(v string) bool { return !x.knows(k.Variable, v) })
}

// knows reports whether the value of a refresh token's variable may be overwritten: it is
// no token, or a token that state has or had, that the profile brings, or that tokenform
// wrote there. A value where tokenform has written none counts as a token if it looks
// like Spotify's, and not like the placeholder of an example.
func (x target) knows(variable, v string) bool {
	last, digest := x.last(), state.Digest(v)
	written := last != nil && last.Vars[variable] != ""
	if !IsToken(v) || !written && !strings.HasPrefix(v, "AQ") || written && last.Vars[variable] == digest {
		return true
	}
	for _, t := range []*state.Token{x.stored, x.token} {
		if t != nil && (t.Had(v) || t.Seed == digest || t.RefusedSeed == digest) {
			return true
		}
	}
	if seed, ok := x.profile.RefreshToken.Known(); ok && (seed == v || config.ParseSeed(seed).Refresh == v) {
		return true
	}
	wrote := func(w state.Written) bool {
		return w.Vars[variable] == digest && paths.Same(w.Path, x.output.Path)
	}
	return slices.ContainsFunc(x.otherRealms(), wrote) || slices.ContainsFunc(x.neighbours(), wrote)
}

// holdsLoginIn is the error for a variable that may have the only refresh token that still
// works.
func (x target) holdsLoginIn(variable string) error {
	return &fault.Error{
		Message: variable + " is a refresh token that tokenform did not write, so it is not overwritten",
		Hint:    "to use that login: run tokenform destroy -p " + x.profile.Name + " if there is another one, then tokenform import -p " + x.profile.Name + ", and remove " + variable + " from the file; otherwise only remove it",
	}
}

func variablesReason(missing, differ []string, fresh bool, drop []string) string {
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

// wroteWhole reports whether the whole of old is what tokenform wrote for an output of
// another type at the same path.
func (x target) wroteWhole(old *file) bool {
	return old != nil && slices.ContainsFunc(x.recorded, func(w state.Written) bool {
		if w.Path != x.output.Path || w.Type == string(x.output.Type) {
			return false
		}
		if w.Vars == nil {
			return w.Wrote(old.digest())
		}
		drop, left := takeable(old.data, &w, nil, x.otherProfiles)
		rest, err := mergeDotenv(old.data, nil, drop)
		return w.Made && err == nil && len(left) == 0 && len(rest) == 0
	})
}

func (envSink) remembered(x target) (state.Written, bool) {
	before := x.last()
	w := state.Written{Type: string(x.output.Type), Path: x.output.Path, Vars: map[string]string{}, Made: x.made(nil)}
	for _, k := range x.output.Keys {
		if text, known := x.value(k.Field); known {
			w.Vars[k.Variable] = state.Digest(text)
		} else if before != nil && before.Vars[k.Variable] != "" {
			w.Vars[k.Variable] = before.Vars[k.Variable]
		}
	}
	return w, true
}

func (envSink) takeBack(w state.Written, old *file, others ownedByOther) (e edit, err error) {
	e.change = flow.Change{Type: config.OutputType(w.Type), Path: w.Path, Action: flow.KeepOutput}
	if old == nil {
		return e, nil
	}
	drop, left := takeable(old.data, &w, nil, others)
	e.left = strings.Join(left, ", ")
	if len(drop) > 0 {
		e.change.Action, e.change.Vars = flow.DeleteOutput, drop
		e.content, err = mergeDotenv(old.data, nil, drop)
		e.stays = !w.Made
	}
	return e, err
}

// takeable sorts the recorded variables that are not in keys: drop has those with the
// value that was written, left those with another value. A variable that is gone, or
// belongs to another profile, is in neither list.
func takeable(data []byte, recorded *state.Written, keys []config.Key, others ownedByOther) (drop, left []string) {
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

// asRecorded reports whether the variable has the recorded value at every place where
// the variable is assigned.
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
