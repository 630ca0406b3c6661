package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tokenform/config/fault"
)

// Command is a command line, taken apart and checked.
type Command struct {
	Name string   // "plan"; "print" where Text is all there is to say
	Text string   // help, or a completion script, for standard output
	Args []string // files, directories, "-"

	// For every command.
	JSON  bool
	Quiet bool
	Debug bool
	Color string // auto, always or never
	State string // empty: the profiles' own

	// For commands that read profiles.
	Profiles []string // patterns of names; nil: all
	Sandbox  bool

	DetailedExitcode bool
	Verify           bool
	Renew            bool
	Prune            bool
	Yes              bool
	Format           string // of `token`
	Parallelism      int
	LockTimeout      time.Duration
	Login            string // auto, browser, paste or never
	LoginTimeout     time.Duration
	Server           Server   // of `sandbox`
	Run              []string // of `exec`: the program and its arguments
	From             string   // of `import`: a file; empty: standard input
	NoVerify         bool
}

// Server is how the stand-in server is to behave.
type Server struct {
	Listen    string // host:port on loopback
	Rotate    bool   // a refresh answers a new refresh token
	Consent   bool   // consent without asking
	TokenLife time.Duration
	LoginLife time.Duration
}

// usage is the error for a command line that cannot be understood.
func usage(message, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Message: message, Hint: hint}
}

// ParseCommandLine takes apart what follows the program's name. The error is
// [fault.Invalid]. It never quotes the value of a flag, which may be a secret put
// in the wrong place.
func ParseCommandLine(args []string) (Command, error) {
	var c Command
	var out bytes.Buffer
	root := commands(&c, args)
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	ran, err := root.ExecuteC()
	if err != nil {
		return Command{}, translated(ran, err)
	}
	if c.Name == "" { // help or completion, which cobra has written
		if wrong := unexplained(root, ran, args); wrong != nil {
			return Command{}, wrong
		}
		return Command{Name: "print", Text: out.String()}, nil
	}
	return c, nil
}

// unexplained refuses what cobra answers with a text about something else: help
// on what is not there, and a shell that it does not know.
func unexplained(root, ran *cobra.Command, args []string) error {
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
	if len(words) < 2 {
		return nil
	}
	switch ran.Name() {
	case "help":
		if found, rest, err := root.Find(words[1:]); err != nil || found == root || len(rest) > 0 {
			return usage(fmt.Sprintf("no help on %q", clip(strings.Join(words[1:], " "))), "tokenform help lists commands and topics")
		}
	case "completion":
		return usage(fmt.Sprintf("no completion for the shell %q", clip(words[1])), "one of bash, fish, powershell, zsh")
	}
	return nil
}

