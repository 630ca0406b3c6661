package cli

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
	"tokenform/flow/state/keeper"
)

// selection says which profiles a command is about, and on which servers: the
// arguments, and the flags that more than one command has.
type selection struct {
	files    []string      // files, directories and "-"; none means tokenform.yaml
	patterns []string      // of names; nil means all, or what TOKENFORM_PROFILE says
	minTTL   time.Duration // replaces min_ttl of the profiles; zero means each profile's own
	sandbox  bool
	robot    bool // with --sandbox: nobody is asked to log in
	every    bool // include orphans of other files
	orphans  bool // include profiles that are no longer declared
}

func (s *selection) flags(f flags) {
	f.StringArrayVarP(&s.patterns, "profile", "p", nil, "only profiles with this `NAME`; repeatable; * and ? are wildcards")
}

func (s *selection) sandboxFlag(f flags) {
	f.BoolVar(&s.sandbox, "sandbox", false, "use a stand-in Spotify server; its logins are kept apart")
}

func (s *selection) minTTLFlag(f flags) {
	f.long(&s.minTTL, "min-ttl", "refresh a token with less than this left, instead of min_ttl")
}

// checkMinTTL refuses a --min-ttl that would renew a token at each run.
func (s *selection) checkMinTTL() error {
	if s.minTTL >= time.Hour {
		return usage("--min-ttl must be less than 1h, the lifetime of an access token", "write for example --min-ttl 30m")
	}
	return nil
}

func (s *selection) check(args, _ []string) error {
	s.files = args
	return nil
}

// readsStdin reports whether a profile is read from standard input.
func (s *selection) readsStdin() bool { return slices.Contains(s.files, "-") }

// realm returns the realm that the selection is about.
func (p *program) realm(s selection) (state.Realm, error) {
	if s.sandbox {
		return state.Sandbox, nil
	}
	endpoints, err := p.endpoints()
	return state.RealmOf(endpoints.Accounts, oauth.DefaultAccounts), err
}

// sources returns what profiles are read from.
func (p *program) sources() config.Sources {
	dir, err := os.Getwd()
	if err != nil {
		dir = "." // reading a file relative to dir reports the error
	}
	return config.Sources{Env: p.Env, Stdin: p.stdin, Dir: dir, State: p.state, Many: collectEagerly}
}

// collectEagerly keeps memory small for thousands of profiles: while they are read, most of
// the heap is garbage. 10,000 profiles take 41 MiB with collectEagerly, and 56 MiB without.
// A few profiles never fill what Go takes at once.
func collectEagerly() { debug.SetGCPercent(30) }

// invocation returns how the program was called, for hints to repeat.
func (p *program) invocation(s selection) config.Invocation {
	ci, _ := p.Env("CI")
	return config.Invocation{Files: s.files, State: p.state, Sandbox: s.sandbox, CI: ci != ""}
}

// selected are the profiles that a command is about.
type selected struct {
	profiles []config.Profile
	orphans  []config.Profile // the selected profiles that are no longer declared
	problems config.Problems  // only warnings, unless the profiles are unusable
}

// read loads the profiles that the command line selects. The error is about the
// selection, or the problems that make the profiles unusable, or ctx's.
func (p *program) read(ctx context.Context, s selection) (selected, error) {
	from := p.sources()
	if pattern, _ := p.Env("TOKENFORM_PROFILE"); pattern != "" && s.patterns == nil {
		s.patterns = []string{pattern}
	}
	accounts, _ := p.Env("TOKENFORM_ACCOUNTS_URL")
	from.Only, from.Spotify, from.Sandbox = s.patterns, accounts == "" && !s.sandbox, s.sandbox
	all, problems := config.Load(ctx, from, s.files)
	if err := ctx.Err(); err != nil {
		return selected{}, err
	}
	for _, x := range all {
		if e := x.Encrypt; e != nil {
			if _, err := keeper.OpenSeal(ctx, e.Recipients, e.Identity); err != nil {
				problems = append(problems, &config.Problem{Pos: e.Pos, Message: err.Error(), Hint: fault.HintOf(err)})
			}
		}
	}
	if errs := problems.Errors(); len(errs) > 0 {
		return selected{problems: problems}, &fault.Error{Kind: fault.Invalid, Err: errs}
	}
	found := selected{problems: problems}
	if s.orphans {
		realm, err := p.realm(s)
		if err != nil {
			return selected{problems: problems}, err
		}
		found.orphans = flow.Orphans(ctx, all, config.Directories(p.sources(), s.files), s.patterns, s.every, realm)
	}
	others := names(found.orphans)
	found.orphans, _ = config.Select(found.orphans, s.patterns, names(all)...) // the selection of all profiles below reports a wrong pattern
	var err error
	if found.profiles, err = config.Select(all, s.patterns, others...); err != nil {
		return selected{problems: problems}, err
	}
	p.declared.Store(&all)
	if s.minTTL > 0 {
		found.profiles = slices.Clone(found.profiles)
		for i := range found.profiles {
			found.profiles[i].MinTTL = s.minTTL
		}
	}
	if s.sandbox {
		found.profiles = forSandbox(found.profiles, s.robot)
	}
	return found, nil
}

