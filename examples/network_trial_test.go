package examples

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox/faults"
)

const stateFileName = ".tokenform/dev.json"

// trial is one profile, one directory and one server.
type trial struct {
	t      *testing.T
	server *faults.Server
	dir    string
	url    string   // of the stand-in, or of what is in front of it
	env    []string // more variables

	home string // the accounts server to which the state belongs

	measure bool  // measure the next run
	peak    int64 // of resident memory, in KiB; zero means not measured
}

// moveHome makes the state belong to the server that the next run talks to. The trials
// put things between the program and the server, under other addresses.
func (x *trial) moveHome(env []string) {
	x.t.Helper()
	url := ""
	for _, kv := range env {
		if value, ok := strings.CutPrefix(kv, "TOKENFORM_ACCOUNTS_URL="); ok {
			url = value
		}
	}
	if x.home != "" && x.home != url {
		for _, ext := range []string{".json", ".lock", ".outputs"} {
			from, to := x.file(".tokenform/dev"+at(x.home)+ext), x.file(".tokenform/dev"+at(url)+ext)
			b, err := os.ReadFile(from)
			if err != nil {
				continue
			}
			if err := os.Remove(from); err != nil {
				x.t.Fatal(err)
			}
			write(x.t, to, strings.ReplaceAll(string(b), x.home, url))
		}
	}
	x.home = url
}

func (x *trial) file(name string) string {
	if inState, ok := strings.CutPrefix(name, ".tokenform/"); ok {
		return stateAt(filepath.Join(x.dir, ".tokenform"), inState)
	}
	return filepath.Join(x.dir, name)
}

// apply runs the program. If login is "paste", a person is there, whose browser reaches
// the server whatever is between the server and the program.
func (x *trial) apply(login string, flags ...string) (code int, stderr string) {
	x.t.Helper()
	args := append([]string{"apply", "--login", login, "--login-timeout", "30s"}, flags...)
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = x.dir, append(surroundings(x.dir, x.url, "BROWSER="+robot(x.t)), x.env...)
	x.moveHome(cmd.Env)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		x.t.Fatal(err)
	}
	errs := &listener{}
	errs.on(regexp.MustCompile(`\n  (https?://\S+/authorize\?\S+)\n`), func(address string) {
		if login == "paste" {
			_, _ = io.WriteString(stdin, x.consent(address)+"\n")
		}
	})
	cmd.Stderr = errs
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	var held *pipe
	if x.measure {
		cmd.Args = append(cmd.Args, "--json")
		held = newPipe(x.t)
		cmd.Stdout = held.w
		errs.on(regexp.MustCompile(`\n(error: )`), func(string) {
			x.peak = peak(cmd.Process.Pid)
			held.release(&stdout)
		})
	}
	err = cmd.Start()
	if err == nil {
		if held != nil {
			held.w.Close()
		}
		err = cmd.Wait()
	}
	if cmd.ProcessState == nil {
		x.t.Fatal(err)
	}
	remember(cmd.Args[1:], stdout.String(), errs.text.String())
	return cmd.ProcessState.ExitCode(), errs.text.String()
}

// consent returns where the browser ends if the user agrees at address.
func (x *trial) consent(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		x.t.Error(err)
		return ""
	}
	w := httptest.NewRecorder()
	x.server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, u.RequestURI(), nil))
	return w.Header().Get("Location")
}

// files returns every regular file of the directory with its content.
func (x *trial) files() map[string]string {
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(x.dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(x.dir, name))
		found[unrealm(name)] = string(b)
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return found
}

// forgive moves a refusal to the day before, so that the refresh token may be tried
// again.
func forgive(t testing.TB, path string) {
	t.Helper()
	for _, name := range []string{path, filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tokenform-tmp")} {
		if b, err := os.ReadFile(name); err == nil {
			write(t, name, regexp.MustCompile(`"rejected_at": "[^"]*"`).ReplaceAllString(string(b), `"rejected_at": "2026-01-01T00:00:00Z"`))
		}
	}
}

// compare returns one word for what happened to state.
func compare(before, after string) string {
	var b, a map[string]any
	_ = json.Unmarshal([]byte(before), &b)
	_ = json.Unmarshal([]byte(after), &a)
	delete(b, "server") // see moveHome
	delete(a, "server")
	switch {
	case after == "":
		return "absent"
	case before == after || a != nil && reflect.DeepEqual(a, b):
		return "unchanged"
	case a["access_token"] == nil:
		return "damaged"
	case a["access_token"] != b["access_token"]:
		return "new"
	}
	if a["refresh_token"] != b["refresh_token"] {
		return "rescued" // the refresh token of an answer that is useless otherwise
	}
	rejected := a["rejected_at"] != nil
	for _, m := range []map[string]any{b, a} {
		delete(m, "rejected_at")
		delete(m, "serial")
	}
	if rejected && reflect.DeepEqual(a, b) {
		return "marked"
	}
	return "changed"
}

// listener keeps what is written to it, and calls back once for each text that it waits
// for, when the text is written.
type listener struct {
	text    bytes.Buffer
	waiting []waiting
}

type waiting struct {
	mark *regexp.Regexp
	call func(found string)
}

func (l *listener) on(mark *regexp.Regexp, call func(string)) {
	l.waiting = append(l.waiting, waiting{mark, call})
}

func (l *listener) Write(p []byte) (int, error) {
	n, err := l.text.Write(p)
	l.waiting = slices.DeleteFunc(l.waiting, func(w waiting) bool {
		m := w.mark.FindSubmatch(append([]byte("\n"), l.text.Bytes()...))
		if m != nil {
			w.call(string(m[1]))
		}
		return m != nil
	})
	return n, err
}

// pipe is full from the start, so that a process which writes to the pipe blocks, and
// its memory can be measured, until the pipe is read. (wait4 would report the memory
// without this, but counts the memory of the process from which it was forked: the
// test.)
type pipe struct {
	r, w   *os.File
	filled int64
}

func newPipe(t *testing.T) *pipe {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	p := &pipe{r: r, w: w}
	for p.filled == 0 { // on a busy machine the deadline may come first
		_ = w.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		n, _ := w.Write(make([]byte, 4<<20)) // the write ends at the deadline, when the pipe is full
		p.filled = int64(n)
	}
	return p
}

// release copies what was written after the filling.
func (p *pipe) release(to io.Writer) {
	_, _ = io.CopyN(io.Discard, p.r, p.filled)
	_, _ = io.Copy(to, p.r)
}

// peak returns the most memory that a living process ever had resident, in KiB.
func peak(pid int) int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(number, 10, 64)
	return n
}
