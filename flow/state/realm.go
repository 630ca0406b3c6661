package state

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Realm is a world of tokens: what one server granted means nothing to another
// server, so each realm has state of its own.
type Realm string

const (
	Real    Realm = ""        // Spotify's: NAME.json
	Sandbox Realm = "sandbox" // the stand-in's, of runs with --sandbox: sandbox/NAME.json
)

// RealmOf returns the realm of an accounts server, which is named by its origin. The
// realm of a server that is not Spotify's has NAME@HOST.json: no profile's name has
// an @.
func RealmOf(accounts, spotify string) Realm {
	if accounts == spotify {
		return Real
	}
	_, host, _ := strings.Cut(accounts, "://")
	// On some systems a file's name cannot have a port's colon or the brackets of IPv6.
	return Realm("@" + strings.NewReplacer(":", "_", "[", "", "]", "").Replace(strings.ToLower(host)))
}

// Open names the realm's part of a state directory. Open touches no file.
func (r Realm) Open(dir string) *Store {
	if strings.HasPrefix(string(r), "@") {
		return &Store{dir: dir, suffix: string(r)}
	}
	return &Store{dir: filepath.Join(dir, string(r))}
}

// Others returns the other realms that may have state in dir. Their runs write the
// same outputs.
func (r Realm) Others(dir string) []Realm {
	all := []Realm{Real, Sandbox}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".outputs")
		if i := strings.Index(name, "@"); ok && i > 0 && !slices.Contains(all, Realm(name[i:])) {
			all = append(all, Realm(name[i:]))
		}
	}
	return slices.DeleteFunc(all, func(other Realm) bool { return other == r })
}
