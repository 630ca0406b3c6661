package atomicfile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestStageAcrossMounts checks that Commit works for content that waits on the same
// file system but behind another mount, so that the content cannot be renamed.
func TestStageAcrossMounts(t *testing.T) {
	if dir := os.Getenv("ACROSS_MOUNTS"); dir != "" {
		path, room := filepath.Join(dir, "mounted", "f"), filepath.Join(dir, "room")
		for _, old := range [][]byte{nil, []byte("new")} {
			staged, err := Stage(path, room, old, []byte("new"), 0o600)
			must(t, err)
			if found, _ := filepath.Glob(filepath.Join(room, ".*.tokenform-tmp")); len(found) != 1 {
				t.Errorf("in the room: %q", found)
			}
			inPlace, err := staged.Commit()
			must(t, err)
			if got := read(t, path); got != "new" || inPlace {
				t.Errorf("holds %q, in place %t", got, inPlace)
			}
			only(t, filepath.Dir(path), "f")
			only(t, room)
		}
		return
	}
	dir := t.TempDir()
	must(t, errors.Join(os.Mkdir(filepath.Join(dir, "mounted"), 0o700), os.Mkdir(filepath.Join(dir, "behind"), 0o700), os.Mkdir(filepath.Join(dir, "room"), 0o700)))
	self, err := os.Executable()
	must(t, err)
	const script = `mount --bind "$1/behind" "$1/mounted" || exit 42; ACROSS_MOUNTS=$1 exec "$2" -test.run=TestStageAcrossMounts`
	cmd := exec.Command("unshare", "-m", "sh", "-c", script, "sh", dir, self)
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound) || cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 42 || os.Geteuid() != 0:
		t.Skipf("nothing can be mounted here: %s", out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
}
