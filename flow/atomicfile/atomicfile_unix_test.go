//go:build unix

package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestNotRegular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	link := filepath.Join(dir, "link")
	must(t, os.Symlink("fifo", link))
	for path, want := range map[string]string{
		fifo:        "is a named pipe",
		link:        "is a named pipe",
		dir:         "is a directory",
		"/dev/null": "is a device",
	} {
		_, err := Write(path, nil, 0o600)
		_, _, rerr := Read(path, 1<<20) // Read must not wait for a writer
		for _, err := range []error{err, rerr} {
			if !notRegular(err) || bare(err).Error() != want {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
		}
	}
}

// TestModes sets the umask of the process, so no other test may run in parallel.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o077} {
		func() {
			defer syscall.Umask(syscall.Umask(umask))
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			write(t, path, "created")
			if got := mode(t, path); got != 0o600 {
				t.Errorf("umask %o: created with mode %o", umask, got)
			}
			for _, m := range []fs.FileMode{0o644, 0o640, 0o400, 0o755} {
				must(t, os.Chmod(path, m))
				write(t, path, "replaced")
				if got := mode(t, path); got != m {
					t.Errorf("umask %o: mode %o became %o", umask, m, got)
				}
			}
		}()
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Mode().Perm()
}
