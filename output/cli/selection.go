package cli

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/state"
)

// selection says which profiles a command is about: its arguments, --profile, and
// --sandbox for commands that have the flag.
type selection struct {
	files    []string // files, directories and "-"; none means tokenform.yaml
	patterns []string // of names; nil means all
	sandbox  bool
	robot    bool // with --sandbox: nobody is asked to log in
}

func (s *selection) flags(f flags) {
	f.StringArrayVarP(&s.patterns, "profile", "p", nil, "only the profiles with this `NAME`; repeatable; * and ? are wild")
}

func (s *selection) sandboxFlag(f flags) {
	f.BoolVar(&s.sandbox, "sandbox", false, "use a stand-in Spotify server, with state kept apart")
}

func (s *selection) check(args, _ []string) error {
	s.files = args
	return nil
}

// stdin reports whether a profile is read from standard input.
func (s *selection) stdin() bool { return slices.Contains(s.files, "-") }

func (s *selection) realm() state.Realm {
	if s.sandbox {
		return state.Sandbox
	}
	return state.Real
}

// sources is the world that profiles are read from.
func (p *program) sources() config.Sources {
	dir, err := os.Getwd()
	if err != nil {
		dir = "." // whatever is read relative to it says what is wrong
	}
	return config.Sources{Env: p.Env, Stdin: p.In, Dir: dir, State: p.state, Many: saveMemory}
}

// saveMemory keeps the memory for thousands of profiles small: while they are
// read, most of the heap is garbage. Fewer never fill what Go takes at once.
func saveMemory() { debug.SetGCPercent(30) }

// invocation is the call as hints repeat it.
func (p *program) invocation(s selection) config.Invocation {
	ci, _ := p.Env("CI")
	return config.Invocation{Files: s.files, State: p.state, Sandbox: s.sandbox, CI: ci != ""}
}

// read loads the profiles that the command line selects. The error is of the
// selection, or the problems that make the profiles unusable. unselected are the
// names that a pattern may match although no profile has them.
func (p *program) read(s selection, unselected func(declared []config.Profile) []string) (profiles []config.Profile, problems config.Problems, err error) {
	profiles, problems = config.Load(p.sources(), s.files)
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, problems, &fault.Error{Kind: fault.Invalid, Err: errs}
	}
	all := slices.Clone(profiles)
	p.declared.Store(&all)
	var others []string
	if unselected != nil {
		others = unselected(profiles)
	}
	if profiles, err = config.Select(profiles, s.patterns, others...); err != nil {
		return nil, problems, err
	}
	if s.sandbox {
		for i := range profiles {
			// What belongs to the real account has no meaning for the stand-in's.
			profiles[i].Account, profiles[i].RefreshToken = "", nil
			profiles[i].ShowDialog = profiles[i].ShowDialog && !s.robot
		}
	}
	return profiles, problems, nil
}

// load reads the profiles and says what is wrong with them. A code other than
// zero ends the run.
func (p *program) load(s selection) (profiles []config.Profile, warnings config.Problems, code int) {
	profiles, problems, err := p.read(s, nil)
	return p.loaded(profiles, problems, err)
}

// loadWithOrphans also finds the profiles that are no longer declared, selected
// like those that are.
func (p *program) loadWithOrphans(s selection) (profiles, orphans []config.Profile, code int) {
	profiles, problems, err := p.read(s, func(declared []config.Profile) []string {
		found := flow.Orphans(declared, config.Directories(p.sources(), s.files), s.patterns, s.realm())
		orphans, _ = config.Select(found, s.patterns, names(declared)...) // the selection of declared profiles finds what is wrong
		return names(found)
	})
	profiles, _, code = p.loaded(profiles, problems, err)
	return profiles, orphans, code
}

func (p *program) loaded(profiles []config.Profile, problems config.Problems, err error) ([]config.Profile, config.Problems, int) {
	if len(problems.Errors()) > 0 {
		p.voice.Unusable(problems)
		return nil, nil, exitCode(err)
	}
	p.voice.Problems(problems)
	if err != nil {
		return nil, nil, p.refuse(err)
	}
	return profiles, problems, 0
}

// inspect warns of what is unwise about profiles and the files they name.
func (p *program) inspect(ctx context.Context, profiles []config.Profile) config.Problems {
	found := config.Inspect(ctx, profiles)
	p.voice.Problems(found)
	return found
}

// single returns the refusal of a command that works on one profile, unless there
// is just one.
func single(what string, profiles []config.Profile) error {
	if len(profiles) == 1 {
		return nil
	}
	return usage(fmt.Sprintf("%s, and there are %d profiles", what, len(profiles)), "choose one with -p NAME: "+strings.Join(names(profiles), ", "))
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
	return slices.ContainsFunc(x.Outputs, func(o config.Output) bool { return o.Type == "stdout" })
}

// bothWantStdout returns the refusal of --json beside a profile that prints its
// token.
func (p *program) bothWantStdout(profiles []config.Profile) error {
	if p.json && slices.ContainsFunc(profiles, printsToken) {
		return usage("--json and an output of type stdout both want standard output", "leave out one of them")
	}
	return nil
}
