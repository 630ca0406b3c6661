package keeper

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
)

// httpStore keeps logins in a server that speaks the protocol of the HTTP backend of
// Terraform and OpenTofu, as GitLab and Gitea do: GET, POST and DELETE for the login,
// LOCK and UNLOCK with a JSON description of the lock. See OpenTofu's
// internal/backend/remote-state/http.
//
// The protocol knows no conditions, so Write and Delete compare under the lock what the
// server has. Locks of the protocol never end; ours have their end in the ID, see
// [newLockID].
type httpStore struct {
	config.Store
	password string
	client   *http.Client
	now      func() time.Time
	ahead    atomic.Int64 // how far the server's clock is ahead of this machine's, at most; in nanoseconds
}

const (
	httpTimeout  = 30 * time.Second // of one request with all its tries
	httpMaxBody  = 1 << 20          // the client cuts bodies there
	httpClockOff = 5 * time.Second  // by how much a lock may end too early or too late
)

// leastLeft is how long a lease must hold for a write to be sent.
const leastLeft = 3 * time.Second

func openHTTP(ctx context.Context, of config.Store, o Options) (Keeper, error) {
	of.LockAddress = cmp.Or(of.LockAddress, of.Address)
	of.UnlockAddress = cmp.Or(of.UnlockAddress, of.LockAddress)
	of.UpdateMethod = cmp.Or(of.UpdateMethod, http.MethodPost)
	of.LockMethod = cmp.Or(of.LockMethod, "LOCK")
	of.UnlockMethod = cmp.Or(of.UnlockMethod, "UNLOCK")
	password, err := of.Password.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	return &httpStore{Store: of, password: password, client: o.HTTP(nil), now: o.Now}, nil
}

// Read implements [Keeper].
func (s *httpStore) Read(ctx context.Context, key string) (Item, error) {
	a, err := s.send(ctx, http.MethodGet, s.place(s.Address, key), nil)
	switch {
	case err != nil:
		return Item{}, err
	case a.status == http.StatusNotFound || a.status == http.StatusNoContent || a.status == http.StatusOK && len(a.body) == 0:
		return Item{}, nil
	case a.status != http.StatusOK:
		return Item{}, s.refused(a)
	}
	if sum := md5.Sum(a.body); a.md5 != "" && a.md5 != base64.StdEncoding.EncodeToString(sum[:]) {
		return Item{}, s.failed(fault.Temporary, "the login was damaged on its way", "run the command again")
	}
	revision := revisionOf(a.body)
	if revision == "" {
		return Item{}, s.failed(fault.Failed, "it answered with something that is no login, or with a part of one", "check the address; if it is right, restore the login from a backup, or delete it there and log in again")
	}
	var what struct {
		Terraform string `json:"terraform_version"`
	}
	if json.Unmarshal(a.body, &what) == nil && what.Terraform != "" {
		return Item{}, s.failed(fault.Invalid, "it keeps a state of Terraform there", "use another address")
	}
	return Item{a.body, revision}, nil
}

