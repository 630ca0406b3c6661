package atomicfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const nobodyID = 65534

// nobody runs f with the file permissions of an ordinary user, who owns dir and can
// reach it.
func nobody(t *testing.T, dir string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f() // this process is an ordinary user already
		return
	}
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobodyID, nobodyID)
	}))
	asNobody(f)
}

// asNobody runs f in a thread without root's privileges for files.
func asNobody(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// setfsuid(2) is per thread.
	syscall.RawSyscall(syscall.SYS_SETFSGID, nobodyID, 0, 0)
	syscall.RawSyscall(syscall.SYS_SETFSUID, nobodyID, 0, 0)
	defer func() {
		syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
		syscall.RawSyscall(syscall.SYS_SETFSGID, 0, 0, 0)
	}()
	f()
}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, os.WriteFile(path, []byte("old"), 0o640))
	nobody(t, dir, func() {
		must(t, os.Chmod(dir, 0o555))
		defer os.Chmod(dir, 0o755)
		inPlace, err := Write(path, []byte("new content"), 0o600)
		if err != nil || !inPlace {
			t.Errorf("in place: %v, %v", inPlace, err)
		}
		if got := read(t, path); got != "new content" {
			t.Errorf("holds %q", got)
		}
		if got := mode(t, path); got != 0o640 {
			t.Errorf("mode %o", got)
		}
		if _, err := Write(filepath.Join(dir, "new"), nil, 0o600); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a new file: %v", err)
		}
		must(t, os.Chmod(path, 0o400))
		if _, err := Write(path, []byte("x"), 0o600); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("nothing may be written: %v", err)
		}
	})
	only(t, dir, "f")
}

func TestOwnerStays(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, []byte("old"), 0o640))
	must(t, os.Chown(path, 4711, 4712))
	write(t, path, "new")
	info, err := os.Stat(path)
	must(t, err)
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 4711 || s.Gid != 4712 {
		t.Errorf("belongs to %d:%d", s.Uid, s.Gid)
	}
	if got := mode(t, path); got != 0o640 {
		t.Errorf("mode %o", got)
	}
}

func TestGroupThatCannotStay(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a file of another group")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	nobody(t, dir, func() {
		must(t, os.WriteFile(path, []byte("old"), 0o660))
	})
	must(t, os.Chown(path, 4711, 4712))
	asNobody(func() { write(t, path, "new") }) // nobody owns the directory, but not the file
	if got := mode(t, path); got&0o070 != 0 {
		t.Errorf("another group may now do %o", got)
	}
}

// TestMounts runs the tests below in a mount namespace of its own, so that no mount is
// visible outside or left behind.
func TestMounts(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestInNamespace$", "-test.v")
	cmd.Env = append(os.Environ(), "ATOMICFILE_NAMESPACE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("this system gives us no mount namespace: %v", err)
	}
	if strings.Contains(string(out), "no mount:") {
		t.Skipf("this system lets us mount nothing:\n%s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestInNamespace(t *testing.T) {
	if os.Getenv("ATOMICFILE_NAMESPACE") == "" {
		t.Skip("TestMounts runs this")
	}
	mount := func(t *testing.T, source, target, kind string, flags uintptr, data string) {
		t.Helper()
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			t.Fatalf("no mount: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) })
	}
	t.Run("single file", func(t *testing.T) {
		dir := t.TempDir()
		path, host := filepath.Join(dir, ".env"), filepath.Join(dir, "host")
		must(t, os.WriteFile(host, []byte("old and long"), 0o644))
		must(t, os.WriteFile(path, nil, 0o644))
		mount(t, host, path, "", syscall.MS_BIND, "")
		for _, data := range []string{"new", "new and longer than what was there"} {
			inPlace, err := Write(path, []byte(data), 0o600)
			if err != nil || !inPlace {
				t.Fatalf("in place: %v, %v", inPlace, err)
			}
			if got := read(t, host); got != data {
				t.Errorf("the mounted file holds %q, want %q", got, data)
			}
		}
		only(t, dir, ".env", "host")
	})
	t.Run("single file in a read-only directory", func(t *testing.T) {
		dir, host := t.TempDir(), filepath.Join(t.TempDir(), "host")
		path := filepath.Join(dir, ".env")
		must(t, os.WriteFile(host, []byte("old"), 0o644))
		must(t, os.WriteFile(path, nil, 0o644))
		mount(t, dir, dir, "", syscall.MS_BIND, "")
		mount(t, host, path, "", syscall.MS_BIND, "")
		mount(t, "", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
		unlock, err := Lock(t.Context(), path)
		must(t, err)
		defer unlock()
		inPlace, err := Write(path, []byte("new"), 0o600)
		if err != nil || !inPlace {
			t.Fatalf("in place: %v, %v", inPlace, err)
		}
		if got := read(t, host); got != "new" {
			t.Errorf("the mounted file holds %q", got)
		}
	})
	t.Run("full disk", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
		path := filepath.Join(dir, "f")
		old := strings.Repeat("o", 20<<10)
		write(t, path, old)
		big := bytes.Repeat([]byte("n"), 60<<10)
		if _, err := Write(path, big, 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("replacing: %v", err)
		}
		if read(t, path) != old {
			t.Error("the old content is damaged")
		}
		only(t, dir, "f")
		if err := overwrite(path, append(big, big...)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("in place: %v", err)
		}
		if read(t, path) != old {
			t.Error("the old content is damaged by overwriting")
		}
	})
}

// TestKilled kills a writer again and again, and checks that the file always has one of
// the two contents, whole.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	contents := []string{strings.Repeat("a", 300<<10), strings.Repeat("b", 200<<10)}
	write(t, path, contents[0])
	leftovers := 0
	for i := range 25 {
		cmd := child(t, "alternate", path)
		must(t, cmd.Start())
		time.Sleep(time.Duration(15+i) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		if got := read(t, path); got != contents[0] && got != contents[1] {
			t.Fatalf("round %d: %d bytes that are neither content", i, len(got))
		}
		if _, err := os.Lstat(temporary(path)); err == nil {
			leftovers++
		}
	}
	if leftovers == 0 {
		t.Error("no kill hit a write: the test proves nothing")
	}
	write(t, path, "after")
	only(t, dir, "f")
}

// TestLockFile locks a directory that may be written but not read, and so cannot be
// locked itself.
func TestLockFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	nobody(t, dir, func() {
		must(t, os.Chmod(dir, 0o300))
		defer os.Chmod(dir, 0o700)
		unlock, err := Lock(t.Context(), path)
		must(t, err)
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := Lock(short, path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second lock: %v", err)
		}
		write(t, path, "content")
		unlock()
		again, err := Lock(t.Context(), path)
		must(t, err)
		again()
	})
	only(t, dir, ".tokenform.lock", "f")
}

// TestLockAcrossProcesses has processes count up in a file, each step under the lock.
// Without the lock, steps would be lost.
func TestLockAcrossProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "n")
	write(t, path, "0")
	// A link from elsewhere leads to the same file, and so to the same lock.
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(path, link))
	var children []*exec.Cmd
	for i := range 3 {
		c := child(t, "count", []string{path, link}[i%2])
		must(t, c.Start())
		children = append(children, c)
	}
	for _, c := range children {
		must(t, c.Wait())
	}
	if got, want := read(t, path), fmt.Sprint(3*steps); got != want {
		t.Errorf("counted to %s, want %s", got, want)
	}
}
