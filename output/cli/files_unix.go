//go:build unix

package cli

import (
	"fmt"
	"syscall"

	"tokenform/config/fault"
)

// enoughFiles returns an error if the limit on open files is so low that Go itself
// would crash, or a login would never get a connection.
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
