//go:build !windows

package state

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"tokenform/config/paths"
)

// trust refuses a state directory in which another user can put files: the user could
// plant a token for us to use, and read ours. A directory that does not exist yet is
// fine, because we make it. Root's directories are trusted: root can do everything on
// the machine.
func (s *Store) trust() error {
	info, err := os.Stat(s.dir)
	if err != nil {
		return nil // using the directory reports the error
	}
	if !info.IsDir() {
		return broken(s.dir, "is not a directory", "move it away, or keep state elsewhere with --state DIR")
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() && sys.Uid != 0 {
		return broken(s.dir, fmt.Sprintf("belongs to another user (uid %d), who could read and change tokens", sys.Uid), "make it yours with chown, or keep state elsewhere with --state DIR")
	}
	if info.Mode().Perm()&0o002 != 0 && !paths.WithoutPermissions(s.dir) {
		return broken(s.dir, "every user can write to it and change tokens", "chmod 700 "+s.dir)
	}
	return nil
}

// unfollowed are the flags of an open that follows no link and waits for nobody at the
// other end of a pipe: another user may have put either there since the last check.
const unfollowed = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// notMine returns a hint if path, or its directory, belongs to another user: mostly to
// root, after a run with sudo. notMine returns "" if both are ours.
func notMine(path string) string {
	for _, path := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
			owner := fmt.Sprintf("uid %d", sys.Uid)
			if sys.Uid == 0 {
				owner = "root, as after a run with sudo"
			}
			return fmt.Sprintf("it belongs to %s; make it yours: sudo chown -R %d %s", owner, os.Geteuid(), path)
		}
	}
	return ""
}
