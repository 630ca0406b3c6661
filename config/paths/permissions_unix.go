//go:build !windows

package paths

import (
	"os"
	"path/filepath"
	"syscall"
)

// WithoutPermissions reports whether the state directory dir is on a file system that keeps no
// permissions, such as a Windows drive under WSL, a USB stick, or some network shares.
// The sign: everybody can write the .gitignore in dir, which tokenform makes for its
// owner alone.
func WithoutPermissions(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, ".gitignore"))
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 == 0 {
		return false
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	return ok && (sys.Uid == 0 || int(sys.Uid) == os.Geteuid())
}
