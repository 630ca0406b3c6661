package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/config/fault"
)

// testKeeper checks what a [Keeper] guarantees. Each call of open returns the same store
// as another machine opens it; the store must be empty. Some leases end after two
// seconds.
func testKeeper(t *testing.T, open func(t *testing.T) Keeper) {
	t.Helper()
	testMachines(t, 20, 10*time.Second, open)
}

// testMachines is testKeeper with fewer machines at once, or with more time for them.
func testMachines(t *testing.T, machines int, patience time.Duration, open func(t *testing.T) Keeper) {
	for i, c := range []struct {
		name string
		test func(*keeperTest)
	}{
		{"write, read, delete", (*keeperTest).content},
		{"a change is never overwritten", (*keeperTest).conflict},
		{"many writers", (*keeperTest).race},
		{"names", (*keeperTest).names},
		{"a lock has one holder", (*keeperTest).exclusion},
		{"many lockers", (*keeperTest).lockers},
		{"a lock is taken over", (*keeperTest).takeover},
		{"a lock is taken away", (*keeperTest).unlock},
		{"keys are apart", (*keeperTest).keys},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&keeperTest{t, open, open(t), fmt.Sprint("key", i), machines, patience})
		})
	}
}

type keeperTest struct {
	*testing.T
	open func(*testing.T) Keeper
	Keeper
	key string

	machines int
	patience time.Duration // for a lock
}

func login(serial int, text string) []byte {
	return fmt.Appendf(nil, `{"version": 1, "serial": %d, "refresh_token": %q}`, serial, text)
}

