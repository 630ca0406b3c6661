package examples

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// A tracer does what `strace -f -e inject=SET:signal=KILL:when=N` does, but has one
// count for all threads. strace counts per thread, and Go moves its work between
// threads, so that the same N is another place each time, and some places are never
// reached.

// call is a system call on a file or a socket, before the call is made.
type call struct {
	name string
	what string // the path, or what the descriptor stands for
}

func (c call) String() string { return c.name + " " + c.what }

// touching are the calls of interest. Calls that only look (stat, lseek) are left out:
// a kill at such a call has the same effect as a kill at the next call.
var touching = map[uint64]struct {
	name string
	path int // the argument that points to a path; zero means that the first argument is a descriptor
}{
	syscall.SYS_OPENAT: {"openat", 1}, syscall.SYS_MKDIRAT: {"mkdirat", 1}, syscall.SYS_READLINKAT: {"readlinkat", 1},
	syscall.SYS_UNLINKAT: {"unlinkat", 1}, syscall.SYS_RENAMEAT: {"renameat", 1}, syscall.SYS_FCHMODAT: {"fchmodat", 1},
	syscall.SYS_READ: {name: "read"}, syscall.SYS_PREAD64: {name: "pread64"}, syscall.SYS_WRITE: {name: "write"}, syscall.SYS_PWRITE64: {name: "pwrite64"},
	syscall.SYS_FTRUNCATE: {name: "ftruncate"}, syscall.SYS_FSYNC: {name: "fsync"}, syscall.SYS_FCHMOD: {name: "fchmod"}, syscall.SYS_FCHOWN: {name: "fchown"},
	syscall.SYS_FLOCK: {name: "flock"}, syscall.SYS_FALLOCATE: {name: "fallocate"}, syscall.SYS_CLOSE: {name: "close"},
	syscall.SYS_CONNECT: {name: "connect"}, syscall.SYS_BIND: {name: "bind"}, syscall.SYS_LISTEN: {name: "listen"}, syscall.SYS_ACCEPT4: {name: "accept4"},
	syscall.SYS_SENDTO: {name: "sendto"}, syscall.SYS_RECVFROM: {name: "recvfrom"}, syscall.SYS_SHUTDOWN: {name: "shutdown"}, syscall.SYS_SETSOCKOPT: {name: "setsockopt"},
}

// trace runs cmd to its end and calls before at every call of interest. If before
// returns true, trace kills the program, and the call is not made. status is -1 if the
// program was killed. Only the thread that started a process may trace the process.
func trace(t *testing.T, cmd *exec.Cmd, before func(call) (kill bool)) (status int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A process group of its own lets wait4 wait for the process and its threads alone:
	// this thread may have started other programs, for tests that wait for them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	defer func() {
		_ = cmd.Process.Kill() // the process has ended already, unless something went wrong
		_ = cmd.Process.Release()
	}()
	known := map[int]bool{}
	for {
		var ws syscall.WaitStatus
		// __WNOTHREAD excludes the children of other tests' threads.
		tid, err := syscall.Wait4(-pid, &ws, syscall.WALL|0x20000000, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			t.Fatalf("wait4: %v", err)
		case ws.Exited() || ws.Signaled():
			if tid == pid {
				return ws.ExitStatus()
			}
			continue
		}
		signal := 0
		switch stop := ws.StopSignal(); {
		case tid == pid && !known[tid]: // after exec
			const exitkill = 0x100000
			if err := syscall.PtraceSetOptions(tid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|exitkill); err != nil {
				t.Fatalf("ptrace: %v", err)
			}
		case stop == syscall.SIGTRAP|0x80:
			if c, ok := entered(pid, tid); ok && before(c) {
				_ = cmd.Process.Kill()
			}
		case stop == syscall.SIGTRAP || !known[tid]: // a new thread is reported twice
		default:
			signal = int(stop)
		}
		known[tid] = true
		_ = syscall.PtraceSyscall(tid, signal) // the thread may be dead by now
	}
}

// entered returns the call that a thread of the process is about to make. ok is false
// if the call is of no interest.
func entered(pid, tid int) (call, bool) {
	var info struct { // ptrace_syscall_info, see ptrace(2)
		op     uint8
		_      [3]uint8
		arch   uint32
		ip, sp uint64
		nr     uint64
		args   [6]uint64
		_      [2]uint64
	}
	const getSyscallInfo, entry = 0x420e, 1
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	kind, ok := touching[info.nr]
	if errno != 0 || info.op != entry || !ok {
		return call{}, false
	}
	c := call{name: kind.name}
	if kind.path != 0 {
		text := make([]byte, 512)
		n, _ := syscall.PtracePeekData(tid, uintptr(info.args[kind.path]), text)
		text, _, _ = bytes.Cut(text[:n], []byte{0})
		c.what = string(text)
		return c, true
	}
	c.what, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, int32(info.args[0])))
	return c, strings.HasPrefix(c.what, "/") || strings.HasPrefix(c.what, "socket:")
}

// traceable skips the test if a process may not trace its children.
func traceable(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(program, "version")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Skipf("ptrace is not allowed here: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
