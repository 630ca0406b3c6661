package keeper

import "syscall"

// apart keeps a process from the signals that a terminal sends to this one.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
