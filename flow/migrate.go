package flow

import (
	"cmp"
	"context"
	"slices"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// Migrate moves the login of p to where p keeps it now, and encrypts it as p says now.
// from declares where the login was; nil means in p's state directory. The login is never
// in neither place: Migrate stores the login, reads it back, and only then deletes it
// where it was. If Migrate is killed in between, call it again. done says what was done;
// empty means that there was nothing to do.
func (r *Runner) Migrate(ctx context.Context, p config.Profile, from *config.Profile) (done string, err error) {
	old := p
	if from != nil {
		old = *from
	} else {
		old.Store = nil
	}
	target, source := r.stateOf(p).Tolerant(), r.stateOf(old).Tolerant()
	waiting := state.Waiting{Timeout: r.options.LockTimeout, After: noticeable, Tell: func(h state.Holder) { r.world.Voice.Waiting(p.Name, h) }}
	to, err := target.Lock(ctx, p.Name, r.holder(), waiting)
	if err != nil {
		return "", err
	}
	defer to.Unlock()
	if err := to.Lease(ctx); err != nil {
		return "", err
	}
	if target.SamePlace(source) {
		now, err := to.TokenAs(source)
		if err != nil {
			return "", err
		}
		if err := r.checkServer(p, now); err != nil {
			return "", err
		}
		if now == nil {
			return "", moveFirst(p, old, source)
		}
		return r.reencrypt(to, now, p)
	}
	// The old place comes first: it may be offered a login that was kept aside for it.
	away, err := to.Beside(ctx, source)
	if err != nil {
		return "", err
	}
	defer away.Unlock()
	if err := away.Lease(ctx); err != nil {
		return "", err
	}
	was, err := away.Token()
	if err != nil {
		return "", err
	}
	if err := r.checkServer(old, was); err != nil {
		return "", err
	}
	now, err := to.Token()
	if err != nil {
		return "", err
	}
	if err := r.checkServer(p, now); err != nil {
		return "", err
	}
	switch {
	case was == nil && now == nil:
		return "", moveFirst(p, old, source)
	case was == nil:
		return r.reencrypt(to, now, p)
	case now == nil:
		moved := *was
		moved.Source, _ = declaredIn(p, &moved)
		if err := to.Save(&moved); err != nil {
			return "", err
		}
		if now, err = to.Token(); err != nil || now == nil || !now.Had(was.Refresh) {
			return "", cmp.Or(err, error(&fault.Error{Message: target.Where() + " does not have the login that was just stored", Hint: "the login is still in " + source.Where()}))
		}
	case now.ClientID != was.ClientID || !now.Had(was.Refresh):
		return "", &fault.Error{
			Message: "two logins: " + target.Where() + " has another one than " + source.Where(),
			Hint:    "decide which one stays: tokenform state show " + p.Name + " shows that of the store; tokenform state rm deletes one",
		}
	}
	return "moved from " + source.Where() + " to " + target.Where(), away.DeleteLogin()
}

// moveFirst returns an error if the state directory has a login under the former name of
// the profile p, which has none. old says where the login is looked for.
func moveFirst(p, old config.Profile, source *state.Store) error {
	if old.Store != nil || p.MovedFrom == "" || !slices.Contains(source.LocalNames(), p.MovedFrom) {
		return nil
	}
	return &fault.Error{Message: "the login in " + source.Where() + " is still called " + p.MovedFrom, Hint: "tokenform state mv " + p.MovedFrom + " " + p.Name + ", then tokenform state migrate"}
}

// reencrypt stores t again, encrypted as p says now.
func (r *Runner) reencrypt(to *state.Entry, t *state.Token, p config.Profile) (string, error) {
	if p.Encrypt == nil {
		return "", to.Save(t)
	}
	return "encrypted for the recipients in the profile", to.Save(t)
}
