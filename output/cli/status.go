package cli

import (
	"context"

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
	j, code := p.begin(ctx, c.selection, login{}, flow.Options{}, nil)
	if code != 0 {
		return code
	}
	defer j.end()
	outcomes := p.forecast(ctx, j, c.verify)
	p.voice.Status(outcomes)
	return outcomesCode(outcomes)
}

// forecast plans, and under --verify asks the Web API about the tokens.
func (p *program) forecast(ctx context.Context, j job, verify bool) []flow.Outcome {
	outcomes := j.Plan(j.profiles)
	if verify {
		p.guard()
		j.Check(ctx, outcomes)
	}
	return outcomes
}
