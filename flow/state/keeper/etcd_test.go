package keeper

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
)

func openEtcdFor(s config.Store) (*etcd, error) {
	s.Type = config.EtcdStore
	k, err := Open(context.Background(), s, Options{
		HTTP: func(c *tls.Config) *http.Client {
			return oauth.NewHTTP(oauth.Options{TLS: c, RetryWaitMin: time.Minute}) // nothing may wait for a retry
		},
		Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	return k.(*etcd), nil
}

func openTestEtcd(t *testing.T, s config.Store) *etcd {
	t.Helper()
	k, err := openEtcdFor(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestEtcdWrongAnswers checks that each wrong answer becomes one line, a hint and the
// right kind.
func TestEtcdWrongAnswers(t *testing.T) {
	t.Parallel()
	const (
		failed    = fault.Failed
		temporary = fault.Temporary
		header    = `{"header":{"cluster_id":"1","revision":"7"}`
	)
	for _, c := range []struct {
		status int
		body   string
		kind   fault.Kind
		want   string
		hint   string
		tries  int32
	}{
		{200, ``, temporary, "an empty answer", "check endpoints", 5},
		{200, `<!DOCTYPE html><p>Sign in`, temporary, "an HTML page as the answer", "check endpoints", 5},
		{200, `{}`, temporary, "the answer is not etcd's", "check endpoints", 5},
		{200, `null`, temporary, "the answer is not etcd's", "check endpoints", 5},
		{200, `{"kvs":[{"key":"YQ==","value":"YQ==","mod_revision":"3"}]}`, temporary, "the answer is not etcd's", "check endpoints", 5},
		{200, `[1]`, temporary, "damaged, or not JSON", "check endpoints", 5},
		{200, `pong`, temporary, "damaged, or not JSON", "check endpoints", 5},
		{200, header + `,"kvs":[{"key":"YQ=="`, temporary, "damaged, or not JSON", "check endpoints", 5},
		{200, header + `,"kvs":"none"}`, temporary, "not as etcd documents it", "check endpoints", 5},
		{200, header + `,"kvs":[{"value":"%%%"}]}`, temporary, "not as etcd documents it", "check endpoints", 5},
		{200, header + `,"kvs":[{"mod_revision":"x"}]}`, temporary, "not as etcd documents it", "check endpoints", 5},
		{200, header + `,"kvs":[{"value":"` + strings.Repeat("YWFh", 400<<10) + `"}]}`, failed, "larger than 1 MiB", "something else than a login", 1},
		{200, "cut", temporary, "the answer was cut short", "try again", 5},
		{200, `{"error":"etcdserver: permission denied","message":"etcdserver: permission denied","code":7}`, failed, "permission denied", "readwrite 'p/'", 1},
		{200, `{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"Service Unavailable"}}`, temporary, "no leader", "etcdctl endpoint status", 5},
		{301, ``, failed, "answered 301, a redirect, which tokenform does not follow", "check endpoints", 1},
		{400, "Client sent an HTTP request to an HTTPS server.\n", failed, "answered 400, which is not an answer of etcd's JSON gateway", "https if etcd uses TLS", 1},
		{401, `<html>who are you?`, failed, "answered 401, which is not", "check endpoints", 1},
		{403, `{"error":"forbidden"}`, failed, "answered 403, which is not", "check endpoints", 1},
		{404, "404 page not found\n", failed, "answered 404, which is not", "etcd 3.4 or later", 1},
		{404, `{"error":"Not Found","message":"Not Found","code":5}`, failed, "answered 404, which is not", "etcd 3.4 or later", 1},
		{404, `{"code":5,"message":"Not Found","details":[]}`, failed, "answered 404, which is not", "etcd 3.4 or later", 1},
		{501, `{"code":12,"message":"Method Not Allowed","details":[]}`, failed, "answered 501, which is not", "etcd 3.4 or later", 1},
		{408, ``, temporary, "answered 408", "", 5},
		{429, ``, temporary, "answered 429", "", 5},
		{500, `oops`, temporary, "answered 500", "", 5},
		{502, `<html>Bad Gateway`, temporary, "answered 502", "", 5},
		{500, `{"code":2,"message":"raft proposal dropped"}`, temporary, "raft proposal dropped", "etcdctl endpoint status", 5},
		{503, `{"error":"etcdserver: request timed out","message":"etcdserver: request timed out","code":14}`, temporary, ": request timed out", "etcdctl endpoint status", 5},
		{504, `{"error":"context deadline exceeded","message":"context deadline exceeded","code":4}`, temporary, "context deadline exceeded", "etcdctl endpoint status", 5},
		{429, `{"code":8,"message":"etcdserver: too many requests"}`, temporary, "too many requests", "etcdctl endpoint status", 5},
		{429, `{"code":8,"message":"etcdserver: mvcc: database space exceeded"}`, failed, "its database is full", "etcdctl defrag, etcdctl alarm disarm", 1},
		{429, `{"code":8,"message":"grpc: trying to send message larger than max (9 vs. 8)"}`, failed, "the login is too large", "--max-request-bytes", 1},
		{400, `{"code":3,"message":"etcdserver: request is too large"}`, failed, "the login is too large", "--max-request-bytes", 1},
		{400, `{"code":3,"message":"etcdserver: user name is empty"}`, failed, "it asks for a user", "add username and password", 1},
		{400, `{"code":9,"message":"etcdserver: rpc not supported for learner"}`, temporary, "rpc not supported for learner", "", 5},
		{403, `{"code":7,"message":"etcdserver: permission denied"}`, failed, "permission denied", "give the user app a role", 1},
		{401, `{"code":16,"message":"etcdserver: invalid auth token"}`, temporary, "invalid auth token", "", 3},
		{500, `{"code":15,"message":"etcdserver: corrupt cluster"}`, failed, "corrupt cluster", "etcdctl alarm list", 1},
		{400, `{"code":3,"message":"etcdserver: \u001b[31mhush-pass\nhush-token ` + strings.Repeat("long ", 100) + `"}`, failed, ": [31m[redacted][redacted] long", "check endpoints", 1},
	} {
		t.Run(fmt.Sprintf("%d %.60s", c.status, c.body), func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v3/auth/authenticate" {
					_, _ = io.WriteString(w, header+`,"token":"hush-token"}`)
					return
				}
				if r.Method != http.MethodPost || r.URL.Path != "/v3/kv/range" || r.Header.Get("Authorization") != "hush-token" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				tries.Add(1)
				w.Header().Set("Location", "/elsewhere")
				if c.body == "cut" {
					w.Header().Set("Content-Length", "100")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer s.Close()
			k := openTestEtcd(t, config.Store{Endpoints: []string{s.URL + "/"}, Prefix: "p/", Username: "app", Password: config.Literal("hush-pass")})
			k.nap = time.Millisecond
			item, err := k.Read(t.Context(), "a")
			text, hint := fmt.Sprint(err), fault.HintOf(err)
			if fault.KindOf(err) != c.kind || !strings.Contains(text, c.want) || !strings.Contains(hint, c.hint) || item.Revision != "" || item.Data != nil {
				t.Errorf("%v: %s\nhint: %s\nwant %v with %q and the hint %q", fault.KindOf(err), text, hint, c.kind, c.want, c.hint)
			}
			if strings.Contains(text+hint, "hush") || strings.ContainsAny(text+hint, "\n\x1b") || len(text) > 400 || !strings.HasPrefix(text, "etcd at 127.0.0.1:") {
				t.Errorf("not one clean line: %q", text+hint)
			}
			if tries.Load() != c.tries {
				t.Errorf("%d tries, want %d", tries.Load(), c.tries)
			}
		})
	}
}

// TestEtcdWrongSteps checks answers that are well formed and lack what the next step needs.
func TestEtcdWrongSteps(t *testing.T) {
	t.Parallel()
	const header = `{"header":{"revision":"7"}`
	answers := map[string]string{
		"/v3/lease/grant":       header + `,"ID":"16","TTL":"10"}`,
		"/v3/kv/txn":            header + `,"succeeded":true}`,
		"/v3/lease/revoke":      header + `}`,
		"/v3/auth/authenticate": header + `,"token":"t"}`,
	}
	for name, c := range map[string]struct{ path, answer, want string }{
		"no lease":       {"/v3/lease/grant", header + `}`, "the answer has no lease"},
		"no time":        {"/v3/lease/grant", header + `,"ID":"16"}`, "the answer has no lease"},
		"lease refused":  {"/v3/lease/grant", header + `,"error":"no lease today"}`, "answered 200, which is not an answer"},
		"no token":       {"/v3/auth/authenticate", header + `}`, "the answer has no token"},
		"no responses":   {"/v3/kv/txn", header + `}`, "the answer to a transaction is incomplete"},
		"wrong response": {"/v3/kv/txn", header + `,"responses":[{"response_put":{}}]}`, "the answer to a transaction is incomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var revoked atomic.Bool
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v3/lease/revoke" {
					revoked.Store(true)
				}
				if r.URL.Path == c.path {
					_, _ = io.WriteString(w, c.answer)
					return
				}
				_, _ = io.WriteString(w, answers[r.URL.Path])
			}))
			defer s.Close()
			k := openTestEtcd(t, config.Store{Endpoints: []string{s.URL}, Username: "app", Password: config.Literal("p")})
			lease, err := k.Lock(t.Context(), "a", Owner{TTL: time.Second})
			if err == nil || lease != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if want := c.path == "/v3/kv/txn"; revoked.Load() != want {
				t.Errorf("the lease was revoked: %v", revoked.Load())
			}
		})
	}
}

