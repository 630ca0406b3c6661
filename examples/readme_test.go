package examples

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tokenform/flow/sandbox"

	"tokenform/config"
)

// TestReadme follows the README from top to bottom in one directory, as a new user
// does: TestReadme writes the files that the README shows and runs every command in its
// sh blocks, with the stand-in as Spotify. [TestClone] runs the two commands for a
// clone.
func TestReadme(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("the README's commands need %s", name)
		}
	}
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	env := surroundings(dir, url, "BROWSER="+robot(t))
	steps := regexp.MustCompile("(?ms)(?:^<!-- file: (\\S+) -->\n)?^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1)
	script := "set -eu\n"
	ran := 0
	for _, s := range steps {
		switch file, kind, text := s[1], s[2], s[3]; {
		case file != "":
			write(t, filepath.Join(dir, file), text)
		case kind == "sh" && !strings.Contains(text, "go "):
			for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
				if strings.HasPrefix(line, "tokenform apply") {
					line += " --login browser" // there is no terminal here
				}
				script += line + "\n"
				ran++
			}
		}
	}
	if ran < 10 {
		t.Fatalf("only %d commands found in README.md", ran)
	}
	cmd := exec.Command("bash", "-x", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), errs.String())
	}
	if n := strings.Count(out.String(), `"sandbox-user"`); n != 3 {
		t.Errorf("the three curl commands got %d answers about the account:\n%s", n, out.String())
	}
	if b, err := os.ReadFile(filepath.Join(dir, ".env")); err != nil || string(b) != "SPOTIFY_CLIENT_ID=0123456789abcdef0123456789abcdef\n" {
		t.Errorf("after destroy, .env has %q: %v", b, err)
	}
}

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestClone runs the first of these two commands in a fresh copy of git's files, and
// reads the .env that the command writes. The second command runs these tests.
func TestClone(t *testing.T) {
	t.Parallel()
	if !strings.Contains(readme(t), "go run . apply --sandbox examples/quickstart.yaml\ngo test ./...\n") {
		t.Fatal("README.md does not have the two commands")
	}
	const install = "CGO_ENABLED=0 go install ."
	if !strings.Contains(readme(t), "```sh\n"+install+"\n```") {
		t.Fatal("README.md does not have the command that installs")
	}
	dir := checkout(t)
	sh := exec.Command("bash", "-euc", "go run . apply --sandbox examples/quickstart.yaml\nbash -c 'set -a; . ./.env; echo ${#SPOTIFY_ACCESS_TOKEN}'\n"+install)
	sh.Dir, sh.Env = dir, append(os.Environ(), "GOBIN="+dir)
	var out, errs bytes.Buffer
	sh.Stdout, sh.Stderr = &out, &errs
	if err := sh.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if n := strings.TrimSpace(out.String()); len(n) != 3 {
		t.Errorf("bash reads a token of %q characters", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "tokenform")); err != nil {
		t.Errorf("go install: %v", err)
	}
}

// TestExamplesAreValid checks that every profile in this directory, and of the
// pipelines, can be copied and used.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.yaml", "pipelines/*/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) < 4 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	env := surroundings(t.TempDir(), "", "SPOTIFY_CLIENT_ID=0123456789abcdef0123456789abcdef", "SPOTIFY_CLIENT_SECRET=hush-hush", "SPOTIFY_REFRESH_TOKEN=AQseed",
		"DEV_CLIENT_ID=0123456789abcdef0123456789abcdef", "PROD_CLIENT_ID=0123456789abcdef0123456789abcdef", "PROD_CLIENT_SECRET=hush-hush",
		"STAGING_CLIENT_ID=0123456789abcdef0123456789abcdef", "STAGING_CLIENT_SECRET=hush-hush", "CI_PROJECT_DIR=.",
		"TOKENFORM_BUCKET=tokens", "TOKENFORM_S3=https://s3.example", "TOKENFORM_RECIPIENT=age15d0pcqck0pxuh67tq6602ca88ehm3edyqthpzhtm3a2qk3jsk5wsf5sz4p",
		"CI_API_V4_URL=https://gitlab.example/api/v4", "CI_PROJECT_ID=1")
	for _, f := range files {
		dir := t.TempDir()
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(f)), string(b))
		write(t, filepath.Join(dir, ".env"), "")
		if code, _, stderr := run(t, dir, env, "validate", filepath.Base(f)); code != 0 || stderr != "" {
			t.Errorf("%s: exit %d\n%s", f, code, stderr)
		}
	}
}

