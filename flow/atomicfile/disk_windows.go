package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Errors of winerror.h that package syscall does not name.
const (
	errorSharingViolation = syscall.Errno(32)
	errorLockViolation    = syscall.Errno(33)
)

// rename waits up to a second for readers: Windows cannot replace a file that another
// process holds open, and virus scanners open files right after a write.
func rename(from, to string) error {
	var err error
	for nap := time.Millisecond; nap < time.Second; nap *= 2 {
		if err = os.Rename(from, to); !held(err) {
			return err
		}
		time.Sleep(nap)
	}
	return err
}

func held(err error) bool {
	return errors.Is(err, syscall.ERROR_ACCESS_DENIED) || errors.Is(err, errorSharingViolation) || errors.Is(err, errorLockViolation)
}

// syncDir does nothing: Windows cannot sync directories.
func syncDir(string) error { return nil }

// keepOwner does nothing: on Windows, access is inherited from the directory.
func keepOwner(*os.File, fs.FileInfo) (owner, group bool) { return true, true }

// canMove returns false: on Windows a file is staged beside its target.
func canMove(string, string) bool { return false }

const noFollow = 0 // Windows lets only privileged users make links

func mine(fs.FileInfo) bool { return true }

// privateLock returns "": on Windows a lock is on a file in the directory.
func privateLock(string) string { return "" }
