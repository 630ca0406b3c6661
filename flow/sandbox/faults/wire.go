package faults

import (
	"bytes"
	"net"
	"net/http"
	"time"
)

// These faults break the connection. Their names say whether the grant is consumed,
// because the client cannot tell.

// ResetBeforeGrant resets the connection without a grant.
func ResetBeforeGrant() Fault {
	return Fault{name: "reset before the grant", instead: nothing, send: reset}
}

// ResetAfterGrant grants, then resets the connection: the code is used, the old
// refresh token is revoked if the server rotates, and the answer is lost.
func ResetAfterGrant() Fault { return Fault{name: "reset after the grant", send: reset} }

// HangBeforeGrant sends nothing until the client leaves.
func HangBeforeGrant() Fault {
	return Fault{name: "hang before the grant", instead: nothing, send: hang}
}

// HangAfterGrant grants, and sends nothing until the client leaves.
func HangAfterGrant() Fault { return Fault{name: "hang after the grant", send: hang} }

// Slow grants at once and answers after a delay.
func Slow(delay time.Duration) Fault {
	return Fault{name: "slow", send: func(w http.ResponseWriter, r *http.Request, a answer) {
		if wait(r, delay) {
			a.send(w)
		}
	}}
}

// Drip grants at once and answers byte by byte.
func Drip(every time.Duration) Fault {
	return Fault{name: "drip", send: func(w http.ResponseWriter, r *http.Request, a answer) {
		a.head(w, len(a.body))
		for _, b := range a.body {
			if _, err := w.Write([]byte{b}); err != nil {
				return
			}
			if http.NewResponseController(w).Flush() != nil || !wait(r, every) {
				return
			}
		}
	}}
}

// CutOff grants, then breaks the connection in the middle of the body.
func CutOff() Fault {
	return Fault{name: "cut off", send: func(w http.ResponseWriter, _ *http.Request, a answer) {
		a.head(w, len(a.body))
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Huge answers with a body of n bytes that begins like a good answer; a negative n
// means endless. No grant is consumed.
func Huge(n int64) Fault {
	return Fault{name: "huge", instead: huge, send: func(w http.ResponseWriter, r *http.Request, a answer) {
		a.head(w, -1) // in chunks, so that no Content-Length warns the client
		chunk := bytes.Repeat([]byte("A"), 32<<10)
		copy(chunk, a.body)
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

func huge(*http.Request) answer {
	return says(http.StatusOK, "application/json", `{"access_token":"`)
}

func nothing(*http.Request) answer { return says(http.StatusOK, "text/plain", "") }

// reset closes the connection so that the client sees "connection reset by peer"
// instead of an orderly end: after SetLinger(0), Close sends RST.
func reset(w http.ResponseWriter, _ *http.Request, _ answer) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 resets its stream instead
	}
	raw := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = t.NetConn() // beneath TLS, because tls.Conn ends the session in order
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

func hang(_ http.ResponseWriter, r *http.Request, _ answer) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// wait waits for d and reports whether the client is still there.
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
