package cli

import (
	"context"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/output"
)

const longToken = `Makes sure that the token of one profile is valid, and prints it. token writes no outputs.`

const examplesToken = `tokenform token
tokenform token -p dev --min-ttl 30m
curl -H "$(tokenform token --format header)" https://api.spotify.com/v1/me
tokenform token --format seed          # the login, for a pipeline`

type token struct {
	selection
	loginFlags
	format string
}

func (c *token) flags(f flags) {
	c.selection.flags(f)
	f.choice(&c.format, "format", "what to print", "token", "header", "env", "export", "fish", "powershell", "json", "seed", "refresh_token")
	c.loginFlags.flags(f)
	c.sandboxFlag(f)
	c.minTTLFlag(f)
}

func (c *token) check(args, _ []string) error { return c.loginFlags.check(&c.selection, args) }

func (c *token) run(ctx context.Context, p *program) int {
	j, code := p.beginTokens(ctx, c.selection, c.loginFlags)
	if code != 0 {
		return code
	}
	defer j.end()
	if err := single("token prints one token", j.profiles); err != nil {
		return p.refuse(err)
	}
	outcomes := j.Apply(ctx, j.profiles)
	if o := &outcomes[0]; o.Err == nil && (c.format == "seed" || c.format == "refresh_token") {
		o.Err = j.DeadLogin(*o)
	}
	if o := &outcomes[0]; o.Err == nil {
		o.Err = output.Mask(p.Err, p.Env, o.Token)
	}
	if o := &outcomes[0]; o.Err == nil {
		o.Err = output.WriteToken(p.Out, o.Profile, o.Token, c.format)
	}
	return p.reportFailed(outcomes)
}

// beginTokens is begin for a command that wants valid tokens and writes no
// outputs.
func (p *program) beginTokens(ctx context.Context, s selection, l loginFlags) (work, int) {
	return p.prepare(ctx, s, l, flow.Options{Outputs: flow.LookAtOutputs}, func([]config.Profile) { p.guard() })
}

// reportFailed reports the outcomes that failed, and returns the exit code. If none
// failed, reportFailed reports nothing.
func (p *program) reportFailed(outcomes []flow.Outcome) int {
	code := outcomesCode(outcomes)
	if code != 0 {
		p.voice.Failed(outcomes)
	}
	return code
}
