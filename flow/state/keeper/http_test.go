package keeper

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state/keeper/keepertest"
)

// httpServer starts a strict server, and returns its address.
func httpServer(t *testing.T) (*keepertest.HTTPServer, string) {
	t.Helper()
	s := keepertest.NewHTTP(time.Now)
	s.User, s.Password = "tokenform", "hush-hush"
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = nil
	web.Start()
	t.Cleanup(web.Close)
	return s, web.URL
}

// httpAt opens a store as one machine does. change may be nil.
func httpAt(t *testing.T, address string, change func(*config.Store, *Options)) Keeper {
	t.Helper()
	s := config.Store{
		Type: config.HTTPStore, LockTTL: config.DefaultLockTTL, Address: address,
		UpdateMethod: "POST", LockMethod: "LOCK", UnlockMethod: "UNLOCK", Username: "tokenform", Password: config.Literal("hush-hush"),
	}
	o := Options{Now: time.Now, Env: os.LookupEnv, HTTP: func(c *tls.Config) *http.Client {
		client := oauth.NewHTTP(oauth.Options{TLS: c, RetryWaitMin: time.Millisecond, RetryWaitMax: 5 * time.Millisecond, AttemptTimeout: time.Second})
		t.Cleanup(client.CloseIdleConnections)
		return client
	}}
	if change != nil {
		change(&s, &o)
	}
	k, err := Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// asGitLab makes a store of the addresses and methods that GitLab's manual gives.
func asGitLab(s *config.Store, _ *Options) {
	s.LockAddress, s.UnlockAddress = s.Address+"/lock", s.Address+"/lock"
	s.LockMethod, s.UnlockMethod = http.MethodPost, http.MethodDelete
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server func(*keepertest.HTTPServer)
		client func(*config.Store, *Options)
	}{
		"strict":       {func(*keepertest.HTTPServer) {}, nil},
		"decoded":      {func(s *keepertest.HTTPServer) { s.Decoded = true }, nil},
		"keeps locked": {func(s *keepertest.HTTPServer) { s.KeepsLocked = true }, nil},
		"GitLab":       {func(s *keepertest.HTTPServer) { s.GitLab = true }, asGitLab},
		"clock behind": {func(s *keepertest.HTTPServer) { s.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) } }, nil},
		"clock ahead":  {func(s *keepertest.HTTPServer) { s.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, address := httpServer(t)
			c.server(server)
			testKeeper(t, func(t *testing.T) Keeper { return httpAt(t, address+"/state/{profile}", c.client) })
		})
	}
}

// TestHTTPTakesOver checks who is told to have had the lock, and that the lock of another
// program is never broken.
func TestHTTPTakesOver(t *testing.T) {
	t.Parallel()
	const terraform = `{"ID":"f00b9a4c-3c0a-4f3c-9a49-8f4b1d2f4a10","Operation":"OperationTypeApply","Info":"","Who":"root@vm\u001b[2J","Version":"1.10.0","Created":"2020-02-02T02:02:02Z","Path":""}`
	server, address := httpServer(t)
	gitlab, there := httpServer(t)
	gitlab.GitLab = true
	for _, c := range []struct {
		store         Keeper
		server        *keepertest.HTTPServer
		dead, program string
	}{
		{httpAt(t, address+"/dev", nil), server, "tokenform apply by dead", "another program (OperationTypeApply) by root@vm[2J"},
		{httpAt(t, there+"/dev", asGitLab), gitlab, "tokenform by dead", "another program by root@vm[2J"},
	} {
		if _, err := c.store.Lock(t.Context(), "dev", Owner{"apply", "dead", time.Second}); err != nil {
			t.Fatal(err)
		}
		c.server.Pass(3 * time.Second)
		lease, err := c.store.Lock(t.Context(), "dev", Owner{"plan", "two", time.Minute})
		if err != nil || lease.Broken == nil || lease.Broken.By != c.dead {
			t.Fatalf("%v; broken: %v", err, lease.Broken)
		}
		if err := lease.Release(t.Context()); err != nil {
			t.Error(err)
		}
		h := c.store.(*httpStore)
		if a, err := h.send(t.Context(), h.LockMethod, h.LockAddress, []byte(terraform)); err != nil || !a.done() {
			t.Fatal(err)
		}
		_, err = c.store.Lock(t.Context(), "dev", Owner{"plan", "two", time.Minute})
		held, ok := errors.AsType[*HeldError](err)
		if !ok || held.By != c.program || !held.Until.IsZero() || held.Since.Year() != 2020 || held.ID != c.server.Holder("/dev") {
			t.Errorf("the lock of another program: %v, %+v", err, held)
		}
		if err := c.store.Unlock(t.Context(), "dev", held.ID); err != nil {
			t.Error(err)
		}
	}
}

