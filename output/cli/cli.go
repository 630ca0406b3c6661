// Package cli has the commands of the program, what their flags mean, and which
// servers, files and people they work with. The program is a function of its context,
// arguments, environment and streams. Each command is one file and one line of the list
// in commands.go.
package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/output/terminal"
)

// Process is what the program needs of the process that it runs in.
type Process struct {
	Args    []string                    // without the program's name
	Env     func(string) (string, bool) // looks a variable up
	Environ func() []string             // all of the environment, as NAME=value

	In       io.Reader
	Out, Err io.Writer

	// These say whether a person sits at a stream.
	InTerminal, OutTerminal, ErrTerminal bool

	// Columns returns how many columns the terminal behind a stream has, or zero if that
	// is not known. Columns may be nil.
	Columns func(io.Writer) int

	Now     func() time.Time
	Version func() Build

	// Guard makes the given signals end the context instead of the process. Call Guard
	// just before work begins that must not be torn, and no earlier: the call takes a
	// fifth of the time of a run that has nothing to do. Calls after the first do
	// nothing.
	Guard func(...os.Signal)

	// Hangups yields SIGHUP until stop is called. Until then, SIGHUP does not end the
	// process.
	Hangups func() (hangups <-chan os.Signal, stop func())
}

// The exit codes, as README has them.
const (
	exitChanges     = 2
	exitInterrupted = 130
)

var exitCodes = [...]int{fault.Failed: 1, fault.Invalid: 3, fault.LoginNeeded: 4, fault.Temporary: 5, fault.Interrupted: exitInterrupted}

// exitCode returns the code for all of errs together. nil errors do not count.
func exitCode(errs ...error) int {
	err := errors.Join(errs...)
	if err == nil {
		return 0
	}
	return exitCodes[fault.KindOf(err)]
}

// outcomesCode returns the code for all outcomes together.
func outcomesCode(outcomes []flow.Outcome) int { return exitCode(flow.Errors(outcomes)...) }

// program is one run of a command.
type program struct {
	Process
	global
	voice       terminal.Voice
	commandName string

	stdin    func() ([]byte, error)           // profiles from standard input, read once
	declared atomic.Pointer[[]config.Profile] // every declared profile, selected or not
}

// Run runs the program and returns the exit code.
func Run(ctx context.Context, process Process) int {
	defer fault.Crash()
	terminal.Prepare(process.Out, process.Err)
	stdout := process.Out
	out := &errWriter{Writer: stdout}
	process.Out = out
	called, err := parse(process.Args, func(files []string) []string { return completions(process, files) })
	p := &program{Process: process, global: called.global, voice: voice(process, called, stdout), commandName: called.name, stdin: config.ReadOnce(process.In)}
	if err == nil {
		err = enoughFiles()
	}
	if err != nil {
		return p.refuse(err)
	}
	code := called.command.run(ctx, p)
	if err := out.failed(); err != nil && code != exitCode(err) { // else an output has reported the error
		err := &fault.Error{Kind: fault.Failed, Message: "standard output", Err: fault.Cause(err), Hint: "the output is incomplete: free some space, or print it elsewhere"}
		p.voice.Error("", err)
		return cmp.Or(code, exitCode(err))
	}
	return code
}

// voice makes the voice that flags and environment ask for. out is standard output itself.
func voice(p Process, called call, out io.Writer) terminal.Voice {
	noColor, _ := p.Env("NO_COLOR")
	kind, _ := p.Env("TERM")
	actions, _ := p.Env("GITHUB_ACTIONS")
	color := func(terminal bool) bool {
		return called.color == "always" || called.color != "never" && terminal && noColor == "" && kind != "dumb"
	}
	columns := func(terminal bool, w io.Writer) func() int {
		if !terminal || p.Columns == nil {
			return nil
		}
		return func() int { return cmp.Or(p.Columns(w), 80) }
	}
	language := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // POSIX, 8.2 Internationalization Variables
		if value, _ := p.Env(name); language == "" {
			language = strings.ToLower(value)
		}
	}
	return terminal.New(terminal.Options{
		Columns: columns(p.OutTerminal && kind != "dumb", out), ErrColumns: columns(p.ErrTerminal, p.Err),
		UTF8: strings.Contains(language, "utf") || runtime.GOOS == "windows",
		Out:  p.Out, Err: p.Err, Now: p.Now, Command: called.name,
		JSON: called.json, Quiet: called.quiet,
		Color: color(p.ErrTerminal), ColorOut: color(p.OutTerminal), Live: p.ErrTerminal,
		GitHub: actions == "true", SSH: sshAddress(p.Env),
	})
}

// sshAddress returns the words that follow ssh in a command that reaches this machine,
// or "" if the session is not over SSH.
func sshAddress(env func(string) (string, bool)) string {
	connection, _ := env("SSH_CONNECTION")
	user, _ := env("USER")
	// SSH_CONNECTION is "client-ip client-port server-ip server-port"; the client knows
	// this machine by server-ip.
	words := strings.Fields(connection)
	if len(words) != 4 {
		return ""
	}
	host := strings.TrimPrefix(user+"@", "@") + words[2]
	if words[3] != "22" {
		return "-p " + words[3] + " " + host
	}
	return host
}

// refuse reports why a run cannot begin, and returns the exit code.
func (p *program) refuse(err error) int {
	p.voice.Refused(err)
	return exitCode(err)
}

// guard protects the work that follows from signals, even from the end of a terminal or
// of an SSH session.
func (p *program) guard() { p.Guard(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) }

// errWriter remembers the first error of a stream, because a command that could not
// print its result has failed.
type errWriter struct {
	io.Writer
	mu  sync.Mutex
	err error
}

func (w *errWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = cmp.Or(w.err, err)
	return n, err
}

func (w *errWriter) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
