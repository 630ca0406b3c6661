package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// answer is a complete response that is not sent yet.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// body makes an answer of one content type. No answer may be cached, because all
// answers are about tokens (RFC 6749, section 5.1).
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
		panic(err) // json.Marshal encodes all of our types
	}
	return body(status, "application/json", b)
}

// redirect sends the browser to a URL. The caller must have checked the URL.
func redirect(status int, location string) answer {
	a := body(status, "text/plain; charset=utf-8", nil)
	a.header.Set("Location", location)
	// The URL of this request has the state in it, and the location has the code.
	a.header.Set("Referrer-Policy", "no-referrer")
	return a
}

func (a answer) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
