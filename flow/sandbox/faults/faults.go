// Package faults lets the stand-in for Spotify fail in every way that a server, a
// network or something in between has been seen to fail. Only tests import it.
package faults

import (
	"net/http"
	"sync"

	"tokenform/flow/sandbox"
)

// Fault is one way in which a request goes wrong. The zero Fault lets a request
// pass, so that a later request in line meets the trouble.
type Fault sandbox.Hook

func (f Fault) String() string {
	if f.Name == "" {
		return "none"
	}
	return f.Name
}

// Server is a stand-in that can be made to fail.
type Server struct {
	*sandbox.Server

	mu      sync.Mutex
	waiting map[string][]*injection // by path
}

// injection is a fault that waits for requests.
type injection struct {
	fault Fault
	times int // how many requests are left; negative means all
}

// New returns a server for o, whose hook New replaces.
func New(o sandbox.Options) *Server {
	s := &Server{waiting: map[string][]*injection{}}
	o.Hook = s.next
	s.Server = sandbox.New(o)
	return s
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

// next takes the fault that waits for a request, if any.
func (s *Server) next(r *http.Request) sandbox.Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.waiting[r.URL.Path]
	if len(waiting) == 0 {
		return sandbox.Hook{}
	}
	first := waiting[0]
	if first.times > 0 {
		if first.times--; first.times == 0 {
			s.waiting[r.URL.Path] = waiting[1:]
		}
	}
	return sandbox.Hook(first.fault)
}
