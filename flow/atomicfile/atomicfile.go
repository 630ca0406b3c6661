// Package atomicfile is the only way to replace a file: at every moment the path holds
// all of the old content or all of the new, and after [Write] has returned no error,
// the new content survives a power cut. A file that cannot be replaced, such as a mount
// point, is rewritten in place; only that write is not atomic.
//
// The temporary file has one name per target, so that the next write recognizes and
// removes what a killed process has left. Therefore only one process may write a target
// at a time: callers must hold a lock, that of [Lock] if they have no other.
package atomicfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"tokenform/config/paths"
)

// Write replaces path by data. A new file gets mode; an existing one keeps its
// own mode and, if this user may set it, its owner. A symbolic link is followed
// and stays. The error is a [NotRegularError] if path is not a regular file.
//
// inPlace says that the file could not be replaced (it is a mount point, or its
// directory cannot be written) and has been overwritten instead: durably, but
// not atomically.
func Write(path string, data []byte, mode fs.FileMode) (inPlace bool, err error) {
	s, err := stage(path, "", data, mode, func() error { return nil })
	if err != nil {
		return false, err
	}
	if inPlace, err = s.Commit(); err != nil || inPlace {
		return inPlace, err
	}
	return false, Settle(path)
}

// Settle makes what [Staged.Commit] has put at files survive a power cut: Settle syncs
// the directories. That needs no lock, and each directory is synced once for all its
// files.
func Settle(files ...string) error {
	synced := map[string]bool{}
	for _, path := range files {
		target, err := paths.Target(path)
		if err != nil {
			return err
		}
		dir := filepath.Dir(target)
		if synced[dir] {
			continue
		}
		if err := syncDir(dir); err != nil {
			return err
		}
		synced[dir] = true
	}
	return nil
}

// Remove deletes the file that [Write] to path would replace, and what a killed Write
// has left of it. A missing file is no error. A symbolic link stays, because Write did
// not make the link.
func Remove(path string) error {
	if _, err := stat(path); err != nil {
		return err
	}
	if err := Planted(path); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	target, err := paths.Target(path)
	if err != nil {
		return err
	}
	// The temporary file may hold the same secrets.
	swept, err := unlink(temporary(target))
	if err != nil {
		return err
	}
	removed, err := unlink(target)
	if err != nil || !swept && !removed {
		return err
	}
	return syncDir(filepath.Dir(target))
}

// Littered reports whether there is a temporary file for path: another process is
// writing, or was killed while it wrote.
func Littered(path string) bool {
	target, err := paths.Target(path)
	if err != nil {
		return false
	}
	_, err = os.Lstat(temporary(target))
	return err == nil
}

// Rescue completes a [Write] to path, or a [Pending.Commit], that was killed: if whole
// accepts the content of the temporary file, the content becomes the file's, durably.
// Else Rescue deletes the temporary file. Like Write, Rescue must be called under the
// lock.
func Rescue(path string, whole func([]byte) bool) {
	target, err := paths.Target(path)
	if err != nil {
		return
	}
	tmp := temporary(target)
	info, err := os.Lstat(tmp)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil && info.Mode().IsRegular() { // a link may have been planted by somebody else
		data, err := os.ReadFile(tmp)
		// The zeros with which Reserve made room may still follow the content.
		if data = bytes.TrimRight(data, "\x00"); err == nil && whole(data) {
			if f, err := os.OpenFile(tmp, os.O_WRONLY, 0); err == nil {
				_ = (&Pending{target: target, f: f}).Commit(data)
				return
			}
		}
	}
	_, _ = unlink(tmp) // if this fails, the next Write tries again and returns the error
}

// ErrTooLarge says that a file is larger than it may be.
var ErrTooLarge = errors.New("too large")

// Read returns the content and the permissions of the file that [Write] to path would
// replace. If the file has more than most bytes, the error is [ErrTooLarge]. Read never
// waits for the other end of a pipe.
func Read(path string, most int64) ([]byte, fs.FileMode, error) {
	info, err := stat(path)
	if err != nil {
		return nil, 0, err
	}
	return content(path, info, most, 0)
}

// ReadOwn is [Read] for a file in a directory of our own: ReadOwn follows no link, and
// refuses a file that belongs to another user, unless that is root. Somebody else may
// have put either there.
func ReadOwn(path string, most int64) ([]byte, error) {
	info, err := own(path)
	if err != nil {
		return nil, err
	}
	b, _, err := content(path, info, most, noFollow)
	return b, err
}

