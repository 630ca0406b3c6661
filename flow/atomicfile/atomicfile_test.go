package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

// only checks that dir has exactly the files names.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if len(have) != len(names) {
		t.Fatalf("%s holds %q, want %q", filepath.Base(dir), have, names)
	}
	for i := range names {
		if have[i] != names[i] {
			t.Fatalf("%s holds %q, want %q", filepath.Base(dir), have, names)
		}
	}
}

func write(t *testing.T, path, data string) {
	t.Helper()
	inPlace, err := Write(path, []byte(data), 0o600)
	must(t, err)
	if inPlace {
		t.Fatal("rewritten in place, although it could be replaced")
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, data := range []string{"new", "longer than before", "", "x"} {
		write(t, path, data)
		if got := read(t, path); got != data {
			t.Errorf("holds %q, want %q", got, data)
		}
	}
	only(t, dir, "f")
}

func TestWriteReplacesALeftover(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, os.WriteFile(temporary(path), []byte("half a"), 0o644))
	write(t, path, "new")
	if got := read(t, path); got != "new" {
		t.Errorf("holds %q", got)
	}
	only(t, dir, "f")
}

func TestRescue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	whole := func(b []byte) bool { return string(b) == "all of it" }
	write(t, path, "old")
	for _, tt := range []struct{ left, want string }{
		{"all of", "old"},
		{"", "old"},
		{"all of it", "all of it"},
		{"all of it\x00\x00\x00", "all of it"}, // killed before the reserved room was given back
	} {
		write(t, path, "old")
		Rescue(path, whole) // there is no temporary file
		must(t, os.WriteFile(temporary(path), []byte(tt.left), 0o600))
		Rescue(path, whole)
		if got := read(t, path); got != tt.want {
			t.Errorf("after %q it holds %q, want %q", tt.left, got, tt.want)
		}
		only(t, dir, "f")
	}
	must(t, os.Remove(path))
	must(t, os.WriteFile(temporary(path), []byte("all of it"), 0o600))
	Rescue(path, whole)
	if got := read(t, path); got != "all of it" {
		t.Errorf("a new file holds %q", got)
	}
	if os.Symlink(path, temporary(path)) == nil { // a planted link is not followed
		Rescue(path, whole)
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			t.Errorf("the file is now %v, %v", info, err)
		}
	}
	only(t, dir, "f")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, Remove(path))
	must(t, Remove(filepath.Join(dir, "no", "such", "dir")))
	write(t, path, "content")
	must(t, os.WriteFile(temporary(path), []byte("secret"), 0o600))
	must(t, Remove(path))
	only(t, dir)
	if err := Remove(dir); !notRegular(err) {
		t.Errorf("removing a directory: %v", err)
	}
}

func notRegular(err error) bool {
	_, ok := errors.AsType[*NotRegularError](err)
	return ok
}

func TestMissingDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "no", "f")
	if _, err := Write(path, nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("write: %v", err)
	}
	if _, _, err := Read(path, 1<<20); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read: %v", err)
	}
}

func TestSymlinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	must(t, os.MkdirAll(at("real", "deep"), 0o700))
	must(t, os.MkdirAll(at("links"), 0o700))
	must(t, os.WriteFile(at("real", "f"), []byte("old"), 0o640))
	must(t, os.Symlink(at("real", "deep"), at("links", "dir")))
	for link, target := range map[string]string{
		"absolute": at("real", "f"),
		"relative": filepath.Join("..", "real", "f"),
		"dotdot":   "dir/../f", // by its text links/f, for the system real/f
		"twice":    "absolute",
		"dangling": filepath.Join("..", "real", "born"),
	} {
		must(t, os.Symlink(target, at("links", link)))
	}
	for _, c := range []struct{ link, target string }{
		{"absolute", "f"}, {"relative", "f"}, {"dotdot", "f"}, {"twice", "f"}, {"dangling", "born"},
	} {
		write(t, at("links", c.link), "through "+c.link)
		if got := read(t, at("real", c.target)); got != "through "+c.link {
			t.Errorf("%s: the target holds %q", c.link, got)
		}
		if info, err := os.Lstat(at("links", c.link)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more (%v)", c.link, err)
		}
	}
	only(t, at("real"), "born", "deep", "f")

	must(t, Remove(at("links", "dangling")))
	only(t, at("real"), "deep", "f")
	if _, err := os.Lstat(at("links", "dangling")); err != nil {
		t.Errorf("the link itself is gone: %v", err)
	}

	must(t, os.Symlink("b", at("links", "a")))
	must(t, os.Symlink("a", at("links", "b")))
	if _, err := Write(at("links", "a"), nil, 0o600); err == nil {
		t.Error("a loop of links was written to")
	}
	if _, err := Write(at("links", "dir"), nil, 0o600); !notRegular(err) {
		t.Errorf("a link to a directory: %v", err)
	}
}

func TestDirectoryTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Write(dir, []byte("x"), 0o600); !notRegular(err) {
		t.Errorf("write: %v", err)
	}
	if _, _, err := Read(dir, 1<<20); !notRegular(err) {
		t.Errorf("read: %v", err)
	}
	only(t, dir)
}

func TestOverwrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, []byte("old content"), 0o600))
	before, err := os.Stat(path)
	must(t, err)
	for _, data := range [][]byte{[]byte("new, and a good deal longer"), []byte("short"), {}, bytes.Repeat([]byte("x"), 1<<16)} {
		must(t, overwrite(path, data))
		if got := read(t, path); got != string(data) {
			t.Errorf("holds %d bytes, want %d", len(got), len(data))
		}
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("not in place (%v)", err)
	}
}
