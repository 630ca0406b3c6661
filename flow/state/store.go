package state

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state/keeper"
)

// maxBytes bounds a state file: a real one is some KiB.
const maxBytes = 1 << 20

// Store is the state of one profile or of several: their logins, and this machine's
// records. Both are in a state directory, which the first Lock makes; or the logins are in
// a store that many machines share, and only the records are in the directory.
type Store struct {
	dir    string
	suffix string // what the realm adds to a profile's name in the names of files

	keeper *lazy[keeper.Keeper] // where the login is; nil means in dir
	where  string               // the name of keeper
	place  string               // what identifies the data in keeper
	ttl    time.Duration        // how long a lock in keeper holds
	now    func() time.Time
	seal   *lazy[*keeper.Seal] // encrypts the login; nil means that it is not encrypted

	tolerant bool // see Tolerant
	single   bool // keeper has room for one login
}

// Dir is the state directory's path.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(name string) string { return filepath.Join(s.dir, name+s.suffix+".json") }

// Littered reports whether a killed process has left something that the next Lock would
// clean up, or another process is saving right now, or a login was kept aside.
func (s *Store) Littered(name string) bool {
	if s.Shared() {
		_, err := os.Lstat(s.asidePath(name))
		return err == nil || atomicfile.Littered(s.asidePath(name))
	}
	return atomicfile.Littered(s.path(name))
}

// Read returns the profile's token without taking the lock, or nil if there is none.
// The token is whole, as the last Save left it, but another process may replace it at
// any time.
func (s *Store) Read(ctx context.Context, name string) (*Token, error) {
	if s.Shared() {
		t, _, err := s.readShared(ctx, name)
		return t, err
	}
	path := s.path(name)
	if err := s.trust(); err != nil {
		return nil, err
	}
	b, err := atomicfile.ReadOwn(path, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, atomicfile.ErrTooLarge) {
		return nil, broken(path, "larger than 1 MiB", repair)
	}
	if planted(err) {
		return nil, unusable(path, err, "move it away, and log in again")
	}
	if err != nil {
		return nil, unusable(path, err, "make it readable for this user")
	}
	return s.decode(ctx, path, name, b)
}

// LocalNames are the profiles that have a token in the state directory, sorted.
func (s *Store) LocalNames() []string {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil // reading a profile's state reports the error
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), s.suffix+".json")
		if ok && !strings.HasPrefix(name, ".") && !strings.Contains(name, "@") {
			names = append(names, name)
		}
	}
	return names
}

// broken is the error for a state file or directory that cannot be used.
func broken(path, reason, hint string) error {
	return &fault.Error{Kind: fault.Failed, Message: path, Err: errors.New(reason), Hint: hint}
}

// planted reports whether err says that a path leads to no regular file of our own.
func planted(err error) bool {
	_, ok := errors.AsType[*atomicfile.NotRegularError](err)
	return ok || errors.Is(err, atomicfile.ErrNotMine)
}

// unusable is the error for a state file or directory at path that the system does not
// let us use. usual is the hint unless the cause has one of its own.
func unusable(path string, err error, usual string) error {
	e := &fault.Error{Kind: fault.Failed, Message: path, Err: fault.Cause(err), Hint: usual}
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		e.Hint = "move that file away, or keep state elsewhere with --state DIR"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = cmp.Or(notMine(path), usual)
	}
	return e
}

// create makes the state directory: private, and ignored by git without an entry in
// the project's own .gitignore.
func (s *Store) create() error {
	if err := atomicfile.Planted(s.dir); err != nil {
		return broken(s.dir, err.Error(), "remove the link, or keep state elsewhere with --state DIR")
	}
	_, before := os.Lstat(s.dir)
	if err := atomicfile.MkdirAll(s.dir); err != nil {
		if err := s.trust(); err != nil {
			return err // a file is in its place
		}
		if target, err := os.Readlink(s.dir); err == nil {
			return broken(s.dir, "is a link to "+target+", which does not exist", "make that directory, or remove the link")
		}
		return unusable(s.dir, err, "make its parent writable, or keep state elsewhere with --state DIR")
	}
	made := errors.Is(before, fs.ErrNotExist)
	if err := s.trust(); err != nil && !made { // a directory that was just made is judged below, with what is made in it
		return err
	}
	ignore := filepath.Join(s.dir, ".gitignore")
	const all = "*\n"
	b, err := atomicfile.ReadOwn(ignore, maxBytes)
	if string(b) == all || errors.Is(err, fs.ErrPermission) {
		return nil // if permissions are wrong, the error of the lock says more
	}
	if stranger := s.stranger(); stranger != "" {
		return broken(s.dir, "is not a state directory: it contains "+stranger+", which is not tokenform's", "keep tokens in their own directory, for example state: .tokenform")
	}
	// An empty file is what a full disk has left of a .gitignore.
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		if err := os.WriteFile(ignore, []byte(all), 0o600); err != nil {
			return unusable(s.dir, err, "free some space or make it writable, or keep state elsewhere with --state DIR")
		}
	} else if planted(err) {
		return unusable(ignore, err, "move it away: tokenform did not create it")
	}
	if made {
		return s.trust()
	}
	return nil
}

// SchemaFile is the file in a state directory that has the JSON Schema of profiles, for
// editors: the profiles of the project lead to it.
const SchemaFile = "schema"