// commands builds the tree: each command only notes that it was called. Where
// the first argument names a command, the others are left out: building them
// all takes longer than everything else that happens here.
func commands(c *Command, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "tokenform",
		Short:         "Spotify tokens, declared in a file and kept valid",
		Long:          longRoot,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := "tokenform help lists the commands"
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "did you mean " + near[0] + "?"
			}
			return usage(fmt.Sprintf("unknown command %q", clip(args[0])), hint)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Name == "version" {
				return nil
			}
			return cmd.Help()
		},
	}
	root.SuggestionsMinimumDistance = 2
	global := root.PersistentFlags()
	global.BoolVar(&c.JSON, "json", false, "print one JSON object on standard output, without secrets")
	global.BoolVarP(&c.Quiet, "quiet", "q", false, "print errors and data only")
	global.BoolVar(&c.Debug, "debug", false, "show requests and answers, without secrets")
	choice(global, &c.Color, "color", "colours on standard error", "auto", "always", "never")
	global.StringVar(&c.State, "state", "", "keep tokens in `DIR` instead of the profiles' own state directories")

	profiles := func(f *pflag.FlagSet) {
		f.StringArrayVarP(&c.Profiles, "profile", "p", nil, "only the profiles with this `NAME`; repeatable; * and ? are wild")
	}
	sandbox := func(f *pflag.FlagSet) {
		f.BoolVar(&c.Sandbox, "sandbox", false, "use a stand-in Spotify server, with state kept apart")
	}
	verify := func(f *pflag.FlagSet) {
		f.BoolVar(&c.Verify, "verify", false, "ask the Web API whether each token is good")
	}
	lock := func(f *pflag.FlagSet) {
		f.DurationVar(&c.LockTimeout, "lock-timeout", 30*time.Second, "wait this long for another tokenform to finish")
	}
	parallel := func(f *pflag.FlagSet) {
		f.IntVar(&c.Parallelism, "parallelism", 10, "profiles at once")
	}
	prune := func(f *pflag.FlagSet) {
		f.BoolVar(&c.Prune, "prune", false, "delete the state and outputs of profiles that are no longer declared")
	}
	login := func(f *pflag.FlagSet) {
		choice(f, &c.Login, "login", "how a person logs in; auto: browser on a terminal, never in CI", "auto", "browser", "paste", "never")
		f.DurationVar(&c.LoginTimeout, "login-timeout", 5*time.Minute, "wait this long for a person")
	}

	type flags []func(*pflag.FlagSet)
	const files = "[FILE|DIR|-]..."
	all := []struct {
		name, args, short, long string
		flags                   flags
	}{
		{"init", "[FILE]", "write a commented starter profile", longInit, nil},
		{"validate", files, "check profiles; no network", longValidate, flags{profiles}},
		{"plan", files, "say what apply would do; no network", longPlan, flags{profiles, func(f *pflag.FlagSet) {
			f.BoolVar(&c.DetailedExitcode, "detailed-exitcode", false, "exit 2 where apply would change something")
		}, prune, verify, sandbox}},
		{"apply", files, "bring every token to a valid state and write the outputs", longApply, flags{profiles, login, lock, parallel, func(f *pflag.FlagSet) {
			f.BoolVar(&c.Renew, "renew", false, "log in again although the login still holds")
		}, prune, verify, sandbox}},
		{"status", files, "show how long tokens and logins last", longStatus, flags{profiles, verify, sandbox}},
		{"token", files, "bring one profile to a valid state and print its token", longToken, flags{profiles, func(f *pflag.FlagSet) {
			choice(f, &c.Format, "format", "what to print", "token", "env", "export", "json", "refresh_token")
		}, login, lock, sandbox}},
		{"exec", files + " -- COMMAND [ARG]...", "run a command with tokens in its environment", longExec, flags{profiles, login, lock, sandbox}},
		{"watch", files, "keep tokens valid until stopped", longWatch, flags{profiles, login, lock, parallel, sandbox}},
		{"import", files, "take over a refresh token from standard input or another client", longImport, flags{profiles, func(f *pflag.FlagSet) {
			f.StringVar(&c.From, "from", "", "read the token `FILE` of another Spotify client")
			f.BoolVar(&c.NoVerify, "no-verify", false, "store it without trying it")
		}, lock}},
		{"destroy", files, "delete state and the outputs tokenform wrote", longDestroy, flags{profiles, func(f *pflag.FlagSet) {
			f.BoolVarP(&c.Yes, "yes", "y", false, "do not ask")
		}, lock, sandbox}},
		{"sandbox", "", "run the stand-in Spotify server on a loopback port", longSandbox, flags{func(f *pflag.FlagSet) {
			f.StringVar(&c.Server.Listen, "listen", "127.0.0.1:8889", "listen on this loopback `ADDRESS`")
			f.BoolVar(&c.Server.Rotate, "rotate", false, "answer every refresh with a new refresh token")
			f.BoolVar(&c.Server.Consent, "consent", false, "consent without asking")
			f.DurationVar(&c.Server.TokenLife, "token-life", time.Hour, "how long access tokens live")
			f.DurationVar(&c.Server.LoginLife, "login-life", 0, "how long refresh tokens live (default six months)")
		}}},
		{"schema", "[profile|output]", "print the JSON Schema of profiles, or of --json", longSchema, nil},
		{"version", "", "print the version", "", nil},
	}
	if len(args) > 0 {
		for i := range all {
			if all[i].name == args[0] {
				all = all[i : i+1]
				root.CompletionOptions.DisableDefaultCmd = true
				break
			}
		}
	}
	for _, a := range all {
		cmd := &cobra.Command{
			Use:   strings.TrimSpace(a.name + " " + a.args),
			Short: a.short,
			Long:  a.long,
			RunE: func(cmd *cobra.Command, args []string) error {
				c.Name, c.Args = a.name, args
				if dash := cmd.ArgsLenAtDash(); dash >= 0 {
					c.Args, c.Run = args[:dash], args[dash:]
				}
				return c.check()
			},
		}
		if a.args == "" {
			cmd.Args = cobra.NoArgs
		}
		cmd.Flags().SortFlags = false
		for _, f := range a.flags {
			f(cmd.Flags())
		}
		root.AddCommand(cmd)
	}
	root.Flags().BoolFunc("version", "print the version", func(string) error { c.Name = "version"; return nil })
	for _, t := range topics() {
		root.AddCommand(&cobra.Command{Use: t.name, Short: t.short, Long: t.long})
	}
	return root
}

