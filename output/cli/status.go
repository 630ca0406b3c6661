package cli

import (
	"context"
	"slices"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
	"tokenform/output"
	"tokenform/output/terminal"
)

const longStatus = `Shows for each profile how long its access token and its login last, whether the outputs
are up to date, and which command fixes what is wrong. status needs no network unless
--verify is given.

The exit code is 4 if a person must log in now, and with --expires-within also if a
login ends that soon.`

const examplesStatus = `tokenform status
tokenform status --expires-within 30d
tokenform status --format prometheus --output /var/lib/metrics/spotify.prom`

type status struct {
	selection
	verify bool
	within time.Duration
	format string
	file   string // for format prometheus; empty means standard output
}

func (c *status) flags(f flags) {
	c.selection.flags(f)
	verifyFlag(f, &c.verify)
	f.long(&c.within, "expires-within", "exit 4 if a login ends within this time, for example 30d")
	f.choice(&c.format, "format", "how to show it", "table", "prometheus")
	f.StringVar(&c.file, "output", "", "with --format prometheus: write to `FILE`, in one step")
	c.sandboxFlag(f)
}

func (c *status) check(args, _ []string) error {
	c.files, c.orphans, c.every = args, true, true
	if c.file != "" && c.format != "prometheus" {
		return usage("--output needs --format prometheus", "leave it out, or use > FILE")
	}
	return nil
}

func (c *status) run(ctx context.Context, p *program) int {
	if p.json && c.format == "prometheus" {
		return p.refuse(usage("--json and --format prometheus cannot be combined", "use one of the two"))
	}
	j, code := p.prepare(ctx, c.selection, loginFlags{}, flow.Options{}, nil)
	if code != 0 {
		if len(j.problems.Errors()) > 0 && !c.sandbox {
			c.suggestSandbox(ctx, p)
		}
		return code
	}
	defer j.end()
	outcomes := append(p.forecast(ctx, j, c.verify), j.PlanOrphans(ctx, j.orphans, false)...)
	j.SuggestMoves(ctx, outcomes, j.orphans)
	for _, o := range outcomes {
		if o.Refused && o.Decision.Action != flow.Login {
			p.voice.Warn(o.Profile.Name, "the Web API refuses the token", p.invocation(c.selection).Command("apply", "-p", o.Profile.Name)+" gets a new one, or asks to log in")
		}
	}
	c.sayElsewhere(ctx, p, outcomes)
	reminders := j.Reminders(outcomes, c.within, true)
	if c.format == "prometheus" {
		return c.prometheus(p, outcomes, reminders)
	}
	errs := flow.Errors(outcomes)
	for _, m := range reminders {
		if m.Code != flow.LoginEnding || m.Left < c.within {
			errs = append(errs, &fault.Error{Kind: fault.LoginNeeded, Message: m.Text})
		}
	}
	code = exitCode(errs...)
	p.voice.Status(outcomes, reminders, p.invocation(c.selection).Command("apply"), code == 0)
	return code
}

// suggestSandbox says that the stand-in's logins can be shown although the profiles cannot
// be used: they may lack nothing but a client ID.
func (c *status) suggestSandbox(ctx context.Context, p *program) {
	at, _ := p.places(ctx, nil, false)
	if slices.ContainsFunc(at.dirs, func(dir string) bool { return len(state.Sandbox.Open(dir).LocalNames()) > 0 }) {
		line := p.invocation(c.selection)
		line.Sandbox = true
		p.voice.Hint(line.Command("status") + " shows the logins at the stand-in")
	}
}

// sayElsewhere says which profiles without a login have one of another server.
func (c *status) sayElsewhere(ctx context.Context, p *program, outcomes []flow.Outcome) {
	realm, err := p.realm(c.selection)
	lacking := map[string][]string{}
	for _, o := range outcomes {
		if err == nil && o.Err == nil && o.Token == nil && o.Profile.Grant.User() && o.Profile.Store == nil {
			lacking[o.Profile.State] = append(lacking[o.Profile.State], o.Profile.Name)
		}
	}
	for dir, names := range lacking {
		p.sayElsewhere(ctx, realm, dir, func(name string) bool { return slices.Contains(names, name) })
	}
}

// forecast plans and, if verify is set, asks the Web API about the tokens.
func (p *program) forecast(ctx context.Context, j work, verify bool) []flow.Outcome {
	if verify || slices.ContainsFunc(j.profiles, func(x config.Profile) bool { return x.Store != nil }) {
		p.guard()
	}
	outcomes := j.Plan(ctx, j.profiles)
	if verify {
		j.Check(ctx, outcomes)
	}
	return outcomes
}

// prometheus writes the metrics. Another user's collector reads the metrics, and a
// profile that fails is a metric, too.
func (c *status) prometheus(p *program, outcomes []flow.Outcome, reminders []flow.Reminder) int {
	text := terminal.Prometheus(outcomes, reminders, p.Now())
	if c.file == "" {
		p.voice.Print(text)
		return 0
	}
	if err := output.WriteReport(c.file, text); err != nil {
		return p.refuse(err)
	}
	return 0
}
