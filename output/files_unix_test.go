//go:build unix

package output

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"tokenform/config"
	"tokenform/config/fault"
)

func TestPipeIsRefused(t *testing.T) {
	t.Parallel()
	d := newDisk(t, jsonFile("fifo"), env("fifo.env", "access_token=T"))
	for _, o := range d.p.Outputs {
		if err := syscall.Mkfifo(o.Path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const want = "fifo: is a named pipe\nfifo.env: is a named pipe"
	if _, err := d.files.Stale(d.p, someToken(), d.recorded, false); err == nil || err.Error() != want {
		t.Errorf("plan: %v", err)
	}
	if _, err := d.files.Write(t.Context(), d.p, someToken(), d.recorded); err == nil || err.Error() != want {
		t.Errorf("apply: %v", err)
	}
}

func TestFullOutput(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	d := newDisk(t, config.Output{Type: "stdout", Format: "token"})
	d.files.Out = full
	made, err := d.files.Write(t.Context(), d.p, someToken(), d.recorded)
	if err == nil || err.Error() != "standard output: no space left on device" || fault.KindOf(err) != fault.Failed {
		t.Errorf("%v", err)
	}
	d.says(made)
}

// TestE4PlantedLink checks that a link which another user has put into a directory such
// as /tmp is not followed, as fs.protected_symlinks of Linux does not follow it.
func TestE4PlantedLink(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a link of another user")
	}
	d := newDisk(t, env("shared/.env", "access_token=T"))
	d.write("victim", "A=1\n", 0o644)
	shared, link := d.path("shared"), d.path("shared/.env")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.Chmod(shared, 0o777|fs.ModeSticky), os.Symlink(d.path("victim"), link)); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(link, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	const want = "shared/.env: is a link that another user has put into a directory of everybody"
	if _, err := d.files.Stale(d.p, someToken(), d.recorded, false); err == nil || err.Error() != want {
		t.Errorf("plan: %v", err)
	}
	if _, err := d.files.Write(t.Context(), d.p, someToken(), d.recorded); err == nil || err.Error() != want {
		t.Errorf("apply: %v", err)
	}
	d.holds("victim", "A=1\n")
	if err := os.Lchown(link, 0, 0); err != nil { // a link of our own is followed
		t.Fatal(err)
	}
	d.apply(someToken())
	d.holds("victim", "A=1\nT="+someToken().Access+"\n")
}
