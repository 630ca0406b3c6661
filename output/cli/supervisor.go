package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// supervisor is the service manager that started the program, if it has asked to be
// told how the program is: NOTIFY_SOCKET names a datagram socket (sd_notify(3)). Without
// the variable, nothing is sent. A manager that cannot be reached does not disturb
// watch.
type supervisor struct {
	now      func() time.Time
	socket   string
	watchdog time.Duration // the manager ends a program that is silent for this long; zero means never
}

func (p *program) supervisor() supervisor {
	s := supervisor{now: p.Now}
	s.socket, _ = p.Env("NOTIFY_SOCKET")
	period, _ := p.Env("WATCHDOG_USEC")
	pid, meant := p.Env("WATCHDOG_PID") // the variables may be inherited from a parent, sd_watchdog_enabled(3)
	if usec, err := strconv.ParseInt(period, 10, 64); err == nil && (!meant || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s
}

// tell sends assignments, one on each line.
func (s supervisor) tell(assignments string) {
	if s.socket == "" {
		return
	}
	// A name that begins with "@" is in Linux' abstract namespace; package net
	// understands that too.
	c, err := net.Dial("unixgram", s.socket)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(s.now().Add(time.Second)) // a manager that does not read must not hold watch up
	_, _ = c.Write([]byte(assignments))
}

// idle says that the program is at work, and when the program acts next.
func (s supervisor) idle(profiles int, next time.Time) {
	status := fmt.Sprintf("%d profiles", profiles)
	if profiles == 1 {
		status = "1 profile"
	}
	if !next.IsZero() {
		status += "; next action at " + next.Local().Format("15:04:05")
	}
	s.tell("READY=1\nSTATUS=" + status)
}

// live tells the watchdog twice in each period that the program is alive, until ctx
// ends, and then that the program stops. sd_watchdog_enabled(3) recommends half of the
// period.
func (s supervisor) live(ctx context.Context) {
	var due <-chan time.Time // nil means that there is no watchdog
	if s.socket != "" && s.watchdog > 1 {
		tick := time.NewTicker(s.watchdog / 2)
		defer tick.Stop()
		due = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			s.tell("STOPPING=1")
			return
		case <-due:
			s.tell("WATCHDOG=1")
		}
	}
}
