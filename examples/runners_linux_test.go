package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// mint is a stand-in whose refresh tokens work once, and which notes every grant.
type mint struct {
	*sandbox.Server
	url string

	// harm is called with the process that asked for a refresh, before the answer, and
	// returns what to do after the answer.
	harm func(pid int) (after func())

	mu     sync.Mutex
	given  []minted
	used   map[string]bool
	logins int
	live   map[int]bool // the processes that may ask
}

// asker returns the process at the other end of a connection, or 0.
func (g *mint) asker(r *http.Request) int {
	_, port, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(port)
	table, _ := os.ReadFile("/proc/net/tcp")
	inode := ""
	for _, line := range strings.Split(string(table), "\n") {
		if f := strings.Fields(line); len(f) > 9 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
			inode = "socket:[" + f[9] + "]"
		}
	}
	g.mu.Lock()
	live := slices.Collect(maps.Keys(g.live))
	g.mu.Unlock()
	for _, pid := range live {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			if to, _ := os.Readlink(link); to == inode && inode != "" {
				return pid
			}
		}
	}
	return 0
}

// minted is a refresh token that was given.
type minted struct {
	refresh string
	at      time.Time
}

func newMint(t *testing.T, life time.Duration) *mint {
	t.Helper()
	g := &mint{used: map[string]bool{}, live: map[int]bool{}, Server: sandbox.New(sandbox.Options{AnyApp: true, RotateAll: true, AutoConsent: true, TokenLife: life, Now: time.Now})}
	front := httptest.NewServer(g)
	t.Cleanup(front.Close)
	g.url = front.URL
	return g
}

func (g *mint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/token" {
		g.Server.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	g.Server.ServeHTTP(rec, r) // parses the form
	var answer struct {
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(rec.Body.Bytes(), &answer) == nil && rec.Code == http.StatusOK {
		g.mu.Lock()
		g.given = append(g.given, minted{answer.Refresh, time.Now()})
		g.used[r.PostForm.Get("refresh_token")] = true
		if r.PostForm.Get("grant_type") == "authorization_code" {
			g.logins++
		}
		harm := g.harm
		g.mu.Unlock()
		if r.PostForm.Get("grant_type") == "refresh_token" && harm != nil {
			if pid := g.asker(r); pid != 0 {
				if after := harm(pid); after != nil {
					defer after()
				}
			}
		}
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
	_ = http.NewResponseController(w).Flush() // before the harm
}

// alive notes that a process may ask, or no longer.
func (g *mint) alive(pid int, yes bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if yes {
		g.live[pid] = true
	} else {
		delete(g.live, pid)
	}
}

// lost returns the mint that nobody has stored: their refresh tokens were never used, and
// none of them is last, the one in the store.
func (g *mint) lost(last string) []minted {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.given), func(x minted) bool { return g.used[x.refresh] || x.refresh == last })
}

// life is a run of a process.
type life struct {
	start, end time.Time
	killed     bool
}

// TestRunners lets fifty runners share one login through each store, while some of them are
// killed, some sleep past the end of their locks, and networks are cut.
// TOKENFORM_RUNNERS is the number of seconds for each store.
func TestRunners(t *testing.T) { // alone: fifty processes at once disturb the clocks of other tests
	if testing.Short() {
		t.Skip("takes a minute")
	}
	seconds := 12
	if n, err := strconv.Atoi(os.Getenv("TOKENFORM_RUNNERS")); err == nil {
		seconds = n
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { runners(t, e.start(t), time.Duration(seconds)*time.Second) })
	}
}

// engines start the stores.
var engines = []struct {
	name  string
	start func(*testing.T) engine
}{{"command", folderEngine}, {"s3", s3Engine}, {"etcd", etcdEngine}, {"http", httpEngine}}

const (
	runnerCount = 50
	tokenLife   = 5 * time.Second
	runnerTTL   = 2 * time.Second // of min_ttl
)

