package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

const longState = `Looks after the stored logins: in the state directories of the profiles in
tokenform.yaml, or in --state DIR. destroy removes outputs, too.

  list             the names, one per line
  show NAME        one login, as JSON without secrets
  mv OLD NEW       rename it, after the profile was renamed
  rm NAME...       forget it; outputs stay as they are
  pull NAME        print it with its secrets
  push NAME        store what pull printed, from standard input`

const examplesState = `tokenform state list
tokenform state mv old new
tokenform state pull dev | ssh host 'cd project && tokenform state push dev'`

type stateCommand struct {
	selection
	does        string
	names       []string
	yes, force  bool
	lockTimeout time.Duration
}

func (c *stateCommand) flags(f flags) {
	f.BoolVarP(&c.yes, "yes", "y", false, "do not ask before rm")
	f.BoolVar(&c.force, "force", false, "push over a login that is not older")
	lockTimeoutFlag(f, &c.lockTimeout)
	c.sandboxFlag(f)
}

func (c *stateCommand) check(args, _ []string) error {
	if len(args) == 0 {
		return usage("state needs a subcommand", "one of list, show, mv, rm, pull, push; tokenform state --help says more")
	}
	c.does, c.names = args[0], args[1:]
	names, known := map[string]int{"list": 0, "show": 1, "mv": 2, "rm": -1, "pull": 1, "push": 1}[c.does]
	switch {
	case c.does == "unlock":
		return usage("there is nothing to unlock: a lock ends with its process", "a run that waits names the process that holds the lock")
	case !known:
		return usage(fmt.Sprintf("unknown subcommand: state %s", clip(c.does)), "one of list, show, mv, rm, pull, push")
	case c.does == "mv" && len(c.names) == 2 && c.names[0] == c.names[1]:
		return usage("the two names are the same", "tokenform state mv OLD NEW")
	case names >= 0 && len(c.names) != names, names < 0 && len(c.names) == 0:
		return usage("state "+c.does+" takes other arguments", "tokenform state --help shows which")
	}
	for _, name := range c.names {
		if !config.IsProfileName(name) { // names become the names of files
			return usage(fmt.Sprintf("%q cannot be a profile's name", clip(name)), "use a-z, 0-9, dot, underscore and hyphen")
		}
	}
	return checkTimeouts(c.lockTimeout)
}

func (c *stateCommand) run(ctx context.Context, p *program) int {
	r, end, err := p.runner(c.selection, loginFlags{lockTimeout: c.lockTimeout}, flow.Options{Outputs: flow.IgnoreOutputs}, nil)
	if err != nil {
		return p.refuse(err)
	}
	defer end()
	if err := c.do(ctx, p, r); err != nil {
		return p.refuse(err)
	}
	return 0
}

func (c *stateCommand) do(ctx context.Context, p *program, r *flow.Runner) error {
	realm, err := p.realm(c.selection)
	if err != nil {
		return err
	}
	dirs := p.stateDirs(ctx)
	switch c.does {
	case "list":
		var names []string
		for _, dir := range dirs {
			names = append(names, realm.Open(dir).LocalNames()...)
		}
		slices.Sort(names)
		p.voice.Listed(slices.Compact(names))
		return nil
	case "push":
		return c.push(ctx, p, r, dirs)
	}
	dir, t, err := find(ctx, realm, dirs, c.names[0])
	if err != nil {
		return err
	}
	switch c.does {
	case "show":
		p.voice.Shown(t)
		return nil
	case "pull":
		b, err := json.MarshalIndent(t, "", "  ")
		if err != nil {
			return err
		}
		p.voice.Print(string(b) + "\n")
		return nil
	case "mv":
		p.guard()
		if err := r.Move(ctx, dir, c.names[0], c.names[1]); err != nil {
			return err
		}
		p.voice.Done("renamed " + c.names[0] + " to " + c.names[1])
		return nil
	}
	p.guard()
	if !c.yes {
		if err := p.confirm(ctx, "state rm asks before it deletes", "Forget "+strings.Join(c.names, ", ")+"? The logins cannot be recovered."); err != nil {
			return err
		}
	}
	for _, name := range c.names {
		dir, _, err := find(ctx, realm, dirs, name)
		if err == nil {
			err = r.Forget(ctx, dir, name)
		}
		if err != nil {
			return err
		}
	}
	p.voice.Done(strings.Join(c.names, ", ") + ": forgotten; outputs stay as they are")
	return nil
}

// push stores a login that pull has printed.
func (c *stateCommand) push(ctx context.Context, p *program, r *flow.Runner, dirs []string) error {
	if len(dirs) != 1 {
		return usage("the profiles have several state directories", "name one with --state DIR")
	}
	b, err := await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(p.In, 1<<20)) })
	if err != nil {
		return err
	}
	t, err := state.Decode(c.names[0], b)
	if err != nil {
		return err
	}
	p.guard()
	if err := r.Push(ctx, dirs[0], c.names[0], t, c.force); err != nil {
		return err
	}
	p.voice.Done(c.names[0] + ": stored")
	return nil
}

// find returns the token that state has of a profile, and the state directory with it.
func find(ctx context.Context, realm state.Realm, dirs []string, name string) (dir string, t *state.Token, err error) {
	for _, d := range dirs {
		found, err := realm.Open(d).Read(ctx, name)
		switch {
		case err != nil:
			return "", nil, err
		case found != nil && t != nil:
			return "", nil, usage(name+" exists in "+dir+" and in "+d, "name one of the two with --state DIR")
		case found != nil:
			dir, t = d, found
		}
	}
	if t == nil {
		return "", nil, &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("no state for %q", clip(name)), Hint: "tokenform state list shows the names"}
	}
	return dir, t, nil
}

// stateDirs returns the state directories of the call's profiles, even if the profiles'
// variables are not set.
func (p *program) stateDirs(ctx context.Context) []string {
	from := p.sources()
	if p.state != "" {
		if filepath.IsAbs(p.state) {
			return []string{p.state}
		}
		return []string{filepath.Join(from.Dir, p.state)}
	}
	from.Only = []string{"-"} // no profile has this name, so no variable is needed
	var dirs []string
	profiles, _ := config.Load(ctx, from, nil)
	for _, x := range profiles {
		if !slices.Contains(dirs, x.State) {
			dirs = append(dirs, x.State)
		}
	}
	if dirs == nil {
		dirs = []string{filepath.Join(from.Dir, config.DefaultState)}
	}
	return dirs
}
