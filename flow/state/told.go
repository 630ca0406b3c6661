package state

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"tokenform/flow/atomicfile"
)

// Told is what people were told of a profile, and when, so that they are told once a
// day.
type Told struct {
	Version int                  `json:"version"`
	Failing time.Time            `json:"failing_since,omitzero"` // zero if the last run succeeded
	Last    map[string]time.Time `json:"told"`                   // when each event was told last
	Tried   map[string]time.Time `json:"tried,omitempty"`        // when telling an event failed last
}

func (e *Entry) toldPath() string {
	return filepath.Join(e.store.dir, e.name+e.store.suffix+".told")
}

// Told reads what people were told. A file that cannot be read counts as empty: people
// may then be told twice, which does no harm.
func (e *Entry) Told() Told {
	var t Told
	if b, err := atomicfile.ReadOwn(e.toldPath(), maxBytes); err == nil {
		_ = json.Unmarshal(b, &t)
	}
	if t.Version > Version {
		t = Told{}
	}
	if t.Last == nil {
		t.Last = map[string]time.Time{}
	}
	if t.Tried == nil {
		t.Tried = map[string]time.Time{}
	}
	return t
}

// SaveTold remembers what people were told.
func (e *Entry) SaveTold(t Told) error {
	path := e.toldPath()
	if len(t.Last) == 0 && len(t.Tried) == 0 && t.Failing.IsZero() {
		if err := atomicfile.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unusable(path, err, "")
		}
		return nil
	}
	t.Version = Version
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if _, err := atomicfile.Write(path, append(b, '\n'), 0o600); err != nil {
		return unusable(path, err, "free some space or make it writable")
	}
	return nil
}
