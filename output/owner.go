package output

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
		return w.Digest == old.digest() && paths.Same(w.Path, x.output.Path)
	})
}

// leadsAway reports whether the output is now a link to a file that has neither the
// content that tokenform wrote last nor any token.
func (x target) leadsAway(old *file) bool {
	info, err := os.Lstat(x.output.Path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0 && x.last().Digest != old.digest() && recognise(old.data).From == ""
}

// errNotOurs is the error for a whole file that tokenform did not make.
func (x target) errNotOurs() error {
	return &fault.Error{
		Message: "tokenform did not create this file, so it is not overwritten",
		Hint:    "move it away, or name another path in the profile",
	}
}

// errForeign is the error for a file at the path of one of ours with a content that is
// no token: somebody has put a file of their own there.
func (x target) errForeign() error {
	return &fault.Error{
		Message: "its content is no longer a token, so it is not overwritten",
		Hint:    "move it away, or name another path in the profile",
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
	return missing || x.madeByNeighbour(x.output.Path) || slices.ContainsFunc(x.otherRealms(), elsewhere) || takesOver != nil && takesOver(x.present())
}

// madeByNeighbour reports whether tokenform made the file for another profile in the
// state directory, or for this profile under another name.
func (f *Files) madeByNeighbour(p config.Profile, path string) bool {
	store := f.Realm.Open(p.State)
	for _, name := range store.LocalNames() {
		list, _, _ := store.Outputs(name, p.Dir, nil)
		if slices.ContainsFunc(list, func(w state.Written) bool { return w.Made && paths.Same(w.Path, path) }) {
			return true
		}
	}
	return false
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
