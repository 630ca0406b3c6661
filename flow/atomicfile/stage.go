package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"tokenform/config/paths"
)

// ErrChanged says that a file has changed since it was read.
var ErrChanged = errors.New("another program is changing it")

// Staged is new content for a file, already on the disk: [Stage] makes it, and the
// caller must call exactly one of Commit and Discard.
type Staged struct {
	path      string
	data      []byte
	exists    bool         // the file exists already
	still     func() error // returns an error if the file must no longer be replaced
	staged    *Pending     // nil means the file can only be rewritten in place
	ofAnother bool         // the file is rewritten in place because it belongs to another user
}

// Stage prepares the replacement of path by data. data was made from old, which [Read]
// of path has returned; a nil old means that there was no file. A full disk, a
// directory that cannot be written, and the like fail here, before anything has
// changed.
//
// The new content waits in the directory room, if that is on the same file system:
// there, nobody else sees what a killed process has left, and git ignores it. The rest
// is as for [Write].
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
		// A file that can be rewritten stays with its owner.
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
	f, err := os.OpenFile(target, os.O_WRONLY, 0) // can the file at least be rewritten?
	if err != nil {
		return nil, err
	}
	return s, f.Close()
}

// Commit puts the content in place; [Settle] makes that survive a power cut. If the
// path no longer holds the content from which the replacement was made, the file stays
// as it is, and the error is [ErrChanged]. inPlace is as for [Write].
//
// So a program that does not know of [Lock] can lose only what it writes in the few
// microseconds between this check and the rename, while a sync of the disk takes
// milliseconds. Commit compares contents, not times: two writes within one tick of the
// clock have the same time.
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

// OfAnother reports whether the file belongs to another user and is rewritten in place,
// so that it still does.
func (s *Staged) OfAnother() bool { return s.ofAnother }

// Taken reports whether the file belongs to another user now and will belong to this
// one.
func (s *Staged) Taken() bool { return s.staged != nil && s.staged.taken }

// Discard leaves the file as it is.
func (s *Staged) Discard() {
	if s.staged != nil {
		s.staged.Discard()
	}
}
