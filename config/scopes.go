package config

import (
	"slices"
	"strings"
)

// Scope is a permission that a user grants to an app.
type Scope struct{ Name, Allows string }

// Scopes are the scopes in Spotify's documentation, late 2026, those that most programs
// need first.
var Scopes = [...]Scope{
	{"user-read-currently-playing", "read what is playing"},
	{"user-read-playback-state", "read the player and the devices"},
	{"user-modify-playback-state", "control playback (Premium)"},
	{"user-read-recently-played", "read recent plays"},
	{"user-top-read", "read top artists and tracks"},
	{"user-library-read", "read saved items"},
	{"user-library-modify", "save and remove items"},
	{"playlist-read-private", "read private playlists"},
	{"playlist-read-collaborative", "read collaborative playlists"},
	{"playlist-modify-private", "change private playlists"},
	{"playlist-modify-public", "change public playlists"},
	{"user-follow-read", "read followed artists"},
	{"user-follow-modify", "follow and unfollow"},
	{"user-read-email", "read the email address"},
	{"user-read-private", "read the country and the subscription"},
	{"user-read-playback-position", "read positions in episodes"},
	{"streaming", "play in the browser (Premium)"},
	{"app-remote-control", "control the mobile app"},
	{"ugc-image-upload", "upload playlist covers"},
}

func isScope(name string) bool {
	return slices.ContainsFunc(Scopes[:], func(s Scope) bool { return s.Name == name })
}

func scopeNames() []string {
	names := make([]string, len(Scopes))
	for i, s := range Scopes {
		names[i] = s.Name
	}
	return names
}

// partnerScopes are granted only to apps of Spotify's partners.
var partnerScopes = []string{
	"user-soa-link", "user-soa-unlink", "soa-manage-entitlements",
	"soa-manage-partner", "soa-create-partner",
}

// retired says what to do instead of asking for a scope that Spotify has retired
// and old code still asks for. An app made since February 2026 gets no login at
// all if one scope is unknown.
func retired(scope string) (hint string, ok bool) {
	switch scope {
	case "playlist-read":
		return "use playlist-read-private", true
	case "playlist-modify":
		return "use playlist-modify-private, playlist-modify-public or both", true
	case "user-personalized":
		return "use user-top-read", true
	case "user-read-play-history":
		return "use user-read-recently-played", true
	case "user-modify":
		return "use user-library-modify, user-follow-modify or both", true
	case "user-read-birthdate", "user-modify-private":
		return "remove it; nothing replaces it", true
	case "offline_access":
		return "remove it; Spotify always issues a refresh token", true
	}
	return "", false
}

// scopes decodes the list of scopes.
func (d *document) scopes(f *field) []string {
	const hint = "write a list, for example [playlist-read-private, user-library-read]"
	if f.node.kind == scalar {
		f.node.shown = true
	}
	var names []string
	var firsts []*node // the node of each of names
	for _, item := range d.items(f.node, "scopes", hint) {
		name, ok := d.shown(item, "scope")
		if !ok {
			continue
		}
		if at := slices.Index(names, name); at >= 0 {
			d.report(item, "remove one of the two", "duplicate scope %s: the first one is at %s", item.quoted(), d.file.at(firsts[at]))
			continue
		}
		names, firsts = append(names, name), append(firsts, item)
		d.scope(item, name)
	}
	return names
}

// scope reports a name that is not a scope, or not one for everybody.
func (d *document) scope(item *node, name string) {
	if isScope(name) {
		return
	}
	written := item.quoted()
	switch hint, gone := retired(name); {
	case gone:
		d.report(item, hint, "the scope %s is retired", written)
	case slices.Contains(partnerScopes, name):
		d.warn(item, "remove it, unless Spotify granted it to your app", "the scope %s is only for Spotify's partners", written)
	case strings.ContainsAny(name, " \t,;\n"):
		d.report(item, "write each name as its own item: [user-library-read, user-top-read]", "the scope %s contains more than one name", written)
	default:
		hint := "the scopes are listed at developer.spotify.com/documentation/web-api/concepts/scopes"
		if near := nearest(name, scopeNames()); near != "" {
			hint = "did you mean " + near + "?"
		}
		d.report(item, hint, "unknown scope %s", written)
	}
}
