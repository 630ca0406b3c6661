// Command tokenform keeps Spotify tokens valid, as profiles declare them.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/flow/state"
	"tokenform/output"
)

// version is set by the linker in a release.
var version = ""

func main() {
	// net/http reports oddities to the global logger, and quotes what the server
	// sent.
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, streams{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTerminal: isTerminal(os.Stdin), outTerminal: isTerminal(os.Stdout), errTerminal: isTerminal(os.Stderr),
		guard: func(signals ...os.Signal) { once.Do(func() { cancelOn(signals, cancel) }) },
	}))
}

// cancelOn lets what must not be torn come to its end when the first of signals
// arrives. The second one kills, as ever. One that is ignored, as nohup(1) wants
// it, stays so.
func cancelOn(signals []os.Signal, cancel func()) {
	signals = slices.DeleteFunc(signals, signal.Ignored)
	if len(signals) == 0 {
		return // to Notify none are all
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, signals...)
	go func() {
		if <-ch == syscall.SIGHUP {
			// The end of a terminal sends it twice: the shell does, and the kernel.
			signal.Ignore(syscall.SIGHUP)
		}
		signal.Stop(ch)
		cancel()
	}()
}

// streams are standard input, output and error, and which of them a person
// sits at.
type streams struct {
	in                                   io.Reader
	out, err                             io.Writer
	inTerminal, outTerminal, errTerminal bool

	// guard makes signals end the context instead of the process. It is called
	// when work begins that must not be torn: it costs a fifth of the time in
	// which a run with nothing to do is over.
	guard func(...os.Signal)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// exitCodes are those of SPEC section 7.
var exitCodes = [...]int{fault.Interrupted: 130, fault.Invalid: 3, fault.LoginNeeded: 4, fault.Failed: 1, fault.Temporary: 5}

const (
	exitChanges = 2
	exitInvalid = 3
)

// exitCode is the code for all of errs together; nil errors do not count.
func exitCode(errs ...error) int {
	err := errors.Join(errs...)
	if err == nil {
		return 0
	}
	return exitCodes[fault.KindOf(err)]
}

// program is one run: the command line and the world around it.
type program struct {
	config.Command
	env     func(string) (string, bool)
	streams streams
	say     *output.Printer

	all  atomic.Pointer[[]config.Profile] // that are declared, selected or not
	gone []config.Profile                 // no longer declared, selected like those that are
}

// guard begins what must not be torn, not even by the end of a terminal or of an
// SSH session.
func (p *program) guard() { p.streams.guard(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) }

// run is the whole program as a function of its context, arguments,
// environment and streams. It returns the exit code.
func run(ctx context.Context, args []string, env func(string) (string, bool), s streams) int {
	out := &checked{Writer: s.out}
	s.out = out
	cmd, err := config.ParseCommandLine(args)
	p := &program{Command: cmd, env: env, streams: s, say: printer(cmd, env, s)}
	if err != nil {
		p.say.JSON = slices.Contains(args, "--json")
		return p.refuse(err)
	}
	code := p.command(ctx)
	if err := out.failed(); err != nil && code == 0 {
		p.say.Error("", &fault.Error{Message: "standard output", Err: fault.Cause(err), Hint: "what was to be printed is not complete: make room for it, or print it elsewhere"})
		return exitCode(err)
	}
	return code
}

// checked remembers that something could not be written: a command that could not
// say what it had to say has failed.
type checked struct {
	io.Writer
	mu  sync.Mutex
	err error
}

func (c *checked) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = cmp.Or(c.err, err)
	return n, err
}

