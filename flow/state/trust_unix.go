//go:build !windows

package state

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"tokenform/config/paths"
)

// trust refuses a state directory in which somebody else can put files: a
// planted token would be used, and ours read. One that is not there yet is made
// by us. Root's directories are trusted, as everything on the machine is.
func (s *Store) trust() error {
	info, err := os.Stat(s.dir)
	if err != nil {
		return nil // using the directory reports the error
	}
	if !info.IsDir() {
		return broken(s.dir, "is not a directory", "move it away, or put state elsewhere with --state DIR")
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() && sys.Uid != 0 {
		return broken(s.dir, fmt.Sprintf("belongs to another user (uid %d), who could read and change tokens", sys.Uid), "make it yours with chown, or put state elsewhere with --state DIR")
	}
	if info.Mode().Perm()&0o002 != 0 && !paths.Loose(s.dir) {
		return broken(s.dir, "every user can write in it, and so change tokens", "chmod 700 "+s.dir)
	}
	return nil
}

// unfollowed are the flags of an open that follows no link and waits for nobody at the other
// end of a pipe: somebody may have put one there since it was looked for.
const unfollowed = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// notMine says what to do if path, or the directory that it is in, belongs to another user:
// mostly to root, since a run with sudo. notMine returns "" if both are ours.
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
