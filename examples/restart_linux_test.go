package examples

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// server is a command that runs longer than a token lives. server writes to log each
// start with its token, and how it ended, and starts a child process.
const server = `#!/bin/sh
echo "start $SPOTIFY_ACCESS_TOKEN" >>log
sleep 300 &
echo "pids $$ $!" >>log
trap 'echo term >>log; kill $!; exit 0' TERM
trap 'echo hup >>log' HUP
trap 'echo int >>log; exit 7' INT
while :; do sleep 0.05; done
`

// supervised is a running tokenform exec with server as its command.
type supervised struct {
	*testing.T
	dir string
	cmd *exec.Cmd
	err fmt.Stringer // the output of tokenform, in a file that the command may keep open
}

func supervise(t *testing.T, life time.Duration, script string, args ...string) *supervised {
	t.Helper()
	_, url := spotify(t, sandbox.Options{AnyApp: true, TokenLife: life})
	s := &supervised{T: t, dir: t.TempDir()}
	write(t, filepath.Join(s.dir, "tokenform.yaml"), "profile: dev\nclient: {id: app, secret: hush-hush}\ngrant: client_credentials\nmin_ttl: 1s\n")
	write(t, filepath.Join(s.dir, "server"), script)
	if err := os.Chmod(filepath.Join(s.dir, "server"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(program, append(append([]string{"exec"}, args...), "--", "./server")...)
	s.err = said(filepath.Join(s.dir, "stderr"))
	stderr, err := os.Create(filepath.Join(s.dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = s.dir, surroundings(s.dir, url), stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

// said is the path of a file with the output of a process.
type said string

func (p said) String() string {
	b, _ := os.ReadFile(string(p))
	return string(b)
}

func (s *supervised) log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(b)
}

// until waits for n lines in the log that begin with word.
func (s *supervised) until(word string, n int) {
	s.Helper()
	for range 400 {
		if strings.Count("\n"+s.log(), "\n"+word) >= n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.Fatalf("no %d times %s:\n%s\n%s", n, word, s.log(), s.err.String())
}

func (s *supervised) end() int {
	s.Helper()
	done := make(chan bool)
	go func() { _ = s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		s.Fatalf("exec does not end\n%s\n%s", s.log(), s.err.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// left returns those processes in the log that are still alive.
func (s *supervised) left() (pids []int) {
	for line := range strings.Lines(s.log()) {
		words := strings.Fields(line)
		if words[0] != "pids" {
			continue
		}
		for _, word := range words[1:] {
			pid, _ := strconv.Atoi(word)
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err == nil && !strings.Contains(string(status), ") Z ") {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func (s *supervised) alone() {
	s.Helper()
	var pids []int
	for range 100 {
		if pids = s.left(); len(pids) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.Errorf("left: %v\n%s", pids, s.log())
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// TestExecRestart checks that a command is restarted with each new token, and that
// everything which the command has started ends with it.
func TestExecRestart(t *testing.T) {
	t.Parallel()
	s := supervise(t, 3*time.Second, server, "--restart")
	s.until("start", 3)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.end(); code != 0 {
		t.Errorf("exit %d\n%s", code, s.err.String())
	}
	s.alone()
	starts := map[string]bool{}
	for line := range strings.Lines(s.log()) {
		if strings.HasPrefix(line, "start BQ") {
			starts[line] = true
		}
	}
	if n := strings.Count(s.log(), "start "); len(starts) != n || strings.Count(s.log(), "term") != n {
		t.Errorf("%d tokens, %d starts\n%s", len(starts), n, s.log())
	}
}

// TestExecRestartTrouble checks commands that do not end, or end at once, and other signals.
func TestExecRestartTrouble(t *testing.T) {
	t.Parallel()
	t.Run("ignores SIGTERM", func(t *testing.T) {
		t.Parallel()
		s := supervise(t, 3*time.Second, "#!/bin/sh\ntrap '' TERM\necho start >>log\necho pids $$ >>log\nwhile :; do sleep 0.05; done\n", "--restart", "--grace", "200ms")
		s.until("start", 2)
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		time.Sleep(500 * time.Millisecond)
		if n := len(s.left()); n != 1 {
			t.Errorf("%d commands at work", n) // a signal goes on to the command, and does nothing else
		}
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		for _, pid := range s.left() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	t.Run("ends by itself", func(t *testing.T) {
		t.Parallel()
		s := supervise(t, time.Hour, "#!/bin/sh\necho start >>log\nexit 3\n", "--restart")
		if code := s.end(); code != 3 || strings.Count(s.log(), "start") != 1 {
			t.Errorf("exit %d\n%s", code, s.log())
		}
	})
	t.Run("is killed", func(t *testing.T) {
		t.Parallel()
		s := supervise(t, time.Hour, "#!/bin/sh\nkill -9 $$\n", "--restart")
		if code := s.end(); code != 128+9 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("is missing", func(t *testing.T) {
		t.Parallel()
		s := supervise(t, time.Hour, "#!/nowhere/sh\n", "--restart")
		if code := s.end(); code != 126 || !strings.Contains(s.err.String(), "cannot run ./server") {
			t.Errorf("exit %d\n%s", code, s.err.String())
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		s := supervise(t, time.Hour, server, "--restart")
		s.until("pids", 1)
		_ = s.cmd.Process.Signal(syscall.SIGINT)
		if code := s.end(); code != 7 || strings.Contains(s.log(), "term") {
			t.Errorf("exit %d\n%s", code, s.log())
		}
		s.alone() // the child is gone, too
	})
}

// TestExecSignal checks that a command gets a signal with each new token, and goes on.
func TestExecSignal(t *testing.T) {
	t.Parallel()
	s := supervise(t, 3*time.Second, server, "--signal", "SIGHUP")
	s.until("hup", 2)
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if code := s.end(); code != 0 || strings.Count(s.log(), "start") != 1 {
		t.Errorf("exit %d\n%s", code, s.log())
	}
	s.alone()
}

// TestExecKilled kills tokenform at random moments. The command must end too, and the
// next run must continue without a person.
func TestExecKilled(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			s := supervise(t, 2*time.Second, strings.Replace(server, "sleep 300 &", "sleep 0.01 &", 1), "--restart")
			time.Sleep(time.Duration(i) * 350 * time.Millisecond)
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
			s.alone()
		})
	}
}

// TestExecServer runs the server of examples/server for several tokens' lives, restarted and
// signalled, and asks it all the time: it never sends a token that has expired.
func TestExecServer(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	for _, how := range [][]string{{"--restart"}, {"--signal", "HUP"}} {
		t.Run(how[0], func(t *testing.T) {
			t.Parallel()
			_, url := spotify(t, sandbox.Options{AnyApp: true, TokenLife: 8 * time.Second})
			dir := t.TempDir()
			profile, err := os.ReadFile("server/tokenform.yaml")
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "tokenform.yaml"), string(profile)+"min_ttl: 4s\n")
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := listener.Addr().String()
			_, port, _ := net.SplitHostPort(address)
			listener.Close()
			script, err := filepath.Abs("server/server.mjs")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, append(append([]string{"exec"}, how...), "--", "node", script)...)
			cmd.Dir = dir
			cmd.Env = surroundings(dir, url, "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush", "SPOTIFY_API_URL="+url, "PORT="+port)
			stderr, err := os.Create(filepath.Join(dir, "stderr"))
			if err != nil {
				t.Fatal(err)
			}
			defer stderr.Close()
			cmd.Stderr = stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()

			client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			pids, answers := map[string]bool{}, 0
			for end := time.Now().Add(14 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				answer, err := client.Get("http://" + address)
				if err != nil {
					continue // between two servers, or before the first
				}
				answer.Body.Close()
				answers++
				if pids[answer.Header.Get("X-Pid")] = true; answer.StatusCode != 200 {
					t.Errorf("the server answers %s", answer.Status)
				}
			}
			if answers < 20 || (len(pids) > 1) != (how[0] == "--restart") {
				t.Errorf("%d answers by %d servers\n%s", answers, len(pids), said(stderr.Name()))
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, said(stderr.Name()))
			}
		})
	}
}
