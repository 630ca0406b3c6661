package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"tokenform/config/paths"
)

// Inspect warns about ways in which a secret can leak: a secret that git tracks or
// other users can read, an output that git does not ignore, a variable that front-end
// tools publish, a login that other machines can reach. Unlike [Load], Inspect looks at
// the disk and runs git.
func Inspect(ctx context.Context, ps []Profile) Problems {
	in := &inspector{seen: map[string]bool{}, stateless: map[string]bool{}}
	tracked := gitQuery{}
	unignored := gitQuery{}
	for i := range ps {
		p := &ps[i]
		if p.Listen != "" && !listensOnLoopback(p.Listen) {
			in.warn(p.listenPos, "bind 127.0.0.1, or publish the container's port on 127.0.0.1 only", "listen: other machines can reach the login listener")
		}
		for _, v := range p.secrets() {
			if v.literal && p.path != "" {
				tracked.add(p.fileOf(v))
			}
		}
		if p.Store != nil && p.Encrypt == nil {
			in.warn(p.Store.Pos, "add encrypt: {recipients: [age1…], identity: {env: TOKENFORM_IDENTITY}}", "whoever can read the %s store can use the login: it is not encrypted", p.Store.Type)
		}
		for j := range p.Outputs {
			in.published(&p.Outputs[j])
			if path := p.Outputs[j].Path; path != "" {
				unignored.add(path)
			}
		}
		in.readable(p)
	}
	tracked.run(ctx, gitTracked)
	unignored.run(ctx, gitUnignored)
	for i := range ps {
		p := &ps[i]
		for _, v := range p.secrets() {
			if v.literal && p.path != "" && tracked.found[p.fileOf(v)] {
				in.warn(v.Pos, "use a variable such as ${SPOTIFY_CLIENT_SECRET}; if the file was ever pushed, rotate the secret at Spotify", "%s is in a file that git tracks", v.Key)
			}
		}
		for _, o := range p.Outputs {
			if unignored.found[o.Path] && in.first("git "+o.Path) {
				in.warn(o.Pos, "add it to .gitignore; if it was committed, git rm --cached removes it", "git does not ignore %s", printable(o.Shown))
			}
		}
	}
	return in.problems.sorted()
}

// secrets are the values of a profile that nobody else may know.
func (p *Profile) secrets() []*Value {
	var vs []*Value
	for _, v := range p.values() {
		if v != nil && v != p.Client.ID {
			vs = append(vs, v)
		}
	}
	return vs
}

// values are all values of a profile. Any may be nil.
func (p *Profile) values() []*Value {
	vs := []*Value{p.Client.ID, p.Client.Secret, p.RefreshToken}
	if s := p.Store; s != nil {
		vs = append(vs, s.Password, s.AccessKey, s.SecretKey, s.SessionToken)
	}
	if p.Encrypt != nil {
		vs = append(vs, p.Encrypt.Identity)
	}
	return vs
}

// fileOf returns the absolute path of the file that v is declared in: the profile's
// own, or that of the defaults beside it.
func (p *Profile) fileOf(v *Value) string {
	return filepath.Join(p.Dir, filepath.Base(v.Pos.File))
}

type inspector struct {
	problems  Problems
	seen      map[string]bool
	stateless map[string]bool // whether each state directory is missing
}

func (in *inspector) warn(at Pos, hint, format string, args ...any) {
	in.problems = append(in.problems, &Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint, Warning: true})
}

// first reports whether first is called with this text for the first time.
func (in *inspector) first(what string) bool {
	if in.seen[what] {
		return false
	}
	in.seen[what] = true
	return true
}

// published warns of secrets in variables that front-end tools compile into the
// pages they send to browsers. A field that is no secret may be meant for a page.
func (in *inspector) published(o *Output) {
	for i, k := range o.Keys {
		if k.Field != "access_token" && k.Field != "refresh_token" && k.Field != "client_secret" {
			continue
		}
		for _, prefix := range []string{"VITE_", "NEXT_PUBLIC_", "REACT_APP_", "PUBLIC_", "NUXT_PUBLIC_", "EXPO_PUBLIC_", "VUE_APP_", "GATSBY_"} {
			if strings.HasPrefix(k.Variable, prefix) {
				in.warn(o.keyPos[i], "use a name without "+prefix+", and read it on the server", "front-end tools publish variables that begin with %s, and this one holds the %s", prefix, k.Field)
			}
		}
	}
}

// readable warns of secrets on disk that other users can read. On Windows,
// permission bits do not tell.
func (in *inspector) readable(p *Profile) {
	if runtime.GOOS == "windows" {
		return
	}
	if paths.WithoutPermissions(p.State) { // chmod has no effect there
		if in.first("loose " + p.State) {
			in.warn(p.Pos, LooseHint, "%s", LooseText(p.State))
		}
		return
	}
	for _, v := range p.secrets() {
		if v.literal && p.path != "" && in.firstReadable(p.fileOf(v)) {
			in.warn(Pos{File: v.Pos.File}, "chmod 600 "+v.Pos.File, "the file contains %s, and other users can read it", v.Key)
		}
		if v.origin != nil && v.file != "" && in.firstReadable(v.file) {
			in.warn(v.Pos, "chmod 600 "+printable(v.shown), "%s: other users can read %s", v.Key, printable(v.shown))
		}
	}
	stateless, known := in.stateless[p.State]
	if !known {
		_, err := os.Stat(p.State)
		stateless = err != nil
		in.stateless[p.State] = stateless
	}
	if stateless {
		return
	}
	if in.firstReadable(p.State) {
		in.warn(p.Pos, "chmod 700 "+filepath.Base(p.State), "other users can read the state directory %s", filepath.Base(p.State))
	}
	if file := filepath.Join(p.State, p.Name+".json"); in.firstReadable(file) {
		in.warn(p.Pos, "chmod 600 "+filepath.Base(file)+" in the state directory", "other users can read the profile's state file")
	}
}

// LooseText is the warning of a state directory on a file system that keeps no permissions
// ([paths.WithoutPermissions]), and LooseHint is the cure.
func LooseText(dir string) string {
	return "the file system of " + filepath.Base(dir) + " does not support permissions: other users of this machine may read the tokens"
}

const LooseHint = "use --state DIR to keep tokens on a file system with permissions"

// firstReadable reports whether the group or others may read path. A second call for the
// same path returns false, so that there is one warning.
func (in *inspector) firstReadable(path string) bool {
	if !in.first(path) {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o044 != 0
}
