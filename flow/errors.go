package flow

import (
	"context"
	"errors"
)

// Kind says what the caller can do about an error; main maps it to an exit
// code.
type Kind int

const (
	Failed      Kind = iota // something must be changed first
	LoginNeeded             // a person must log in
	Temporary               // the same command may succeed later
	Invalid                 // the profile is wrong
	Interrupted             // somebody stopped us
)

// Error is a failure in words fit for people, without secrets.
type Error struct {
	Kind    Kind
	Message string // may be empty where Err says it all
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

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the outermost *Error in err's chain, Interrupted for a
// canceled context, and Failed for any other error. Of several errors, joined, it
// is the kind that is to be dealt with first.
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
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Failed
}

// HintOf is the first hint in err's chain, or of several errors, joined, the
// first that any of them has.
func HintOf(err error) string {
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

// Split takes joined errors apart; nil: err is one, or none.
func Split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}
