package flow

import (
	"context"
	"errors"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// Forget deletes the state of p: the login and the record of outputs. The outputs stay as
// they are.
func (r *Runner) Forget(ctx context.Context, p config.Profile) error {
	entry, err := r.kept(ctx, p)
	if err != nil {
		return err
	}
	defer entry.Unlock()
	return entry.Delete()
}

// Push makes t the state of p. Push replaces a login that is
// there already, and is not older, only if force is set.
func (r *Runner) Push(ctx context.Context, p config.Profile, t *state.Token, force bool) error {
	entry, err := r.kept(ctx, p)
	if err != nil {
		return err
	}
	defer entry.Unlock()
	now, err := entry.Token()
	if err != nil && (!force || fault.KindOf(err) == fault.Temporary) {
		return err
	}
	switch {
	case now == nil || force:
	case now.Account != nil && t.Account != nil && !sameAccount(now.Account, t.Account):
		return &fault.Error{Message: p.Name + " has the login of " + accountName(now.Account) + ", and the pushed one is of " + accountName(t.Account), Hint: "--force replaces it and discards its refresh token"}
	case now.ClientID != t.ClientID || !t.Had(now.Refresh):
		return &fault.Error{Message: p.Name + " has a login that the pushed one does not descend from", Hint: "--force replaces it and discards its refresh token"}
	case now.Serial >= t.Serial:
		return &fault.Error{Message: p.Name + " already has a login that is as new or newer", Hint: "--force replaces it and discards its refresh token"}
	}
	if there := r.elsewhere(t); there != "" {
		return &fault.Error{Message: "the login was granted by " + there + ", and is never sent to " + r.world.Endpoints.Accounts, Hint: "set or unset TOKENFORM_ACCOUNTS_URL to reach the server that granted it"}
	}
	t.Source = "" // a file of another machine
	return entry.Save(t)
}

// kept locks the state of p, for other machines too.
func (r *Runner) kept(ctx context.Context, p config.Profile) (*state.Entry, error) {
	entry, err := r.stateOf(p).Lock(ctx, p.Name, r.holder(), state.Waiting{Timeout: r.options.LockTimeout})
	if err != nil {
		return nil, err
	}
	if err := entry.Lease(ctx); err != nil {
		entry.Unlock()
		return nil, err
	}
	return entry, nil
}

// Pull returns the login of p, or nil if there is none.
func (r *Runner) Pull(ctx context.Context, p config.Profile) (*state.Token, error) {
	return r.stateOf(p).Read(ctx, p.Name)
}

// Kept returns the names of the logins in the place where p keeps its own. If the place
// cannot list them, Kept returns p's name if p has a login.
func (r *Runner) Kept(ctx context.Context, p config.Profile) ([]string, error) {
	names, err := r.stateOf(p).Names(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		var t *state.Token
		if t, err = r.Pull(ctx, p); t != nil {
			names = []string{p.Name}
		}
	}
	return names, err
}

// Unlock takes the lock of p's login away from the machine that holds it with this id.
func (r *Runner) Unlock(ctx context.Context, p config.Profile, id string) error {
	return r.stateOf(p).Unlock(ctx, p.Name, id)
}
