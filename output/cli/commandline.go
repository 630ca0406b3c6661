package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tokenform/config"
	"tokenform/config/fault"
)

// global are the values of the flags that every command has.
type global struct {
	json, quiet, debug bool
	color              string // auto, always or never
	state              string // --state; empty means the profiles' own
}

// call is a command line after it was parsed and checked.
type call struct {
	global
	name    string // of the command
	command command
}

// usage returns the error for a wrong command line.
func usage(message, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Message: message, Hint: hint}
}

// parse parses the arguments of the program. The error is [fault.Invalid], and never
// quotes the value of a flag, which may be a secret in the wrong place. Even with an
// error, the call has the flags that say how to report it, as far as known. names
// returns the profiles of the files in args, for a shell that completes a word.
func parse(args []string, names func(files []string) []string) (call, error) {
	var c call
	var out bytes.Buffer
	root := tree(&c, args)
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		root.SetErr(io.Discard) // cobra writes messages for authors of completions to stderr
		complete(root, names)
	}
	ran, err := root.ExecuteC()
	if err != nil {
		c.name, c.json = "", asksForJSON(ran, args)
		return c, translated(ran, err)
	}
	if c.command == nil { // help or completion, which cobra has written
		if wrong := unexplained(root, ran, args); wrong != nil {
			return c, wrong
		}
		c.command = &text{out.String()}
	}
	return c, nil
}

// asksForJSON reports whether --json is among args, even if args are wrong otherwise.
// Words after "--" and values of other flags do not count.
func asksForJSON(cmd *cobra.Command, args []string) bool {
	asked := false
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		name, value, given := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		switch f := cmd.Flag(name); {
		case !strings.HasPrefix(args[i], "-"):
		case args[i] == "--json":
			asked = true
		case strings.HasPrefix(args[i], "--json="):
			asked, _ = strconv.ParseBool(value)
		case strings.HasPrefix(args[i], "--"):
			if f != nil && f.NoOptDefVal == "" && !given {
				i++ // skip the flag's value
			}
		default:
			if f := cmd.Flags().ShorthandLookup(args[i][len(args[i])-1:]); f != nil && f.NoOptDefVal == "" && len(args[i]) == 2 {
				i++
			}
		}
	}
	return asked
}

// unexplained refuses help on a command or topic that does not exist, and an unknown
// shell. cobra answers both with a text about something else.
func unexplained(root, ran *cobra.Command, args []string) error {
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
	if len(words) < 2 {
		return nil
	}
	switch ran.Name() {
	case "help":
		if found, rest, err := root.Find(words[1:]); err != nil || found == root || len(rest) > 0 {
			return usage(fmt.Sprintf("no help for %q", clip(strings.Join(words[1:], " "))), "tokenform help lists commands and topics")
		}
	case "completion":
		return usage(fmt.Sprintf("no completion for the shell %q", clip(words[1])), "one of bash, fish, powershell, zsh")
	}
	return nil
}

// tree builds the commands for cobra. A command for cobra only notes that it was
// called. If the first argument names a command, tree builds that command alone:
// building all takes a tenth of a run that has nothing to do.
func tree(c *call, args []string) *cobra.Command {
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
			if c.command != nil {
				return nil
			}
			return cmd.Help()
		},
	}
	root.SuggestionsMinimumDistance = 2
	global := flags{root.PersistentFlags()}
	global.BoolVar(&c.json, "json", false, "print one JSON object on standard output, without secrets")
	global.BoolVarP(&c.quiet, "quiet", "q", false, "print errors and data only")
	global.BoolVar(&c.debug, "debug", false, "show requests and answers, without secrets")
	global.choice(&c.color, "color", "colours on standard error", "auto", "always", "never")
	global.StringVar(&c.state, "state", "", "keep tokens in `DIR` instead of the profiles' own state directories")

	list := commands[:]
	if len(args) > 0 {
		if i := slices.IndexFunc(list, func(e entry) bool { return e.name == args[0] }); i >= 0 {
			list = list[i : i+1]
			root.CompletionOptions.DisableDefaultCmd = true
		}
	}
	for _, e := range list {
		root.AddCommand(leaf(c, e))
	}
	root.Flags().BoolFunc("version", "print the version", func(string) error {
		c.name, c.command = "version", &version{}
		return nil
	})
	for _, t := range topics {
		root.AddCommand(&cobra.Command{Use: t.name, Short: t.short, Long: t.long})
	}
	return root
}

