package cli

import (
	"context"

	"tokenform/output/terminal"
)

// Build says which version of the program runs.
type Build = terminal.Build

type version struct{}

func (*version) flags(flags) {}

func (*version) check(_, _ []string) error { return nil }

func (*version) run(_ context.Context, p *program) int {
	p.voice.Version(p.Version())
	return 0
}
