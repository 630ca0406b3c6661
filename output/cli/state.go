package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

const longState = `Manages stored logins: in the state directories of the profiles in
tokenform.yaml, or in --state DIR. destroy removes outputs, too.

  list             the names, one per line
  show NAME        one login, as JSON without secrets
  mv OLD NEW       rename it, after the profile was renamed
  rm NAME...       forget it; outputs stay as they are
  pull NAME        print it with its secrets
  push NAME        store what pull printed, from standard input
  migrate [NAME...] move logins to where the profiles keep them now, and encrypt
                   them as the profiles say; --from FILE declares where they were
  unlock ID        take a lock in a store away from a machine that is gone`

const examplesState = `tokenform state list
tokenform state mv old new
tokenform state pull dev | ssh host 'cd project && tokenform state push dev'
tokenform state migrate               # from .tokenform to the store
tokenform state migrate --from b.yaml  # from the store that b.yaml declares`

const stateWords = "one of list, show, mv, rm, pull, push, migrate, unlock"

type stateCommand struct {
	selection
	does        string
	names       []string
	yes, force  bool
	from        string // a file of profiles; empty means the state directory
	lockTimeout time.Duration
}

func (c *stateCommand) flags(f flags) {
	f.BoolVarP(&c.yes, "yes", "y", false, "do not ask before rm and unlock")
	f.StringVar(&c.from, "from", "", "migrate: the `FILE` whose profiles declare where the logins were")
	f.BoolVar(&c.force, "force", false, "push: replace a login that is not older, or store one that no profile declares")
	lockTimeoutFlag(f, &c.lockTimeout)
	c.sandboxFlag(f)
}

func (c *stateCommand) check(args, _ []string) error {
	if len(args) == 0 {
		return usage("state needs a subcommand", stateWords+"; tokenform state --help says more")
	}
	c.does, c.names = args[0], args[1:]
	names, known := map[string]int{"list": 0, "show": 1, "mv": 2, "rm": -1, "pull": 1, "push": 1, "migrate": -2, "unlock": 1}[c.does]
	switch {
	case !known:
		return usage(fmt.Sprintf("unknown subcommand: state %s", clip(c.does)), stateWords)
	case c.does == "mv" && len(c.names) == 2 && c.names[0] == c.names[1]:
		return usage("the two names are the same", "tokenform state mv OLD NEW")
	case len(c.names) == 0 && names != 0 && c.does != "mv": // do says which names there are
	case names >= 0 && len(c.names) != names:
		return usage("state "+c.does+" takes other arguments", "tokenform state --help shows which")
	case c.from != "" && c.does != "migrate":
		return usage("--from is for state migrate", "tokenform state --help shows which flags go with what")
	}
	if c.does == "unlock" { // its argument is no name
		return nil
	}
	for _, name := range c.names {
		if !config.IsProfileName(name) { // names become the names of files
			return usage(fmt.Sprintf("%q cannot be a profile's name", clip(name)), "use a-z, 0-9, dot, underscore and hyphen")
		}
	}
	return nil
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
	at, err := p.places(ctx, c.names, c.does == "list" || c.does == "migrate" && len(c.names) == 0 || c.does == "unlock")
	if err != nil {
		return err
	}
	if len(c.names) == 0 && c.does != "list" && c.does != "migrate" && c.does != "unlock" {
		return c.nameless(at, realm)
	}
	switch c.does {
	case "list":
		var names []string
		for _, dir := range at.dirs {
			names = append(names, realm.Open(dir).LocalNames()...)
		}
		for _, x := range at.declared {
			if x.Store == nil {
				continue // it is in a directory
			}
			kept, err := r.Kept(ctx, x)
			if err != nil {
				return err
			}
			names = append(names, kept...)
		}
		slices.Sort(names)
		p.voice.Listed(slices.Compact(names))
		for _, dir := range at.dirs {
			p.sayElsewhere(ctx, realm, dir, func(name string) bool { return !slices.Contains(names, name) })
		}
		return nil
	case "push":
		return c.push(ctx, p, r, at)
	case "migrate":
		return c.migrate(ctx, p, r, at)
	case "unlock":
		return c.unlock(ctx, p, r, at)
	}
	var kept config.Profile
	var t *state.Token
	if c.does != "rm" {
		if kept, t, err = at.find(ctx, r, realm, c.names[0]); err != nil {
			return err
		}
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
		if err := r.Move(ctx, kept, c.names[1]); err != nil {
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
		kept, _, err := at.find(ctx, r, realm, name)
		if x, declared := at.declaredAs(name); declared && err != nil && fault.KindOf(err) != fault.Temporary && realm != state.Sandbox {
			kept, err = x, nil // a login that nobody can read can be forgotten
		}
		if err == nil {
			err = r.Forget(ctx, kept)
		}
		if err != nil {
			return err
		}
	}
	p.voice.Done(strings.Join(c.names, ", ") + ": forgotten; outputs stay as they are")
	return nil
}

// nameless is the error for a subcommand without the name that it needs.
func (c *stateCommand) nameless(at places, realm state.Realm) error {
	known, hint := at.names, "tokenform state list shows the names"
	if c.does != "push" {
		known = nil
		for _, dir := range at.dirs {
			known = append(known, realm.Open(dir).LocalNames()...)
		}
	}
	if n := len(known); n > 0 && n < 10 {
		hint = "here: " + strings.Join(known, ", ")
	}
	return usage("state "+c.does+" needs a NAME", hint)
}

// sayElsewhere says which profiles have a login of another server in the state directory
// dir. lacks reports whether a profile has none in the realm.
func (p *program) sayElsewhere(ctx context.Context, realm state.Realm, dir string, lacks func(name string) bool) {
	servers := realm.Elsewhere(ctx, dir)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		switch server := servers[name]; {
		case !lacks(name):
		case server == "":
			p.voice.Say(name + ": a login at Spotify is kept; without TOKENFORM_ACCOUNTS_URL, tokenform uses it")
		default:
			p.voice.Say(name + ": a login at " + server + " is kept; with TOKENFORM_ACCOUNTS_URL=" + server + ", tokenform uses it")
		}
	}
}

