package examples

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// ownMounts moves the test's thread, which ends with the test, to a mount namespace of
// its own, so that its mounts are not visible elsewhere.
func ownMounts(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: programs are started from this thread
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		t.Skipf("no mount namespace for us: %v", err)
	}
	mountAt(t, "", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
}

func mountAt(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Skipf("this system lets us mount nothing: %v", err)
	}
	if target != "/" && flags&syscall.MS_REMOUNT == 0 {
		t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) })
	}
}

// become gives the project to an ordinary user and runs the program as that user.
func (d *disk) become() {
	d.Helper()
	if os.Geteuid() != 0 {
		return // this process is an ordinary user already
	}
	const nobody = 65534
	for _, dir := range []string{filepath.Dir(program), filepath.Dir(d.dir)} {
		d.must(os.Chmod(dir, 0o711))
	}
	d.give(nobody)
	d.user = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

func (d *disk) give(id int) {
	d.Helper()
	d.must(filepath.WalkDir(d.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	}))
}

// filling leaves no byte free on the file system of name.
func filling(name string) func(*disk) {
	return func(d *disk) {
		f, err := os.Create(d.path(name))
		d.must(err)
		defer f.Close()
		for chunk := make([]byte, 512); err == nil; {
			_, err = f.Write(chunk)
		}
	}
}

// inodes leaves no inode free on the file system of the directory name.
func inodes(name string) func(*disk) {
	return func(d *disk) {
		d.must(os.Mkdir(d.path(name), 0o700))
		for i := 0; os.Mkdir(filepath.Join(d.path(name), fmt.Sprint(i)), 0o700) == nil; i++ {
		}
	}
}

func removing(name string) func(*disk) { return func(d *disk) { d.must(os.RemoveAll(d.path(name))) } }

func permit(name string, mode fs.FileMode) func(*disk) {
	return func(d *disk) { d.must(os.Chmod(d.path(name), mode)) }
}

func and(a, b func(*disk)) func(*disk) { return func(d *disk) { a(d); b(d) } }

func moving(from, to string) func(*disk) {
	return func(d *disk) { d.must(os.Rename(d.path(from), d.path(to))) }
}