// revisionOf returns a digest of a JSON object that is the same for every way to write
// the object, because some servers keep it decoded. revisionOf returns "" if data is no
// object.
func revisionOf(data []byte) string {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if !json.Valid(data) || d.Decode(&object) != nil || object == nil {
		return ""
	}
	canonical, err := json.Marshal(object) // sorts the keys
	if err != nil {
		return ""
	}
	return digest(canonical)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Write implements [Keeper].
func (s *httpStore) Write(ctx context.Context, key string, data []byte, revision string, lease *Lease) (string, error) {
	limited, cancel, err := s.under(ctx, key, revision, lease)
	if err != nil {
		return "", err
	}
	defer cancel()
	a, err := s.send(limited, s.UpdateMethod, s.place(s.Address, key)+"?ID="+lease.ID, data)
	written := revisionOf(data)
	if err == nil && a.done() {
		return written, nil
	}
	// The server may have taken the data although it does not say so, if the answer to
	// an earlier try was lost.
	if now, failed := s.Read(ctx, key); failed == nil && now.Revision == written {
		return written, nil
	}
	switch {
	case err != nil:
		return "", err
	case a.locked():
		return "", ErrLost
	}
	return "", s.refused(a)
}

// under checks that the lease holds and that key has the revision. The context ends with
// the lease, so that nothing is sent afterwards.
func (s *httpStore) under(ctx context.Context, key, revision string, lease *Lease) (context.Context, context.CancelFunc, error) {
	if lease == nil || lease.Left(s.now()) < leastLeft {
		return nil, nil, ErrLost
	}
	now, err := s.Read(ctx, key)
	if err == nil && now.Revision != revision {
		err = ErrChanged
	}
	left := lease.Left(s.now())
	if err == nil && left == 0 {
		err = ErrLost
	}
	if err != nil {
		return nil, nil, err
	}
	limited, cancel := context.WithTimeout(ctx, left)
	return limited, cancel, nil
}

// Delete implements [Keeper]. OpenTofu never deletes a locked state, so servers differ:
// GitLab deletes one if the request has the lock's ID; others refuse, or say that they have
// deleted. For these, Delete gives the lock back first.
func (s *httpStore) Delete(ctx context.Context, key, revision string, lease *Lease) error {
	limited, cancel, err := s.under(ctx, key, revision, lease)
	if err != nil {
		return err
	}
	defer cancel()
	a, err := s.send(limited, http.MethodDelete, s.place(s.Address, key)+"?ID="+lease.ID, nil)
	if err != nil {
		return err
	}
	if now, failed := s.Read(limited, key); (a.done() || a.locked()) && failed == nil && now.Revision == revision {
		switch free, err := s.unlock(limited, key, lockInfo{ID: lease.ID}); {
		case err != nil:
			return err
		case !free:
			return ErrLost
		}
		lease.Until = time.Time{} // the lock may be somebody else's from now on
		if now, err := s.Read(limited, key); err != nil || now.Revision != revision {
			return cmp.Or(err, ErrChanged)
		}
		if a, err = s.send(limited, http.MethodDelete, s.place(s.Address, key), nil); err != nil {
			return err
		}
	}
	switch {
	case a.done() || a.status == http.StatusNotFound:
		return nil
	case a.locked():
		return ErrLost
	}
	return s.refused(a)
}

// Names implements [Keeper].
func (s *httpStore) Names(context.Context) ([]string, error) {
	return nil, fmt.Errorf("%s cannot list logins: %w", s, errors.ErrUnsupported)
}

// lockInfo describes a lock. Servers such as GitLab require every field.
type lockInfo struct {
	ID        string
	Operation string
	Info      string
	Who       string
	Version   string
	Created   time.Time
	Path      string
}

func (l lockInfo) json() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // a year after 9999
	}
	return b
}

// Lock implements [Keeper]. The end of a lock is in the server's time.
func (s *httpStore) Lock(ctx context.Context, key string, owner Owner) (*Lease, error) {
	var held, broken *HeldError
	for try := range 4 {
		now := s.now().Round(0) // without the monotonic clock, which stands still while the machine sleeps
		until := now.Add(time.Duration(s.ahead.Load()) + owner.TTL + time.Second).UTC().Truncate(time.Second)
		id := newLockID(until)
		info := lockInfo{
			ID: id, Operation: "tokenform " + owner.Command, Who: owner.Who, Version: "tokenform", Created: now.UTC(), Path: s.place(s.Address, key),
			Info: "lock " + id + " ends by itself at " + until.Format(time.RFC3339),
		}
		a, err := s.send(ctx, s.LockMethod, s.place(s.LockAddress, key), info.json())
		if err != nil {
			return nil, err
		}
		switch {
		case a.done():
		case a.locked():
			held = s.holder(a, info)
			if held.ID == info.ID {
				break // the answer to an earlier try was lost
			}
			if held.Until.IsZero() || held.Until.After(a.sent) {
				return nil, held
			}
			// If another machine is faster, its lock has another ID and stays.
			free, err := s.unlock(ctx, key, lockInfo{ID: held.ID})
			if err != nil {
				return nil, err
			}
			if free {
				broken = held
			}
			continue
		case slices.Contains([]int{400, 404, 405, 501}, a.status):
			return nil, s.failed(fault.Failed, fmt.Sprintf("it answered %d to %s: it has no locks there", a.status, s.LockMethod), "set lock_address, lock_method and unlock_method as the server needs them (tokenform help stores has those of GitLab); without locks, machines log each other out")
		default:
			return nil, s.refused(a)
		}
		left := owner.TTL
		if !a.at.IsZero() {
			left = until.Sub(a.at.Add(time.Second)) // Date is without fractions
		}
		lease := &Lease{ID: info.ID, Until: now.Add(min(left, owner.TTL)), Broken: broken}
		lease.Release = func(ctx context.Context) error {
			if lease.Left(s.now()) == 0 {
				return nil // some servers do not look at the ID
			}
			_, err := s.unlock(ctx, key, info)
			return err
		}
		if try > 0 || (left-owner.TTL).Abs() < min(httpClockOff, owner.TTL/2) {
			return lease, nil
		}
		// The clocks differ. By now s.ahead knows by how much.
		if _, err := s.unlock(ctx, key, info); err != nil {
			return nil, err
		}
	}
	return nil, cmp.Or(held, &HeldError{})
}

