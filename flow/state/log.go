package state

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"tokenform/flow/atomicfile"
)

// Event is what a run did to a profile's token. An Event has no secret.
type Event struct {
	Time    time.Time `json:"time"`
	Profile string    `json:"profile"`
	Action  string    `json:"action"`
	Serial  int       `json:"serial"` // of the login that was stored
	Command string    `json:"command"`
	PID     int       `json:"pid"`
	Host    string    `json:"host,omitempty"`
}

// maxLog bounds the log of a state directory: some thousand events. A log that has grown
// to this size loses its older half.
const maxLog = 512 << 10

func (s *Store) logPath() string { return filepath.Join(s.dir, "log"+s.suffix+".jsonl") }

// Log adds ev to the log of the state directory, with the profile's name and this
// process's PID filled in. The log is for people: Log does not sync, and ignores
// errors.
func (e *Entry) Log(ev Event) {
	ev.Profile, ev.PID = e.name, os.Getpid()
	ev.Host, _ = os.Hostname()
	line, err := json.Marshal(ev)
	if err != nil {
		return
	}
	path := e.store.logPath()
	if atomicfile.Own(path) != nil {
		return
	}
	if info, err := os.Lstat(path); err == nil && info.Size() > maxLog {
		e.store.shorten(path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unfollowed, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(append(line, '\n')) // in one write, so that events of several processes do not mix
}

// shorten drops the older half of the log. An event that another process adds at that very
// moment may be lost.
func (s *Store) shorten(path string) {
	b, err := atomicfile.ReadOwn(path, 4*maxLog)
	if err != nil {
		return
	}
	_, rest, _ := bytes.Cut(b[len(b)/2:], []byte("\n"))
	_, _ = atomicfile.Write(path, rest, 0o600)
}

// Events returns the log of the state directory, the oldest event first. Lines that are no
// events are left out.
func (s *Store) Events() []Event {
	b, err := atomicfile.ReadOwn(s.logPath(), 4*maxLog)
	if err != nil {
		return nil
	}
	var list []Event
	for line := range bytes.Lines(b) {
		var ev Event
		if json.Unmarshal(line, &ev) == nil && ev.Profile != "" {
			list = append(list, ev)
		}
	}
	return list
}
