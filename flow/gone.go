package flow

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tokenform/config"
	"tokenform/flow/state"
)

// Gone lists the profiles that are in the state directories of declared and not
// among them: those that came from one of their files, or from a file that is
// no longer in one of dirs, which were read as a whole. Of a profile from
// another file nobody knows here whether it is still declared. One whose file
// is not known, because it came from standard input, is meant only where named
// has its name. apart is as in [Runner].
func Gone(declared []config.Profile, dirs, named []string, apart string) []config.Profile {
	files, names, stores := map[string]bool{}, map[[2]string]bool{}, []string{}
	for _, p := range declared {
		files[p.File()] = true
		names[[2]string{p.State, p.Name}] = true
		if !slices.Contains(stores, p.State) {
			stores = append(stores, p.State)
		}
	}
	var gone []config.Profile
	for _, dir := range stores {
		store := state.Open(filepath.Join(dir, apart))
		for _, name := range store.Names() {
			if names[[2]string{dir, name}] {
				continue
			}
			t, err := store.Read(name)
			if err != nil || t == nil {
				continue // not a profile's, as far as anybody can tell
			}
			if cameFrom(t.Source, dir, files, dirs) || t.Source == "" && slices.Contains(named, name) {
				gone = append(gone, config.Profile{Name: name, Grant: config.Grant(t.Grant), LoginLifetime: config.DefaultLoginLifetime, State: dir})
			}
		}
	}
	return gone
}

// cameFrom reports whether a profile's source is one of files, or was in one of
// dirs and is no more.
func cameFrom(source, stateDir string, files map[string]bool, dirs []string) bool {
	if source == "" {
		return false
	}
	path := filepath.FromSlash(source)
	if !filepath.IsAbs(path) {
		path = filepath.Join(stateDir, path)
	}
	if files[path] {
		return true
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) && slices.Contains(dirs, filepath.Dir(path))
}

// declaredIn is what state is to remember of the file that p is declared in, and
// whether t has something else.
func declaredIn(p config.Profile, t *state.Token) (source string, moved bool) {
	source = p.File()
	if source == "" {
		return t.Source, false
	}
	if way, err := filepath.Rel(p.State, source); err == nil {
		source = filepath.ToSlash(way)
	}
	return source, source != t.Source
}

// claim notes the file that p, which there is nothing else to do for, is now
// declared in: else it would be pruned with the one it was in before. What hinders
// it hinders nothing else.
func (r *Runner) claim(ctx context.Context, p config.Profile) {
	entry, err := r.store(p).Lock(ctx, p.Name, r.me(), state.Waiting{})
	if err != nil {
		return
	}
	defer entry.Unlock()
	t, err := entry.Token()
	if err != nil || t == nil {
		return
	}
	if source, moved := declaredIn(p, t); moved {
		t.Source = source
		_ = entry.Save(t)
	}
}

// NotDeclared is the reason for taking something away.
const NotDeclared = "no longer declared"

// PlanGone says what becomes of profiles that are no longer declared: with prune
// they are deleted as [Runner.Destroy] does, else they are left.
func (r *Runner) PlanGone(gone []config.Profile, prune bool) []Forecast {
	var forecasts []Forecast
	for _, x := range r.Remains(gone) {
		f := Forecast{Profile: x.Profile, Token: x.Token, Err: x.Err, Decision: Decision{
			Action: Leave, Reason: NotDeclared + "; apply --prune or destroy -p " + x.Profile.Name + r.Here + r.Files + " deletes it",
		}}
		if prune {
			f.Decision, f.Changes = Decision{Action: Delete, Reason: NotDeclared}, x.Changes
		}
		forecasts = append(forecasts, f)
	}
	return forecasts
}

// Prune deletes profiles that are no longer declared.
func (r *Runner) Prune(ctx context.Context, gone []config.Profile) []Result {
	var results []Result
	for _, x := range r.Destroy(ctx, r.Remains(gone)) {
		results = append(results, Result{Profile: x.Profile, Token: x.Token, Changes: x.Changes, Err: x.Err, Decision: Decision{Action: Delete, Reason: NotDeclared}})
	}
	return results
}
