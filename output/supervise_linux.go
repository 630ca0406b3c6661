package output

import "syscall"

// endWithParent sends SIGTERM to the command if this process is killed.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
