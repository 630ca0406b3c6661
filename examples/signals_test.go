//go:build !windows

package examples

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// TestReadInterrupted checks that the first SIGTERM ends a run that waits for a pipe,
// even if the run catches signals.
func TestReadInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, profile string
		args          []string
		fifo          string // empty means standard input
	}{
		{"import from a pipe", "", []string{"import"}, ""},
		{"import --from", "", []string{"import", "--from", "fifo"}, "fifo"},
		{"client.secret", ", secret: {file: fifo}", []string{"apply", "--login", "never"}, "fifo"},
		{"refresh_token", "}\nrefresh_token: {file: fifo", []string{"apply", "--login", "never"}, "fifo"},
		{"token", "}\nrefresh_token: {file: fifo", []string{"token"}, "fifo"},
		{"exec", "}\nrefresh_token: {file: fifo", []string{"exec", "--", "true"}, "fifo"},
		{"watch", "}\nrefresh_token: {file: fifo", []string{"watch"}, "fifo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, url := spotify(t, sandbox.Options{AnyApp: true})
			dir := t.TempDir()
			write(t, filepath.Join(dir, "tokenform.yaml"), "profile: dev\nclient: {id: app"+c.profile+"}\n")
			cmd := exec.Command(program, c.args...)
			cmd.Dir, cmd.Env = dir, surroundings(dir, url)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if c.fifo == "" {
				stdin, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				defer stdin.Close()
			} else if err := syscall.Mkfifo(filepath.Join(dir, c.fifo), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			if c.fifo == "" {
				time.Sleep(300 * time.Millisecond) // nothing shows when standard input is read
			} else { // opening the pipe for writing waits for the reader
				f, err := os.OpenFile(filepath.Join(dir, c.fifo), os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("the read goes on")
			}
			// A run that does not catch signals yet dies of SIGTERM, as it should.
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if code := cmd.ProcessState.ExitCode(); !status.Signaled() && code != 130 && !(code == 0 && c.args[0] == "watch") {
				t.Errorf("exit %d\n%s", code, errs.String())
			}
			if n := server.Count("/api/token"); n != 0 {
				t.Errorf("%d requests", n)
			}
			remember(c.args, "", errs.String())
		})
	}
}

// watched is a running watch and its output.
type watched struct {
	*testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu   sync.Mutex
	said []string
}

// watching starts watch with args in dir.
func watching(t *testing.T, dir, url string, args ...string) *watched {
	t.Helper()
	w := &watched{T: t, cmd: exec.Command(program, append([]string{"watch"}, args...)...)}
	w.cmd.Dir, w.cmd.Env = dir, surroundings(dir, url)
	errs, err := w.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			w.mu.Lock()
			w.said = append(w.said, lines.Text())
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		<-read
		_ = w.cmd.Wait()
		remember(w.cmd.Args, "", w.text())
	})
	return w
}

func (w *watched) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.said, "\n")
}

// says waits until the output has the text what at least times times.
func (w *watched) says(what string, times int) {
	w.Helper()
	for end := time.Now().Add(40 * time.Second); strings.Count(w.text(), what) < times; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%q was not said %d times:\n%s", what, times, w.text())
		}
	}
}

func (w *watched) hangup() {
	w.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		w.Fatal(err)
	}
}

// ends sends SIGTERM, and checks that watch ends with success.
func (w *watched) ends() {
	w.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.Fatal(err)
	}
	w.says("stopped", 1)
}

const service = "profile: dev\nclient: {id: app, secret: hush-hush}\ngrant: client_credentials\n"

// TestWatchHangupAtStart checks that a SIGHUP while watch still reads its profiles
// wakes watch, and does not end it.
func TestWatchHangupAtStart(t *testing.T) {
	t.Parallel()
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.yaml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	w := watching(t, dir, url, "fifo.yaml")
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0) // the open waits until watch reads
	if err != nil {
		t.Fatal(err)
	}
	w.hangup()
	if _, err := f.WriteString(service); err != nil {
		t.Fatal(err)
	}
	f.Close()
	// After the SIGHUP, watch reads the profile again, and waits for a writer. It must
	// end all the same.
	w.says("dev: requested a token", 1)
	w.ends()
}

// TestWatchStandardInput checks that a SIGHUP makes watch read everything again except
// standard input, which can be read only once.
func TestWatchStandardInput(t *testing.T) {
	t.Parallel()
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	w := watching(t, dir, url, "-")
	if _, err := io.WriteString(w.stdin, service); err != nil {
		t.Fatal(err)
	}
	w.stdin.Close()
	w.says("dev: requested a token", 1)
	w.hangup()
	time.Sleep(300 * time.Millisecond) // time for output that should not come
	expire(t, stateAt(filepath.Join(dir, ".tokenform"), "dev.json"))
	w.hangup()
	w.says("dev: requested a token", 2)
	w.ends()
	if strings.Contains(w.text(), "error") {
		t.Error(w.text())
	}
}

// TestWatchNotices checks that watch also watches the files that a profile reads: env
// files, secrets and templates. Files that watch writes itself must not wake it.
func TestWatchNotices(t *testing.T) {
	t.Parallel()
	server, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path(".env"), "ID=first\n")
	write(t, path("page.in"), "one ${access_token}\n")
	write(t, path("secret"), "hush-hush\n")
	write(t, path("tokenform.yaml"), `profile: dev
client: {id: "${ID}", secret: {file: secret}}
grant: client_credentials
env_file: [.env]
outputs:
  - {type: template, path: page, template: page.in}
  - {type: env, path: .env, keys: {access_token: TOKEN}}
`)
	w := watching(t, dir, url)
	w.says("dev: requested a token", 1)
	if n := server.Count("/api/token"); n != 1 {
		t.Errorf("%d requests: its own .env woke watch", n)
	}
	write(t, path("page.in"), "two ${access_token}\n")
	w.says("wrote page", 2)
	if b, err := os.ReadFile(path(".env")); err != nil {
		t.Fatal(err)
	} else {
		write(t, path(".env"), strings.Replace(string(b), "ID=first", "ID=second", 1))
	}
	w.says("dev: requested a token", 2)
	w.ends()
}
