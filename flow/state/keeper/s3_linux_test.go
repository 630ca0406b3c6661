package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
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

// versity starts an S3 store with one bucket, tokens, in a directory.
func versity(t *testing.T) (endpoint string, process *os.Process) {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		if os.Getenv("TOKENFORM_TEST_STORES") == "require" {
			t.Fatal("versitygw is not installed; .ci/run installs it")
		}
		t.Skip("versitygw is not installed; .ci/run installs it")
	}
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/tokens", 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.Command(program, "--quiet", "--keep-alive", "--port", address, "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s3Access, "ROOT_SECRET_KEY="+s3Secret)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("versitygw:\n%s", said.String())
		}
	})
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address, cmd.Process
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("versitygw does not listen")
	return "", nil
}

// TestS3 checks the whole life of logins and locks against a real store.
func TestS3(t *testing.T) {
	t.Parallel()
	endpoint, process := versity(t)
	ctx := t.Context()

	t.Run("conformance", func(t *testing.T) {
		testKeeper(t, func(t *testing.T) Keeper {
			k, _ := s3At(t, endpoint, func(s *config.Store, _ *Options) { s.Prefix = "conformance/" })
			return k
		})
	})

	t.Run("life", func(t *testing.T) {
		k, n := s3At(t, endpoint, nil)
		cost := func(what string, want int64) {
			t.Helper()
			if got := n.Swap(0); got != want {
				t.Errorf("%s took %d requests, want %d", what, got, want)
			}
		}
		const key = "dev@127.0.0.1:8080+é a" // what is odd in a name is percent-encoded
		item, err := k.Read(ctx, key)
		if err != nil || item.Revision != "" {
			t.Fatalf("a new login: %+v %v", item, err)
		}
		cost("Read", 1)
		lease := s3Lease(t, k, key, "a@one", time.Minute)
		cost("the first Lock", 2)
		one, err := k.Write(ctx, key, []byte(`{"serial":1}`), "", lease)
		if err != nil || one == "" {
			t.Fatalf("first write: %q %v", one, err)
		}
		cost("Write", 1)
		if _, err := k.Write(ctx, key, []byte(`{"serial":7}`), "", lease); err != ErrChanged {
			t.Errorf("a second first write: %v", err)
		}
		n.Store(0)
		two, err := k.Write(ctx, key, []byte(`{"serial":2}`), one, lease)
		if err != nil || two == one {
			t.Fatalf("second write: %q %v", two, err)
		}
		cost("Write", 1)
		if again, err := k.Write(ctx, key, []byte(`{"serial":2}`), one, lease); err != nil || again != two {
			t.Errorf("the same write, whose answer was lost: %q %v", again, err)
		}
		if _, err := k.Write(ctx, key, []byte(`{"serial":3}`), one, lease); err != ErrChanged {
			t.Errorf("write over a newer one: %v", err)
		}
		item, err = k.Read(ctx, key)
		if err != nil || string(item.Data) != `{"serial":2}` || item.Revision != two {
			t.Errorf("read: %+v %v", item, err)
		}
		if names, err := k.Names(ctx); err != nil || !slices.Contains(names, key) {
			t.Errorf("names: %q %v", names, err)
		}
		if err := k.Delete(ctx, key, one, lease); err != ErrChanged {
			t.Errorf("delete of a newer one: %v", err)
		}
		n.Store(0)
		if err := k.Delete(ctx, key, two, lease); err != nil {
			t.Fatal(err)
		}
		cost("Delete", 2)
		if _, err := k.Write(ctx, key, []byte(`{"serial":3}`), two, lease); err != ErrChanged {
			t.Errorf("write over a deleted one: %v", err)
		}
		if item, err := k.Read(ctx, key); err != nil || item.Revision != "" {
			t.Errorf("read of a deleted one: %+v %v", item, err)
		}
		n.Store(0)
		release(t, lease)
		cost("Release", 1)
		second := s3Lease(t, k, key, "a@one", time.Minute)
		cost("a later Lock", 1)
		release(t, lease) // sent again: it must not take the second lock away
		if _, err := k.Lock(ctx, key, s3Owner("b@two", time.Minute)); err == nil {
			t.Error("releasing twice took somebody else's lock away")
		}
		release(t, second)
		if _, err := k.Write(ctx, key, []byte(`{"serial":1}`), "", &Lease{Until: time.Now()}); err != ErrLost {
			t.Errorf("write without a lease: %v", err)
		}
	})

	t.Run("lock", func(t *testing.T) {
		one, _ := s3At(t, endpoint, nil)
		two, n := s3At(t, endpoint, nil)
		first := s3Lease(t, one, "dev", "a@one", 2*time.Second)
		_, err := two.Lock(ctx, "dev", s3Owner("b@two", time.Minute))
		held, ok := errors.AsType[*HeldError](err)
		if !ok || held.ID != first.ID || held.By != "tokenform apply by a@one" || time.Since(held.Since).Abs() > 3*time.Second || held.Until.Sub(held.Since) != 2*time.Second {
			t.Fatalf("held: %#v", err)
		}
		if got := n.Swap(0); got != 2 {
			t.Errorf("a Lock that is held took %d requests, want 2", got)
		}
		began := time.Now()
		var second *Lease
		for second == nil {
			second, err = two.Lock(ctx, "dev", s3Owner("b@two", time.Minute))
			if time.Since(began) > 10*time.Second {
				t.Fatalf("the lock did not end: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if first.Left(time.Now()) > 0 {
			t.Error("the lock was taken over while it held")
		}
		if b := second.Broken; b == nil || b.ID != first.ID || b.By != "tokenform apply by a@one" {
			t.Errorf("broken: %+v", second.Broken)
		}
		release(t, first) // does nothing: the lock is another machine's
		if _, err := one.Lock(ctx, "dev", s3Owner("a@one", time.Minute)); err == nil {
			t.Fatal("the release of a lost lock released another's")
		}
		if _, err := one.Write(ctx, "dev", []byte(`{"serial":1}`), "", first); err != ErrLost {
			t.Errorf("write after the lease: %v", err)
		}
		if err := one.Unlock(ctx, "dev", first.ID); err == nil || !strings.Contains(err.Error(), "no lock with this id") {
			t.Errorf("unlock with an old id: %v", err)
		}
		if err := one.Unlock(ctx, "dev", second.ID); err != nil {
			t.Fatal(err)
		}
		third := s3Lease(t, one, "dev", "a@one", time.Minute)
		if third.Broken != nil {
			t.Errorf("a free lock was called broken: %+v", third.Broken)
		}
		release(t, second) // taken away by hand: the condition of the request must hold the third
		if _, err := two.Lock(ctx, "dev", s3Owner("b@two", time.Minute)); err == nil {
			t.Error("the release of an unlocked lock released another's")
		}
		release(t, third)
		if err := one.Unlock(ctx, "dev", third.ID); err == nil {
			t.Error("a lock that is not there was unlocked")
		}
	})

	t.Run("race", func(t *testing.T) {
		const writers = 20
		keepers := make([]Keeper, writers)
		for i := range keepers {
			keepers[i], _ = s3At(t, endpoint, nil)
		}
		for round := range 10 {
			key := fmt.Sprint("race", round%2) // a new one, then over what is there
			item, err := keepers[0].Read(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			var locks, writes atomic.Int64
			var wg sync.WaitGroup
			start := make(chan bool)
			for i, k := range keepers {
				wg.Go(func() {
					<-start
					lease, err := k.Lock(ctx, key, s3Owner(fmt.Sprint("machine", i), time.Minute))
					if err == nil && lease.Broken == nil {
						locks.Add(1)
					} else if _, held := errors.AsType[*HeldError](err); !held {
						t.Errorf("lock: %v", err)
					}
					// A writer that believes in a lock of its own.
					_, err = k.Write(ctx, key, fmt.Appendf(nil, `{"serial":%d}`, round*100+i), item.Revision, &Lease{Until: time.Now().Add(time.Minute)})
					if err == nil {
						writes.Add(1)
					} else if err != ErrChanged {
						t.Errorf("write: %v", err)
					}
				})
			}
			close(start)
			wg.Wait()
			if locks.Load() != 1 || writes.Load() != 1 {
				t.Errorf("round %d: %d locks and %d writes won, want one of each", round, locks.Load(), writes.Load())
			}
			held := &HeldError{}
			_, err = keepers[0].Lock(ctx, key, s3Owner("end", time.Minute))
			if !errors.As(err, &held) || keepers[0].Unlock(ctx, key, held.ID) != nil {
				t.Errorf("the winner's lock: %v", err)
			}
		}
	})

	t.Run("takeover race", func(t *testing.T) {
		const machines = 20
		k, _ := s3At(t, endpoint, nil)
		s3Lease(t, k, "old", "dead@one", time.Second)
		time.Sleep(3 * time.Second)
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range machines {
			k, _ := s3At(t, endpoint, nil)
			wg.Go(func() {
				if _, err := k.Lock(ctx, "old", s3Owner(fmt.Sprint(i), time.Minute)); err == nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d machines took the lock over, want 1", won.Load())
		}
	})

	t.Run("names", func(t *testing.T) {
		k, n := s3At(t, endpoint, func(s *config.Store, _ *Options) { s.Prefix = "many & <odd>/" })
		lease := &Lease{ID: "all", Until: time.Now().Add(time.Hour)}
		var want []string
		var wg sync.WaitGroup
		limit := make(chan bool, 8)
		for i := range 1100 {
			key := fmt.Sprintf("p%04d", i)
			want = append(want, key)
			wg.Go(func() {
				limit <- true
				defer func() { <-limit }()
				if _, err := k.Write(ctx, key, []byte(`{"serial":1}`), "", lease); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s3Lease(t, k, "p0000", "a@one", time.Minute) // a lock is no login
		n.Store(0)
		names, err := k.Names(ctx)
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%d names, want %d: %v", len(names), len(want), err)
		}
		if n.Load() != 3 {
			t.Errorf("%d requests, want 3", n.Load())
		}
		outer, _ := s3At(t, endpoint, func(s *config.Store, _ *Options) { s.Prefix = "" })
		if names, err := outer.Names(ctx); err != nil || len(names) != 0 {
			t.Errorf("names without a prefix has logins of prefixes: %d, %v", len(names), err)
		}
		none, _ := s3At(t, endpoint, func(s *config.Store, _ *Options) { s.Prefix = "none/" })
		if names, err := none.Names(ctx); err != nil || len(names) != 0 {
			t.Errorf("names of nothing: %q, %v", names, err)
		}
	})

	t.Run("wrong", func(t *testing.T) {
		for name, c := range map[string]struct {
			change func(*config.Store, *Options)
			kind   fault.Kind
			says   string
		}{
			"bucket": {func(s *config.Store, _ *Options) { s.Bucket = "nowhere" }, fault.Failed, "the s3 bucket nowhere: there is no such bucket at 127.0.0.1"},
			"secret": {func(s *config.Store, _ *Options) { s.SecretKey = s3Key("hush-hush-wrong", 8) }, fault.Failed, "the secret key from dev.yaml:8:5 does not fit the access key from dev.yaml:7:5"},
			"key":    {func(s *config.Store, _ *Options) { s.AccessKey = s3Key("AKIDHUSH", 7) }, fault.Failed, "it does not know the access key from dev.yaml:7:5"},
			"region": {func(s *config.Store, _ *Options) { s.Region = "eu-north-1" }, fault.Failed, "it is not in the region eu-north-1"},
		} {
			k, _ := s3At(t, endpoint, c.change)
			_, readErr := k.Read(ctx, "dev")
			_, lockErr := k.Lock(ctx, "dev", s3Owner("a@one", time.Minute))
			_, namesErr := k.Names(ctx)
			_, writeErr := k.Write(ctx, "dev", []byte(`{"serial":1}`), `"old"`, &Lease{Until: time.Now().Add(time.Minute)})
			for call, err := range map[string]error{"read": readErr, "lock": lockErr, "names": namesErr, "write": writeErr} {
				checkWords(t, name+", "+call, err, c.kind, c.says)
			}
			t.Logf("%s: %v\n\thint: %s", name, readErr, fault.HintOf(readErr))
		}
	})

	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute, 30 * time.Minute, -time.Hour} {
		t.Run("clock off by "+off.String(), func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(off) }
			k, n := s3At(t, endpoint, func(_ *config.Store, o *Options) { o.Now = now })
			right, _ := s3At(t, endpoint, nil)
			key := "clock" + off.String()
			lease := s3Lease(t, k, key, "a@wrong", time.Minute)
			if left := lease.Left(now()); left < 50*time.Second || left > time.Minute {
				t.Errorf("the lease holds for %s", left)
			}
			n.Store(0)
			if _, err := k.Write(ctx, key, []byte(`{"serial":1}`), "", lease); err != nil || n.Load() != 1 {
				t.Errorf("write: %v, %d requests", err, n.Load())
			}
			_, err := right.Lock(ctx, key, s3Owner("b@right", time.Minute))
			if held, ok := errors.AsType[*HeldError](err); !ok || time.Since(held.Since).Abs() > 5*time.Second {
				t.Errorf("a right machine: %v", err)
			}
			release(t, lease)
			taken := s3Lease(t, right, key, "b@right", time.Minute)
			if _, err := k.Lock(ctx, key, s3Owner("a@wrong", time.Minute)); err == nil {
				t.Error("a wrong clock took over a lock that holds")
			}
			release(t, taken)
		})
	}

	t.Run("stopped", func(t *testing.T) { // the last one: the store stops for all
		k, _ := s3At(t, endpoint, func(_ *config.Store, o *Options) {
			*o = s3Options(new(atomic.Int64), 200*time.Millisecond, nil)
		})
		lease := s3Lease(t, k, "stopped", "a@one", time.Minute)
		if err := process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for !stopped(t, process) {
			time.Sleep(time.Millisecond)
		}
		began := time.Now()
		_, err := k.Read(ctx, "stopped")
		checkWords(t, "read", err, fault.Temporary, "does not answer: it took too long")
		_, err = k.Write(ctx, "stopped", []byte(`{"serial":1}`), "", lease)
		checkWords(t, "write", err, fault.Temporary, "does not answer: it took too long")
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		_, err = k.Lock(short, "other", s3Owner("a@one", time.Minute))
		cancel()
		checkWords(t, "lock", err, fault.Temporary, "does not answer")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("three calls took %s", took)
		}
		stop, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := k.Read(stop, "stopped"); fault.KindOf(err) != fault.Interrupted {
			t.Errorf("interrupted: %v", err)
		}
		if err := process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		// The write that nobody waited for may have been done meanwhile. Sent again, it
		// is no change of somebody else.
		if _, err := k.Write(ctx, "stopped", []byte(`{"serial":1}`), "", lease); err != nil {
			t.Errorf("write after all: %v", err)
		}
		release(t, lease)
	})
}

// stopped reports whether every thread of a process has stopped, which takes a moment
// after the signal.
func stopped(t *testing.T, process *os.Process) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", process.Pid))
	if err != nil || len(threads) == 0 {
		t.Fatal("no threads", err)
	}
	for _, thread := range threads {
		if stat, err := os.ReadFile(thread); err == nil && !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return true
}
