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
	Name, ID, Uses, Run string
	Env                 map[string]string
}

// gitHubRunner runs a job as GitHub does: each step's script by `bash -e`, with files
// for the environment and the outputs, with expressions, and with a log in which
// secrets and masked values are three stars ("Workflow commands for GitHub Actions").
type gitHubRunner struct {
	*pipeline
	secrets  map[string]string
	vars     map[string]string
	extra    []workflowStep // run after the job's own steps
	env      []string
	outputs  map[string]map[string]string // by the id of the step
	masks    []string
	log      strings.Builder // the log as people can read it
	warnings []string        // the annotations
	errors   []string
}

func newGitHubRunner(p *pipeline) *gitHubRunner {
	p.Helper()
	p.need("bash", "curl")
	r := &gitHubRunner{pipeline: p, outputs: map[string]map[string]string{},
		secrets: map[string]string{"SPOTIFY_CLIENT_SECRET": "hush-hush"}, vars: map[string]string{"SPOTIFY_CLIENT_ID": "app"}}
	return r
}

// job runs the steps of the file's only job until one fails, and returns the last exit
// code.
func (r *gitHubRunner) job(file string) (code int) {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(r.checkout, file))
	r.must(err)
	var w workflow
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	r.must(d.Decode(&w))
	if len(w.Jobs) != 1 {
		r.Fatalf("%d jobs", len(w.Jobs))
	}
	for _, s := range r.secrets {
		r.masks = append(r.masks, s)
	}
	r.env = r.environment("GITHUB_ACTIONS=true", "RUNNER_TEMP="+r.temp, "GITHUB_WORKSPACE="+r.checkout)
	for _, job := range w.Jobs {
		for name, value := range job.Env {
			r.env = append(r.env, name+"="+r.expand(value))
		}
		for i, s := range append(job.Steps, r.extra...) {
			switch {
			case s.Uses != "" && !strings.HasPrefix(s.Uses, "actions/checkout@"): // the checkout already exists
				r.Fatalf("nobody knows what %s does", s.Uses)
			case s.Run == "" && s.Uses == "":
				r.Fatalf("step %d does nothing", i)
			case s.Run != "":
				if code := r.step(i, s); code != 0 {
					return code
				}
			}
		}
	}
	return 0
}

// step runs one script.
func (r *gitHubRunner) step(i int, s workflowStep) (code int) {
	r.Helper()
	script, envFile, outFile := filepath.Join(r.temp, fmt.Sprintf("%d.sh", i)), filepath.Join(r.temp, fmt.Sprintf("%d.env", i)), filepath.Join(r.temp, fmt.Sprintf("%d.out", i))
	for path, text := range map[string]string{script: s.Run, envFile: "", outFile: ""} {
		r.must(os.WriteFile(path, []byte(text), 0o600))
	}
	r.give(r.temp)
	env := append(r.env[:len(r.env):len(r.env)], "GITHUB_ENV="+envFile, "GITHUB_OUTPUT="+outFile)
	for name, value := range s.Env {
		env = append(env, name+"="+r.expand(value))
	}
	r.quiet("the script", r.expand(s.Run))
	cmd := r.command(r.checkout, env, "bash", "-e", script)
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
	r.outputs[s.ID] = r.variables(outFile)
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
// stored is empty.
func (r *gitHubRunner) expand(text string) string {
	r.Helper()
	return expression.ReplaceAllStringFunc(text, func(s string) string {
		name := expression.FindStringSubmatch(s)[1]
		words := strings.Split(name, ".")
		switch {
		case len(words) == 2 && words[0] == "secrets":
			return r.secrets[words[1]]
		case len(words) == 2 && words[0] == "vars":
			return r.vars[words[1]]
		case name == "github.repository":
			return "you/app"
		case len(words) == 4 && words[0] == "steps" && words[2] == "outputs":
			value, ok := r.outputs[words[1]][words[3]]
			if !ok {
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
