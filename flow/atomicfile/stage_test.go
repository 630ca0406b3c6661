package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestStage checks that a replacement made from one content never replaces another
// content.
func TestStage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		now, old []byte // nil means that there is no file
		ok       bool
	}{
		{"same", []byte("old"), []byte("old"), true},
		{"same, empty", []byte{}, []byte{}, true},
		{"nothing yet", nil, nil, true},
		{"changed", []byte("odd"), []byte("old"), false},
		{"emptied", []byte{}, []byte("old"), false},
		{"filled", []byte("odd"), []byte{}, false},
		{"gone", nil, []byte("old"), false},
		{"gone, was empty", nil, []byte{}, false},
		{"appeared", []byte("odd"), nil, false},
		{"appeared, empty", []byte{}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if tt.now != nil {
				must(t, os.WriteFile(path, tt.now, 0o644))
			}
			staged, err := Stage(path, "", tt.old, []byte("new"), 0o600)
			must(t, err)
			if tt.now != nil && read(t, path) != string(tt.now) {
				t.Errorf("staging has changed it: %q", read(t, path))
			}
			_, err = staged.Commit()
			switch {
			case tt.ok:
				must(t, err)
				if got := read(t, path); got != "new" {
					t.Errorf("holds %q", got)
				}
			case !errors.Is(err, ErrChanged):
				t.Fatalf("%v", err)
			case tt.now == nil:
				only(t, dir)
				return
			case read(t, path) != string(tt.now):
				t.Errorf("holds %q", read(t, path))
			}
			only(t, dir, "f")
		})
	}
}

// TestDiscard checks that Discard leaves no file behind.
func TestDiscard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, os.WriteFile(path, []byte("old"), 0o644))
	staged, err := Stage(path, "", []byte("old"), []byte("new"), 0o600)
	must(t, err)
	if !Littered(path) {
		t.Error("nothing was staged")
	}
	staged.Discard()
	only(t, dir, "f")
	if got := read(t, path); got != "old" {
		t.Errorf("holds %q", got)
	}
}

// TestStageInRoom checks that content which waits in another directory replaces the
// file just like content that waits beside the file, even if the directory is on
// another file system.
func TestStageInRoom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ready func(t *testing.T, dir, room string)
		where string // the directory in which the content waits
	}{
		"one file system": {func(*testing.T, string, string) {}, "room"},
		"no room":         {func(t *testing.T, _, room string) { must(t, os.Remove(room)) }, "dir"},
		"a file as room": {func(t *testing.T, _, room string) {
			must(t, os.Remove(room))
			must(t, os.WriteFile(room, nil, 0o600))
		}, "dir"},
	} {
		for _, exists := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				if runtime.GOOS == "windows" {
					c.where = "dir"
				}
				top := t.TempDir()
				dir, room := filepath.Join(top, "dir"), filepath.Join(top, "room")
				must(t, errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(room, 0o700)))
				path := filepath.Join(dir, "f")
				var old []byte
				if exists {
					old = []byte("old")
					must(t, os.WriteFile(path, old, 0o640))
				}
				c.ready(t, dir, room)
				staged, err := Stage(path, room, old, []byte("new"), 0o600)
				must(t, err)
				for _, place := range []string{dir, room} {
					found, _ := filepath.Glob(filepath.Join(place, ".*.tokenform-tmp"))
					if (len(found) == 1) != (filepath.Base(place) == c.where) {
						t.Errorf("in %s: %q", filepath.Base(place), found)
					}
				}
				inPlace, err := staged.Commit()
				must(t, err)
				if got := read(t, path); got != "new" || inPlace {
					t.Errorf("holds %q, in place %t", got, inPlace)
				}
				only(t, dir, "f")
			})
		}
	}
}
