// Command tokenform keeps Spotify tokens valid, as profiles declare them.
package main

import (
	"cmp"
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"tokenform/output/cli"
)

func main() {
	// Discard the global logger: net/http logs there, and quotes what the server sent.
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	os.Exit(cli.Run(ctx, cli.Process{
		Args: os.Args[1:], Env: os.LookupEnv, Environ: os.Environ,
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: isTerminal(os.Stdin), OutTerminal: isTerminal(os.Stdout), ErrTerminal: isTerminal(os.Stderr),
		Columns: columns, Now: time.Now, Version: build,
		Guard:   func(signals ...os.Signal) { once.Do(func() { cancelOn(signals, cancel) }) },
		Hangups: hangups,
	}))
}

// version is for a packager whose sources have no git history, so that the Go command
// finds no version: -ldflags=-X=main.version=v1.2.3.
var version = ""

// build returns what the Go command knew when it built the program.
func build() cli.Build {
	b := cli.Build{Release: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Release = cmp.Or(b.Release, info.Main.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		}
	}
	return b
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// columns returns how many columns the terminal behind w has, or zero.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// cancelOn calls cancel when the first of signals arrives, so that work which must not
// be torn can finish. The second signal kills the process, as usual. A signal that is
// ignored, for example by nohup(1), stays ignored.
func cancelOn(signals []os.Signal, cancel func()) {
	signals = slices.DeleteFunc(signals, signal.Ignored)
	if len(signals) == 0 {
		return // signal.Notify without signals would catch every signal
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, signals...)
	go func() {
		if <-ch == syscall.SIGHUP {
			// The end of a terminal sends SIGHUP twice: once from the shell, once from
			// the kernel.
			signal.Ignore(syscall.SIGHUP)
		}
		signal.Stop(ch)
		cancel()
	}()
}

// hangups yields SIGHUP until stop is called.
func hangups() (ch <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
