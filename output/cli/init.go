package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

const longInit = `Writes a first profile to FILE, by default tokenform.yaml; - is standard output. init
never overwrites a file.

On a terminal, init asks what the profile is for, shows what it will write, and says what
to do next. Elsewhere, or with any of its flags, it asks nothing.`

const examplesInit = `tokenform init
tokenform init --scope user-library-read --output env
tokenform init --for app --secret variable --output json apps/catalog.yaml`

type initCommand struct {
	file     string // "-" is standard output
	use      string
	clientID string
	secret   string
	scopes   []string
	outputs  []string
	asks     bool // no flag is given
}

func (c *initCommand) flags(f flags) {
	f.choice(&c.use, "for", "what for: your own account on this machine, a pipeline or server, or data of the app alone", "own", "pipeline", "app")
	f.StringVar(&c.clientID, "client-id", "", "the `ID` of the app; without it, the profile reads SPOTIFY_CLIENT_ID")
	f.StringVar(&c.secret, "secret", "", "where the client secret comes from: `WHERE` is none, variable, file:PATH or command:LINE")
	f.StringArrayVar(&c.scopes, "scope", nil, "ask the user for this scope; repeatable; `NAME`s may be separated by commas")
	f.StringArrayVar(&c.outputs, "output", nil, "write the token to env (.env), json (token.json) or stdout; repeatable: `TYPE`")
}

func (c *initCommand) check(args, _ []string) error {
	if len(args) > 1 {
		return usage("init writes one file", "name one; without a name it is tokenform.yaml")
	}
	c.file = "tokenform.yaml"
	if len(args) == 1 {
		c.file = args[0]
	}
	c.asks = c.use == "own" && c.clientID == "" && c.secret == "" && c.scopes == nil && c.outputs == nil
	for _, o := range c.outputs {
		if !slices.Contains(config.StarterOutputs, o) {
			return usage("--output: must be one of "+strings.Join(config.StarterOutputs, ", "), "edit the profile for other outputs: tokenform help outputs")
		}
	}
	c.clientID = strings.ToLower(c.clientID)
	if c.clientID != "" && !config.IsClientID(c.clientID) {
		return usage("--client-id: "+config.ClientIDForm, "copy the client ID from the app's settings at https://developer.spotify.com/dashboard")
	}
	if c.use == string(config.AppOnly) && c.scopes != nil {
		return usage("--scope does not apply to --for app", "scopes are a user's: leave out one of the two")
	}
	if _, err := parseSecret(c.secret); err != nil {
		return usage("--secret: "+err.Error(), "write none, variable, file:PATH or command:LINE")
	}
	return nil
}

// starter returns the profile that the flags ask for.
func (c *initCommand) starter() config.Starter {
	s := config.Starter{Use: config.Use(c.use), ClientID: c.clientID, Outputs: c.outputs}
	s.Secret, _ = parseSecret(c.secret)
	if c.secret == "" && s.Use != config.Own {
		s.Secret.Variable = true
	}
	for _, list := range c.scopes {
		s.Scopes = append(s.Scopes, splitList(list)...)
	}
	return s
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
}

// parseSecret reads where a client secret comes from. Empty means that there is none.
func parseSecret(s string) (config.SecretSource, error) {
	kind, rest, _ := strings.Cut(s, ":")
	switch {
	case s == "" || s == "none":
		return config.SecretSource{}, nil
	case s == "variable":
		return config.SecretSource{Variable: true}, nil
	case kind == "file" && rest != "":
		return config.SecretSource{File: rest}, nil
	case kind == "command" && strings.TrimSpace(rest) != "":
		return config.SecretSource{Command: strings.Fields(rest)}, nil
	}
	return config.SecretSource{}, errors.New("unknown source")
}

// run writes a first profile, with a person's answers if a person is there.
func (c *initCommand) run(ctx context.Context, p *program) int {
	exists := &fault.Error{Message: c.file + " already exists", Hint: "edit it, or name another file: tokenform init FILE"}
	s := c.starter()
	if problems := s.Check(p.sources()); len(problems) > 0 {
		return p.refuse(&fault.Error{Kind: fault.Invalid, Message: problems[0].Message, Hint: problems[0].Hint})
	}
	if c.file == "-" {
		p.voice.Print(s.Text())
		return 0
	}
	if _, err := os.Lstat(c.file); err == nil {
		return p.refuse(exists) // refuse before a person answers questions in vain
	}
	w := &wizard{program: p, file: c.file, schema: filepath.Join(filepath.Dir(c.file), config.DefaultState, state.SchemaFile)}
	s.Schema = config.DefaultState + "/" + state.SchemaFile
	asked := c.asks && p.InTerminal && p.ErrTerminal
	if asked {
		p.guard()
		var err error
		switch s, err = w.interview(ctx, s); {
		case errors.Is(err, errDeclined):
			p.voice.Say("nothing was written")
			return 0
		case err != nil:
			return p.refuse(err)
		}
	}
	f, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // no secret is in it
	if errors.Is(err, os.ErrExist) {
		return p.refuse(exists)
	}
	if err == nil {
		if state.Real.Open(filepath.Dir(w.schema)).SaveSchema(config.Schema) != nil {
			s.Schema = "" // what an editor shows is not worth an error
		}
		_, err = f.WriteString(s.Text())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return p.refuse(&fault.Error{Message: c.file, Err: fault.Cause(err), Hint: "name a file in a directory that exists and that this user can write: tokenform init FILE"})
	}
	if asked {
		if err := w.ignore(ctx, s.Outputs); err != nil {
			return p.refuse(err)
		}
	}
	p.voice.Wrote(c.file, w.next(s))
	return 0
}

