package output

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// ordinary runs f without root's privileges for files, as the owner of d's files.
func ordinary(d *disk, f func()) {
	d.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const id = 65534
	entries, err := filepath.Glob(d.path("*"))
	if err != nil {
		d.Fatal(err)
	}
	for _, path := range append(entries, d.dir) {
		if err := os.Chown(path, id, id); err != nil {
			d.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(d.dir), 0o755); err != nil {
		d.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	syscall.RawSyscall(syscall.SYS_SETFSUID, id, 0, 0) // setfsuid(2) is per thread
	defer syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	f()
}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env("a.env", "access_token=T"))
	d.write("a.env", "A=1\n", 0o600)
	ordinary(d, func() {
		if err := os.Chmod(d.dir, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(d.dir, 0o755)
		d.says(d.apply(someToken()), "update a.env: T missing [T]")
	})
	d.holds("a.env", "A=1\nT=BQaccess-1_x\n")
	d.warned("a.env cannot be replaced, so it was rewritten in place: a crash at that moment would have damaged it | mount its directory instead of the single file, or make the directory writable")
}

// TestUndeletable takes back files whose directory cannot be changed. Their content
// must go all the same.
func TestUndeletable(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env("a.env", "access_token=T"), jsonFile("token.json"))
	tok := someToken()
	d.apply(tok)
	ordinary(d, func() {
		if err := os.Chmod(d.dir, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(d.dir, 0o755)
		if _, err := d.files.TakeBack(t.Context(), d.p, d.recorded); err != nil {
			t.Fatal(err)
		}
	})
	d.holds("a.env", "")
	d.holds("token.json", "")
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	d := newDisk(t, env("a.env", "access_token=T"))
	d.write("a.env", "T=x\n", 0o000)
	ordinary(d, func() {
		_, err := d.files.Stale(d.p, someToken(), d.recorded, false)
		if err == nil || err.Error() != "a.env: permission denied" {
			t.Errorf("%v", err)
		}
	})
}
