//go:build linux

package examples

import (
	"encoding/binary"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killed runs the program and kills it at the n-th call after the server has got a
// token request, or not at all if there are fewer calls.
func (v *victim) killed(n int, args ...string) (at *call) {
	v.t.Helper()
	cmd, _ := v.command(args...)
	stderr, err := os.CreateTemp(v.t.TempDir(), "") // a file, because trace reads no pipe
	if err != nil {
		v.t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	before := v.server.Count("/api/token")
	code := trace(v.t, cmd, func(c call) bool {
		if at != nil || v.server.Count("/api/token") == before {
			return false
		}
		if n--; n > 0 {
			return false
		}
		at = &c
		return true
	})
	text, _ := os.ReadFile(stderr.Name())
	v.discreet(string(text))
	if (code == 0) == (at != nil) {
		v.t.Fatalf("exit %d\n%s", code, text)
	}
	return at
}

// TestKilledAtEveryStep kills apply at each of its calls on files and sockets, from the
// moment at which the server has used up what the grant needs. After the kill, each
// file must be the old or the new one to the byte. The next apply must leave nothing
// behind, and must not need a person, except if the answer had not been written yet.
func TestKilledAtEveryStep(t *testing.T) {
	traceable(t)
	for _, f := range []struct {
		name  string
		args  []string
		begin func(*victim)
		brief bool // once the new state is in place, the rest is the same as in other cases
	}{
		{"refresh", []string{"apply", "--login", "never"}, func(v *victim) { expire(v.t, v.file(stateFileName)) }, false},
		{"login", []string{"apply", "--login", "browser"}, func(v *victim) { _ = os.Remove(v.file(stateFileName)) }, false},
		{"renewal", []string{"apply", "--login", "browser", "--renew"}, func(*victim) {}, true},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t)
			kills := 0
			var lost []string
			for n := 1; ; n++ {
				f.begin(v)
				before := v.files()
				at := v.killed(n, f.args...)
				if at == nil {
					break
				}
				kills++
				after := v.files()
				if !v.recovers(*at, before, after) {
					lost = append(lost, at.String())
				}
				if f.brief && after[stateFileName] != before[stateFileName] {
					break
				}
			}
			if kills < 10 {
				t.Errorf("only %d kills", kills)
			}
			t.Logf("%d kills, %d of them in the window, at: %s", kills, len(lost), strings.ReplaceAll(strings.Join(lost, ", "), v.dir+"/", ""))
		})
	}
}

// recovers checks what a kill has left, and the next apply. recovers reports whether
// that apply needs no person.
func (v *victim) recovers(at call, before, after map[string]string) bool {
	v.t.Helper()
	code, stderr := v.apply("never")
	written := after[stateFileName] != before[stateFileName] || strings.Contains(after[stateTemporary], `"refresh_token"`)
	if code != 0 && (code != 4 || written) {
		v.t.Errorf("killed at %s: the next apply exits with %d\n%s", at, code, stderr)
	}
	if code != 0 {
		v.must("browser")
	}
	settled := v.files()
	for name, text := range after {
		switch {
		case text == before[name] || text == settled[name]:
		case strings.HasSuffix(name, ".tokenform-tmp") || name == ".tokenform/dev.lock": // no other program reads these files
		case strings.HasPrefix(settled[name], text) && name == ".tokenform/log.jsonl": // the log grows
		case name == stateFileName && compare(settled[name], text) == "changed": // a new login, before its account is known
		default:
			v.t.Errorf("killed at %s: %s is neither old nor new: %d bytes", at, name, len(text))
		}
	}
	want := []string{".env", ".tokenform/.gitignore", stateFileName, ".tokenform/dev.lock", ".tokenform/dev.outputs", ".tokenform/log.jsonl", "token.json", "tokenform.yaml", "web/.env"}
	if names := slices.Sorted(maps.Keys(settled)); !slices.Equal(names, want) {
		v.t.Errorf("killed at %s: after the next apply there is %q", at, names)
	}
	v.settled("killed at " + at.String())
	return code == 0
}

// TestWindow measures, in runs without a tracer or a kill, the time in which a kill
// loses a login: from the arrival of the request, which uses up the refresh token,
// until the answer is written. (The rename takes longer, but a kill before it loses
// nothing: the next run does the rename.)
func TestWindow(t *testing.T) {
	type event struct {
		at   time.Time
		mask uint32 // the mask of inotify(7); zero means that the request arrived
	}
	events := make(chan event, 1000)
	v := newVictim(t)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/token" {
			events <- event{at: time.Now()}
		}
		v.server.ServeHTTP(w, r)
	}))
	defer front.Close()
	v.all = append(v.all, "TOKENFORM_ACCOUNTS_URL="+front.URL)
	if err := os.RemoveAll(v.file(".tokenform")); err != nil { // the state belongs to another server
		t.Fatal(err)
	}
	v.must("browser")
	for len(events) > 0 {
		<-events
	}

	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		t.Skipf("inotify: %v", err)
	}
	watch := os.NewFile(uintptr(fd), "inotify")
	defer watch.Close()
	if _, err := syscall.InotifyAddWatch(fd, v.file(".tokenform"), syscall.IN_MODIFY|syscall.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := watch.Read(b)
			if err != nil {
				return
			}
			now := time.Now()
			for rest := b[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
				events <- event{now, binary.NativeEndian.Uint32(rest[4:])}
				rest = rest[syscall.SizeofInotifyEvent+binary.NativeEndian.Uint32(rest[12:]):]
			}
		}
	}()
	var written, renamed []time.Duration
	for range 20 {
		expire(t, v.file(stateFileName))
		v.must("never")
		var came, w, r time.Time
		for r.IsZero() {
			select {
			case e := <-events:
				switch {
				case e.mask == 0:
					came = e.at
				case came.IsZero(): // not an answer: room was reserved
				case e.mask&syscall.IN_MOVED_TO != 0:
					r = e.at
				case w.IsZero():
					w = e.at
				}
			case <-time.After(10 * time.Second):
				t.Fatal("nothing was renamed")
			}
		}
		if w.IsZero() {
			t.Error("nothing was written before the rename")
		}
		written, renamed = append(written, w.Sub(came)), append(renamed, r.Sub(came))
	}
	slices.Sort(written)
	slices.Sort(renamed)
	t.Logf("the answer is written %d µs after the request came (median of 20; at most %d µs), and in place after %d µs (at most %d µs)",
		written[10].Microseconds(), written[19].Microseconds(), renamed[10].Microseconds(), renamed[19].Microseconds())
}
