//go:build unix

package output

import (
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
