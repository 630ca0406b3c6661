package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"tokenform/config/paths"
)

// ErrChanged says that a file is no longer what it was when it was read.
var ErrChanged = errors.New("another program is changing it")

// Staged is new content for a file, safe on the disk: [Stage] makes it, and exactly one of
// Commit and Discard ends it.
type Staged struct {
	path      string
	data      []byte
	exists    bool         // there is a file already
	still     func() error // whether it may still be replaced
	staged    *Pending     // nil means the file can only be rewritten in place
	ofAnother bool         // that is so because the file belongs to another user
}

// Stage prepares the replacement of path by data, which was made from old: what
// [Read] of path has returned; nil means that there was nothing. A full disk, a directory that
// cannot be written, and the like fail here, before anything has changed.
//
// The new content waits in the directory room, if that is of the same file system: what a
// killed process leaves there is seen by nobody else, and git ignores it. The rest is as
// for [Write].
func Stage(path, room string, old, data []byte, mode fs.FileMode) (*Staged, error) {
	return stage(path, room, data, mode, func() error {
		now, _, err := Read(path, int64(len(old)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			now = nil
		case errors.Is(err, ErrTooLarge):
			return ErrChanged
		case err != nil:
			return err
		}
		if (now == nil) != (old == nil) || !bytes.Equal(now, old) {
			return ErrChanged
		}
		return nil
	})
}

func stage(path, room string, data []byte, mode fs.FileMode, still func() error) (*Staged, error) {
	p, target, exists, err := begin(path, room, mode)
	s := &Staged{path: path, data: data, exists: exists, still: still}
	if err == nil && p.taken {
		// A file is not taken from its owner if it can be rewritten.
		if f, err := os.OpenFile(target, os.O_WRONLY, 0); err == nil {
			p.Discard()
			s.ofAnother = true
			return s, f.Close()
		}
	}
	if err == nil {
		err = p.fill(data)
	}
	if err == nil {
		s.staged = p
		return s, nil
	}
	if !exists || !onlyInPlace(err) {
		return nil, err
	}
	f, err := os.OpenFile(target, os.O_WRONLY, 0) // may it at least be rewritten?
	if err != nil {
		return nil, err
	}
	return s, f.Close()
}

// Commit puts the content in place; [Settle] makes that last. Where a [Stage]d
// path no longer holds what the replacement was made from, the file stays as it is,
// and the error is [ErrChanged]. inPlace is as for [Write].
//
// So a program that does not know of [Lock] can lose only what it writes between
// that look and the rename: in some microseconds, while a sync of the disk takes
// milliseconds. Contents are compared, not times: those of two writes
// within one tick of the clock are the same.
func (s *Staged) Commit() (inPlace bool, err error) {
	if s.staged != nil {
		err := s.staged.place(s.still)
		if errors.Is(err, syscall.EXDEV) && s.staged.f.Name() != temporary(s.staged.target) { // another mount of the same file system
			return s.restage()
		}
		if !s.exists || !onlyInPlace(err) {
			return false, err
		}
	}
	if err := s.still(); err != nil {
		return false, err
	}
	target, err := paths.Target(s.path)
	if err != nil {
		return false, err
	}
	return true, overwrite(target, s.data)
}

// restage stages the content beside the file, and commits it.
func (s *Staged) restage() (inPlace bool, err error) {
	again, err := stage(s.path, "", s.data, 0o600, s.still)
	if err != nil {
		return false, err
	}
	return again.Commit()
}

// OfAnother reports whether the file belongs to another user, and is rewritten in place to
// stay so.
func (s *Staged) OfAnother() bool { return s.ofAnother }

// Taken reports whether the file will belong to this user, and belongs to another one now.
func (s *Staged) Taken() bool { return s.staged != nil && s.staged.taken }

// Discard leaves the file as it is.
func (s *Staged) Discard() {
	if s.staged != nil {
		s.staged.Discard()
	}
}