// holder reads who has the lock from an answer to a request for the lock mine.
func (s *httpStore) holder(a *httpAnswer, mine lockInfo) *HeldError {
	var found map[string]any
	_ = json.Unmarshal(a.body, &found) // some servers do not say who
	text := func(name string) string { s, _ := found[name].(string); return s }
	held := &HeldError{ID: text("ID")}
	held.Since, _ = time.Parse(time.RFC3339, text("Created"))
	operation := clean(text("Operation"))
	if text("Info") == mine.Info {
		operation = "" // GitLab stores only ID, Who and Created; the rest is from the request
	}
	if until, ok := endOfLock(held.ID); ok {
		held.By = cmp.Or(operation, "tokenform")
		// In the time of this machine, as far as a Date tells.
		held.Until = until
		if !a.at.IsZero() {
			held.Until = until.Add(a.sent.Sub(a.at))
		}
	} else if len(found) > 0 {
		held.By = "another program"
		if operation != "" {
			held.By += " (" + operation + ")"
		}
	}
	if who := clean(text("Who")); who != "" && held.By != "" {
		held.By += " by " + who
	}
	return held
}

// clean returns a text of the server for a message: one short line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return -1
		}
		return r
	}, s)
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// lockMark begins the IDs of our locks.
const lockMark = "tkfm"

// newLockID returns a UUID with the end of the lock in it: a UUID, because some servers
// accept nothing else; in the ID, because GitLab stores no other text of a lock. Its
// version is 8 (RFC 9562 section 5.8), with 58 random bits.
func newLockID(until time.Time) string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	copy(b[:], lockMark)
	binary.BigEndian.PutUint32(b[10:], uint32(until.Unix()))
	return uuid(b, 8)
}

// lockID returns a random UUID (RFC 9562 section 5.4), for locks of other stores.
func lockID() string {
	var b [16]byte
	rand.Read(b[:])
	return uuid(b, 4)
}

func uuid(b [16]byte, version byte) string {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// endOfLock returns when a lock of tokenform ends, in the server's time. ok is false for
// a lock of another program, which must not be broken.
func endOfLock(id string) (until time.Time, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 || string(b[:4]) != lockMark || b[6]>>4 != 8 || b[8]>>6 != 2 {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint32(b[10:])), 0), true
}

// Unlock implements [Keeper].
func (s *httpStore) Unlock(ctx context.Context, key, id string) error {
	free, err := s.unlock(ctx, key, lockInfo{ID: id})
	if err == nil && !free {
		return s.failed(fault.Failed, "it has no lock with this id", "the error of a run that waits shows the id")
	}
	return err
}

// unlock gives a lock back. free is false if nobody has the lock, or somebody has another
// one.
func (s *httpStore) unlock(ctx context.Context, key string, info lockInfo) (free bool, err error) {
	a, err := s.send(ctx, s.UnlockMethod, s.place(s.UnlockAddress, key), info.json())
	switch {
	case err != nil:
		return false, err
	case a.locked() || a.status == http.StatusNotFound:
		return false, nil
	case !a.done():
		return false, s.refused(a)
	}
	return true, nil
}