func (c *checked) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// command does what the command line says.
func (p *program) command(ctx context.Context) int {
	switch p.Name {
	case "print":
		fmt.Fprintln(p.streams.out, strings.TrimRight(p.Text, "\n"))
		return 0
	case "version":
		return p.version()
	case "schema":
		return p.schema()
	case "sandbox":
		return p.serve(ctx)
	case "init":
		return p.init(ctx)
	}

	var stamp string
	if p.Name == "watch" {
		stamp = config.Stamp(p.sources(), p.Args) // what changes from here on is seen
	}
	profiles, warnings, code := p.load()
	if code != 0 {
		return code
	}
	if p.Name == "validate" {
		return p.validate(ctx, profiles, warnings)
	}
	r, end, err := p.runner()
	if err != nil {
		return p.refuse(err)
	}
	defer end()
	switch p.Name {
	case "plan":
		return p.plan(ctx, r, profiles)
	case "apply":
		return p.apply(ctx, r, profiles)
	case "status":
		return p.status(ctx, r, profiles)
	case "token":
		return p.token(ctx, r, profiles)
	case "exec":
		return p.exec(ctx, r, profiles)
	case "watch":
		return p.watch(ctx, r, profiles, warnings, stamp)
	case "import":
		return p.importToken(ctx, r, profiles)
	case "destroy":
		return p.destroy(ctx, r, profiles)
	}
	panic("no case for the command " + p.Name)
}

func printer(cmd config.Command, env func(string) (string, bool), s streams) *output.Printer {
	color := func(terminal bool) bool {
		noColor, _ := env("NO_COLOR")
		dumb, _ := env("TERM")
		return cmd.Color == "always" || cmd.Color != "never" && terminal && noColor == "" && dumb != "dumb"
	}
	say := &output.Printer{
		Out: s.out, Err: s.err, Now: time.Now, Quiet: cmd.Quiet, JSON: cmd.JSON,
		Color: color(s.errTerminal), ColorOut: color(s.outTerminal), Live: s.errTerminal,
	}
	actions, _ := env("GITHUB_ACTIONS")
	say.GitHub = actions == "true"
	if connection, ok := env("SSH_CONNECTION"); ok {
		// "client-ip client-port server-ip server-port": the host as the client knows it.
		user, _ := env("USER")
		if words := strings.Fields(connection); len(words) == 4 {
			say.SSH = strings.TrimPrefix(user+"@", "@") + words[2]
		}
	}
	return say
}

// refuse ends a run that could not begin.
func (p *program) refuse(err error) int {
	p.say.Error("", err)
	p.view(output.View{Error: output.ViewError(err)})
	return exitCode(err)
}

// view prints v where --json asks for it.
func (p *program) view(v output.View) {
	if p.say.JSON {
		v.Command = p.Name
		_ = p.say.View(v) // run looks at what became of it
	}
}

