package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestDeclares checks what counts as a declaration: a file that is wrong may still declare
// a profile, and must not look as if it did not.
func TestDeclares(t *testing.T) {
	t.Parallel()
	bomb := "a: &a {x: 1}\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += string(c) + ": &" + string(c) + "\n  <<: [*" + string(c-1) + ", *" + string(c-1) + "]\n"
	}
	bomb += "<<: [*y, *y]\nprofile: other\n"
	for _, c := range []struct {
		text string
		want string // "yes", "no" or a word of the error
	}{
		{"profile: dev\n", "yes"},
		{"profile: other\n", "no"},
		{"client: {id: x}\n", "yes"}, // the file's name is dev.yaml
		{"profile: other\n---\nclient: {id: x}\n", "yes"},
		{"profile: dev\n---\n: [\n", "yes"},
		{"profile: other\n---\n: [\n", "not YAML"},
		{"profile: other\n---\nx: *nowhere\n", "not YAML"},
		{"profile: other\n---\nx: [1, 2\n", "not YAML"},
		{": [\n", "not YAML"},
		{"", "no profile can be read"},
		{"defaults: {client: {id: x}}\n", "no"},
		{"profile: ${NAME}\n", "variable"},
		{"profile:\n", "no name"},
		{"profile: [dev]\n", "no name"},
		{"x: &x {profile: dev}\n<<: *x\n", "yes"},
		{"x: &x {profile: dev}\ny: &y {profile: b}\n<<: [*y, *x]\n", "yes"},
		{bomb, "no"},
		{"profile: other\nmoved_from: dev\n", "yes"},
		{"profile: other\nmoved_from: ${OLD}\n", "variable"},
	} {
		dir := write(t, map[string]string{"dev.yaml": c.text})
		ok, err := Declares(filepath.Join(dir, "dev.yaml"), "dev")
		got := "no"
		if ok {
			got = "yes"
		}
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
	dir := write(t, map[string]string{"tokenform.yaml": "client: {id: x}\n"})
	for name, want := range map[string]bool{"default": true, "tokenform": true, "dev": false} {
		if ok, err := Declares(filepath.Join(dir, "tokenform.yaml"), name); ok != want || err != nil {
			t.Errorf("tokenform.yaml, %s: %v, %v", name, ok, err)
		}
	}
}