// TestEtcdOtherMembers checks that a member that cannot be reached, hangs, or is no etcd
// costs little if another one answers, and is not asked again.
func TestEtcdOtherMembers(t *testing.T) {
	t.Parallel()
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"header":{},"kvs":[{"value":"e30=","mod_revision":"5"}]}`)
	}))
	defer good.Close()
	release := make(chan bool)
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	k := openTestEtcd(t, config.Store{Endpoints: []string{gone.URL, page.URL, hanging.URL, good.URL}})
	for _, most := range []time.Duration{2 * etcdPatience, etcdPatience} {
		began := time.Now()
		if item, err := k.Read(t.Context(), "a"); err != nil || string(item.Data) != "{}" || item.Revision != "5" || time.Since(began) > most {
			t.Errorf("after %s: %s, %v", time.Since(began), item.Data, err)
		}
	}

	k = openTestEtcd(t, config.Store{Endpoints: []string{hanging.URL, gone.URL}})
	for _, c := range []struct {
		wait time.Duration
		kind fault.Kind
	}{{100 * time.Millisecond, fault.Interrupted}, {0, fault.Temporary}} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if c.wait > 0 {
			time.AfterFunc(c.wait, cancel)
		}
		began := time.Now()
		if _, err := k.Read(ctx, "a"); fault.KindOf(err) != c.kind || time.Since(began) > etcdPatience {
			t.Errorf("after %s: %v: %v", time.Since(began), fault.KindOf(err), err)
		}
	}
}

// TestEtcdKeepAlive checks how long a lease is kept alive.
func TestEtcdKeepAlive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer          string
		atLeast, atMost time.Duration
		least, most     int32
	}{
		"ended":    {`{"result":{"header":{},"ID":"16"}}`, 0, 3 * time.Second, 1, 1},
		"refused":  {`{"error":{"grpc_code":7,"message":"etcdserver: permission denied"}}`, 1500 * time.Millisecond, 5 * time.Second, 3, 4},
		"for ever": {`{"result":{"header":{},"ID":"16","TTL":"2"}}`, 9 * time.Second, 15 * time.Second, 15, 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var renewals atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/v3/lease/keepalive":
					renewals.Add(1)
					_, _ = io.WriteString(w, c.answer)
				case "/v3/lease/grant":
					_, _ = io.WriteString(w, `{"header":{},"ID":"16","TTL":"2"}`)
				default:
					_, _ = io.WriteString(w, `{"header":{"revision":"2"},"succeeded":true}`)
				}
			}))
			defer s.Close()
			k := openTestEtcd(t, config.Store{Endpoints: []string{s.URL}})
			began := time.Now()
			lease, err := k.Lock(t.Context(), "a", Owner{TTL: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if left := lease.Until.Sub(began); lease.ID != "10" || left > 2100*time.Millisecond || left < 1500*time.Millisecond {
				t.Errorf("the lease %s ends after %s", lease.ID, left)
			}
			<-lease.Lost
			if took := time.Since(began); took < c.atLeast || took > c.atMost || renewals.Load() < c.least || renewals.Load() > c.most {
				t.Errorf("lost after %s and %d renewals", took, renewals.Load())
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			if len(k.alive) != 0 {
				t.Error("the lease is still kept alive")
			}
		})
	}
}

// TestEtcdTooLarge checks that nothing is written that could not be read again.
func TestEtcdTooLarge(t *testing.T) {
	t.Parallel()
	var stored []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v3/kv/txn" {
			var txn struct{ Success []etcdOp }
			if err := json.NewDecoder(r.Body).Decode(&txn); err != nil {
				t.Error(err)
			}
			stored = txn.Success[0].Put.Value
			_, _ = io.WriteString(w, `{"header":{"revision":"8"},"succeeded":true}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"header": map[string]string{}, "kvs": []etcdKV{{Key: []byte(strings.Repeat("k", 1000)), Value: stored, ModRevision: 8}}})
	}))
	defer s.Close()
	k := openTestEtcd(t, config.Store{Endpoints: []string{s.URL}})
	data := []byte(strings.Repeat("x", etcdMaxData))
	revision, err := k.Write(t.Context(), "a", data, "7", nil)
	item, rerr := k.Read(t.Context(), "a")
	if err := errors.Join(err, rerr); err != nil || string(item.Data) != string(data) || revision != "8" || item.Revision != "8" {
		t.Errorf("the largest login: revision %s, %d bytes, %v", revision, len(item.Data), err)
	}
	if _, err := k.Write(t.Context(), "a", append(data, 'x'), "8", nil); fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), "more than the 700 KiB") {
		t.Error(err)
	}
}

