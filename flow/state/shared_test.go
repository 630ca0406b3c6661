package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/config/fault"
	"tokenform/flow/state/keeper"
)

// memory is a store in memory.
type memory struct {
	mu    sync.Mutex
	data  map[string][]byte
	count int // revisions so far
	rev   map[string]string
	locks map[string]*keeper.Lease
	who   map[string]string
	calls map[string]int

	away   error                        // the answer to every write; nil means that writes work
	before func(m *memory, call string) // called first, without the lock
	now    func() time.Time
}

func newMemory() *memory {
	return &memory{data: map[string][]byte{}, rev: map[string]string{}, locks: map[string]*keeper.Lease{}, who: map[string]string{}, calls: map[string]int{}, now: time.Now}
}

// shared returns the state in dir with its logins in m, as one machine has it.
func (m *memory) shared(dir string) *Store {
	s := Real.Open(dir)
	s.keeper = &lazy[keeper.Keeper]{value: m, done: true}
	s.where, s.place, s.ttl, s.now = "the store", "the store", 10*time.Second, m.now
	return s
}

func (m *memory) enter(call string) func() {
	if m.before != nil {
		m.before(m, call)
	}
	m.mu.Lock()
	m.calls[call]++
	return m.mu.Unlock
}

func (m *memory) String() string { return "the store" }

func (m *memory) Read(_ context.Context, key string) (keeper.Item, error) {
	defer m.enter("read")()
	return keeper.Item{Data: slices.Clone(m.data[key]), Revision: m.rev[key]}, nil
}

func (m *memory) change(key, revision string, lease *keeper.Lease) error {
	switch {
	case m.away != nil:
		return m.away
	case m.locks[key] != lease || lease == nil:
		return keeper.ErrLost
	case m.rev[key] != revision:
		return keeper.ErrChanged
	}
	return nil
}

func (m *memory) put(key string, data []byte) string {
	m.count++
	m.data[key], m.rev[key] = data, fmt.Sprint(m.count)
	return m.rev[key]
}

func (m *memory) Write(_ context.Context, key string, data []byte, revision string, lease *keeper.Lease) (string, error) {
	defer m.enter("write")()
	if err := m.change(key, revision, lease); err != nil {
		return "", err
	}
	return m.put(key, data), nil
}

func (m *memory) Delete(_ context.Context, key, revision string, lease *keeper.Lease) error {
	defer m.enter("delete")()
	if err := m.change(key, revision, lease); err != nil {
		return err
	}
	delete(m.data, key)
	delete(m.rev, key)
	return nil
}

