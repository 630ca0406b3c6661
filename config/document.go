package config

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"tokenform/config/fault"
)

// profileKeys are the keys of a document.
var profileKeys = []string{
	"profile", "moved_from", "client", "grant", "scopes", "redirect_uri", "show_dialog",
	"min_ttl", "login_lifetime", "login_warning", "refresh_token", "authorized_at", "env_file",
	"verify", "account", "listen", "state", "encrypt", "notify", "outputs",
}

// document decodes one document of a file, and adds the problems found in it to the
// loader.
type document struct {
	*loader
	file   *file
	lookup func(string) (string, bool) // for ${…}
	merged int                         // keys taken from merges so far

	unselected bool   // see Sources.Only
	skipped    string // for hints: a line of an env_file that was skipped; empty means none
}

// report adds an error at a node.
func (d *document) report(n *node, hint, format string, args ...any) {
	d.problems = append(d.problems, &Problem{Pos: d.file.at(n), Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (d *document) warn(n *node, hint, format string, args ...any) {
	d.report(n, hint, format, args...)
	d.problems[len(d.problems)-1].Warning = true
}

// profile decodes a document. single says that the document is alone in its file;
// then the file's name is the profile's default name.
func (d *document) profile(root *node, single bool) (p Profile, ok bool) {
	fs, ok := d.mapping(root, "the profile", profileKeys, false)
	if !ok {
		return p, false
	}
	own := fs
	fs = d.inherit(fs)
	d.unselected = !d.selects(fs, single)
	undeclared := false // .env counts without being declared
	if f := fs.get("env_file"); f != nil {
		p.envFiles = d.envFiles(f) // first, because every other key may need its variables
	} else if !fs.has("env_file") {
		undeclared = true
		d.defaultEnvFile()
	}
	p.Pos = d.file.at(root)
	p.path, p.Dir = d.file.path, d.file.dir
	p.Client = d.client(root, fs)
	if f := fs.get("refresh_token"); f != nil {
		before := len(d.problems)
		if p.RefreshToken = d.value(f, "refresh_token"); p.RefreshToken == nil && len(d.problems) == before {
			p.NoSeed = d.noSeed(f.node)
		}
	}
	// Mark the secrets before anything else, so that no later message quotes one
	// through an alias.
	p.Name, p.namePos = d.name(root, fs, single)
	if f := fs.get("moved_from"); f != nil {
		s, ok := d.shown(f.node, "moved_from")
		if ok && (!IsProfileName(s) || s == p.Name) {
			d.report(f.node, "write the previous name of the profile", "%s cannot be the previous name of a profile", f.node.quoted())
		}
		p.MovedFrom = s
	} else if p.MovedByName = !fs.has("profile") && p.Name == defaultProfile; p.MovedByName {
		p.MovedFrom = formerDefault
	}
	p.Grant = d.grant(fs, p.Client.Secret != nil)
	if p.Grant == ClientCredentials {
		d.noLogin(own)
	} else {
		d.login(&p, fs)
	}
	p.MinTTL = d.duration(fs, "min_ttl", DefaultMinTTL)
	if p.MinTTL >= time.Hour {
		d.report(fs.get("min_ttl").node, "for example 5m; a longer min_ttl would refresh the token on every run", "min_ttl must be less than 1h, the lifetime of an access token")
	}
	p.Verify = d.boolean(fs, "verify")
	p.State, p.Store = d.state(fs)
	if f := fs.get("encrypt"); f != nil {
		p.Encrypt = d.encrypt(f)
	}
	if f := fs.get("notify"); f != nil {
		p.Notify = d.notifiers(f)
	}
	if f := fs.get("outputs"); f != nil {
		p.Outputs = d.outputs(f, p)
	}
	if undeclared && len(d.envs) > 0 {
		if path := d.file.envPath(); d.envs[path] != nil { // a variable was looked for in it
			p.envFiles = []string{path}
		}
	}
	return p, true
}

// noSeed returns the reason why the profile's refresh_token is empty.
func (d *document) noSeed(n *node) string {
	_, rest, variable := strings.Cut(n.value, "${")
	if !variable {
		return ""
	}
	end := 0
	for end < len(rest) && isNameByte(rest[end], end) {
		end++
	}
	return d.file.at(n).String() + ": refresh_token is empty: the variable " + rest[:end] + " has no value" + d.forks()
}

// selects reports whether the profile is selected, as far as its name is known without
// a variable.
func (d *document) selects(fs fields, single bool) bool {
	name := defaultName(d.file.shown)
	if f := fs.get("profile"); f != nil {
		name = f.node.value
	}
	return len(d.src.Only) == 0 || strings.Contains(name, "$") || slices.ContainsFunc(d.src.Only, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok || err != nil // Select reports the pattern
	})
}

// name returns the profile's name and the position that the name comes from.
func (d *document) name(root *node, fs fields, single bool) (string, Pos) {
	const hint = "use a-z, 0-9, dot, underscore and hyphen; start with a letter or digit"
	if f := fs.get("profile"); f != nil {
		s, ok := d.shown(f.node, "profile")
		switch {
		case ok && isProfileName(s) && !canBeFile(s+".json"):
			d.report(f.node, "choose another name", "%s cannot be a profile's name on Windows, where it names a device", f.node.quoted())
		case ok && !IsProfileName(s):
			d.report(f.node, hint, "%s cannot be a profile's name", f.node.quoted())
		}
		return s, d.file.at(f.node)
	}
	switch base := defaultName(d.file.shown); {
	case fs.has("profile"):
	case d.file.path == "":
		d.report(root, "add profile: NAME; standard input has no file name to use", "the profile has no name")
	case !single:
		d.report(root, "add profile: NAME; the file name is the default only in a file with one profile", "the profile has no name")
	case !IsProfileName(base):
		d.report(root, "add profile: NAME, or rename the file; "+hint, "the profile has no name, and the file name cannot be one")
	default:
		return base, d.file.at(root)
	}
	return "", d.file.at(root)
}

// defaultProfile is the name of the profile in a tokenform.yaml that names none, and
// formerDefault the name that it once had.
const (
	defaultProfile = "default"
	formerDefault  = "tokenform"
)

// defaultName returns the name of a profile that is alone in its file and has no name
// of its own: the file's base name. tokenform.yaml is named after the program, and its
// profile is "default".
func defaultName(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if base == "tokenform" {
		return defaultProfile
	}
	return base
}

// IsProfileName reports whether s can name a profile, on this system.
func IsProfileName(s string) bool { return isProfileName(s) && canBeFile(s+".json") }

// isProfileName is IsProfileName for any system. The length is limited because the name
// becomes a file's name.
func isProfileName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || i > 0 && (c == '.' || c == '_' || c == '-')) {
			return false
		}
	}
	return s != "" && len(s) <= 200
}

