package cli

import "context"

const longValidate = `Checks profiles without network and without running a command. validate reports all
mistakes at once, as file:line:column.`

const examplesValidate = `tokenform validate
tokenform validate apps --json`

type validate struct{ selection }

func (c *validate) run(ctx context.Context, p *program) int {
	found, code := p.load(ctx, c.selection)
	if code != 0 {
		return code
	}
	p.voice.Validated(found.profiles, append(found.problems, p.inspect(ctx, found.profiles)...))
	return 0
}