// readOnly mounts name again, read-only.
func readOnly(name string) func(*disk) {
	return func(d *disk) {
		ownMounts(d.T)
		mountAt(d.T, d.path(name), d.path(name), "", syscall.MS_BIND, "")
		mountAt(d.T, "", d.path(name), "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
	}
}

func unmount(name string) func(*disk) {
	return func(d *disk) { d.must(syscall.Unmount(d.path(name), syscall.MNT_DETACH)) }
}

// replaceBy replaces .env by what make makes.
func replaceBy(make func(path string) error) func(*disk) {
	return func(d *disk) {
		moving("out/.env", "env")(d)
		d.must(make(d.path("out/.env")))
	}
}

// stays fails the test if name no longer has the mode.
func stays(name string, mode fs.FileMode) func(*disk) {
	return func(d *disk) {
		info, err := os.Lstat(d.path(name))
		d.must(err)
		if info.Mode() != mode {
			d.Errorf("%s is now %v", name, info.Mode())
		}
	}
}

var putBack = and(removing("out/.env"), moving("env", "out/.env"))

func TestDisk(t *testing.T) {
	t.Parallel()
	const unstored, lostIt = "dev: a token could not be stored: ", "the token was granted but cannot be stored: "
	const state, unasked = ".tokenform", "no request was sent to Spotify"
	login := firstLogin
	withstand(t, []trouble{
		// These are troubles with the state directory.
		{name: "state on a full disk", mount: state, before: filling(".tokenform/.filler"), after: removing(".tokenform/.filler"),
			exit: 1, message: unstored, hint: unasked, state: "old", outputs: "old old", next: 1},
		{name: "state on a full disk, first login", first: true, args: login, mount: state, before: filling(".tokenform/.filler"), after: removing(".tokenform/.filler"),
			exit: 1, message: ".tokenform: no space left on device", hint: "free some space or make it writable", state: "none", outputs: "old none", next: 1},
		{name: "state on a full disk, login renewed", args: append(slices.Clone(login), "--renew"), mount: state, before: filling(".tokenform/.filler"), after: removing(".tokenform/.filler"),
			exit: 1, message: unstored, hint: unasked, state: "old", outputs: "old old", next: 1},
		{name: "state's disk without an inode", mount: state, before: inodes(".tokenform/.filler"), after: removing(".tokenform/.filler"),
			exit: 1, message: unstored, hint: unasked, state: "old", outputs: "old old", next: 1},
		{name: "state's disk fills while the server answers", mount: state, during: filling(".tokenform/.filler"), after: removing(".tokenform/.filler"),
			requests: 1, state: "new", outputs: "new new"},
		{name: "state mounted read-only", before: readOnly(state), after: unmount(state),
			exit: 1, message: unstored, hint: unasked, state: "old", outputs: "old old", next: 1},
		{name: "state mounted read-only, valid token", valid: true, before: readOnly(state), after: unmount(state),
			state: "old", outputs: "old old"},
		{name: "state directory 0500", ordinary: true, before: permit(state, 0o500), after: permit(state, 0o700),
			exit: 1, message: unstored, hint: unasked, state: "old", outputs: "old old", next: 1},
		{name: "state directory 0500 while the server answers", ordinary: true, during: permit(state, 0o500), after: permit(state, 0o700),
			requests: 1, state: "new", outputs: "new new"},
		{name: "state 0500 and 0400 while the server answers", ordinary: true, during: and(permit(stateFileName, 0o400), permit(state, 0o500)), after: and(permit(state, 0o700), permit(stateFileName, 0o600)),
			exit: 1, message: lostIt, hint: "if the next apply is refused, log in to dev again", requests: 1, state: "old", outputs: "old old"},
		{name: "state moved away while the server answers", during: moving(state, "away"), after: and(removing(state), moving("away", state)),
			exit: 1, message: lostIt, hint: "if the next apply is refused, log in to dev again", requests: 1, state: "none", outputs: "old old"},
		{name: "state moved away during a first login", first: true, args: login, during: moving(state, "away"), after: and(removing(state), moving("away", state)),
			exit: 1, message: lostIt, hint: "this login is lost: log in again to dev", requests: 1, state: "none", outputs: "old none"},
		{name: "state file 0000", ordinary: true, before: permit(stateFileName, 0), after: permit(stateFileName, 0o600),
			exit: 1, message: ".json: permission denied", hint: "make it readable for this user", state: "old", outputs: "old old", next: 1},
		{name: "state file is a named pipe", before: func(d *disk) {
			path := d.path(stateFileName)
			d.must(os.Rename(path, d.path("saved")))
			d.must(syscall.Mkfifo(path, 0o600))
		}, after: moving("saved", stateFileName),
			exit: 1, message: ".json: is a named pipe", hint: "move it away", state: "none", outputs: "old old", next: 1},
		{name: "no state directory, project 0500", first: true, args: login, ordinary: true, before: and(removing(state), permit(".", 0o500)), after: permit(".", 0o700),
			exit: 1, message: ".tokenform: permission denied", hint: "make its parent writable", state: "none", outputs: "old none", next: 1},
		{name: "state is a file", first: true, args: login, before: and(removing(state), func(d *disk) { write(d.T, d.path(state), "") }), after: removing(state),
			exit: 1, message: ".tokenform: is not a directory", hint: "move it away", state: "none", outputs: "old none", next: 1},

		// These are troubles with outputs. The token must be stored in all of them.
		{name: "outputs on a full disk", mount: "out", before: filling("out/filler"), after: removing("out/filler"),
			exit: 1, message: "out/.env: no space left on device", hint: "free some disk space", requests: 1, state: "new", outputs: "old old"},
		{name: "outputs mounted read-only", before: readOnly("out"), after: unmount("out"),
			exit: 1, message: "out/.env: read-only file system", hint: "mount it writable", requests: 1, state: "new", outputs: "old old"},
		{name: "outputs' directory 0500", ordinary: true, before: permit("out", 0o500), after: permit("out", 0o700),
			message: "out/.env cannot be replaced, so it was rewritten in place", hint: "make the directory writable", requests: 1, state: "new", outputs: "new new"},
		{name: "outputs' directory 0500, .env 0400", ordinary: true, before: and(permit("out/.env", 0o400), permit("out", 0o500)), after: and(permit("out", 0o700), permit("out/.env", 0o600)),
			exit: 1, message: "out/.env: permission denied", hint: "make the file and its directory readable and writable", requests: 1, state: "new", outputs: "old old"},
		{name: ".env 0400", ordinary: true, before: permit("out/.env", 0o400), after: stays("out/.env", 0o400), requests: 1, state: "new", outputs: "new new"},
		{name: ".env 0000", ordinary: true, before: permit("out/.env", 0), after: permit("out/.env", 0o600),
			exit: 1, message: "out/.env: permission denied", hint: "make the file", requests: 1, state: "new", outputs: "old old"},
		{name: ".env is a single bind mount", before: func(d *disk) {
			ownMounts(d.T)
			write(d.T, d.path("host"), string(d.read("out/.env")))
			mountAt(d.T, d.path("host"), d.path("out/.env"), "", syscall.MS_BIND, "")
		}, message: "out/.env cannot be replaced, so it was rewritten in place", hint: "mount its directory instead", requests: 1, state: "new", outputs: "new new"},
		{name: ".env is a named pipe", before: replaceBy(func(path string) error { return syscall.Mkfifo(path, 0o600) }), after: putBack,
			exit: 1, message: "out/.env: is a named pipe", hint: "name another path in the profile", requests: 1, state: "new", outputs: "none old"},
		{name: ".env is a directory", before: replaceBy(func(path string) error { return os.Mkdir(path, 0o700) }), after: putBack,
			exit: 1, message: "out/.env: is a directory", hint: "name another path in the profile", requests: 1, state: "new", outputs: "none old"},
		{name: ".env is a directory, first login", first: true, args: login, before: replaceBy(func(path string) error { return os.Mkdir(path, 0o700) }), after: putBack,
			exit: 1, message: "out/.env: is a directory", hint: "name another path in the profile", state: "none", outputs: "none none", next: 1},
		{name: ".env's directory is gone", before: moving("out", "away"), after: and(removing("out"), moving("away", "out")),
			requests: 1, state: "new", outputs: "torn new"}, // the lines of others are missing
		{name: ".env is a relative link", before: replaceBy(func(path string) error { return os.Symlink("../env", path) }), after: stays("out/.env", fs.ModeSymlink|0o777),
			requests: 1, state: "new", outputs: "new new"},
		{name: ".env is a dangling link", first: true, args: login, before: replaceBy(func(path string) error { return os.Symlink("../env", path) }), after: stays("out/.env", fs.ModeSymlink|0o777),
			requests: 1, state: "new", outputs: "new new"},
		{name: ".env is a link to itself", before: replaceBy(func(path string) error { return os.Symlink(".env", path) }), after: putBack,
			exit: 1, message: "out/.env: too many levels of symbolic links", requests: 1, state: "new", outputs: "none old"},

		// These are troubles with a read-only checkout.
		{name: "project mounted read-only, valid: apply", valid: true, before: readOnly("."), after: unmount("."), state: "old", outputs: "old old"},
		{name: "project mounted read-only, valid: token", valid: true, args: []string{"token"}, before: readOnly("."), after: unmount("."), state: "old", outputs: "old old"},
		{name: "project mounted read-only, valid: status", valid: true, args: []string{"status"}, before: readOnly("."), after: unmount("."), state: "old", outputs: "old old"},
		{name: "project mounted read-only: plan", args: []string{"plan"}, before: readOnly("."), after: unmount("."), state: "old", outputs: "old old", next: 1},
		{name: "project mounted read-only: apply", before: readOnly("."), after: unmount("."),
			exit: 1, message: unstored, hint: unasked, state: "old", outputs: "old old", next: 1},
		{name: "project 0500, state 0500 and 0400, valid token", valid: true, ordinary: true,
			before: and(permit(stateFileName, 0o400), and(permit(state, 0o500), permit(".", 0o500))), after: and(permit(".", 0o700), and(permit(state, 0o700), permit(stateFileName, 0o600))),
			state: "old", outputs: "old old"},
	})
}

// TestFullOutput checks that every command fails if it cannot print its result.
func TestFullOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tokenform.yaml"), "profile: dev\nclient: {id: app}\noutputs: [{type: stdout, format: export}]\n")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range []string{
		"plan --sandbox", "plan --sandbox --json", "status --sandbox", "status --sandbox --json", "validate", "validate --json",
		"schema", "version", "help", "completion bash", "apply --sandbox", "token --sandbox",
	} {
		cmd := exec.Command(program, strings.Fields(args)...)
		cmd.Dir, cmd.Env, cmd.Stdout = dir, surroundings(dir, ""), full
		var errs bytes.Buffer
		cmd.Stderr = &errs
		_ = cmd.Run()
		want := 1
		if strings.HasPrefix(args, "status") {
			want = 4 // a person must log in
		}
		if code := cmd.ProcessState.ExitCode(); code != want || strings.Count(errs.String(), "standard output: no space left on device") != 1 {
			t.Errorf("%s: exit %d\n%s", args, code, &errs)
		}
	}
}
