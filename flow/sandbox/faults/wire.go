package faults

import (
	"bytes"
	"net"
	"net/http"
	"time"

	"tokenform/flow/sandbox"
)

// Faults of the connection. Their names say whether the grant is consumed,
// which is what the client cannot know.

// ResetBeforeGrant resets the connection; nothing has happened.
func ResetBeforeGrant() Fault {
	return Fault{Name: "reset before the grant", Instead: nothing, Send: reset}
}

// ResetAfterGrant does what was asked, then resets the connection: the code is
// used, a rotated token is dead, and the answer is lost.
func ResetAfterGrant() Fault { return Fault{Name: "reset after the grant", Send: reset} }

// HangBeforeGrant says nothing until the client leaves.
func HangBeforeGrant() Fault {
	return Fault{Name: "hang before the grant", Instead: nothing, Send: hang}
}

// HangAfterGrant does what was asked, and never says so.
func HangAfterGrant() Fault { return Fault{Name: "hang after the grant", Send: hang} }

// Slow does what was asked, and answers late.
func Slow(delay time.Duration) Fault {
	return Fault{Name: "slow", Send: func(w http.ResponseWriter, r *http.Request, a sandbox.Answer) {
		if wait(r, delay) {
			a.Send(w)
		}
	}}
}

// Drip answers byte by byte.
func Drip(every time.Duration) Fault {
	return Fault{Name: "drip", Send: func(w http.ResponseWriter, r *http.Request, a sandbox.Answer) {
		a.Head(w, len(a.Body))
		for _, b := range a.Body {
			if _, err := w.Write([]byte{b}); err != nil {
				return
			}
			if http.NewResponseController(w).Flush() != nil || !wait(r, every) {
				return
			}
		}
	}}
}

// CutOff breaks the connection in the middle of the body.
func CutOff() Fault {
	return Fault{Name: "cut off", Send: func(w http.ResponseWriter, _ *http.Request, a sandbox.Answer) {
		a.Head(w, len(a.Body))
		_, _ = w.Write(a.Body[:len(a.Body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Huge answers a body of n bytes that begins like a good one; a negative n is
// endless. No grant is consumed.
func Huge(n int64) Fault {
	return Fault{Name: "huge", Instead: huge, Send: func(w http.ResponseWriter, r *http.Request, a sandbox.Answer) {
		a.Head(w, -1) // sent in chunks, so that no length gives a warning
		chunk := bytes.Repeat([]byte("A"), 32<<10)
		copy(chunk, a.Body)
		for n := n; n != 0 && r.Context().Err() == nil; {
			if n > 0 && n < int64(len(chunk)) {
				chunk = chunk[:n]
			}
			if _, err := w.Write(chunk); err != nil {
				return
			}
			if n > 0 {
				n -= int64(len(chunk))
			}
			copy(chunk, "AAAAAAAAAAAAAAAAA")
		}
	}}
}

func huge(*http.Request) sandbox.Answer {
	return sandbox.NewAnswer(http.StatusOK, "application/json", []byte(`{"access_token":"`))
}

func nothing(*http.Request) sandbox.Answer { return text(http.StatusOK, "") }

// reset closes the connection so that the client sees "connection reset by
// peer" and not an orderly end: with linger zero, close sends RST.
func reset(w http.ResponseWriter, _ *http.Request, _ sandbox.Answer) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 resets its stream instead
	}
	raw := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = t.NetConn() // beneath TLS, which would say goodbye
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

func hang(_ http.ResponseWriter, r *http.Request, _ sandbox.Answer) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// wait reports whether the client is still there after d.
func wait(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