// canBeFile reports whether a file can have this name. On Windows, con and its like are
// devices, on older ones with any extension, and what follows a colon is another stream of
// the file.
func canBeFile(name string) bool { return runtime.GOOS != "windows" || filepath.IsLocal(name) }

// grant returns the declared grant, or the default. The default depends on
// whether the client has a secret.
func (d *document) grant(fs fields, secret bool) Grant {
	grant := PKCE
	if secret {
		grant = AuthorizationCode
	}
	f := fs.get("grant")
	if f == nil {
		return grant
	}
	s, ok := d.shown(f.node, "grant")
	if !ok {
		return grant
	}
	switch Grant(s) {
	case AuthorizationCode, ClientCredentials:
		if !secret {
			hint := "add secret to client"
			if Grant(s) == AuthorizationCode {
				hint += ", or use grant: pkce for a public client"
			}
			d.report(f.node, hint, "grant %s needs client.secret", s)
		}
		return Grant(s)
	case PKCE:
		if secret {
			d.report(f.node, "remove client.secret, or use grant: authorization_code, which uses PKCE as well", "grant pkce is for clients without a secret")
		}
		return PKCE
	case "implicit", "implicit_grant", "token":
		d.report(f.node, "use grant: pkce", "the implicit grant was removed by Spotify on 2025-11-27")
	default:
		known := []string{string(AuthorizationCode), string(PKCE), string(ClientCredentials)}
		d.report(f.node, meant(s, known), "unknown grant %s", f.node.quoted())
	}
	return grant
}

// noLogin refuses the keys that only a login has. Client credentials stand for
// the app, so nobody logs in. Defaults may have such keys for other profiles.
func (d *document) noLogin(fs fields) {
	for _, f := range fs {
		switch f.name {
		case "scopes", "redirect_uri", "refresh_token", "authorized_at", "account", "listen":
			d.report(f.key, "remove it, or use another grant: client_credentials has no login", "%s does not apply to grant client_credentials", f.name)
		case "show_dialog", "login_lifetime", "login_warning":
			d.warn(f.key, "remove it: client_credentials has no login", "%s does not apply to grant client_credentials", f.name)
		}
	}
}

