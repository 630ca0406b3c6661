package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// project is a directory with profiles, with the server at url as Spotify.
type project struct {
	b   *bench
	dir string
	env []string
}

// project makes n profiles, each with a stored login and an .env. The server at url
// decides how long a token lives: if less than min_ttl, every apply refreshes.
func (b *bench) project(name, url string, n int, env ...string) (*project, error) {
	p := &project{b: b, dir: filepath.Join(b.dir, name)}
	p.env = []string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH"), "CI=true", "TOKENFORM_ACCOUNTS_URL=" + url, "TOKENFORM_API_URL=" + url}
	p.env = append(p.env, env...)
	if err := os.MkdirAll(filepath.Join(p.dir, "out"), 0o700); err != nil {
		return nil, err
	}
	// The program makes the first profile's state from a seed; the others' are copies.
	seeded := strings.Replace(profiles(0, 1), "client:", "refresh_token: AQrefresh\nclient:", 1)
	if err := os.WriteFile(filepath.Join(p.dir, "profiles0.yaml"), []byte(seeded), 0o600); err != nil {
		return nil, err
	}
	if _, _, err := p.tokenform("", "apply").run(); err != nil {
		return nil, err
	}
	for i := 0; i < n; i += perFile {
		file := filepath.Join(p.dir, fmt.Sprintf("profiles%d.yaml", i))
		if err := os.WriteFile(file, []byte(profiles(i, min(i+perFile, n))), 0o600); err != nil {
			return nil, err
		}
	}
	realm := string(state.RealmOf(url, oauth.DefaultAccounts))
	files := map[string][]byte{} // of the first profile, in the state directory
	for _, ext := range []string{".json", ".outputs"} {
		b, err := os.ReadFile(filepath.Join(p.dir, ".tokenform", "p0"+realm+ext))
		if err != nil {
			return nil, err
		}
		files[realm+ext] = b
	}
	out, err := os.ReadFile(filepath.Join(p.dir, "out", "p0.env"))
	if err != nil {
		return nil, err
	}
	defer syscall.Sync() // everything is on the disk before the measurement
	for i := 1; i < n; i++ {
		id := fmt.Sprintf("p%d", i)
		for name, b := range files {
			text := strings.NewReplacer(`"p0"`, `"`+id+`"`, "p0.env", id+".env").Replace(string(b))
			if err := os.WriteFile(filepath.Join(p.dir, ".tokenform", id+name), []byte(text), 0o600); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(filepath.Join(p.dir, "out", id+".env"), out, 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// perFile is small enough for a file to stay below its limit of 1 MiB.
const perFile = 1_000

func profiles(from, to int) string {
	var s strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&s, "---\nprofile: p%d\nclient: {id: app, secret: \"${APP_SECRET:-secret}\"}\nscopes: [user-top-read]\noutputs: [{type: env, path: out/p%d.env, keys: {access_token: SPOTIFY_ACCESS_TOKEN, expires_at: SPOTIFY_TOKEN_EXPIRES_AT}}]\n", i, i)
	}
	return s.String()
}

// tokenform returns tokenform as a contender, with the project's directory as the
// argument.
func (p *project) tokenform(name string, args ...string) contender {
	return contender{name, p.dir, p.env, append([]string{filepath.Join(p.b.bin, "tokenform"), args[0], "."}, args[1:]...)}
}

// other returns another program in the project as a contender.
func (p *project) other(name string, args ...string) contender {
	return contender{name, p.dir, p.env, args}
}

func (b *bench) hello() contender {
	return contender{"hello", b.dir, nil, []string{filepath.Join(b.bin, "hello")}}
}