// TestHTTPRaceForDeadLock lets another machine take a lock over between the answer that
// says whose it was and the request that breaks it.
func TestHTTPRaceForDeadLock(t *testing.T) {
	t.Parallel()
	server, address := httpServer(t)
	slow, fast := httpAt(t, address+"/dev", nil), httpAt(t, address+"/dev", nil)
	if _, err := slow.Lock(t.Context(), "dev", Owner{"apply", "dead", time.Second}); err != nil {
		t.Fatal(err)
	}
	server.Pass(3 * time.Second)
	var winner *Lease
	server.Inject("LOCK", keepertest.Then(func() {
		var err error
		if winner, err = fast.Lock(t.Context(), "dev", Owner{"apply", "fast", time.Minute}); err != nil {
			t.Error(err)
		}
	}))
	_, err := slow.Lock(t.Context(), "dev", Owner{"apply", "slow", time.Minute})
	if held, ok := errors.AsType[*HeldError](err); !ok || held.ID != winner.ID || server.Holder("/dev") != winner.ID {
		t.Errorf("the slower machine: %v; the lock is %s, want %s", err, server.Holder("/dev"), winner.ID)
	}
}

// TestHTTPLostAnswers loses the first answer to each request: what was done then must be
// known to be done.
func TestHTTPLostAnswers(t *testing.T) {
	t.Parallel()
	server, address := httpServer(t)
	k := httpAt(t, address+"/dev", nil)
	server.Inject("LOCK", keepertest.Lost)
	lease, err := k.Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute})
	if err != nil || server.Holder("/dev") != lease.ID {
		t.Fatal(err)
	}
	server.Inject("POST", keepertest.Lost)
	revision, err := k.Write(t.Context(), "dev", login(1, "one"), "", lease)
	if err != nil {
		t.Fatal(err)
	}
	// GitLab takes no serial twice.
	server.Inject("POST", keepertest.Lost, keepertest.Says(422, "application/json", `{"message":"Version has already been taken"}`))
	if revision, err = k.Write(t.Context(), "dev", login(2, "two"), revision, lease); err != nil {
		t.Fatal(err)
	}
	// The lock was lost after the write, or every answer.
	server.Inject("POST", keepertest.Lost, keepertest.Says(409, "application/json", `{}`))
	if revision, err = k.Write(t.Context(), "dev", login(3, "three"), revision, lease); err != nil {
		t.Fatal(err)
	}
	server.Inject("POST", keepertest.Lost, keepertest.Lost, keepertest.Lost, keepertest.Lost)
	if revision, err = k.Write(t.Context(), "dev", login(4, "four"), revision, lease); err != nil {
		t.Fatal(err)
	}
	if item, err := k.Read(t.Context(), "dev"); err != nil || item.Revision != revision {
		t.Errorf("%q, %v, want %q", item.Revision, err, revision)
	}
	server.Inject("DELETE", keepertest.Lost)
	if err := k.Delete(t.Context(), "dev", revision, lease); err != nil || server.State("/dev") != nil {
		t.Errorf("%v; the server has %s", err, server.State("/dev"))
	}
	server.Inject("UNLOCK", keepertest.Lost)
	if err := lease.Release(t.Context()); err != nil || server.Holder("/dev") != "" {
		t.Errorf("%v; the lock is %q", err, server.Holder("/dev"))
	}
}

