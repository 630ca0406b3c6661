//go:build unix

package output

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"tokenform/config/fault"
)

// Supervision says what Supervise does with a command when its tokens change.
type Supervision struct {
	Env     func() ([]string, error) // the environment, with the tokens of this moment
	Changed <-chan struct{}          // yields when a token has changed
	Signal  os.Signal                // what the command gets after a change; nil means that the command is restarted
	Grace   time.Duration            // between SIGTERM and SIGKILL
}

// signals are the signals that --signal can name.
var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH,
}

// ParseSignal returns the signal of a name, with or without SIG.
func ParseSignal(name string) (os.Signal, error) {
	s, ok := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]
	if !ok {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "unknown signal", Hint: "one of HUP, INT, QUIT, TERM, USR1, USR2, WINCH"}
	}
	return s, nil
}

// Supervise runs argv until it ends, and returns its exit code as a shell would. The
// command gets a process group of its own, so that all its processes can be ended, and
// the terminal if this process has it. Supervise passes signals on to the command, and
// stops itself when the command stops (Ctrl-Z). If this process is killed, the command
// gets SIGTERM (on Linux).
func Supervise(ctx context.Context, argv []string, s Supervision) (code int, err error) {
	path, code, err := executable(argv[0])
	if err != nil {
		return code, err
	}
	// The kernel sends SIGTERM when the thread that started the command ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	caught := make(chan os.Signal, 16)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(caught)
	tty := terminal()
	for {
		c, err := start(path, argv, s, tty)
		if err != nil {
			return 126, notRun(argv[0], err)
		}
		code, again := c.attend(ctx, s, caught, tty)
		if tty {
			foreground(syscall.Getpgrp())
		}
		if !again {
			return code, nil
		}
	}
}

// child is a running command and its process group.
type child struct {
	pid   int
	waits chan syscall.WaitStatus // gets each stop of the command, and its end
}

func start(path string, argv []string, s Supervision, tty bool) (*child, error) {
	env, err := s.Env()
	if err != nil {
		return nil, err
	}
	attr := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setpgid: true}}
	endWithParent(attr.Sys)
	if tty {
		attr.Sys.Foreground, attr.Sys.Ctty = true, stdin
	}
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, err
	}
	c := &child{pid, make(chan syscall.WaitStatus, 1)}
	go func() {
		defer fault.Crash()
		for {
			var status syscall.WaitStatus
			_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
			if err == syscall.EINTR {
				continue
			}
			c.waits <- status
			if err != nil || !status.Stopped() {
				return
			}
		}
	}()
	return c, nil
}

func (c *child) signal(s syscall.Signal) { _ = syscall.Kill(-c.pid, s) }

// attend looks after the command until it ends. again reports that attend ended the
// command because its tokens have changed.
func (c *child) attend(ctx context.Context, s Supervision, caught <-chan os.Signal, tty bool) (code int, again bool) {
	var overdue <-chan time.Time // yields when SIGKILL is due
	changed := s.Changed
	done := ctx.Done()
	end := func() {
		c.signal(syscall.SIGTERM)
		c.signal(syscall.SIGCONT) // a stopped command does not handle SIGTERM
		overdue = time.After(s.Grace)
	}
	for {
		select {
		case status := <-c.waits:
			switch {
			case status.Stopped():
				// Ctrl-Z stops the command alone. The shell waits for this process.
				if tty {
					foreground(syscall.Getpgrp())
				}
				_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
			case status.Signaled():
				c.signal(syscall.SIGKILL) // kill what the command has left behind
				return 128 + int(status.Signal()), again
			default:
				c.signal(syscall.SIGKILL)
				return status.ExitStatus(), again
			}
		case sig := <-caught:
			if sig == syscall.SIGCONT && tty {
				foreground(c.pid)
			}
			c.signal(sig.(syscall.Signal))
		case <-changed:
			if s.Signal != nil {
				c.signal(s.Signal.(syscall.Signal))
				continue
			}
			again, changed = true, nil
			end()
		case <-done:
			done = nil
			end()
		case <-overdue:
			c.signal(syscall.SIGKILL)
		}
	}
}

const stdin = 0

// terminal reports whether standard input is a terminal that this process has in the
// foreground.
func terminal() bool {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, stdin, syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return errno == 0 && int(group) == syscall.Getpgrp()
}

// foreground gives the terminal to a process group. A background process that does so
// would be stopped by SIGTTOU, so foreground ignores the signal.
func foreground(group int) {
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	g := int32(group)
	_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, stdin, syscall.TIOCSPGRP, uintptr(unsafe.Pointer(&g)))
}
