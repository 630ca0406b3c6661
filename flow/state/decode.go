package state

import (
	"bytes"
	"encoding/json"
	"fmt"

	"tokenform/config/fault"
)

// Decode decodes a state file from another machine as the state of the profile name.
func Decode(name string, b []byte) (*Token, error) {
	t, err := decode("standard input", name, renamed(name, b)) // the profile has another name on that machine
	if fault.HintOf(err) == repair {
		err = &fault.Error{Err: err, Hint: "give it what tokenform state pull printed"}
	}
	return t, err
}

// renamed returns the content of a state file as that of the profile name.
func renamed(name string, b []byte) []byte {
	var t Token
	if json.Unmarshal(b, &t) == nil && t.Profile != "" {
		t.Profile = name
		if again, err := json.Marshal(t); err == nil {
			return again
		}
	}
	return b
}

const repair = "restore the file from a backup, or delete it and log in again"

// maxSerial bounds serial numbers: a login that is stored once a second needs
// thirty years to get there. The next number must never overflow, and look older.
const maxSerial = 1 << 30

// decode decodes the content of the state file at path. For any doubtful content,
// decode returns an error that names the file: starting over would throw a login away.
func decode(path, name string, b []byte) (*Token, error) {
	var file struct {
		Token
		Outputs []Written `json:"outputs"` // an older tokenform kept them here
	}
	t := &file.Token
	err := json.Unmarshal(b, &file)
	wrong := err != nil && json.Valid(b) && shape(b) == damaged // a JSON object with a field of a wrong type
	switch {
	case err != nil && !wrong:
		return nil, broken(path, "not a state file: "+shape(b), repair)
	case t.Version > Version:
		return nil, broken(path, fmt.Sprintf("written by a newer tokenform (version %d; this one reads %d)", t.Version, Version), "use that tokenform, or a newer one")
	case wrong:
		return nil, broken(path, "not a state file: a field has the wrong type", repair)
	case t.Version < 1:
		return nil, broken(path, "not a state file: it has no version", repair)
	case t.Serial < 0 || t.Serial > maxSerial:
		return nil, broken(path, "not a state file: its serial number is impossible", repair)
	case t.Profile != name:
		return nil, broken(path, fmt.Sprintf("belongs to the profile %q", t.Profile), "rename the file back, or delete it and log in again")
	case t.Access == "" && t.Refresh == "" || t.Expires.IsZero() || t.Grant == "":
		return nil, broken(path, "not a state file: it has no token", repair)
	}
	for _, w := range file.Outputs {
		w.Made = w.Vars == nil // tokenform had made every whole file; who made an env file was not recorded
		t.inherited = append(t.inherited, w)
	}
	return t, nil
}

const damaged = "its JSON is damaged"

// shape says why b is no JSON object, without quoting b.
func shape(b []byte) string {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return "it is empty"
	case b[0] == '{':
		return damaged
	default:
		return "it is not a JSON object"
	}
}