// lock takes the lock of the key, and waits for it.
func (t *keeperTest) lock(k Keeper, key, who string, ttl time.Duration) *Lease {
	t.Helper()
	for end := time.Now().Add(t.patience); ; time.Sleep(t.patience / 500) {
		lease, err := k.Lock(t.Context(), key, Owner{"apply", who, ttl})
		if err == nil {
			if lease.ID == "" || lease.Left(time.Now()) <= 0 || lease.Left(time.Now()) > ttl {
				t.Fatalf("lease %q holds for %s of %s", lease.ID, lease.Left(time.Now()), ttl)
			}
			return lease
		}
		if _, held := errors.AsType[*HeldError](err); !held || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func (t *keeperTest) release(l *Lease) {
	t.Helper()
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// has checks what the store has under the key, as another machine reads it, and returns
// its revision.
func (t *keeperTest) has(want []byte) string {
	t.Helper()
	item, err := t.open(t.T).Read(t.Context(), t.key)
	switch {
	case err != nil:
		t.Fatal(err)
	case want == nil && (item.Revision != "" || len(item.Data) > 0):
		t.Errorf("the store has %s with revision %q, want nothing", item.Data, item.Revision)
	case want != nil && (item.Revision == "" || !sameJSON(item.Data, want)):
		t.Errorf("the store has %s with revision %q, want %s", item.Data, item.Revision, want)
	}
	return item.Revision
}

// sameJSON reports whether a store has kept an object, though maybe written otherwise.
func sameJSON(a, b []byte) bool { return bytes.Equal(a, b) || revisionOf(a) == revisionOf(b) }

func (t *keeperTest) write(k Keeper, data []byte, revision string, l *Lease) string {
	t.Helper()
	now, err := k.Write(t.Context(), t.key, data, revision, l)
	if err != nil {
		t.Fatal(err)
	}
	if now == "" || now == revision {
		t.Errorf("revision %q after %q", now, revision)
	}
	return now
}

func (t *keeperTest) content() {
	if t.String() == "" {
		t.Error("the store has no name for messages")
	}
	t.has(nil)
	l := t.lock(t, t.key, "one", time.Minute)
	one := t.write(t, login(1, "one"), "", l)
	if got := t.has(login(1, "one")); got != one {
		t.Errorf("Write returns revision %q, Read %q", one, got)
	}
	two := t.write(t, login(2, "zwei ü <&> \u2028"), one, l)
	if got := t.has(login(2, "zwei ü <&> \u2028")); got != two {
		t.Errorf("Write returns revision %q, Read %q", two, got)
	}
	large := login(3, strings.Repeat("x", 600<<10))
	three := t.write(t, large, two, l)
	t.has(large)
	if err := t.Delete(t.Context(), t.key, two, l); !errors.Is(err, ErrChanged) {
		t.Errorf("delete of an old revision: %v", err)
	}
	t.has(large)
	if err := t.Delete(t.Context(), t.key, three, l); err != nil {
		t.Error(err)
	}
	t.has(nil)
	t.release(l)
	l = t.lock(t, t.key, "one", time.Minute)
	defer t.release(l)
	if _, err := t.Write(t.Context(), t.key, login(4, "four"), three, l); !errors.Is(err, ErrChanged) {
		t.Errorf("write over a deleted revision: %v", err)
	}
	t.has(nil)
	t.write(t, login(5, "five"), "", l)
	t.has(login(5, "five"))
}

func (t *keeperTest) conflict() {
	l := t.lock(t, t.key, "one", time.Minute)
	defer func() { t.release(l) }()
	one := t.write(t, login(1, "one"), "", l)
	if _, err := t.Write(t.Context(), t.key, login(1, "late"), "", l); !errors.Is(err, ErrChanged) {
		t.Errorf("write as if there was nothing: %v", err)
	}
	t.release(l)
	other := t.open(t.T)
	there := t.lock(other, t.key, "other", time.Minute)
	two := t.write(other, login(2, "two"), one, there)
	t.release(there)
	l = t.lock(t, t.key, "one", time.Minute)
	if _, err := t.Write(t.Context(), t.key, login(2, "late"), one, l); !errors.Is(err, ErrChanged) {
		t.Errorf("write over another machine's: %v", err)
	}
	if err := t.Delete(t.Context(), t.key, one, l); !errors.Is(err, ErrChanged) {
		t.Errorf("delete of another machine's: %v", err)
	}
	if got := t.has(login(2, "two")); got != two {
		t.Errorf("revision %q, want %q", got, two)
	}
}

// race lets machines that have read the same revision write under the lock.
func (t *keeperTest) race() {
	results := t.together(func(k Keeper, i int) error {
		l := t.lock(k, t.key, fmt.Sprint("writer ", i), time.Minute)
		defer l.Release(t.Context())
		_, err := k.Write(t.Context(), t.key, login(1, fmt.Sprint("writer ", i)), "", l)
		return err
	})
	winner := -1
	for i, err := range results {
		if err == nil && winner < 0 {
			winner = i
		} else if !errors.Is(err, ErrChanged) {
			t.Errorf("writer %d: %v, and writer %d has won", i, err, winner)
		}
	}
	t.has(login(1, fmt.Sprint("writer ", winner)))
}

// together calls f on all machines at once.
func (t *keeperTest) together(f func(k Keeper, i int) error) []error {
	results := make([]error, t.machines)
	var all sync.WaitGroup
	for i := range results {
		k := t.open(t.T)
		all.Go(func() { results[i] = f(k, i) })
	}
	all.Wait()
	return results
}

func (t *keeperTest) names() {
	if _, err := t.Names(t.Context()); errors.Is(err, errors.ErrUnsupported) {
		return
	}
	l := t.lock(t, t.key, "one", time.Minute)
	defer t.release(l)
	revision := t.write(t, login(1, "one"), "", l)
	count := func() (n int) {
		names, err := t.open(t.T).Names(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, name := range names {
			if name == t.key {
				n++
			}
		}
		return n
	}
	if count() != 1 {
		t.Error("Names lacks a key that has content")
	}
	if err := t.Delete(t.Context(), t.key, revision, l); err != nil {
		t.Error(err)
	}
	if count() != 0 {
		t.Error("Names has a key that was deleted, and is locked")
	}
}

// isHolder reports whether by names a run of apply by who. Not every store can tell the
// command.
func isHolder(by, who string) bool {
	return by == "tokenform apply by "+who || by == "tokenform by "+who
}

func (t *keeperTest) exclusion() {
	start := time.Now()
	l := t.lock(t, t.key, "one@host (process 1)", time.Minute)
	if l.Broken != nil {
		t.Errorf("a free lock was taken over from %v", l.Broken)
	}
	for _, k := range []Keeper{t, t.open(t.T)} {
		_, err := k.Lock(t.Context(), t.key, Owner{"apply", "two", time.Minute})
		held, ok := errors.AsType[*HeldError](err)
		if !ok {
			t.Fatalf("a second lock: %v", err)
		}
		if held.ID == "" || !isHolder(held.By, "one@host (process 1)") {
			t.Errorf("the holder is %q with the lock %q", held.By, held.ID)
		}
		if since := held.Since.Sub(start).Abs(); !held.Since.IsZero() && since > 5*time.Second {
			t.Errorf("since %s, which is off by %s", held.Since, since)
		}
		if left := time.Until(held.Until); !held.Until.IsZero() && (left < 50*time.Second || left > 70*time.Second) {
			t.Errorf("the lock ends in %s", left)
		}
	}
	t.release(l)
	t.release(t.lock(t.open(t.T), t.key, "two", time.Minute))
	// A second release does not touch what another machine holds by now.
	other := t.open(t.T)
	again := t.lock(other, t.key, "two", time.Minute)
	t.release(l)
	t.write(other, login(1, "one"), "", again)
	t.release(again)
}

// lockers lets machines add one to a serial each, under the lock.
func (t *keeperTest) lockers() {
	results := t.together(func(k Keeper, i int) error {
		l := t.lock(k, t.key, fmt.Sprint("locker ", i), time.Minute)
		defer l.Release(t.Context())
		item, err := k.Read(t.Context(), t.key)
		if err != nil {
			return err
		}
		var now struct{ Serial int }
		if item.Revision != "" {
			if err := json.Unmarshal(item.Data, &now); err != nil {
				return err
			}
		}
		_, err = k.Write(t.Context(), t.key, login(now.Serial+1, "all"), item.Revision, l)
		return err
	})
	if err := errors.Join(results...); err != nil {
		t.Error(err)
	}
	t.has(login(t.machines, "all"))
}

func (t *keeperTest) takeover() {
	const ttl = 2 * time.Second
	dead := t.lock(t, t.key, "dead", time.Minute)
	one := t.write(t, login(1, "one"), "", dead)
	t.release(dead)
	dead = t.lock(t, t.key, "dead@host (process 1)", ttl)
	start := time.Now()
	other := t.open(t.T)
	if _, err := other.Lock(t.Context(), t.key, Owner{"apply", "two", time.Minute}); err == nil {
		t.Fatal("a lock was taken over before its time")
	}
	l := t.lock(other, t.key, "two", time.Minute)
	if took := time.Since(start); took < ttl-time.Second || dead.Left(time.Now()) > 0 {
		t.Errorf("taken over after %s, and the holder believes in %s more", took, dead.Left(time.Now()))
	}
	// A store whose locks end by themselves does not know the holder any more.
	if b := l.Broken; b != nil && (!isHolder(b.By, "dead@host (process 1)") || b.ID == "") {
		t.Errorf("taken over from %q with the lock %q", b.By, b.ID)
	}
	if _, err := t.Write(t.Context(), t.key, login(2, "dead"), one, dead); !errors.Is(err, ErrLost) && !errors.Is(err, ErrChanged) {
		t.Errorf("write with a lease that is over: %v", err)
	}
	if err := t.Delete(t.Context(), t.key, one, dead); !errors.Is(err, ErrLost) && !errors.Is(err, ErrChanged) {
		t.Errorf("delete with a lease that is over: %v", err)
	}
	t.has(login(1, "one"))
	t.release(dead)
	if _, err := t.open(t.T).Lock(t.Context(), t.key, Owner{"apply", "three", time.Minute}); err == nil {
		t.Error("the release of a lease that is over has freed the lock of the next holder")
	}
	two := t.write(other, login(2, "two"), one, l)
	t.release(l)
	if got := t.has(login(2, "two")); got != two {
		t.Errorf("revision %q, want %q", got, two)
	}
	t.release(t.lock(t, t.key, "three", time.Minute))
}

func (t *keeperTest) unlock() {
	l := t.lock(t, t.key, "one", time.Minute)
	one := t.write(t, login(1, "one"), "", l)
	other := t.open(t.T)
	_, err := other.Lock(t.Context(), t.key, Owner{"apply", "two", time.Minute})
	held, ok := errors.AsType[*HeldError](err)
	if !ok {
		t.Fatal(err)
	}
	wrong := "0" + held.ID[1:]
	if held.ID[0] == '0' {
		wrong = "1" + held.ID[1:]
	}
	if err := other.Unlock(t.Context(), t.key, wrong); err == nil || fault.HintOf(err) == "" {
		t.Errorf("unlock with a wrong id: %v", err)
	}
	if _, err := other.Lock(t.Context(), t.key, Owner{"apply", "two", time.Minute}); err == nil {
		t.Fatal("unlock with a wrong id has freed the lock")
	}
	if err := other.Unlock(t.Context(), t.key, held.ID); err != nil {
		t.Fatal(err)
	}
	there := t.lock(other, t.key, "two", time.Minute)
	t.write(other, login(2, "two"), one, there)
	if _, err := t.Write(t.Context(), t.key, login(2, "late"), one, l); !errors.Is(err, ErrLost) && !errors.Is(err, ErrChanged) {
		t.Errorf("write with a lease that was taken away: %v", err)
	}
	if err := t.Delete(t.Context(), t.key, one, l); !errors.Is(err, ErrLost) && !errors.Is(err, ErrChanged) {
		t.Errorf("delete with a lease that was taken away: %v", err)
	}
	t.has(login(2, "two"))
	t.release(l)
	if _, err := t.open(t.T).Lock(t.Context(), t.key, Owner{"apply", "three", time.Minute}); err == nil {
		t.Error("the release of a lease that was taken away has freed the lock of the next holder")
	}
	t.release(there)
}

// keys checks that a login of another accounts server, and of a profile whose name begins
// alike, lies elsewhere.
func (t *keeperTest) keys() {
	keys := []string{t.key, t.key + "@127.0.0.1_8080", t.key + "x", t.key + ".x"}
	var leases []*Lease
	for i, key := range keys {
		l := t.lock(t, key, "one", time.Minute)
		if _, err := t.Write(t.Context(), key, login(i+1, key), "", l); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		leases = append(leases, l)
	}
	for i, key := range keys {
		item, err := t.open(t.T).Read(t.Context(), key)
		if err != nil || !sameJSON(item.Data, login(i+1, key)) {
			t.Errorf("%s: %s, %v", key, item.Data, err)
		}
		t.release(leases[i])
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := t.Read(canceled, t.key); fault.KindOf(err) != fault.Interrupted {
		t.Errorf("a canceled read: %v", err)
	}
}
