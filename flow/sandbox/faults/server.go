// Package faults lets the stand-in for Spotify fail, and logs its requests. Only
// tests import the package.
//
// A [Server] is a handler around the handler of a [sandbox.Server]. A Server answers in
// the stand-in's place, or records the stand-in's answer and then changes, delays or
// loses the answer.
package faults

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"tokenform/flow/sandbox"
)

// Server is the stand-in with faults. A Server is safe for concurrent use.
type Server struct {
	*sandbox.Server
	now func() time.Time

	mu      sync.Mutex
	log     requestLog
	waiting map[string][]*injection // by path
}

// New returns a server without faults.
func New(opt sandbox.Options) *Server {
	return &Server{
		Server: sandbox.New(opt), now: opt.Now,
		log: requestLog{counts: map[string]int{}}, waiting: map[string][]*injection{},
	}
}

// ServeHTTP logs the request and answers it with the fault that waits for the request's
// path, if any.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A body that is no form leaves r.PostForm empty, as in the stand-in.
	_ = r.ParseForm()
	// net/http notices a client that leaves only once the body has been read.
	_, _ = io.Copy(io.Discard, r.Body)
	f := s.arrived(r)
	var a answer
	if f.instead != nil {
		a = f.instead(r)
		a.header.Set("Date", s.now().UTC().Format(http.TimeFormat))
	} else {
		recorder := httptest.NewRecorder()
		s.Server.ServeHTTP(recorder, r)
		a = answer{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
	}
	if f.change != nil {
		f.change(&a)
	}
	if f.send != nil {
		f.send(w, r, a)
		return
	}
	a.send(w)
}

// arrived logs the request and returns the fault that waits for it. Both happen
// before the answer, so that a test can wait for a request whose answer is slow.
func (s *Server) arrived(r *http.Request) Fault {
	entry := newRequest(r, s.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.next(r.URL.Path)
	entry.Fault = f.name
	s.log.add(entry)
	return f
}
