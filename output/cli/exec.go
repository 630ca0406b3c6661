package cli

import (
	"context"
	"os"
	"sync"
	"time"

	"tokenform/flow"
	"tokenform/output"
)

const longExec = `Makes sure that the tokens are valid, and then runs COMMAND with the tokens in its
environment: in the variables of the profiles' env outputs, or in SPOTIFY_ACCESS_TOKEN
and SPOTIFY_TOKEN_EXPIRES_AT. exec writes no outputs. The exit code is that of COMMAND;
127 means that the command was not found.

For a command that runs longer than a token: with --restart, tokenform keeps the tokens
valid and restarts COMMAND when they change (SIGTERM, then SIGKILL after --grace). With
--signal, COMMAND gets that signal instead, and reads the token itself. exec ends when
COMMAND ends.`

const examplesExec = `tokenform exec -- node index.js
tokenform exec -p dev -- python app.py
tokenform exec --restart -- node server.js`

type execCommand struct {
	selection
	loginFlags
	command []string // the program and its arguments
	restart bool
	signal  string // the name of a signal; empty means none
	grace   time.Duration
	sends   os.Signal
}

func (c *execCommand) flags(f flags) {
	c.selection.flags(f)
	c.loginFlags.flags(f)
	c.sandboxFlag(f)
	c.minTTLFlag(f)
	f.BoolVar(&c.restart, "restart", false, "stay, and start COMMAND anew when a token changes")
	f.StringVar(&c.signal, "signal", "", "stay, and send COMMAND the signal `NAME` when a token changes")
	c.grace = 10 * time.Second
	f.long(&c.grace, "grace", "with --restart: wait this long before SIGKILL")
}

func (c *execCommand) check(args, dashed []string) error {
	if len(dashed) == 0 {
		return usage("exec needs a command", "write it after --: tokenform exec -- COMMAND ARG...")
	}
	c.command = dashed
	if c.restart && c.signal != "" {
		return usage("--restart and --signal cannot be combined", "use one of the two")
	}
	if c.signal != "" {
		var err error
		if c.sends, err = output.ParseSignal(c.signal); err != nil {
			return err
		}
	}
	return c.loginFlags.check(&c.selection, args)
}

func (c *execCommand) run(ctx context.Context, p *program) int {
	j, code := p.beginTokens(ctx, c.selection, c.loginFlags)
	if code != 0 {
		return code
	}
	defer j.end()
	if err := output.Clash(j.profiles); err != nil {
		return p.refuse(err)
	}
	outcomes := j.Apply(ctx, j.profiles)
	if code := p.reportFailed(outcomes); code != 0 {
		return code
	}
	if err := ctx.Err(); err != nil { // the stored tokens stay, and the command does not start
		return p.refuse(err)
	}
	for _, o := range outcomes {
		if err := output.Mask(p.Err, p.Env, o.Token); err != nil {
			return p.refuse(err)
		}
	}
	if c.restart || c.signal != "" {
		return c.supervise(ctx, p, j, outcomes)
	}
	env, err := output.Environment(ctx, p.Environ(), outcomes)
	if err != nil {
		return p.refuse(err)
	}
	stdout := p.Out.(*errWriter).Writer // the command gets the stream itself, not our wrapper
	code, err = output.Exec(c.command, env, p.In, stdout, p.Err)
	if err != nil {
		p.refuse(err)
	}
	return code
}

// supervise runs the command and, beside it, a watch that keeps its tokens valid.
func (c *execCommand) supervise(ctx context.Context, p *program, j work, outcomes []flow.Outcome) int {
	var mu sync.Mutex // guards outcomes
	changed := make(chan struct{}, 1)
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		j.Watch(watching, j.profiles, flow.Watch{
			Tell: func(o flow.Outcome) {
				if o.Err != nil {
					p.voice.Error(o.Profile.Name, o.Err)
					return
				}
				if err := output.Mask(p.Err, p.Env, o.Token); err != nil || !o.Done {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for i := range outcomes {
					if outcomes[i].Profile.Name == o.Profile.Name {
						outcomes[i].Token = o.Token
					}
				}
				select {
				case changed <- struct{}{}:
				default: // a change is waiting already, and one is enough
				}
			},
			Error: func(err error) { p.voice.Error("", err) },
		})
	})
	// ctx does not end the command: the command gets the signal, and its end ends
	// everything.
	code, err := output.Supervise(context.WithoutCancel(ctx), c.command, output.Supervision{
		Env: func() ([]string, error) {
			mu.Lock()
			defer mu.Unlock()
			return output.Environment(ctx, p.Environ(), outcomes)
		},
		Changed: changed, Signal: c.sends, Grace: c.grace,
	})
	stop()
	watch.Wait()
	if err != nil {
		p.refuse(err)
	}
	return code
}
