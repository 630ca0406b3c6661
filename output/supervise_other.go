//go:build unix && !linux

package output

import "syscall"

// endWithParent does nothing: only Linux signals a process when its parent is gone.
func endWithParent(*syscall.SysProcAttr) {}
