package output

import (
	"context"
	"os"
	"time"

	"tokenform/config/fault"
)

// Supervision says what Supervise does with a command when its tokens change.
type Supervision struct {
	Env     func() ([]string, error)
	Changed <-chan struct{}
	Signal  os.Signal
	Grace   time.Duration
}

var errNoGroups = &fault.Error{Kind: fault.Invalid, Message: "exec --restart and --signal need process groups and signals, which Windows does not have", Hint: "run tokenform watch beside the command"}

// ParseSignal refuses every name: Windows has no signals.
func ParseSignal(string) (os.Signal, error) { return nil, errNoGroups }

// Supervise returns an error: Windows has no process groups to end.
func Supervise(context.Context, []string, Supervision) (int, error) { return 1, errNoGroups }