// TestEtcdWrongProfiles checks that a profile that cannot work is told from a store that is
// away.
func TestEtcdWrongProfiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, none := filepath.Join(dir, "text"), filepath.Join(dir, "none")
	if err := os.WriteFile(text, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	some := []string{"https://127.0.0.1:1"}
	for want, s := range map[string]config.Store{
		"endpoints is empty":                {},
		"not an http or https address":      {Endpoints: []string{"127.0.0.1:2379"}},
		"ca: cannot read " + none:           {Endpoints: some, CA: none},
		"ca: no certificate in " + text:     {Endpoints: some, CA: text},
		"cert: cannot read " + none:         {Endpoints: some, Cert: none, Key: text},
		"key: cannot read " + none:          {Endpoints: some, Cert: text, Key: none},
		"cert and key cannot be used: fail": {Endpoints: some, Cert: text, Key: text},
	} {
		_, err := openEtcdFor(s)
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) || fault.HintOf(err) == "" || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v: %v, want %q", fault.KindOf(err), err, want)
		}
	}
	for prefix, want := range map[string]string{"": "\x00", "a": "b", "a/": "a0", "a\xff": "b", "\xff\xff": "\x00"} {
		if got := etcdPrefixEnd(prefix); string(got) != want {
			t.Errorf("after %q comes %q, want %q", prefix, got, want)
		}
	}
}
