package output

import (
	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// edit is the planned change of one file. Plan and apply both get the edit from the
// same function, which may read but never writes, so that they cannot disagree.
type edit struct {
	change      flow.Change
	content     []byte // what the file will hold, if every value is known
	unknown     bool   // a value is not known
	private     bool   // the file holds a secret
	stays       bool   // the file stays even if it becomes empty: somebody else made the file
	keepsBefore bool   // the file is somebody else's token file, of which a copy is kept as NAME.before
	left        string // what should be taken back, but stays because somebody changed it
}

// deletes reports whether the whole file is to be deleted.
func (e edit) deletes() bool {
	return e.change.Action == flow.DeleteOutput && len(e.content) == 0 && !e.stays
}

// setAction sets the change for a file that is ours as a whole. same says that the file has
// the right content already.
func (e *edit) setAction(t *state.Token, old *file, same bool) {
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

// takeBackWhole is takeBack for a sink that owns whole files.
func takeBackWhole(w state.Written, old *file, others ownedByOther) edit {
	e := edit{change: flow.Change{Type: config.OutputType(w.Type), Path: w.Path, Action: flow.KeepOutput}}
	switch {
	case old == nil, others(""):
	case !w.Wrote(old.digest()):
		e.left = "it"
	default:
		e.change.Action, e.stays = flow.DeleteOutput, !w.Made
	}
	return e
}

// Reasons for a change.
const (
	newToken = "new token" // the token is about to be replaced
	differs  = "differs"   // somebody else has changed the output
)
