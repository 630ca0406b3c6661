package keeper

import (
	"crypto/md5"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
)

const (
	s3Access = "AKIDTOKENFORMTEST000"
	s3Secret = "hush-hush-secret-key"
)

// s3Options are the process's for a test, with requests counted in n.
func s3Options(n *atomic.Int64, attempt time.Duration, env map[string]string) Options {
	return Options{
		HTTP: func(c *tls.Config) *http.Client {
			client := oauth.NewHTTP(oauth.Options{TLS: c, RetryWaitMin: time.Millisecond, RetryWaitMax: 5 * time.Millisecond, AttemptTimeout: attempt})
			client.Transport = counting{client.Transport, n}
			return client
		},
		Now: time.Now,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}

type counting struct {
	http.RoundTripper
	n *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// s3At opens the store at endpoint, as one machine does.
func s3At(t *testing.T, endpoint string, change func(*config.Store, *Options)) (k Keeper, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	s := config.Store{
		Type: config.S3Store, LockTTL: config.DefaultLockTTL, Bucket: "tokens", Prefix: "logins/", Endpoint: endpoint, PathStyle: true,
		AccessKey: s3Key(s3Access, 7), SecretKey: s3Key(s3Secret, 8),
	}
	o := s3Options(requests, 10*time.Second, nil)
	if change != nil {
		change(&s, &o)
	}
	k, err := Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return k, requests
}

func s3Owner(who string, ttl time.Duration) Owner {
	return Owner{Command: "apply", Who: who, TTL: ttl}
}

func s3Lease(t *testing.T, k Keeper, key, who string, ttl time.Duration) *Lease {
	t.Helper()
	lease, err := k.Lock(t.Context(), key, s3Owner(who, ttl))
	if err != nil {
		t.Fatalf("lock of %s: %v", key, err)
	}
	return lease
}

func release(t *testing.T, lease *Lease) {
	t.Helper()
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// checkWords checks that an error is one line of a kind, with a hint, and without a secret.
func checkWords(t *testing.T, what string, err error, kind fault.Kind, says string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	all := err.Error() + fault.HintOf(err)
	if fault.KindOf(err) != kind || !strings.Contains(all, says) || fault.HintOf(err) == "" || strings.ContainsAny(all, "\n\r\x1b") || strings.Contains(strings.ToLower(all), "hush") || len(all) > 600 {
		t.Errorf("%s: %v: %v\nhint: %s", what, fault.KindOf(err), err, fault.HintOf(err))
	}
}

// s3Key is a key as a profile has it: it knows its place.
func s3Key(text string, line int) *config.Value {
	v := config.Literal(text)
	v.Pos = config.Pos{File: "dev.yaml", Line: line, Col: 5}
	return v
}

// fakeS3 is a bucket in memory, which does what a real store does only under load or when
// it is old.
type fakeS3 struct {
	mu        sync.Mutex
	objects   map[string][]byte
	condition bool                                                  // heeds If-Match and If-None-Match when it is asked to write
	remove    bool                                                  // heeds If-Match when it is asked to delete
	before    func(w http.ResponseWriter, r *http.Request) bool     // answers instead if it returns true
	after     func(w http.ResponseWriter, r *http.Request, n int64) // called when a change is done, before its answer
	changes   atomic.Int64
}

func etagOf(b []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(b)) }

func s3Says(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>hush-hush</Message><Resource>/hush</Resource></Error>`, code)
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if f.before != nil && f.before(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, have := f.objects[r.URL.Path]
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch heeds := r.Method == http.MethodPut && f.condition || r.Method == http.MethodDelete && f.remove; {
	case heeds && match != "" && !have:
		s3Says(w, 404, "NoSuchKey")
		return
	case heeds && (match != "" && match != etagOf(old) || none != "" && have):
		s3Says(w, 412, "PreconditionFailed")
		return
	}
	switch r.Method {
	case http.MethodGet:
		if !have {
			s3Says(w, 404, "NoSuchKey")
			return
		}
		w.Header().Set("Etag", etagOf(old))
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		_, _ = w.Write(old)
		return
	case http.MethodPut:
		f.objects[r.URL.Path] = body
		w.Header().Set("Etag", etagOf(body))
	case http.MethodDelete:
		delete(f.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	}
	if n := f.changes.Add(1); f.after != nil {
		f.after(w, r, n)
	}
}

func (f *fakeS3) open(t *testing.T, change func(*config.Store, *Options)) (Keeper, *atomic.Int64) {
	if f.objects == nil {
		f.objects = map[string][]byte{}
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return s3At(t, server.URL, change)
}

// TestS3WithoutConditions checks that a store that ignores conditions is found out by the
// first lock, before anything is granted.
func TestS3WithoutConditions(t *testing.T) {
	t.Parallel()
	f := &fakeS3{}
	k, _ := f.open(t, nil)
	_, err := k.Lock(t.Context(), "dev", s3Owner("a@one", time.Minute))
	checkWords(t, "lock", err, fault.Failed, "it cannot write under a condition")
	if len(f.objects) != 0 {
		t.Errorf("left there: %q", f.objects)
	}
}

// TestS3DeleteWithoutConditions checks that nothing but ours is deleted in a store that
// ignores the condition of a DELETE.
func TestS3DeleteWithoutConditions(t *testing.T) {
	t.Parallel()
	f := &fakeS3{condition: true}
	var ahead atomic.Int64
	k, _ := f.open(t, func(_ *config.Store, o *Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	lease := s3Lease(t, k, "dev", "a@one", time.Minute)
	revision, err := k.Write(t.Context(), "dev", []byte(`{"serial":1}`), "", lease)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Delete(t.Context(), "dev", `"other"`, lease); err != ErrChanged {
		t.Errorf("delete of another: %v", err)
	}
	if err := k.Unlock(t.Context(), "dev", "other"); err == nil {
		t.Error("unlocked another")
	}
	ahead.Store(int64(2 * time.Minute)) // the machine slept
	if err := k.Delete(t.Context(), "dev", revision, lease); err != ErrLost {
		t.Errorf("delete after the lease: %v", err)
	}
	release(t, lease)
	if len(f.objects) != 2 {
		t.Errorf("%d objects, want the login and the lock, which may be another machine's by now", len(f.objects))
	}
	ahead.Store(0)
	if err := k.Delete(t.Context(), "dev", revision, lease); err != nil {
		t.Error(err)
	}
	release(t, lease)
	if len(f.objects) != 0 {
		t.Errorf("left there: %q", f.objects)
	}
}

// TestS3Conflict checks that 409 is tried again, and 412 is not: the first says that
// another write was under way, the second that another one is done.
func TestS3Conflict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conflicts int64
		code      string
		says      string // empty means that the write succeeds
	}{
		"once":       {1, "ConditionalRequestConflict", ""},
		"three":      {3, "OperationAborted", ""},
		"always":     {99, "ConditionalRequestConflict", "it answered 409 to PUT (ConditionalRequestConflict)"},
		"other code": {1, "InvalidBucketState", "it answered 409 to PUT (InvalidBucketState)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			f := &fakeS3{condition: true, before: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || n.Add(1) > c.conflicts {
					return false
				}
				s3Says(w, 409, c.code)
				return true
			}}
			k, _ := f.open(t, nil)
			lease := &Lease{Until: time.Now().Add(time.Minute)}
			_, err := k.Write(t.Context(), "dev", []byte(`{"serial":1}`), "", lease)
			if c.says == "" {
				if err != nil || n.Load() != c.conflicts+1 {
					t.Errorf("%v after %d writes", err, n.Load())
				}
				n.Store(99)
				if _, err := k.Write(t.Context(), "dev", []byte(`{"serial":2}`), `"other"`, lease); err != ErrChanged || n.Load() != 100 {
					t.Errorf("412: %v after %d writes, want 1", err, n.Load()-99)
				}
				return
			}
			checkWords(t, "write", err, fault.Temporary, c.says)
		})
	}
}

// TestS3LostAnswer checks writes, locks and deletes that are done although their answers
// are lost, so that the client sends them again.
func TestS3LostAnswer(t *testing.T) {
	t.Parallel()
	f := &fakeS3{condition: true, remove: true}
	f.after = func(w http.ResponseWriter, _ *http.Request, n int64) {
		panic(http.ErrAbortHandler)
	}
	k, _ := f.open(t, nil)
	ctx := t.Context()
	lease := s3Lease(t, k, "dev", "a@one", time.Minute)
	if lease.Broken != nil {
		t.Error("our own lock was called another's")
	}
	one, err := k.Write(ctx, "dev", []byte(`{"serial":1}`), "", lease)
	if err != nil || one != etagOf([]byte(`{"serial":1}`)) {
		t.Errorf("first write: %q %v", one, err)
	}
	two, err := k.Write(ctx, "dev", []byte(`{"serial":2}`), one, lease)
	if err != nil || two != etagOf([]byte(`{"serial":2}`)) {
		t.Errorf("second write: %q %v", two, err)
	}
	if err := k.Delete(ctx, "dev", two, lease); err != nil {
		t.Errorf("delete: %v", err)
	}
	release(t, lease)
	if len(f.objects) != 0 || f.changes.Load() != 5 {
		t.Errorf("%d changes, want 5; left there: %q", f.changes.Load(), f.objects)
	}
}

// TestS3WrongAnswers checks that an answer of any kind gives one line with a cure, and is
// never taken for a login or for success.
func TestS3WrongAnswers(t *testing.T) {
	t.Parallel()
	page := "<!doctype html>\n<title>hush-hush</title>\x1b[31m"
	xml := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { s3Says(w, status, code) }
	}
	plain := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	region := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-north-1")
			s3Says(w, status, code)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   fault.Kind
		says   string
		only   string // the one call that is checked; empty means all
	}{
		"page 200":             {plain(200, page), fault.Temporary, "with a page, which no S3 store does", ""},
		"page 200 with ETag":   {plain(200, page, "Etag", `"1"`), fault.Temporary, "with a page, which no S3 store does", ""},
		"page 403":             {plain(403, page), fault.Failed, "with a page, which no S3 store does", ""},
		"page 404":             {plain(404, page), fault.Failed, "with a page, which no S3 store does", ""},
		"404":                  {plain(404, "not found"), fault.Failed, "it answered 404 to ", ""},
		"page 502":             {plain(502, page), fault.Temporary, "it answered 502", ""},
		"empty 200":            {plain(200, ""), fault.Failed, "without an ETag", "read"},
		"empty 500":            {plain(500, ""), fault.Temporary, "it answered 500 to ", ""},
		"401":                  {plain(401, "hush-hush"), fault.Failed, "the access key was from dev.yaml:7:5", ""},
		"408":                  {xml(408, "RequestTimeout"), fault.Temporary, "(RequestTimeout)", ""},
		"429":                  {plain(429, ""), fault.Temporary, "it answered 429", ""},
		"slow down":            {xml(503, "SlowDown"), fault.Temporary, "it answered 503 to ", ""},
		"long code":            {xml(400, strings.Repeat("Hush", 100)), fault.Failed, "it answered 400 to ", ""},
		"code with digits":     {xml(400, "XAmzContentSHA256Mismatch"), fault.Failed, "(XAmzContentSHA256Mismatch)", ""},
		"odd code":             {xml(400, "Hush\x1b[31m hush"), fault.Failed, "it answered 400 to ", ""},
		"405":                  {xml(405, "MethodNotAllowed"), fault.Failed, "(MethodNotAllowed)", ""},
		"501":                  {xml(501, "NotImplemented"), fault.Failed, "it cannot write under a condition", "write"},
		"no bucket":            {xml(404, "NoSuchBucket"), fault.Failed, "there is no such bucket at 127.0.0.1:", ""},
		"bucket name":          {xml(400, "InvalidBucketName"), fault.Invalid, "no bucket can have this name", ""},
		"denied":               {xml(403, "AccessDenied"), fault.Failed, "(AccessDenied); the access key was from dev.yaml:7:5", ""},
		"access key":           {xml(403, "InvalidAccessKeyId"), fault.Failed, "it does not know the access key from dev.yaml:7:5", ""},
		"secret key":           {xml(403, "SignatureDoesNotMatch"), fault.Failed, "the secret key from dev.yaml:8:5 does not fit the access key from dev.yaml:7:5", ""},
		"session token":        {xml(400, "ExpiredToken"), fault.Failed, "the session token from dev.yaml:9:5 has expired", ""},
		"clock":                {xml(403, "RequestTimeTooSkewed"), fault.Failed, "its clock and this machine's differ too much", ""},
		"redirect with region": {region(301, "PermanentRedirect"), fault.Failed, "write region: eu-north-1", ""},
		"malformed":            {region(400, "AuthorizationHeaderMalformed"), fault.Failed, "write region: eu-north-1", ""},
		"redirect":             {xml(307, "TemporaryRedirect"), fault.Failed, "it is not in the region us-east-1", ""},
		"redirect elsewhere":   {plain(302, "", "Location", "https://hush.example/"), fault.Failed, "which leads to another address", ""},
		"odd region":           {plain(301, "<Error><Code>PermanentRedirect</Code></Error>", "X-Amz-Bucket-Region", "hush hush"), fault.Failed, "correct region and endpoint", ""},
		"too large":            {plain(200, `{"serial":1,"a":"`+strings.Repeat("a", 1<<20)+`"}`, "Etag", `"1"`), fault.Failed, "more than 1 MiB", "read"},
		"no login":             {plain(200, `{"serial":`, "Etag", `"1"`), fault.Failed, "something that is no login under logins/dev.json", "read"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Etag", `"1"`)
			_, _ = io.WriteString(w, `{"serial":1}`)
		}, fault.Temporary, "it closed the connection", "read"},
		"truncated list":  {plain(200, "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>logins/a.json</Key>"), fault.Temporary, "its list of logins is cut off", "names"},
		"endless list":    {plain(200, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>hush</NextContinuationToken></ListBucketResult>"), fault.Failed, "its list of logins does not go on", "names"},
		"unfinished list": {plain(200, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"), fault.Failed, "its list of logins does not go on", "names"},
		"list without an end": {func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.URL.Query().Get("continuation-token"))
			fmt.Fprintf(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken></ListBucketResult>", n+1)
		}, fault.Failed, "its list of logins does not end", "names"},
		"cut connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Temporary, "does not answer: it closed the connection", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			defer server.Close()
			k, _ := s3At(t, server.URL, func(s *config.Store, _ *Options) { s.SessionToken = s3Key("hush-token", 9) })
			ctx := t.Context()
			lease := &Lease{Until: time.Now().Add(time.Minute)}
			for call, do := range map[string]func() error{
				"read":   func() error { _, err := k.Read(ctx, "dev"); return err },
				"write":  func() error { _, err := k.Write(ctx, "dev", []byte(`{"serial":1}`), `"0"`, lease); return err },
				"delete": func() error { return k.Delete(ctx, "dev", `"0"`, lease) },
				"lock":   func() error { _, err := k.Lock(ctx, "dev", s3Owner("a@one", time.Minute)); return err },
				"unlock": func() error { return k.Unlock(ctx, "dev", "id") },
				"names":  func() error { _, err := k.Names(ctx); return err },
			} {
				if c.only == "" || c.only == call {
					checkWords(t, call, do(), c.kind, c.says)
				}
			}
		})
	}
}

// TestS3StrangeLock checks a lock that another program has made: it is never over, and a
// person can take it away.
func TestS3StrangeLock(t *testing.T) {
	t.Parallel()
	f := &fakeS3{condition: true, remove: true, objects: map[string][]byte{"/tokens/logins/dev.lock": []byte("hush")}}
	k, _ := f.open(t, nil)
	_, err := k.Lock(t.Context(), "dev", s3Owner("a@one", time.Second))
	held, ok := errors.AsType[*HeldError](err)
	if !ok || held.By != "another program" || !held.Until.IsZero() || held.ID == "" {
		t.Fatalf("%#v", err)
	}
	if err := k.Unlock(t.Context(), "dev", held.ID); err != nil {
		t.Fatal(err)
	}
	release(t, s3Lease(t, k, "dev", "a@one", time.Second))
}

// httpTo returns clients that only show their requests, and send nothing.
func httpTo(see func(*http.Request)) func(*tls.Config) *http.Client {
	return func(*tls.Config) *http.Client {
		return &http.Client{Transport: seeing(see)}
	}
}

type seeing func(*http.Request)

func (see seeing) RoundTrip(r *http.Request) (*http.Response, error) {
	see(r)
	return nil, errors.New("not sent")
}

type noHost struct{}

func (noHost) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

// TestS3Addresses checks where requests go, and that a profile that cannot work says so
// before any request.
func TestS3Addresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		store config.Store
		env   map[string]string
		want  string
	}{
		{config.Store{Bucket: "tokens"}, nil, "https://tokens.s3.us-east-1.amazonaws.com/p/a.json"},
		{config.Store{Bucket: "tokens", Region: "eu-north-1"}, map[string]string{"AWS_REGION": "us-west-1"}, "https://tokens.s3.eu-north-1.amazonaws.com/p/a.json"},
		{config.Store{Bucket: "tokens"}, map[string]string{"AWS_REGION": "us-west-1", "AWS_DEFAULT_REGION": "us-west-2"}, "https://tokens.s3.us-west-1.amazonaws.com/p/a.json"},
		{config.Store{Bucket: "tokens"}, map[string]string{"AWS_DEFAULT_REGION": "us-west-2"}, "https://tokens.s3.us-west-2.amazonaws.com/p/a.json"},
		{config.Store{Bucket: "tokens", Region: "cn-north-1"}, nil, "https://tokens.s3.cn-north-1.amazonaws.com.cn/p/a.json"},
		{config.Store{Bucket: "my.tokens"}, nil, "https://s3.us-east-1.amazonaws.com/my.tokens/p/a.json"},
		{config.Store{Bucket: "tokens", PathStyle: true}, nil, "https://s3.us-east-1.amazonaws.com/tokens/p/a.json"},
		{config.Store{Bucket: "tokens", Endpoint: "https://minio.example:9000/"}, nil, "https://tokens.minio.example:9000/p/a.json"},
		{config.Store{Bucket: "tokens", Endpoint: "https://minio.example/s3", PathStyle: true}, nil, "https://minio.example/s3/tokens/p/a.json"},
		{config.Store{Bucket: "tokens", Endpoint: "https://192.0.2.1"}, nil, "https://192.0.2.1/tokens/p/a.json"},
		{config.Store{Bucket: "my.tokens", Endpoint: "http://localhost:9000"}, nil, "http://localhost:9000/my.tokens/p/a.json"},
	} {
		c.store.Type, c.store.Prefix, c.store.AccessKey, c.store.SecretKey = config.S3Store, "p/", s3Key("a", 1), s3Key("s", 2)
		o := s3Options(new(atomic.Int64), time.Second, c.env)
		var got string
		o.HTTP = httpTo(func(r *http.Request) { got = r.URL.String() })
		k, err := Open(t.Context(), c.store, o)
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		if _, err := k.Read(t.Context(), "a"); err == nil || got != c.want {
			t.Errorf("%v: %s, want %s", err, got, c.want)
		}
	}
	for says, c := range map[string]struct {
		store config.Store
		env   map[string]string
	}{
		"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set": {config.Store{}, nil},
		"AWS_SECRET_ACCESS_KEY is not set":                        {config.Store{}, map[string]string{"AWS_ACCESS_KEY_ID": "a"}},
		"the key from dev.yaml:2:5 is empty":                      {config.Store{AccessKey: s3Key("a", 1), SecretKey: s3Key("", 2)}, nil},
		"the key from dev.yaml:1:5 has a blank":                   {config.Store{AccessKey: s3Key("hush hush", 1), SecretKey: s3Key("s", 2)}, nil},
		"its endpoint is not an address":                          {config.Store{Endpoint: "hush", AccessKey: s3Key("a", 1), SecretKey: s3Key("s", 2)}, nil},
	} {
		c.store.Type, c.store.Bucket = config.S3Store, "tokens"
		_, err := Open(t.Context(), c.store, s3Options(new(atomic.Int64), time.Second, c.env))
		checkWords(t, says, err, fault.Invalid, says)
	}
	// A store may have no host for each bucket.
	k, err := Open(t.Context(), config.Store{Type: config.S3Store, Bucket: "tokens", Endpoint: "https://minio.invalid", AccessKey: s3Key("a", 1), SecretKey: s3Key("s", 2)}, Options{
		HTTP: func(*tls.Config) *http.Client { return &http.Client{Transport: noHost{}} },
		Now:  time.Now,
		Env:  func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Read(t.Context(), "a")
	checkWords(t, "no host", err, fault.Temporary, "there is no host tokens.minio.invalid")
	checkWords(t, "no host", err, fault.Temporary, "write path_style: true")

	// All three variables are used.
	var got http.Header
	o := s3Options(new(atomic.Int64), time.Second, map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "token"})
	o.HTTP = httpTo(func(r *http.Request) { got = r.Header })
	k, err = Open(t.Context(), config.Store{Type: config.S3Store, Bucket: "tokens"}, o)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = k.Read(t.Context(), "a")
	if auth := got.Get("Authorization"); !strings.Contains(auth, "Credential=AKIDENV/") || !strings.Contains(auth, "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,") || got.Get("X-Amz-Security-Token") != "token" {
		t.Errorf("headers: %v", got)
	}
}

// TestS3LockOver checks when a lock has ended. The server's two times are cut to seconds, so
// a lock that seems a second over its time may hold for a moment more.
func TestS3LockOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ttl  int64
		age  time.Duration
		over bool
	}{
		{120, 119 * time.Second, false},
		{120, 120 * time.Second, false},
		{120, 121 * time.Second, true},
		{120, 24 * time.Hour, true},
		{120, -1, false}, // the server has not said when
		{0, 24 * time.Hour, false},
		{-5, 24 * time.Hour, false},
	} {
		if got := (s3Lock{TTL: c.ttl}).over(object{age: c.age}); got != c.over {
			t.Errorf("a lock for %ds after %s: over is %t", c.ttl, c.age, got)
		}
	}
}