// login decodes the keys that only a grant with a login has.
func (d *document) login(p *Profile, fs fields) {
	if f := fs.get("scopes"); f != nil {
		p.Scopes = d.scopes(f)
	}
	p.RedirectURI = DefaultRedirectURI
	if f := fs.get("redirect_uri"); f != nil {
		d.redirect(p, f)
	}
	p.ShowDialog = d.boolean(fs, "show_dialog")
	d.lifetime(p, fs)
	if f := fs.get("account"); f != nil {
		s, ok := d.shown(f.node, "account")
		if wrong := blemishInAccount(s); ok && wrong != nil {
			d.report(f.node, "write the account id that tokenform status shows", "account: %s", wrong.message)
		}
		p.Account = s
	}
	if f := fs.get("authorized_at"); f != nil {
		s, ok := d.text(f.node, "authorized_at")
		if ok && s != "" {
			var err error
			if p.AuthorizedAt, err = ParseAuthorized(s); err != nil {
				d.report(f.node, fault.HintOf(err), "authorized_at: %s", err)
			}
		}
	}
	if f := fs.get("listen"); f != nil {
		s, ok := d.shown(f.node, "listen")
		if wrong := checkListen(s); ok && wrong != nil {
			d.report(f.node, wrong.hint, "listen: %s", wrong.message)
		}
		p.Listen, p.listenPos = s, d.file.at(f.node)
	}
}

func (d *document) redirect(p *Profile, f *field) {
	s, ok := d.shown(f.node, "redirect_uri")
	if !ok {
		return
	}
	p.RedirectURI = s
	if wrong := checkRedirect(s); wrong != nil {
		d.report(f.node, wrong.hint, "redirect_uri: %s", wrong.message)
		// The text before an @ is a password.
		f.node.secret = strings.Contains(s, "@")
		return
	}
	if airplay(s) {
		d.warn(f.node, "choose another port, here and in the Spotify dashboard", "redirect_uri: AirPlay uses this port on macOS")
	}
}

func (d *document) lifetime(p *Profile, fs fields) {
	const day = 24 * time.Hour
	p.LoginLifetime = d.duration(fs, "login_lifetime", DefaultLoginLifetime)
	// A short login_lifetime shortens the default warning, too: else a new login would
	// warn at once.
	p.LoginWarning = d.duration(fs, "login_warning", min(DefaultLoginWarning, p.LoginLifetime/10))
	if f := fs.get("login_lifetime"); f != nil {
		switch {
		case p.LoginLifetime == 0:
			d.report(f.node, "write for example 180d", "login_lifetime must be more than 0")
		case p.LoginLifetime > 184*day:
			d.warn(f.node, "write at most 180d, so the warning comes in time", "login_lifetime is longer than the six months after which Spotify ends a login")
		}
	}
	if f := fs.get("login_warning"); f != nil && p.LoginWarning > p.LoginLifetime {
		d.report(f.node, "write a shorter one, for example 14d", "login_warning is longer than login_lifetime")
	}
}

// state returns the state directory and, if the profile names one, the store of its
// login. --state wins over a directory in the profile.
func (d *document) state(fs fields) (dir string, store *Store) {
	dir = filepath.Join(d.file.dir, DefaultState)
	if f := fs.get("state"); f != nil && f.node.kind == mapping {
		store = d.store(f.node)
	} else if f != nil {
		if s, ok := d.path(f.node, "state"); ok {
			dir = s
		}
	}
	if d.src.State != "" {
		dir = absolute(d.src.Dir, d.src.State)
	}
	return dir, store
}

// path returns the path of n, absolute. A relative path starts at the directory of
// the profile's file.
func (d *document) path(n *node, name string) (string, bool) {
	s, ok := d.shown(n, name)
	switch {
	case !ok:
		return "", false
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		d.report(n, "", "%s: a control character in a path", name)
		return "", false
	case s == "~" || strings.HasPrefix(s, "~/"):
		d.report(n, "write ${HOME}, in quotes inside { }", "%s: ~ is not expanded in a profile", name)
		return "", false
	}
	return absolute(d.file.dir, filepath.FromSlash(s)), true
}

func absolute(dir, path string) string {
	switch {
	case filepath.IsAbs(path):
		return filepath.Clean(path)
	case path != "" && os.IsPathSeparator(path[0]): // on Windows, of the same drive
		return filepath.Clean(filepath.VolumeName(dir) + path)
	}
	return filepath.Join(dir, path)
}
