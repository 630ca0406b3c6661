package sandbox

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Request is what a client asked. It holds what was sent, secrets included: it
// is for assertions, not for logs.
type Request struct {
	Time     time.Time // by the server's clock
	Method   string
	Path     string
	Query    url.Values
	Form     url.Values // of the body
	Header   http.Header
	Auth     string // one of AuthNone, AuthBasic, …
	ClientID string
	Fault    string // the fault it met, by name; empty means none
}

func newRequest(r *http.Request, now time.Time) Request {
	id, _, auth := credentials(r)
	if id == "" {
		id = r.URL.Query().Get("client_id")
	}
	return Request{
		Time: now, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(),
		Form: maps.Clone(r.PostForm), Header: r.Header.Clone(), Auth: auth, ClientID: id,
	}
}

// A server that runs for days must not grow: it keeps this many requests, and
// counts this many paths.
const (
	maxRequests = 10_000
	maxPaths    = 1_000
)

// requestLog is a ring, and a count per path since the start.
type requestLog struct {
	ring   []Request
	next   int // where the oldest is, once the ring is full
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

// Count returns how many requests there were for a path since the start.
func (s *Server) Count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.counts[path]
}