func (m *memory) Names(context.Context) ([]string, error) {
	defer m.enter("names")()
	var names []string
	for name := range m.data {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func (m *memory) Lock(_ context.Context, key string, owner keeper.Owner) (*keeper.Lease, error) {
	defer m.enter("lock")()
	var broken *keeper.HeldError
	if held := m.locks[key]; held != nil {
		broken = &keeper.HeldError{ID: held.ID, By: m.who[key], Until: held.Until}
		if held.Left(m.now()) > 0 {
			return nil, broken
		}
	}
	m.count++
	lease := &keeper.Lease{ID: fmt.Sprint("lock-", m.count), Until: m.now().Add(owner.TTL), Broken: broken}
	lease.Release = func(context.Context) error {
		defer m.enter("release")()
		if m.locks[key] == lease {
			delete(m.locks, key)
		}
		return nil
	}
	m.locks[key], m.who[key] = lease, "tokenform "+owner.Command+" by "+owner.Who
	return lease, nil
}

func (m *memory) Unlock(_ context.Context, key, id string) error {
	defer m.enter("unlock")()
	if m.locks[key] == nil || m.locks[key].ID != id {
		return errors.New("no such lock")
	}
	delete(m.locks, key)
	return nil
}

func sharedToken(refresh string) *Token {
	return &Token{ClientID: "id", Grant: "pkce", Access: "access of " + refresh, Refresh: refresh, Type: "Bearer", Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
}

// locked locks dev in s, with the lease, and reads its token.
func locked(t *testing.T, s *Store, warn func(string, string)) *Entry {
	t.Helper()
	e, err := s.Lock(t.Context(), "dev", Holder{Command: "apply"}, Waiting{Timeout: time.Second, After: time.Hour, Warn: warn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Unlock)
	if err := e.Lease(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Token(); err != nil {
		t.Fatal(err)
	}
	return e
}

func inStore(t *testing.T, m *memory) *Token {
	t.Helper()
	got, err := m.shared(t.TempDir()).Read(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSharedLogin(t *testing.T) {
	m, here, there := newMemory(), t.TempDir(), t.TempDir()
	e := locked(t, m.shared(here), nil)
	if err := e.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	records, err := m.shared(there).Lock(t.Context(), "dev", Holder{}, Waiting{})
	if err != nil {
		t.Fatalf("the lock of a state directory is another machine's business: %v", err)
	}
	records.Unlock()
	other, err := m.shared(t.TempDir()).Lock(t.Context(), "dev", Holder{}, Waiting{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Unlock()
	err = other.Lease(t.Context())
	if fault.KindOf(err) != fault.Temporary || !strings.Contains(err.Error(), "tokenform apply by") || !strings.Contains(err.Error(), "gave up after") {
		t.Errorf("a second lease: %v", err)
	}
	e.Unlock()
	if err := other.Lease(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := other.Token(); err != nil || got.Refresh != "one" || got.Profile != "dev" {
		t.Errorf("the other machine reads %v, %v", got, err)
	}
	if err := other.Delete(); err != nil || inStore(t, m) != nil {
		t.Errorf("delete: %v", err)
	}
}

// TestSleeperOverwritesNothing lets a process sleep past the end of its lease, while
// another machine refreshes.
func TestSleeperOverwritesNothing(t *testing.T) {
	m, now := newMemory(), time.Now()
	m.now = func() time.Time { return now }
	first := locked(t, m.shared(t.TempDir()), nil)
	if err := first.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	first.Unlock()

	sleeper := locked(t, m.shared(t.TempDir()), nil)
	now = now.Add(11 * time.Second)
	var warned string
	awake := locked(t, m.shared(t.TempDir()), func(text, _ string) { warned = text })
	if !strings.Contains(warned, "took over the lock of tokenform apply by") {
		t.Errorf("nobody is told of the broken lock: %q", warned)
	}
	two := sharedToken("two")
	two.Retire("one")
	if err := awake.Save(two); err != nil {
		t.Fatal(err)
	}
	awake.Unlock()

	// Before a grant, the sleeper sees that the login has changed.
	if err := sleeper.Renew(); fault.KindOf(err) != fault.Temporary || !errors.Is(err, keeper.ErrChanged) {
		t.Errorf("Renew after the sleep: %v", err)
	}
	// After a grant from the old refresh token, the sleeper overwrites nothing.
	late := sharedToken("late")
	late.Retire("one")
	if err := sleeper.Save(late); fault.KindOf(err) != fault.Temporary {
		t.Errorf("Save after the sleep: %v", err)
	}
	if got := inStore(t, m); got.Refresh != "two" {
		t.Errorf("the store has %q now", got.Refresh)
	}
}

// TestSleeperStoresItsGrant lets another machine mark the login as refused while the
// process that has the rotated token sleeps: the granted token must not be lost.
func TestSleeperStoresItsGrant(t *testing.T) {
	m, now := newMemory(), time.Now()
	m.now = func() time.Time { return now }
	first := locked(t, m.shared(t.TempDir()), nil)
	if err := first.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	first.Unlock()
	sleeper := locked(t, m.shared(t.TempDir()), nil)
	now = now.Add(11 * time.Second)
	awake := locked(t, m.shared(t.TempDir()), nil)
	marked, err := awake.Token()
	if err != nil {
		t.Fatal(err)
	}
	marked.Rejected = now.UTC()
	if err := awake.Save(marked); err != nil {
		t.Fatal(err)
	}
	awake.Unlock()
	late := sharedToken("late")
	late.Retire("one")
	if err := sleeper.Save(late); err != nil {
		t.Fatal(err)
	}
	if got := inStore(t, m); got.Refresh != "late" || got.Serial <= marked.Serial {
		t.Errorf("the store has %q, serial %d after %d", got.Refresh, got.Serial, marked.Serial)
	}
}

// TestAside lets the store go away between the grant and its storage.
func TestAside(t *testing.T) {
	for _, sc := range []struct {
		name    string
		between func(t *testing.T, m *memory) // what other machines do meanwhile
		want    string                        // the refresh token in the store at last
		warning string
	}{
		{"nothing", func(*testing.T, *memory) {}, "two", "stored the login that an earlier run had kept aside"},
		{"another machine marks it refused", func(t *testing.T, m *memory) {
			e := locked(t, m.shared(t.TempDir()), nil)
			defer e.Unlock()
			now, err := e.Token()
			if err != nil {
				t.Fatal(err)
			}
			now.Rejected = time.Now()
			if err := e.Save(now); err != nil {
				t.Fatal(err)
			}
		}, "two", "stored the login that an earlier run had kept aside"},
		{"a new login", func(t *testing.T, m *memory) {
			e := locked(t, m.shared(t.TempDir()), nil)
			defer e.Unlock()
			if err := e.Save(sharedToken("new")); err != nil {
				t.Fatal(err)
			}
		}, "new", "the store has another login"},
		{"the login moves on", func(t *testing.T, m *memory) {
			e := locked(t, m.shared(t.TempDir()), nil)
			defer e.Unlock()
			three := sharedToken("three")
			three.Retire("one")
			three.Retire("two")
			if err := e.Save(three); err != nil {
				t.Fatal(err)
			}
		}, "three", ""},
	} {
		t.Run(sc.name, func(t *testing.T) {
			m, dir := newMemory(), t.TempDir()
			e := locked(t, m.shared(dir), nil)
			if err := e.Save(sharedToken("one")); err != nil {
				t.Fatal(err)
			}
			if err := e.Reserve(); err != nil {
				t.Fatal(err)
			}
			m.away = &fault.Error{Kind: fault.Temporary, Message: "the store does not answer"}
			two := sharedToken("two")
			two.Retire("one")
			err := e.Save(two)
			kept, ok := errors.AsType[*AsideError](err)
			if !ok || fault.KindOf(err) != fault.Temporary {
				t.Fatalf("Save while the store is away: %v", err)
			}
			if err := readJSON(kept.Path, &aside{}); err != nil {
				t.Fatal(err)
			}
			e.Unlock()
			m.away = nil
			sc.between(t, m)
			s := m.shared(dir)
			if !s.Littered("dev") {
				t.Error("nobody would know of the login that is kept aside")
			}
			var warned string
			again := locked(t, s, func(text, _ string) { warned = text })
			again.Unlock()
			if got := inStore(t, m); got.Refresh != sc.want || !strings.HasPrefix(warned, sc.warning) || sc.warning == "" && warned != "" {
				t.Errorf("the store has %q; warning %q", got.Refresh, warned)
			}
			if s.Littered("dev") {
				t.Error("the login is still kept aside")
			}
		})
	}
}

// TestForeignChange changes the login in the store at each call of a refresh, as another
// machine without a lock would, and checks that no such change is overwritten.
func TestForeignChange(t *testing.T) {
	for _, call := range []string{"lock", "write", "release"} {
		m := newMemory()
		e := locked(t, m.shared(t.TempDir()), nil)
		if err := e.Save(sharedToken("one")); err != nil {
			t.Fatal(err)
		}
		e.Unlock()
		e, err := m.shared(t.TempDir()).Lock(t.Context(), "dev", Holder{}, Waiting{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Token(); err != nil {
			t.Fatal(err)
		}
		foreign := sharedToken("foreign")
		foreign.Version, foreign.Profile, foreign.Serial = 1, "dev", 7
		b, err := json.Marshal(foreign)
		if err != nil {
			t.Fatal(err)
		}
		m.before = func(m *memory, now string) {
			if now == call {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.before = nil
				m.put("dev", b)
			}
		}
		two := sharedToken("two")
		two.Retire("one")
		err = e.Save(two)
		e.Unlock()
		if got := inStore(t, m); got.Refresh != "foreign" || (err == nil) != (call == "release") {
			t.Errorf("changed at %s: the store has %q, Save says %v", call, got.Refresh, err)
		}
	}
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// TestAsideFirst checks that a granted token is on this machine before it is sent to the
// store: a process that is killed in between loses nothing.
func TestAsideFirst(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	e := locked(t, m.shared(dir), nil)
	if err := e.Reserve(); err != nil {
		t.Fatal(err)
	}
	path, seen := m.shared(dir).asidePath("dev"), false
	m.before = func(_ *memory, call string) {
		var kept struct{ Login Token }
		if call == "write" {
			seen = readJSON(path, &kept) == nil && kept.Login.Refresh == "one"
		}
	}
	if err := e.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	if !seen {
		t.Error("the token was sent to the store before it was kept aside")
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the token is still kept aside")
	}
}

// keptAside leaves a login aside in dir: a refresh from the login one to two, which m did
// not take.
func keptAside(t *testing.T, m *memory, dir, two string) {
	t.Helper()
	e := locked(t, m.shared(dir), nil)
	if err := e.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	if err := e.Reserve(); err != nil {
		t.Fatal(err)
	}
	m.away = &fault.Error{Kind: fault.Temporary, Message: "the store does not answer"}
	n := sharedToken(two)
	n.Serial = 1
	n.Retire("one")
	if _, ok := errors.AsType[*AsideError](e.Save(n)); !ok {
		t.Fatal("nothing was kept aside")
	}
	e.Unlock()
	m.away = nil
}

// TestAsideOfAnotherStore checks that a login that one store did not take is not judged by
// another store, which the profile names now.
func TestAsideOfAnotherStore(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	keptAside(t, m, dir, "two")
	other := newMemory()
	s := other.shared(dir)
	s.place = "another store"
	var warned string
	e := locked(t, s, func(text, _ string) { warned = text })
	e.Unlock()
	if !strings.Contains(warned, "has a login for another store") || len(other.data) > 0 {
		t.Errorf("warning %q; the other store has %d logins", warned, len(other.data))
	}
	locked(t, m.shared(dir), nil).Unlock()
	if got := inStore(t, m); got.Refresh != "two" {
		t.Errorf("the store has %q", got.Refresh)
	}
}

// TestAsideIsNoNewer checks that a login which was kept aside does not replace a newer one
// with the same refresh token.
func TestAsideIsNoNewer(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	keptAside(t, m, dir, "one") // the server does not replace refresh tokens
	e := locked(t, m.shared(t.TempDir()), nil)
	newer := sharedToken("one")
	newer.Serial, newer.Access = 1, "newer"
	if err := e.Save(newer); err != nil {
		t.Fatal(err)
	}
	e.Unlock()
	locked(t, m.shared(dir), nil).Unlock()
	if got := inStore(t, m); got.Access != "newer" {
		t.Errorf("the store has %q", got.Access)
	}
}

// TestAsideOfAFickleStore checks that a granted token stays aside if the store says each
// time that its login has changed, and has the same login.
func TestAsideOfAFickleStore(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	e := locked(t, m.shared(dir), nil)
	if err := e.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	if err := e.Reserve(); err != nil {
		t.Fatal(err)
	}
	m.away = keeper.ErrChanged
	two := sharedToken("two")
	two.Retire("one")
	if _, ok := errors.AsType[*AsideError](e.Save(two)); !ok || !m.shared(dir).Littered("dev") {
		t.Error("the token is gone")
	}
}

// TestRefusedDelete checks that nothing of this machine goes if the store does not delete
// its login.
func TestRefusedDelete(t *testing.T) {
	m, dir := newMemory(), t.TempDir()
	e := locked(t, m.shared(dir), nil)
	if err := e.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	if err := e.SaveOutputs([]Written{{Type: "env", Path: "/p/.env"}}, ""); err != nil {
		t.Fatal(err)
	}
	m.away = errors.New("no")
	if err := e.Delete(); err == nil {
		t.Error("deleted")
	}
	if list, _, err := e.Outputs("", nil); err != nil || len(list) != 1 {
		t.Errorf("the record of outputs: %v, %v", list, err)
	}
}

// TestBesideMends checks that the directory's half of a migration completes the Save of a
// process that was killed, before the login there is moved.
func TestBesideMends(t *testing.T) {
	dir := t.TempDir()
	e, err := Real.Open(dir).Lock(t.Context(), "dev", Holder{}, Waiting{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Save(sharedToken("one")); err != nil {
		t.Fatal(err)
	}
	e.Unlock()
	two := sharedToken("two")
	two.Version, two.Profile, two.Serial = Version, "dev", 2
	b, err := json.Marshal(two)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".dev.json.tokenform-tmp"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	to := locked(t, newMemory().shared(dir), nil)
	away, err := to.Beside(t.Context(), Real.Open(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer away.Unlock()
	if got, err := away.Token(); err != nil || got.Refresh != "two" {
		t.Errorf("the directory has %v, %v", got.Refresh, err)
	}
}
