package cli

import (
	"context"
	"fmt"
	"runtime"
)

type version struct{}

func (*version) flags(flags) {}

func (*version) check(_, _ []string) error { return nil }

func (*version) run(_ context.Context, p *program) int {
	p.voice.Version(p.Version(), fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH))
	return 0
}
