package cli

import (
	"context"
	"slices"
	"strings"

	"tokenform/flow/state"
)

const longLog = `Shows what runs of tokenform did to logins: when, which command in which process, what,
and the serial number of the stored login. The log is bounded and contains no secrets.`

const examplesLog = `tokenform log
tokenform log dev --json`

type logCommand struct {
	selection
	names []string
}

func (c *logCommand) flags(f flags) { c.sandboxFlag(f) }

func (c *logCommand) check(args, _ []string) error {
	c.names = args
	return nil
}

func (c *logCommand) run(ctx context.Context, p *program) int {
	realm, err := p.realm(c.selection)
	if err != nil {
		return p.refuse(err)
	}
	var events []state.Event
	at, err := p.places(ctx, nil, false)
	if err != nil {
		return p.refuse(err)
	}
	for _, dir := range at.dirs {
		events = append(events, realm.Open(dir).Events()...)
	}
	events = slices.DeleteFunc(events, func(e state.Event) bool { return len(c.names) > 0 && !slices.Contains(c.names, e.Profile) })
	slices.SortStableFunc(events, func(a, b state.Event) int { return a.Time.Compare(b.Time) })
	if len(events) == 0 {
		what := "nothing is in the log"
		if len(c.names) > 0 {
			what += " about " + strings.Join(c.names, ", ")
		}
		p.voice.Say(what)
	}
	p.voice.Logged(events)
	return 0
}
