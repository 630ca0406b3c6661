package output

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/config/paths"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state"
)

// The rule of what may be overwritten is in the package comment of flow/state. This
// file applies the rule to whole files.

// owned reports whether tokenform made the content of the file: for this output, for an
// output of another type at its path, or in another realm.
func (x target) owned(old *file) bool {
	return x.last() != nil && !x.leadsAway(old) || x.wroteWhole(old) || slices.ContainsFunc(x.otherRealms(), func(w state.Written) bool {
		return w.Wrote(old.digest()) && paths.Same(w.Path, x.output.Path)
	})
}

// leadsAway reports whether the output is now a link to a file that has neither the
// content that tokenform wrote last nor any token.
func (x target) leadsAway(old *file) bool {
	info, err := os.Lstat(x.output.Path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0 && !x.last().Wrote(old.digest()) && recognise(old.data).From == ""
}

// errNotOurs is the error for a whole file that tokenform did not make.
func (x target) errNotOurs() error {
	return &fault.Error{
		Message: "tokenform did not create this file, so it is not overwritten",
		Hint:    "move it away, or name another path in the profile",
	}
}

// changed reports whether somebody has changed the file since tokenform wrote it.
func (x target) changed(old *file) bool {
	last := x.last()
	return last != nil && !last.Wrote(old.digest()) && !x.wroteWhole(old) && !slices.ContainsFunc(x.otherRealms(), func(w state.Written) bool {
		return w.Wrote(old.digest()) && paths.Same(w.Path, x.output.Path)
	})
}

// holdsOurs reports whether the file has a token in it that tokenform wrote there, or that
// state has. Such a file is one of ours that somebody has edited, and no other file that
// was put in its place.
func (x target) holdsOurs(old *file) bool {
	for _, t := range []*state.Token{x.stored, x.token} {
		if t != nil && len(tokensIn(old.data, t)) > 0 {
			return true
		}
	}
	last := x.last()
	return last != nil && holdsWord(old, func(word string) bool { return slices.Contains(last.Tokens, state.Digest(word)) })
}

// lacksRefresh reports whether tokenform wrote a refresh token into the file, and the file
// has none now that state has or had: a client may have put the one there that replaced it.
func (x target) lacksRefresh(old *file) bool {
	last := x.last()
	return last != nil && last.Refresh != "" && !holdsWord(old, func(word string) bool {
		return state.Digest(word) == last.Refresh || x.stored != nil && x.stored.Had(word) || x.token != nil && x.token.Had(word)
	})
}

// holdsWord reports whether a word of the file that may be a token is known. Spotify's
// tokens consist of letters, digits, - and _. Other servers' may also have the rest of RFC
// 6750, section 2.1.
func holdsWord(old *file, known func(word string) bool) bool {
	letter := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_'
	}
	return slices.ContainsFunc(strings.FieldsFunc(string(old.data), func(r rune) bool { return !letter(r) }), known) ||
		slices.ContainsFunc(strings.FieldsFunc(string(old.data), func(r rune) bool { return !letter(r) && !strings.ContainsRune(".~+/", r) }), known)
}

// tokensIn returns the tokens of t that are in the text.
func tokensIn(text []byte, t *state.Token) (list []string) {
	for _, secret := range []string{t.Access, t.Refresh} {
		if secret != "" && bytes.Contains(text, []byte(secret)) {
			list = append(list, secret)
		}
	}
	return list
}

// keepTrace adds to w, the record of a whole file, what tokenform wrote before: the
// content that is still there, and the tokens. content is what the file is to hold.
func (x target) keepTrace(w *state.Written, old *file, content []byte) {
	if last := x.last(); last != nil {
		if w.Tokens = slices.Clone(last.Tokens); old != nil && last.Wrote(old.digest()) && old.digest() != w.Digest {
			w.Before = old.digest()
		}
	}
	for _, token := range tokensIn(content, x.token) {
		if digest := state.Digest(token); !slices.Contains(w.Tokens, digest) {
			w.Tokens = append(w.Tokens, digest)
		}
	}
	const most = 8 // a file that nobody could write for so long is not recognized once it is edited
	w.Tokens = w.Tokens[max(len(w.Tokens)-most, 0):]
}

