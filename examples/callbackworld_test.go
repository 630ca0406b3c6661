//go:build linux

package examples

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox/faults"
)

// still is a browser that opens nothing. still notes what it was told to open and every
// socket at that moment, and runs until its notes are deleted.
const still = `#!/bin/sh
cat /proc/net/tcp /proc/net/tcp6 >"$NOTES/sockets" 2>/dev/null
printf '%s\n' "$@" >"$NOTES/new"
mv "$NOTES/new" "$NOTES/opened"
while [ -e "$NOTES/opened" ]; do sleep 0.1; done
`

// attempt is an apply whose login waits for its answer.
type attempt struct {
	t         *testing.T
	notes     string
	cmd       *exec.Cmd
	out, errs bytes.Buffer
	ended     chan struct{}

	opened    *url.URL // the address that the browser opened
	authorize *url.URL // the address to which opened leads
}

// begin starts apply in dir with the loosest umask and with core dumps allowed, and
// returns once the browser is running.
func begin(t *testing.T, dir, spotify string, more ...string) *attempt {
	t.Helper()
	w := &attempt{t: t, notes: t.TempDir(), ended: make(chan struct{})}
	browser := filepath.Join(w.notes, "browser")
	if err := os.WriteFile(browser, []byte(still), 0o700); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"apply", "--login", "browser", "--debug"}, more...)
	w.cmd = exec.Command("sh", append([]string{"-c", `umask 0; ulimit -c unlimited; exec "$TOKENFORM" "$@"`, "sh"}, args...)...)
	w.cmd.Dir, w.cmd.Env = dir, surroundings(dir, spotify, "BROWSER="+browser, "NOTES="+w.notes)
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.errs
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.cmd.Wait(); close(w.ended) }()
	t.Cleanup(func() {
		w.cmd.Process.Kill()
		<-w.ended
		remember(args, w.out.String(), w.errs.String())
	})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(w.notes, "opened")); err == nil {
			w.opened, err = url.Parse(strings.TrimSuffix(string(b), "\n"))
			if err != nil || len(w.opened.Path) < 27 || w.opened.RawQuery != "" {
				t.Fatalf("the browser was told to open %q", b)
			}
			status, to, _ := w.get(w.opened.String())
			if w.authorize, err = url.Parse(to); status != 302 || err != nil || w.authorize.Query().Get("state") == "" {
				t.Fatalf("%s leads to %q", w.opened, to)
			}
			return w
		}
		select {
		case <-w.ended:
			t.Fatalf("it ended before a browser was started\n%s", w.errs.String())
		default:
		}
	}
	t.Fatal("no browser was started")
	return nil
}

// get requests address and follows no redirect.
func (w *attempt) get(address string, change ...func(*http.Request)) (status int, location, body string) {
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 10 * time.Second}).RoundTrip(req)
	if err != nil {
		return 0, "", err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Location"), string(b)
}

// agree logs in like a person whose browser opens the callback twice, and looks for
// secrets wherever other users can look.
func (w *attempt) agree(server *faults.Server) {
	w.t.Helper()
	server.Inject("/api/token", faults.Slow(300*time.Millisecond), 1)
	before := server.Count("/api/token")
	_, callback, _ := w.get(w.authorize.String())
	page := make(chan string)
	go func() {
		_, _, body := w.get(callback)
		page <- body
	}()
	reached(w.t, server, "/api/token", before)
	if status, _, body := w.get(callback); status != 409 {
		w.t.Errorf("the same answer again: %d %s", status, body)
	}
	seen := w.commandLines()
	body := <-page
	if !strings.Contains(body, "<h1>Logged in</h1>") {
		w.t.Errorf("the page says %s", body)
	}
	if code := w.end(10 * time.Second); code != 0 {
		w.t.Fatalf("exit %d\n%s", code, w.errs.String())
	}

	u, _ := url.Parse(callback)
	requests := server.Requests()
	last := len(requests) - 1
	for requests[last].Path != "/api/token" {
		last--
	}
	state, err := os.ReadFile(stateAt(filepath.Join(w.cmd.Dir, ".tokenform"), "dev.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range []string{"hush-hush", u.Query().Get("code"), requests[last].Form.Get("code_verifier"), field(w.t, state, "access_token"), field(w.t, state, "refresh_token")} {
		if len(s) < 8 || strings.Contains(seen+body+w.out.String()+w.errs.String()+w.authorize.String(), s) {
			w.t.Errorf("%.8s… shows in\n%s\n%s\n%s", s, seen, body, w.errs.String())
		}
	}
	if strings.Contains(seen+body, u.Query().Get("state")) { // the state belongs in the printed address, and nowhere else
		w.t.Errorf("the state shows in\n%s\n%s", seen, body)
	}
}

// end waits for the exit code.
func (w *attempt) end(within time.Duration) int {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(within):
		w.t.Fatalf("it has not ended after %s", within)
	}
	if conn, err := net.Dial("tcp", w.opened.Host); err == nil {
		conn.Close()
		w.t.Error("somebody still listens")
	}
	return w.cmd.ProcessState.ExitCode()
}

// commandLines returns what ps shows of the program and its descendants.
func (w *attempt) commandLines() string {
	family := map[string]bool{strconv.Itoa(w.cmd.Process.Pid): true}
	all := ""
	for before := 0; before < len(family); {
		before, all = len(family), ""
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, s := range stats {
			b, _ := os.ReadFile(s)
			_, rest, _ := strings.Cut(string(b), ") ")
			pid, parent := strings.Split(s, "/")[2], append(strings.Fields(rest), "", "")[1]
			if family[pid] || family[parent] {
				family[pid] = true
				line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				all += string(line) + "\n"
			}
		}
	}
	if len(family) < 2 {
		w.t.Errorf("only %d processes: %q", len(family), all)
	}
	return all
}

// bound returns the addresses that listened on the login's port when the browser was
// started.
func (w *attempt) bound() (hex []string) {
	b, _ := os.ReadFile(filepath.Join(w.notes, "sockets"))
	port, _ := strconv.Atoi(w.opened.Port())
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if ip, ok := strings.CutSuffix(append(f, "", "")[1], fmt.Sprintf(":%04X", port)); ok && f[3] == "0A" {
			hex = append(hex, ip)
		}
	}
	return hex
}

// portBelow returns a free port that no outgoing connection uses.
func portBelow(t *testing.T, host string) string {
	for range 100 {
		port := strconv.Itoa(10000 + rand.IntN(20000))
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Skip("nothing can listen on " + host)
	return ""
}

// private lists the files of dir and fails if others can read any.
func private(t *testing.T, dir string) (names []string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		name, _ := filepath.Rel(dir, path)
		names = append(names, unrealm(name))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return names
}
