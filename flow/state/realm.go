package state

import "path/filepath"

// Realm is a world of tokens: what one server granted means nothing to another
// server, so each realm has state of its own.
type Realm string

const (
	Real    Realm = ""        // Spotify's
	Sandbox Realm = "sandbox" // the stand-in's, of runs with --sandbox
)

// Open names the realm's part of a state directory. Open touches no file.
func (r Realm) Open(dir string) *Store { return &Store{dir: filepath.Join(dir, string(r))} }

// Twin returns the realm whose runs write the same outputs.
func (r Realm) Twin() Realm {
	if r == Sandbox {
		return Real
	}
	return Sandbox
}