func (p *program) version() int {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	if p.JSON {
		p.view(output.View{OK: true, Release: v})
		return 0
	}
	fmt.Fprintf(p.streams.out, "tokenform %s (%s %s/%s)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return 0
}

func (p *program) schema() int {
	text := config.Schema
	if slices.Contains(p.Args, "output") {
		text = output.Schema
	}
	fmt.Fprint(p.streams.out, text)
	return 0
}

// init writes a first profile, with what a person answers where there is one.
func (p *program) init(ctx context.Context) int {
	file := "tokenform.yaml"
	if len(p.Args) > 0 {
		file = p.Args[0]
	}
	exists := func() int {
		return p.refuse(&fault.Error{Message: file + " is there already", Hint: "edit it, or name another file: tokenform init FILE"})
	}
	var s config.Starter
	if file == "-" {
		fmt.Fprint(p.streams.out, s.Text())
		return 0
	}
	if _, err := os.Lstat(file); err == nil {
		return exists() // before anybody answers for nothing
	}
	if p.streams.inTerminal && p.streams.errTerminal {
		p.guard()
		var err error
		if s, err = p.interview(ctx); err != nil {
			return p.refuse(err)
		}
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return exists()
	}
	if err == nil {
		_, err = f.WriteString(s.Text())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return p.refuse(&fault.Error{Message: file, Err: fault.Cause(err), Hint: "name a file in a directory that is there and that this user can write: tokenform init FILE"})
	}
	p.say.Say("wrote " + file)
	if !p.Quiet {
		p.say.Hint("in the app's settings at https://developer.spotify.com/dashboard enter the redirect URI " + config.DefaultRedirectURI + " and press Save\nthen: tokenform apply" + strings.TrimSuffix(" "+file, " tokenform.yaml"))
	}
	p.view(output.View{OK: true})
	return 0
}

// interview asks until each answer is one that a profile can have.
func (p *program) interview(ctx context.Context) (s config.Starter, err error) {
	answers := lines(p.streams.in)
	ask := func(question string, take func(string)) {
		for err == nil {
			fmt.Fprint(p.streams.err, question)
			select {
			case <-ctx.Done():
				fmt.Fprintln(p.streams.err)
				err = ctx.Err()
			case answer, ok := <-answers:
				if !ok {
					err = &fault.Error{Message: "nothing is written: standard input ended"}
					return
				}
				take(strings.TrimSpace(answer))
				problems := s.Check(p.sources())
				if len(problems) == 0 {
					return
				}
				p.say.Error("", &fault.Error{Message: problems[0].Message, Hint: problems[0].Hint})
			}
		}
	}
	ask("Client ID, from the app's settings (Enter: read it from SPOTIFY_CLIENT_ID): ", func(a string) { s.ClientID = a })
	ask("Scopes, separated by spaces (Enter: none): ", func(a string) {
		s.Scopes = strings.FieldsFunc(a, func(r rune) bool { return r == ' ' || r == ',' })
	})
	ask("Can the program keep a client secret, as a server can? y/N: ", func(a string) { s.Secret = strings.HasPrefix(strings.ToLower(a), "y") })
	return s, err
}

func (p *program) sources() config.Sources {
	dir, err := os.Getwd()
	if err != nil {
		dir = "." // whatever is read relative to it says what is wrong
	}
	return config.Sources{Env: p.env, Stdin: p.streams.in, Dir: dir, State: p.State, Many: spare}
}

// spare keeps the memory for thousands of profiles small: while they are read,
// most of what there is is garbage. Fewer never fill what Go takes at once.
func spare() { debug.SetGCPercent(30) }

// read loads the profiles that the command line selects. The error is of the
// selection, or the problems that make them unusable.
func (p *program) read() (profiles []config.Profile, problems config.Problems, err error) {
	profiles, problems = config.Load(p.sources(), p.Args)
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, problems, &fault.Error{Kind: fault.Invalid, Err: errs}
	}
	all := slices.Clone(profiles)
	p.all.Store(&all)
	if profiles, err = p.choose(profiles); err != nil {
		return nil, problems, &fault.Error{Kind: fault.Invalid, Err: err}
	}
	if p.Sandbox {
		for i := range profiles {
			// What belongs to the real account has no meaning for the stand-in's.
			profiles[i].Account, profiles[i].RefreshToken, profiles[i].ShowDialog = "", nil, p.Login != "auto" && profiles[i].ShowDialog
		}
	}
	return profiles, problems, nil
}

// choose keeps the profiles that the command line selects. Where the command
// is about profiles that are no longer declared too, it finds these.
func (p *program) choose(profiles []config.Profile) ([]config.Profile, error) {
	apart := ""
	if p.Sandbox {
		apart = sandboxState
	}
	if p.Name == "plan" || p.Prune || p.Name == "destroy" && p.Profiles != nil {
		p.gone = flow.Gone(profiles, config.Directories(p.sources(), p.Args), p.Profiles, apart)
	}
	others := names(p.gone)
	p.gone, _ = config.Select(p.gone, p.Profiles, names(profiles)...) // the other call finds what is wrong
	return config.Select(profiles, p.Profiles, others...)
}

// sandboxState is where --sandbox keeps its state, in the state directory.
const sandboxState = "sandbox"

// load reads the profiles and says what is wrong with them; a code other than
// zero ends the run.
func (p *program) load() (_ []config.Profile, warnings config.Problems, code int) {
	profiles, problems, err := p.read()
	p.say.Problems(problems)
	if len(problems.Errors()) > 0 {
		p.view(output.View{Problems: output.ViewProblems(problems)})
		return nil, nil, exitInvalid
	}
	if err != nil {
		return nil, nil, p.refuse(err)
	}
	return profiles, problems, 0
}

// inspect warns of what is unwise about profiles and the files they name.
func (p *program) inspect(ctx context.Context, profiles []config.Profile) config.Problems {
	found := config.Inspect(ctx, profiles)
	p.say.Problems(found)
	return found
}

