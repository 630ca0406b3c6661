package state

import (
	"context"
	"errors"
	"strings"
	"sync"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state/keeper"
)

// Stores opens the stores that profiles name. Profiles with the same store share its
// connections. A nil *Stores keeps every login in its state directory.
type Stores struct {
	options keeper.Options

	mu      sync.Mutex
	keepers map[string]*lazy[keeper.Keeper]
	seals   map[string]*lazy[*keeper.Seal]
}

// NewStores returns Stores without any store open yet.
func NewStores(o keeper.Options) *Stores {
	return &Stores{options: o, keepers: map[string]*lazy[keeper.Keeper]{}, seals: map[string]*lazy[*keeper.Seal]{}}
}

// Of returns the state of p in a realm. Of sends nothing. The stand-in's tokens are never
// shared, and never encrypted.
func (x *Stores) Of(r Realm, p config.Profile) *Store {
	s := r.Open(p.State)
	if x == nil || r == Sandbox || p.Store == nil && p.Encrypt == nil {
		return s
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	s.now = x.options.Now
	if of := p.Store; of != nil {
		s.where, s.place, s.ttl, s.single = of.String(), of.Place(), of.LockTTL, of.Single()
		s.keeper = once(x.keepers, of.Identity(), func(ctx context.Context) (keeper.Keeper, error) {
			return keeper.Open(ctx, *of, x.options)
		})
	}
	if e := p.Encrypt; e != nil {
		s.seal = once(x.seals, e.Key(), func(ctx context.Context) (*keeper.Seal, error) {
			return keeper.OpenSeal(ctx, e.Recipients, e.Identity)
		})
	}
	return s
}

// lazy is a value that is made when it is first needed. If making it fails, the next
// caller tries again.
type lazy[T any] struct {
	open func(context.Context) (T, error)

	mu    sync.Mutex
	value T
	done  bool
}

func once[T any](known map[string]*lazy[T], key string, open func(context.Context) (T, error)) *lazy[T] {
	if known[key] == nil {
		known[key] = &lazy[T]{open: open}
	}
	return known[key]
}

func (l *lazy[T]) get(ctx context.Context) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return l.value, nil
	}
	value, err := l.open(ctx)
	if err == nil {
		l.value, l.done = value, true
	}
	return value, err
}

// Shared reports whether the login is kept in a store, for other machines too. The
// records of outputs are this machine's own in any case.
func (s *Store) Shared() bool { return s.keeper != nil }

// Tolerant makes s read a login that is not encrypted although the profile says so.
func (s *Store) Tolerant() *Store {
	s.tolerant = true
	return s
}

// SamePlace reports whether both are the same logins, whatever keys they are encrypted
// for.
func (s *Store) SamePlace(other *Store) bool {
	if s.Shared() || other.Shared() {
		return s.Shared() && other.Shared() && s.place == other.place && s.suffix == other.suffix
	}
	return s.dir == other.dir && s.suffix == other.suffix
}

// Where says where the login is, for messages: the state directory, or the store.
func (s *Store) Where() string {
	if s.Shared() {
		return s.where
	}
	return s.dir
}

// key is what the store calls a profile.
func (s *Store) key(name string) string { return name + s.suffix }

// readShared reads a login from the store.
func (s *Store) readShared(ctx context.Context, name string) (*Token, keeper.Item, error) {
	k, err := s.keeper.get(ctx)
	if err != nil {
		return nil, keeper.Item{}, err
	}
	item, err := k.Read(ctx, s.key(name))
	if err != nil || item.Revision == "" {
		return nil, item, err
	}
	if len(item.Data) > maxBytes {
		return nil, item, broken(s.where, "larger than 1 MiB", repair)
	}
	t, err := s.decode(ctx, s.where, name, item.Data)
	return t, item, err
}

// decode decodes what state has of a profile, and decrypts it first if the profile is
// encrypted. path names the place in messages.
func (s *Store) decode(ctx context.Context, path, name string, b []byte) (*Token, error) {
	switch {
	case s.seal != nil && s.tolerant && !keeper.Sealed(b): // about to be encrypted
	case s.seal != nil:
		seal, err := s.seal.get(ctx)
		if err != nil {
			return nil, err
		}
		if b, err = seal.Open(ctx, b); err != nil {
			return nil, &fault.Error{Message: path, Err: err}
		}
	case keeper.Sealed(b):
		return nil, &fault.Error{Kind: fault.Invalid, Message: path, Err: errors.New("encrypted, but the profile has no encrypt"), Hint: "add encrypt: {recipients: [age1…], identity: {env: TOKENFORM_IDENTITY}} to the profile"}
	}
	if s.single { // the address says whose login it is, whatever the profile was called
		b = renamed(name, b)
	}
	return decode(path, name, b)
}

// sealed encrypts what is to be stored, if the profile is encrypted.
func (s *Store) sealed(ctx context.Context, b []byte) ([]byte, error) {
	if s.seal == nil {
		return b, nil
	}
	seal, err := s.seal.get(ctx)
	if err != nil {
		return nil, err
	}
	return seal.Seal(b)
}

// Unlock takes the lock of a profile in the store away from whoever holds it with this
// id, which the error of a run that waited in vain shows.
func (s *Store) Unlock(ctx context.Context, name, id string) error {
	if !s.Shared() {
		return &fault.Error{Kind: fault.Invalid, Message: "there is nothing to unlock: a lock in a state directory ends with its process", Hint: "a run that waits names the process that holds the lock"}
	}
	k, err := s.keeper.get(ctx)
	if err != nil {
		return err
	}
	return k.Unlock(ctx, s.key(name), id)
}

// Names returns the profiles that have a login here, sorted.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	if !s.Shared() {
		return s.LocalNames(), nil
	}
	k, err := s.keeper.get(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := k.Names(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, key := range keys {
		if name, ok := strings.CutSuffix(key, s.suffix); ok && config.IsProfileName(name) {
			names = append(names, name)
		}
	}
	return names, nil
}
