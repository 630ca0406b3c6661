// Package keeper keeps the logins of profiles in stores that many machines share: one
// file for each type of store, and encryption, which wraps any of them.
//
// A [Keeper] knows nothing of logins. For each key, which is the name of a profile, it
// keeps bytes with a revision, and a lock. Two guarantees are asked of every store:
//
//   - Write and Delete change nothing unless the key still has the revision that the
//     caller has read. So no update is ever lost, not even by a holder of a lock that
//     was asleep when its lock ended.
//   - A lock has one holder at a time, and ends by itself: a holder that dies holds
//     others up for [config.Store.LockTTL] at most.
//
// Errors are of type [fault.Error], or wrap one: Kind Temporary if the store is away,
// slow or busy; Failed if the store refuses; Invalid if the profile is wrong. No error
// has a credential or any part of the data in it.
package keeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tokenform/config"
)

// Keeper is a store. A Keeper is safe for concurrent use.
type Keeper interface {
	// String names the store in messages, such as "s3 bucket tokens": without
	// credentials.
	String() string

	// Read returns what the store has under key. One request.
	Read(ctx context.Context, key string) (Item, error)

	// Write makes data, which is a JSON object with a number "serial", the content of
	// key, and returns its revision. The error is [ErrChanged] if key no longer has
	// the revision, and [ErrLost] if the store knows that the lease has ended; in both
	// cases the store is unchanged. After any other error the store may have data.
	Write(ctx context.Context, key string, data []byte, revision string, lease *Lease) (string, error)

	// Delete removes key, as Write replaces its content.
	Delete(ctx context.Context, key, revision string, lease *Lease) error

	// Names returns every key that has content, sorted. The error wraps
	// [errors.ErrUnsupported] if the store cannot list keys.
	Names(ctx context.Context) ([]string, error)

	// Lock tries once to take the lock of key. The error is a [*HeldError] if somebody
	// has it. A lock that is over its time is taken over.
	Lock(ctx context.Context, key string, owner Owner) (*Lease, error)

	// Unlock takes the lock away from whoever holds it with this id: [HeldError.ID].
	Unlock(ctx context.Context, key, id string) error
}

// Item is what a store has under a key.
type Item struct {
	Data     []byte
	Revision string // of this very content; empty means that the store has nothing under the key
}

// Owner is who asks for a lock, for people who wait for the lock.
type Owner struct {
	Command string // "apply"
	Who     string // "host (process 4711)"
	TTL     time.Duration
}

// Lease is a lock that was taken.
type Lease struct {
	ID    string
	Until time.Time // by this machine's clock; afterwards somebody else may have the lock

	// Broken is the holder whose lock was over its time and was taken over. nil means
	// that the lock was free.
	Broken *HeldError

	// Lost is closed if the store says that the lease has ended early. nil means that
	// the store never says so.
	Lost <-chan struct{}

	// Release gives the lock back. Release does nothing if the lock is somebody
	// else's by now.
	Release func(context.Context) error
}

// Left returns how long the lease still holds. Zero means that the lease has ended. Of the
// two clocks of a machine the one that says less counts: one stands still while the machine
// sleeps, the other may be set back.
func (l *Lease) Left(now time.Time) time.Duration {
	select {
	case <-l.Lost: // a nil channel is never ready
		return 0
	default:
		return max(min(l.Until.Sub(now), l.Until.Round(0).Sub(now.Round(0))), 0)
	}
}

var (
	// ErrChanged says that somebody else has changed the content of a key since it was
	// read.
	ErrChanged = errors.New("another machine has changed the login meanwhile")

	// ErrLost says that a lease has ended before the write.
	ErrLost = errors.New("the lock was lost")
)

// HeldError says who holds a lock.
type HeldError struct {
	ID    string    // for Unlock
	By    string    // "tokenform apply by host (process 4711)"
	Since time.Time // zero means not known
	Until time.Time // when the lock ends by itself; zero means never, or not known
}

func (e *HeldError) Error() string {
	s := e.By
	if s == "" {
		s = "another process"
	}
	s += " holds the lock " + e.ID
	if !e.Since.IsZero() {
		s += fmt.Sprintf(", since %s", e.Since.Local().Format(time.DateTime))
	}
	return s
}

// Options are what keepers need from the process.
type Options struct {
	// HTTP returns a client with retries, which follows no redirect. config is nil, or
	// has what TLS needs beyond the defaults. The clients share what can be shared.
	HTTP func(config *tls.Config) *http.Client

	Now func() time.Time
	Env func(string) (string, bool) // for the variables of AWS
}

// Open returns the keeper that s describes. Open fetches the credentials in s, and sends
// nothing.
func Open(ctx context.Context, s config.Store, o Options) (Keeper, error) {
	switch s.Type {
	case config.HTTPStore:
		return openHTTP(ctx, s, o)
	case config.S3Store:
		return openS3(ctx, s, o)
	case config.EtcdStore:
		return openEtcd(ctx, s, o)
	}
	return openCommand(s, o)
}
