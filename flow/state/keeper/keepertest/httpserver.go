// Package keepertest has a server for logins that can fail. Only tests import the
// package.
package keepertest

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HTTPServer is a strict server for the HTTP backend of Terraform and OpenTofu: it keeps
// one state at each path, in memory. It takes nothing that the protocol forbids, and no
// write without the lock's ID while a lock is held. An HTTPServer is safe for concurrent
// use; its fields must be set before.
type HTTPServer struct {
	User, Password string           // of basic authentication; an empty User means none
	Now            func() time.Time // for Date

	// GitLab locks with POST and DELETE at PATH/lock, and stores of a lock only ID, Who
	// and Created: a refused request for the lock is answered with 409 and the request's
	// own Operation, Info, Version and Path.
	GitLab bool

	// KeepsLocked makes DELETE answer 200 without an effect while the state is locked.
	KeepsLocked bool

	// Decoded keeps the state as decoded JSON, as a database may: the bytes change.
	Decoded bool

	mu     sync.Mutex
	passed time.Duration // since Now
	states map[string][]byte
	locks  map[string]lock
	log    []string
	faults map[string][]Fault
}

// lock is the JSON description of a lock, which has these fields.
type lock struct {
	ID, Operation, Info, Who, Version, Created, Path *string
}

// NewHTTP returns a server without any state.
func NewHTTP(now func() time.Time) *HTTPServer {
	return &HTTPServer{Now: now, states: map[string][]byte{}, locks: map[string]lock{}, faults: map[string][]Fault{}}
}

// Fault answers a request in place of the server. serve lets the server do its work, and
// returns the answer that it would send.
type Fault func(w http.ResponseWriter, r *http.Request, serve func() *httptest.ResponseRecorder)

// Says answers with any status and text, in the server's place.
func Says(status int, contentType, text string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ func() *httptest.ResponseRecorder) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// Page answers with a web page, as the login page of a network does.
func Page(status int) Fault {
	return Says(status, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Welcome</body></html>\n")
}

// Away breaks the connection before the server does anything.
func Away(http.ResponseWriter, *http.Request, func() *httptest.ResponseRecorder) {
	panic(http.ErrAbortHandler)
}

// Lost lets the server do its work, and breaks the connection before the answer.
func Lost(_ http.ResponseWriter, _ *http.Request, serve func() *httptest.ResponseRecorder) {
	serve()
	panic(http.ErrAbortHandler)
}

// CutOff breaks the connection in the middle of the answer's body.
func CutOff(w http.ResponseWriter, _ *http.Request, serve func() *httptest.ResponseRecorder) {
	a := serve()
	w.Header().Set("Content-Length", strconv.Itoa(a.Body.Len()))
	w.WriteHeader(a.Code)
	_, _ = w.Write(a.Body.Bytes()[:a.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Damaged changes one bit of the answer's body.
func Damaged(w http.ResponseWriter, _ *http.Request, serve func() *httptest.ResponseRecorder) {
	a := serve()
	if b := a.Body.Bytes(); len(b) > 0 {
		b[len(b)/2] ^= 1
	}
	send(w, a)
}

// Slow waits before the server does its work, until the client leaves at most.
func Slow(delay time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, serve func() *httptest.ResponseRecorder) {
		select {
		case <-time.After(delay):
			send(w, serve())
		case <-r.Context().Done():
		}
	}
}

// Then lets the server do its work, and calls then before the answer is sent.
func Then(then func()) Fault {
	return func(w http.ResponseWriter, _ *http.Request, serve func() *httptest.ResponseRecorder) {
		a := serve()
		then()
		send(w, a)
	}
}

// Inject lets the next requests with a method meet faults, one each. A nil Fault lets a
// request pass.
func (s *HTTPServer) Inject(method string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], faults...)
}

// Heal takes back every fault that no request has met.
func (s *HTTPServer) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// State returns what the server has at a path; nil means nothing.
func (s *HTTPServer) State(path string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.states[path])
}

// Put makes data what the server has at a path, whoever has the lock.
func (s *HTTPServer) Put(path string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[path] = data
}

// Pass sets the server's clock forward.
func (s *HTTPServer) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed += d
}

// Holder returns the ID of the lock at a path, or "".
func (s *HTTPServer) Holder(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return text(s.locks[path].ID)
}

// Requests returns the method and the URI of every request since the last call.
func (s *HTTPServer) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.log
	s.log = nil
	return all
}

