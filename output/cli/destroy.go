package cli

import (
	"context"
	"slices"
	"time"

	"tokenform/config/fault"
	"tokenform/flow"
)

const longDestroy = `Deletes the logins of the profiles and removes the outputs that tokenform wrote: whole
files that are unchanged since, and its own variables in env files. The app stays
allowed at Spotify; to remove it: https://www.spotify.com/account/apps/`

const examplesDestroy = `tokenform destroy                      # asks first
tokenform destroy -p old --yes
tokenform destroy --all                # also profiles that no file declares`

type destroy struct {
	selection
	yes, all    bool
	lockTimeout time.Duration
}

func (c *destroy) flags(f flags) {
	c.selection.flags(f)
	f.BoolVar(&c.all, "all", false, "also the profiles that no file declares")
	f.BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	lockTimeoutFlag(f, &c.lockTimeout)
	c.sandboxFlag(f)
}

func (c *destroy) check(args, _ []string) error {
	c.files, c.orphans, c.every = args, c.patterns != nil || c.all, c.all
	return nil
}

func (c *destroy) run(ctx context.Context, p *program) int {
	j, code := p.prepare(ctx, c.selection, loginFlags{lockTimeout: c.lockTimeout}, flow.Options{}, nil)
	if code != 0 {
		return code
	}
	defer j.end()
	p.guard()
	planned := j.PlanDestroy(ctx, append(j.profiles, j.orphans...))
	if !c.yes && slices.ContainsFunc(planned, flow.Outcome.Stored) {
		p.voice.WillDestroy(planned)
		if err := p.confirm(ctx, "destroy asks before it deletes", "Delete all this? The logins cannot be recovered."); err != nil {
			return p.refuse(err)
		}
	}
	done := j.Destroy(ctx, planned)
	p.voice.Destroyed(done)
	return outcomesCode(done)
}

// confirm asks a person before something is deleted that nobody can restore.
func (p *program) confirm(ctx context.Context, what, question string) error {
	if !p.InTerminal || !p.ErrTerminal {
		return usage(what+", and standard input is not a terminal", "add --yes")
	}
	answer, _, err := p.ask(ctx, p.typedLines(), question+` Type "yes" to confirm: `)
	if err == nil && answer != "yes" {
		err = &fault.Error{Message: "nothing was deleted"}
	}
	return err
}
