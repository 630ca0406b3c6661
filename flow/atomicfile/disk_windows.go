package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// Errors of winerror.h that package syscall does not name.
const (
	errorSharingViolation = syscall.Errno(32)
	errorLockViolation    = syscall.Errno(33)
)

// rename waits up to a second for readers: Windows replaces no file that
// another process holds open, and scanners do so right after a write.
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

// syncDir has nothing to do: Windows syncs no directories.
func syncDir(string) error { return nil }

// keepOwner has nothing to do: access is inherited from the directory.
func keepOwner(*os.File, fs.FileInfo) (owner, group bool) { return true, true }

// canMove is always false: on Windows a file is staged beside its target.
func canMove(string, string) bool { return false }

const noFollow = 0 // a link needs a privilege on Windows

func mine(fs.FileInfo) bool { return true }

// lockFile is a file that only one process can have open, and that is gone when it is
// closed, or when its process ends.
type lockFile struct {
	path   string
	handle windows.Handle
	denied int // how often in turn access has been denied
}

// lockerOf returns the lock of dir. It is never on the directory itself, which Windows
// cannot lock.
func lockerOf(dir string) (lock locker, fallen bool) {
	return &lockFile{path: filepath.Join(dir, lockName)}, true
}

// TryLock opens the file for this process alone: the share mode is zero.
func (l *lockFile) TryLock() (bool, error) {
	path, err := windows.UTF16PtrFromString(l.path)
	if err != nil {
		return false, err
	}
	const attributes = windows.FILE_ATTRIBUTE_HIDDEN | windows.FILE_ATTRIBUTE_TEMPORARY | windows.FILE_FLAG_DELETE_ON_CLOSE
	l.handle, err = windows.CreateFile(path, windows.GENERIC_WRITE|windows.DELETE, 0, nil, windows.OPEN_ALWAYS, attributes, 0)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errorSharingViolation):
		l.denied = 0
		return false, nil
	case errors.Is(err, syscall.ERROR_ACCESS_DENIED):
		// That is also the error while the file of another process goes away, which takes
		// less than a hundred tries.
		if l.denied++; l.denied < 100 {
			return false, nil
		}
	}
	return false, err
}

// Close releases the lock.
func (l *lockFile) Close() error { return windows.CloseHandle(l.handle) }

// Protect gives path, and what will be made in it, to this user, to the system and to
// administrators alone. A directory's files are made with the access that the directory
// hands down, and outside the user's folder that is mostly everybody's. Some file systems
// keep no access lists, so that Protect does what it can.
func Protect(path string) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return
	}
	// P keeps what the parent hands down out; OICI hands it on to files and directories; FA
	// is full access; SY and BA are the system and administrators (Security Descriptor
	// Definition Language).
	list := "D:P"
	for _, who := range []string{user.User.Sid.String(), "SY", "BA"} {
		list += "(A;OICI;FA;;;" + who + ")"
	}
	descriptor, err := windows.SecurityDescriptorFromString(list)
	if err != nil {
		return
	}
	if access, _, err := descriptor.DACL(); err == nil {
		_ = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, access, nil)
	}
}

// protectLike gives path the access list of old.
func protectLike(path, old string) {
	descriptor, err := windows.GetNamedSecurityInfo(old, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return
	}
	control, _, err := descriptor.Control()
	if err != nil {
		return
	}
	var parent windows.SECURITY_INFORMATION = windows.UNPROTECTED_DACL_SECURITY_INFORMATION
	if control&windows.SE_DACL_PROTECTED != 0 {
		parent = windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	if access, _, err := descriptor.DACL(); err == nil {
		_ = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|parent, nil, nil, access, nil)
	}
}