// next says what to do with the profile s.
func (w *wizard) next(s config.Starter) string {
	line := config.Invocation{State: w.state}
	if w.file != "tokenform.yaml" {
		line.Files = []string{w.file}
	}
	trial := line
	trial.Sandbox = true
	steps := []string{"to try it without an account: " + trial.Command("apply")}
	if s.ClientID == "" {
		steps = append(steps, "create an app at https://developer.spotify.com/dashboard, and tick Web API")
	}
	if s.Use != config.AppOnly {
		steps = append(steps, "in the app's settings, add the redirect URI "+config.DefaultRedirectURI+", and press Save")
	}
	if s.Secret.File != "" {
		path := s.Secret.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(w.file), path)
		}
		if _, err := os.Stat(path); err != nil {
			steps = append(steps, "write the client secret to "+path+", which does not exist yet")
		}
	}
	var missing []string
	for _, v := range []struct {
		name string
		used bool
	}{{"SPOTIFY_CLIENT_ID", s.ClientID == ""}, {"SPOTIFY_CLIENT_SECRET", s.Secret.Variable}} {
		if _, set := w.Env(v.name); v.used && !set {
			missing = append(missing, v.name+"=...")
		}
	}
	if len(missing) > 0 {
		pronoun := "it"
		if len(missing) > 1 {
			pronoun = "them"
		}
		steps = append(steps, "put "+strings.Join(missing, " and ")+" in .env beside the profile, or export "+pronoun)
	}
	if s.Use == config.Pipeline {
		steps = append(steps, "here, log in: "+line.Command("token", "--format", "seed"), "in the pipeline, store its output as the secret SPOTIFY_REFRESH_TOKEN, and run: "+line.Command("apply"))
	} else {
		steps = append(steps, "then: "+line.Command("apply"))
	}
	return strings.Join(steps, "\n")
}

// wizard asks a person for a profile.
type wizard struct {
	*program
	file, schema string
	typed        <-chan string
}

// question asks until take accepts the answer. take returns what is wrong with it.
func (w *wizard) question(ctx context.Context, text string, take func(answer string) error) error {
	for {
		answer, ok, err := w.ask(ctx, w.typed, text)
		if err != nil {
			return err
		}
		if !ok {
			w.voice.NewLine()
			return &fault.Error{Message: "standard input ended: nothing was written"}
		}
		wrong := take(answer)
		if wrong == nil {
			return nil
		}
		w.voice.Error("", wrong)
	}
}

// choose asks for some of a numbered list, by number or by name. Enter means usual, an
// index; -1 means that Enter chooses nothing. several allows more than one.
func (w *wizard) choose(ctx context.Context, title string, options [][2]string, usual int, several bool) (chosen []int, err error) {
	prompt := "\n" + title + "\n"
	for i, o := range options {
		prompt += strings.TrimRight(fmt.Sprintf("  %2d  %-*s%s", i+1, width(options), o[0], o[1]), " ") + "\n"
	}
	w.voice.Question(prompt)
	prompt = "Number"
	if several {
		prompt = "Numbers or names, separated by spaces"
	}
	if usual >= 0 {
		prompt += fmt.Sprintf(" [%d]", usual+1)
	} else {
		prompt += " [none]"
	}
	return chosen, w.question(ctx, prompt+": ", func(answer string) error {
		chosen = nil
		for _, word := range splitList(answer) {
			i := slices.IndexFunc(options, func(o [2]string) bool { return o[0] == word })
			if n, err := strconv.Atoi(word); err == nil {
				i = n - 1
			}
			if i < 0 || i >= len(options) {
				return &fault.Error{Message: fmt.Sprintf("no choice %q", clip(word)), Hint: fmt.Sprintf("choose from 1 to %d", len(options))}
			}
			if !slices.Contains(chosen, i) {
				chosen = append(chosen, i)
			}
		}
		if len(chosen) == 0 && usual >= 0 {
			chosen = []int{usual}
		}
		if len(chosen) > 1 && !several {
			return &fault.Error{Message: "more than one number", Hint: "choose one"}
		}
		return nil
	})
}

// width returns the width of the first column, or zero if nothing is in the second.
func width(options [][2]string) int {
	n := 0
	for _, o := range options {
		if o[1] != "" {
			n = max(n, len(o[0])+2)
		}
	}
	return n
}