func runners(t *testing.T, e engine, duration time.Duration) {
	server := newMint(t, tokenLife)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	if e.attach != nil {
		e.attach(t, server.url)
	}
	root := t.TempDir()
	home := func(i int) string { return filepath.Join(root, fmt.Sprint("runner", i)) }
	command := func(i int, args ...string) (*exec.Cmd, *bytes.Buffer) {
		argv := append([]string{program}, args...)
		if e.inside != nil {
			argv = append(e.inside(i%networks), argv...)
		}
		cmd, stderr := exec.Command(argv[0], argv[1:]...), &bytes.Buffer{}
		cmd.Dir, cmd.Stderr = home(i), stderr
		cmd.Env = append(surroundings(home(i), server.url, "BROWSER="+robot(t)), e.env...)
		return cmd, stderr
	}
	for i := range runnerCount {
		if err := os.Mkdir(home(i), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(home(i), "tokenform.yaml"), fmt.Sprintf("profile: dev\nclient: {id: app}\nredirect_uri: http://127.0.0.1/callback\nmin_ttl: %s\nstate: %s\n", runnerTTL, e.state(i%networks)))
	}
	login := func() {
		for try := 0; ; try++ {
			cmd, stderr := command(0, "apply", "--login", "browser", "--quiet")
			err := cmd.Run()
			if err == nil {
				return
			}
			if try == 3 || cmd.ProcessState.ExitCode() != 5 { // a network may just be cut
				t.Fatalf("login: %v\n%s", err, stderr)
			}
		}
	}
	login()

	var (
		mu        sync.Mutex
		lives     []life
		codes     = map[int]int{}
		waits     []time.Duration
		succeeded atomic.Int64 // when a runner last had a token, in Unix time
		complaint string
		stopped   atomic.Int64
		naps      []time.Time
	)
	succeeded.Store(time.Now().UnixNano())
	begun := time.Now()
	end := begun.Add(duration)
	var wg sync.WaitGroup
	for i := range runnerCount {
		wg.Go(func() {
			luck := rand.New(rand.NewPCG(seed, uint64(i)))
			time.Sleep(time.Duration(luck.Int64N(int64(2 * time.Second))))
			for time.Now().Before(end) {
				cmd, stderr := command(i, "token", "--lock-timeout", "25s", "--quiet")
				var out bytes.Buffer
				cmd.Stdout = &out
				x := life{start: time.Now()}
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				server.alive(cmd.Process.Pid, true)
				done := make(chan struct{})
				var hands sync.WaitGroup
				if luck.IntN(100) < 5 {
					hands.Go(func() {
						select {
						case <-done:
						case <-time.After(time.Duration(luck.Int64N(int64(20 * time.Millisecond)))):
							_ = cmd.Process.Kill()
						}
					})
				}
				_ = cmd.Wait()
				close(done)
				server.alive(cmd.Process.Pid, false)
				hands.Wait()
				x.end = time.Now()
				code := cmd.ProcessState.ExitCode()
				x.killed = code == -1
				mu.Lock()
				lives = append(lives, x)
				codes[code]++
				waits = append(waits, x.end.Sub(x.start))
				if code == 0 && out.Len() > 20 {
					succeeded.Store(time.Now().UnixNano())
				}
				if code != 0 && code != -1 && code != 4 && code != 5 || code == 0 && out.Len() < 20 {
					complaint = fmt.Sprintf("exit %d\n%s\n%s", code, out.String(), stderr)
				}
				mu.Unlock()
				time.Sleep(500*time.Millisecond + time.Duration(luck.Int64N(int64(time.Second))))
			}
		})
	}
	// The world around them.
	var aimed atomic.Int64
	fate := rand.New(rand.NewPCG(seed, 1<<33))
	server.mu.Lock()
	server.harm = func(pid int) func() {
		mu.Lock()
		defer mu.Unlock()
		nap := time.Duration(fate.Int64N(int64(4 * time.Millisecond)))
		switch luck := fate.IntN(100); {
		case luck < 25: // killed while it stores the token, or after
			aimed.Add(1)
			return func() { time.Sleep(nap); _ = syscall.Kill(pid, syscall.SIGKILL) }
		case luck < 40: // asleep, before it has read the answer, for longer than lock_ttl
			// A request has ten seconds: the answer may come too late for a process that
			// sleeps longer.
			stopped.Add(1)
			naps = append(naps, time.Now())
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			time.AfterFunc(11*time.Second, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
		}
		return nil
	}
	server.mu.Unlock()
	world := rand.New(rand.NewPCG(seed, 1<<32))
	logins := 0
	for time.Now().Before(end) {
		time.Sleep(3 * time.Second)
		network := world.IntN(networks)
		if e.cut != nil {
			e.cut(network, true)
		}
		if e.upset != nil && world.IntN(3) == 0 {
			e.upset(world.Int())
		} else {
			time.Sleep(1500 * time.Millisecond)
		}
		if e.cut != nil {
			e.cut(network, false)
		}
		if quiet := time.Since(time.Unix(0, succeeded.Load())); quiet > 16*time.Second { // longer than a sleeper with a rotated token sleeps
			// Kills and sleep may follow each other; only a login that is refused is lost.
			if status, _ := command(0, "status", "--quiet"); status.Run() != nil && status.ProcessState.ExitCode() == 4 {
				logins++
				login()
			}
			succeeded.Store(time.Now().UnixNano())
		}
	}
	wg.Wait()
	server.mu.Lock()
	server.harm = nil
	server.mu.Unlock()
	took := time.Since(begun)

	// What is left must work. If the last login was lost, nobody can use it.
	time.Sleep(200 * time.Millisecond)
	final, stderr := command(1, "token", "--min-ttl", "6s", "--quiet")
	if err := final.Run(); err != nil {
		logins++
		t.Logf("the last login is lost: %s", stderr)
		login()
	}
	pull, stderr := command(2, "state", "pull", "dev")
	kept, err := pull.Output()
	if err != nil {
		t.Fatalf("pull: %v\n%s", err, stderr)
	}
	lost := server.lost(field(t, kept, "refresh_token"))
	asleep := 0
	for _, x := range lost {
		if slices.ContainsFunc(naps, func(n time.Time) bool { d := n.Sub(x.at); return d >= 0 && d < time.Second }) {
			asleep++
		} else if !slices.ContainsFunc(lives, func(l life) bool { return l.killed && !x.at.Before(l.start) && !x.at.After(l.end) }) {
			t.Errorf("the login of %s is lost, and no process was killed or asleep then", x.at.Format(time.StampMilli))
		}
	}
	if logins > len(lost) {
		t.Errorf("%d logins were needed, and only %d are explained", logins, len(lost))
	}
	if complaint != "" {
		t.Error(complaint)
	}
	server.mu.Lock()
	refreshes := len(server.given) - server.logins
	server.mu.Unlock()
	if most := int(took/(tokenLife-runnerTTL)) + 2 + 2*len(lost) + logins; refreshes > most {
		t.Errorf("%d refreshes in %s: more than one per expiry", refreshes, took.Round(time.Second))
	}
	slices.Sort(waits)
	t.Logf("%s: %d runners, %d runs in %s: exits %v; %d killed, %d of them aimed; %d asleep past their lock; %d refreshes, %d logins needed, grants lost in the window: %d to kills, %d to sleep; run: median %s, worst %s",
		e.name, runnerCount, len(lives), took.Round(time.Second), codes, codes[-1], aimed.Load(), stopped.Load(), refreshes, logins, len(lost)-asleep, asleep, waits[len(waits)/2].Round(time.Millisecond), waits[len(waits)-1].Round(time.Millisecond))
	if codes[0] < runnerCount || refreshes < 1 {
		t.Errorf("that was no test: exits %v, %d refreshes", codes, refreshes)
	}
	storing(t, e, command)
}

var answered = regexp.MustCompile(`(?m)^(?:debug: )?\d{3}.* after (\S+)`)

// storing measures how long the store takes to take a token: the window in which a killed
// process loses the login.
func storing(t *testing.T, e engine, command func(int, ...string) (*exec.Cmd, *bytes.Buffer)) {
	var all []time.Duration
	for range 9 {
		cmd, stderr := command(3, "token", "--min-ttl", "6s", "--debug")
		if err := cmd.Run(); err != nil {
			t.Logf("%s: %v\n%s", e.name, err, stderr)
			return
		}
		_, after, ok := strings.Cut(stderr.String(), "/api/token")
		if !ok {
			t.Logf("%s: no refresh\n%s", e.name, stderr)
			return
		}
		found := answered.FindAllStringSubmatch(after, -1)
		if len(found) < 2 {
			return // a store of type command sends no requests
		}
		d, err := time.ParseDuration(found[1][1])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	slices.Sort(all)
	t.Logf("%s: from the answer to the grant to the store's: median %s, worst %s", e.name, all[len(all)/2], all[len(all)-1])
}
