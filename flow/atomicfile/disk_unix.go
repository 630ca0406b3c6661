//go:build !windows

package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes a rename or a removal in dir survive a power cut: an fsync of the file
// alone does not cover its directory entry (fsync(2)).
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		// A directory that may be written but not read cannot be synced at all, and
		// the content is in place.
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EROFS) {
		// File systems that cannot sync a directory (SMB, some of FUSE), and file
		// systems in which no entry can have changed: the file that was written is a
		// mount of its own.
		return nil
	}
	return err
}

// MkdirAll makes the directory dir and those above it, each for this user alone.
func MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// create makes the file path, which nobody else may read yet. O_EXCL follows no link that
// somebody may have planted.
func create(path, _ string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// keepOwner gives f the owner and the group of old as far as this user may, and reports
// which of the two f now has.
func keepOwner(f *os.File, old fs.FileInfo) (owner, group bool) {
	want, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return true, true
	}
	info, err := f.Stat()
	if err != nil {
		return false, false
	}
	have, ok := info.Sys().(*syscall.Stat_t)
	if !ok || have.Uid == want.Uid && have.Gid == want.Gid || f.Chown(int(want.Uid), int(want.Gid)) == nil {
		return true, true
	}
	return have.Uid == want.Uid, have.Gid == want.Gid || f.Chown(-1, int(want.Gid)) == nil
}

// canMove reports whether a file of the directory from can be renamed into the
// directory to, as far as that is known: both are on one file system, and to can be
// written. Two mounts of one file system look the same.
func canMove(from, to string) bool {
	x, err := os.Stat(from)
	if err != nil || !x.IsDir() {
		return false
	}
	y, err := os.Stat(to)
	if err != nil {
		return false
	}
	first, ok := x.Sys().(*syscall.Stat_t)
	second, also := y.Sys().(*syscall.Stat_t)
	const writeAndSearch = 3
	return ok && also && first.Dev == second.Dev && syscall.Access(to, writeAndSearch) == nil
}

// noFollow makes an open fail if a link stands at the path.
const noFollow = syscall.O_NOFOLLOW

// mine reports whether a file belongs to this user, or to root.
func mine(info fs.FileInfo) bool {
	sys, ok := info.Sys().(*syscall.Stat_t)
	return !ok || sys.Uid == 0 || int(sys.Uid) == os.Geteuid()
}

// Planted returns a [PlantedError] if path, which need not exist, leads through a link that
// somebody has planted. Linux does not follow such a link (fs.protected_symlinks in
// proc(5)), but cannot protect a program that resolves links itself. As in Linux, a link
// may belong to this user, or to the owner of its directory. It may also be root's.
func Planted(path string) error {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil // using the path reports the error
	}
	const root = string(filepath.Separator)
	at, names := root, strings.Split(full, root) // at has no links
	for links := 0; len(names) > 0; {
		name := names[0]
		names = names[1:]
		if name == "" || name == "." {
			continue
		}
		next := filepath.Join(at, name) // Join also takes ".." back
		info, err := os.Lstat(next)
		if err != nil {
			return nil // nothing is there yet, or using the path reports the error
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if !mine(info) && ofEverybody(at, info) {
			return &PlantedError{full, next}
		}
		to, err := os.Readlink(next)
		if links++; err != nil || links > 40 { // as many as Linux follows
			return nil
		}
		if filepath.IsAbs(to) {
			at = root
		}
		names = append(strings.Split(to, root), names...)
	}
	return nil
}

// ofEverybody reports whether everybody can put files into dir, but only remove their own.
// If the owner of dir is the owner of the link, ofEverybody reports false.
func ofEverybody(dir string, link fs.FileInfo) bool {
	info, err := os.Lstat(dir)
	if err != nil || info.Mode()&fs.ModeSticky == 0 || info.Mode().Perm()&0o002 == 0 {
		return false
	}
	above, ok := info.Sys().(*syscall.Stat_t)
	beneath, also := link.Sys().(*syscall.Stat_t)
	return !ok || !also || above.Uid != beneath.Uid
}

// lockerOf returns the lock of dir. fallen reports whether the lock is already another one
// than that of the directory itself.
func lockerOf(dir string) (lock locker, fallen bool) {
	if file := privateLock(dir); file != "" {
		return flock.New(file, flock.SetPermissions(0o600)), true
	}
	return flock.New(dir, flock.SetFlag(os.O_RDONLY)), false
}

// privateLock returns a file of this user's own, to be locked in place of dir, if
// others can write in dir. privateLock returns "" if nobody else can, or if there is no
// place for the file.
func privateLock(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode().Perm()&0o022 == 0 && (int(sys.Uid) == os.Geteuid() || os.Geteuid() == 0) {
		return ""
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	locks := filepath.Join(cache, "tokenform", "locks")
	if err := os.MkdirAll(locks, 0o700); err != nil {
		return ""
	}
	return filepath.Join(locks, fmt.Sprintf("%x-%x", sys.Dev, sys.Ino))
}