func (s *HTTPServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // net/http notices a client that leaves only afterwards
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.log = append(s.log, r.Method+" "+r.RequestURI)
	var fault Fault
	if waiting := s.faults[r.Method]; len(waiting) > 0 {
		fault, s.faults[r.Method] = waiting[0], waiting[1:]
	}
	now := s.Now().Add(s.passed)
	s.mu.Unlock()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	serve := func() *httptest.ResponseRecorder {
		a := httptest.NewRecorder()
		s.answer(a, r, body)
		return a
	}
	if fault != nil {
		fault(w, r, serve)
		return
	}
	send(w, serve())
}

func send(w http.ResponseWriter, a *httptest.ResponseRecorder) {
	for name, values := range a.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Code)
	_, _ = w.Write(a.Body.Bytes())
}

func (s *HTTPServer) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	user, password, _ := r.BasicAuth()
	sum := md5.Sum(body)
	switch {
	case s.User != "" && user == "":
		w.Header().Set("WWW-Authenticate", `Basic realm="state"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	case s.User != "" && (user != s.User || subtle.ConstantTimeCompare([]byte(password), []byte(s.Password)) != 1):
		http.Error(w, "not you", http.StatusForbidden)
		return
	case len(body) > 0 && (r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]) || r.Header.Get("Content-Type") != "application/json"):
		http.Error(w, "Content-MD5 or Content-Type is wrong", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path, method := r.URL.Path, r.Method
	if base, ok := strings.CutSuffix(path, "/lock"); s.GitLab && ok {
		path, method = base, map[string]string{http.MethodPost: "LOCK", http.MethodDelete: "UNLOCK"}[r.Method]
	} else if s.GitLab && (method == "LOCK" || method == "UNLOCK") {
		method = ""
	}
	id := r.URL.Query().Get("ID")
	held, locked := s.locks[path]
	switch method {
	case http.MethodGet:
		s.get(w, path)
	case http.MethodPost, http.MethodDelete:
		if id != text(held.ID) {
			s.refuse(w, held)
			return
		}
		if method == http.MethodPost {
			s.post(w, path, body)
		} else if !s.KeepsLocked || !locked {
			delete(s.states, path)
		}
	case "LOCK":
		var wanted lock
		if !wanted.read(body) {
			http.Error(w, "the lock lacks a field", http.StatusBadRequest)
			return
		}
		if locked && s.GitLab {
			held.Operation, held.Info, held.Version, held.Path = wanted.Operation, wanted.Info, wanted.Version, wanted.Path
		}
		if locked {
			s.refuse(w, held)
			return
		}
		s.locks[path] = wanted
		if s.GitLab {
			reply(w, http.StatusOK, wanted)
		}
	case "UNLOCK":
		var wanted lock
		if !wanted.read(body) {
			http.Error(w, "the lock lacks a field", http.StatusBadRequest)
			return
		}
		if !locked || text(wanted.ID) != text(held.ID) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		delete(s.locks, path)
	default:
		http.Error(w, "no such method", http.StatusMethodNotAllowed)
	}
}

func (s *HTTPServer) get(w http.ResponseWriter, path string) {
	state, ok := s.states[path]
	if !ok {
		http.Error(w, "nothing here", http.StatusNotFound)
		return
	}
	sum := md5.Sum(state)
	w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(state)
}

func (s *HTTPServer) post(w http.ResponseWriter, path string, body []byte) {
	var state struct {
		Serial *int64 `json:"serial"`
	}
	if json.Unmarshal(body, &state) != nil || state.Serial == nil {
		http.Error(w, "the state is no object with a serial", http.StatusBadRequest)
		return
	}
	if s.Decoded {
		var all map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		_ = d.Decode(&all) // a state of OpenTofu and a login are objects
		body, _ = json.MarshalIndent(all, "", "    ")
	}
	s.states[path] = body
}

// refuse says who has the lock.
func (s *HTTPServer) refuse(w http.ResponseWriter, held lock) {
	status := http.StatusLocked
	if s.GitLab || held.ID == nil {
		status = http.StatusConflict
	}
	reply(w, status, held)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // into memory
}

// read decodes the description of a lock, which must be complete.
func (l *lock) read(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(l) != nil {
		return false
	}
	for _, field := range []*string{l.ID, l.Operation, l.Info, l.Who, l.Version, l.Created, l.Path} {
		if field == nil {
			return false
		}
	}
	_, err := time.Parse(time.RFC3339, *l.Created)
	return err == nil && *l.ID != "" && len(*l.ID) <= 255
}

func text(s *string) string { return *cmp.Or(s, new(string)) }