// check finds what flags say in spite of each other.
func (c *Command) check() error {
	switch {
	case c.Name == "sandbox" && c.JSON:
		return usage("sandbox prints lines for a shell, and no JSON", "leave out --json")
	case c.Name == "sandbox" && (c.Server.TokenLife < time.Second || c.Server.LoginLife < 0):
		return usage("a life must be a second at least", "write for example --token-life 10m")
	case (c.Name == "apply" || c.Name == "watch") && c.Parallelism < 1:
		return usage("--parallelism: must be at least 1", "leave it out for 10")
	case c.Name == "exec" && len(c.Run) == 0:
		return usage("exec needs a command", "write it behind --: tokenform exec -- COMMAND ARG...")
	case c.Name != "exec" && c.Run != nil:
		c.Args = append(c.Args, c.Run...) // -- before a file that begins with a dash
		c.Run = nil
	case c.Name == "import" && c.From == "" && slices.Contains(c.Args, "-"):
		return usage("standard input cannot be both the profile and the refresh token", "write the profile to a file")
	}
	switch {
	case c.Name == "init" && len(c.Args) > 1:
		return usage("init writes one file", "name one; without a name it is tokenform.yaml")
	case c.Name == "schema" && (len(c.Args) > 1 || len(c.Args) == 1 && c.Args[0] != "profile" && c.Args[0] != "output"):
		return usage("there is no such schema", "write tokenform schema profile, or tokenform schema output")
	case c.LockTimeout < 0 || c.LoginTimeout < 0:
		return usage("a timeout cannot be negative", "write for example --lock-timeout 30s")
	case c.Login == "paste" && slices.Contains(c.Args, "-"):
		return usage("standard input cannot be both the profile and the pasted address", "write the profile to a file")
	}
	return nil
}

// choice defines a flag that takes one of a few words, the first by default.
func choice(f *pflag.FlagSet, target *string, name, help string, words ...string) {
	*target = words[0]
	f.Var(&choiceValue{target, words}, name, help)
}

type choiceValue struct {
	target *string
	words  []string
}

func (v *choiceValue) String() string { return *v.target }

func (v *choiceValue) Type() string { return strings.Join(v.words, "|") }

func (v *choiceValue) Set(s string) error {
	if !slices.Contains(v.words, s) {
		return errors.New("must be one of " + strings.Join(v.words, ", "))
	}
	*v.target = s
	return nil
}

// translated puts an error of the libraries in our voice.
func translated(cmd *cobra.Command, err error) error {
	if u, ok := errors.AsType[*fault.Error](err); ok {
		return u
	}
	help := cmd.CommandPath() + " --help lists the flags"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := e.GetSpecifiedName()
		if short := e.GetSpecifiedShortnames(); short != "" {
			return usage("unknown flag -"+clip(name), help)
		}
		if near := nearestFlag(cmd, name); near != "" {
			help = "did you mean --" + near + "?"
		}
		return usage("unknown flag --"+clip(name), help)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--"+e.GetFlag().Name+" needs a value", help)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		message := e.Unwrap().Error()
		switch e.GetFlag().Value.Type() {
		case "duration":
			message = "must be a duration such as 30s or 5m"
		case "int":
			message = "must be a whole number"
		case "bool":
			message = "must be true or false"
		}
		return usage("--"+e.GetFlag().Name+": "+message, help)
	}
	if _, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usage("a flag is not written as one", help)
	}
	if cmd.HasParent() && cmd.ValidateArgs([]string{"x"}) != nil {
		return usage(cmd.Name()+" takes no arguments", help)
	}
	return usage(err.Error(), help)
}

func nearestFlag(cmd *cobra.Command, name string) string {
	best, distance := "", 4
	visit := func(f *pflag.Flag) {
		if d := levenshtein.ComputeDistance(name, f.Name); d < distance {
			best, distance = f.Name, d
		}
	}
	cmd.Flags().VisitAll(visit)
	cmd.InheritedFlags().VisitAll(visit)
	return best
}

// clip shortens what a user typed for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
