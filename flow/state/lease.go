package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"time"

	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state/keeper"
)

// Lease takes the lock of a shared login: nothing is granted without it, and no person is
// waited for while it is held. Lease does nothing if the login is this machine's own, or
// if the lease is held already. Read the token again after Lease: another machine may
// have changed it before.
func (e *Entry) Lease(ctx context.Context) error {
	s := e.store
	if !s.Shared() || e.lease != nil {
		return nil
	}
	k, err := s.keeper.get(ctx)
	if err != nil {
		return err
	}
	timeout, noticeable := time.NewTimer(e.waiting.Timeout), time.NewTimer(e.waiting.After)
	defer timeout.Stop()
	defer noticeable.Stop()
	nap, most := 100*time.Millisecond, 2*time.Second
	for {
		lease, err := k.Lock(ctx, s.key(e.name), keeper.Owner{Command: e.me.Command, Who: who(), TTL: s.ttl})
		if err == nil {
			if b := lease.Broken; b != nil {
				e.warn(fmt.Sprintf("took over the lock of %s, which was over its time", b.By), "")
			}
			e.lease = lease
			return nil
		}
		by, busy := errors.AsType[*keeper.HeldError](err)
		if !busy {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return heldShared(by, e.waiting.Timeout)
		case <-noticeable.C:
			if e.waiting.Tell != nil {
				e.waiting.Tell(Holder{By: by.By, Since: by.Since})
			}
		case <-time.After(nap/2 + rand.N(nap)):
			nap = min(2*nap, most)
		}
	}
}

// heldShared is the error for a shared lock that another machine did not release in time.
func heldShared(by *keeper.HeldError, timeout time.Duration) error {
	hint := "wait for it to finish and try again, or increase --lock-timeout"
	if by.Until.IsZero() && by.ID != "" {
		hint += "; if it is gone for good: tokenform state unlock " + by.ID
	}
	return &fault.Error{
		Kind:    fault.Temporary,
		Message: fmt.Sprintf("%s; gave up after %s", by, timeout.Round(time.Second)),
		Hint:    hint,
	}
}

// Unlease gives the lease back, before a person is waited for.
func (e *Entry) Unlease() {
	if e.lease == nil {
		return
	}
	ctx, cancel := e.safely()
	defer cancel()
	// An error changes nothing: the lease ends by itself.
	_ = e.lease.Release(ctx)
	e.lease = nil
}

// Leased reports whether a shared login is locked for other machines. The login of a
// state directory always is.
func (e *Entry) Leased() bool { return !e.store.Shared() || e.lease != nil }

// storing is how long a granted token may take to be stored.
const storing = 45 * time.Second

// safely returns a context for what must be finished even if the run is canceled.
func (e *Entry) safely() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(e.ctx), storing)
}

func (e *Entry) warn(text, hint string) {
	if e.waiting.Warn != nil {
		e.waiting.Warn(text, hint)
	}
}

// errChanged is the error for a login that another machine has changed since it was read.
func (e *Entry) errChanged() error {
	return &fault.Error{Kind: fault.Temporary, Message: e.store.where + " was left as it is", Err: ErrSuperseded, Hint: "run the command again"}
}

// ErrSuperseded says that the store has a login that the one at hand must not replace.
var ErrSuperseded = fmt.Errorf("%w", keeper.ErrChanged)

// Renew makes sure that the lease of a shared login holds long enough for a grant, and that
// the login is still the one that was read: a process may have been asleep. Call Renew
// before a grant.
func (e *Entry) Renew() error {
	if !e.store.Shared() {
		return nil
	}
	if e.lease != nil && e.lease.Left(e.store.now()) >= e.store.ttl/2 {
		return nil
	}
	e.Unlease()
	if err := e.Lease(e.ctx); err != nil {
		return err
	}
	_, item, err := e.store.readShared(e.ctx, e.name)
	if err != nil {
		return err
	}
	if item.Revision != e.revision {
		return e.errChanged()
	}
	return nil
}

// saveShared makes t the login in the store, if the store still has the login that was
// read. A token that was just granted is kept aside on this machine first: a process that
// is killed while it waits for the store loses nothing, and neither does a store that does
// not answer.
func (e *Entry) saveShared(t *Token) error {
	ctx, cancel := e.safely()
	defer cancel()
	kept := ""
	if e.reserved != nil {
		kept = e.keepAside(t)
	}
	err := e.saveUnchanged(ctx, t)
	if err == nil || errors.Is(err, ErrSuperseded) {
		// The store has t, or a login that t must not replace.
		_ = atomicfile.Remove(e.store.asidePath(e.name)) // if this fails, the next run does it
		kept = ""
	}
	if kept != "" {
		return &AsideError{kept, err}
	}
	return err
}

// saveUnchanged writes t until the store takes t, or has a login that t must not replace.
func (e *Entry) saveUnchanged(ctx context.Context, t *Token) error {
	for range 5 {
		err := e.write(ctx, t)
		if errors.Is(err, keeper.ErrLost) {
			e.lease = nil
			continue
		}
		if !errors.Is(err, keeper.ErrChanged) {
			return err
		}
		now, item, err := e.store.readShared(ctx, e.name)
		if err != nil {
			return err
		}
		if !replaces(t, now) {
			return e.errChanged()
		}
		e.revision = item.Revision
		if now != nil {
			t.Serial = max(t.Serial, now.Serial+1)
		}
	}
	return &fault.Error{Kind: fault.Temporary, Message: e.store.where + " changed, or lost its lock, again and again", Hint: "run the command again"}
}

