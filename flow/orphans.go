package flow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/config/paths"
	"tokenform/flow/state"
)

// Orphans lists the profiles that have state in the realm, next to the state of the
// declared ones, and are no longer declared: profiles that came from a file of the
// declared ones, or from a file that is gone from one of dirs, the directories that
// were read as a whole. Of any other file, Orphans cannot know whether it still
// declares the profile. A profile from standard input is an orphan only if named has
// its name. If every is set, all profiles that no file declares any more are orphans,
// whatever file they came from.
func Orphans(ctx context.Context, declared []config.Profile, dirs, named []string, every bool, realm state.Realm) []config.Profile {
	var cache paths.Cache
	files, names, stores := map[string]bool{}, map[[2]string]bool{}, []string{}
	for _, p := range declared {
		if p.File() != "" {
			files[cache.File(p.File())] = true
		}
		names[[2]string{p.State, p.Name}] = true
		names[[2]string{p.State, p.MovedFrom}] = true // state keeps the former name until the next apply
		if !slices.Contains(stores, p.State) {
			stores = append(stores, p.State)
		}
	}
	var orphans []config.Profile
	for _, dir := range stores {
		store := realm.Open(dir)
		for _, name := range store.LocalNames() {
			if names[[2]string{dir, name}] {
				continue
			}
			t, err := store.Read(ctx, name)
			if err != nil || t == nil {
				continue // not the state of a profile
			}
			source := sourceFile(t, dir)
			switch {
			case every && gone(source, name):
			case source == "" && slices.Contains(named, name):
			case source != "" && (files[cache.File(source)] || left(source, dirs, &cache)):
			default:
				continue
			}
			p := config.Profile{Name: name, Grant: config.Grant(t.Grant), LoginLifetime: config.DefaultLoginLifetime, State: dir}
			if source != "" {
				p.Dir = filepath.Dir(source)
			}
			orphans = append(orphans, p)
		}
	}
	return orphans
}

// gone reports whether the file that declared the profile declares it no longer. If
// nobody can tell, because the file exists and cannot be read, gone is false.
func gone(source, name string) bool {
	if source == "" {
		return true
	}
	declared, err := config.Declares(source, name)
	return !declared && err == nil
}

// left reports whether a profile's file was in one of dirs and is gone.
func left(source string, dirs []string, cache *paths.Cache) bool {
	_, err := os.Stat(source)
	return errors.Is(err, fs.ErrNotExist) && slices.ContainsFunc(dirs, func(dir string) bool {
		return cache.Directory(dir) == cache.Directory(filepath.Dir(source))
	})
}

