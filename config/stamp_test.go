package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"p/a.yaml": "client: {id: {file: id}, secret: {file: ../secret}}\nenv_file: [../.env, ../linked.env]\n" +
			"outputs:\n  - {type: env, path: ../.env, keys: {access_token: A, scope: S}}\n  - {type: template, path: out, template: in}\n",
		"p/b.yml":  "client: {id: abc}\nenv_file: [../.env]\nrefresh_token: {file: token}\noutputs: [{type: env, path: ../.env, keys: {access_token: B}}, {type: json, path: token.json}]\n",
		".env":     "# mine\nX=1\nA=old # c\nB='old'",
		"real.env": "Y=1\n",
		"p/id":     "abc", "secret": "hush", "p/in": "${access_token}\n", "p/token": "seed",
	})
	if err := os.Symlink("real.env", filepath.Join(dir, "linked.env")); err != nil {
		t.Skip(err)
	}
	src := Sources{Dir: dir}
	profiles := load(t, src, "p")
	stamp := Stamp(src, []string{"p"}, profiles)
	at := time.Now()
	change := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Second) // the clock of the disk may be coarse
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{".env", "# mine\nX=1\nA=new # c\nB='new'\n", false},
		{".env", "# mine\nX=1\nA=newer # c\nB=newer\nS=added\n", false},
		{".env", "# mine\nX=2\nA=newer # c\nB=newer\nS=added\n", true},
		{".env", "# mine\nX='A=1\nA=2'\n", true},
		{".env", "# mine\nX='A=1\nA=3'\n", true},
		{"real.env", "Y=2\n", true},
		{"p/id", "def", true},
		{"secret", "changed", true},
		{"p/in", "${scope}", true},
		{"p/out", "written", false},
		{"p/token", "another", true},
		{"p/token.json", "written", false},
		{"p/.hidden.yaml", "", false},
		{"p/a.yaml", "client: {id: abc}\n", true},
		{"p/c.yaml", "client: {id: abc}\n", true},
	} {
		change(c.name, c.text)
		now := Stamp(src, []string{"p"}, profiles)
		if now.Changed(stamp) != c.want {
			t.Errorf("%s with %q: changed %t", c.name, c.text, !c.want)
		}
		for path, text := range now {
			if strings.Contains(path+text, "newer") || strings.Contains(text, "mine") {
				t.Errorf("%s: a value is in the stamp: %s", path, text)
			}
		}
		stamp = now
	}
	if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	now := Stamp(src, []string{"p"}, profiles)
	if !now.Changed(stamp) {
		t.Error("a file that is gone is no change")
	}

	// It is no change if other profiles read other files. It is a change if a file
	// changed while the profiles were loaded.
	before := Stamp(src, []string{"p"}, nil)
	if now.Changed(before) || before.Changed(now) {
		t.Error("other profiles are a change")
	}
	change("p/c.yaml", "client: {id: other}\n")
	stamp = Stamp(src, []string{"p"}, profiles).Since(before)
	if !Stamp(src, []string{"p"}, profiles).Changed(stamp) {
		t.Error("a change during the load is lost")
	}
}
