package flow

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tokenform/config"
	"tokenform/flow/state"
)

// Orphans lists the profiles that have state of the realm beside the declared
// ones and are no longer declared: those that came from a file of the declared
// ones, or from a file that has left one of dirs, the directories that were read
// as a whole. Whether a profile of any other file is still declared cannot be
// known. A profile from standard input is an orphan only if named has its name.
func Orphans(declared []config.Profile, dirs, named []string, realm state.Realm) []config.Profile {
	files, names, stores := map[string]bool{}, map[[2]string]bool{}, []string{}
	for _, p := range declared {
		files[p.File()] = true
		names[[2]string{p.State, p.Name}] = true
		if !slices.Contains(stores, p.State) {
			stores = append(stores, p.State)
		}
	}
	var orphans []config.Profile
	for _, dir := range stores {
		store := realm.Open(dir)
		for _, name := range store.Names() {
			if names[[2]string{dir, name}] {
				continue
			}
			t, err := store.Read(name)
			if err != nil || t == nil {
				continue // not the state of a profile
			}
			if cameFrom(t.Source, dir, files, dirs) || t.Source == "" && slices.Contains(named, name) {
				orphans = append(orphans, config.Profile{Name: name, Grant: config.Grant(t.Grant), LoginLifetime: config.DefaultLoginLifetime, State: dir})
			}
		}
	}
	return orphans
}

// cameFrom reports whether a profile's source is one of files, or was in one of
// dirs and is gone.
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

// declaredIn returns what state must remember of the file that declares p. moved
// reports whether t remembers another file.
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

// noteSource notes the file that p, for which nothing else is due, is declared
// in now: else p would be pruned with the file that declared p before. An error
// is ignored: the next apply notes the file.
func (r *Runner) noteSource(ctx context.Context, p config.Profile) {
	entry, err := r.open(p).Lock(ctx, p.Name, r.holder(), state.Waiting{})
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

// PlanOrphans says what becomes of profiles that are no longer declared. With
// prune they are deleted as [Runner.Destroy] does; else they are left.
func (r *Runner) PlanOrphans(orphans []config.Profile, prune bool) []Outcome {
	outcomes := r.PlanDestroy(orphans)
	for i := range outcomes {
		o := &outcomes[i]
		if prune {
			o.Decision = Decision{Action: Delete, Reason: NotDeclared}
			continue
		}
		o.Outputs = nil
		o.Decision = Decision{
			Action: Leave,
			Reason: NotDeclared + "; apply --prune or " + strings.TrimPrefix(r.command(o.Profile, "destroy"), "tokenform ") + " deletes it",
		}
	}
	return outcomes
}

// Prune deletes profiles that are no longer declared.
func (r *Runner) Prune(ctx context.Context, orphans []config.Profile) []Outcome {
	return r.Destroy(ctx, r.PlanOrphans(orphans, true))
}