// leaf returns the command of e for cobra.
func leaf(c *call, e entry) *cobra.Command {
	does := e.new()
	cmd := &cobra.Command{
		Use:   strings.TrimSpace(e.name + " " + e.args),
		Short: e.short,
		Long:  e.long,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.name, c.command = e.name, does
			var dashed []string
			if dash := cmd.ArgsLenAtDash(); e.runs && dash >= 0 {
				args, dashed = args[:dash], args[dash:]
			}
			return does.check(args, dashed)
		},
	}
	if e.args == "" {
		cmd.Args = cobra.NoArgs
	}
	cmd.Flags().SortFlags = false
	does.flags(flags{cmd.Flags()})
	return cmd
}

// complete lets the commands of root answer a shell that completes a word, with
// profiles, the words of a flag, and files.
func complete(root *cobra.Command, names func(files []string) []string) {
	fixed := func(words []string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
	}
	profiles := func(_ *cobra.Command, files []string, _ string) ([]string, cobra.ShellCompDirective) {
		return names(files), cobra.ShellCompDirectiveNoFileComp
	}
	directories := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	flag := func(cmd *cobra.Command) func(*pflag.Flag) {
		return func(f *pflag.Flag) {
			answer := fixed(nil) // nothing to complete: a duration, an address
			switch v := f.Value.(type) {
			case *choiceValue:
				answer = fixed(v.words)
			default:
				switch f.Name {
				case "profile":
					answer = profiles
				case "state":
					answer = directories
				case "from":
					return // any file
				}
			}
			_ = cmd.RegisterFlagCompletionFunc(f.Name, answer) // fails only if the flag does not exist
		}
	}
	root.PersistentFlags().VisitAll(flag(root))
	for _, cmd := range root.Commands() {
		cmd.Flags().VisitAll(flag(cmd))
		cmd.ValidArgsFunction = arguments(cmd, names)
	}
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		var words []string
		for _, e := range commands {
			words = append(words, e.name+"\t"+e.short)
		}
		for _, t := range topics {
			words = append(words, t.name+"\t"+t.short)
		}
		help.ValidArgsFunction = fixed(words)
	}
}

// arguments completes the arguments of a command.
func arguments(cmd *cobra.Command, names func(files []string) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		_, usage, _ := strings.Cut(cmd.Use, " ")
		switch {
		case cmd.Name() == "exec" && cmd.ArgsLenAtDash() >= 0:
			return nil, cobra.ShellCompDirectiveDefault // the words of the command to run
		case strings.HasPrefix(usage, "[FILE"):
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		case cmd.Name() == "schema" && len(args) == 0:
			return []string{"profile", "output"}, cobra.ShellCompDirectiveNoFileComp
		case cmd.Name() == "state" && len(args) == 0:
			return strings.Split("list|show|mv|rm|pull|push", "|"), cobra.ShellCompDirectiveNoFileComp
		case cmd.Name() == "state", cmd.Name() == "log":
			return names(nil), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// text is a command that prints what cobra has written: help, or a completion
// script.
type text struct{ text string }

func (*text) flags(flags)               {}
func (*text) check(_, _ []string) error { return nil }
func (t *text) run(_ context.Context, p *program) int {
	p.voice.Print(strings.TrimRight(t.text, "\n") + "\n")
	return 0
}

// flags defines the flags of a command.
type flags struct{ *pflag.FlagSet }

// choice defines a flag that takes one of a few words, the first by default.
func (f flags) choice(target *string, name, help string, words ...string) {
	*target = words[0]
	f.Var(&choiceValue{target, words}, name, help)
}

// long defines a flag for a duration, which may be given in days. The default is zero.
func (f flags) long(target *time.Duration, name, help string) { f.Var(&longValue{target}, name, help) }

type longValue struct{ target *time.Duration }

func (v *longValue) Set(s string) (err error) {
	*v.target, err = config.ParseDuration(s)
	return err
}

func (v *longValue) String() string {
	if *v.target == 0 {
		return ""
	}
	return v.target.String()
}

func (v *longValue) Type() string { return "duration" }

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

// translated returns an error of the libraries in our own words.
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
		return usage("malformed flag", help)
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