// replaces reports whether t may replace now, which another machine has stored: t must
// descend from now. nil means that the login was deleted, which was meant.
func replaces(t, now *Token) bool {
	return now != nil && now.ClientID == t.ClientID && t.Had(now.Refresh) && (now.Refresh == t.Refresh || !now.Had(t.Refresh))
}

// write writes t under a lease.
func (e *Entry) write(ctx context.Context, t *Token) error {
	held := e.lease != nil
	if err := e.Lease(ctx); err != nil {
		return err
	}
	if !held {
		defer e.Unlease()
	}
	k, err := e.store.keeper.get(ctx)
	if err != nil {
		return err
	}
	b, err := e.encode(ctx, t)
	if err != nil {
		return err
	}
	revision, err := k.Write(ctx, e.store.key(e.name), b, e.revision, e.lease)
	if err != nil {
		return err
	}
	e.revision = revision
	return nil
}

// AsideError says that a granted token could not be stored in the store, and is kept on
// this machine instead. The next run on this machine stores the token.
type AsideError struct {
	Path string
	Err  error
}

func (e *AsideError) Error() string { return e.Err.Error() }

// Unwrap returns why the store did not take the token.
func (e *AsideError) Unwrap() error { return e.Err }

// aside is the content of NAME.aside.
type aside struct {
	Version  int             `json:"version"`
	Place    string          `json:"place"`    // of the store that it is for
	Revision string          `json:"revision"` // of the login that was to be replaced
	Login    json.RawMessage `json:"login"`    // as it would be in the store
}

func (s *Store) asidePath(name string) string {
	return filepath.Join(s.dir, name+s.suffix+".aside")
}

// keepAside keeps t on this machine, in the room that was reserved, and returns the path. If
// that fails, keepAside returns "": the store may take t all the same.
func (e *Entry) keepAside(t *Token) (path string) {
	reserved := e.reserved
	e.reserved = nil
	b, err := e.encode(context.WithoutCancel(e.ctx), t)
	if err == nil {
		b, err = json.Marshal(aside{Version, e.store.place, e.revision, b})
	}
	if err != nil {
		reserved.Discard()
		return ""
	}
	path = e.store.asidePath(e.name)
	if reserved.Commit(b) == nil {
		return path
	}
	if _, err := atomicfile.Write(path, b, 0o600); err != nil {
		return ""
	}
	return path
}

// readAside returns the login that is kept aside for this store, and the revision of the
// login that it was to replace. nil means that there is none. A login for another store
// waits until a profile names that store again.
func (e *Entry) readAside() (*Token, string, error) {
	path := e.store.asidePath(e.name)
	b, err := atomicfile.ReadOwn(path, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", unusable(path, err, "make it readable for this user")
	}
	var kept aside
	if err := json.Unmarshal(b, &kept); err != nil || kept.Version < 1 {
		return nil, "", broken(path, "not a login that was kept aside", "delete it; if the login in the store is refused, log in again")
	}
	if kept.Place != e.store.place {
		e.warn(path+" has a login for another store, which could not take it", "to store it there, name that store in the profile again; else delete the file")
		return nil, "", nil
	}
	t, err := e.store.decode(e.ctx, path, e.name, kept.Login)
	return t, kept.Revision, err
}

// offer stores a login that was kept aside by an earlier run, unless the store has a newer
// one. now and item are what the store has.
func (e *Entry) offer(now *Token, item keeper.Item) (*Token, error) {
	kept, revision, err := e.readAside()
	if err != nil || kept == nil {
		return now, err
	}
	if item.Revision == revision || replaces(kept, now) && kept.Refresh != now.Refresh {
		kept.Serial-- // Save adds one
		if now != nil {
			kept.Serial = max(kept.Serial, now.Serial)
		}
		if err := e.Save(kept); err != nil {
			return now, err
		}
		e.warn("stored the login that an earlier run had kept aside", "")
		now = kept
	} else if now == nil || !now.Had(kept.Refresh) {
		e.warn("the store has another login than the one that an earlier run had kept aside; the store's stays", "")
	}
	if err := atomicfile.Remove(e.store.asidePath(e.name)); err != nil {
		return now, unusable(e.store.asidePath(e.name), err, "")
	}
	return now, nil
}

// deleteShared deletes the login in the store, if it is still the one that was read.
func (e *Entry) deleteShared() error {
	ctx, cancel := e.safely()
	defer cancel()
	k, err := e.store.keeper.get(ctx)
	if err != nil {
		return err
	}
	if e.revision == "" {
		_, item, err := e.store.readShared(ctx, e.name)
		if err != nil && item.Revision == "" {
			return err
		}
		if e.revision = item.Revision; e.revision == "" {
			return nil
		}
	}
	if err := e.Lease(ctx); err != nil {
		return err
	}
	err = k.Delete(ctx, e.store.key(e.name), e.revision, e.lease)
	if errors.Is(err, keeper.ErrChanged) || errors.Is(err, keeper.ErrLost) {
		return e.errChanged()
	}
	if err == nil {
		e.revision = ""
	}
	return err
}
