// Package config loads and checks profiles. config uses no network and starts no grant.
// The only programs that config runs are git, for the warnings of [Inspect], and the
// commands that a profile names as the origin of a value.
package config

import (
	"slices"
	"time"
)

// Grant is the OAuth grant that a profile asks for, by its name in the profile.
type Grant string

// The grants of RFC 6749 that Spotify still offers. PKCE is the authorization
// code grant of a public client (RFC 7636).
const (
	AuthorizationCode Grant = "authorization_code"
	PKCE              Grant = "pkce"
	ClientCredentials Grant = "client_credentials"
)

// User reports whether tokens of this grant stand for a person who logged in.
func (g Grant) User() bool { return g != ClientCredentials }

// Defaults of the profile keys.
const (
	DefaultRedirectURI   = "http://127.0.0.1:8888/callback"
	DefaultMinTTL        = 5 * time.Minute
	DefaultLoginLifetime = 180 * 24 * time.Hour
	DefaultLoginWarning  = 14 * 24 * time.Hour
	DefaultState         = ".tokenform"
)

// Profile is one YAML document, checked, with its defaults filled in and its
// paths made absolute.
type Profile struct {
	Name          string
	MovedFrom     string // the name under which the profile's state may still be kept; empty if there is none
	MovedByName   bool   // MovedFrom is not declared: tokenform.yaml once gave its profile that name
	Client        Client
	Grant         Grant
	Scopes        []string // as declared; nil for client credentials
	RedirectURI   string   // as registered at Spotify, byte for byte
	ShowDialog    bool
	MinTTL        time.Duration // refresh a token with less than this left
	LoginLifetime time.Duration // how long after consent a refresh token is trusted
	LoginWarning  time.Duration // warn this long before LoginLifetime ends
	RefreshToken  *Value        // the seed; nil if none is declared, or the declared one is empty
	NoSeed        string        // why the declared seed is empty: the place, the variable; empty if the seed is not empty, or none is declared
	AuthorizedAt  time.Time     // when the seed's login was made, if the seed does not say; zero means not known
	Verify        bool
	Account       string // id or account_id of the only account that may log in; empty means any account
	Listen        string // host:port to bind; empty means the host and port of RedirectURI
	State         string // absolute path of the state directory
	Store         *Store // where the login is kept; nil means in the state directory
	Encrypt       *Encryption
	Dir           string // absolute path of the project: the directory of the profile's file
	Outputs       []Output
	Notify        []Notifier
	Pos           Pos // where the document starts

	path      string   // the profile's file, absolute; empty if it is standard input
	envFiles  []string // absolute
	namePos   Pos
	listenPos Pos
}

// File returns the absolute path of the profile's file, or "" if the profile came from
// standard input.
func (p Profile) File() string { return p.path }

// Client is a Spotify app's credentials.
type Client struct {
	ID     *Value
	Secret *Value // nil for a public client
}

// Output is a file, a stream or a command that tokens are written to.
type Output struct {
	Type         OutputType
	Path         string // absolute; empty if the output is no file that the profile names
	Shown        string // the name that people know: the path as in the profile, or the command
	Keys         []Key  // env and github: in the profile's order
	Format       string // for json: one of JSONFormats; for stdout: never empty
	RefreshToken bool   // format tokenform: write refresh_token and authorized_at too
	Pos          Pos

	Template, TemplateShown string   // template: its absolute path, and as the profile has it
	Command                 []string // command: the program and its arguments
	Dir                     string   // command: where it runs, the profile's directory
	Value                   string   // command: one of Fields, or a format of stdout
	Changed                 bool     // command: run only if the login is not that of the profile's refresh_token
	To                      string   // github: "env" or "output"

	keyPos []Pos // of each of Keys
}

// NeedsSecret reports whether the output shows the client secret.
func (o Output) NeedsSecret() bool {
	return o.Value == "client_secret" || o.Format == "spotify-web-api-node" || o.Format == "tekore" ||
		slices.ContainsFunc(o.Keys, func(k Key) bool { return k.Field == "client_secret" })
}

// Notifier is a command that tells people of events.
type Notifier struct {
	On      []string // some of NotifyEvents
	Command []string // the program and its arguments
	Dir     string   // where it runs, the profile's directory
}

// The events that people can be told of.
const (
	LoginEnding = "login_ending" // the login ends within login_warning
	LoginNeeded = "login_needed" // a person must log in
	Failing     = "failing"      // the profile has failed for hours
	Recovered   = "recovered"    // the profile works again
)

// NotifyEvents are the words that on: of a notifier accepts.
var NotifyEvents = []string{LoginEnding, LoginNeeded, Failing, Recovered}

// Key maps a field of the token to a variable, of an env file or of GitHub Actions.
type Key struct {
	Field    string // one of Fields
	Variable string
}

// Fields are the names by which outputs refer to parts of a token.
var Fields = []string{
	"access_token", "token_type", "scope", "expires_at", "refresh_token",
	"authorized_at", "client_id", "client_secret", "profile",
}

// Pos is a position in a file. Line and Col count from one; zero means the file as
// a whole. Columns count characters, not bytes.
type Pos struct {
	File string // as the user named it; "-" is standard input
	Line int
	Col  int
}
