package faults

import (
	"maps"
	"net/http"
	"strconv"
)

// Fault is one way in which a request goes wrong. The zero Fault lets a
// request pass, so that a later request meets the next fault.
type Fault struct {
	name    string
	instead func(*http.Request) answer // answers without the stand-in: no grant is consumed
	change  func(*answer)              // changes the answer after the stand-in has done its work
	send    func(http.ResponseWriter, *http.Request, answer)
}

func (f Fault) String() string {
	if f.name == "" {
		return "none"
	}
	return f.name
}

// answer is a complete response that is not sent yet, so that a fault can change or
// lose it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func says(status int, contentType, text string) answer {
	return answer{status, http.Header{"Content-Type": {contentType}}, []byte(text)}
}

func (a answer) send(w http.ResponseWriter) {
	a.head(w, len(a.body))
	_, _ = w.Write(a.body)
}

// head sends everything but the body. Content-Length announces length bytes; a
// negative length means no Content-Length.
func (a answer) head(w http.ResponseWriter, length int) {
	a.header.Del("Content-Length")
	if length >= 0 {
		a.header.Set("Content-Length", strconv.Itoa(length))
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
}

// injection is a fault that waits for requests.
type injection struct {
	fault Fault
	times int // how many requests are left; negative means all
}

// Inject lets the next requests to a path meet a fault, after the faults that
// wait there already. A negative times means all requests, and zero takes back
// every fault of the path.
func (s *Server) Inject(path string, f Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if times == 0 {
		delete(s.waiting, path)
		return
	}
	s.waiting[path] = append(s.waiting[path], &injection{f, times})
}

// next takes the fault that waits for a path. The caller must hold s.mu.
func (s *Server) next(path string) Fault {
	waiting := s.waiting[path]
	if len(waiting) == 0 {
		return Fault{}
	}
	first := waiting[0]
	if first.times > 0 {
		if first.times--; first.times == 0 {
			s.waiting[path] = waiting[1:]
		}
	}
	return first.fault
}
