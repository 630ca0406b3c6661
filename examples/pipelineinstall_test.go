//go:build unix

package examples

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tokenform/flow/sandbox"
)

// hereArchive is the archive that the examples name.
const hereArchive = "tokenform_" + someVersion + "_linux_amd64.tar.gz"

// TestPipelineInstall checks that the script installs the release whose checksum it
// names, and that with another checksum, or without the release, it installs nothing
// and what was installed stays.
func TestPipelineInstall(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	bin := filepath.Join(p.home, ".local", "bin")
	for range 2 { // the second run replaces the program
		p.install()
		if got, want := p.shop.downloads(), "/v"+someVersion+"/"+hereArchive; len(got) != 1 || got[0] != want {
			t.Fatalf("asked for %q, want %s", got, want)
		}
	}
	if code, stdout, stderr := p.run(p.home, p.environment(), "tokenform", "version"); code != 0 || !strings.HasPrefix(stdout, "tokenform ") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	before, err := os.Stat(filepath.Join(bin, "tokenform"))
	p.must(err)
	for _, c := range []struct{ name, old, new, says string }{
		{"another checksum", checksum(hereArchive), someChecksum, "did NOT match"},
		{"no such release", someChecksum, checksum(hereArchive), "404"},
		{"not https", p.shop.url, strings.Replace(p.shop.url, "https:", "http:", 1), `Protocol "?http"? (not supported or )?disabled`},
	} {
		if c.name == "no such release" {
			p.edit("install", "/v"+someVersion+"/", "/v9.9.9/")
		}
		p.edit("install", c.old, c.new)
		code, stdout, stderr := p.run(p.checkout, p.environment(), "sh", "install")
		if code == 0 || !regexp.MustCompile(c.says).MatchString(stdout+stderr) {
			t.Errorf("%s: exit %d, want %s in\n%s%s", c.name, code, c.says, stdout, stderr)
		}
		after, err := os.Stat(filepath.Join(bin, "tokenform"))
		p.must(err)
		entries, err := os.ReadDir(bin)
		p.must(err)
		if !os.SameFile(before, after) || len(entries) != 1 {
			t.Errorf("%s: the folder has %v", c.name, entries)
		}
	}
}

// action returns a runner of a job that uses the action, and its login.
func action(t *testing.T) *gitHubRunner {
	t.Helper()
	p := newPipeline(t, sandbox.Options{})
	r := newGitHubRunner(p)
	r.secrets["SPOTIFY_REFRESH_TOKEN"] = p.login("spotify/github.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush")
	return r
}

// TestPipelineGitHubAction checks that the action installs the release, hands on the
// masked token, and downloads nothing if it is used again.
func TestPipelineGitHubAction(t *testing.T) {
	t.Parallel()
	r := action(t)
	var w workflow
	r.decode(actionUse, &w)
	var again workflowStep
	for _, s := range w.Jobs["playlists"].Steps {
		if strings.HasPrefix(s.Uses, "./") {
			again = s
		}
	}
	again.ID = "again"
	r.extra = []workflowStep{again, {Run: `echo "the token is $TOKEN"; env | grep -c BQ; type tokenform`, Env: map[string]string{"TOKEN": "${{ steps.again.outputs.access_token }}"}}}
	if code := r.job(actionUse); code != 0 {
		t.Fatalf("exit %d\n%s", code, &r.log)
	}
	token := field(t, r.stateOf(filepath.Join(r.temp, "tokenform"), "github"), "access_token")
	for _, id := range []string{"spotify", "again"} {
		if o := r.outputs[id]; o["access_token"] != token || o["expires_at"] != "" || len(o) != 2 {
			t.Errorf("%s: the outputs are not the token of state and an empty time, but %d", id, len(o))
		}
	}
	dir := filepath.Join(r.temp, "tokenform-"+checksum(hereArchive))
	for _, want := range []string{
		"tokenform 0.1.0 is installed\n", `"sandbox-user"`, "tokenform 0.1.0 is installed already\n",
		"the token is ***\n1\n", // only the step that asks for it has the token
		"tokenform is " + dir + "/tokenform\n",
	} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, &r.log)
		}
	}
	r.quiet("the log", r.log.String())
	if !slices.Contains(r.masks, token) {
		t.Error("the token is not masked")
	}
	if got := r.shop.downloads(); len(got) != 1 {
		t.Errorf("downloaded %q", got)
	}
	if left, _ := filepath.Glob(filepath.Join(r.temp, "tokenform?*")); len(left) != 1 || left[0] != dir {
		t.Errorf("left over: %v", left)
	}
}

