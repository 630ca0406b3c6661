package sandbox

import "strings"

// scopes is a set of scopes: bit n stands for known[n].
type scopes uint32

// known lists the scopes of Spotify's newest documentation, then the scopes of
// partners. Every answer lists scopes in this order, which is neither the
// documentation's nor the alphabet's, so that no program relies on either.
var known = [...]struct{ name, words string }{
	{"playlist-read-private", "See your private playlists"},
	{"playlist-read-collaborative", "See the playlists you share with others"},
	{"ugc-image-upload", "Upload pictures, such as playlist covers"},
	{"user-follow-read", "See whom and what you follow"},
	{"playlist-modify-private", "Change your private playlists"},
	{"user-read-email", "See your email address"},
	{"user-read-private", "See your subscription and country"},
	{"streaming", "Play music in a player of its own"},
	{"app-remote-control", "Talk to the Spotify app on your devices"},
	{"user-follow-modify", "Change whom and what you follow"},
	{"user-modify-playback-state", "Control playback on your devices"},
	{"user-library-read", "See what you saved in your library"},
	{"user-library-modify", "Save and remove things in your library"},
	{"playlist-modify-public", "Change your public playlists"},
	{"user-read-playback-state", "See what plays, and on which device"},
	{"user-read-currently-playing", "See what is playing right now"},
	{"user-read-recently-played", "See what you played lately"},
	{"user-read-playback-position", "See where you stopped in an episode"},
	{"user-top-read", "See your top artists and songs"},
	{"user-soa-link", "Link your account with a partner's"},
	{"user-soa-unlink", "Unlink your account from a partner's"},
	{"soa-manage-entitlements", "Manage what a partner's customers may use"},
	{"soa-manage-partner", "Manage partner information"},
	{"soa-create-partner", "Create a partner"},
}

// parseScopes reads a scope parameter. parseScopes leaves unknown names out of the set
// and returns the first of them.
func parseScopes(text string) (set scopes, unknown string) {
	for name := range strings.SplitSeq(text, " ") {
		if name == "" {
			continue
		}
		bit := scopeBit(name)
		if bit == 0 && unknown == "" {
			unknown = name
		}
		set |= bit
	}
	return set, unknown
}

func scopeBit(name string) scopes {
	for i := range known {
		if known[i].name == name {
			return 1 << i
		}
	}
	return 0
}

func (s scopes) String() string {
	var names []string
	for i := range known {
		if s&(1<<i) != 0 {
			names = append(names, known[i].name)
		}
	}
	return strings.Join(names, " ")
}