// Own refuses a path that [ReadOwn] refuses. A missing file is fine.
func Own(path string) error {
	if _, err := own(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func own(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "open", Path: path, Err: &NotRegularError{info.Mode()}}
	case !mine(info):
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotMine}
	}
	return info, nil
}

// OfAnother reports whether the file that path leads to belongs to neither this user
// nor root. For root, OfAnother reports false for every file.
func OfAnother(path string) bool {
	info, err := os.Stat(path)
	return err == nil && os.Geteuid() != 0 && !mine(info)
}

// PlantedError says that a path leads through a link that another user has put into a
// directory in which everybody can put files, such as /tmp.
type PlantedError struct{ Path, Link string }

func (e *PlantedError) Error() string {
	if e.Link == e.Path {
		return "is a link that another user has put into a directory of everybody"
	}
	return "leads through " + e.Link + ", a link that another user has put into a directory of everybody"
}

// ErrNotMine says that a file belongs to another user.
var ErrNotMine = errors.New("belongs to another user")

func content(path string, info fs.FileInfo, most int64, flags int) ([]byte, fs.FileMode, error) {
	if info == nil {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	// O_NONBLOCK: the open does not wait, even if a pipe has replaced the file since
	// the check. And the file is not first registered with the poller, which takes more
	// calls than all the rest.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	b := make([]byte, 0, min(info.Size(), most)+1) // with room for the read that finds the end
	for {
		n, err := f.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > most:
			return nil, 0, &fs.PathError{Op: "read", Path: path, Err: ErrTooLarge}
		case err == io.EOF:
			return b, info.Mode().Perm(), nil
		case err != nil:
			return nil, 0, err
		case len(b) == cap(b): // the file has grown
			b = slices.Grow(b, len(b))
		}
	}
}

// NotRegularError is the cause of the [fs.PathError] for a path that holds no regular
// file, and so no content to replace.
type NotRegularError struct{ Mode fs.FileMode }

func (e *NotRegularError) Error() string {
	switch {
	case e.Mode.IsDir():
		return "is a directory"
	case e.Mode&fs.ModeSymlink != 0:
		return "is a link"
	case e.Mode&fs.ModeNamedPipe != 0:
		return "is a named pipe"
	case e.Mode&fs.ModeSocket != 0:
		return "is a socket"
	case e.Mode&fs.ModeDevice != 0:
		return "is a device"
	default:
		return "is not a regular file"
	}
}

// stat returns the info of the file that path leads to, following links, or nil if
// there is no file yet.
func stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "write", Path: path, Err: &NotRegularError{info.Mode()}}
	}
	return info, nil
}

// Sweep removes what a killed process has staged for path, in room or beside path. The
// caller must hold the lock of path. [Stage] sweeps by itself: Sweep is for a path that
// is no longer written.
func Sweep(ctx context.Context, path, room string) {
	target, err := paths.Target(path)
	if err != nil {
		return
	}
	for _, tmp := range []string{temporary(target), stagingIn(room, target)} {
		if _, err := os.Lstat(tmp); err != nil {
			continue
		}
		if unlock, err := Lock(ctx, path); err == nil {
			_, _ = unlink(tmp)
			unlock()
		}
	}
}

// temporary returns the path at which the new content of target is written.
func temporary(target string) string {
	dir, name := filepath.Split(target)
	return dir + "." + name + ".tokenform-tmp"
}

// stagingIn returns the path in the directory room at which the new content of target
// is written. Each target has a path of its own.
func stagingIn(room, target string) string {
	sum := sha256.Sum256([]byte(target))
	return filepath.Join(room, "."+hex.EncodeToString(sum[:8])+".tokenform-tmp")
}

// Pending is the temporary file of a target: [Reserve] makes it, and the caller must
// call exactly one of Commit and Discard.
type Pending struct {
	target string
	f      *os.File
	taken  bool // the target belongs to another user, and the new file will belong to this one
}

// Reserve makes room for size bytes of new content for path. So a full disk, a quota or
// a directory that cannot be written shows before the caller does something that cannot
// be repeated. The rest is as for [Write].
func Reserve(path string, size int, mode fs.FileMode) (*Pending, error) {
	p, _, _, err := begin(path, "", mode)
	if err != nil {
		return nil, err
	}
	if _, err := p.f.Write(make([]byte, size)); err != nil {
		p.Discard()
		return nil, err
	}
	return p, nil
}

