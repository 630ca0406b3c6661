package cli

import (
	"context"

	"tokenform/config"
	"tokenform/flow"
)

const longApply = `Makes sure that every profile has a valid token: logs in, refreshes or requests one as
needed, stores the token, and writes the outputs that differ. A second apply does
nothing.

Without FILE, tokenform reads $TOKENFORM_FILE, or else tokenform.yaml in the current
directory or the nearest one above it, up to the repository root or home directory.
A directory stands for its *.yaml and *.yml files, - for standard input.

A profile that was removed from its file stays in state. --prune, or destroy -p NAME,
deletes its login and its outputs.

--sandbox keeps its logins apart and writes the same outputs, except those that contain
a token from Spotify itself.`

const examplesApply = `tokenform apply                        # the profile in tokenform.yaml
tokenform apply apps -p 'prod-*'       # some profiles of a directory
tokenform apply --login paste          # log in without a browser here
tokenform apply --sandbox              # try it without a Spotify account`

type apply struct {
	selection
	loginFlags
	parallelism          int
	renew, prune, verify bool
}

func (c *apply) flags(f flags) {
	c.selection.flags(f)
	c.loginFlags.flags(f)
	parallelismFlag(f, &c.parallelism)
	f.BoolVar(&c.renew, "renew", false, "log in again although the login is still valid")
	pruneFlag(f, &c.prune)
	verifyFlag(f, &c.verify)
	c.sandboxFlag(f)
	c.minTTLFlag(f)
}

func (c *apply) check(args, _ []string) error {
	if err := checkParallelism(c.parallelism); err != nil {
		return err
	}
	c.orphans = c.prune
	return c.loginFlags.check(&c.selection, args)
}

func (c *apply) run(ctx context.Context, p *program) int {
	due := func(profiles []config.Profile) {
		p.guard()
		p.inspect(ctx, profiles)
	}
	j, code := p.prepare(ctx, c.selection, c.loginFlags, flow.Options{Parallelism: c.parallelism, Renew: c.renew, Verify: c.verify}, due)
	if code != 0 {
		return code
	}
	defer j.end()
	if err := p.bothWantStdout(j.profiles); err != nil {
		return p.refuse(err)
	}
	p.sayStandIn(c.selection)
	outcomes := j.Apply(ctx, j.profiles)
	if len(j.orphans) > 0 {
		p.guard()
		outcomes = append(outcomes, j.Prune(ctx, j.orphans)...)
	}
	p.voice.Applied(outcomes)
	return outcomesCode(outcomes)
}
