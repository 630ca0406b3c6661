package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
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

// Planted finds nothing: Windows has no directory such as /tmp.
func Planted(string) error { return nil }

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

// MkdirAll makes the directory dir and those above it, each for this user alone.
func MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if above := filepath.Dir(dir); above != dir {
		if err := MkdirAll(above); err != nil {
			return err
		}
	}
	path, err := windows.UTF16PtrFromString(dir)
	if err == nil {
		err = windows.CreateDirectory(path, attributes(private()))
	}
	if info, missing := os.Stat(dir); err != nil && (missing != nil || !info.IsDir()) {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

// create makes the file path, with the access list of the file replaces, or if that is
// empty, for this user alone.
func create(path, replaces string) (*os.File, error) {
	access := private()
	if replaces != "" {
		access, _ = windows.GetNamedSecurityInfo(replaces, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE
	handle, err := windows.CreateFile(name, windows.GENERIC_WRITE, share, attributes(access), windows.CREATE_NEW, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(handle), path), nil
}

// attributes are those of a file with an access list. nil means the list that the directory
// hands down.
func attributes(access *windows.SECURITY_DESCRIPTOR) *windows.SecurityAttributes {
	if access == nil {
		return nil
	}
	return &windows.SecurityAttributes{Length: uint32(unsafe.Sizeof(windows.SecurityAttributes{})), SecurityDescriptor: access}
}

// private returns the access list for this user, the system and administrators alone, or nil
// if it is not known who this user is. What a directory outside the user's folder hands down
// is mostly for everybody. File systems without access lists take no notice.
func private() *windows.SECURITY_DESCRIPTOR {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil
	}
	// P keeps out what the parent hands down; OICI hands the rights on to files and
	// directories; FA is full access; SY and BA are the system and administrators (Security
	// Descriptor Definition Language).
	list := "D:P"
	for _, who := range []string{user.User.Sid.String(), "SY", "BA"} {
		list += "(A;OICI;FA;;;" + who + ")"
	}
	access, err := windows.SecurityDescriptorFromString(list)
	if err != nil {
		return nil
	}
	return access
}
