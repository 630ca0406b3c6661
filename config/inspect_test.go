package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// repository makes a git repository with files, and adds tracked to its index.
func repository(t *testing.T, files map[string]string, tracked ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	dir := write(t, files)
	for _, args := range [][]string{{"init", "-q"}, append([]string{"add", "-f", "--"}, tracked...)} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	return dir
}

func inspect(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ps, problems := Load(t.Context(), Sources{Env: testEnv, Dir: dir}, args)
	if len(problems.Errors()) > 0 {
		t.Fatal(problems)
	}
	found := Inspect(t.Context(), ps)
	var lines []string
	for _, p := range found {
		if !p.Warning || p.Hint == "" {
			t.Errorf("not a warning with a hint: %s", p)
		}
		lines = append(lines, p.Error())
	}
	got := strings.Join(lines, "\n")
	if strings.Contains(got, "CANARY") {
		t.Errorf("a secret is shown: %s", got)
	}
	return got
}

func expect(t *testing.T, got string, want ...string) {
	t.Helper()
	if got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestInspectGit(t *testing.T) {
	t.Parallel()
	outputs := `outputs:
  - {type: json, path: ignored.json}
  - {type: json, path: open.json}
  - {type: json, path: not/yet/there/ignored.json}
  - {type: json, path: not/yet/there/open.json}
  - {type: json, path: tracked/ignored.json}
`
	dir := repository(t, map[string]string{
		".gitignore":           "*ignored.json\n",
		"literal.yaml":         "client: {id: abc, secret: CANARY}\nrefresh_token: CANARY\n",
		"default.yaml":         "client: {id: abc, secret: '${NO:-CANARY}'}\n",
		"variable.yaml":        "client: {id: abc, secret: '${SECRET}'}\n",
		"untracked.yaml":       "client: {id: abc, secret: CANARY}\n",
		"sub/outputs.yaml":     "client: {id: abc}\n" + strings.ReplaceAll(outputs, "path: ", "path: ../"),
		"tracked/ignored.json": "{}",
	}, "literal.yaml", "default.yaml", "variable.yaml", "tracked/ignored.json")
	expect(t, inspect(t, dir, "literal.yaml", "default.yaml", "variable.yaml", "untracked.yaml", "sub/outputs.yaml"),
		"default.yaml:1:27: client.secret is in a file that git tracks",
		"literal.yaml:1:27: client.secret is in a file that git tracks",
		"literal.yaml:2:16: refresh_token is in a file that git tracks",
		"sub/outputs.yaml:4:5: git does not ignore ../open.json",
		"sub/outputs.yaml:6:5: git does not ignore ../not/yet/there/open.json",
		"sub/outputs.yaml:7:5: git does not ignore ../tracked/ignored.json",
	)
}

// TestInspectGitHook checks that the variables of a git hook, which point at
// another repository, are not passed on.
func TestInspectGitHook(t *testing.T) {
	other := repository(t, map[string]string{"a": ""}, "a")
	dir := repository(t, map[string]string{
		".gitignore": "b.json\n",
		"a.yaml":     "client: {id: abc, secret: CANARY}\noutputs: [{type: json, path: b.json}, {type: json, path: c.json}]\n",
	}, "a.yaml")
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other, ".git", "index"))
	expect(t, inspect(t, dir, "a.yaml"),
		"a.yaml:1:27: client.secret is in a file that git tracks",
		"a.yaml:2:39: git does not ignore c.json",
	)
}

// TestInspectThroughLinks checks paths through a symbolic link, which git refuses.
func TestInspectThroughLinks(t *testing.T) {
	t.Parallel()
	dir := repository(t, map[string]string{
		".gitignore": "real/a.json\n",
		"real/x":     "",
		"p.yaml":     "client: {id: abc}\noutputs: [{type: json, path: linked/a.json}, {type: json, path: linked/b.json}]\n",
	}, "p.yaml")
	if err := os.Symlink("real", filepath.Join(dir, "linked")); err != nil {
		t.Skip(err)
	}
	expect(t, inspect(t, dir, "p.yaml"), "p.yaml:2:46: git does not ignore linked/b.json")
}

func TestInspectWithoutGit(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.yaml":           "client: {id: abc, secret: CANARY}\noutputs: [{type: json, path: a.json}]\n",
		"broken/.git/x":    "",
		"broken/b.yaml":    "client: {id: abc, secret: CANARY}\noutputs: [{type: json, path: b.json}]\n",
		"broken/.git/HEAD": "nonsense",
	})
	expect(t, inspect(t, dir, "a.yaml", "broken/b.yaml"))
}

func TestInspectReadable(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	dir := write(t, map[string]string{
		"literal.yaml":         "client: {id: abc, secret: CANARY}\nrefresh_token: CANARY\nstate: closed\n",
		"closed-literal.yaml":  "client: {id: abc, secret: CANARY}\nstate: closed\n",
		"variable.yaml":        "client: {id: abc, secret: '${SECRET}'}\nstate: open\n",
		"file.yaml":            "client: {id: abc, secret: {file: open.txt}}\nrefresh_token: {file: closed.txt}\nstate: open\n",
		"missing.yaml":         "client: {id: abc, secret: {file: none.txt}}\nstate: none\n",
		"open.txt":             "CANARY",
		"closed.txt":           "CANARY",
		"open/variable.json":   "{}",
		"open/file.json":       "{}",
		"closed/literal.json":  "{}",
		"closed/not-ours.json": "{}",
	})
	for name, mode := range map[string]os.FileMode{
		"literal.yaml": 0o644, "variable.yaml": 0o644, "file.yaml": 0o644, "open.txt": 0o640, "open": 0o755,
		"open/file.json": 0o604, "closed": 0o700, "closed/not-ours.json": 0o644,
	} {
		if err := os.Chmod(filepath.Join(dir, filepath.FromSlash(name)), mode); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, inspect(t, dir, "literal.yaml", "closed-literal.yaml", "variable.yaml", "file.yaml", "missing.yaml"),
		"file.yaml:1:1: other users can read the profile's state file",
		"file.yaml:1:27: client.secret: other users can read open.txt",
		"literal.yaml: the file contains client.secret, and other users can read it",
		"variable.yaml:1:1: other users can read the state directory open",
	)
}

func TestInspectPublished(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.yaml": `client: {id: abc, secret: "${SECRET}"}
listen: 0.0.0.0:8888
outputs:
  - type: env
    path: .env
    keys:
      access_token: VITE_TOKEN
      refresh_token: NEXT_PUBLIC_REFRESH
      client_secret: REACT_APP_SECRET
      client_id: VITE_CLIENT_ID
      scope: PUBLIC_SCOPE
      profile: NOT_PUBLIC_
  - {type: env, path: b.env, keys: {access_token: PUBLIC_TOKEN, expires_at: MY_VITE_}}
`, "b.yaml": "client: {id: abc}\nlisten: '[::1]:8888'\n"})
	expect(t, inspect(t, dir, "a.yaml", "b.yaml"),
		"a.yaml:2:9: listen: other machines can reach the login listener",
		"a.yaml:7:21: front-end tools publish variables that begin with VITE_, and this one holds the access_token",
		"a.yaml:8:22: front-end tools publish variables that begin with NEXT_PUBLIC_, and this one holds the refresh_token",
		"a.yaml:9:22: front-end tools publish variables that begin with REACT_APP_, and this one holds the client_secret",
		"a.yaml:13:51: front-end tools publish variables that begin with PUBLIC_, and this one holds the access_token",
	)
}