// TestHTTPConcurrentChange changes the state behind the lock's back, and lets leases end.
func TestHTTPConcurrentChange(t *testing.T) {
	t.Parallel()
	server, address := httpServer(t)
	k := httpAt(t, address+"/dev", nil)
	lock := func(ttl time.Duration) *Lease {
		lease, err := k.Lock(t.Context(), "dev", Owner{"apply", "one", ttl})
		if err != nil {
			t.Fatal(err)
		}
		return lease
	}
	lease := lock(time.Minute)
	one, err := k.Write(t.Context(), "dev", login(1, "one"), "", lease)
	if err != nil {
		t.Fatal(err)
	}
	unchanged := func(what string, err, want error, serial int, text string) {
		t.Helper()
		if !errors.Is(err, want) || string(server.State("/dev")) != string(login(serial, text)) {
			t.Errorf("%s: %v; the server has %s", what, err, server.State("/dev"))
		}
	}
	if err := k.Unlock(t.Context(), "dev", lease.ID); err != nil {
		t.Fatal(err)
	}
	_, err = k.Write(t.Context(), "dev", login(2, "two"), one, lease)
	unchanged("a write after an unlock", err, ErrLost, 1, "one")
	unchanged("a delete after an unlock", k.Delete(t.Context(), "dev", one, lease), ErrLost, 1, "one")
	lease = lock(time.Minute)
	server.Put("/dev", login(7, "foreign"))
	_, err = k.Write(t.Context(), "dev", login(2, "two"), one, lease)
	unchanged("a write over a change without the lock", err, ErrChanged, 7, "foreign")
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	lease = lock(3 * time.Second) // a little less is left
	server.Requests()
	_, err = k.Write(t.Context(), "dev", login(2, "two"), revisionOf(login(7, "foreign")), lease)
	unchanged("a write with a short lease", err, ErrLost, 7, "foreign")
	_, err = k.Write(t.Context(), "dev", login(2, "two"), revisionOf(login(7, "foreign")), nil)
	unchanged("a write without a lease", err, ErrLost, 7, "foreign")
	if sent := server.Requests(); len(sent) > 0 {
		t.Errorf("without a lease, the client sends %q", sent)
	}
	server.Pass(time.Hour) // for the other end of the lease
	// The server is slow, and the lease ends during the write.
	patient := httpAt(t, address+"/dev", func(_ *config.Store, o *Options) {
		o.HTTP = func(*tls.Config) *http.Client {
			client := oauth.NewHTTP(oauth.Options{AttemptTimeout: time.Minute})
			t.Cleanup(client.CloseIdleConnections)
			return client
		}
	})
	lease = lock(4 * time.Second)
	server.Inject("POST", keepertest.Slow(15*time.Second))
	start := time.Now()
	_, err = patient.Write(t.Context(), "dev", login(2, "two"), revisionOf(login(7, "foreign")), lease)
	if took := time.Since(start); fault.KindOf(err) != fault.Temporary || took > 8*time.Second {
		t.Errorf("a write while the lease ends: %v after %s", err, took)
	}
}

// TestHTTPSleeper lets the machine sleep until its lease has ended: by then somebody else
// may have the lock, and not every server looks at the ID.
func TestHTTPSleeper(t *testing.T) {
	t.Parallel()
	server, address := httpServer(t)
	var slept time.Duration
	k := httpAt(t, address+"/dev", func(_ *config.Store, o *Options) { o.Now = func() time.Time { return time.Now().Add(slept) } })
	lease, err := k.Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if lease.Until != lease.Until.Round(0) { // the monotonic clock stands still during sleep
		t.Error("the end of the lease is by the monotonic clock")
	}
	slept = time.Minute
	server.Requests()
	if err := lease.Release(t.Context()); err != nil || len(server.Requests()) > 0 {
		t.Errorf("a release after the end of the lease was sent: %v", err)
	}
}

// TestHTTPClockStep lets the machine's clock jump between two locks.
func TestHTTPClockStep(t *testing.T) {
	t.Parallel()
	server, address := httpServer(t)
	var off time.Duration
	k := httpAt(t, address+"/dev", func(_ *config.Store, o *Options) { o.Now = func() time.Time { return time.Now().Add(off) } })
	for _, off = range []time.Duration{0, time.Hour, -time.Hour, 0} {
		lease, err := k.Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		end, ours := endOfLock(server.Holder("/dev"))
		if left := time.Until(end); !ours || left < 55*time.Second || left > 65*time.Second {
			t.Errorf("by the server's clock, the lock ends in %s", left)
		}
		if left := lease.Left(time.Now().Add(off)); left < 50*time.Second || left > time.Minute {
			t.Errorf("the lease holds for %s", left)
		}
		if err := lease.Release(t.Context()); err != nil || server.Holder("/dev") != "" {
			t.Error(err)
		}
	}
}

func TestHTTPPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, lock, key, want, wantLock string }{
		{"https://s/a/{profile}", "", "dev", "https://s/a/dev", "https://s/a/dev"},
		{"https://s/a/{profile}/b", "https://s/l/{profile}", "dev@host_80", "https://s/a/dev%40host_80/b", "https://s/l/dev%40host_80"},
		{"https://s/a/b", "", "dev", "https://s/a/b", "https://s/a/b"},
		{"https://s/a/b", "", "dev@host", "https://s/a/b%40host", "https://s/a/b%40host"},
		{"https://s/a/b", "https://s/a/b/lock", "dev@host", "https://s/a/b%40host", "https://s/a/b%40host/lock"},
		{"https://s/a/b/", "https://s/a/b/lock", "dev@host", "https://s/a/b%40host/", "https://s/a/b%40host/lock"},
		{"https://s/a/b", "https://s/locks/b", "dev@host", "https://s/a/b%40host", "https://s/locks/b%40host"},
		{"https://s", "", "dev@evil.example", "https://s/%40evil.example", "https://s/%40evil.example"},
		{"https://s/", "", "dev@host", "https://s/%40host/", "https://s/%40host/"},
		{"https://s", "https://s/lock", "dev@host", "https://s/%40host", "https://s/%40host/lock"},
	} {
		h := httpAt(t, c.address, func(s *config.Store, _ *Options) { s.LockAddress = c.lock }).(*httpStore)
		if got, lock := h.place(h.Address, c.key), h.place(h.LockAddress, c.key); got != c.want || lock != c.wantLock {
			t.Errorf("%s, %s, %s: got %s, %s", c.address, c.lock, c.key, got, lock)
		}
	}
}

