//go:build !windows

package output

import (
	"io"
	"syscall"
)

// Exec becomes the program argv[0], found on the PATH, with the environment env. So no
// parent process keeps secrets, and signals reach the program itself. Exec returns only
// on failure; code is then the shell's, 127 or 126.
func Exec(argv, env []string, _ io.Reader, _, _ io.Writer) (code int, err error) {
	path, code, err := executable(argv[0])
	if err != nil {
		return code, err
	}
	return 126, notRun(argv[0], syscall.Exec(path, argv, env))
}
