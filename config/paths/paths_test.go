package paths_test

import (
	"os"
	"path/filepath"
	"testing"

	"tokenform/config/paths"
)

func TestSame(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(at("real/deep"), 0o700))
	must(os.WriteFile(at("real/file"), []byte("x"), 0o600))
	must(os.WriteFile(at("real/other"), []byte("y"), 0o600))
	info, err := os.Stat(at("real/file"))
	must(err)
	must(os.Chtimes(at("real/other"), info.ModTime(), info.ModTime())) // equal in everything but the inode
	must(os.Symlink("real", at("linked")))
	must(os.Symlink("deep/../file", at("real/link")))
	must(os.Symlink("new", at("real/dangling")))
	must(os.Symlink("a", at("b")))
	must(os.Symlink("b", at("a")))
	must(os.Link(at("real/file"), at("hard")))
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"real/file", "real/file", true},
		{"real/file", "linked/file", true},
		{"real/file", "linked/link", true},
		{"real/file", "hard", true},
		{"real/file", "real/other", false},
		{"real/file", "real/missing", false},
		{"real/missing", "linked/missing", true},
		{"real/missing", "real/missed", false},
		{"real/gone/x", "linked/gone/x", true},
		{"real/new", "linked/dangling", true},
		{"real", "linked", true},
		{"real/deep", "linked/deep", true},
		{"a", "real/file", false},
		{"a", "b", false}, // links in a circle lead nowhere
	} {
		if got := paths.Same(at(c.a), at(c.b)); got != c.want {
			t.Errorf("Same(%s, %s) = %v", c.a, c.b, got)
		}
		if got := paths.Same(at(c.b), at(c.a)); got != c.want {
			t.Errorf("Same(%s, %s) = %v", c.b, c.a, got)
		}
	}
	for _, c := range []struct {
		dir, file, want string
		ok              bool
	}{
		{"real", "real/file", "file", true},
		{"real", "linked/file", "file", true},
		{"linked", "real/deep/x", "deep/x", true},
		{"real/deep", "real/file", "", false},
		{"real", "realm/file", "", false},
		{"real", "real/..x", "..x", true},
		{"linked", "linked/link", "link", true},
	} {
		got, ok := paths.Within(at(c.dir), at(c.file))
		if got != c.want || ok != c.ok {
			t.Errorf("Within(%s, %s) = %q, %v", c.dir, c.file, got, ok)
		}
	}
}