// TestPipelineGitHubActionPasses checks that the action passes on exit codes, a time that
// the profile hands on, and several names and files.
func TestPipelineGitHubActionPasses(t *testing.T) {
	t.Parallel()
	r := action(t)
	r.edit("spotify/github.yaml", "keys: {access_token: access_token}", "keys: {access_token: access_token, expires_at: expires_at}")
	r.edit(actionUse, "files: spotify/github.yaml", "files: |\n            apps/dev.yaml\n            spotify/github.yaml\n          profile: |\n            git*\n            hub")
	r.extra = []workflowStep{{Run: `echo "good until $T"`, Env: map[string]string{"T": "${{ steps.spotify.outputs.expires_at }}"}}}
	code := r.job(actionUse)
	if code != 3 || !strings.Contains(r.log.String(), "hub") {
		t.Errorf("a name that no profile has: exit %d\n%s", code, &r.log)
	}
	r.edit(actionUse, "            hub\n", "")
	r.log.Reset()
	if code := r.job(actionUse); code != 0 {
		t.Fatalf("exit %d\n%s", code, &r.log)
	}
	if want := "good until " + field(t, r.stateOf(filepath.Join(r.temp, "tokenform"), "github"), "expires_at"); !strings.Contains(r.log.String(), want) {
		t.Errorf("the log does not have %q:\n%s", want, &r.log)
	}

	r.must(os.RemoveAll(filepath.Join(r.temp, "tokenform")))
	r.server.RevokeAll()
	if code := r.job(actionUse); code != 4 || len(r.errors) == 0 || !strings.Contains(r.errors[len(r.errors)-1], "hint: store its output") {
		t.Errorf("revoked: exit %d\n%s", code, &r.log)
	}
}

// TestPipelineGitHubActionRefuses checks that the action says why it does not install,
// and that it unpacks and runs nothing then.
func TestPipelineGitHubActionRefuses(t *testing.T) {
	t.Parallel()
	good := checksum(hereArchive)
	for _, c := range []struct {
		name     string
		edit     []string
		says     string
		requests int
	}{
		{"another checksum", []string{good, someChecksum}, hereArchive + " has the checksum " + good + ", not " + someChecksum, 1},
		{"no such release", []string{"version: 0.1.0", "version: 9.9.9", hereArchive, "tokenform_9.9.9_linux_amd64.tar.gz"}, "cannot download https://127.0.0.1:[0-9]+/v9.9.9/tokenform_9.9.9_linux_amd64.tar.gz", 1},
		{"checksums of other archives", []string{hereArchive, "tokenform_0.1.0_darwin_arm64.tar.gz"}, "the input checksums has no line for " + hereArchive, 0},
		{"a checksum that is none", []string{good, good[1:]}, "the input checksums has no line for " + hereArchive, 0},
		{"no version", []string{"          version: 0.1.0\n", ""}, "the input version is empty", 0},
		{"a version that is none", []string{"version: 0.1.0", "version: ../0.1.0"}, "the input version is no version", 0},
		{"not https", []string{"releases: https://", "releases: http://"}, "the input releases is no https address", 0},
		{"neither true nor false", []string{"          version: 0.1.0\n", "          version: 0.1.0\n          apply: maybe\n"}, "the input apply is neither true nor false", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t, sandbox.Options{})
			r := newGitHubRunner(p)
			p.edit(actionUse, c.edit...)
			code := r.job(actionUse)
			if want := regexp.MustCompile("^tokenform: " + c.says); code != 1 || len(r.errors) != 1 || !want.MatchString(r.errors[0]) {
				t.Errorf("exit %d, and the annotations are %q, want %s\n%s", code, r.errors, want, &r.log)
			}
			if got := p.shop.downloads(); len(got) != c.requests {
				t.Errorf("downloaded %q, want %d", got, c.requests)
			}
			if left, _ := filepath.Glob(filepath.Join(p.temp, "tokenform*")); len(left) > 0 && c.name != "neither true nor false" {
				t.Errorf("left over: %v", left)
			}
			if n := p.server.Count("/api/token"); n != 0 {
				t.Errorf("%d requests to the server of tokens", n)
			}
		})
	}
}

