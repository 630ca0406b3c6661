package oauth

import (
	"fmt"
	"strings"
	"time"

	"tokenform/config/fault"
)

// Kind says what an [Error] means to the caller.
type Kind int

const (
	Unexpected   Kind = iota // anything else: a redirect, 404, …
	Refused                  // an OAuth error answer; Code says which
	Unauthorized             // 401 at the Web API: the access token is no good
	Forbidden                // 403: the token may still be good
	RateLimited              // 429: proves nothing about the token
	Unavailable              // network, 5xx, timeout, damaged answer: proves nothing about the token
	Insecure                 // the certificate, or plain http to another machine
	Canceled                 // the caller's context was canceled
	Declined                 // the user or the server ended the login (RFC 6749 section 4.1.2.1); Code says why
)

// Error is the type of every failure of the wire. Its message is fit to be shown: one
// line without secrets and control characters.
type Error struct {
	Kind       Kind
	Code       string        // error code of RFC 6749 section 5.2; empty means none
	Status     int           // of the HTTP answer; zero means no answer
	RetryAfter time.Duration // the wait that the server named; zero means none
	Message    string
	Hint       string // what to run or change; may be empty
	Err        error  // the context's error if that ended the call, else nil

	// Rotated is the new refresh token of an answer that is useless otherwise: the old
	// refresh token is dead already. Rotated is never in a message.
	Rotated string
}

func (e *Error) Error() string { return e.Message }

// Format keeps Rotated out of every message, whatever the verb.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, e.Message) }

// Unwrap returns e as a [fault.Error], which says how to act on e and has the hint.
func (e *Error) Unwrap() error {
	kind := fault.Failed
	switch e.Kind {
	case RateLimited, Unavailable:
		kind = fault.Temporary
	case Declined:
		kind = fault.LoginNeeded
	case Canceled:
		kind = fault.Interrupted
	}
	return &fault.Error{Kind: kind, Message: e.Message, Hint: e.Hint, Err: e.Err}
}

// roughly prints a duration without its zero parts: "17h", "1m30s".
func roughly(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
