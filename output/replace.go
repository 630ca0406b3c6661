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

// lockTimeout bounds the wait for others that write in the same directory. tokenform
// holds the lock of a directory for milliseconds, but flock(1) may hold it forever.
const lockTimeout = 30 * time.Second

// place is a file's path, and what people call the file.
type place struct{ path, shown string }

// file is the content and mode of a file. A nil *file means that there is none.
type file struct {
	data []byte
	mode fs.FileMode
}

// digest returns the digest of the whole file, as state remembers it.
func (f *file) digest() string { return state.Digest(string(f.data)) }

// maxFile bounds how much of an output is read: the files that tokenform writes, and
// the dotenv files in which it sets variables, are some KiB.
const maxFile = 16 << 20

// look reads the file at a place and makes a plan for the file.
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
	if e.change.Action != flow.KeepOutput {
		if err := atomicfile.Planted(at.path); err != nil {
			return edit{}, nil, at.wrap(err)
		}
	}
	if e.change.Action == flow.Create {
		if dir, err := os.Stat(filepath.Dir(at.path)); err == nil && !dir.IsDir() {
			return edit{}, nil, at.homeless()
		} else if err != nil {
			if _, link := os.Readlink(at.path); link == nil {
				return edit{}, nil, at.homeless() // only the owner of the link knows where the file belongs
			}
			e.change.Reason += ", as is its directory"
		}
	}
	e.change.Shown = at.shown
	return e, old, nil
}

// patience is how often a job is planned again because another program, which takes no
// lock, changes the file.
const patience = 20

// fileJob is a file, and the function that plans the file's change.
type fileJob struct {
	place
	plan       func(*file) (edit, error)
	stagingDir string // where the new content waits
}

// put does all jobs, or none if one of them cannot be done, and returns the changes
// that it made. If nothing is to change, put locks and touches nothing. Else put plans
// again under the lock, because other profiles and processes may share the files. The
// new contents are on the disk before the first file is replaced. After that, a job can
// fail alone only if its file changes at that very moment, or can only be rewritten in
// place.
func (f *Files) put(ctx context.Context, profile string, jobs ...fileJob) (made []flow.Change, err error) {
	var due []fileJob
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
func (f *Files) exchange(ctx context.Context, profile string, due []fileJob, paths []string) (made []flow.Change, err error) {
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

// unlocked returns an error that says which of the jobs' directories cannot be locked,
// and why.
func unlocked(ctx context.Context, jobs []fileJob) error {
	var errs []error
	for _, j := range jobs {
		unlock, err := atomicfile.Lock(ctx, j.path)
		switch {
		case err == nil:
			unlock()
		case errors.Is(err, context.DeadlineExceeded):
			errs = append(errs, &fault.Error{Kind: fault.Temporary, Message: j.shown + ": another process has its directory locked", Hint: "wait for it to finish and try again"})
		default:
			errs = append(errs, j.wrap(err))
		}
	}
	return errors.Join(errs...)
}

// replacement is a job whose new content is on the disk.
type replacement struct {
	fileJob
	old    *file
	edit   edit
	staged *atomicfile.Staged // nil means nothing to write
}

// prepare makes the plan of j, and stages the new content if there is any.
func prepare(j fileJob) (replacement, error) {
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

// replace puts r in place. If the file is no longer the one that the plan was made for,
// replace plans and tries again, up to patience times.
func (f *Files) replace(profile string, r replacement) (made []flow.Change, err error) {
	for try := 1; ; try++ {
		if err = f.commit(profile, r); try == patience || !errors.Is(err, atomicfile.ErrChanged) {
			break
		}
		time.Sleep(rand.N(5 * time.Millisecond)) // let the other program finish, at random so as not to keep step with it
		if r, err = prepare(r.fileJob); err != nil {
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
		case r.old == nil: // the file was made for this user alone
			f.Warn(profile, r.shown+" contains a secret that other users can read: its file system does not support permissions", "write it to a file system with permissions")
		default:
			f.Warn(profile, r.shown+" contains a secret that other users can read", "chmod 600 "+config.ShellWord(r.path))
		}
	}
	f.tellLeft(profile, r.place, r.edit)
	return made, nil
}

// commit writes or deletes r's file.
func (f *Files) commit(profile string, r replacement) error {
	if r.edit.keepsBefore {
		if err := f.keepBefore(profile, r); err != nil {
			return err
		}
	}
	if r.edit.deletes() {
		// The target of a link is never deleted, because somebody has put it there.
		if target, err := os.Readlink(r.path); (err != nil || target == "") && atomicfile.Remove(r.path) == nil {
			return nil
		}
		// A link, a mount point, or a directory that this user must not change:
		// emptying the file removes the secret as well.
		staged, err := atomicfile.Stage(r.path, r.stagingDir, r.old.data, nil, 0o600)
		if err != nil {
			return err
		}
		r.staged = staged
	}
	if r.staged == nil {
		return nil // another process has already written the content
	}
	taken := r.staged.Taken()
	inPlace, err := r.staged.Commit()
	switch {
	case err != nil:
	case taken:
		f.Warn(profile, r.shown+" belonged to another user, and now belongs to this user", "chown it back, or let this user write to it")
	case r.staged.OfAnother():
		f.Warn(profile, r.shown+" belongs to another user, who can read the token", "use another path if that is not intended")
	case inPlace:
		f.Warn(profile, r.shown+" cannot be replaced, so it was rewritten in place: a crash at that moment would have damaged it",
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
		return &fault.Error{Message: shown + " already exists, and " + r.shown + " must be kept there", Hint: "move one of the two away"}
	}
	if _, err := atomicfile.Write(path, r.old.data, r.old.mode&0o600); err != nil {
		return place{path, shown}.wrap(err)
	}
	f.Warn(profile, r.shown+" was not tokenform's: its content is kept as "+shown, "move it to a private place: it may contain a login")
	return nil
}

func (f *Files) tellLeft(profile string, at place, e edit) {
	if e.left != "" {
		f.Warn(profile, at.shown+" was changed since tokenform wrote it: left "+e.left+" there", "delete it if you do not need it")
	}
}

// occupied reports whether err says that something other than a file is at the path.
func occupied(err error) bool {
	_, ok := errors.AsType[*atomicfile.NotRegularError](err)
	return ok
}

// planted reports whether err says that another user has planted a link.
func planted(err error) bool {
	_, ok := errors.AsType[*atomicfile.PlantedError](err)
	return ok
}

// wrap adds the path to an error, and a hint if one is known.
func (at place) wrap(err error) error {
	e := &fault.Error{Message: at.shown, Err: fault.Cause(err)}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, atomicfile.ErrChanged):
		e.Kind, e.Hint = fault.Temporary, "wait for it to finish and try again"
	case fault.KindOf(err) != fault.Failed:
		return err // the error is about a value of the profile and names its own place
	case errors.Is(err, fs.ErrNotExist):
		return at.homeless()
	case planted(err):
		e.Hint = "remove the link, or name another path in the profile"
	case occupied(err):
		e.Hint = "name another path in the profile, or move away what is there"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "make the file and its directory readable and writable for this user"
	case errors.Is(err, syscall.EROFS):
		e.Hint = "mount it writable, or name another path in the profile"
	case errors.Is(err, atomicfile.ErrTooLarge):
		e.Err, e.Hint = errors.New("larger than 16 MiB"), "name another path in the profile, or move away what is there"
	case errors.Is(e.Err, syscall.ENOSPC):
		e.Hint = "free some disk space and try again"
	}
	return e
}

// homeless is the error for a link into a directory that does not exist, and for a path
// that has a file in place of a directory. Other missing directories are made.
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