// begin makes the temporary file for the target of path: in room if the target can be
// replaced from there, else beside the target. exists reports whether the target exists
// already, even if begin returns an error.
func begin(path, room string, mode fs.FileMode) (p *Pending, target string, exists bool, err error) {
	old, err := stat(path)
	if err != nil {
		return nil, "", false, err
	}
	if err := Planted(path); err != nil {
		return nil, "", false, &fs.PathError{Op: "write", Path: path, Err: err}
	}
	if target, err = paths.Target(path); err != nil {
		return nil, "", false, err
	}
	if old != nil {
		mode = old.Mode().Perm()
	}
	if room != "" && canMove(room, filepath.Dir(target)) {
		if p, err = open(stagingIn(room, target), target, mode, old); err == nil {
			return p, target, old != nil, nil
		}
	}
	p, err = open(temporary(target), target, mode, old)
	return p, target, old != nil, err
}

// open makes tmp the temporary file of target, with target's final owner and mode.
func open(tmp, target string, mode fs.FileMode, old fs.FileInfo) (*Pending, error) {
	replaces := ""
	if old != nil {
		replaces = target
	}
	f, err := create(tmp, replaces)
	if errors.Is(err, fs.ErrExist) { // of a killed process
		if _, err := unlink(tmp); err != nil {
			return nil, fmt.Errorf("%s is in the way: %w", tmp, cause(err))
		}
		f, err = create(tmp, replaces)
	}
	if err != nil {
		return nil, err
	}
	p := &Pending{target: target, f: f}
	if old != nil {
		owner, group := keepOwner(f, old)
		p.taken = !owner
		if !group {
			// The new group may do what the old group was allowed to do, if everybody
			// may do that.
			mode = mode&^0o070 | mode&(mode<<3)&0o070
		}
	}
	// The file has 0600 already, unless the umask is odd.
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != mode {
		// Some file systems keep no permissions, and refuse to change them.
		if err := f.Chmod(mode); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
			p.Discard()
			return nil, err
		}
	}
	return p, nil
}

// Commit makes data the content of the target, durably. Between its first and its last
// step, Commit waits for nothing but the disk.
func (p *Pending) Commit(data []byte) error {
	if err := p.fill(data); err != nil {
		return err
	}
	if err := p.place(func() error { return nil }); err != nil {
		return err
	}
	return syncDir(filepath.Dir(p.target))
}

// fill makes data the content of the temporary file, durably. If fill fails, it removes
// the temporary file.
func (p *Pending) fill(data []byte) (err error) {
	defer func() {
		if err != nil {
			p.Discard()
		}
	}()
	if _, err := p.f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := p.f.Truncate(int64(len(data))); err != nil {
		return err
	}
	if err := p.f.Sync(); err != nil {
		return err
	}
	return p.f.Close()
}

// place makes the temporary file the target, unless still, called as late as possible,
// returns an error. If place fails, it removes the temporary file. The rename is not
// durable yet.
func (p *Pending) place(still func() error) (err error) {
	if err = still(); err == nil {
		err = rename(p.f.Name(), p.target)
	}
	if err != nil {
		p.Discard()
	}
	return err
}

// Discard removes the temporary file and leaves the target as it is.
func (p *Pending) Discard() {
	_ = p.f.Close()
	_ = os.Remove(p.f.Name())
}

// onlyInPlace reports whether err means that the file may be written but not replaced:
// the file is a mount point of its own (rename says EBUSY or EXDEV), or this user may
// not change its directory.
func onlyInPlace(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) ||
		errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// overwrite changes the content of an existing file in place.
func overwrite(target string, data []byte) error {
	f, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// Write the part that makes the file longer first: a full disk fails there, and
	// cutting the part off again restores the old content.
	size := info.Size()
	if int64(len(data)) > size {
		if _, err := f.WriteAt(data[size:], size); err != nil {
			_ = f.Truncate(size)
			return err
		}
	}
	if _, err := f.WriteAt(data[:min(int64(len(data)), size)], 0); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	return f.Sync()
}

// cause returns err without its path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// unlink deletes a file and reports whether there was one.
func unlink(path string) (bool, error) {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