// SaveSchema writes the JSON Schema of profiles into the directory, and makes the
// directory if need be.
func (s *Store) SaveSchema(text string) error {
	if err := s.create(); err != nil {
		return err
	}
	_, err := atomicfile.Write(filepath.Join(s.dir, SchemaFile), []byte(text), 0o600)
	return err
}

// stranger returns the name of a file in the state directory that is not tokenform's,
// or "". stranger ignores lost+found and names with a leading dot, which belong to file
// systems and file managers.
func (s *Store) stranger() string {
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries {
		name := e.Name()
		stem := strings.TrimSuffix(name, filepath.Ext(name))
		profile, _, _ := strings.Cut(stem, "@")
		ours := e.IsDir() && (name == string(Sandbox) || name == "lost+found") || name == SchemaFile
		b, err := atomicfile.ReadOwn(filepath.Join(s.dir, name), maxBytes)
		switch filepath.Ext(name) {
		case ".json":
			_, wrong := decode(name, profile, b)
			ours = err == nil && (wrong == nil || keeper.Sealed(b))
		case ".outputs", ".told", ".pending", ".aside":
			ours = err == nil && shape(b) == damaged // an object
		case ".jsonl":
			ours = err == nil && strings.HasPrefix(name, "log") // see Log
		case ".lock":
			ours = err == nil && (len(b) == 0 || b[0] == 0) // see sign
		}
		if !ours && !strings.HasPrefix(name, ".") {
			return name
		}
	}
	return ""
}

// Save makes t the profile's token. A nil error means that t is on disk, or in the store,
// and survives a power cut. Save sets t's version, profile, and serial. The error is an
// [*AsideError] if the store did not take t.
func (e *Entry) Save(t *Token) error {
	t.Version, t.Profile = Version, e.name
	t.Serial++
	slices.Sort(t.Scopes)
	if e.store.Shared() {
		return e.saveShared(t)
	}
	b, err := e.encode(context.WithoutCancel(e.ctx), t)
	if err != nil {
		return err
	}
	path := e.store.path(e.name)
	if reserved := e.reserved; reserved != nil {
		e.reserved = nil
		if reserved.Commit(b) == nil {
			return nil
		}
		// The reserved file has failed, but a new one may not.
	}
	if _, err := atomicfile.Write(path, b, 0o600); err != nil {
		return unusable(path, err, "")
	}
	return nil
}

// encode returns t as state has it: JSON, encrypted if the profile is.
func (e *Entry) encode(ctx context.Context, t *Token) ([]byte, error) {
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, err
	}
	return e.store.sealed(ctx, append(b, '\n'))
}

// reserveBytes is more than a state file ever takes: some tokens of some hundred bytes.
const reserveBytes = 16 << 10

// Reserve makes sure, as far as possible, that the next Save will succeed. Call Reserve
// before a grant that cannot be repeated. If the login is shared, Reserve makes room for
// keeping it aside.
func (e *Entry) Reserve() error {
	path := e.store.path(e.name)
	if e.store.Shared() {
		path = e.store.asidePath(e.name)
	}
	if e.reserved != nil {
		return nil
	}
	var err error
	if e.reserved, err = atomicfile.Reserve(path, reserveBytes, 0o600); err != nil {
		return unusable(path, err, "")
	}
	return nil
}

// Release gives back the room that Reserve made.
func (e *Entry) Release() {
	if e.reserved != nil {
		e.reserved.Discard()
		e.reserved = nil
	}
}

// Token reads the profile's token again, under the lock. nil means that there is none.
func (e *Entry) Token() (*Token, error) {
	if !e.store.Shared() {
		return e.store.Read(e.ctx, e.name)
	}
	t, item, err := e.store.readShared(e.ctx, e.name)
	e.revision = item.Revision
	if err != nil {
		return nil, err
	}
	return e.offer(t, item)
}

// TokenAs is Token, read with the keys of s, which has the same logins.
func (e *Entry) TokenAs(s *Store) (*Token, error) {
	if !e.store.Shared() {
		return s.Read(e.ctx, e.name)
	}
	t, item, err := s.readShared(e.ctx, e.name)
	e.revision = item.Revision
	return t, err
}

// Outputs reads the record of outputs, as [Store.Outputs] does. If an older tokenform
// has stored the record in the login's file, Outputs makes it a file of its own.
func (e *Entry) Outputs(project string, t *Token) (list []Written, strayed []string, err error) {
	list, strayed, err = e.store.Outputs(e.name, project, t)
	if err != nil || t == nil || len(t.inherited) == 0 {
		return list, strayed, err
	}
	if _, err := os.Lstat(e.store.outputsPath(e.name)); err == nil {
		return list, strayed, nil
	}
	return list, strayed, e.SaveOutputs(list, project)
}

// DeleteLogin removes the profile's token alone.
func (e *Entry) DeleteLogin() error {
	if e.store.Shared() {
		return e.deleteShared()
	}
	path := e.store.path(e.name)
	if err := atomicfile.Remove(path); err != nil {
		return unusable(path, err, "")
	}
	return nil
}

// Delete removes the profile's token and the record of its outputs.
func (e *Entry) Delete() error {
	if e.store.Shared() { // the store may refuse; a directory's login goes last, as its record needs it
		if err := e.deleteShared(); err != nil {
			return err
		}
	}
	for _, path := range []string{e.toldPath(), e.pendingPath(), e.store.asidePath(e.name), e.store.outputsPath(e.name), e.store.path(e.name)} {
		if err := atomicfile.Remove(path); err != nil {
			return unusable(path, err, "")
		}
	}
	return nil
}
