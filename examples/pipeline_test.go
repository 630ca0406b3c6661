//go:build unix

package examples

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// pipeline is a machine without a person, with a checkout of examples/pipelines. Its
// programs have no terminal and run as an ordinary user, who cannot write the checkout.
// Their environment is what the pipeline declares, PATH, HOME, CI and the address of
// the stand-in, and nothing else.
type pipeline struct {
	*testing.T
	server   *faults.Server
	url      string
	checkout string
	home     string // home and temp belong to the pipeline's user
	temp     string
	bin      string // first on PATH
	user     *syscall.Credential
	gone     []string // the secrets that must not be anywhere
	// authority is a file with the certificate of the server that shop is.
	authority string
	shop      *releases
}

// nobody is the user of pipelines when root runs the tests.
const nobody = 65534

func newPipeline(t *testing.T, o sandbox.Options) *pipeline {
	t.Helper()
	o.AnyApp = true
	p := &pipeline{T: t, gone: []string{"hush-hush"}}
	p.server, p.url = spotify(t, o)
	root := t.TempDir()
	p.checkout, p.home, p.temp, p.bin = filepath.Join(root, "checkout"), filepath.Join(root, "home"), filepath.Join(root, "temp"), filepath.Join(root, "bin")
	p.must(os.CopyFS(p.checkout, os.DirFS("pipelines")))
	p.must(os.CopyFS(filepath.Join(p.checkout, ".github", "actions", "tokenform"), os.DirFS("github-action")))
	for _, dir := range []string{p.home, p.temp, p.bin} {
		p.must(os.Mkdir(dir, 0o755))
	}
	p.must(os.Symlink(program, filepath.Join(p.bin, "tokenform")))
	if os.Geteuid() == 0 {
		p.user = &syscall.Credential{Uid: nobody, Gid: nobody}
		for _, dir := range []string{filepath.Dir(program), filepath.Dir(root)} {
			p.must(os.Chmod(dir, 0o711))
		}
		p.give(p.home)
		p.give(p.temp)
	}
	p.lock(p.checkout)
	return p
}

func (p *pipeline) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// give makes the pipeline's user the owner of everything in dir; take makes this
// process's user the owner.
func (p *pipeline) give(dir string) { p.Helper(); p.own(dir, nobody) }

func (p *pipeline) take(dir string) { p.Helper(); p.own(dir, 0) }

func (p *pipeline) own(dir string, id int) {
	p.Helper()
	if p.user == nil {
		return // both are the same user
	}
	p.must(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	}))
}

// lock makes dir read-only for everybody.
func (p *pipeline) lock(dir string) {
	p.Helper()
	chmod := func(folder, file fs.FileMode) error {
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir():
				return os.Chmod(path, folder)
			default:
				return os.Chmod(path, file)
			}
		})
	}
	p.must(chmod(0o555, 0o444))
	p.Cleanup(func() { _ = chmod(0o755, 0o644) }) // os.RemoveAll needs these modes
	if err := p.command("/", nil, "touch", filepath.Join(dir, "x")).Run(); err == nil {
		p.Fatal("the checkout can be written")
	}
}

// need names the programs that the pipeline runs. If one is missing, need skips the
// test, or fails the test if TOKENFORM_TEST_PIPELINES says that it must be there.
func (p *pipeline) need(names ...string) {
	p.Helper()
	for _, name := range names {
		path, err := exec.LookPath(name)
		switch {
		case err != nil && os.Getenv("TOKENFORM_TEST_PIPELINES") == "require":
			p.Fatalf("%s is not installed", name)
		case err != nil:
			p.Skipf("%s is not installed", name)
		case filepath.Dir(path) != "/usr/bin" && filepath.Dir(path) != "/bin":
			p.must(os.Symlink(path, filepath.Join(p.bin, name)))
		}
	}
}

// environment returns the pipeline's environment. Variables in more win.
func (p *pipeline) environment(more ...string) []string {
	return append([]string{
		"PATH=" + strings.Join(p.path(), ":"), "HOME=" + p.home, "CI=true", "CURL_CA_BUNDLE=" + p.authority,
		"TOKENFORM_ACCOUNTS_URL=" + p.url, "TOKENFORM_API_URL=" + p.url,
	}, more...)
}

// path returns the folders of PATH.
func (p *pipeline) path() []string {
	return []string{p.bin, filepath.Join(p.home, ".local", "bin"), "/usr/bin", "/bin"}
}

// command returns a command of the pipeline's user, without a terminal or standard
// input.
func (p *pipeline) command(dir string, env []string, argv ...string) *exec.Cmd {
	path := argv[0]
	for _, dir := range p.path() {
		if found := filepath.Join(dir, argv[0]); p.exists(found) {
			path = found // exec would look on this process's own PATH
			break
		}
	}
	cmd := exec.CommandContext(p.Context(), path, argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: p.user}
	return cmd
}

// run runs a command to its end. Its arguments and its standard error must have no
// secret; its standard output may.
func (p *pipeline) run(dir string, env []string, argv ...string) (code int, stdout, stderr string) {
	p.Helper()
	cmd := p.command(dir, env, argv...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.Fatal(err)
	}
	p.quiet("the arguments", strings.Join(argv, " "))
	p.quiet("standard error", errs.String())
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (p *pipeline) exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var tokenLike = regexp.MustCompile(`[AB]Q[A-Za-z0-9_-]{60,}`)

// quiet fails the test if text has a secret.
func (p *pipeline) quiet(where, text string) {
	p.Helper()
	leak := tokenLike.FindString(text)
	for _, s := range p.gone {
		if strings.Contains(text, s) {
			leak = s
		}
	}
	if leak != "" {
		p.Errorf("%s: a secret is shown: %.12s…", where, leak)
	}
}

// login follows the example's instructions for a machine with a browser: login logs in
// to a profile of the checkout, which -p may choose, and returns the refresh token.
func (p *pipeline) login(profile string, more ...string) (seed string) {
	p.Helper()
	dir := p.TempDir()
	env := surroundings(dir, p.url, append(more, "BROWSER="+robot(p.T))...)
	code, stdout, stderr := run(p, p.checkout, env, append(strings.Fields("token --format refresh_token --login browser --state "+dir), strings.Fields(profile)...)...)
	seed = strings.TrimSpace(stdout)
	if code != 0 || !strings.HasPrefix(seed, "AQ") {
		p.Fatalf("exit %d\n%s", code, stderr)
	}
	p.gone = append(p.gone, seed)
	return seed
}

// stateOf returns a profile's state in dir.
func (p *pipeline) stateOf(dir, profile string) []byte {
	p.Helper()
	b, err := os.ReadFile(stateAt(dir, profile+".json"))
	p.must(err)
	return b
}

// older makes a profile's state older by the duration by.
func (p *pipeline) older(dir, profile string, by time.Duration) {
	p.Helper()
	path := stateAt(dir, profile+".json")
	p.must(ageState(path, by))
	then := time.Now().Add(-by)
	p.must(os.Chtimes(path, then, then))
}
