//go:build !windows

package state

import (
	"fmt"
	"os"
	"syscall"
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
	if info.Mode().Perm()&0o002 != 0 {
		return broken(s.dir, "every user can write in it, and so change tokens", "chmod 700 "+s.dir)
	}
	return nil
}
