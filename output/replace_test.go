package output

import (
	"errors"
	"os"
	"strconv"
	"testing"

	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/atomicfile"
)

// TestOtherWriter checks that a file is read again if another program has changed it,
// and that the other program's text is never replaced, however often the file changes.
func TestOtherWriter(t *testing.T) {
	t.Parallel()
	for _, times := range []int{0, 1, patience - 1, patience} {
		t.Run(strconv.Itoa(times), func(t *testing.T) {
			t.Parallel()
			d := newDisk(t)
			d.write("f", "0", 0o600)
			at := place{d.path("f"), "f"}
			looks := -1 // the first look is without the lock
			_, err := d.files.put(t.Context(), "dev", fileJob{place: at, plan: func(old *file) (edit, error) {
				looks++
				if looks > 0 && looks <= times {
					d.write("f", strconv.Itoa(looks), 0o600)
				}
				return edit{change: flow.Change{Action: flow.Update}, content: append(old.data, " and ours"...)}, nil
			}})
			if times < patience {
				if err != nil {
					t.Fatal(err)
				}
				d.holds("f", strconv.Itoa(times)+" and ours")
			} else {
				if !errors.Is(err, atomicfile.ErrChanged) || fault.KindOf(err) != fault.Temporary || err.Error() != "f: another program is changing it" {
					t.Errorf("%v", err)
				}
				d.holds("f", strconv.Itoa(times))
			}
			if entries, _ := os.ReadDir(d.dir); len(entries) != 1 {
				t.Errorf("it leaves %v", entries)
			}
		})
	}
}
