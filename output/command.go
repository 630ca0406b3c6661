package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

// processSink runs a command with a value on its standard input.
type processSink struct{}

func (s processSink) change(x target) (flow.Change, error) {
	change, _, err := s.plan(x)
	return change, err
}

// plan says whether the command must run for the token: it must if the value differs
// from the value that the command got last. State has the digest of that value.
func (processSink) plan(x target) (change flow.Change, text string, err error) {
	o := x.output
	change = x.newChange(flow.Update)
	change.Path, change.Reason = commandID(o), newToken
	last := state.Find(x.recorded, string(o.Type), change.Path)
	if last == nil {
		change.Action, change.Reason = flow.Create, "never run"
	}
	if x.token == nil {
		if last != nil && slices.Contains(config.Fields, o.Value) && !renewed(o.Value) {
			change.Action, change.Reason = flow.KeepOutput, ""
		}
		return change, "", nil
	}
	text, known, err := commandValue(x)
	seed, seedKnown := x.profile.RefreshToken.Known()
	switch {
	case err != nil:
		return change, "", err
	case o.Changed && last == nil && seedKnown && config.ParseSeed(seed).Refresh == x.token.Refresh:
		change.Action, change.Reason = flow.KeepOutput, "" // the place that the seed comes from has this login already
	case last == nil:
	case !known: // only a command can tell the client secret: assume that it is unchanged
		change.Action, change.Reason = flow.KeepOutput, ""
	case last.Digest == state.Digest(text):
		change.Action, change.Reason = flow.KeepOutput, ""
	default:
		change.Reason = o.Value + " changed"
	}
	return change, text, nil
}

func (processSink) remembered(x target) (w state.Written, ok bool) {
	before := state.Find(x.recorded, string(x.output.Type), commandID(x.output))
	if before == nil {
		return w, false
	}
	return state.Written{Type: before.Type, Path: before.Path, Digest: before.Digest}, true
}

// commandID identifies a command in state: two commands are the same if they have the
// same words and get the same field.
func commandID(o config.Output) string {
	words := make([]string, len(o.Command))
	for i, w := range o.Command {
		words[i] = config.ShellWord(w)
	}
	return strings.Join(append(words, "<", o.Value), " ")
}

// commandValue returns what o's command gets on its standard input: the text of a
// field, or what a stdout output would print.
func commandValue(x target) (text string, known bool, err error) {
	if slices.Contains(config.Fields, x.output.Value) {
		text, known = x.value(x.output.Value)
		return text, known, nil
	}
	var b bytes.Buffer
	err = WriteToken(&b, x.profile, x.token, x.output.Value)
	return b.String(), true, err
}

// run runs the command if it must run. run discards what the command prints, which may
// be the secret that the command was given. If the command fails, the error has the
// last line of its standard error, without the secret.
func (s processSink) run(ctx context.Context, x target) ([]flow.Change, error) {
	o := x.output
	change, text, err := s.plan(x)
	if err != nil || change.Action == flow.KeepOutput {
		return nil, err
	}
	if o.NeedsSecret() {
		if err := resolve(ctx, x.profile); err != nil {
			return nil, err
		}
		if change, text, err = s.plan(x); err != nil || change.Action == flow.KeepOutput {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, config.CommandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...)
	cmd.Dir = o.Dir
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe open
	cmd.Stdin = strings.NewReader(text)
	var errs fault.Tail
	cmd.Stderr = &errs
	// A background process that keeps standard error open is no failure of the command.
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return nil, commandError(ctx, o, err, fault.LastLine(errs.String(), text))
	}
	change.Got = state.Digest(text)
	return []flow.Change{change}, nil
}

func commandError(ctx context.Context, o config.Output, err error, said string) error {
	e := &fault.Error{Hint: "run the command by hand to see why; the next apply tries again"}
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Message = fmt.Sprintf("the command %s did not end within %s", o.Command[0], config.CommandTimeout)
	case exited:
		e.Message = fmt.Sprintf("the command %s failed (%s)", o.Command[0], exit.ProcessState)
		if said != "" {
			e.Message += ": " + said
		}
	default:
		e.Message, e.Err = "cannot run the command "+o.Command[0], fault.Cause(err)
		e.Hint = "the first item of command is the program, the others are its arguments; tokenform uses no shell"
	}
	return e
}
