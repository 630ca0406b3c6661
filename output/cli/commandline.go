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
	"tokenform/config/help"
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
		if wrong := unexplained(ran, args); wrong != nil {
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

// unexplained refuses an unknown shell, to which cobra answers with a text about
// something else.
func unexplained(ran *cobra.Command, args []string) error {
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
	if ran.Name() == "completion" && len(words) > 1 {
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
			if instead := elsewhere[args[0]]; instead != "" {
				hint = instead
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
	global.choice(&c.color, "color", "colors on standard error", "auto", "always", "never")
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
	root.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true}) // help is a command of ours
	shown := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		about, ok := pageOf(cmd.Name())
		switch {
		case cmd == root:
			fmt.Fprint(cmd.OutOrStdout(), rootText(groupOf("Global flags", root.PersistentFlags())))
		case ok && cmd.Parent() == root:
			fmt.Fprint(cmd.OutOrStdout(), about.text())
		default:
			shown(cmd, args) // completion, which is cobra's
		}
	})
	return root
}

// pageOf returns the help of a command.
func pageOf(name string) (page, bool) {
	i := slices.IndexFunc(commands[:], func(e entry) bool { return e.name == name })
	if i < 0 {
		return page{}, false
	}
	e := commands[i]
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.SortFlags = false
	e.new().flags(flags{set})
	p := page{name: name, short: e.short, long: e.long, examples: e.examples, global: globalFlags()}
	p.usage = name
	if set.HasFlags() {
		p.usage += " [flags]"
	}
	p.usage = strings.TrimSpace(p.usage + " " + e.args)
	login, waiting := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.SortFlags, login.SortFlags, waiting.SortFlags = false, false, false
	set.VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		case "login", "login-timeout", "renew":
			login.AddFlag(f)
		case "lock-timeout", "parallelism":
			waiting.AddFlag(f)
		default:
			own.AddFlag(f)
		}
	})
	p.groups = []flagGroup{groupOf("Flags", own), groupOf("Login flags", login), groupOf("Concurrency flags", waiting)}
	return p, true
}

// globalFlags returns the help of the flags that every command has.
func globalFlags() flagGroup {
	return groupOf("Global flags", tree(&call{}, []string{"version"}).PersistentFlags())
}

// groupOf returns the help of flags.
func groupOf(title string, set *pflag.FlagSet) flagGroup {
	g := flagGroup{title: title}
	set.VisitAll(func(f *pflag.Flag) {
		value, text := pflag.UnquoteUsage(f)
		form := "    --" + f.Name
		if f.Shorthand != "" {
			form = "-" + f.Shorthand + ", --" + f.Name
		}
		if f.Value.Type() != "bool" {
			if value == "duration" || value == "int" {
				value = strings.ToUpper(value)
			}
			form += " " + value
			if d := shortDuration(f.DefValue); d != "" && d != "0" && d != "0s" && d != "[]" {
				text += " (default " + d + ")"
			}
		}
		g.flags = append(g.flags, flagHelp{form, text})
	})
	return g
}

// shortDuration drops the zeros of a duration's text: 5m0s is 5m.
func shortDuration(s string) string {
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// elsewhere answers words that other tools have for what a command here does.
var elsewhere = map[string]string{
	"logout":  "tokenform destroy deletes a login",
	"refresh": "tokenform apply refreshes what is due",
	"list":    "tokenform status lists the profiles, tokenform state list the stored logins",
	"whoami":  "tokenform status shows the account of each login",
	"check":   "tokenform validate checks profiles, tokenform status --verify checks tokens",
	"get":     "tokenform token prints a token",
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
		case cmd.Name() == "help" && len(args) == 0:
			var words []string
			for _, e := range commands {
				words = append(words, e.name+"\t"+e.short)
			}
			for _, t := range help.Topics {
				words = append(words, t.Name+"\t"+t.Short)
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		case cmd.Name() == "schema" && len(args) == 0:
			return []string{"profile", "output"}, cobra.ShellCompDirectiveNoFileComp
		case cmd.Name() == "state" && len(args) == 0:
			return strings.Split("list|show|mv|rm|pull|push|migrate|unlock", "|"), cobra.ShellCompDirectiveNoFileComp
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

// long defines a flag for a duration, which may be given in days and is never negative.
// The default is what target has.
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
	return shortDuration(v.target.String())
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
		if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			return usage("--"+e.GetFlag().Name+": "+u.Message, u.Hint)
		}
		return u
	}
	hint := cmd.CommandPath() + " --help lists the flags"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := e.GetSpecifiedName()
		if short := e.GetSpecifiedShortnames(); short != "" {
			return usage("unknown flag -"+clip(name), hint)
		}
		if near := nearestFlag(cmd, name); near != "" {
			hint = "did you mean --" + near + "?"
		}
		return usage("unknown flag --"+clip(name), hint)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--"+e.GetFlag().Name+" needs a value", hint)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		message := e.Unwrap().Error()
		switch e.GetFlag().Value.Type() {
		case "int":
			message = "must be a whole number"
		case "bool":
			message = "must be true or false"
		}
		return usage("--"+e.GetFlag().Name+": "+message, hint)
	}
	if _, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usage("malformed flag", hint)
	}
	if cmd.HasParent() && cmd.ValidateArgs([]string{"x"}) != nil {
		return usage(cmd.Name()+" takes no arguments", hint)
	}
	return usage(err.Error(), hint)
}

func nearestFlag(cmd *cobra.Command, name string) string {
	best, distance := "", min(len(name)/2, 3)+1
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
