package keeper

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
)

// etcdNode is a member of a cluster that a test has started.
type etcdNode struct {
	t    *testing.T
	url  string
	path string
	args []string
	log  string
	cmd  *exec.Cmd
}

func (n *etcdNode) start() {
	n.t.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	n.cmd = exec.Command(n.path, n.args...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *etcdNode) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Error(err)
	}
}

func (n *etcdNode) kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// startEtcd starts a cluster, and waits until it has a leader. client is for the waiting.
func startEtcd(t *testing.T, members int, scheme string, client *http.Client, more ...string) []*etcdNode {
	t.Helper()
	path, err := exec.LookPath("etcd")
	if err != nil {
		if os.Getenv("TOKENFORM_TEST_STORES") == "require" {
			t.Fatal("etcd is not installed")
		}
		t.Skip("etcd is not installed (Debian: etcd-server)")
	}
	var held []net.Listener
	var free []string
	for tries := 0; len(free) < 2*members && tries < 1000; tries++ {
		// Linux gives ports from 32768 on to whoever asks for any port, so that a member
		// that is killed and started again might find its own taken.
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+mathrand.IntN(22000))); err == nil {
			held, free = append(held, l), append(free, l.Addr().String())
		}
	}
	if len(free) < 2*members {
		t.Fatal("no free ports")
	}
	for _, l := range held {
		l.Close()
	}
	var cluster []string
	for i := range members {
		cluster = append(cluster, fmt.Sprintf("m%d=http://%s", i, free[members+i]))
	}
	dir := t.TempDir()
	var nodes []*etcdNode
	for i := range members {
		url, peer := scheme+"://"+free[i], "http://"+free[members+i]
		n := &etcdNode{t: t, url: url, path: path, log: filepath.Join(dir, fmt.Sprintf("m%d.log", i)), args: append([]string{
			"--name", fmt.Sprintf("m%d", i), "--data-dir", filepath.Join(dir, fmt.Sprintf("m%d", i)),
			"--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-token", dir, "--logger", "zap",
		}, more...)}
		n.start()
		t.Cleanup(n.kill)
		nodes = append(nodes, n)
	}
	t.Cleanup(func() {
		for _, n := range nodes {
			if b, _ := os.ReadFile(n.log); t.Failed() {
				t.Logf("%s:\n%s", n.log, b[max(0, len(b)-2000):])
			}
		}
	})
	for _, n := range nodes {
		etcdUp(t, client, n)
	}
	return nodes
}

// etcdUp waits until a member knows a leader.
func etcdUp(t *testing.T, client *http.Client, n *etcdNode) {
	t.Helper()
	eventually(t, 20*time.Second, func() bool { _, leader := etcdStatus(client, n); return leader != "" && leader != "0" })
}

func etcdStatus(client *http.Client, n *etcdNode) (id, leader string) {
	var s struct {
		Header struct {
			ID string `json:"member_id"`
		}
		Leader string
	}
	if body, err := etcdPost(client, n.url, "/v3/maintenance/status", `{}`); err == nil {
		_ = json.Unmarshal(body, &s)
	}
	return s.Header.ID, s.Leader
}

func etcdPost(client *http.Client, url, path, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, got)
	}
	return got, err
}

