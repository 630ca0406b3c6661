package fault_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"tokenform/config/fault"
)

// TestCauseWords checks that what Windows says fits into a sentence, and is still the same
// error.
func TestCauseWords(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ERROR_FILE_NOT_FOUND: "no such file or directory",
		syscall.ERROR_PATH_NOT_FOUND: "no such file or directory",
		syscall.ERROR_ACCESS_DENIED:  "permission denied",
		syscall.ERROR_ALREADY_EXISTS: "file exists",
		32:                           "another program has it open",
		112:                          "no space left on device",
		10061:                        "connection refused",
	} {
		for _, err := range []error{errno, &fs.PathError{Op: "open", Path: "x", Err: errno}, os.NewSyscallError("connectex", errno)} {
			if got := fault.Cause(err); got.Error() != want || !errors.Is(got, errno) {
				t.Errorf("%v: %v, want %s", err, got, want)
			}
		}
	}
	if !errors.Is(fault.Cause(syscall.Errno(112)), syscall.ENOSPC) {
		t.Error("a full disk is not ENOSPC")
	}
	for errno := range syscall.Errno(100) {
		text := fault.Cause(errno).Error()
		if strings.HasSuffix(text, ".") || len(text) > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z' {
			t.Errorf("%d: %q", int(errno), text)
		}
	}
}