func (p *program) validate(ctx context.Context, profiles []config.Profile, warnings config.Problems) int {
	found := append(warnings, p.inspect(ctx, profiles)...)
	p.view(output.View{OK: true, Problems: output.ViewProblems(found), Profiles: output.ViewProfiles(profiles)})
	if !p.JSON && !p.Quiet {
		fmt.Fprintf(p.streams.out, "%d %s valid\n", len(profiles), output.Plural(len(profiles), "profile"))
	}
	return 0
}

func (p *program) plan(ctx context.Context, r *flow.Runner, profiles []config.Profile) int {
	p.inspect(ctx, profiles)
	forecasts := append(p.forecast(ctx, r, profiles), r.PlanGone(p.gone, p.Prune)...)
	p.say.Plan(forecasts)
	changes := slices.ContainsFunc(forecasts, flow.Forecast.Due)
	code := exitCode(errorsOf(forecasts)...)
	p.view(output.View{OK: code == 0, Changes: &changes}.WithPlan(forecasts))
	if code == 0 && changes && p.DetailedExitcode {
		return exitChanges
	}
	return code
}

// forecast plans, and asks the Web API about the tokens under --verify.
func (p *program) forecast(ctx context.Context, r *flow.Runner, profiles []config.Profile) []flow.Forecast {
	forecasts := r.Plan(profiles)
	if p.Verify {
		p.guard()
		r.Check(ctx, forecasts)
	}
	return forecasts
}

func errorsOf(forecasts []flow.Forecast) []error {
	var errs []error
	for _, f := range forecasts {
		errs = append(errs, f.Err)
	}
	return errs
}

func (p *program) apply(ctx context.Context, r *flow.Runner, profiles []config.Profile) int {
	if p.JSON && slices.ContainsFunc(profiles, prints) {
		return p.refuse(bothWantStdout)
	}
	if p.Sandbox {
		p.say.Say("these tokens come from a stand-in; Spotify itself will not take them")
	}
	r.Due = func(due []config.Profile) {
		p.guard()
		p.inspect(ctx, due)
	}
	results := r.Apply(ctx, profiles)
	if len(p.gone) > 0 {
		p.guard()
		results = append(results, r.Prune(ctx, p.gone)...)
	}
	p.say.Results(results)
	code := exitCode(failures(results)...)
	if p.JSON { // of thousands it takes a while
		p.view(output.View{OK: code == 0}.WithResults(results))
	}
	return code
}

var bothWantStdout = &fault.Error{Kind: fault.Invalid, Message: "--json and an output of type stdout both want standard output", Hint: "leave out one of them"}

func prints(x config.Profile) bool {
	return slices.ContainsFunc(x.Outputs, func(o config.Output) bool { return o.Type == "stdout" })
}

func failures(results []flow.Result) []error {
	var errs []error
	for _, r := range results {
		errs = append(errs, r.Err)
	}
	return errs
}

func (p *program) status(ctx context.Context, r *flow.Runner, profiles []config.Profile) int {
	forecasts := p.forecast(ctx, r, profiles)
	if !p.JSON {
		p.say.Status(forecasts)
	}
	code := exitCode(errorsOf(forecasts)...)
	p.view(output.View{OK: code == 0, Profiles: output.ViewPlan(forecasts)})
	return code
}

func (p *program) token(ctx context.Context, r *flow.Runner, profiles []config.Profile) int {
	if len(profiles) != 1 {
		return p.refuse(one("token prints one token", profiles))
	}
	results := p.valid(ctx, r, profiles)
	if res := &results[0]; res.Err == nil {
		res.Err = output.WriteToken(p.streams.out, res.Profile, res.Token, p.Format)
	}
	return p.failed(results)
}

// valid applies without outputs.
func (p *program) valid(ctx context.Context, r *flow.Runner, profiles []config.Profile) []flow.Result {
	r.TokenOnly = true
	r.Due = func([]config.Profile) { p.guard() }
	return r.Apply(ctx, profiles)
}

