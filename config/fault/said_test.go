package fault_test

import (
	"io"
	"strings"
	"testing"

	"tokenform/config/fault"
)

// TestTail checks that Tail keeps a bounded end, however it is written to.
func TestTail(t *testing.T) {
	t.Parallel()
	var tail fault.Tail
	if _, ok := any(&tail).(io.ReaderFrom); ok {
		t.Error("io.Copy goes around Write")
	}
	for range 3 {
		if n, err := io.Copy(&tail, strings.NewReader(strings.Repeat("x", 1<<20)+"\nthe end\n")); n != 1<<20+9 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := tail.String(); len(got) != 64<<10 || !strings.HasSuffix(got, "x\nthe end\n") {
		t.Errorf("%d bytes: …%s", len(got), got[max(len(got)-20, 0):])
	}
	if got := fault.LastLine(tail.String(), "the end of it"); got != "the end" {
		t.Errorf("%q", got)
	}
}
