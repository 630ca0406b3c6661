package flow

import (
	"cmp"
	"context"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// readMoved is [Runner.read] for a profile whose state is still kept under its former
// name.
func (r *Runner) readMoved(ctx context.Context, p config.Profile) (t *state.Token, recorded []state.Written, err error) {
	former := p
	former.Name, former.MovedFrom = p.MovedFrom, ""
	if p.Store != nil && (p.Store.Single() || p.MovedByName) {
		return nil, nil, nil // see takeOver
	}
	if t, err = r.stateOf(former).Read(ctx, former.Name); err == nil && p.MovedByName && r.checkOwner(former, t) != nil {
		return nil, nil, nil // another profile has that name, and declares it
	}
	if t, recorded, err = r.readState(ctx, former); err != nil {
		return nil, nil, &fault.Error{Message: "moved_from: " + p.MovedFrom, Err: err}
	}
	return t, recorded, nil
}

// takeOver moves the state of the profile's former name to its own name, if that has
// none yet. If a killed process has moved the state already, takeOver only deletes it
// under the former name.
func (s *session) takeOver() error {
	former := s.profile
	former.Name, former.MovedFrom = s.profile.MovedFrom, ""
	if s.profile.Store != nil && (s.profile.Store.Single() || s.profile.MovedByName) {
		return nil // one address for any name; or nobody knows whose login in the store that name is
	}
	if t, err := s.stateOf(former).Read(s.entry.Context(), former.Name); t == nil && err == nil {
		return nil
	}
	old, err := s.kept(s.entry.Context(), former)
	if err != nil {
		return err
	}
	defer old.Unlock()
	t, err := old.Token()
	if err != nil || t == nil {
		return err
	}
	if err := s.checkOwner(former, t); err != nil {
		if s.profile.MovedByName {
			return nil
		}
		return &fault.Error{Message: "moved_from: " + former.Name, Err: err}
	}
	if s.profile.Store != nil && clientChanged(s.profile, t) {
		return &fault.Error{Kind: fault.Invalid, Message: "moved_from: the login of " + former.Name + " in " + s.stateOf(former).Where() + " is of another app", Hint: "correct moved_from or client.id, or remove moved_from"}
	}
	return move(old, s.entry, t, s.profile.Dir)
}

// move makes old's state the state of to, which has none yet, and then deletes old's. t
// is old's token. If to already has the same login, a process was killed between the
// two steps.
func move(old, to *state.Entry, t *state.Token, project string) error {
	now, err := to.Token()
	switch {
	case err != nil:
		return err
	case now == nil:
		recorded, _, err := old.Outputs(project, t)
		if err != nil {
			return err
		}
		if err := to.SaveOutputs(recorded, project); err != nil {
			return err
		}
		if err := to.Save(t); err != nil {
			return err
		}
	case !now.Had(t.Refresh):
		return nil // another login: the old one stays where it is
	}
	return old.Delete()
}

// Move renames the state of the profile from, in the same place.
func (r *Runner) Move(ctx context.Context, from config.Profile, to string) error {
	if from.Store != nil && from.Store.Single() {
		return &fault.Error{Kind: fault.Invalid, Message: from.Store.String() + " keeps one login", Hint: "change the name in the profile, or migrate the login to another address: tokenform state migrate --from OLD.yaml"}
	}
	target := from
	target.Name = to
	entry, err := r.kept(ctx, target) // in the order of takeOver
	if err != nil {
		return err
	}
	defer entry.Unlock()
	old, err := r.kept(ctx, from)
	if err != nil {
		return err
	}
	defer old.Unlock()
	t, err := old.Token()
	if t == nil {
		return cmp.Or(err, error(&fault.Error{Message: "no state for " + from.Name, Hint: "tokenform state list shows the names"}))
	}
	if now, err := entry.Token(); err != nil || now != nil && (t.Refresh == "" || !now.Had(t.Refresh)) { // else a process was killed in between
		if err == nil {
			err = &fault.Error{Message: to + " already has a login", Hint: "tokenform state rm " + to + " removes it"}
		}
		return err
	}
	return move(old, entry, t, sourceDir(t, from.State))
}
