package cli

import (
	"context"

	"tokenform/config"
	"tokenform/flow"
)

const longApply = `Brings the token of every profile to a valid state, with whatever grant that
takes, stores it, and writes the outputs that differ. A second apply does
nothing.

Without FILE it reads tokenform.yaml in the current directory; a directory
stands for its *.yaml and *.yml files, - for standard input.

A profile that was taken out of its file stays in state until --prune, or
destroy -p NAME, deletes its token and takes its outputs back.`

type apply struct {
	selection
	login
	parallelism          int
	renew, prune, verify bool
}

func (c *apply) flags(f flags) {
	c.selection.flags(f)
	c.login.flags(f)
	parallelismFlag(f, &c.parallelism)
	f.BoolVar(&c.renew, "renew", false, "log in again although the login still holds")
	pruneFlag(f, &c.prune)
	verifyFlag(f, &c.verify)
	c.sandboxFlag(f)
}

func (c *apply) check(args, _ []string) error {
	if err := checkParallelism(c.parallelism); err != nil {
		return err
	}
	return c.login.check(&c.selection, args)
}

func (c *apply) run(ctx context.Context, p *program) int {
	var profiles, orphans []config.Profile
	var code int
	if c.prune {
		profiles, orphans, code = p.loadWithOrphans(c.selection)
	} else {
		profiles, _, code = p.load(c.selection)
	}
	if code != 0 {
		return code
	}
	begin := func(due []config.Profile) {
		p.guard()
		p.inspect(ctx, due)
	}
	r, end, err := p.runner(c.selection, c.login, flow.Options{Parallelism: c.parallelism, Renew: c.renew, Verify: c.verify}, begin)
	if err != nil {
		return p.refuse(err)
	}
	defer end()
	if err := p.bothWantStdout(profiles); err != nil {
		return p.refuse(err)
	}
	if c.sandbox {
		p.voice.Say("these tokens come from a stand-in; Spotify itself will not take them")
	}
	outcomes := r.Apply(ctx, profiles)
	if len(orphans) > 0 {
		p.guard()
		outcomes = append(outcomes, r.Prune(ctx, orphans)...)
	}
	p.voice.Applied(outcomes)
	return outcomesCode(outcomes)
}
