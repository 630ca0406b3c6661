package cli

import (
	"context"
	"fmt"
	"strings"

	"tokenform/config"
	"tokenform/output/terminal"
)

const longSchema = `Prints the JSON Schema (2020-12) of profiles, for editors, or with "output" the one of
what --json prints. Within version 1, that output only gains fields.`

const examplesSchema = `tokenform schema > profile.schema.json
tokenform schema output`

type schema struct{ output bool }

func (*schema) flags(flags) {}

func (c *schema) check(args, _ []string) error {
	if len(args) > 1 || len(args) == 1 && args[0] != "profile" && args[0] != "output" {
		return usage(fmt.Sprintf("there is no schema %q", clip(strings.Join(args, " "))), "write tokenform schema profile, or tokenform schema output")
	}
	c.output = len(args) == 1 && args[0] == "output"
	return nil
}

func (c *schema) run(_ context.Context, p *program) int {
	if c.output {
		p.voice.Print(terminal.Schema)
	} else {
		p.voice.Print(config.Schema)
	}
	return 0
}
