//go:build unix

package cli

import (
	"fmt"
	"syscall"

	"tokenform/config/fault"
)

// enoughFiles refuses a limit on open files with which Go itself would crash, or a login
// would wait for connections in vain.
func enoughFiles() error {
	const least = 32
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= least {
		return nil
	}
	return &fault.Error{
		Message: fmt.Sprintf("the open file limit is %d, and tokenform needs %d", limit.Cur, least),
		Hint:    "raise the open file limit: ulimit -n 1024",
	}
}
