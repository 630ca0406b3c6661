package sandbox

import (
	"crypto/cipher"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// App is an app as registered in the dashboard.
type App struct {
	ID           string
	Secret       string // empty means a public client, PKCE only
	RedirectURIs []string
}

// User is the Spotify account that logs in.
type User struct {
	ID        string `json:"i"`
	AccountID string `json:"a,omitempty"`
	Name      string `json:"n,omitempty"`
}

// Options are the server's switches. The zero value of each is how Spotify
// behaves in late 2026.
type Options struct {
	Apps   []App // empty without AnyApp: [DemoApp]
	AnyApp bool  // any client id, any secret, any redirect URI that Spotify would register
	User   User  // zero means [DemoUser]

	Now       func() time.Time // required: the server's own clock
	TokenLife time.Duration    // of access tokens; zero means an hour
	LoginLife time.Duration    // of refresh tokens, from consent; zero means six months by the calendar
	Key       []byte           // servers with the same Key know each other's tokens; nil means random

	RotatePKCE          bool                     // a PKCE refresh answers a new refresh token and kills the old one, as before mid-2026
	RotateAll           bool                     // so does every refresh
	UnionScopes         bool                     // a refresh answers every scope the user ever granted the app here
	IgnoreUnknownScopes bool                     // drop them, as for apps made before February 2026, instead of refusing
	OldErrors           bool                     // the plain texts /authorize answered until May 2026
	Hook                func(*http.Request) Hook // stands between the server and each request; nil means none
	AutoConsent         bool                     // /authorize goes straight back, allowed, unless show_dialog=true
}

// DemoApp is the app of a server without any.
func DemoApp() App {
	return App{
		ID: "sandbox-client", Secret: "sandbox-secret",
		RedirectURIs: []string{"http://127.0.0.1:8888/callback", "http://127.0.0.1/callback"},
	}
}

// DemoUser is who logs in if the options name nobody.
func DemoUser() User {
	return User{ID: "sandbox-user", AccountID: "21sandboxaccount", Name: "Sandy Box"}
}

// maxBody is far above any real form and keeps the log of requests small.
const maxBody = 64 << 10

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	opt   Options
	seal  cipher.AEAD
	start string // names this Server among those with the same Key

	mu      sync.Mutex
	user    User
	serial  uint64           // of the newest login
	logins  map[login]*past  // what the claims cannot say
	sweepAt int              // size of logins at which expired ones are dropped
	granted map[pair]scopes  // consents, for going straight back and for UnionScopes
	removed map[pair]removal // apps the user removed
	emptied removal          // when everything was removed
	log     requestLog
}

// New returns a server. It panics without a clock, which only a programming
// error can cause.
func New(opt Options) *Server {
	if opt.Now == nil {
		panic("sandbox: Options.Now is required")
	}
	if len(opt.Apps) == 0 && !opt.AnyApp {
		opt.Apps = []App{DemoApp()}
	}
	if opt.User == (User{}) {
		opt.User = DemoUser()
	}
	if opt.TokenLife == 0 {
		opt.TokenLife = time.Hour
	}
	if opt.Key == nil {
		opt.Key = make([]byte, 32)
		rand.Read(opt.Key) // never fails since Go 1.24
	}
	return &Server{
		opt: opt, seal: newSeal(opt.Key), start: rand.Text()[:8], user: opt.User,
		logins: map[login]*past{}, sweepAt: 1024,
		granted: map[pair]scopes{}, removed: map[pair]removal{},
		log: requestLog{counts: map[string]int{}},
	}
}

// SetUser changes who logs in from now on, as if another account were open in
// the browser.
func (s *Server) SetUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user = u
}

// ServeHTTP is the Accounts service and the Web API on one origin. Date is the
// server's own clock, as it would be at any server whose clock is wrong.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	// A body that is no form leaves r.PostForm empty, which the handlers refuse.
	_ = r.ParseForm()
	if r.Body != nil {
		// net/http notices a client that leaves only once the body has been read.
		_, _ = io.Copy(io.Discard, r.Body)
	}
	var h Hook
	if s.opt.Hook != nil {
		h = s.opt.Hook(r)
	}
	s.note(r, h)
	var a Answer
	if h.Instead != nil {
		a = h.Instead(r)
	} else {
		a = s.answer(r)
	}
	if h.Change != nil {
		h.Change(&a)
	}
	if a.Header.Get("Date") == "" {
		a.Header.Set("Date", s.opt.Now().UTC().Format(http.TimeFormat))
	}
	if h.Send != nil {
		h.Send(w, r, a)
		return
	}
	a.Send(w)
}

// Hook lets a test stand between the server and a request. Each function may be
// nil. Package faults has hooks for what goes wrong.
type Hook struct {
	Name    string                     // for [Request]
	Instead func(*http.Request) Answer // answers without the server: nothing is consumed
	Change  func(*Answer)              // changes what the server, having done its work, answers
	Send    func(http.ResponseWriter, *http.Request, Answer)
}

// note adds the request to the log.
func (s *Server) note(r *http.Request, h Hook) {
	entry := newRequest(r, s.opt.Now())
	entry.Fault = h.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.add(entry)
}

func (s *Server) answer(r *http.Request) Answer {
	switch path := r.URL.Path; {
	case path == "/api/token":
		return s.token(r)
	case path == "/v1/me":
		return s.me(r)
	case path == "/v1/search":
		return s.search(r)
	case strings.HasPrefix(path, "/v1/"):
		return APIError(http.StatusNotFound, "Service not found")
	case path == "/authorize" && r.Method == http.MethodPost:
		return s.consented(r)
	case path == "/authorize" && reads(r):
		return s.authorize(r)
	case path == "/" && reads(r):
		return s.index(r)
	case path == "/" || path == "/authorize":
		return plain(http.StatusMethodNotAllowed, "Method not allowed")
	default:
		return plain(http.StatusNotFound, "Not found")
	}
}

func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}
