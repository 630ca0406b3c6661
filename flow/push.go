package flow

import (
	"context"

	"tokenform/config/fault"
	"tokenform/flow/state"
)

// Forget deletes the state of a profile in the directory dir: the login and the record of
// outputs. The outputs stay as they are.
func (r *Runner) Forget(ctx context.Context, dir, name string) error {
	entry, err := r.kept(ctx, dir, name)
	if err != nil {
		return err
	}
	defer entry.Unlock()
	return entry.Delete()
}

// Push makes t the state of a profile in the directory dir. Push replaces a login that is
// there already, and is not older, only if force is set.
func (r *Runner) Push(ctx context.Context, dir, name string, t *state.Token, force bool) error {
	entry, err := r.kept(ctx, dir, name)
	if err != nil {
		return err
	}
	defer entry.Unlock()
	now, err := entry.Token()
	if err != nil {
		return err
	}
	switch {
	case now == nil || force:
	case now.Account != nil && t.Account != nil && !sameAccount(now.Account, t.Account):
		return &fault.Error{Message: name + " has the login of " + accountName(now.Account) + ", and the pushed one is of " + accountName(t.Account), Hint: "--force replaces it and discards its refresh token"}
	case now.ClientID != t.ClientID || !t.Had(now.Refresh):
		return &fault.Error{Message: name + " has a login that the pushed one does not descend from", Hint: "--force replaces it and discards its refresh token"}
	case now.Serial >= t.Serial:
		return &fault.Error{Message: name + " already has a login that is as new or newer", Hint: "--force replaces it and discards its refresh token"}
	}
	if there := r.elsewhere(t); there != "" {
		return &fault.Error{Message: "the login was granted by " + there + ", and is never sent to " + r.world.Endpoints.Accounts, Hint: "set or unset TOKENFORM_ACCOUNTS_URL to reach the server that granted it"}
	}
	return entry.Save(t)
}

func (r *Runner) kept(ctx context.Context, dir, name string) (*state.Entry, error) {
	return r.world.Realm.Open(dir).Lock(ctx, name, r.holder(), state.Waiting{Timeout: r.options.LockTimeout})
}