// TestPipelineGitHubActionScripts lets shellcheck check the scripts of the action, which
// actionlint does not.
func TestPipelineGitHubActionScripts(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.need("shellcheck")
	var a compositeAction
	newGitHubRunner(p).decode(".github/actions/tokenform/action.yml", &a)
	for _, s := range a.Runs.Steps {
		check := func(script string) (string, error) {
			cmd := exec.Command("shellcheck", "--shell=bash", "-")
			cmd.Stdin = strings.NewReader(script)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		if out, err := check(s.Run); err != nil {
			t.Errorf("%s: %v\n%s", s.Name, err, out)
		}
		if out, err := check(s.Run + "echo $RUNNER_TEMP\n"); err == nil || !strings.Contains(out, "SC2086") {
			t.Errorf("shellcheck finds nothing in a bad script: %v\n%s", err, out)
		}
	}
}

// TestPipelineInstallSteps checks that the jobs which install a release themselves stop
// if it has another checksum, or is not there, and that nothing is unpacked.
func TestPipelineInstallSteps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, says string }{
		{"another checksum", checksum(hereArchive), someChecksum, "did NOT match"},
		{"no such release", "/v" + someVersion + "/", "/v9.9.9/", "404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t, sandbox.Options{})
			r := newGitHubRunner(p)
			p.fake("gh", fakeGH)
			for _, file := range []string{actions, writeback} {
				r.log.Reset()
				p.edit(file, c.old, c.new)
				if code := r.job(file); code == 0 || !strings.Contains(r.log.String(), c.says) {
					t.Errorf("%s: exit %d, want %s in\n%s", file, code, c.says, &r.log)
				}
			}
			p.edit("gitlab-ci.yml", c.old, c.new)
			j := gitlabJobs(p, filepath.Join(p.checkout, "gitlab-ci.yml")).Spotify
			code, stdout, stderr := j.run(p, p.home)
			if code == 0 || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("GitLab: exit %d, want %s in\n%s%s", code, c.says, stdout, stderr)
			}
			p.must(filepath.WalkDir(filepath.Dir(p.temp), func(path string, d fs.DirEntry, err error) error {
				if d.Name() == "tokenform" && d.Type().IsRegular() {
					t.Errorf("%s is unpacked", path)
				}
				return err
			}))
			if n := p.server.Count("/api/token"); n != 0 || len(p.calls()) != 0 {
				t.Errorf("%d requests to the server of tokens, and %d calls", n, len(p.calls()))
			}
		})
	}
}

// TestPipelineGitHubActionRunners checks that the action asks, on every runner for which
// there is a release, for the archive that goreleaser makes, and unpacks it.
func TestPipelineGitHubActionRunners(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.need("unzip")
	r := newGitHubRunner(p)
	var lines strings.Builder
	for _, name := range archiveNames(t, someVersion) {
		fmt.Fprintf(&lines, "            %s  %s\n", checksum(name), name)
	}
	p.edit(actionUse, "            "+checksum(hereArchive)+"  "+hereArchive+"\n", lines.String(),
		"          files: spotify/github.yaml\n", "          apply: \"false\"\n",
		"steps.spotify.outputs.access_token", "github.repository", "curl -sSf", "true")
	var got []string
	for _, system := range []string{"Linux", "macOS", "Windows"} {
		for _, arch := range []string{"X86", "X64", "ARM", "ARM64"} {
			r.os, r.arch, r.errors = system, arch, nil
			r.log.Reset()
			code := r.job(actionUse)
			asked := p.shop.downloads()
			if code != 0 && len(asked) == 0 && len(r.errors) == 1 && strings.Contains(r.errors[0], "there is no release for "+system+" on "+arch) {
				continue
			}
			if code != 0 || len(asked) != 1 || len(r.front) != 1 {
				t.Fatalf("%s on %s: exit %d after %q\n%s", system, arch, code, asked, &r.log)
			}
			got = append(got, path.Base(asked[0]))
			name := filepath.Join(r.front[0], map[bool]string{true: "tokenform.exe", false: "tokenform"}[system == "Windows"])
			if code, stdout, _ := p.run(p.home, p.environment(), name, "version"); code != 0 || !strings.HasPrefix(stdout, "tokenform ") {
				t.Errorf("%s on %s: the installed program says %q", system, arch, stdout)
			}
			p.take(p.temp)
			p.must(os.RemoveAll(r.front[0]))
		}
	}
	want := archiveNames(t, someVersion)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the action installs %q, but there are %q", got, want)
	}
}
