package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// Notice is what a notifier gets on its standard input, as JSON. A Notice has no
// secret.
type Notice struct {
	Version  int       `json:"version"`
	Time     time.Time `json:"time"`
	Event    string    `json:"event"` // one of config.NotifyEvents
	Profile  string    `json:"profile"`
	DaysLeft int       `json:"days_left"` // until the login ends; only for login_ending
	Message  string    `json:"message"`
	Hint     string    `json:"hint,omitempty"`
}

// How often notify tells people.
const (
	failingAfter = 3 * time.Hour  // nobody is told of trouble that passes sooner
	tellAgain    = 24 * time.Hour // until people are told again of an event that continues
	tellTried    = time.Hour      // until an event is tried again after a notifier failed
	notifierTime = 30 * time.Second
)

// notify runs the notify commands of a profile to tell people what became of it, and
// remembers in state what they were told. A notifier that fails does not change the
// outcome.
func (r *Runner) notify(ctx context.Context, o Outcome) {
	p := o.Profile
	if len(p.Notify) == 0 || !r.writes() || r.world.Realm == state.Sandbox || fault.KindOf(o.Err) == fault.Interrupted && o.Err != nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	entry, err := r.stateOf(p).Lock(ctx, p.Name, r.holder(), state.Waiting{Timeout: 2 * time.Second})
	if err != nil {
		return // another process is at work, and tells people itself
	}
	told := entry.Told()
	entry.Unlock() // no process must wait for a notifier
	notices := r.notices(o, &told)
	for _, n := range notices {
		if n.Time.Sub(told.Last[n.Event]) < tellAgain || n.Time.Sub(told.Tried[n.Event]) < tellTried {
			continue
		}
		var errs []error
		asked := false
		for _, notifier := range p.Notify {
			if slices.Contains(notifier.On, n.Event) {
				asked = true
				errs = append(errs, tell(ctx, notifier, n))
			}
		}
		switch err := errors.Join(errs...); {
		case !asked:
		case err != nil:
			told.Tried[n.Event] = n.Time
			r.warn(p.Name, "notify: "+err.Error(), "run the command by hand to see why; tokenform tries again in an hour")
		default:
			told.Last[n.Event] = n.Time
			delete(told.Tried, n.Event)
		}
	}
	if o.Err == nil {
		delete(told.Last, config.Recovered) // the recovery from the next trouble is a new event
	}
	if entry, err = r.stateOf(p).Lock(ctx, p.Name, r.holder(), state.Waiting{Timeout: 2 * time.Second}); err != nil {
		return
	}
	defer entry.Unlock()
	if err := entry.SaveTold(told); err != nil {
		r.warn(p.Name, "cannot record which notifications were sent: "+err.Error(), fault.HintOf(err))
	}
}

// notices returns what there is to tell of o, and brings told in line with o.
func (r *Runner) notices(o Outcome, told *state.Told) []Notice {
	now := r.now()
	notice := func(event, message, hint string) Notice {
		return Notice{Version: 1, Time: now.UTC().Truncate(time.Second), Event: event, Profile: o.Profile.Name, Message: message, Hint: hint}
	}
	var list []Notice
	switch kind := fault.KindOf(o.Err); {
	case o.Err == nil:
		_, failed := told.Last[config.Failing]
		_, needed := told.Last[config.LoginNeeded]
		if failed || needed {
			list = append(list, notice(config.Recovered, "it works again", ""))
		}
		told.Failing = time.Time{}
		for _, event := range []string{config.Failing, config.LoginNeeded} {
			delete(told.Last, event)
			delete(told.Tried, event)
		}
		switch m, ok := r.reminder(&o, 0, false); {
		case !ok:
			delete(told.Last, config.LoginEnding)
		case m.Code == LoginEnding:
			n := notice(config.LoginEnding, m.Text, m.Hint)
			n.DaysLeft = int(m.Left / (24 * time.Hour))
			list = append(list, n)
		default:
			list = append(list, notice(config.LoginNeeded, m.Text, m.Hint))
		}
	case kind == fault.LoginNeeded:
		list = append(list, notice(config.LoginNeeded, o.Err.Error(), fault.HintOf(o.Err)))
	default:
		if told.Failing.IsZero() {
			told.Failing = now.UTC().Truncate(time.Second)
		}
		if since := now.Sub(told.Failing); since >= failingAfter {
			list = append(list, notice(config.Failing, fmt.Sprintf("for %s: %s", Span(since), o.Err), fault.HintOf(o.Err)))
		}
	}
	return list
}

// tell runs a notifier and discards what it prints.
func tell(ctx context.Context, n config.Notifier, notice Notice) error {
	b, err := json.Marshal(notice)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, notifierTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.Command[0], n.Command[1:]...)
	cmd.Dir = n.Dir
	cmd.Stdin = bytes.NewReader(append(b, '\n'))
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end within %s", strings.Join(n.Command, " "), notifierTime)
	case exited:
		return fmt.Errorf("%s failed (%s)", n.Command[0], exit.ProcessState)
	}
	return fmt.Errorf("cannot run %s: %w", n.Command[0], fault.Cause(err))
}