func (w *wizard) yes(ctx context.Context, text string) (yes bool, err error) {
	return yes, w.question(ctx, text+" [Y/n] ", func(answer string) error {
		switch strings.ToLower(answer) {
		case "", "y", "yes":
			yes = true
		case "n", "no":
		default:
			return &fault.Error{Message: "answer y or n"}
		}
		return nil
	})
}

// errDeclined says that a person does not want the profile.
var errDeclined = errors.New("declined")

// interview asks what the profile is for, and shows what it will be.
func (w *wizard) interview(ctx context.Context, s config.Starter) (config.Starter, error) {
	w.typed = w.typedLines()
	chosen, err := w.choose(ctx, "What is the profile for?", [][2]string{
		{"my own Spotify account, on this machine"},
		{"my account, in a server or a CI job"},
		{"data that needs no user, such as search and the catalog"},
	}, 0, false)
	if err != nil {
		return s, err
	}
	s.Use = config.Uses[chosen[0]]
	w.voice.Question("\nCreate an app at https://developer.spotify.com/dashboard, and tick Web API.\n")
	err = w.question(ctx, "Client ID (Enter: read SPOTIFY_CLIENT_ID): ", func(answer string) error {
		if s.ClientID = strings.ToLower(answer); answer == "" || config.IsClientID(s.ClientID) {
			return nil
		}
		return &fault.Error{Message: config.ClientIDForm, Hint: "copy it from the app's settings"}
	})
	if err == nil {
		s.Secret, err = w.secret(ctx, s.Use)
	}
	if err == nil && s.Use != config.AppOnly {
		var options [][2]string
		for _, scope := range config.Scopes {
			options = append(options, [2]string{scope.Name, scope.Allows})
		}
		chosen, err = w.choose(ctx, "What may the app do? (GET /v1/me needs no scope)", options, -1, true)
		for _, i := range chosen {
			s.Scopes = append(s.Scopes, config.Scopes[i].Name)
		}
	}
	if err == nil {
		chosen, err = w.choose(ctx, "Where does the token go?", [][2]string{{"env", "variables in .env"}, {"json", "token.json"}, {"stdout", `eval "$(tokenform apply)"`}}, 0, true)
		for _, i := range chosen {
			s.Outputs = append(s.Outputs, config.StarterOutputs[i])
		}
	}
	if err != nil {
		return s, err
	}
	w.voice.Question("\n" + s.Text() + "\n")
	agreed, err := w.yes(ctx, "Write this to "+w.file+"?")
	if err == nil && !agreed {
		err = errDeclined
	}
	return s, err
}

// secret asks where the client secret comes from.
func (w *wizard) secret(ctx context.Context, use config.Use) (source config.SecretSource, err error) {
	options := [][2]string{{"the variable SPOTIFY_CLIENT_SECRET"}, {"a file"}, {"a command, such as a password manager's"}}
	usual := 0
	if use != config.AppOnly {
		options = append(options, [2]string{"nowhere: the app has no secret here (PKCE)"})
		if use == config.Own {
			usual = 3
		}
	}
	chosen, err := w.choose(ctx, "Where does the client secret come from?", options, usual, false)
	if err != nil {
		return source, err
	}
	take := func(kind string) func(string) error {
		return func(answer string) (err error) {
			if source, err = parseSecret(kind + ":" + answer); err != nil {
				return &fault.Error{Message: "an empty answer"}
			}
			return nil
		}
	}
	switch chosen[0] {
	case 0:
		source.Variable = true
	case 1:
		err = w.question(ctx, "Path of the file, relative to the profile: ", take("file"))
	case 2:
		err = w.question(ctx, "Command, without shell syntax: ", take("command"))
	}
	return source, err
}

// ignore offers to keep what tokenform writes out of git, if the profile is in a work
// tree whose .gitignore does not have it yet.
func (w *wizard) ignore(ctx context.Context, outputs []string) error {
	dir := filepath.Dir(w.file)
	path := filepath.Join(dir, ".gitignore")
	if !config.InGit(dir) {
		return nil
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil // inspect warns of outputs that git does not ignore
	}
	have := strings.Split(strings.ReplaceAll(string(old), "\r\n", "\n"), "\n")
	var add []string
	lines := []string{".env", config.DefaultState + "/"} // people keep secrets in .env
	if slices.Contains(outputs, "json") {
		lines = append(lines, "token.json")
	}
	for _, line := range lines {
		if !slices.Contains(have, line) && !slices.Contains(have, strings.TrimSuffix(line, "/")) {
			add = append(add, line)
		}
	}
	if len(add) == 0 {
		return nil
	}
	agreed, err := w.yes(ctx, "Add "+strings.Join(add, " and ")+" to "+path+"?")
	if err != nil || !agreed {
		return err
	}
	text := strings.Join(add, "\n") + "\n"
	if len(old) > 0 && old[len(old)-1] != '\n' {
		text = "\n" + text
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return &fault.Error{Message: path, Err: fault.Cause(err), Hint: "make it writable; the profile is written"}
	}
	return nil
}
