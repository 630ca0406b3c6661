package keeper

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
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

// httpStore speaks the protocol of the HTTP backend of Terraform and OpenTofu
// (opentofu.org/docs/language/settings/backends/http). The protocol has locks that never
// end, and no conditional write. So a lock says in its Info when it ends, and a write
// reads the login once more under the lock.
type httpStore struct {
	config.Store
	password string
	client   *http.Client
	now      func() time.Time

	// skew is how far the server's clock is ahead of ours, once known is set: the end of a
	// lock is in the server's time, which all machines know.
	skew  atomic.Int64
	known atomic.Bool
}

func openHTTP(ctx context.Context, s config.Store, o Options) (Keeper, error) {
	password, err := s.Password.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	return &httpStore{Store: s, password: password, client: o.HTTP(nil), now: o.Now}, nil
}

// lockInfo is a lock in the protocol's words.
type lockInfo struct {
	ID        string
	Operation string
	Info      string
	Who       string
	Version   string
	Created   time.Time
	Path      string
}

// ends is what Info says before the end of a lock of ours.
const ends = "ends by itself at "

// until returns the end of a lock in the server's time. Zero means that the lock has no
// end, or is another program's.
func (l lockInfo) until() time.Time {
	_, rest, _ := strings.Cut(l.Info, ends)
	at, err := time.Parse(time.RFC3339, rest)
	if err != nil {
		return time.Time{}
	}
	return at
}

// addressOf returns the address of a key, from a pattern in the profile.
func addressOf(pattern, key string) string {
	if strings.Contains(pattern, config.ProfilePlaceholder) {
		return strings.ReplaceAll(pattern, config.ProfilePlaceholder, url.PathEscape(key))
	}
	// The login of another server than Spotify must not lie at the same address.
	if _, realm, other := strings.Cut(key, "@"); other {
		return pattern + url.PathEscape("@"+realm)
	}
	return pattern
}

// send sends a request and reads its answer. The error is about the network.
func (s *httpStore) send(ctx context.Context, method, address, id string, body []byte) (status int, answer []byte, err error) {
	if id != "" {
		address += "?ID=" + url.QueryEscape(id)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, s.failed(fault.Invalid, "the address is not one", "correct address in the profile")
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		sum := md5.Sum(body)
		req.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	if s.Username != "" {
		req.SetBasicAuth(s.Username, s.password)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, unanswered(ctx, s.String(), err)
	}
	defer resp.Body.Close()
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		s.skew.Store(int64(at.Sub(s.now())))
		s.known.Store(true)
	}
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, unanswered(ctx, s.String(), err)
	}
	return resp.StatusCode, answer, nil
}

// unanswered is the error for a request that got no answer.
func unanswered(ctx context.Context, store string, err error) error {
	if ctx.Err() == context.Canceled {
		return ctx.Err()
	}
	why, hint, temporary := oauth.Explain(err)
	e := &fault.Error{Kind: fault.Failed, Message: store + " does not answer: " + why, Hint: hint}
	if temporary {
		e.Kind = fault.Temporary
	}
	return e
}

func (s *httpStore) failed(kind fault.Kind, why, hint string) error {
	return &fault.Error{Kind: kind, Message: s.String() + ": " + why, Hint: hint}
}

// refused is the error for an answer that is none of the protocol's good ones.
func (s *httpStore) refused(method string, status int) error {
	who := "nobody: the profile has no username"
	if s.Username != "" {
		who = s.Username + ", with the password from " + s.Password.From()
	}
	const wait = "try again later"
	said := fmt.Sprintf("it answered %d to %s", status, method)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return s.failed(fault.Failed, said+"; the request was from "+who, "check username and password, and what that user may do")
	case slices.Contains([]int{408, 429, 500, 502, 503, 504}, status):
		return s.failed(fault.Temporary, said, wait)
	case method == s.LockMethod && (status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented || status == http.StatusNotFound || status == http.StatusBadRequest):
		return s.failed(fault.Failed, said+": it has no locks there", "set lock_address, unlock_address, lock_method and unlock_method as the server needs them; without locks, machines log each other out")
	case status >= 300 && status < 400:
		return s.failed(fault.Failed, said+", which leads to another address", "write the final address")
	}
	return s.failed(fault.Failed, said, "check the address: does it belong to a Terraform HTTP backend?")
}

