package output

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"tokenform/flow"
	"tokenform/output/atomicfile"
)

// lockTimeout bounds the wait for others that write in the same directory. They
// hold its lock for milliseconds, but flock(1) may hold it for ever.
const lockTimeout = 30 * time.Second

// place is a file: where it is, and what people call it.
type place struct{ path, shown string }

// file is what stands at a place; a nil one is nothing yet.
type file struct {
	data []byte
	mode fs.FileMode
}

// look reads what stands at a place and makes a plan for it.
func look(at place, plan func(*file) (edit, error)) (edit, *file, error) {
	var old *file
	data, mode, err := atomicfile.Read(at.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
	case err != nil:
		return edit{}, nil, at.wrap(err)
	default:
		old = &file{data, mode}
	}
	e, err := plan(old)
	if err != nil {
		return edit{}, nil, at.wrap(err)
	}
	if e.change.Action == flow.Create {
		if dir, err := os.Stat(filepath.Dir(at.path)); err != nil || !dir.IsDir() {
			return edit{}, nil, at.homeless()
		}
	}
	e.change.Shown = at.shown
	return e, old, nil
}

// patience is how often a plan is made again because another program, which
// knows nothing of locks, changes the file.
const patience = 20

// put does what plan says to the file at a place, and returns what it did. Where
// nothing is to change nothing is locked or touched; else the plan is made
// again under the lock, because other profiles and processes may share the file,
// and as often as the file turns out to be another one than it was made for.
func (f *Files) put(ctx context.Context, profile string, at place, plan func(*file) (edit, error)) (made []flow.Change, err error) {
	e, old, err := look(at, plan)
	if err == nil && e.change.Action != flow.KeepOutput {
		waiting, cancel := context.WithTimeout(ctx, lockTimeout)
		defer cancel()
		unlock, lerr := atomicfile.Lock(waiting, at.path)
		if errors.Is(lerr, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil, &flow.Error{Kind: flow.Temporary, Message: at.shown + ": another process has its directory locked", Hint: "wait for it to end and try again"}
		}
		if lerr != nil {
			return nil, at.wrap(lerr)
		}
		defer unlock()
		for range patience {
			e, old, err = look(at, plan)
			if err != nil || e.change.Action == flow.KeepOutput {
				break
			}
			if err = f.replace(profile, at, old, e); !errors.Is(err, atomicfile.ErrChanged) {
				break
			}
			time.Sleep(rand.N(5 * time.Millisecond)) // let it end, and do not keep step with it
		}
	}
	if err != nil {
		return nil, err
	}
	if e.change.Action != flow.KeepOutput {
		made = append(made, e.change)
		if old != nil && e.private && old.mode&0o044 != 0 && runtime.GOOS != "windows" {
			f.Warn(profile, at.shown+" holds a secret that other users can read", "chmod 600 "+shellQuote(at.path))
		}
	}
	if e.left != "" {
		f.Warn(profile, at.shown+" was changed since tokenform wrote it: left "+e.left+" there", "delete it by hand if nobody needs it")
	}
	return made, nil
}

// replace writes or deletes the file that e was made for.
func (f *Files) replace(profile string, at place, old *file, e edit) error {
	if e.change.Action == flow.DeleteOutput && len(e.content) == 0 {
		if atomicfile.Remove(at.path) == nil {
			return nil
		}
		// A mount point, or a directory that is not ours to change: emptying it takes
		// the secret away as well.
	}
	var data []byte
	if old != nil {
		data = old.data
	}
	inPlace, err := atomicfile.Update(at.path, data, e.content, 0o600)
	if err == nil && inPlace {
		f.Warn(profile, at.shown+" cannot be replaced and was rewritten in place: a crash in that moment would have damaged it",
			"mount its directory instead of the single file, or make the directory writable")
	}
	if err != nil {
		return at.wrap(err)
	}
	return nil
}

// occupied reports whether err says that something that is no file stands at
// the path.
func occupied(err error) bool {
	_, ok := errors.AsType[*atomicfile.NotRegularError](err)
	return ok
}

// wrap puts an error in terms of the place, with the cure where one is known.
func (at place) wrap(err error) error {
	e := &flow.Error{Message: at.shown, Err: cause(err)}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, atomicfile.ErrChanged):
		e.Kind, e.Hint = flow.Temporary, "wait for it to end and try again"
	case flow.KindOf(err) != flow.Failed:
		return err // a value of the profile, which has its own place
	case errors.Is(err, fs.ErrNotExist):
		return at.homeless()
	case occupied(err):
		e.Hint = "name another path in the profile, or move away what is there"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "make the file and its directory readable and writable for this user"
	case errors.Is(err, syscall.EROFS):
		e.Hint = "mount it writable, or name another path in the profile"
	case errors.Is(err, syscall.ENOSPC):
		e.Hint = "make room on the disk and try again"
	}
	return e
}

// homeless is the error for a file whose directory is not there. It is not made:
// a typing mistake in a path must not leave a token in a new place.
func (at place) homeless() error {
	dir := filepath.Dir(at.path)
	if target, err := os.Readlink(at.path); err == nil {
		if dir = filepath.Dir(target); !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(at.path), dir)
		}
	}
	return &flow.Error{Message: at.shown + ": its directory does not exist", Hint: "mkdir -p " + shellQuote(dir)}
}

// cause is err without the path that the message already has.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