// push stores a login that pull has printed.
func (c *stateCommand) push(ctx context.Context, p *program, r *flow.Runner, at places) error {
	if len(at.names) > 0 && p.state == "" && !c.force && !slices.Contains(at.names, c.names[0]) {
		hint := "--force stores it all the same; tokenform validate checks the profiles"
		if len(at.names) < 10 {
			hint = "declared: " + strings.Join(at.names, ", ") + "; --force stores it all the same"
		}
		return usage(fmt.Sprintf("no profile %q is declared here", clip(c.names[0])), hint)
	}
	target, declared := at.declaredAs(c.names[0])
	if !declared {
		if len(at.dirs) != 1 {
			return usage("the profiles have several state directories", "name one with --state DIR")
		}
		target = config.Profile{Name: c.names[0], State: at.dirs[0]}
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
	if err := r.Push(ctx, target, t, c.force); err != nil {
		return err
	}
	p.voice.Done(c.names[0] + ": stored")
	return nil
}

// migrate moves logins to where their profiles keep them now.
func (c *stateCommand) migrate(ctx context.Context, p *program, r *flow.Runner, at places) error {
	former := map[string]*config.Profile{}
	if c.from != "" {
		from := p.sources()
		from.Only = c.names
		list, problems := config.Load(ctx, from, []string{c.from})
		if errs := problems.Errors(); len(errs) > 0 {
			return &fault.Error{Kind: fault.Invalid, Err: errs}
		}
		for i := range list {
			former[list[i].Name] = &list[i]
		}
	}
	for _, name := range c.names {
		if _, declared := at.declaredAs(name); !declared {
			return usage(fmt.Sprintf("no profile %q declares a store or encrypt", clip(name)), "write state: {type: …} or encrypt: {…} into the profile, then run this again")
		}
	}
	if len(at.declared) == 0 {
		return usage("no profile declares a store or encrypt", "write state: {type: …} or encrypt: {…} into the profile, then run this again")
	}
	p.guard()
	for _, x := range at.declared {
		old := former[x.Name]
		if c.from != "" && old == nil {
			continue
		}
		done, err := r.Migrate(ctx, x, old)
		if err != nil {
			return &fault.Error{Message: x.Name, Err: err}
		}
		if done == "" {
			done = "nothing to do"
		}
		p.voice.Done(x.Name + ": " + done)
	}
	return nil
}

// unlock takes a lock away from the machine that holds it.
func (c *stateCommand) unlock(ctx context.Context, p *program, r *flow.Runner, at places) error {
	var stores []config.Profile
	for _, x := range at.declared {
		if x.Store != nil {
			stores = append(stores, x)
		}
	}
	if len(stores) == 0 {
		return usage("there is nothing to unlock: a lock in a state directory ends with its process", "a run that waits names the process that holds the lock")
	}
	if len(c.names) == 0 {
		return usage("state unlock needs the ID of a lock", "a run that waits for the lock names it")
	}
	p.guard()
	if !c.yes {
		if err := p.confirm(ctx, "state unlock asks before it takes a lock away", "Take the lock away? If its holder still runs, both may refresh the login."); err != nil {
			return err
		}
	}
	var errs []error
	for _, x := range stores {
		err := r.Unlock(ctx, x, c.names[0])
		if err == nil {
			p.voice.Done(x.Name + ": unlocked")
			return nil
		}
		errs = append(errs, &fault.Error{Message: x.Name, Err: err})
	}
	return errors.Join(errs...)
}

// places are where the logins of the call's profiles are.
type places struct {
	dirs     []string         // the state directories
	declared []config.Profile // with a store or with encrypt
	names    []string         // of all declared profiles
}

// declaredAs returns the profile with a store or with encrypt that has this name.
func (at places) declaredAs(name string) (config.Profile, bool) {
	i := slices.IndexFunc(at.declared, func(x config.Profile) bool { return x.Name == name })
	if i < 0 {
		return config.Profile{}, false
	}
	return at.declared[i], true
}

// find returns the token of a profile, and the profile with the place of its login.
func (at places) find(ctx context.Context, r *flow.Runner, realm state.Realm, name string) (kept config.Profile, t *state.Token, err error) {
	if kept, ok := at.declaredAs(name); ok && realm != state.Sandbox {
		t, err := r.Pull(ctx, kept)
		if err != nil || t != nil {
			return kept, t, err
		}
	}
	for _, x := range at.declared { // a name that the profile had before
		if x.Store == nil || x.Store.Single() || realm == state.Sandbox {
			continue
		}
		x.Name = name
		if t, err := r.Pull(ctx, x); err == nil && t != nil {
			return x, t, nil
		}
	}
	dir := ""
	for _, d := range at.dirs {
		found, err := realm.Open(d).Read(ctx, name)
		switch {
		case err != nil:
			return kept, nil, err
		case found != nil && t != nil:
			return kept, nil, usage(name+" exists in "+dir+" and in "+d, "name one of the two with --state DIR")
		case found != nil:
			dir, t = d, found
		}
	}
	if t == nil {
		return kept, nil, &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("no state for %q", clip(name)), Hint: "tokenform state list shows the names"}
	}
	return config.Profile{Name: name, State: dir}, t, nil
}

