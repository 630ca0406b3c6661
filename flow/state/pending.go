package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
)

// Pending is a login that was begun and waits for the address that the browser ends at,
// which may come to another process. State and verifier are secrets.
type Pending struct {
	Version     int       `json:"version"`
	State       string    `json:"state"`         // RFC 6749 section 10.12
	Verifier    string    `json:"code_verifier"` // RFC 7636
	RedirectURI string    `json:"redirect_uri"`
	ClientID    string    `json:"client_id"`
	Server      string    `json:"server"`
	Scopes      []string  `json:"scopes"`
	Until       time.Time `json:"until"` // when the login can no longer be finished
}

// Format keeps state and verifier out of every message.
func (p Pending) Format(f fmt.State, _ rune) { fmt.Fprint(f, "pending login (redacted)") }

func (e *Entry) pendingPath() string {
	return filepath.Join(e.store.dir, e.name+e.store.suffix+".pending")
}

// Pending returns the profile's pending login, or nil if there is none.
func (e *Entry) Pending() (*Pending, error) {
	path := e.pendingPath()
	b, err := atomicfile.ReadOwn(path, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable(path, err, "make it readable for this user")
	}
	var p Pending
	if err := json.Unmarshal(b, &p); err != nil || p.Version != Version || p.State == "" {
		return nil, &fault.Error{Message: path, Err: errors.New("not a pending login"), Hint: "tokenform login --print begins a new one"}
	}
	return &p, nil
}

// SavePending makes p the profile's pending login. nil removes the pending login.
func (e *Entry) SavePending(p *Pending) error {
	path := e.pendingPath()
	if p == nil {
		if err := atomicfile.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unusable(path, err, "make its directory writable")
		}
		return nil
	}
	p.Version = Version
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if _, err := atomicfile.Write(path, append(b, '\n'), 0o600); err != nil {
		return unusable(path, err, "free some space or make it writable")
	}
	return nil
}
