package cli

import (
	"context"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"tokenform/config"
	"tokenform/flow"
)

const longWatch = `Applies the profiles now, and again whenever a token is about to expire, until Ctrl-C or
SIGTERM. Temporary failures are retried with growing pauses. Changed profiles are read
again, at once on SIGHUP. Each event is one line on standard error, or with --json one
object per line on standard output.`

const examplesWatch = `tokenform watch
tokenform watch apps --json`

type watch struct {
	selection
	loginFlags
	parallelism int
}

func (c *watch) flags(f flags) {
	c.selection.flags(f)
	c.loginFlags.flags(f)
	parallelismFlag(f, &c.parallelism)
	c.sandboxFlag(f)
}

func (c *watch) check(args, _ []string) error {
	if err := checkParallelism(c.parallelism); err != nil {
		return err
	}
	return c.loginFlags.check(&c.selection, args)
}

func (c *watch) run(ctx context.Context, p *program) int {
	hangups, stop := p.Hangups() // begin with this: an early SIGHUP must not end the process
	defer stop()
	stamp := config.Stamp(p.sources(), c.files, nil) // changes from here on are noticed
	j, code := p.prepare(ctx, c.selection, c.loginFlags, flow.Options{Parallelism: c.parallelism}, nil)
	if code != 0 {
		return code
	}
	defer j.end()
	if err := p.bothWantStdout(j.profiles); err != nil {
		return p.refuse(err)
	}
	p.Guard(os.Interrupt, syscall.SIGTERM)

	look := func() config.Stamps { return config.Stamp(p.sources(), c.files, *p.declared.Load()) }
	stamp = look().Since(stamp)
	said := map[string]bool{} // warn about each problem once, however often the profiles are read
	for _, w := range append(j.problems, p.inspect(ctx, j.profiles)...) {
		said[w.Error()] = true
	}
	manager := p.supervisor()
	living, end := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() { manager.live(living) })
	defer telling.Wait()
	defer end()
	j.Watch(ctx, j.profiles, flow.Watch{
		Load: func() ([]config.Profile, error) {
			manager.tell("RELOADING=1") // Idle follows
			again, err := p.read(ctx, c.selection)
			if err != nil {
				return nil, err
			}
			found := slices.DeleteFunc(append(again.problems, config.Inspect(ctx, again.profiles)...), func(w *config.Problem) bool { return said[w.Error()] })
			for _, w := range found {
				said[w.Error()] = true
			}
			p.voice.Problems(found)
			return again.profiles, nil
		},
		Changed: func() bool {
			before := stamp
			stamp = look()
			return stamp.Changed(before)
		},
		Wake: hangups,
		Idle: func(next time.Time, profiles int) {
			p.voice.Idle(profiles, next)
			manager.idle(profiles, next)
		},
		Tell: p.voice.Watched,
		Error: func(err error) {
			if ctx.Err() == nil { // otherwise watch was told to stop while it read the profiles
				p.voice.Error("", err)
			}
		},
	})
	p.voice.Stopped()
	return 0
}
