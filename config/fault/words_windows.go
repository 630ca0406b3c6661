package fault

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// said is an error of Windows in the words that the rest of the program uses.
type said struct {
	errno syscall.Errno
	text  string
}

func (e *said) Error() string { return e.text }

func (e *said) Unwrap() error { return e.errno }

// Is reports whether target is the portable error that has the same words:
// [syscall.ENOSPC] for a full disk.
func (e *said) Is(target error) bool {
	like, ok := portable[e.errno]
	return ok && target == like
}

// portable has, for errors of winerror.h and winsock2.h, the error of package syscall that
// other systems give instead. Its text is that of other systems.
var portable = map[syscall.Errno]syscall.Errno{
	39:    syscall.ENOSPC, // ERROR_HANDLE_DISK_FULL
	112:   syscall.ENOSPC, // ERROR_DISK_FULL
	1295:  syscall.EDQUOT, // ERROR_DISK_QUOTA_EXCEEDED
	10013: syscall.EACCES,
	10048: syscall.EADDRINUSE,
	10049: syscall.EADDRNOTAVAIL,
	10051: syscall.ENETUNREACH,
	10054: syscall.ECONNRESET,
	10060: syscall.ETIMEDOUT,
	10061: syscall.ECONNREFUSED,
	10065: syscall.EHOSTUNREACH,
}

// inUse are the errors of winerror.h for a file that another process holds open without
// sharing it, or has locked.
var inUse = []syscall.Errno{32, 33}

// plain says an error of Windows as a part of a sentence: without a capital and a full stop.
// Any other error stays as it is.
func plain(err error) error {
	if call, ok := err.(*os.SyscallError); ok {
		err = call.Err
	}
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	if like, ok := portable[errno]; ok {
		return &said{errno, like.Error()}
	}
	if slices.Contains(inUse, errno) {
		return &said{errno, "another program has it open"}
	}
	for target, text := range map[error]string{
		fs.ErrNotExist:   "no such file or directory",
		fs.ErrPermission: "permission denied",
		fs.ErrExist:      "file exists",
	} {
		if errors.Is(errno, target) {
			return &said{errno, text}
		}
	}
	text := strings.TrimRight(errno.Error(), ". \r\n")
	if first, size := utf8.DecodeRuneInString(text); len(text) > size && unicode.IsLower(rune(text[size])) { // no "TCP"
		text = string(unicode.ToLower(first)) + text[size:]
	}
	return &said{errno, text}
}
