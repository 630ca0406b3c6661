// Command helper is what the tests under Wine need of Windows and cannot do from outside.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/gofrs/flock"
	"golang.org/x/sys/windows"
)

func main() {
	code, err := map[string]func([]string) (int, error){
		"hold": hold, "lock": lock, "env": env, "console": console,
	}[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "helper:", err)
		code = 99
	}
	os.Exit(code)
}

// hold has a file open until standard input ends. Others may read the file meanwhile, or
// write to it, but not replace it.
func hold(args []string) (int, error) {
	path, err := windows.UTF16PtrFromString(args[0])
	if err != nil {
		return 0, err
	}
	share := uint32(windows.FILE_SHARE_READ)
	if args[1] == "writing" {
		share |= windows.FILE_SHARE_WRITE
	}
	h, err := windows.CreateFile(path, windows.GENERIC_READ, share, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		return 0, err
	}
	defer windows.CloseHandle(h)
	return 0, wait()
}

// lock has the lock on a file until standard input ends.
func lock(args []string) (int, error) {
	l := flock.New(args[0])
	if got, err := l.TryLock(); err != nil || !got {
		return 0, errors.Join(err, errors.New("the lock is not free"))
	}
	defer l.Close()
	return 0, wait()
}

func wait() error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// env prints variables, and ends with code 7.
func env(args []string) (int, error) {
	for _, name := range args {
		fmt.Printf("%s=%s\n", name, os.Getenv(name))
	}
	return 7, nil
}

// console runs a command on this process's console, and prints whether the console obeys
// escape sequences then.
func console(args []string) (int, error) {
	screen, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	var before, after uint32
	const sequences = windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING
	if err := windows.GetConsoleMode(windows.Handle(screen.Fd()), &before); err != nil {
		return 0, err
	}
	if err := windows.SetConsoleMode(windows.Handle(screen.Fd()), before&^sequences); err != nil {
		return 0, err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = screen, screen
	if err := cmd.Run(); err != nil {
		return 0, err
	}
	if err := windows.GetConsoleMode(windows.Handle(screen.Fd()), &after); err != nil {
		return 0, err
	}
	fmt.Println("sequences:", after&sequences != 0)
	return 0, nil
}
