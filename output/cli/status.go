package cli

import (
	"context"

	"tokenform/config"
	"tokenform/flow"
)

const longStatus = `Shows for each profile how long its access token is valid and how long its
login lasts, as far as that is known. It needs no network unless --verify is
given.`

type status struct {
	selection
	verify bool
}

func (c *status) flags(f flags) {
	c.selection.flags(f)
	verifyFlag(f, &c.verify)
	c.sandboxFlag(f)
}

func (c *status) run(ctx context.Context, p *program) int {
	profiles, _, code := p.load(c.selection)
	if code != 0 {
		return code
	}
	r, end, err := p.runner(c.selection, login{}, flow.Options{}, nil)
	if err != nil {
		return p.refuse(err)
	}
	defer end()
	outcomes := p.forecast(ctx, r, profiles, c.verify)
	p.voice.Status(outcomes)
	return outcomesCode(outcomes)
}

// forecast plans, and under --verify asks the Web API about the tokens.
func (p *program) forecast(ctx context.Context, r *flow.Runner, profiles []config.Profile, verify bool) []flow.Outcome {
	outcomes := r.Plan(profiles)
	if verify {
		p.guard()
		r.Check(ctx, outcomes)
	}
	return outcomes
}
