package output

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state"
)

// lockTimeout bounds the wait for others that write in the same directory. They
// hold its lock for milliseconds, but flock(1) may hold it for ever.
const lockTimeout = 30 * time.Second

// place is a file's path, and what people call the file.
type place struct{ path, shown string }

// file is the content and mode of a file. A nil *file means that there is none.
type file struct {
	data []byte
	mode fs.FileMode
}

// digest is what state remembers of the whole file.
func (f *file) digest() string { return state.Digest(string(f.data)) }

// maxFile bounds what is read of an output: those that are written here, and the
// dotenv files they are written into, are some KiB.
const maxFile = 16 << 20

// look reads what stands at a place and makes a plan for it.
func look(at place, plan func(*file) (edit, error)) (edit, *file, error) {
	var old *file
	data, mode, err := atomicfile.Read(at.path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
	case err != nil:
		return edit{}, nil, at.wrap(err)
	default:
		old = &file{data, mode}
	}
	e, err := plan(old)
	if err == nil && len(e.content) > maxFile {
		err = atomicfile.ErrTooLarge // the next run could not read the file
	}
	if err != nil {
		return edit{}, nil, at.wrap(err)
	}
	if e.change.Action == flow.Create {
		if dir, err := os.Stat(filepath.Dir(at.path)); err == nil && !dir.IsDir() {
			return edit{}, nil, at.homeless()
		} else if err != nil {
			if _, link := os.Readlink(at.path); link == nil {
				return edit{}, nil, at.homeless() // a link says where the file belongs
			}
			e.change.Reason += ", as is its directory"
		}
	}
	e.change.Shown = at.shown
	return e, old, nil
}

// patience is how often a plan is made again because another program, which
// knows nothing of locks, changes the file.
const patience = 20

// job is a file, and the function that says what becomes of the file.
type job struct {
	place
	plan       func(*file) (edit, error)
	stagingDir string // where the new content waits
}

// put does all jobs, or none if one of them cannot be done, and returns what
// it did. Where nothing is to change nothing is locked or touched; else plans
// are made again under the lock, because other profiles and processes may share
// the files. The new contents are on the disk before the first file is replaced:
// from then on only a file that changes at that very moment, or can only be
// rewritten in place, may be left behind.
func (f *Files) put(ctx context.Context, profile string, jobs ...job) (made []flow.Change, err error) {
	var due []job
	var paths []string
	var errs []error
	for _, j := range jobs {
		e, _, err := look(j.place, j.plan)
		switch {
		case err != nil:
			errs = append(errs, err)
		case e.change.Action != flow.KeepOutput:
			due, paths = append(due, j), append(paths, j.path)
		default:
			f.tellLeft(profile, j.place, e)
		}
	}
	if len(errs) > 0 || len(due) == 0 {
		return nil, errors.Join(errs...)
	}
	for _, j := range due {
		if err := atomicfile.MkdirAll(filepath.Dir(j.path)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, j.wrap(err)
		}
	}
	made, err = f.exchange(ctx, profile, due, paths)
	if len(made) > 0 {
		if settled := atomicfile.Settle(paths...); settled != nil {
			err = errors.Join(err, due[0].wrap(settled))
		}
	}
	return made, err
}

// exchange does jobs under the locks of their directories.
func (f *Files) exchange(ctx context.Context, profile string, due []job, paths []string) (made []flow.Change, err error) {
	waiting, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	unlock, err := atomicfile.Lock(waiting, paths...)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if held := unlocked(waiting, due); held != nil {
			return nil, held
		}
		return nil, due[0].wrap(err)
	}
	defer unlock()
	var errs []error
	ready := make([]replacement, len(due))
	for i, j := range due {
		if ready[i], err = prepare(j); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		for _, r := range ready {
			r.discard()
		}
		return nil, errors.Join(errs...)
	}
	for _, r := range ready {
		change, err := f.replace(profile, r)
		made, errs = append(made, change...), append(errs, err)
	}
	return made, errors.Join(errs...)
}

// unlocked says which of the jobs' directories cannot be locked, and why.
func unlocked(ctx context.Context, jobs []job) error {
	var errs []error
	for _, j := range jobs {
		unlock, err := atomicfile.Lock(ctx, j.path)
		switch {
		case err == nil:
			unlock()
		case errors.Is(err, context.DeadlineExceeded):
			errs = append(errs, &fault.Error{Kind: fault.Temporary, Message: j.shown + ": another process has its directory locked", Hint: "wait for it to end and try again"})
		default:
			errs = append(errs, j.wrap(err))
		}
	}
	return errors.Join(errs...)
}

// replacement is a job whose new content is on the disk.
type replacement struct {
	job
	old    *file
	edit   edit
	staged *atomicfile.Staged // nil means nothing to write
}

// prepare makes the plan of j, and the new content if there is to be one.
func prepare(j job) (replacement, error) {
	e, old, err := look(j.place, j.plan)
	if err != nil || e.change.Action == flow.KeepOutput || e.deletes() {
		return replacement{j, old, e, nil}, err
	}
	var data []byte
	if old != nil {
		data = old.data
	}
	staged, err := atomicfile.Stage(j.path, j.stagingDir, data, e.content, 0o600)
	if err != nil {
		err = j.wrap(err)
	}
	return replacement{j, old, e, staged}, err
}

func (r replacement) discard() {
	if r.staged != nil {
		r.staged.Discard()
	}
}