// errForeign is the error for a file at the path of one of ours with a content that is
// no token: somebody has put a file of their own there.
func (x target) errForeign() error {
	return &fault.Error{
		Message: "its content is no longer a token, so it is not overwritten",
		Hint:    "move it away or delete it, or name another path in the profile",
	}
}

// errEdited is the error for a text file at the path of one of ours that has none of our
// tokens: nobody can tell whether it is ours and edited, or somebody's own.
func (x target) errEdited() error {
	return &fault.Error{
		Message: "was changed, and none of tokenform's tokens is in it, so it is not overwritten",
		Hint:    "move it away or delete it, or name another path in the profile",
	}
}

// errRefreshGone is the error for a text file of ours that no longer has our refresh token.
func (x target) errRefreshGone() error {
	return &fault.Error{
		Message: "was changed, and the refresh token that tokenform wrote is no longer in it, so it is not overwritten",
		Hint:    "a client may have a newer one there: to use that login, run tokenform destroy -p " + x.profile.Name + " and then tokenform import -p " + x.profile.Name + "; otherwise move the file away or delete it",
	}
}

// made reports whether tokenform makes the file, or has made it. takesOver reports
// whether our file replaces one that is not ours.
func (x target) made(takesOver func(old *file) bool) bool {
	_, err := os.Lstat(x.output.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if i := slices.IndexFunc(x.recorded, func(w state.Written) bool { return w.Path == x.output.Path }); i >= 0 {
		return x.recorded[i].Made || missing
	}
	elsewhere := func(w state.Written) bool { return w.Made && paths.Same(w.Path, x.output.Path) }
	return missing || slices.ContainsFunc(x.neighbours(), elsewhere) || slices.ContainsFunc(x.otherRealms(), elsewhere) || takesOver != nil && takesOver(x.present())
}

// recordsOfNeighbours returns what tokenform has written for the profiles in p's state
// directory: for other profiles, and for p under another name.
func (f *Files) recordsOfNeighbours(p config.Profile) (all []state.Written) {
	store := f.Realm.Open(p.State)
	for _, name := range store.LocalNames() {
		list, _, _ := store.Outputs(name, p.Dir, nil)
		all = append(all, list...)
	}
	return all
}

// present returns the output's file, or nil if there is none that can be read.
func (x target) present() *file {
	data, mode, err := atomicfile.Read(x.output.Path, maxFile)
	if err != nil {
		return nil
	}
	return &file{data, mode}
}

// recordsOfOtherRealms returns what runs in other realms have written for p.
func (f *Files) recordsOfOtherRealms(x target) []state.Written {
	var list []state.Written
	for _, realm := range f.Realm.Others(x.profile.State) {
		list = append(list, recordOf(realm, x.profile)...)
	}
	return list
}

// leaveReal returns an error if the login at Spotify itself has written the output: a
// run with the stand-in, or at another server, must not change the output.
func (f *Files) leaveReal(x target) error {
	if f.Realm == state.Real {
		return nil
	}
	if _, err := os.Stat(x.output.Path); err != nil {
		return nil
	}
	for _, w := range recordOf(state.Real, x.profile) {
		shared := w.Vars == nil || slices.ContainsFunc(x.output.Keys, func(k config.Key) bool { return w.Vars[k.Variable] != "" })
		if shared && filepath.IsAbs(w.Path) && paths.Same(w.Path, x.output.Path) {
			return &fault.Error{
				Message: x.output.Shown + " was written for the login at Spotify and stays as it is",
				Hint:    "use a copy of the profile with other paths; tokenform destroy removes the outputs of the real login",
			}
		}
	}
	return nil
}
