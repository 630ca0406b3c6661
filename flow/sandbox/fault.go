package sandbox

import "net/http"

// Fault is one way in which a request goes wrong. The zero Fault is none: it
// lets a request pass, so that a later one in line meets the trouble.
type Fault struct {
	name    string
	instead func(*http.Request) answer // answers without the server: nothing is consumed
	change  func(*answer)              // changes what the server, having done its work, answers
	send    func(http.ResponseWriter, *http.Request, answer)
}

func (f Fault) String() string {
	if f.name == "" {
		return "none"
	}
	return f.name
}

// injection is a fault that waits for requests.
type injection struct {
	fault Fault
	times int // that are left; negative: always
}

// Inject lets the next requests to a path meet a fault, after the faults that
// wait there already. A negative times is for ever, and zero takes back every
// fault of the path.
func (s *Server) Inject(path string, f Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if times == 0 {
		delete(s.faults, path)
		return
	}
	s.faults[path] = append(s.faults[path], &injection{f, times})
}

// nextFault wants the lock.
func (s *Server) nextFault(path string) Fault {
	waiting := s.faults[path]
	if len(waiting) == 0 {
		return Fault{}
	}
	first := waiting[0]
	if first.times > 0 {
		if first.times--; first.times == 0 {
			s.faults[path] = waiting[1:]
		}
	}
	return first.fault
}