// forSandbox returns profiles without the keys that belong to the real account and mean
// nothing for the stand-in's.
func forSandbox(profiles []config.Profile, robot bool) []config.Profile {
	profiles = slices.Clone(profiles)
	for i := range profiles {
		profiles[i].Account, profiles[i].RefreshToken = "", nil
		profiles[i].ShowDialog = profiles[i].ShowDialog && !robot
	}
	return profiles
}

// load reads the profiles and reports what is wrong with them. If the code is not zero,
// the run must end with it.
func (p *program) load(ctx context.Context, s selection) (selected, int) {
	found, err := p.read(ctx, s)
	if len(found.problems.Errors()) > 0 {
		p.voice.Unusable(found.problems)
		return found, exitCode(err)
	}
	p.voice.Problems(found.problems)
	if err != nil {
		return found, p.refuse(err)
	}
	return found, 0
}

// work is the profiles and the runner of a command. The command must call end.
type work struct {
	selected
	*flow.Runner
	end func()
}

// prepare reads the profiles and makes the runner. The runner calls due before it changes
// the first profile; due may be nil. If the code is not zero, the run must end with it.
func (p *program) prepare(ctx context.Context, s selection, l loginFlags, o flow.Options, due func([]config.Profile)) (work, int) {
	found, code := p.load(ctx, s)
	if code != 0 {
		return work{selected: found}, code
	}
	r, end, err := p.runner(s, l, o, due)
	if err != nil {
		return work{}, p.refuse(err)
	}
	return work{found, r, end}, 0
}

// inspect warns about risks in profiles and the files that they name.
func (p *program) inspect(ctx context.Context, profiles []config.Profile) config.Problems {
	found := config.Inspect(ctx, profiles)
	p.voice.Problems(found)
	return found
}

// single returns the error of a command that works on one profile only, unless there is
// exactly one.
func single(what string, profiles []config.Profile) error {
	if len(profiles) == 1 {
		return nil
	}
	return usage(fmt.Sprintf("%s, and there are %d profiles", what, len(profiles)), "choose one with -p NAME: "+strings.Join(names(profiles), ", "))
}

// sayStandIn says that the tokens of a run with --sandbox are worth nothing elsewhere.
func (p *program) sayStandIn(s selection) {
	if s.sandbox {
		p.voice.Say("these tokens come from a stand-in; Spotify itself will not accept them")
	}
}

func names(profiles []config.Profile) []string {
	var list []string
	for _, x := range profiles {
		list = append(list, x.Name)
	}
	return list
}

// printsToken reports whether x has an output of type stdout.
func printsToken(x config.Profile) bool {
	return slices.ContainsFunc(x.Outputs, func(o config.Output) bool { return o.Type == config.StdoutOutput })
}

// bothWantStdout returns an error if --json is set and a profile prints its token.
func (p *program) bothWantStdout(profiles []config.Profile) error {
	if p.json && slices.ContainsFunc(profiles, printsToken) {
		return usage("--json and an output of type stdout both use standard output", "remove one of them")
	}
	return nil
}

// completions returns the names of the profiles in files, even if their variables are
// not set.
func completions(process Process, files []string) []string {
	p := &program{Process: process, stdin: func() ([]byte, error) { return nil, nil }}
	from := p.sources()
	from.Only = []string{"-"} // no profile has this name, so no variable is needed
	profiles, _ := config.Load(context.Background(), from, slices.DeleteFunc(slices.Clone(files), func(f string) bool { return f == "-" }))
	var list []string
	for _, x := range profiles {
		list = append(list, x.Name)
	}
	return list
}
