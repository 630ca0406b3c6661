package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"tokenform/config/paths"
)

// Lock waits until this process alone writes files in the directories of files (for a
// symbolic link, the directory of its target, as in [Write]), or until ctx ends. The
// lock works across processes that have nothing else in common, ends with the process
// even if that is killed, and is not reentrant.
//
// The lock is on the directory itself, which leaves no litter. If others can write in
// the directory, they could hold its lock forever, so the lock is on a file of this
// user's own. If a directory cannot be locked, the lock is on a file .tokenform.lock in
// it, which is never deleted: a process that waits on a deleted lock file and the
// process that makes the next one would both hold "the" lock. On Windows such a file
// exists while the lock is held, and the system deletes the file.
func Lock(ctx context.Context, files ...string) (unlock func(), err error) {
	dirs, err := directories(files)
	if err != nil {
		return nil, err
	}
	var held []locker
	unlock = func() {
		for _, lock := range held {
			_ = lock.Close() // Close releases the lock; so does the end of the process
		}
	}
	for _, dir := range dirs {
		lock, err := lockDir(ctx, dir)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, lock)
	}
	return unlock, nil
}

// directories returns the directories of files, each once whatever path leads to it, in
// the same order for every process: two processes that take the same locks in opposite
// order would wait for each other.
func directories(files []string) ([]string, error) {
	var dirs []string
	var known []fs.FileInfo
	for _, path := range files {
		target, err := paths.Target(path)
		if err != nil {
			return nil, err
		}
		dir := filepath.Dir(target)
		if len(files) > 1 {
			if dir, err = filepath.EvalSymlinks(dir); err != nil {
				return nil, err
			}
			info, err := os.Stat(dir)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(known, func(x fs.FileInfo) bool { return os.SameFile(x, info) }) {
				continue
			}
			known = append(known, info)
		}
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return dirs, nil
}

// locker is a lock that one process at a time can have. Close releases the lock.
type locker interface {
	TryLock() (bool, error)
	Close() error
}

func lockDir(ctx context.Context, dir string) (locker, error) {
	lock, fallen := lockerOf(dir)
	for {
		got, err := lock.TryLock()
		switch {
		case got:
			return lock, nil
		case err != nil && !fallen && unlockable(err):
			lock, fallen = flock.New(filepath.Join(dir, lockName)), true
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "lock", Path: dir, Err: bare(err)}
		}
		// A random delay keeps many waiting processes from trying at the same moment.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5*time.Millisecond + rand.N(15*time.Millisecond)):
		}
	}
}

// lockName is the name of the lock file of a directory that cannot be locked itself.
const lockName = ".tokenform.lock"

// unlockable reports whether err means that this directory can never be locked. A
// temporary error must not count: two processes that lock different files would both go
// ahead.
func unlockable(err error) bool {
	for _, errno := range []error{
		syscall.EBADF,  // NFS wants the file of a lock to be open for writing,
		syscall.EISDIR, // which a directory never is
		syscall.EINVAL, syscall.ENOSYS, syscall.ENOLCK,
		errors.ErrUnsupported,
		fs.ErrPermission, // the directory may be written, but not read
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// bare returns err without its path.
func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
