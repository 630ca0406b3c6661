package output

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

// Exec runs the program argv[0], found on the PATH, with the environment env, and
// returns its exit code. Ctrl-C reaches the program directly, like every process of the
// console. This process must not end first, so Exec catches the interrupt: on Windows,
// ignoring the interrupt is not enough.
func Exec(argv, env []string, in io.Reader, out, errs io.Writer) (code int, err error) {
	path, code, err := executable(argv[0])
	if err != nil {
		return code, err
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	cmd := &exec.Cmd{Path: path, Args: argv, Env: env, Stdin: in, Stdout: out, Stderr: errs}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 126, notRun(argv[0], err)
	}
	return 0, nil
}
