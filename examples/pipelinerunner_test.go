//go:build unix

package examples

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// workflow has the keys of a GitHub workflow that the examples use. Any other key fails
// the test, because the runner below would ignore the key.
type workflow struct {
	Name        string
	On          any
	Permissions any
	Concurrency any
	Jobs        map[string]struct {
		RunsOn string `yaml:"runs-on"`
		Env    map[string]string
		Steps  []workflowStep
	}
}

type workflowStep struct {
	Name, ID, Uses, Run, Shell string
	Env, With                  map[string]string
}

// compositeAction has the keys of an action.yml that the examples use.
type compositeAction struct {
	Name, Description string
	Inputs            map[string]struct {
		Description, Default string
		Required             bool // GitHub does not enforce it
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []workflowStep
	}
}

// scope is what the expressions of a job, or of an action that the job uses, can read.
type scope struct {
	dir     string // of the action; empty for a job
	inputs  map[string]string
	outputs map[string]map[string]string // by the id of the step
}

// gitHubRunner runs a job as GitHub does: each step's script by bash, with files for the
// environment, the outputs and the path, with expressions and composite actions, and
// with a log in which secrets and masked values are three stars ("Workflow commands for
// GitHub Actions", "Metadata syntax for GitHub Actions").
type gitHubRunner struct {
	*pipeline
	scope
	secrets  map[string]string
	vars     map[string]string
	os, arch string         // as runner.os and runner.arch name them
	extra    []workflowStep // run after the job's own steps
	env      []string
	front    []string // what steps have put in front of PATH, the newest first
	ran      int      // scripts so far
	masks    []string
	log      strings.Builder // the log as people can read it
	warnings []string        // the annotations
	errors   []string
}

func newGitHubRunner(p *pipeline) *gitHubRunner {
	p.Helper()
	p.need("bash", "curl", "sha256sum", "tar")
	p.releases()
	r := &gitHubRunner{pipeline: p, scope: scope{outputs: map[string]map[string]string{}}, os: "Linux", arch: "X64",
		secrets: map[string]string{"SPOTIFY_CLIENT_SECRET": "hush-hush"}, vars: map[string]string{"SPOTIFY_CLIENT_ID": "app"}}
	return r
}

// decode reads a YAML file of the checkout that has no other keys than v.
func (r *gitHubRunner) decode(file string, v any) {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(r.checkout, file))
	r.must(err)
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	r.must(d.Decode(v))
}

// job runs the steps of the file's only job until one fails, and returns the last exit
// code.
func (r *gitHubRunner) job(file string) (code int) {
	r.Helper()
	var w workflow
	r.decode(file, &w)
	if len(w.Jobs) != 1 {
		r.Fatalf("%d jobs", len(w.Jobs))
	}
	for _, s := range r.secrets {
		r.masks = append(r.masks, s)
	}
	r.front, r.outputs = nil, map[string]map[string]string{}
	r.env = r.environment("GITHUB_ACTIONS=true", "RUNNER_TEMP="+r.temp, "RUNNER_OS="+r.os, "RUNNER_ARCH="+r.arch, "GITHUB_WORKSPACE="+r.checkout)
	for _, job := range w.Jobs {
		for name, value := range job.Env {
			r.env = append(r.env, name+"="+r.expand(value, &r.scope))
		}
		return r.steps(append(job.Steps, r.extra...), &r.scope, nil)
	}
	return 0
}

// steps runs steps until one fails. env is the environment of the step that uses the
// action which the steps belong to.
func (r *gitHubRunner) steps(steps []workflowStep, in *scope, env []string) (code int) {
	r.Helper()
	for i, s := range steps {
		switch {
		case s.Run != "" && s.Uses == "":
			code = r.step(s, in, env)
		case strings.HasPrefix(s.Uses, "./") && s.Run == "":
			code = r.use(s, in, env)
		case strings.HasPrefix(s.Uses, "actions/checkout@"): // the checkout already exists
		case s.Uses != "":
			r.Fatalf("nobody knows what %s does", s.Uses)
		default:
			r.Fatalf("step %d does nothing", i)
		}
		if code != 0 {
			return code
		}
	}
	return 0
}

// use runs a composite action of the checkout. Its steps have the environment of the
// step that uses the action, and of the job's values only inputs.
func (r *gitHubRunner) use(s workflowStep, in *scope, env []string) (code int) {
	r.Helper()
	dir := filepath.Clean(s.Uses)
	var a compositeAction
	r.decode(filepath.Join(dir, "action.yml"), &a)
	if a.Runs.Using != "composite" || a.Name == "" || a.Description == "" {
		r.Fatalf("%s is no composite action with a name and a description", s.Uses)
	}
	inner := &scope{dir: filepath.Join(r.checkout, dir), inputs: map[string]string{}, outputs: map[string]map[string]string{}}
	for name, input := range a.Inputs {
		inner.inputs[name] = r.expand(input.Default, inner)
	}
	for name, value := range s.With {
		if _, ok := a.Inputs[name]; !ok {
			r.Errorf("%s has no input %s", s.Uses, name)
		}
		inner.inputs[name] = r.expand(value, in)
	}
	for _, step := range a.Runs.Steps {
		if step.Run != "" && step.Shell == "" {
			r.Fatalf("GitHub refuses a composite action whose step %s has no shell", step.Name)
		}
	}
	env = env[:len(env):len(env)]
	for name, value := range s.Env {
		env = append(env, name+"="+r.expand(value, in))
	}
	code = r.steps(a.Runs.Steps, inner, append(env, "GITHUB_ACTION_PATH="+inner.dir))
	outputs := map[string]string{}
	for name, o := range a.Outputs {
		outputs[name] = r.expand(o.Value, inner)
	}
	in.outputs[s.ID] = outputs
	return code
}

