package examples

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// engine is a real store that a test has started. runners reach it by three networks, each
// of which can be cut.
type engine struct {
	name  string
	state func(network int) string // as in a profile
	env   []string
	cut   func(network int, off bool)
	upset func(luck int) // harms the store itself and mends it; nil means that the store is left alone

	endpoints []string                            // host:port of the store's own servers
	attach    func(t *testing.T, spotify string)  // called once with the stand-in's address; may be nil
	inside    func(network int) (prefix []string) // the command that runs a command in a network; nil means none
}

const networks = 3

// relay passes connections on to an address until it is cut: then it is silent, as a
// network that loses every packet.
type relay struct {
	to  string
	off atomic.Bool
	net.Listener
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{to: to, Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(c)
		}
	}()
	return r
}

func (r *relay) pass(c net.Conn) {
	defer c.Close()
	r.wait()
	up, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		defer up.Close()
		r.copy(up, c)
	}()
	r.copy(c, up)
}

func (r *relay) wait() {
	for r.off.Load() {
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *relay) copy(to io.Writer, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		r.wait()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// relays returns an address for each network that leads to the same place.
func relays(t *testing.T, to string) []*relay {
	t.Helper()
	var list []*relay
	for range networks {
		list = append(list, newRelay(t, to))
	}
	return list
}

func cutAll(all ...[]*relay) func(int, bool) {
	return func(network int, off bool) {
		for _, list := range all {
			list[network].off.Store(off)
		}
	}
}

// engineProgram returns the path of a program, or skips the test.
func engineProgram(t *testing.T, name, from string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("TOKENFORM_TEST_STORES") == "require" {
			t.Fatal(name + " is not installed; .ci/run installs it")
		}
		t.Skip(name + " is not installed (" + from + ")")
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// background starts a program that dies with the test.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := startBound(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// startBound starts a program that dies with this process. Linux counts the death of the
// thread that started it, so one thread, which never ends, starts all of them: other tests
// end theirs.
func startBound(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	starter() <- func() { done <- cmd.Start() }
	return <-done
}

var starter = sync.OnceValue(func() chan func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range work {
			start()
		}
	}()
	return work
})

func listening(t *testing.T, address string) {
	t.Helper()
	for range 400 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("nobody listens at %s", address)
}

// folderEngine is a store of type command.
func folderEngine(t *testing.T) engine {
	engineProgram(t, "flock", "Debian: util-linux")
	script, err := filepath.Abs("testdata/stores/folder")
	if err != nil {
		t.Fatal(err)
	}
	return engine{
		name:  "command",
		state: func(int) string { return "{type: command, command: [" + script + "], lock_ttl: 10s}" },
		env:   []string{"STORE_DIR=" + t.TempDir()},
	}
}

// versitygw starts an S3 store with the bucket tokens, which is in dir.
func versitygw(t *testing.T) (dir, endpoint string) {
	t.Helper()
	path := engineProgram(t, "versitygw", "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	dir, address := t.TempDir(), freeAddress(t)
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--quiet", "--keep-alive", "--port", address, "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=access", "ROOT_SECRET_KEY=hush-hush-s3")
	background(t, cmd)
	listening(t, address)
	return dir, "http://" + address
}

// s3Engine is versitygw.
func s3Engine(t *testing.T) engine {
	_, endpoint := versitygw(t)
	by := relays(t, strings.TrimPrefix(endpoint, "http://"))
	return engine{
		name: "s3",
		state: func(network int) string {
			return fmt.Sprintf("{type: s3, bucket: tokens, prefix: logins/, endpoint: 'http://%s', path_style: true, lock_ttl: 10s}", by[network].Addr())
		},
		env: []string{"AWS_ACCESS_KEY_ID=access", "AWS_SECRET_ACCESS_KEY=hush-hush-s3"},
		cut: cutAll(by),
	}
}

// etcdEngine is a cluster of three.
func etcdEngine(t *testing.T) engine {
	path := engineProgram(t, "etcd", "Debian: etcd-server")
	dir := t.TempDir()
	var clients, peers, cluster []string
	for i := range 3 {
		clients, peers = append(clients, freeAddress(t)), append(peers, freeAddress(t))
		cluster = append(cluster, fmt.Sprintf("m%d=http://%s", i, peers[i]))
	}
	var mu sync.Mutex
	members := make([]*exec.Cmd, 3)
	start := func(i int) {
		cmd := exec.Command(path,
			"--name", fmt.Sprint("m", i), "--data-dir", filepath.Join(dir, fmt.Sprint("m", i)), "--logger", "zap",
			"--listen-client-urls", "http://"+clients[i], "--advertise-client-urls", "http://"+clients[i],
			"--listen-peer-urls", "http://"+peers[i], "--initial-advertise-peer-urls", "http://"+peers[i],
			"--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-token", dir)
		if err := startBound(cmd); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		members[i] = cmd
	}
	stop := func(i int) {
		mu.Lock()
		defer mu.Unlock()
		_ = members[i].Process.Kill()
		_ = members[i].Wait()
	}
	for i := range 3 {
		start(i)
		t.Cleanup(func() { stop(i) })
	}
	leader := func() int {
		for i, c := range clients {
			resp, err := http.Post("http://"+c+"/v3/maintenance/status", "application/json", strings.NewReader("{}"))
			if err != nil {
				continue
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if id := field(t, b, "leader"); id != "" && strings.Contains(string(b), `"member_id":"`+id+`"`) {
				return i
			}
		}
		return -1
	}
	for range 400 {
		if leader() >= 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var by [][]*relay
	for _, c := range clients {
		by = append(by, relays(t, c))
	}
	return engine{
		name:      "etcd",
		endpoints: clients,
		state: func(network int) string {
			var list []string
			for _, r := range by {
				list = append(list, "'http://"+r[network].Addr().String()+"'")
			}
			return "{type: etcd, endpoints: [" + strings.Join(list, ", ") + "], prefix: /tokenform/, lock_ttl: 10s}"
		},
		cut: cutAll(by...),
		upset: func(int) {
			if i := leader(); i >= 0 { // killed, and brought back
				stop(i)
				time.Sleep(2 * time.Second)
				start(i)
			}
		},
	}
}