// place returns where key is. The key replaces {profile} in the address. An address
// without {profile} has room for one login, but not for one of another accounts server:
// what the key has after an @ is appended to the name in the address. No address has a
// query: the profile must not.
func (s *httpStore) place(address, key string) string {
	escaped := strings.ReplaceAll(url.PathEscape(key), "@", "%40") // in a host's place, an @ would make another host of what follows
	if strings.Contains(address, config.ProfilePlaceholder) {
		return strings.ReplaceAll(address, config.ProfilePlaceholder, escaped)
	}
	_, realm, ok := strings.Cut(escaped, "%40")
	if !ok {
		return address
	}
	name, rest := address, ""
	if after, ok := strings.CutPrefix(address, strings.TrimSuffix(s.Address, "/")+"/"); ok {
		name, rest = strings.TrimSuffix(s.Address, "/"), "/"+after // of the lock: ADDRESS/lock
	}
	if u, err := url.Parse(name); err == nil && u.Path == "" {
		name += "/"
	}
	return name + "%40" + realm + rest
}

// httpAnswer is an answer, read to its end.
type httpAnswer struct {
	method string
	status int
	body   []byte
	md5    string    // Content-MD5
	sent   time.Time // when the request was sent, by this machine's clock
	at     time.Time // Date, by the server's clock; zero means none
}

// done reports whether the server says that it has done what was asked.
func (a *httpAnswer) done() bool {
	return a.status == http.StatusOK || a.status == http.StatusCreated || a.status == http.StatusNoContent
}

// locked reports whether the server says that somebody else has the lock.
func (a *httpAnswer) locked() bool {
	return a.status == http.StatusLocked || a.status == http.StatusConflict
}

func (s *httpStore) send(ctx context.Context, method, address string, body []byte) (*httpAnswer, error) {
	limited, cancel := context.WithTimeout(ctx, httpTimeout)
	defer cancel()
	var content io.Reader
	if len(body) > 0 {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(limited, method, address, content)
	if err != nil {
		return nil, s.failed(fault.Invalid, "not an http or https address", "write an address such as https://store.example/path")
	}
	if s.Username != "" {
		req.SetBasicAuth(s.Username, s.password)
	}
	if len(body) > 0 {
		sum := md5.Sum(body)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	a := &httpAnswer{method: method, sent: s.now().Round(0)}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, unanswered(ctx, s.String(), err)
	}
	defer resp.Body.Close()
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, unanswered(ctx, s.String(), err)
	}
	a.status, a.md5 = resp.StatusCode, resp.Header.Get("Content-MD5")
	if a.at, err = http.ParseTime(resp.Header.Get("Date")); err == nil {
		s.ahead.Store(int64(a.at.Add(time.Second).Sub(a.sent)))
	}
	switch {
	case len(a.body) >= httpMaxBody:
		return nil, s.failed(fault.Failed, "its answer is larger than 1 MiB", "check the address: something else may be there")
	case a.status < 300 && bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<")):
		// Some servers declare an empty answer as HTML, so the body decides.
		return nil, s.failed(fault.Temporary, "it answered with a web page", "check the address; a proxy or a login page may have answered")
	}
	return a, nil
}

func (s *httpStore) failed(kind fault.Kind, why, hint string) error {
	return &fault.Error{Kind: kind, Message: s.String() + ": " + why, Hint: hint}
}

// unanswered is the error for a request that got no answer, or only a part of one.
func unanswered(ctx context.Context, store string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	why, hint, temporary := oauth.Explain(err)
	e := &fault.Error{Kind: fault.Failed, Message: store + " does not answer: " + why, Hint: hint}
	if temporary {
		e.Kind = fault.Temporary
	}
	return e
}

// refused is the error for an answer that is neither success nor a part of the protocol.
func (s *httpStore) refused(a *httpAnswer) error {
	said := fmt.Sprintf("it answered %d to %s", a.status, a.method)
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		who := "nobody: the profile has no username"
		if s.Username != "" {
			who = s.Username
		}
		if s.Password != nil {
			who += ", with the password from " + s.Password.From()
		}
		return s.failed(fault.Failed, said+"; the request was from "+who, "check username and password, and what that user may do")
	case slices.Contains([]int{408, 429, 500, 502, 503, 504}, a.status):
		return s.failed(fault.Temporary, said, "try again later")
	case a.status >= 300 && a.status < 400:
		return s.failed(fault.Failed, said+", which leads to another address", "write the final address; a login page may be in front of it")
	case a.status == http.StatusRequestEntityTooLarge:
		return s.failed(fault.Failed, said+": the login is too large for it", "raise its limit for requests")
	}
	return s.failed(fault.Failed, said, "check the address: does it belong to a Terraform HTTP backend?")
}
