//go:build unix

package examples

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tokenform/flow/sandbox"
)

// gitlabJob has the keys of a job that the example uses.
type gitlabJob struct {
	Stage         string
	Script, Needs []string
	BeforeScript  []string `yaml:"before_script"`
	Variables     map[string]string
	ResourceGroup string `yaml:"resource_group"`
	Artifacts     struct {
		ExpireIn string `yaml:"expire_in"`
		Reports  struct{ Dotenv string }
	}
}

// gitlabFile has the keys of gitlab-ci.yml.
type gitlabFile struct {
	Stages             []string
	Spotify, Playlists gitlabJob
}

// gitlabJobs reads an example.
func gitlabJobs(p *pipeline, path string) (file gitlabFile) {
	p.Helper()
	b, err := os.ReadFile(path)
	p.must(err)
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	p.must(d.Decode(&file))
	return file
}

// run runs the job's scripts as GitLab's runner does: as one script of bash.
func (j gitlabJob) run(p *pipeline, project string, more ...string) (code int, stdout, stderr string) {
	p.Helper()
	env := p.environment(append(more, "GITLAB_CI=true", "TMPDIR="+p.temp, "CI_PROJECT_DIR="+project)...)
	for name, value := range j.Variables {
		env = append(env, name+"="+value)
	}
	return p.run(project, env, "bash", "-eo", "pipefail", "-c", strings.Join(append(j.BeforeScript, j.Script...), "\n"))
}

// TestPipelineGitLab checks that the first job makes a dotenv report which GitLab
// accepts, and that the second job has the token in its environment.
func TestPipelineGitLab(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.need("bash", "curl", "mktemp", "sha256sum", "tar")
	p.releases()
	seed := p.login("spotify/gitlab.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush", "CI_PROJECT_DIR=.")

	// Reports come from the project's directory. The runner owns this directory, but
	// not the files checked out in it.
	project := filepath.Join(p.home, "project")
	p.must(os.CopyFS(project, os.DirFS(p.checkout)))
	p.give(project)
	p.lock(filepath.Join(project, "spotify"))

	file := gitlabJobs(p, filepath.Join(project, "gitlab-ci.yml"))
	first, second := file.Spotify, file.Playlists
	if strings.Join(file.Stages, " ") != first.Stage+" "+second.Stage || strings.Join(second.Needs, " ") != "spotify" {
		t.Fatal("the second job does not follow the first")
	}

	job := func(j gitlabJob, more ...string) (int, string, string) {
		t.Helper()
		return j.run(p, project, more...)
	}
	declared := []string{"SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush"} // under Settings, CI/CD, Variables
	code, stdout, stderr := job(first, append(declared, "SPOTIFY_REFRESH_TOKEN="+seed)...)
	if code != 0 || !strings.HasSuffix(stdout, "/tokenform.tar.gz: OK\n") || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("exit %d\n%s\n%s", code, stdout, stderr)
	}

	// "Pass dotenv variables to specific jobs" allows NAME=value on each line, no empty
	// lines, no comments, and 5 KiB; quotes would become part of the value.
	report, err := os.ReadFile(filepath.Join(project, first.Artifacts.Reports.Dotenv))
	p.must(err)
	if !regexp.MustCompile(`^([A-Za-z0-9_]+=[^\s'"]+\n)+$`).Match(report) || len(report) > 5<<10 {
		t.Fatalf("no report for GitLab: %d bytes in %d lines", len(report), bytes.Count(report, []byte("\n")))
	}
	p.must(os.Remove(filepath.Join(project, first.Artifacts.Reports.Dotenv))) // the next job has a directory of its own

	code, stdout, stderr = job(second, strings.Split(strings.TrimSpace(string(report)), "\n")...)
	if code != 0 || !strings.Contains(stdout, `"sandbox-user"`) {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	p.quiet("the job's log", stdout)

	p.server.RevokeAll()
	code, _, stderr = job(first, append(declared, "SPOTIFY_REFRESH_TOKEN="+seed)...)
	if code != 4 || strings.Count(stderr, "\nhint: ") != 4 { // one hint is about the stand-in, which is not Spotify
		t.Errorf("revoked: exit %d, want 4 and three hints\n%s", code, stderr)
	}
}