// TestHTTPAddress checks that nothing is sent to addresses that config would refuse, or
// that a key would turn into another host's.
func TestHTTPAddress(t *testing.T) {
	t.Parallel()
	for address, kind := range map[string]fault.Kind{
		"https://{profile}.s.invalid/a": fault.Invalid, "https://s.invalid/%zz": fault.Invalid, "::": fault.Invalid,
		"http://s.invalid/a": fault.Failed, "http://localhost/a": fault.Failed,
	} {
		if _, err := httpAt(t, address, nil).Read(t.Context(), "dev@127.0.0.1"); fault.KindOf(err) != kind || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestHTTPWrongAnswers checks that every wrong answer is one line with a hint and the
// right kind, never data and never a lock.
func TestHTTPWrongAnswers(t *testing.T) {
	t.Parallel()
	// net/http itself sends a GET again if a connection that was open is closed.
	all := func(f keepertest.Fault) []keepertest.Fault { return slices.Repeat([]keepertest.Fault{f}, 10) }
	huge := keepertest.Says(200, "application/json", `{"serial":1,"x":"`+strings.Repeat("x", 2<<20)+`"}`)
	for name, c := range map[string]struct {
		fault []keepertest.Fault
		kind  fault.Kind
		says  string
		only  string // the method; empty means all
	}{
		"away":           {all(keepertest.Away), fault.Temporary, "does not answer: it closed the connection", ""},
		"slow":           {all(keepertest.Slow(10 * time.Second)), fault.Temporary, "it took too long", ""},
		"500":            {all(keepertest.Says(500, "text/plain", "oops")), fault.Temporary, "it answered 500 to ", ""},
		"503":            {all(keepertest.Page(503)), fault.Temporary, "it answered 503 to ", ""},
		"429":            {all(keepertest.Says(429, "application/json", `{}`)), fault.Temporary, "it answered 429 to ", ""},
		"401":            {all(keepertest.Says(401, "application/json", `{}`)), fault.Failed, "the request was from tokenform, with the password from ", ""},
		"403":            {all(keepertest.Page(403)), fault.Failed, "the request was from tokenform, with the password from ", ""},
		"302":            {all(keepertest.Page(302)), fault.Failed, "leads to another address", ""},
		"418":            {all(keepertest.Page(418)), fault.Failed, "it answered 418 to ", ""},
		"page":           {all(keepertest.Page(200)), fault.Temporary, "it answered with a web page", ""},
		"huge":           {all(huge), fault.Failed, "larger than 1 MiB", ""},
		"cut off":        {all(keepertest.CutOff), fault.Temporary, "it closed the connection", "GET"},
		"damaged":        {all(keepertest.Damaged), fault.Temporary, "damaged on its way", "GET"},
		"half an object": {all(keepertest.Says(200, "application/json", `{"serial": 1, "ref`)), fault.Failed, "a part of one", "GET"},
		"a list":         {all(keepertest.Says(200, "application/json", `[]`)), fault.Failed, "no login", "GET"},
		"null":           {all(keepertest.Says(200, "application/json", `null`)), fault.Failed, "no login", "GET"},
		"plain text":     {all(keepertest.Says(200, "text/plain", `welcome`)), fault.Failed, "no login", "GET"},
		"Terraform":      {all(keepertest.Says(200, "application/json", `{"version":4,"serial":1,"terraform_version":"1.10.0"}`)), fault.Invalid, "a state of Terraform", "GET"},
		"no locks 405":   {all(keepertest.Says(405, "text/plain", ``)), fault.Failed, "it has no locks there", "LOCK"},
		"no locks 501":   {all(keepertest.Says(501, "text/plain", ``)), fault.Failed, "it has no locks there", "LOCK"},
		"no locks 404":   {all(keepertest.Says(404, "text/plain", ``)), fault.Failed, "it has no locks there", "LOCK"},
		"too large":      {all(keepertest.Says(413, "text/plain", ``)), fault.Failed, "too large for it", "POST"},
		"400":            {all(keepertest.Says(400, "text/plain", ``)), fault.Failed, "it answered 400 to POST", "POST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, address := httpServer(t)
			k := httpAt(t, address+"/dev", func(_ *config.Store, o *Options) {
				o.HTTP = func(*tls.Config) *http.Client {
					client := oauth.NewHTTP(oauth.Options{RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond, AttemptTimeout: 200 * time.Millisecond})
					t.Cleanup(client.CloseIdleConnections)
					return client
				}
			})
			lease, err := k.Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			revision, err := k.Write(t.Context(), "dev", login(1, "one"), "", lease)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range []struct {
				method string
				run    func() error
			}{
				{"GET", func() error { _, err := k.Read(t.Context(), "dev"); return err }},
				{"POST", func() error {
					_, err := k.Write(t.Context(), "dev", login(2, "two"), revision, lease)
					return err
				}},
				{"DELETE", func() error { return k.Delete(t.Context(), "dev", revision, lease) }},
				{"LOCK", func() error {
					l, err := k.Lock(t.Context(), "other", Owner{"apply", "one", time.Minute})
					if l != nil {
						t.Error("the wrong answer was taken for a lock")
					}
					return err
				}},
				{"UNLOCK", func() error { return k.Unlock(t.Context(), "dev", lease.ID) }},
			} {
				if c.only != "" && c.only != call.method {
					continue
				}
				server.Inject(call.method, c.fault...)
				err := call.run()
				server.Heal()
				if err == nil {
					t.Fatalf("%s: no error", call.method)
				}
				if says := err.Error(); fault.KindOf(err) != c.kind || !strings.Contains(says, c.says) || strings.ContainsAny(says, "\n\r") || !strings.HasPrefix(says, "the http store "+address+"/dev") || fault.HintOf(err) == "" {
					t.Errorf("%s: %s (%s)\nhint: %s", call.method, says, fault.KindOf(err), fault.HintOf(err))
				}
				if strings.Contains(err.Error()+fault.HintOf(err), "hush") {
					t.Errorf("%s: the password is in the message", call.method)
				}
				if got := string(server.State("/dev")); got != string(login(1, "one")) {
					t.Errorf("%s: the server has %s", call.method, got)
				}
			}
		})
	}
}

// TestHTTPPlainAnswers takes answers that are right though unusual.
func TestHTTPPlainAnswers(t *testing.T) {
	t.Parallel()
	server, address := httpServer(t)
	k := httpAt(t, address+"/dev", nil)
	for name, f := range map[string]keepertest.Fault{
		"204": keepertest.Says(204, "text/html", ""), "404": keepertest.Page(404), "200 and empty": keepertest.Says(200, "text/html", ""),
	} {
		server.Inject("GET", f)
		if item, err := k.Read(t.Context(), "dev"); err != nil || item.Revision != "" {
			t.Errorf("%s: %v, %v", name, item, err)
		}
	}
	for _, text := range []string{"", "locked", `[1]`, `{"ID": 7}`} {
		server.Inject("LOCK", keepertest.Says(423, "text/plain", text))
		_, err := k.Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute})
		if held, ok := errors.AsType[*HeldError](err); !ok || held.ID != "" || !held.Until.IsZero() {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, status := range []int{200, 201, 204} {
		text := "OK"
		if status == 204 {
			text = ""
		}
		server.Inject("LOCK", keepertest.Says(status, "text/html", text))
		if _, err := k.Lock(t.Context(), "dev", Owner{"apply", "one", time.Minute}); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}
