package output

import (
	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// edit is what is to become of one file. Plan and apply both get it from the same
// function, which may read but never writes, so that they cannot disagree.
type edit struct {
	change  flow.Change
	content []byte // what the file will hold, if every value is known
	unknown bool   // a value is not known
	private bool   // the file holds a secret
	stays   bool   // the file stays even if nothing is left in it: somebody else made it
	before  bool   // the file is somebody else's token file, and is kept as NAME.before
	left    string // what was to be taken back, but stays because somebody changed it
}

// deletes reports whether the file is to go as a whole.
func (e edit) deletes() bool {
	return e.change.Action == flow.DeleteOutput && len(e.content) == 0 && !e.stays
}

// judge says what becomes of a file that is ours as a whole. same reports whether
// the file holds what it should.
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

// takeBackWhole is takeBack for a sink that has the whole file.
func takeBackWhole(w state.Written, old *file, others others) edit {
	e := edit{change: flow.Change{Type: config.OutputType(w.Type), Path: w.Path, Action: flow.KeepOutput}}
	switch {
	case old == nil, others(""):
	case w.Digest != old.digest():
		e.left = "it"
	default:
		e.change.Action, e.stays = flow.DeleteOutput, !w.Made
	}
	return e
}

// Reasons for a change.
const (
	newToken = "new token" // the token is about to be another one
	differs  = "differs"   // somebody has written it
)
