package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// answer is a whole response before it is sent, so that a fault can change it
// or lose it after the server's own work is done.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// body makes an answer of one content type. Nothing here may be cached: all of
// it is about tokens (RFC 6749, section 5.1).
func body(status int, contentType string, b []byte) answer {
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return answer{status: status, header: h, body: b}
}

func plain(status int, line string) answer {
	return body(status, "text/plain; charset=utf-8", []byte(line))
}

func jsonAnswer(status int, v any) answer {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only our own types, and values that tests chose
	}
	return body(status, "application/json", b)
}

// redirect sends the browser to a URL that has been checked by the caller.
func redirect(status int, location string) answer {
	a := body(status, "text/plain; charset=utf-8", nil)
	a.header.Set("Location", location)
	// The URL that led here holds the state, the one ahead holds the code.
	a.header.Set("Referrer-Policy", "no-referrer")
	return a
}

func (a answer) send(w http.ResponseWriter) {
	a.head(w, len(a.body))
	_, _ = w.Write(a.body)
}

// head sends everything but the body, which is announced as length bytes long;
// a negative length announces none.
func (a answer) head(w http.ResponseWriter, length int) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if length >= 0 {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(a.status)
}