// failed says what went wrong and returns the code for it; where nothing did it
// says nothing.
func (p *program) failed(results []flow.Result) int {
	code := exitCode(failures(results)...)
	if code == 0 {
		return 0
	}
	for _, res := range results {
		if res.Err != nil {
			p.say.Error(res.Profile.Name, res.Err)
		}
	}
	p.view(output.View{Profiles: output.ViewResults(results)})
	return code
}

func (p *program) exec(ctx context.Context, r *flow.Runner, profiles []config.Profile) int {
	if err := output.Clash(profiles); err != nil {
		return p.refuse(err)
	}
	results := p.valid(ctx, r, profiles)
	if code := p.failed(results); code != 0 {
		return code
	}
	if err := ctx.Err(); err != nil { // what is stored stays, and nothing is begun
		return p.refuse(err)
	}
	env, err := output.Environment(ctx, os.Environ(), results)
	if err != nil {
		return p.refuse(err)
	}
	stdout := p.streams.out.(*checked).Writer // the command gets the stream itself
	code, err := output.Exec(p.Run, env, p.streams.in, stdout, p.streams.err)
	if err != nil {
		p.refuse(err)
	}
	return code
}

func (p *program) watch(ctx context.Context, r *flow.Runner, profiles []config.Profile, warnings config.Problems, stamp string) int {
	if p.JSON && slices.ContainsFunc(profiles, prints) {
		return p.refuse(bothWantStdout)
	}
	p.streams.guard(os.Interrupt, syscall.SIGTERM) // SIGHUP wakes it

	said := map[string]bool{} // each once, however often the profiles are read
	for _, w := range append(warnings, p.inspect(ctx, profiles)...) {
		said[w.Error()] = true
	}
	wake := make(chan os.Signal, 1)
	signal.Notify(wake, syscall.SIGHUP)
	defer signal.Stop(wake)
	r.Watch(ctx, profiles, flow.Watch{
		Load: func() ([]config.Profile, error) {
			again, found, err := p.read()
			if err != nil {
				return nil, err
			}
			found = slices.DeleteFunc(append(found, config.Inspect(ctx, again)...), func(w *config.Problem) bool { return said[w.Error()] })
			for _, w := range found {
				said[w.Error()] = true
			}
			p.say.Problems(found)
			return again, nil
		},
		Changed: func() bool {
			before := stamp
			stamp = config.Stamp(p.sources(), p.Args)
			return stamp != before && !slices.Contains(p.Args, "-")
		},
		Wake:  wake,
		Tell:  p.say.Watched,
		Error: func(err error) { p.say.Error("", err) },
	})
	p.say.Say("stopped")
	return 0
}

func (p *program) importToken(ctx context.Context, r *flow.Runner, profiles []config.Profile) int {
	if len(profiles) != 1 {
		return p.refuse(one("import stores one login", profiles))
	}
	r.Outputs = nil
	p.guard()
	token, err := p.foreignToken(ctx, profiles[0])
	if err != nil {
		return p.refuse(err)
	}
	res := r.Import(ctx, profiles[0], token, !p.NoVerify)
	if res.Err != nil {
		p.say.Error(res.Profile.Name, res.Err)
	} else {
		p.say.Say(res.Profile.Name + ": imported; tokenform apply writes the outputs")
	}
	p.view(output.View{OK: res.Err == nil, Profiles: output.ViewResults([]flow.Result{res})})
	return exitCode(res.Err)
}

// foreignToken is the refresh token to import, from another client's file or
// from standard input: typed without echo, or piped.
func (p *program) foreignToken(ctx context.Context, x config.Profile) (string, error) {
	if p.From != "" {
		data, err := config.ReadFile(p.From, 1<<20)
		if errors.Is(err, config.ErrTooLarge) {
			err = errors.New("larger than 1 MiB")
		}
		if err != nil {
			return "", &fault.Error{Kind: fault.Invalid, Message: "--from " + p.From, Err: fault.Cause(err), Hint: "name the token file of another client"}
		}
		found, err := output.ReadClientFile(p.From, data)
		if err != nil {
			return "", err
		}
		if id, known := x.Client.ID.Known(); known && found.ClientID != "" && found.ClientID != id {
			return "", &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("%s belongs to the app %s, and the profile is of %s", p.From, found.ClientID, id), Hint: "a refresh token works only with the app it was made for: correct client.id"}
		}
		return found.RefreshToken, nil
	}
	text, err := p.typed(ctx, "refresh token (it is not shown): ")
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	if !output.IsToken(text) {
		return "", &fault.Error{Kind: fault.Invalid, Message: "standard input holds no refresh token: it must be one word", Hint: "pipe it in alone, or use --from FILE for a file of another client"}
	}
	return text, nil
}

