package cli

import (
	"context"
	"slices"

	"tokenform/flow"
)

const longPlan = `Says what apply would do now. plan changes nothing, takes no lock, and needs no network
unless --verify is given.`

const examplesPlan = `tokenform plan
tokenform plan --detailed-exitcode     # exit 2 if there is something to do
tokenform plan --json                  # also what each profile declares`

type plan struct {
	selection
	detailedExitcode, prune, verify bool
}

func (c *plan) flags(f flags) {
	c.selection.flags(f)
	f.BoolVar(&c.detailedExitcode, "detailed-exitcode", false, "exit 2 if apply would change something")
	pruneFlag(f, &c.prune)
	verifyFlag(f, &c.verify)
	c.sandboxFlag(f)
}

func (c *plan) check(args, _ []string) error {
	c.files, c.orphans = args, true
	return nil
}

func (c *plan) run(ctx context.Context, p *program) int {
	j, code := p.prepare(ctx, c.selection, loginFlags{}, flow.Options{}, nil)
	if code != 0 {
		return code
	}
	defer j.end()
	p.inspect(ctx, j.profiles)
	p.sayStandIn(c.selection)
	outcomes := append(p.forecast(ctx, j, c.verify), j.PlanOrphans(ctx, j.orphans, c.prune)...)
	changes := slices.ContainsFunc(outcomes, flow.Outcome.Due)
	j.SuggestMoves(ctx, outcomes, j.orphans)
	j.Remind(outcomes)
	p.voice.Planned(outcomes, changes)
	if code := outcomesCode(outcomes); code != 0 || !changes || !c.detailedExitcode {
		return code
	}
	return exitChanges
}
