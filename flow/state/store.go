package state

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
)

// maxBytes bounds a state file: a real one is some KiB.
const maxBytes = 1 << 20

// Store is a state directory. It comes into being with the first lock.
type Store struct {
	dir    string
	suffix string // of the realm, behind a profile's name
}

// Dir is the state directory's path.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(name string) string { return filepath.Join(s.dir, name+s.suffix+".json") }

// Littered reports whether a killed process has left something that the next
// Lock would clean up, or another one is saving right now.
func (s *Store) Littered(name string) bool { return atomicfile.Littered(s.path(name)) }

// Read returns the profile's token without the lock: a whole one, as the last
// Save left it, that may be replaced at any time. It is nil if there is
// none.
func (s *Store) Read(name string) (*Token, error) {
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
	return decode(path, name, b)
}

// Names are the profiles that have a token here, sorted.
func (s *Store) Names() []string {
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

// planted reports whether err says that what stands at a path is no file of ours.
func planted(err error) bool {
	_, ok := errors.AsType[*atomicfile.NotRegularError](err)
	return ok || errors.Is(err, atomicfile.ErrNotMine)
}

// unusable is the error for a state file or directory at path with which the system
// does not let us do something. Mostly the usual helps.
func unusable(path string, err error, usual string) error {
	e := &fault.Error{Kind: fault.Failed, Message: path, Err: fault.Cause(err), Hint: usual}
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		e.Hint = "move away the file that stands where a directory should, or put state elsewhere with --state DIR"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = cmp.Or(notMine(path), usual)
	}
	return e
}

// create makes the state directory: private, and ignored by git without an entry in
// the project's own .gitignore.
func (s *Store) create() error {
	_, before := os.Lstat(s.dir)
	if err := atomicfile.MkdirAll(s.dir); err != nil {
		if err := s.trust(); err != nil {
			return err // a file is in its place
		}
		if target, err := os.Readlink(s.dir); err == nil {
			return broken(s.dir, "is a link to "+target+", which does not exist", "make that directory, or remove the link")
		}
		return unusable(s.dir, err, "make its parent writable, or put state elsewhere with --state DIR")
	}
	made := errors.Is(before, fs.ErrNotExist)
	if err := s.trust(); err != nil && !made { // else it is judged by what is made in it
		return err
	}
	ignore := filepath.Join(s.dir, ".gitignore")
	const all = "*\n"
	b, err := atomicfile.ReadOwn(ignore, maxBytes)
	if string(b) == all || errors.Is(err, fs.ErrPermission) {
		return nil // if permissions are wrong, the lock says more
	}
	if stranger := s.stranger(); stranger != "" {
		return broken(s.dir, "is no state directory: "+stranger+" in it is not tokenform's", "give the tokens a directory of their own, for example state: .tokenform")
	}
	// An empty one is what a full disk has left of it.
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		if err := os.WriteFile(ignore, []byte(all), 0o600); err != nil {
			return unusable(s.dir, err, "make room or make it writable, or put state elsewhere with --state DIR")
		}
	} else if planted(err) {
		return unusable(ignore, err, "move it away: somebody else has put it there")
	}
	if made {
		return s.trust()
	}
	return nil
}

// stranger returns the name of a file in the state directory that is not
// tokenform's, or "". What a file manager or a file system keeps for itself is
// lost+found or has a dot before its name, and disturbs nobody.
func (s *Store) stranger() string {
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries {
		name := e.Name()
		stem := strings.TrimSuffix(name, filepath.Ext(name))
		profile, _, _ := strings.Cut(stem, "@")
		ours := e.IsDir() && (name == string(Sandbox) || name == "lost+found")
		b, err := atomicfile.ReadOwn(filepath.Join(s.dir, name), maxBytes)
		switch filepath.Ext(name) {
		case ".json":
			_, wrong := decode(name, profile, b)
			ours = err == nil && wrong == nil
		case ".outputs", ".told":
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

// Save makes t the profile's token. A nil error means that it is on disk and
// survives a power cut. Save sets t's version, profile, and serial.
func (e *Entry) Save(t *Token) error {
	t.Version, t.Profile = Version, e.name
	t.Serial++
	slices.Sort(t.Scopes)
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	path := e.store.path(e.name)
	if reserved := e.reserved; reserved != nil {
		e.reserved = nil
		if reserved.Commit(b) == nil {
			return nil
		}
		// What went wrong there may not go wrong with a file made anew.
	}
	if _, err := atomicfile.Write(path, b, 0o600); err != nil {
		return unusable(path, err, "")
	}
	return nil
}

// reserveBytes is more than a state file ever takes: some tokens of some hundred bytes.
const reserveBytes = 16 << 10

// Reserve makes sure, as far as that can be done, that the next Save will
// succeed. It is called before a grant that cannot be repeated.
func (e *Entry) Reserve() error {
	if e.reserved != nil {
		return nil
	}
	var err error
	path := e.store.path(e.name)
	if e.reserved, err = atomicfile.Reserve(path, reserveBytes, 0o600); err != nil {
		return unusable(path, err, "")
	}
	return nil
}

// Release gives back what Reserve has reserved.
func (e *Entry) Release() {
	if e.reserved != nil {
		e.reserved.Discard()
		e.reserved = nil
	}
}

// Token reads the profile's token anew, under the lock. It is nil if there
// is none.
func (e *Entry) Token() (*Token, error) { return e.store.Read(e.name) }

// Outputs reads the record of outputs, as [Store.Outputs] does. A record that the
// login's file of an older tokenform holds becomes a file of its own.
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

// Delete removes the profile's token and the record of its outputs.
func (e *Entry) Delete() error {
	for _, path := range []string{e.toldPath(), e.store.outputsPath(e.name), e.store.path(e.name)} {
		if err := atomicfile.Remove(path); err != nil {
			return unusable(path, err, "")
		}
	}
	return nil
}