// sourceFile returns the file that declared the profile of t, or "" if the profile
// came from standard input. dir is the state directory.
func sourceFile(t *state.Token, dir string) string {
	path := filepath.FromSlash(t.Source)
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// sourceDir returns the project of t: the directory of the file that declares it, or "".
func sourceDir(t *state.Token, dir string) string {
	if file := sourceFile(t, dir); file != "" {
		return filepath.Dir(file)
	}
	return ""
}

// declaredIn returns the file that declares p, in the form that state remembers. moved
// reports whether t remembers another file.
func declaredIn(p config.Profile, t *state.Token) (source string, moved bool) {
	if p.Store != nil {
		return "", false // the files of other machines mean nothing here
	}
	if p.File() == "" {
		return t.Source, false
	}
	source = p.File()
	if way, err := filepath.Rel(p.State, source); err == nil {
		source = filepath.ToSlash(way)
	}
	if source == t.Source {
		return source, false
	}
	return source, t.Source == "" || !paths.Same(sourceFile(t, p.State), p.File())
}

// checkOwner refuses the login of another server, as [Runner.checkServer] does. checkOwner
// also refuses the login of another file's profile: two projects that share a state
// directory must not throw each other's login away. A profile that the other file no longer
// declares has moved here.
func (r *Runner) checkOwner(p config.Profile, t *state.Token) error {
	if err := r.checkServer(p, t); err != nil || t == nil {
		return err
	}
	if _, moved := declaredIn(p, t); !moved || t.Source == "" {
		return nil
	}
	other := sourceFile(t, p.State)
	declared, err := config.Declares(other, p.Name)
	if err != nil {
		return &fault.Error{
			Kind:    fault.Invalid,
			Message: fmt.Sprintf("the login in %s belongs to a profile %s in %s, which cannot be read: %s", p.State, p.Name, other, fault.Cause(err)),
			Hint:    "repair that file, or delete it if nobody needs it; this profile then gets the login",
		}
	}
	if !declared {
		return nil
	}
	return &fault.Error{
		Kind:    fault.Invalid,
		Message: fmt.Sprintf("the login in %s belongs to the profile %s in %s, not to the one in %s", p.State, p.Name, other, p.File()),
		Hint:    "rename one of the two (profile: NAME), or give it another state directory (state: DIR, --state DIR)",
	}
}

// checkServer refuses the login of another server, because a refresh token may only be
// sent to the server that granted it.
func (r *Runner) checkServer(p config.Profile, t *state.Token) error {
	if t == nil {
		return nil
	}
	if there := r.elsewhere(t); there != "" {
		return &fault.Error{
			Kind:    fault.Failed,
			Message: fmt.Sprintf("the login in %s was granted by %s, and is never sent to %s", r.stateOf(p).Where(), there, r.world.Endpoints.Accounts),
			Hint:    "set or unset TOKENFORM_ACCOUNTS_URL to reach the server that granted it, or move the state file away and log in again",
		}
	}
	return nil
}

// elsewhere returns the accounts server that granted t, or "" if this run reaches that
// server.
func (r *Runner) elsewhere(t *state.Token) string {
	switch {
	case r.world.Realm == state.Sandbox: // the stand-in has another port in each run
		return ""
	case t.Server == "" && r.world.Realm != state.Real:
		return "Spotify"
	case t.Server == "" || t.Server == r.world.Endpoints.Accounts:
		return ""
	}
	return t.Server
}

// SuggestMoves warns about each profile without a login if an orphan has a login of the
// same app: the profile may have been renamed.
func (r *Runner) SuggestMoves(ctx context.Context, outcomes []Outcome, orphans []config.Profile) {
	for _, o := range outcomes {
		id, known := o.Profile.Client.ID.Known()
		if o.Err != nil || o.Token != nil || !known || o.Decision.Action != Login {
			continue
		}
		for _, old := range orphans {
			if t, err := r.stateOf(old).Read(ctx, old.Name); err == nil && t != nil && t.ClientID == id && old.State == o.Profile.State {
				r.warn(o.Profile.Name, "the login of "+old.Name+", which no file declares, is of the same app", "if the profile was renamed: moved_from: "+old.Name+" in it, or "+r.stateCommand(o.Profile, "mv", old.Name, o.Profile.Name))
				break
			}
		}
	}
}

// noteSource notes the file that declares p now. Nothing else is due for p. Without the
// note, p would be pruned with the file that declared p before. noteSource ignores
// errors: the next apply notes the file.
func (r *Runner) noteSource(ctx context.Context, p config.Profile) {
	entry, err := r.stateOf(p).Lock(ctx, p.Name, r.holder(), state.Waiting{})
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

// Undeclared says of an orphan that no file declares it.
func (o Outcome) Undeclared() string {
	if o.Token != nil && o.Token.Source == "" { // perhaps no file ever has
		return "not declared in a file"
	}
	return NotDeclared
}

// PlanOrphans says what becomes of profiles that are no longer declared. If prune is
// set, they are deleted as [Runner.Destroy] does; else they are left.
func (r *Runner) PlanOrphans(ctx context.Context, orphans []config.Profile, prune bool) []Outcome {
	outcomes := r.PlanDestroy(ctx, orphans)
	for i := range outcomes {
		o := &outcomes[i]
		if prune {
			o.Decision = Decision{Action: Delete, Reason: NotDeclared}
			continue
		}
		o.Outputs = nil
		o.Decision = Decision{
			Action: Leave,
			Reason: o.Undeclared() + "; " + r.options.Invocation.Command("apply", "--prune") + " or " + r.command(o.Profile, "destroy") + " deletes it",
		}
	}
	return outcomes
}

// Prune deletes profiles that are no longer declared.
func (r *Runner) Prune(ctx context.Context, orphans []config.Profile) []Outcome {
	return r.Destroy(ctx, r.PlanOrphans(ctx, orphans, true))
}
