package examples

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	agelib "filippo.io/age"

	"tokenform/flow/sandbox"
	"tokenform/flow/state/keeper/keepertest"
)

// keys returns a new pair of keys for encrypt.
func keys(t *testing.T) (recipient, identity string) {
	t.Helper()
	id, err := agelib.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), id.String()
}

// TestPipelineGitHubShared checks that jobs which share nothing but a bucket use one login:
// one of them refreshes, and none of them needs a refresh token.
func TestPipelineGitHubShared(t *testing.T) {
	t.Parallel()
	const file, profile = "github-actions-shared.yaml", "spotify/github-shared.yaml"
	p := newPipeline(t, sandbox.Options{RotateAll: true, TokenLife: 10 * time.Minute})
	dir, endpoint := versitygw(t)
	recipient, identity := keys(t)
	p.gone = append(p.gone, identity, "hush-hush-s3")
	vars := map[string]string{"SPOTIFY_CLIENT_ID": "app", "TOKENFORM_BUCKET": "tokens", "TOKENFORM_S3": endpoint, "TOKENFORM_RECIPIENT": recipient}
	secrets := map[string]string{"SPOTIFY_CLIENT_SECRET": "hush-hush", "AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "hush-hush-s3", "TOKENFORM_IDENTITY": identity}
	var env []string
	for _, m := range []map[string]string{vars, secrets} {
		for k, v := range m {
			env = append(env, k+"="+v)
		}
	}
	p.login(profile, env...)
	logins := p.server.Count("/api/token")

	var tokens []string
	for range 3 {
		r := newGitHubRunner(p)
		r.vars, r.secrets = vars, secrets
		if code := r.job(file); code != 0 {
			t.Fatalf("exit %d\n%s", code, &r.log)
		}
		p.quiet("the log", r.log.String())
		if !strings.Contains(r.log.String(), `"sandbox-user"`) {
			t.Errorf("the Web API did not see the token:\n%s", &r.log)
		}
		tokens = append(tokens, r.outputs["spotify"]["access_token"])
		p.must(os.RemoveAll(filepath.Join(p.temp, "tokenform"))) // GitHub does so after each job
	}
	if tokens[0] != tokens[1] || tokens[1] != tokens[2] {
		t.Error("three jobs had three tokens")
	}
	if n := p.server.Count("/api/token") - logins; n > 1 {
		t.Errorf("three jobs sent %d requests for tokens", n)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "tokens", "spotify", "github-shared"+at(p.url)+".json"))
	p.must(err)
	if !strings.Contains(string(kept), `"encrypted"`) || strings.Contains(string(kept), "refresh_token") {
		t.Errorf("the bucket can read the login: %s", kept)
	}
}

// TestPipelineGitLabShared checks the same for jobs that share a Terraform state of GitLab.
func TestPipelineGitLabShared(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{RotateAll: true, TokenLife: 10 * time.Minute})
	p.need("bash", "curl", "mktemp", "sha256sum", "tar")
	p.releases()
	gitlab := keepertest.NewHTTP(time.Now)
	gitlab.GitLab, gitlab.User, gitlab.Password = true, "gitlab-ci-token", "hush-hush-job"
	front := httptest.NewServer(gitlab)
	t.Cleanup(front.Close)
	recipient, identity := keys(t)
	p.gone = append(p.gone, identity)
	env := []string{
		"SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush", "TOKENFORM_RECIPIENT=" + recipient, "TOKENFORM_IDENTITY=" + identity,
		"CI_API_V4_URL=" + front.URL + "/api/v4", "CI_PROJECT_ID=1", "CI_JOB_TOKEN=hush-hush-job",
	}
	p.login("spotify/gitlab-shared.yaml", append(env, "CI_PROJECT_DIR=.")...)
	asked := p.server.Count("/api/token")
	var reports []string
	for _, name := range []string{"one", "two"} {
		project := filepath.Join(p.home, name)
		p.must(os.CopyFS(project, os.DirFS(p.checkout)))
		p.give(project)
		p.lock(filepath.Join(project, "spotify"))
		file := gitlabJobs(p, filepath.Join(project, "gitlab-ci-shared.yml"))
		code, stdout, stderr := file.Spotify.run(p, project, env...)
		if code != 0 {
			t.Fatalf("exit %d\n%s\n%s", code, stdout, stderr)
		}
		report, err := os.ReadFile(filepath.Join(project, file.Spotify.Artifacts.Reports.Dotenv))
		p.must(err)
		reports = append(reports, string(report))
		code, stdout, stderr = file.Playlists.run(p, project, strings.TrimSpace(string(report)))
		if code != 0 || !strings.Contains(stdout, `"sandbox-user"`) {
			t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
		}
	}
	if reports[0] != reports[1] {
		t.Error("two pipelines had two tokens")
	}
	if n := p.server.Count("/api/token") - asked; n > 1 {
		t.Errorf("two pipelines sent %d requests for tokens", n)
	}
}