// TestHelpAndReadmeAgree checks that the README agrees with the program on commands,
// keys and exit codes.
func TestHelpAndReadmeAgree(t *testing.T) {
	t.Parallel()
	text := readme(t)
	env := surroundings(t.TempDir(), "")
	_, help, _ := run(t, ".", env, "help")
	for _, command := range regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(section(help, "\nCommands:"), -1) {
		if name := command[1]; name != "completion" && !strings.Contains(text, name+" |") && !strings.Contains(text, "| "+name+"`") {
			t.Errorf("README.md does not name the command %s", name)
		}
	}
	_, topic, _ := run(t, ".", env, "help", "exit-codes")
	for _, code := range regexp.MustCompile(`(?m)^  (\d+) +(.*)$`).FindAllStringSubmatch(topic, -1) {
		if !regexp.MustCompile(`(?m)^\| ` + code[1] + ` \| `).MatchString(text) {
			t.Errorf("README.md does not have the exit code %s", code[1])
		}
	}
	_, topic, _ = run(t, ".", env, "help", "profiles")
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal([]byte(config.Schema), &schema); err != nil {
		t.Fatal(err)
	}
	for key := range schema.Properties {
		if !regexp.MustCompile(`(?m)^  ` + key + `:`).MatchString(topic) {
			t.Errorf("help profiles does not explain the key %s", key)
		}
	}
	for _, flag := range regexp.MustCompile("`[^`]*?(--[a-z][a-z-]+)").FindAllStringSubmatch(text, -1) {
		if name := flag[1]; name != "--env-file" && name != "--help" && !strings.Contains(everyHelp(t, env), name) {
			t.Errorf("README.md shows %s, which no command has", name)
		}
	}
}

// section returns the text after a heading, up to the next empty line.
func section(text, heading string) string {
	_, rest, _ := strings.Cut(text, heading)
	rest, _, _ = strings.Cut(rest, "\n\n")
	return rest
}

func everyHelp(t *testing.T, env []string) string {
	t.Helper()
	var all string
	for _, c := range []string{"init", "validate", "plan", "apply", "status", "token", "exec", "watch", "import", "destroy", "sandbox", "version", "login", "state", "log", "help"} {
		_, text, _ := run(t, ".", env, c, "--help")
		all += text
	}
	return all
}

// documents are the Markdown files of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md", "../config/help/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	return all
}

// TestLinks checks that every file exists to which a Markdown file links.
func TestLinks(t *testing.T) {
	t.Parallel()
	links := 0
	for _, file := range documents(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			}
		}
	}
	if links < 30 {
		t.Errorf("only %d links", links)
	}
	if lines := strings.Count(readme(t), "\n"); lines > 170 {
		t.Errorf("README.md has %d lines, more than 170", lines)
	}
}

// TestReadmeNamesTests checks that every test exists which a Markdown file names as the
// proof of a claim.
func TestReadmeNamesTests(t *testing.T) {
	t.Parallel()
	var names []string
	for _, pattern := range []string{"../*/*_test.go", "../*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(b, -1) {
				names = append(names, string(m[1]))
			}
		}
	}
	var text string
	for _, file := range documents(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	found := regexp.MustCompile("-run '?(Test\\w+)|`(Test\\w+)").FindAllStringSubmatch(text, -1)
	if len(found) < 10 {
		t.Fatalf("only %d tests are named", len(found))
	}
	for _, m := range found {
		if want := m[1] + m[2]; !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, want) }) {
			t.Errorf("README.md names %s, which no test is called", want)
		}
	}
}

// TestPipelinesAreListed checks that each file of examples/pipelines is in README.md's
// table, next to a test that runs the file and exists ([TestReadmeNamesTests]).
func TestPipelinesAreListed(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("pipelines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| \\[([^]]+)\\]\\(([^)]+)\\) \\|.*\\| `TestPipeline\\w+` \\|$").FindAllStringSubmatch(string(table), -1)
	var listed []string
	for _, row := range rows {
		if row[2] != strings.TrimSuffix(row[1], "/") {
			t.Errorf("%s leads to %s", row[1], row[2])
		}
		listed = append(listed, strings.TrimSuffix(row[1], "/"))
	}
	entries, err := os.ReadDir("pipelines")
	if err != nil || len(entries) < 8 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Name() != "spotify" && e.Name() != "README.md" && !slices.Contains(listed, e.Name()) {
			t.Errorf("pipelines/README.md does not list %s", e.Name())
		}
	}
}
