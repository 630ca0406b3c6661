package faults

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Request is a request as the client sent it. A Request has secrets: compare it in
// tests, never print it.
type Request struct {
	Time   time.Time // by the server's clock
	Method string
	Path   string
	Query  url.Values
	Form   url.Values // of the body
	Header http.Header
	Fault  string // name of the fault that the request met; empty means none
}

func newRequest(r *http.Request, now time.Time) Request {
	return Request{
		Time: now, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(),
		Form: maps.Clone(r.PostForm), Header: r.Header.Clone(),
	}
}

// maxRequests and maxPaths bound the memory of a server that runs through long tests.
const (
	maxRequests = 10_000
	maxPaths    = 1_000
)

// requestLog is a ring of the last requests, and a count per path since the start.
type requestLog struct {
	ring   []Request
	next   int // index of the oldest request in a full ring
	counts map[string]int
}

func (l *requestLog) add(r Request) {
	if _, ok := l.counts[r.Path]; ok || len(l.counts) < maxPaths {
		l.counts[r.Path]++
	}
	if len(l.ring) < maxRequests {
		l.ring = append(l.ring, r)
		return
	}
	l.ring[l.next] = r
	l.next = (l.next + 1) % maxRequests
}

// Requests returns the last 10,000 requests, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.log.ring[s.log.next:], s.log.ring[:s.log.next])
}

// Count returns how many requests for a path there were since the start.
func (s *Server) Count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.counts[path]
}