// shells are the ways in which GitHub runs a script, by the step's shell.
var shells = map[string][]string{"": {"bash", "-e"}, "bash": {"bash", "--noprofile", "--norc", "-eo", "pipefail"}}

// step runs one script.
func (r *gitHubRunner) step(s workflowStep, in *scope, env []string) (code int) {
	r.Helper()
	r.ran++
	file := func(ext, text string) string {
		path := filepath.Join(r.temp, fmt.Sprintf("%d.%s", r.ran, ext))
		r.must(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	script, envFile, outFile, pathFile := file("sh", r.expand(s.Run, in)), file("env", ""), file("out", ""), file("path", "")
	r.give(r.temp)
	env = append(r.env[:len(r.env):len(r.env)], env...)
	env = append(env, "GITHUB_ENV="+envFile, "GITHUB_OUTPUT="+outFile, "GITHUB_PATH="+pathFile,
		"PATH="+strings.Join(append(r.front[:len(r.front):len(r.front)], r.path()...), ":"))
	for name, value := range s.Env {
		env = append(env, name+"="+r.expand(value, in))
	}
	r.quiet("the script", r.expand(s.Run, in))
	shell, ok := shells[s.Shell]
	if !ok {
		r.Fatalf("no such shell: %s", s.Shell)
	}
	cmd := r.command(r.checkout, env, append(shell[:len(shell):len(shell)], script)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		if _, ok := err.(*exec.ExitError); !ok {
			r.Fatal(err)
		}
	}
	for line := range strings.Lines(said.String()) {
		r.hear(line)
	}
	for name, value := range r.variables(envFile) {
		r.env = append(r.env, name+"="+value)
	}
	b, err := os.ReadFile(pathFile)
	r.must(err)
	for line := range strings.Lines(string(b)) {
		r.front = append([]string{strings.TrimSuffix(line, "\n")}, r.front...)
	}
	in.outputs[s.ID] = r.variables(outFile)
	return cmd.ProcessState.ExitCode()
}

var workflowCommand = regexp.MustCompile(`^::([a-z-]+)(?: [^:]*)?::(.*)\n?$`)

// hear carries out a workflow command in a line of a step's output, or writes the line
// to the log.
func (r *gitHubRunner) hear(line string) {
	m := workflowCommand.FindStringSubmatch(line)
	switch {
	case m == nil:
		for _, secret := range r.masks {
			if secret != "" {
				line = strings.ReplaceAll(line, secret, "***")
			}
		}
		r.log.WriteString(line)
	case m[1] == "add-mask":
		r.masks = append(r.masks, strings.NewReplacer("%0A", "\n", "%0D", "\r", "%25", "%").Replace(m[2]))
	case m[1] == "warning":
		r.quiet("an annotation", line)
		r.warnings = append(r.warnings, m[2])
	case m[1] == "error":
		r.quiet("an annotation", line)
		r.errors = append(r.errors, m[2])
	default:
		r.Errorf("no such command: %s", m[1])
	}
}

var expression = regexp.MustCompile(`\$\{\{ *([^}]*?) *\}\}`)

// expand evaluates the expressions in a text. As on GitHub, a secret that nobody has
// stored is empty, and an action has neither secrets nor variables.
func (r *gitHubRunner) expand(text string, in *scope) string {
	r.Helper()
	return expression.ReplaceAllStringFunc(text, func(s string) string {
		name := expression.FindStringSubmatch(s)[1]
		words := strings.Split(name, ".")
		known := map[string]string{"github.repository": "you/app", "github.workspace": r.checkout, "github.action_path": in.dir,
			"runner.os": r.os, "runner.arch": r.arch, "runner.temp": r.temp}
		switch value, ok := known[name]; {
		case ok && (name != "github.action_path" || in.dir != ""):
			return value
		case len(words) == 2 && words[0] == "secrets" && in.dir == "":
			return r.secrets[words[1]]
		case len(words) == 2 && words[0] == "vars" && in.dir == "":
			return r.vars[words[1]]
		case len(words) == 2 && words[0] == "inputs":
			if value, ok := in.inputs[words[1]]; ok {
				return value
			}
		case len(words) == 4 && words[0] == "steps" && words[2] == "outputs":
			// An action may pass on an output that a profile need not declare.
			value, ok := in.outputs[words[1]][words[3]]
			if !ok && in.dir == "" {
				r.Errorf("no step has set %s", name)
			}
			return value
		}
		r.Errorf("nobody knows the expression %s", name)
		return ""
	})
}

// variables reads an environment file: NAME=value, or NAME<<END and the lines up
// to END.
func (r *gitHubRunner) variables(path string) map[string]string {
	r.Helper()
	b, err := os.ReadFile(path)
	r.must(err)
	found := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if name, end, ok := strings.Cut(lines[i], "<<"); ok {
			begin := i + 1
			for i++; i < len(lines) && lines[i] != end; i++ {
			}
			if i == len(lines) {
				r.Fatalf("%s has no end", name)
			}
			found[name] = strings.Join(lines[begin:i], "\n")
		} else if name, value, ok := strings.Cut(lines[i], "="); ok {
			found[name] = value
		} else if lines[i] != "" {
			r.Fatal("an environment file has a line that is none of its own")
		}
	}
	return found
}