// typed reads all of standard input, or one line of it without echo where a
// person types. An interrupt puts the echo back.
func (p *program) typed(ctx context.Context, prompt string) (string, error) {
	if !p.streams.inTerminal {
		b, err := io.ReadAll(io.LimitReader(p.streams.in, 64<<10))
		return string(b), err
	}
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(p.streams.err, prompt)
	defer fmt.Fprintln(p.streams.err)
	type line struct {
		text []byte
		err  error
	}
	done := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		done <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	case l := <-done:
		return string(l.text), l.err
	}
}

// one is the refusal of a command that works on a single profile.
func one(what string, profiles []config.Profile) error {
	return &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("%s, and there are %d profiles", what, len(profiles)),
		Hint: "choose one with -p NAME: " + strings.Join(names(profiles), ", "),
	}
}

func names(profiles []config.Profile) []string {
	var list []string
	for _, x := range profiles {
		list = append(list, x.Name)
	}
	return list
}

func (p *program) destroy(ctx context.Context, r *flow.Runner, profiles []config.Profile) int {
	p.guard()
	remains := r.Remains(append(profiles, p.gone...))
	if !p.Yes && slices.ContainsFunc(remains, flow.Remains.Any) {
		p.say.Remains(remains)
		if err := p.confirm(ctx); err != nil {
			return p.refuse(err)
		}
	}
	remains = r.Destroy(ctx, remains)
	p.say.Destroyed(remains)
	var errs []error
	for _, x := range remains {
		errs = append(errs, x.Err)
	}
	code := exitCode(errs...)
	p.view(output.View{OK: code == 0, Profiles: output.ViewRemains(remains)})
	return code
}

// confirm asks before something is deleted that cannot be had back.
func (p *program) confirm(ctx context.Context) error {
	if !p.streams.inTerminal || !p.streams.errTerminal {
		return &fault.Error{Kind: fault.Invalid, Message: "destroy asks before it deletes, and nobody is here to answer", Hint: "add --yes"}
	}
	fmt.Fprint(p.streams.err, "Delete all this? The logins cannot be restored. Only \"yes\" will do: ")
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.streams.err)
		return ctx.Err()
	case answer := <-lines(p.streams.in):
		if strings.TrimSpace(answer) != "yes" {
			return &fault.Error{Message: "nothing is deleted"}
		}
		return nil
	}
}

// lines yields what is typed, line by line, until there is no more.
func lines(in io.Reader) <-chan string {
	ch := make(chan string)
	go func() {
		defer close(ch)
		s := bufio.NewScanner(in)
		s.Buffer(nil, 64<<10) // an address with a long code
		for s.Scan() {
			ch <- s.Text()
		}
	}()
	return ch
}