func etcdLeader(t *testing.T, nodes []*etcdNode) *etcdNode {
	t.Helper()
	var found *etcdNode
	eventually(t, 20*time.Second, func() bool {
		for _, n := range nodes {
			if id, leader := etcdStatus(http.DefaultClient, n); id != "" && id == leader {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

func eventually(t *testing.T, within time.Duration, done func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s", within)
		}
	}
}

func etcdURLs(nodes []*etcdNode) []string {
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.url)
	}
	return urls
}

var etcdMe = Owner{Command: "apply", Who: "user@host (process 4711)", TTL: 10 * time.Second}

// TestEtcd checks everything that a cluster of three members does.
func TestEtcd(t *testing.T) {
	t.Parallel()
	nodes := startEtcd(t, 3, "http", http.DefaultClient)
	open := func(t *testing.T, prefix string, urls ...string) *etcd {
		return openTestEtcd(t, config.Store{Endpoints: slices.Concat(urls, etcdURLs(nodes)), Prefix: prefix})
	}
	ctx := t.Context()

	t.Run("requests", func(t *testing.T) {
		count := func(what string, want int32, f func(k *etcd) error) {
			t.Helper()
			var n atomic.Int32
			k := open(t, "requests/")
			k.http = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				n.Add(1)
				return http.DefaultTransport.RoundTrip(r)
			})}
			if err := f(k); err != nil || n.Load() != want {
				t.Errorf("%s: %d requests, want %d; %v", what, n.Load(), want, err)
			}
		}
		var lease *Lease
		count("lock", 2, func(k *etcd) (err error) { lease, err = k.Lock(ctx, "a", etcdMe); return err })
		count("held", 4, func(k *etcd) error {
			_, err := k.Lock(ctx, "a", etcdMe)
			by, ok := errors.AsType[*HeldError](err)
			if !ok || by.ID != lease.ID || by.By != "tokenform apply by user@host (process 4711)" || time.Since(by.Since).Abs() > time.Minute || time.Until(by.Until) < 5*time.Second || time.Until(by.Until) > 11*time.Second {
				return fmt.Errorf("%+v, %w", by, err)
			}
			return nil
		})
		revision := ""
		count("write", 1, func(k *etcd) (err error) {
			revision, err = k.Write(ctx, "a", []byte(`{"serial":1}`), "", lease)
			return err
		})
		count("read", 1, func(k *etcd) error {
			item, err := k.Read(ctx, "a")
			if string(item.Data) != `{"serial":1}` || item.Revision != revision {
				return fmt.Errorf("%s, revision %s, want %s; %w", item.Data, item.Revision, revision, err)
			}
			return err
		})
		count("delete", 1, func(k *etcd) error { return k.Delete(ctx, "a", revision, lease) })
		count("read nothing", 1, func(k *etcd) error {
			item, err := k.Read(ctx, "a")
			if item.Revision != "" || item.Data != nil {
				t.Errorf("deleted, and there is %v", item)
			}
			return err
		})
		release := open(t, "requests/")
		if lease.Left(time.Now()) < 9*time.Second {
			t.Errorf("the lease has %s left", lease.Left(time.Now()))
		}
		if err := errors.Join(lease.Release(ctx), lease.Release(ctx)); err != nil || lease.Left(time.Now()) != 0 {
			t.Errorf("released twice: %v; %s left", err, lease.Left(time.Now()))
		}
		if l, err := release.Lock(ctx, "a", etcdMe); err != nil {
			t.Error(err)
		} else if err := l.Release(ctx); err != nil {
			t.Error(err)
		}
	})

	t.Run("changed and lost", func(t *testing.T) {
		k, other := open(t, "lost/"), open(t, "lost/")
		owner := etcdMe
		owner.TTL = 3 * time.Second
		lease, err := k.Lock(ctx, "a", owner)
		if err != nil {
			t.Fatal(err)
		}
		revision, err := k.Write(ctx, "a", []byte(`{"serial":1}`), "", lease)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"", "1", "99999999", `"etag"`, "-"} {
			if _, err := k.Write(ctx, "a", []byte(`{"serial":1}`), wrong, lease); !errors.Is(err, ErrChanged) {
				t.Errorf("Write with revision %q: %v", wrong, err)
			}
			if err := k.Delete(ctx, "a", wrong, lease); !errors.Is(err, ErrChanged) {
				t.Errorf("Delete with revision %q: %v", wrong, err)
			}
		}
		// The lease is kept alive.
		time.Sleep(owner.TTL + 3*time.Second/2)
		if _, err := other.Lock(ctx, "a", owner); !errors.As(err, new(*HeldError)) {
			t.Errorf("a lock that is kept alive: %v", err)
		}
		if revision, err = k.Write(ctx, "a", []byte(`{"serial":2}`), revision, lease); err != nil {
			t.Error(err)
		}
		// Somebody takes the lock away.
		for id, want := range map[string]string{"1": "the lock has another id: tokenform apply by user@host (process 4711) holds the lock " + lease.ID, "x": "not the id"} {
			if err := other.Unlock(ctx, "a", id); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Unlock of %q: %v", id, err)
			}
		}
		if err := other.Unlock(ctx, "a", lease.ID); err != nil {
			t.Fatal(err)
		}
		if err := other.Unlock(ctx, "a", lease.ID); err == nil || !strings.Contains(err.Error(), "nobody holds the lock") {
			t.Errorf("Unlock again: %v", err)
		}
		select {
		case <-lease.Lost:
		case <-time.After(owner.TTL):
			t.Error("the lease does not say that it was lost")
		}
		if _, err := k.Write(ctx, "a", []byte(`{"serial":3}`), revision, lease); !errors.Is(err, ErrLost) {
			t.Errorf("Write without the lock: %v", err)
		}
		if err := k.Delete(ctx, "a", revision, lease); !errors.Is(err, ErrLost) {
			t.Errorf("Delete without the lock: %v", err)
		}
		next, err := other.Lock(ctx, "a", owner)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Write(ctx, "a", []byte(`{"serial":3}`), revision, lease); !errors.Is(err, ErrLost) {
			t.Errorf("Write with the lock of another: %v", err)
		}
		if err := lease.Release(ctx); err != nil { // of a lock that is another's by now
			t.Error(err)
		}
		if _, err := other.Write(ctx, "a", []byte(`{"serial":3}`), revision, next); err != nil {
			t.Errorf("the second holder: %v", err)
		}
		// A holder that is gone holds others up for as long as its lease.
		id, _ := etcdParseID(next.ID)
		other.stop(id)
		began := time.Now()
		eventually(t, 8*time.Second, func() bool {
			l, err := k.Lock(ctx, "a", owner)
			return err == nil && l.Release(ctx) == nil
		})
		t.Logf("the lock of a dead holder, with a TTL of %s, was free after %s", owner.TTL, time.Since(began).Round(time.Millisecond))
	})

	t.Run("names", func(t *testing.T) {
		k := open(t, "names/")
		var want []string
		var wait sync.WaitGroup
		for i := range 1010 {
			name := fmt.Sprintf("profile-%04d", i)
			want = append(want, name)
			wait.Go(func() {
				if _, err := k.Write(ctx, name, []byte(`{"serial":1}`), "", nil); err != nil {
					t.Error(err)
				}
			})
			if i%20 == 0 {
				wait.Wait()
			}
		}
		wait.Wait()
		for _, neighbour := range []string{"names", "names0", "other/names/"} {
			if _, err := open(t, neighbour).Write(ctx, "a", []byte(`{"serial":1}`), "", nil); err != nil {
				t.Error(err)
			}
		}
		for _, key := range want[:3] {
			lease, err := k.Lock(ctx, key, etcdMe)
			if err != nil {
				t.Fatal(err)
			}
			defer lease.Release(ctx)
		}
		if got, err := k.Names(ctx); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d names, want %d; %v", len(got), len(want), err)
		}
		if got, err := open(t, "").Names(ctx); err != nil || !slices.Contains(got, "namesa") || !slices.Contains(got, "names/profile-0001") {
			t.Errorf("without a prefix: %d names; %v", len(got), err)
		}
		if got, err := open(t, "nothing/").Names(ctx); err != nil || len(got) != 0 {
			t.Errorf("nothing there: %v, %v", got, err)
		}
	})

	t.Run("races", func(t *testing.T) {
		for round := range 5 {
			prefix := fmt.Sprintf("race%d/", round)
			var wrote, locked atomic.Int32
			var wait sync.WaitGroup
			for i := range 20 {
				k := open(t, prefix)
				wait.Go(func() {
					_, err := k.Write(ctx, "a", fmt.Appendf(nil, `{"serial":1,"by":%d}`, i), "", nil)
					switch {
					case err == nil:
						wrote.Add(1)
					case !errors.Is(err, ErrChanged):
						t.Error(err)
					}
					_, err = k.Lock(ctx, "a", etcdMe)
					switch {
					case err == nil:
						locked.Add(1)
					case !errors.As(err, new(*HeldError)):
						t.Error(err)
					}
				})
			}
			wait.Wait()
			if wrote.Load() != 1 || locked.Load() != 1 {
				t.Errorf("%d have written, and %d have the lock, want one", wrote.Load(), locked.Load())
			}
		}
	})

	// An answer gets lost: the request was done, and its client does not know.
	t.Run("lost answers", func(t *testing.T) {
		var lose atomic.Value // the path of which one answer is lost
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got, _ := etcdPost(http.DefaultClient, nodes[0].url, r.URL.Path, string(body))
			if lose.CompareAndSwap(r.URL.Path, "") {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write(got)
		}))
		defer proxy.Close()
		k := open(t, "answers/", proxy.URL)
		losing := func(path string) {
			k.mu.Lock() // the lease is being kept alive
			defer k.mu.Unlock()
			k.first = 0
			lose.Store(path)
		}

		losing("/v3/kv/txn")
		lease, err := k.Lock(ctx, "a", etcdMe)
		if err != nil {
			t.Fatal(err)
		}
		losing("/v3/kv/txn")
		revision, err := k.Write(ctx, "a", []byte(`{"serial":1}`), "", lease)
		if item, rerr := k.Read(ctx, "a"); err != nil || rerr != nil || item.Revision != revision {
			t.Errorf("Write: revision %q of %v; %v, %v", revision, item, err, rerr)
		}
		losing("/v3/kv/txn")
		if _, err := k.Write(ctx, "a", []byte(`{"serial":2}`), "1", lease); !errors.Is(err, ErrChanged) {
			t.Errorf("Write with a wrong revision: %v", err)
		}
		losing("/v3/kv/txn")
		if err := k.Delete(ctx, "a", revision, lease); err != nil {
			t.Errorf("Delete: %v", err)
		}
		losing("/v3/kv/txn")
		if err := k.Unlock(ctx, "a", lease.ID); err != nil {
			t.Errorf("Unlock: %v", err)
		}
		losing("/v3/lease/revoke")
		if err := lease.Release(ctx); err != nil {
			t.Errorf("Release: %v", err)
		}
		if lose.Load() != "" {
			t.Error("an answer was not lost")
		}
	})

	// The leader is killed and comes back, while four machines count.
	t.Run("leader killed", func(t *testing.T) { etcdCounting(t, nodes, open) })

	t.Run("member stopped", func(t *testing.T) {
		k := open(t, "stopped/")
		lead := etcdLeader(t, nodes)
		k.first = slices.Index(nodes, lead)
		revision, err := k.Write(ctx, "a", []byte(`{"serial":1}`), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		lead.signal(syscall.SIGSTOP)
		began := time.Now()
		revision, err = k.Write(ctx, "a", []byte(`{"serial":2}`), revision, nil)
		first := time.Since(began)
		_, rerr := k.Read(ctx, "a")
		second := time.Since(began) - first
		lead.signal(syscall.SIGCONT)
		if err != nil || rerr != nil || first > 10*time.Second || second > etcdPatience {
			t.Errorf("%v, %v", err, rerr)
		}
		t.Logf("leader stopped: a write took %s, a read afterwards %s", first.Round(time.Millisecond), second.Round(time.Millisecond))

		etcdUp(t, http.DefaultClient, lead)
		follower := nodes[(slices.Index(nodes, etcdLeader(t, nodes))+1)%3]
		k.first = slices.Index(nodes, follower)
		follower.signal(syscall.SIGSTOP)
		began = time.Now()
		_, err = k.Write(ctx, "a", []byte(`{"serial":3}`), revision, nil)
		first = time.Since(began)
		follower.signal(syscall.SIGCONT)
		if err != nil || first > 5*time.Second {
			t.Error(err)
		}
		t.Logf("follower stopped: a write took %s", first.Round(time.Millisecond))
		etcdUp(t, http.DefaultClient, follower)

		follower.kill()
		k.first = slices.Index(nodes, follower)
		began = time.Now()
		if _, err := k.Read(ctx, "a"); err != nil || time.Since(began) > etcdPatience {
			t.Error(err)
		}
		t.Logf("follower killed: a read took %s", time.Since(began).Round(time.Millisecond))
		follower.start()
		etcdUp(t, http.DefaultClient, follower)
	})

	t.Run("quorum lost", func(t *testing.T) {
		k := open(t, "quorum/")
		revision, err := k.Write(ctx, "a", []byte(`{"serial":1}`), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		nodes[0].kill()
		nodes[1].kill()
		for _, what := range []string{"write", "read"} {
			began := time.Now()
			if what == "read" {
				_, err = k.Read(ctx, "a")
			} else {
				_, err = k.Write(ctx, "a", []byte(`{"serial":2}`), revision, nil)
			}
			took := time.Since(began)
			if fault.KindOf(err) != fault.Temporary || took > etcdTime+time.Second {
				t.Errorf("%s: %v", what, err)
			}
			t.Logf("quorum lost: a %s took %s: %v; hint: %s", what, took.Round(time.Millisecond), err, fault.HintOf(err))
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		began := time.Now()
		if _, err := k.Read(short, "a"); fault.KindOf(err) != fault.Temporary || time.Since(began) > 3*time.Second {
			t.Errorf("with a deadline of 1 s, after %s: %v", time.Since(began), err)
		}
		nodes[0].start()
		nodes[1].start()
		for _, n := range nodes {
			etcdUp(t, http.DefaultClient, n)
		}
		item, err := k.Read(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Write(ctx, "a", []byte(`{"serial":3}`), item.Revision, nil); err != nil {
			t.Error(err)
		}
	})
}

// etcdCounting increments a number 200 times from four machines, while the leader is
// killed and comes back: each increment is counted once. Two of the machines take no
// lock, so that only the revision stands between them and the others.
func etcdCounting(t *testing.T, nodes []*etcdNode, open func(*testing.T, string, ...string) *etcd) {
	type counter struct {
		Serial int      `json:"serial"`
		IDs    []string `json:"ids"`
	}
	var count, unknown, lost, changed atomic.Int32
	var longest atomic.Int64
	var wait sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
	defer cancel()
	increment := func(k *etcd, id string, locked bool) error {
		began := time.Now()
		defer func() { longest.Store(max(longest.Load(), int64(time.Since(began)))) }()
		var lease *Lease
		if locked {
			var err error
			if lease, err = k.Lock(ctx, "n", etcdMe); err != nil {
				return err
			}
			defer lease.Release(ctx)
		}
		item, err := k.Read(ctx, "n")
		if err != nil {
			return err
		}
		var c counter
		if item.Data != nil {
			if err := json.Unmarshal(item.Data, &c); err != nil {
				t.Error(err)
			}
		}
		if slices.Contains(c.IDs, id) {
			unknown.Add(1) // done by the write before, whose answer was lost until others had written too
			return nil
		}
		c.Serial, c.IDs = c.Serial+1, append(c.IDs, id)
		data, _ := json.Marshal(c)
		_, err = k.Write(ctx, "n", data, item.Revision, lease)
		return err
	}
	for machine := range 4 {
		k := open(t, "count/")
		k.first = machine % 3
		wait.Go(func() {
			for i := range 50 {
				for {
					err := increment(k, fmt.Sprintf("%d-%d", machine, i), machine < 2)
					if err == nil {
						break
					}
					switch {
					case errors.Is(err, ErrLost):
						lost.Add(1)
					case errors.Is(err, ErrChanged):
						changed.Add(1)
					case errors.As(err, new(*HeldError)):
						time.Sleep(5 * time.Millisecond)
					case fault.KindOf(err) == fault.Temporary && ctx.Err() == nil:
						t.Logf("machine %d: %v", machine, err)
					default:
						t.Error(err)
						return
					}
				}
				count.Add(1)
			}
		})
	}
	reached := func(n int32) {
		t.Helper()
		for count.Load() < n {
			if ctx.Err() != nil {
				t.Fatalf("%d increments in time", count.Load())
			}
			time.Sleep(time.Millisecond)
		}
	}
	reached(50)
	lead := etcdLeader(t, nodes)
	lead.kill()
	reached(130)
	lead.start()
	wait.Wait()
	etcdUp(t, http.DefaultClient, lead)

	item, err := open(t, "count/").Read(t.Context(), "n")
	var c counter
	if err != nil || json.Unmarshal(item.Data, &c) != nil {
		t.Fatal(err)
	}
	slices.Sort(c.IDs)
	if c.Serial != 200 || len(c.IDs) != 200 || len(slices.Compact(c.IDs)) != 200 {
		t.Errorf("counted to %d, with %d increments", c.Serial, len(c.IDs))
	}
	t.Logf("200 increments: %d unknown, %d leases lost, %d changed; the longest took %s", unknown.Load(), lost.Load(), changed.Load(), time.Duration(longest.Load()).Round(time.Millisecond))
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// etcdCA makes certificates.
type etcdCA struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newEtcdCA makes a CA, whose certificate is in dir/NAME.pem.
func newEtcdCA(t *testing.T, dir, name string) *etcdCA {
	ca := &etcdCA{t: t, dir: dir}
	ca.make(name, true)
	return ca
}

// make makes dir/NAME.pem and dir/NAME.key for this machine.
func (ca *etcdCA) make(name string, authority bool) (cert, key string) {
	ca.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{name}}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: authority,
	}
	parent, signer := ca.cert, ca.key
	if authority {
		parent, signer = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		ca.t.Fatal(err)
	}
	if authority {
		ca.cert, _ = x509.ParseCertificate(der)
		ca.key = private
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(private)
	cert, key = filepath.Join(ca.dir, name+".pem"), filepath.Join(ca.dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			ca.t.Fatal(err)
		}
	}
	return cert, key
}

// TestEtcdSecured checks client certificates, and users whose role ends at the prefix.
func TestEtcdSecured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, foreign := newEtcdCA(t, dir, "ca"), newEtcdCA(t, dir, "foreign")
	serverCert, serverKey := ca.make("server", false)
	cert, key := ca.make("client", false)
	badCert, badKey := foreign.make("stranger", false)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}}
	nodes := startEtcd(t, 1, "https", client, "--cert-file", serverCert, "--key-file", serverKey, "--client-cert-auth", "--trusted-ca-file", filepath.Join(dir, "ca.pem"))
	ctx := t.Context()
	good := config.Store{Endpoints: etcdURLs(nodes), Prefix: "tokens/", CA: filepath.Join(dir, "ca.pem"), Cert: cert, Key: key}
	with := func(change func(*config.Store)) *etcd {
		t.Helper()
		s := good
		change(&s)
		return openTestEtcd(t, s)
	}
	refused := func(k *etcd, kind fault.Kind, want, hint string) {
		t.Helper()
		_, err := k.Read(ctx, "a")
		t.Logf("%v\n\thint: %s", err, fault.HintOf(err))
		if err == nil || fault.KindOf(err) != kind || !strings.Contains(err.Error(), want) || !strings.Contains(fault.HintOf(err), hint) || strings.Contains(err.Error()+fault.HintOf(err), "hush") {
			t.Errorf("%v %v, want %v with %q and the hint %q", fault.KindOf(err), err, kind, want, hint)
		}
	}

	k := with(func(*config.Store) {})
	revision, err := k.Write(ctx, "a", []byte(`{"serial":1}`), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	refused(with(func(s *config.Store) { s.Cert, s.Key = "", "" }), fault.Failed, "TLS failed", "client certificate")
	refused(with(func(s *config.Store) { s.Cert, s.Key = badCert, badKey }), fault.Failed, "TLS failed", "client certificate")
	refused(with(func(s *config.Store) { s.CA = filepath.Join(dir, "foreign.pem") }), fault.Failed, "signed by an unknown authority", "ca must be")
	refused(with(func(s *config.Store) { s.CA = "" }), fault.Failed, "signed by an unknown authority", "ca must be")
	refused(with(func(s *config.Store) { s.Endpoints = []string{"http" + strings.TrimPrefix(nodes[0].url, "https")} }), fault.Temporary, "it closed the connection", "https if etcd uses TLS")

	refused(with(func(s *config.Store) { s.Username, s.Password = "app", config.Literal("hush-right") }), fault.Failed, "authentication is not enabled", "remove username and password")
	for _, step := range []string{
		`user/add {"name":"root","password":"hush-root"}`, `role/add {"name":"root"}`, `user/grant {"user":"root","role":"root"}`,
		`role/add {"name":"tokens"}`, `role/grant {"name":"tokens","perm":{"permType":"READWRITE","key":"dG9rZW5zLw==","range_end":"dG9rZW5zMA=="}}`,
		`user/add {"name":"app","password":"hush-right"}`, `user/grant {"user":"app","role":"tokens"}`,
		`user/add {"name":"none","password":"hush-none"}`, `enable {}`,
	} {
		path, body, _ := strings.Cut(step, " ")
		if _, err := etcdPost(client, nodes[0].url, "/v3/auth/"+path, body); err != nil {
			t.Fatal(step, err)
		}
	}
	refused(k, fault.Failed, "asks for a user", "add username and password")
	refused(with(func(s *config.Store) { s.Username, s.Password = "app", config.Literal("hush-wrong") }), fault.Failed, "the user app, or the password, is wrong", "check username")
	refused(with(func(s *config.Store) { s.Username, s.Password = "nobody", config.Literal("hush-wrong") }), fault.Failed, "the user nobody, or the password, is wrong", "check username")
	refused(with(func(s *config.Store) { s.Username, s.Password = "none", config.Literal("hush-none") }), fault.Failed, "permission denied", "readwrite 'tokens/'")
	refused(with(func(s *config.Store) {
		s.Username, s.Password, s.Prefix = "app", config.Literal("hush-right"), "other/"
	}), fault.Failed, "permission denied", "readwrite 'other/'")

	k = with(func(s *config.Store) { s.Username, s.Password = "app", config.Literal("hush-right") })
	lease, err := k.Lock(ctx, "a", etcdMe)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Lock(ctx, "a", etcdMe); !errors.As(err, new(*HeldError)) {
		t.Error(err)
	}
	if revision, err = k.Write(ctx, "a", []byte(`{"serial":2}`), revision, lease); err != nil {
		t.Error(err)
	}
	if names, err := k.Names(ctx); err != nil || !slices.Equal(names, []string{"a"}) {
		t.Errorf("%v, %v", names, err)
	}
	nodes[0].kill()
	nodes[0].start()
	if revision, err = k.Write(ctx, "a", []byte(`{"serial":3}`), revision, lease); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	k.token = "hush.1"
	if item, err := k.Read(ctx, "a"); err != nil || item.Revision != revision {
		t.Errorf("with a damaged token: %v", err)
	}
	if err := lease.Release(ctx); err != nil {
		t.Error(err)
	}
	if log, _ := os.ReadFile(nodes[0].log); bytes.Contains(log, []byte("hush-right")) {
		t.Error("the password is in etcd's log")
	}
}
