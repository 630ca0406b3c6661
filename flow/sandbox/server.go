package sandbox

import (
	"crypto/cipher"
	"crypto/rand"
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

// Options are the server's switches. Their zero values are Spotify's behaviour in
// late 2026.
type Options struct {
	Apps   []App // empty without AnyApp means [DemoApp]
	AnyApp bool  // accepts any client id, any secret, any redirect URI that Spotify would register
	User   User  // zero means [DemoUser]

	Now       func() time.Time // required: the server's own clock
	TokenLife time.Duration    // of access tokens; zero means an hour
	LoginLife time.Duration    // of refresh tokens, from consent; zero means six months by the calendar
	Key       []byte           // servers with the same Key accept each other's tokens; nil means random

	RotatePKCE          bool // a PKCE refresh answers a new refresh token and revokes the old one, as before mid-2026
	RotateAll           bool // every refresh answers a new refresh token and revokes the old one
	UnionScopes         bool // a refresh answers every scope the user ever granted the app here
	IgnoreUnknownScopes bool // unknown scopes are dropped instead of refused, as for apps made before February 2026
	OldErrors           bool // answers with the plain texts of /authorize until May 2026
	AutoConsent         bool // /authorize consents without a page, unless show_dialog=true
}

// DemoApp is the app of a server that was given no apps.
func DemoApp() App {
	return App{
		ID: "sandbox-client", Secret: "sandbox-secret",
		RedirectURIs: []string{"http://127.0.0.1:8888/callback", "http://127.0.0.1/callback"},
	}
}

// DemoUser is the user who logs in if the options name none.
func DemoUser() User {
	return User{ID: "sandbox-user", AccountID: "21sandboxaccount", Name: "Sandy Box"}
}

// maxBody limits a request's body, far above any real form.
const maxBody = 64 << 10

// Server is the stand-in. A Server is safe for concurrent use.
type Server struct {
	opt   Options
	seal  cipher.AEAD
	start string // names this server among the servers with the same Key

	mu      sync.Mutex
	user    User
	serial  uint64           // number of the newest login
	logins  map[login]*past  // what happened after the claims were sealed
	sweepAt int              // drop expired logins at this size
	granted map[pair]scopes  // consents, for skipping the page and for UnionScopes
	removed map[pair]removal // when the user removed an app
	emptied removal          // when all apps were removed
}

// New returns a server. New panics if opt has no clock, because only a programming
// error leaves the clock out.
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
	}
}

// SetUser changes the user who logs in from now on, as if the browser had another
// account open.
func (s *Server) SetUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user = u
}

// ServeHTTP serves the Accounts service and the Web API on one origin. Date shows
// the server's own clock, right or wrong.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	// A body that is no form leaves r.PostForm empty, which the handlers refuse.
	_ = r.ParseForm()
	a := s.answer(r)
	a.header.Set("Date", s.opt.Now().UTC().Format(http.TimeFormat))
	a.send(w)
}

func (s *Server) answer(r *http.Request) answer {
	switch path := r.URL.Path; {
	case path == "/api/token":
		return s.token(r)
	case path == "/v1/me", path == "/v1/me/": // spotipy, tekore and rspotify ask with the slash
		return s.me(r)
	case path == "/v1/search":
		return s.search(r)
	case strings.HasPrefix(path, "/v1/"):
		return apiError(http.StatusNotFound, "Service not found")
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
