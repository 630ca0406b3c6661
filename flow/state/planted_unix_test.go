//go:build unix

package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlantedDirectory checks that a state directory is not made or used through a link
// that another user has put into a directory such as /tmp.
func TestPlantedDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a link of another user")
	}
	dir := t.TempDir()
	shared, private := filepath.Join(dir, "shared"), filepath.Join(dir, "private")
	link := filepath.Join(shared, "project")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.Mkdir(private, 0o700), os.Chmod(shared, 0o777|fs.ModeSticky), os.Symlink(private, link)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{link, filepath.Join(link, "new")} {
		if err := os.Lchown(link, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		_, err := Real.Open(at).Lock(t.Context(), "dev", Holder{}, Waiting{})
		if err == nil || !strings.Contains(err.Error(), "a link that another user has put into a directory of everybody") {
			t.Errorf("%s: %v", at, err)
		}
		if list, err := os.ReadDir(private); len(list) != 0 || err != nil {
			t.Errorf("%s: made %v, %v", at, list, err)
		}
	}
	if err := os.Lchown(link, 0, 0); err != nil {
		t.Fatal(err)
	}
	e, err := Real.Open(link).Lock(t.Context(), "dev", Holder{}, Waiting{}) // a link of our own
	if err != nil {
		t.Fatal(err)
	}
	e.Unlock()
}
