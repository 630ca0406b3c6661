// Package fault has the one form of an error that people read: what went wrong, of
// which kind the failure is, and what to run or change. fault imports no other package
// of the module, and every other package may import fault.
package fault

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// Kind says what the caller can do about an [Error]. The process maps a Kind to
// its exit code.
type Kind int

// The kinds. The zero Kind of an [Error] means the kind of its cause.
const (
	Failed      Kind = iota + 1 // something must be changed first
	LoginNeeded                 // a person must log in
	Temporary                   // the same command may succeed later
	Invalid                     // the command line or a profile is wrong
	Interrupted                 // somebody stopped the program
)

// String is the kind's name in JSON output.
func (k Kind) String() string {
	return [...]string{"", Failed: "failed", LoginNeeded: "login_needed", Temporary: "temporary", Invalid: "invalid", Interrupted: "interrupted"}[k]
}

// Error is a failure in words fit for people, without secrets.
type Error struct {
	Kind    Kind
	Message string // may be empty if Err says it all
	Hint    string // what to run or change; several lines are several steps
	Err     error  // the cause; its text follows Message
}

func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	default:
		return e.Message + ": " + e.Err.Error()
	}
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: Interrupted for a canceled context, else the
// first kind that an [*Error] in err's chain names, else Failed. Of several
// joined errors KindOf returns the kind to deal with first.
func KindOf(err error) Kind {
	if list := Split(err); list != nil {
		kinds := map[Kind]bool{}
		for _, e := range list {
			kinds[KindOf(e)] = true
		}
		for _, kind := range []Kind{Interrupted, Invalid, LoginNeeded, Failed} {
			if kinds[kind] {
				return kind
			}
		}
		return Temporary
	}
	if errors.Is(err, context.Canceled) {
		return Interrupted
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return Failed
	case e.Kind != 0:
		return e.Kind
	}
	return KindOf(e.Err)
}

// HintOf returns the first hint in err's chain. Of several joined errors, HintOf
// returns the first hint that any of them has. If no file can be opened, the hint is
// about that and not about what the caller was doing.
func HintOf(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return "raise the open file limit: ulimit -n 1024"
	case errors.Is(err, syscall.ENFILE):
		return "this machine has no file handles left: stop some programs, or raise fs.file-max"
	}
	for _, e := range Split(err) {
		if hint := HintOf(e); hint != "" {
			return hint
		}
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return ""
	case e.Hint != "":
		return e.Hint
	}
	return HintOf(e.Err)
}

// Split returns the parts of a joined error. Split returns nil if err is a
// single error, or none.
func Split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

// Cause returns err without the path or the program that a message names
// already: "no such file or directory" instead of "open .env: no such file or
// directory". On Windows, Cause uses these words instead of those of the system.
func Cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return plain(e.Err)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return plain(e.Err)
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		return plain(e.Err)
	}
	return plain(err)
}