// runner makes the world that profiles are applied in. end must be called
// when it is no longer needed.
func (p *program) runner() (r *flow.Runner, end func(), err error) {
	accounts, _ := p.env("TOKENFORM_ACCOUNTS_URL")
	api, _ := p.env("TOKENFORM_API_URL")
	endpoints, err := oauth.ParseEndpoints(accounts, api)
	if err != nil {
		return nil, nil, &fault.Error{Kind: fault.Invalid, Err: err}
	}
	certFile, _ := p.env("SSL_CERT_FILE")
	options := oauth.Options{UserAgent: "tokenform", Now: time.Now, CertFile: certFile, Parallel: p.Parallelism}
	if p.Debug {
		options.Debug = p.say.Debug
	}
	files := &output.Files{Out: p.streams.out, Err: p.streams.err, Env: p.env, Warn: p.say.Warn, Declared: func() []config.Profile { return *p.all.Load() }}
	r = &flow.Runner{
		Endpoints: endpoints, HTTP: oauth.NewHTTP(options), Now: time.Now, Notify: p.say.Event,
		Outputs:     files,
		Me:          state.Holder{Command: p.Name},
		LockTimeout: p.LockTimeout, LoginTimeout: p.LoginTimeout, Parallelism: p.Parallelism,
		Verify: p.Verify, Renew: p.Renew, Twin: sandboxState,
	}
	if p.State != "" {
		r.Here = " --state " + output.ShellWord(p.State)
		if ci, _ := p.env("CI"); ci == "" {
			r.There = r.Here // nobody sits at this terminal, but they may at another one
		}
	}
	for _, file := range p.Args {
		r.Files += " " + output.ShellWord(file)
	}
	p.ask(r)
	if !p.Sandbox {
		return r, func() {}, nil
	}
	// The stand-in runs inside this process, on a port of its own. Its tokens are
	// sealed with a fixed key, so that the next run knows them again.
	server, url, err := listen(sandbox.New(sandbox.Options{AnyApp: true, AutoConsent: p.Login == "auto", Now: time.Now, Key: []byte("apply --sandbox")}), "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	r.Apart, r.Twin, files.Apart = sandboxState, "", sandboxState
	r.Endpoints = oauth.Endpoints{Accounts: url, API: url}
	if p.Login == "auto" {
		pasted := make(chan string)
		r.Pasted = func() <-chan string { return pasted }
		r.Browse = func(ctx context.Context, url string) error {
			away, err := flow.Robot(ctx, url)
			if away != "" {
				pasted <- away
			}
			return err
		}
		r.Notify = func(e flow.Event) {
			switch {
			case e.Kind != flow.Asking: // else nobody needs to do anything
				p.say.Event(e)
			case !e.Prompt.Browser:
				go func() {
					if err := r.Browse(context.Background(), e.Prompt.URL); err != nil {
						p.say.Error(e.Profile, err)
					}
				}()
			}
		}
	}
	return r, func() { server.Close() }, nil
}

// ask decides how a person can be asked to log in (SPEC section 5).
func (p *program) ask(r *flow.Runner) {
	ci, _ := p.env("CI")
	mode := p.Login
	if mode == "auto" {
		mode = "never"
		if p.streams.errTerminal && ci == "" {
			mode = "browser"
		}
	}
	stdin := sync.OnceValue(func() <-chan string { return lines(p.streams.in) })
	switch mode {
	case "paste":
		r.Pasted = stdin
	case "browser":
		preferred, _ := p.env("BROWSER")
		r.Browse = func(_ context.Context, url string) error { return flow.OpenBrowser(preferred, url) }
		if p.streams.inTerminal && !slices.Contains(p.Args, "-") {
			r.Pasted = stdin
		}
	}
}

// serve runs the stand-in server until it is interrupted.
func (p *program) serve(ctx context.Context) int {
	server, url, err := listen(sandbox.New(sandbox.Options{
		AnyApp: true, Now: time.Now, AutoConsent: p.Server.Consent, RotateAll: p.Server.Rotate,
		TokenLife: p.Server.TokenLife, LoginLife: p.Server.LoginLife,
	}), p.Server.Listen)
	if err != nil {
		return p.refuse(err)
	}
	defer server.Close()
	p.guard()
	p.say.Say("the stand-in for Spotify runs at " + url + "; Ctrl-C ends it")
	p.say.Say("in another terminal, run these lines and then tokenform apply:")
	fmt.Fprintf(p.streams.out, "export TOKENFORM_ACCOUNTS_URL=%s\nexport TOKENFORM_API_URL=%s\n", url, url)
	<-ctx.Done()
	return 0
}

// listen serves h on a loopback address and returns its URL.
func listen(h http.Handler, address string) (*http.Server, string, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, "", &fault.Error{Kind: fault.Invalid, Message: "--listen: must be a loopback address and a port", Hint: "write for example 127.0.0.1:8889"}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, "", &fault.Error{Message: "cannot listen on " + address, Err: errors.Unwrap(err), Hint: "choose another port with --listen"}
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l)
	return server, "http://" + l.Addr().String(), nil
}