func (s *httpStore) Read(ctx context.Context, key string) (Item, error) {
	status, body, err := s.send(ctx, http.MethodGet, addressOf(s.Address, key), "", nil)
	switch {
	case err != nil:
		return Item{}, err
	case status == http.StatusNoContent || status == http.StatusNotFound:
		return Item{}, nil
	case status != http.StatusOK:
		return Item{}, s.refused(http.MethodGet, status)
	case len(bytes.TrimSpace(body)) == 0: // a server's way to say that there is nothing
		return Item{}, nil
	}
	var what struct {
		Terraform string `json:"terraform_version"`
	}
	switch err := json.Unmarshal(body, &what); {
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		return Item{}, s.failed(fault.Temporary, "it answered with a page, not with a login", "check the address; a proxy or a login page may have answered")
	case err != nil:
		return Item{}, s.failed(fault.Failed, "it answered with something that is no login, or with a part of one", "check the address; if it is right, restore the login from a backup, or delete it there and log in again")
	case what.Terraform != "":
		return Item{}, s.failed(fault.Invalid, "it keeps a state of Terraform there", "use another address")
	}
	return Item{body, digest(body)}, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// leastLeft is how long a lease must hold for a write to be sent.
const leastLeft = 3 * time.Second

// check reports why a key must not be changed now: the lease or the revision is gone.
func (s *httpStore) check(ctx context.Context, key, revision string, lease *Lease) error {
	if lease.Left(s.now()) < leastLeft {
		return ErrLost
	}
	item, err := s.Read(ctx, key)
	switch {
	case err != nil:
		return err
	case item.Revision != revision:
		return ErrChanged
	case lease.Left(s.now()) < leastLeft: // reading took its time
		return ErrLost
	}
	return nil
}

func (s *httpStore) Write(ctx context.Context, key string, data []byte, revision string, lease *Lease) (string, error) {
	if err := s.check(ctx, key, revision, lease); err != nil {
		return "", err
	}
	status, _, err := s.send(ctx, s.UpdateMethod, addressOf(s.Address, key), lease.ID, data)
	if err == nil && status >= 200 && status < 300 {
		return digest(data), nil
	}
	// The data may be stored although the answer says no: if a first answer is lost, the
	// server gets the data twice, and GitLab takes no serial number twice.
	if item, readErr := s.Read(ctx, key); readErr == nil && item.Revision == digest(data) {
		return item.Revision, nil
	}
	switch {
	case err != nil:
		return "", err
	case status == http.StatusConflict || status == http.StatusLocked:
		return "", ErrLost
	}
	return "", s.refused(s.UpdateMethod, status)
}

func (s *httpStore) Delete(ctx context.Context, key, revision string, lease *Lease) error {
	if err := s.check(ctx, key, revision, lease); err != nil {
		return err
	}
	status, _, err := s.send(ctx, http.MethodDelete, addressOf(s.Address, key), lease.ID, nil)
	switch {
	case err != nil:
		return err
	case status >= 200 && status < 300 || status == http.StatusNotFound:
		return nil
	case status == http.StatusConflict || status == http.StatusLocked:
		return ErrLost
	}
	return s.refused(http.MethodDelete, status)
}

// Names is not part of the protocol.
func (s *httpStore) Names(context.Context) ([]string, error) {
	return nil, fmt.Errorf("%s cannot list logins: %w", s, errors.ErrUnsupported)
}

func (s *httpStore) lockAddress(key string) string {
	if s.LockAddress != "" {
		return addressOf(s.LockAddress, key)
	}
	return addressOf(s.Address, key)
}

func (s *httpStore) unlockAddress(key string) string {
	if s.UnlockAddress != "" {
		return addressOf(s.UnlockAddress, key)
	}
	return s.lockAddress(key)
}

// serverNow returns the time by the server's clock.
func (s *httpStore) serverNow() time.Time { return s.now().Add(time.Duration(s.skew.Load())) }

func (s *httpStore) Lock(ctx context.Context, key string, owner Owner) (*Lease, error) {
	if !s.known.Load() {
		if _, err := s.Read(ctx, key); err != nil {
			return nil, err
		}
	}
	info := lockInfo{
		ID: lockID(), Operation: owner.Command, Who: owner.Who, Version: "tokenform",
		Path: addressOf(s.Address, key),
	}
	var broken *HeldError
	for range 2 {
		start := s.now()
		info.Created = s.serverNow().UTC().Truncate(time.Second)
		info.Info = "tokenform " + owner.Command + "; " + ends + info.Created.Add(owner.TTL).Format(time.RFC3339)
		body, err := json.Marshal(info)
		if err != nil {
			return nil, err
		}
		status, answer, err := s.send(ctx, s.LockMethod, s.lockAddress(key), "", body)
		if err != nil {
			return nil, err
		}
		lease := &Lease{ID: info.ID, Until: start.Add(owner.TTL), Broken: broken}
		lease.Release = func(ctx context.Context) error {
			if lease.Left(s.now()) == 0 {
				return nil // it may be somebody else's by now, and not every server asks whose it is
			}
			return s.unlock(ctx, key, body)
		}
		if status >= 200 && status < 300 {
			return lease, nil
		}
		if status != http.StatusLocked && status != http.StatusConflict {
			return nil, s.refused(s.LockMethod, status)
		}
		var by lockInfo
		if err := json.Unmarshal(answer, &by); err != nil {
			return nil, &HeldError{}
		}
		if by.ID == info.ID {
			return lease, nil // our own, whose first answer was lost
		}
		held := s.held(by)
		if by.until().IsZero() || s.serverNow().Before(by.until()) {
			return nil, held
		}
		broken = held
		theirs, err := json.Marshal(by)
		if err != nil {
			return nil, err
		}
		if err := s.unlock(ctx, key, theirs); err != nil && fault.KindOf(err) == fault.Temporary {
			return nil, err // any other answer says that the lock is somebody else's by now
		}
	}
	return nil, broken
}

// held says who has a lock, by this machine's clock.
func (s *httpStore) held(by lockInfo) *HeldError {
	e := &HeldError{ID: by.ID, Since: by.Created}
	e.By = clean(by.Who)
	if by.until().IsZero() {
		e.By = "another program (" + clean(by.Operation) + " by " + e.By + ")"
	} else {
		e.By = "tokenform " + clean(by.Operation) + " by " + e.By
		e.Until = by.until().Add(-time.Duration(s.skew.Load()))
	}
	return e
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

// lockID returns a random UUID (RFC 9562 section 5.4): some servers take nothing else.
func lockID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// unlock sends the lock info of a lock to be released.
func (s *httpStore) unlock(ctx context.Context, key string, info []byte) error {
	status, _, err := s.send(ctx, s.UnlockMethod, s.unlockAddress(key), "", info)
	switch {
	case err != nil:
		return err
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusConflict || status == http.StatusLocked || status == http.StatusNotFound:
		return s.failed(fault.Failed, "it has no lock with this id", "the error of a run that waits shows the id")
	}
	return s.refused(s.UnlockMethod, status)
}

func (s *httpStore) Unlock(ctx context.Context, key, id string) error {
	body, err := json.Marshal(lockInfo{ID: id, Path: addressOf(s.Address, key)})
	if err != nil {
		return err
	}
	return s.unlock(ctx, key, body)
}
