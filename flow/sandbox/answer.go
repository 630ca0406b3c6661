package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Answer is a whole response before it is sent.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// NewAnswer makes an answer of one content type. No answer may be cached: each is
// about tokens (RFC 6749 section 5.1).
func NewAnswer(status int, contentType string, body []byte) Answer {
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return Answer{Status: status, Header: h, Body: body}
}

func plain(status int, line string) Answer {
	return NewAnswer(status, "text/plain; charset=utf-8", []byte(line))
}

func jsonAnswer(status int, v any) Answer {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only our own types, and values that tests chose
	}
	return NewAnswer(status, "application/json", b)
}

// redirect sends the browser to a URL that has been checked by the caller.
func redirect(status int, location string) Answer {
	a := NewAnswer(status, "text/plain; charset=utf-8", nil)
	a.Header.Set("Location", location)
	// The URL that led here holds the state, the one ahead holds the code.
	a.Header.Set("Referrer-Policy", "no-referrer")
	return a
}

// Send sends the answer.
func (a Answer) Send(w http.ResponseWriter) {
	a.Head(w, len(a.Body))
	_, _ = w.Write(a.Body)
}

// Head sends everything but the body, which is announced as length bytes long;
// a negative length announces none.
func (a Answer) Head(w http.ResponseWriter, length int) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	if length >= 0 {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(a.Status)
}
