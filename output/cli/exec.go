package cli

import (
	"context"

	"tokenform/output"
)

const longExec = `Brings the profiles to a valid state, as apply does, and then runs COMMAND with
the tokens in its environment, under the variables that the profiles' env
outputs name; a profile without any gives SPOTIFY_ACCESS_TOKEN and
SPOTIFY_TOKEN_EXPIRES_AT. No outputs are written. The exit code is COMMAND's;
127 where there is no such command.

  tokenform exec -- node index.js`

type execCommand struct {
	selection
	login
	command []string // the program and its arguments
}

func (c *execCommand) flags(f flags) {
	c.selection.flags(f)
	c.login.flags(f)
	c.sandboxFlag(f)
	c.minTTLFlag(f)
}

func (c *execCommand) check(args, dashed []string) error {
	if len(dashed) == 0 {
		return usage("exec needs a command", "write it behind --: tokenform exec -- COMMAND ARG...")
	}
	c.command = dashed
	return c.login.check(&c.selection, args)
}

func (c *execCommand) run(ctx context.Context, p *program) int {
	j, code := p.beginTokens(ctx, c.selection, c.login)
	if code != 0 {
		return code
	}
	defer j.end()
	if err := output.Clash(j.profiles); err != nil {
		return p.refuse(err)
	}
	outcomes := j.Apply(ctx, j.profiles)
	if code := p.failed(outcomes); code != 0 {
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
	env, err := output.Environment(ctx, p.Environ(), outcomes)
	if err != nil {
		return p.refuse(err)
	}
	stdout := p.Out.(*errWriter).Writer // the command gets the stream itself
	code, err = output.Exec(c.command, env, p.In, stdout, p.Err)
	if err != nil {
		p.refuse(err)
	}
	return code
}
