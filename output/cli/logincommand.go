package cli

import (
	"context"

	"tokenform/config"
	"tokenform/flow"
)

const longLogin = `Makes sure that one profile has a valid token, as apply does, and asks to log in if needed.

--print and --finish split the login into two steps, for a container, a chat or a script: --print
prints the address to open in any browser. After the login, the browser ends at the
profile's redirect URI; it does not matter if that page does not load. Give its complete
address to --finish within ten minutes, as an argument or on standard input (-).`

const examplesLogin = `tokenform login
tokenform login --renew                # log in again before the login ends
tokenform login --print
tokenform login --finish 'http://127.0.0.1:8888/callback?code=...&state=...'`

type loginCommand struct {
	selection
	loginFlags
	renew, print bool
	finish       string
}

func (c *loginCommand) flags(f flags) {
	c.selection.flags(f)
	c.loginFlags.flags(f)
	f.BoolVar(&c.renew, "renew", false, "log in again although the login is still valid")
	f.BoolVar(&c.print, "print", false, "print the address to log in at, and end")
	f.StringVar(&c.finish, "finish", "", "end a login that --print began: the `ADDRESS` that the browser shows at the end")
}

func (c *loginCommand) check(args, _ []string) error {
	if c.print && c.finish != "" {
		return usage("--print and --finish cannot be combined", "use --print first, and --finish with the address that the browser shows")
	}
	if c.finish == "-" && c.loginFlags.check(&c.selection, args) == nil && c.readsStdin() {
		return usage("standard input cannot be both the profile and the address", "write the profile to a file")
	}
	return c.loginFlags.check(&c.selection, args)
}

func (c *loginCommand) run(ctx context.Context, p *program) int {
	due := func(profiles []config.Profile) {
		p.guard()
		p.inspect(ctx, profiles)
	}
	j, code := p.prepare(ctx, c.selection, c.loginFlags, flow.Options{Renew: c.renew}, due)
	if code != 0 {
		return code
	}
	defer j.end()
	if err := single("login is for one profile", j.profiles); err != nil {
		return p.refuse(err)
	}
	x := j.profiles[0]
	switch {
	case c.print:
		p.guard()
		if now := j.Plan(ctx, j.profiles)[0]; now.Token != nil && now.Decision.Action != flow.Login {
			p.voice.Say(x.Name + ": the stored login is still valid, and stays until this one is finished")
		}
		address, until, err := j.BeginLogin(ctx, x)
		if err != nil {
			return p.refuse(err)
		}
		p.voice.Begun(x.Name, address, until, "then run: "+p.invocation(c.selection).Command("login", "--finish", "ADDRESS", "-p", x.Name))
		return 0
	case c.finish != "":
		address, err := c.address(ctx, p)
		if err != nil {
			return p.refuse(err)
		}
		outcome := j.FinishLogin(ctx, x, address)
		p.voice.Applied([]flow.Outcome{outcome})
		return exitCode(outcome.Err)
	}
	if err := p.bothWantStdout(j.profiles); err != nil {
		return p.refuse(err)
	}
	outcomes := j.Apply(ctx, j.profiles)
	p.voice.Applied(outcomes)
	return outcomesCode(outcomes)
}

// address returns the address to finish a login with.
func (c *loginCommand) address(ctx context.Context, p *program) (string, error) {
	if c.finish != "-" {
		return c.finish, nil
	}
	question := ""
	if p.InTerminal {
		question = "Address that the browser shows: "
	}
	line, ok, err := p.ask(ctx, p.typedLines(), question)
	if err == nil && !ok {
		err = usage("standard input contains no address", "give the address as an argument, or pipe it in")
	}
	return line, err
}