// places returns where the logins of the call's profiles are, even if the profiles'
// variables are not set. Only a profile with a store, or with encrypt, needs its variables:
// one with a name among wanted, or any if every is set.
func (p *program) places(ctx context.Context, wanted []string, every bool) (at places, err error) {
	from := p.sources()
	from.Only = []string{"-"} // no profile has this name, so no variable is needed
	profiles, _ := config.Load(ctx, from, nil)
	var only []string
	at.names = names(profiles)
	for _, x := range profiles {
		if p.state == "" && !slices.Contains(at.dirs, x.State) {
			at.dirs = append(at.dirs, x.State)
		}
		if (x.Store != nil || x.Encrypt != nil) && (every || slices.Contains(wanted, x.Name)) {
			only = append(only, x.Name)
		}
	}
	if p.state != "" {
		dir := p.state
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(from.Dir, dir)
		}
		at.dirs = []string{dir}
	}
	if at.dirs == nil {
		at.dirs = []string{filepath.Join(from.Dir, config.DefaultState)}
	}
	if only == nil {
		return at, nil
	}
	from.Only = only
	profiles, problems := config.Load(ctx, from, nil)
	if errs := problems.Errors(); len(errs) > 0 {
		return at, &fault.Error{Kind: fault.Invalid, Err: errs}
	}
	for _, x := range profiles {
		if slices.Contains(only, x.Name) {
			at.declared = append(at.declared, x)
		}
	}
	return at, nil
}
