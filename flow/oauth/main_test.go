package oauth

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain sets the proxy for the whole process, because net/http reads the variable
// once. Loopback addresses, which every other test uses, bypass the proxy.
func TestMain(m *testing.M) {
	if url := os.Getenv("OAUTH_REFRESH_AT"); url != "" {
		os.Exit(refreshAt(url)) // crypto/x509 reads its variables once, too
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "proxy says no", http.StatusProxyAuthRequired)
	}))
	os.Setenv("HTTPS_PROXY", proxy.URL)
	os.Unsetenv("NO_PROXY")
	os.Unsetenv("no_proxy")
	code := m.Run()
	proxy.Close()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// These secrets must never be in a text.
const (
	theID       = "0123456789abcdef0123456789abcdef"
	theSecret   = "s3cr3t/with+chars"
	theCode     = "AQ-the-code-of-the-login"
	theVerifier = "the-verifier-of-43-characters-or-more-0123456789"
	theState    = "the-state-of-the-attempt"
	theRefresh  = "AQ-the-refresh-token"
	theAccess   = "BQ-the-access-token"
)

var everySecret = []string{theSecret, theCode, theVerifier, theState, theRefresh, theAccess}

const goodToken = `{"access_token":"BQnew","token_type":"Bearer","scope":"b a b","expires_in":3600,"refresh_token":"AQnew"}`

type request struct {
	method, uri, body string
	header            http.Header
}

// server answers with its handler and remembers the requests.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

func serve(t testing.TB, h http.HandlerFunc) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewServer(s.remember(h))
	t.Cleanup(s.Close)
	return s
}

func (s *server) remember(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, request{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		s.mu.Unlock()
		h(w, r)
	})
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.seen...)
}

// says returns a handler that answers every request alike. Pairs of header names and
// values follow the body.
func says(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// inTurn gives each request the next handler, and all further requests the last one.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}
}

// reset ends the connection without an answer.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func client(t testing.TB, o Options) *http.Client {
	t.Helper()
	if o.RetryWaitMin == 0 {
		o.RetryWaitMin, o.RetryWaitMax = time.Millisecond, 4*time.Millisecond
	}
	c := NewHTTP(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func appAt(t testing.TB, url string) App {
	t.Helper()
	return App{ID: theID, Secret: theSecret, Endpoints: Endpoints{Accounts: url, API: url}, HTTP: client(t, Options{})}
}

func login() Login {
	return Login{State: theState, Verifier: theVerifier, RedirectURI: "http://127.0.0.1:8888/callback", Scopes: []string{"user-read-email", "streaming"}}
}

// wireError checks that err is an *Error that is fit to be shown.
func wireError(t testing.TB, err error) *Error {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("got %T (%v), want *Error", err, err)
	}
	clean(t, e)
	return e
}

func clean(t testing.TB, e *Error) {
	t.Helper()
	if e.Message == "" {
		t.Error("an error without a message")
	}
	all := strings.Join([]string{e.Message, e.Hint, e.Code, fmt.Sprintf("%v|%+v|%#v", e, e, *e)}, "\n")
	for _, secret := range everySecret {
		if strings.Contains(all, secret) {
			t.Errorf("the error holds a secret: %s", all)
		}
	}
	if strings.ContainsFunc(e.Message+e.Hint, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x9b }) {
		t.Errorf("the error holds control characters: %q", e.Message+e.Hint)
	}
	if n := len([]rune(e.Message)); n > 320 {
		t.Errorf("the error has %d characters: %s", n, e.Message)
	}
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
