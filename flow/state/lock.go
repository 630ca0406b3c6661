package state

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state/keeper"
)

// Holder says who has a lock, for people who wait for it.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host,omitempty"`
	Command string    `json:"command"` // "apply", never its arguments
	Since   time.Time `json:"since"`

	By string `json:"-"` // a holder on another machine, in the store's words; replaces all but Since
}

// who says which process asks a store for a lock.
func who() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s (process %d)", host, os.Getpid())
}

// String is "tokenform apply (process 4711, since 2026-11-23 14:03:05)". String names
// the host only if the holder runs on another host.
func (h Holder) String() string {
	if h.By != "" {
		return h.By
	}
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("tokenform %s (process %d%s, since %s)", h.Command, h.PID, h.where(), h.Since.Local().Format(time.DateTime))
}

// Who is String without the time: "tokenform apply (process 4711)".
func (h Holder) Who() string {
	if h.By != "" {
		return h.By
	}
	return fmt.Sprintf("tokenform %s (process %d%s)", h.Command, h.PID, h.where())
}

func (h Holder) where() string {
	if here, err := os.Hostname(); err == nil && h.Host != "" && h.Host != here {
		return " on " + h.Host
	}
	return ""
}

// held is the error for a lock that another process did not release in time.
func held(by Holder, timeout time.Duration) error {
	return &fault.Error{
		Kind:    fault.Temporary,
		Message: fmt.Sprintf("%s holds the lock; gave up after %s", by, timeout.Round(time.Second)),
		Hint:    "wait for it to finish and try again, or increase --lock-timeout",
	}
}

// Entry is a profile's state under its lock. Only an Entry can store a token.
type Entry struct {
	store    *Store
	name     string
	lock     *flock.Flock
	reserved *atomicfile.Pending // for the next Save; nil means none reserved
	Made     bool                // the state directory was made for this lock

	// An Entry lives no longer than the call that locks it, and has that call's context.
	ctx     context.Context
	me      Holder
	waiting Waiting

	lease    *keeper.Lease // of a shared login; nil means none
	revision string        // of the shared login as it was read; empty means that there was none
}

// Waiting says how long to wait for a lock, and whom to tell about the wait.
type Waiting struct {
	Timeout time.Duration // zero means one try
	After   time.Duration // call Tell once, after this long
	Tell    func(Holder)  // may be nil

	// Warn says what happened to a shared login. Warn may be nil.
	Warn func(text, hint string)
}

// Lock takes the profile's lock. The caller must Unlock; the lock also ends with the
// process, even if the process is killed. Lock writes me beside the lock, with this
// process's PID and Host, for others to read. The error is temporary if another process
// held the lock for all of w.Timeout.
func (s *Store) Lock(ctx context.Context, name string, me Holder, w Waiting) (*Entry, error) {
	_, missing := os.Stat(s.dir)
	if err := s.create(); err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, name+s.suffix+".lock")
	// A lock file is never deleted: a process that waits on the deleted file and the
	// process that makes a new one would both hold "the" lock.
	if err := atomicfile.Own(path); err != nil {
		return nil, unusable(path, err, "move it away: tokenform did not create it")
	}
	lock := flock.New(path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDONLY|unfollowed))
	timeout, noticeable := time.NewTimer(w.Timeout), time.NewTimer(w.After)
	defer timeout.Stop()
	defer noticeable.Stop()
	for {
		got, err := lock.TryLock()
		if err != nil {
			return nil, unusable(path, err, "make the state directory writable, or keep state elsewhere with --state DIR")
		}
		if got {
			e := &Entry{store: s, name: name, lock: lock, Made: missing != nil, ctx: ctx, me: me, waiting: w}
			e.sign(me)
			s.mend(ctx, name)
			return e, nil
		}
		// A random delay keeps a hundred waiting processes from trying at the same
		// moment.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timeout.C:
			return nil, held(readHolder(path), w.Timeout)
		case <-noticeable.C:
			if w.Tell != nil {
				w.Tell(readHolder(path))
			}
		case <-time.After(5*time.Millisecond + rand.N(15*time.Millisecond)):
		}
	}
}

// Context is the context of the call that took the lock.
func (e *Entry) Context() context.Context { return e.ctx }

// mend completes the Save of a process that was killed during the Save. If the new
// content was written in full, mend stores it: the refresh token in the old content may
// be dead. (Without mend, being killed during the sync, which takes milliseconds, would
// lose a login.)
func (s *Store) mend(ctx context.Context, name string) {
	if s.Shared() {
		// A login that was to be kept aside is offered to the store, which judges it.
		path := s.asidePath(name)
		atomicfile.Rescue(path, func(b []byte) bool { return json.Valid(b) })
		return
	}
	path := s.path(name)
	atomicfile.Rescue(path, func(b []byte) bool {
		t, err := s.decode(ctx, path, name, b)
		if err != nil {
			return false
		}
		old, err := s.Read(ctx, name)
		return err == nil && (old == nil || t.Serial > old.Serial)
	})
}

// Beside locks the same profile in another place. If both have one state directory, the
// lock of e is the lock of both.
func (e *Entry) Beside(ctx context.Context, s *Store) (*Entry, error) {
	if s.dir != e.store.dir || s.suffix != e.store.suffix {
		return s.Lock(ctx, e.name, e.me, e.waiting)
	}
	s.mend(ctx, e.name)
	return &Entry{store: s, name: e.name, ctx: ctx, me: e.me, waiting: e.waiting}, nil
}

// Unlock releases the lock and the room that Reserve made.
func (e *Entry) Unlock() {
	e.Release()
	e.Unlease()
	if e.lock == nil { // see Beside
		return
	}
	// Close releases the lock. An error changes nothing: the end of the process
	// releases the lock too.
	_ = e.lock.Close()
}

// sign writes who holds the lock into the lock file, from its second byte on: Windows
// locks the first byte and lets no other process read it. sign ignores errors, because
// the text is only for people.
func (e *Entry) sign(me Holder) {
	me.PID = os.Getpid()
	me.Host, _ = os.Hostname()
	b, err := json.Marshal(me)
	if err != nil {
		return
	}
	f, err := os.OpenFile(e.lock.Path(), os.O_WRONLY|unfollowed, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteAt(b, 1)
}

// readHolder reads what sign wrote. A zero Holder means that the holder has not written
// yet, or could not write.
func readHolder(path string) Holder {
	var h Holder
	f, err := os.OpenFile(path, os.O_RDONLY|unfollowed, 0)
	if err != nil {
		return h
	}
	defer f.Close()
	// Read one JSON value only: the end of an older and longer text may follow.
	_ = json.NewDecoder(io.NewSectionReader(f, 1, 4096)).Decode(&h)
	return h
}
