package config

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"tokenform/config/fault"
)

// CommandTimeout is how long the command of a value may take.
const CommandTimeout = 30 * time.Second

// Value is a string of a profile: the text itself, with every ${…} replaced, or a
// text to be fetched from a variable, a file or a command. A Value is safe for
// concurrent use and is fetched at most once.
type Value struct {
	Pos     Pos
	Key     string // "client.id", for messages
	literal bool   // at least a part of the text is written in the profile
	free    bool   // the text need not look like one of Spotify's credentials
	names   string // the variables in the text, for From
	*origin        // nil if nothing needs to be fetched

	mu   sync.Mutex
	text string
	done bool
}

// origin is where a value is fetched from. origin is a type of its own to save memory:
// there may be thousands of values, and most have no origin.
type origin struct {
	env     string        // a variable's name
	file    string        // absolute
	command []string      // program and arguments
	shown   string        // the file or the program as written in the profile
	dir     string        // where the command runs: the directory of the profile's file
	timeout time.Duration // for the command
	lookup  func(string) (string, bool)
}

// Literal returns a value that needs no fetching.
func Literal(s string) *Value { return &Value{text: s, done: true} }

// Known returns the value if fetching it has no side effect: the value is a literal, a
// variable that is set, or a regular file that can be read. ok is false if only
// [Value.Resolve] can tell, as for a command or a pipe. A nil Value is known to be
// empty.
func (v *Value) Known() (s string, ok bool) {
	if v == nil {
		return "", true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.done && v.harmless() {
		_ = v.fetch(context.Background())
	}
	return v.text, v.done
}

// From says where the value comes from, for messages: its variable, file or command, or
// the place in the profile.
func (v *Value) From() string {
	switch {
	case v == nil:
		return ""
	case v.origin != nil && v.env != "":
		return v.env
	case v.origin != nil:
		return printable(v.shown)
	case v.names != "":
		return v.names
	}
	return v.Pos.String()
}

// harmless reports whether fetching the value has no side effect: a command may do
// anything, and reading a pipe empties it.
func (v *Value) harmless() bool {
	return v.command == nil && (v.file == "" || isRegular(v.file))
}

// Resolve returns the value, and fetches it if necessary. The error names the key and
// the origin, with a hint, and never quotes data from the origin. If ctx ends, Resolve
// returns ctx's error, whatever Resolve was waiting for.
func (v *Value) Resolve(ctx context.Context) (string, error) {
	if v == nil {
		return "", nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.done {
		return v.text, nil
	}
	if err := v.fetch(ctx); err != nil {
		return "", err
	}
	return v.text, nil
}

func (v *Value) fetch(ctx context.Context) error {
	var s string
	switch {
	case v.env != "":
		text, ok := v.lookup(v.env)
		if !ok {
			return v.problem(fmt.Sprintf("the variable %s is not set", v.env), "export it, or put it in the env_file (.env by default)")
		}
		s = dropNewline(text)
	case v.file != "":
		b, err := ReadFile(ctx, v.file, maxSecret)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return v.problem(fmt.Sprintf("cannot read %s: %s", v.shown, cause(err)), "create the file, or change its path in the profile")
		}
		if s, err = v.plainText(v.shown, b); err != nil {
			return err
		}
	default:
		text, err := v.run(ctx)
		if err != nil {
			return err
		}
		if s, err = v.plainText("the output of "+v.shown, []byte(text)); err != nil {
			return err
		}
	}
	if s == "" {
		return v.problem("the value is empty", "")
	}
	if wrong := blemish(s); wrong != nil && !v.free {
		return v.problem(wrong.message, wrong.hint)
	}
	v.text, v.done = s, true
	return nil
}

// plainText returns the text of a file or of a command's output without what an
// editor or a shell adds: a byte order mark and one newline. what names the source.
func (v *Value) plainText(what string, data []byte) (string, error) {
	if isUTF16(data) {
		return "", v.problem(what+" is UTF-16", "save it as UTF-8; PowerShell's > writes UTF-16")
	}
	return dropNewline(strings.TrimPrefix(string(data), "\ufeff")), nil
}

// run runs the command, without a shell, and returns the command's standard output. run
// discards its standard error, because a secret may be in it.
func (v *Value) run(ctx context.Context) (string, error) {
	limited, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, v.command[0], v.command[1:]...)
	cmd.Dir = v.dir
	cmd.WaitDelay = time.Second // a process that the command started may hold the pipe open
	var out bounded
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limited.Err() != nil:
		return "", v.problem(fmt.Sprintf("the command %s did not end within %s", v.shown, v.timeout), "run the command by hand: does it wait for input?")
	case errors.Is(err, ErrTooLarge), out.full:
		return "", v.problem(fmt.Sprintf("the command %s printed more than 64 KiB", v.shown), "it must print only the value")
	case errors.As(err, &exit):
		return "", v.problem(fmt.Sprintf("the command %s failed (%s)", v.shown, exit.ProcessState), "run the command by hand to see why")
	default:
		return "", v.problem(fmt.Sprintf("cannot run the command %s: %s", v.shown, cause(err)), "the first item is the program, the others are its arguments; tokenform uses no shell")
	}
}

// maxSecret bounds the size of a secret.
const maxSecret = 64 << 10

// bounded keeps what a command prints, up to maxSecret.
type bounded struct {
	strings.Builder
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxSecret {
		b.full = true
		return 0, ErrTooLarge
	}
	return b.Builder.Write(p)
}

func (v *Value) problem(msg, hint string) error {
	return &Problem{Pos: v.Pos, Message: v.Key + ": " + msg, Hint: hint}
}

// dropNewline removes one newline at the end: editors and echo add one.
func dropNewline(s string) string {
	s = strings.TrimSuffix(s, "\n")
	return strings.TrimSuffix(s, "\r")
}

// cause returns the text of a file or process error without the path or the
// program, which the message names already.
func cause(err error) string { return fault.Cause(err).Error() }
