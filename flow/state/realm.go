package state

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Realm is the tokens of one server. A token means nothing to another server, so each
// realm has state of its own.
type Realm string

const (
	Real    Realm = ""        // of Spotify: NAME.json
	Sandbox Realm = "sandbox" // of the stand-in, for runs with --sandbox: sandbox/NAME.json
)

// RealmOf returns the realm of an accounts server. accounts and spotify are origins. If
// the server is not Spotify's, the realm's state files are called NAME@HOST.json: no
// profile's name has an @.
func RealmOf(accounts, spotify string) Realm {
	if accounts == spotify {
		return Real
	}
	_, host, _ := strings.Cut(accounts, "://")
	// On some systems a file's name cannot have a port's colon or the brackets of IPv6.
	return Realm("@" + strings.NewReplacer(":", "_", "[", "", "]", "").Replace(strings.ToLower(host)))
}

// Open returns the realm's part of the state directory dir. Open touches no file.
func (r Realm) Open(dir string) *Store {
	if strings.HasPrefix(string(r), "@") {
		return &Store{dir: dir, suffix: string(r)}
	}
	return &Store{dir: filepath.Join(dir, string(r))}
}

// Elsewhere returns the profiles that have a login of another server in dir, and the
// servers. "" stands for Spotify's. The stand-in of --sandbox does not count.
func (r Realm) Elsewhere(ctx context.Context, dir string) map[string]string {
	servers := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		stem, ok := strings.CutSuffix(e.Name(), ".json")
		name, host, other := strings.Cut(stem, "@")
		realm := Real
		if other {
			realm = Realm("@" + host)
		}
		if !ok || name == "" || realm == r || r == Sandbox {
			continue
		}
		if t, err := realm.Open(dir).Read(ctx, name); err == nil && t != nil {
			servers[name] = t.Server
		}
	}
	return servers
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