// replace puts r in place, with a new plan as often as the file turns out to be
// another one than it was made for.
func (f *Files) replace(profile string, r replacement) (made []flow.Change, err error) {
	for try := 1; ; try++ {
		if err = f.commit(profile, r); try == patience || !errors.Is(err, atomicfile.ErrChanged) {
			break
		}
		time.Sleep(rand.N(5 * time.Millisecond)) // let it end, and do not keep step with it
		if r, err = prepare(r.job); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, r.wrap(err)
	}
	if r.edit.change.Action != flow.KeepOutput {
		made = append(made, r.edit.change)
		switch info, err := os.Stat(r.path); {
		case err != nil || !r.edit.private || info.Mode().Perm()&0o044 == 0 || runtime.GOOS == "windows":
		case r.old == nil: // made for this user alone
			f.Warn(profile, r.shown+" holds a secret that other users can read: its file system keeps no permissions", "write it to a file system that does")
		default:
			f.Warn(profile, r.shown+" holds a secret that other users can read", "chmod 600 "+config.ShellWord(r.path))
		}
	}
	f.tellLeft(profile, r.place, r.edit)
	return made, nil
}

// commit writes or deletes r's file.
func (f *Files) commit(profile string, r replacement) error {
	if r.edit.before {
		if err := f.keepBefore(profile, r); err != nil {
			return err
		}
	}
	if r.edit.deletes() {
		// The target of a link is never deleted: somebody has put it there.
		if target, err := os.Readlink(r.path); (err != nil || target == "") && atomicfile.Remove(r.path) == nil {
			return nil
		}
		// A link, a mount point, or a directory that is not ours to change: emptying the
		// file takes the secret away as well.
		staged, err := atomicfile.Stage(r.path, r.stagingDir, r.old.data, nil, 0o600)
		if err != nil {
			return err
		}
		r.staged = staged
	}
	if r.staged == nil {
		return nil // another process has written what the file should hold
	}
	taken := r.staged.Taken()
	inPlace, err := r.staged.Commit()
	switch {
	case err != nil:
	case taken:
		f.Warn(profile, r.shown+" belonged to another user, who cannot change it any more: it belongs to this user now", "chown it back, or give this user the right to write it")
	case r.staged.OfAnother():
		f.Warn(profile, r.shown+" belongs to another user, who can read the token", "give it an output of your own if that is not meant")
	case inPlace:
		f.Warn(profile, r.shown+" cannot be replaced and was rewritten in place: a crash in that moment would have damaged it",
			inPlaceHint())
	}
	return err
}

func inPlaceHint() string {
	if runtime.GOOS == "windows" {
		return "close the program that has it open, or make it and its directory writable"
	}
	return "mount its directory instead of the single file, or make the directory writable"
}

// keepBefore copies somebody else's token file to NAME.before, where nothing is yet.
func (f *Files) keepBefore(profile string, r replacement) error {
	path, shown := r.path+".before", r.shown+".before"
	now, _, err := atomicfile.Read(path, maxFile)
	switch {
	case err == nil && bytes.Equal(now, r.old.data):
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return &fault.Error{Message: shown + " exists already, and " + r.shown + " would have to be kept there", Hint: "move one of the two away"}
	}
	if _, err := atomicfile.Write(path, r.old.data, r.old.mode&0o600); err != nil {
		return err
	}
	f.Warn(profile, r.shown+" was not tokenform's: what it held is kept as "+shown, "move it to where no other program and no commit finds it")
	return nil
}

func (f *Files) tellLeft(profile string, at place, e edit) {
	if e.left != "" {
		f.Warn(profile, at.shown+" was changed since tokenform wrote it: left "+e.left+" there", "delete it by hand if nobody needs it")
	}
}

// occupied reports whether err says that something that is no file stands at
// the path.
func occupied(err error) bool {
	_, ok := errors.AsType[*atomicfile.NotRegularError](err)
	return ok
}

// wrap puts an error in terms of the place, with the cure if one is known.
func (at place) wrap(err error) error {
	e := &fault.Error{Message: at.shown, Err: fault.Cause(err)}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, atomicfile.ErrChanged):
		e.Kind, e.Hint = fault.Temporary, "wait for it to end and try again"
	case fault.KindOf(err) != fault.Failed:
		return err // a value of the profile, which has its own place
	case errors.Is(err, fs.ErrNotExist):
		return at.homeless()
	case occupied(err):
		e.Hint = "name another path in the profile, or move away what is there"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "make the file and its directory readable and writable for this user"
	case errors.Is(err, syscall.EROFS):
		e.Hint = "mount it writable, or name another path in the profile"
	case errors.Is(err, atomicfile.ErrTooLarge):
		e.Err, e.Hint = errors.New("larger than 16 MiB"), "name another path in the profile, or move away what is there"
	case errors.Is(e.Err, syscall.ENOSPC):
		e.Hint = "make room on the disk and try again"
	}
	return e
}

// homeless is the error for a link into a directory that does not exist, and for a path
// on which a file stands where a directory should. Other directories are made.
func (at place) homeless() error {
	dir := filepath.Dir(at.path)
	for above := dir; ; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err == nil && !info.IsDir() {
			return &fault.Error{Message: at.shown + ": " + filepath.Base(above) + " is a file, and not a directory", Hint: "name another path in the profile, or move that file away"}
		}
		if err == nil || above == filepath.Dir(above) {
			break
		}
	}
	if target, err := os.Readlink(at.path); err == nil {
		if dir = filepath.Dir(target); !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(at.path), dir)
		}
	}
	return &fault.Error{Message: at.shown + ": its directory does not exist", Hint: "mkdir -p " + config.ShellWord(dir)}
}
