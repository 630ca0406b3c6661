package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/joho/godotenv"
	"pgregory.net/rapid"
)

// reader is a program that reads env files. reader returns the values of our two
// variables for each of paths; nil means that the program refuses the file.
type reader func(t *testing.T, paths []string) [][]string

// TestReaders writes into many files, all of a form that the reader understands, and
// asks the real readers for the values.
func TestReaders(t *testing.T) {
	t.Parallel()
	var (
		lf     = generate(false, plainLines, quotedLines)
		crlf   = rapid.Map(lf, func(f envFile) envFile { f.crlf = true; return f })
		simple = generate(true, plainLines)
	)
	for _, c := range []struct {
		name   string
		read   reader
		files  *rapid.Generator[envFile]
		values *rapid.Generator[string]
	}{
		{"bash", shell("bash"), lf, texts},
		{"dash", shell("dash"), lf, texts},
		{"node", node, noExportIndent(lf), texts},
		{"node CRLF", node, noExportIndent(crlf), texts},
		{"python-dotenv", python, lf, texts},
		{"python-dotenv CRLF", python, crlf, texts},
		{"godotenv", inProcess(godotenv.Unmarshal), lf, texts},
		{"godotenv CRLF", inProcess(godotenv.Unmarshal), crlf, texts},
		{"compose", inProcess(composeUnmarshal), lf, texts},
		{"compose CRLF", inProcess(composeUnmarshal), crlf, texts},
		// docker takes quotes as part of the value, so only bare values come back
		// equal.
		{"docker", inProcess(dockerUnmarshal), simple, tokens},
		{"docker CRLF", inProcess(dockerUnmarshal), rapid.Map(simple, func(f envFile) envFile { f.crlf = true; return f }), tokens},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var paths []string
			var sets [][]assignment
			for i := range 150 {
				f := c.files.Example(i)
				set := []assignment{{tokenVar, tokens.Example(i)}, {scopeVar, c.values.Example(i)}}
				b, err := mergeDotenv([]byte(f.render(nil)), set, nil)
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, fmt.Sprint(i))
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				paths, sets = append(paths, path), append(sets, set)
			}
			got := c.read(t, paths)
			if len(got) != len(paths) {
				t.Fatalf("%d answers for %d files", len(got), len(paths))
			}
			for i, set := range sets {
				if len(got[i]) != 2 || got[i][0] != set[0].value || got[i][1] != set[1].value {
					content, _ := os.ReadFile(paths[i])
					t.Fatalf("%q\nis read as %q\nwant       %q", content, got[i], []string{set[0].value, set[1].value})
				}
			}
		})
	}
}

// noExportIndent leaves out files that node misreads: node takes the blanks before
// export as part of the name.
func noExportIndent(g *rapid.Generator[envFile]) *rapid.Generator[envFile] {
	return g.Filter(func(f envFile) bool { return !strings.Contains(f.render(nil), "  export") })
}

func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s here to agree with", name)
	}
	return path
}

func output(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	return out
}

// shell returns a reader that sources the files one after the other, each in a subshell
// without any program to run.
func shell(name string) reader {
	return func(t *testing.T, paths []string) [][]string {
		const script = `for f; do ( PATH=/nowhere; set -a; . "$f" >&2; printf '%s\001%s\002' "$` + tokenVar + `" "$` + scopeVar + `" ); done`
		cmd := exec.Command(program(t, name), append([]string{"-c", script, name}, paths...)...)
		var all [][]string
		for s := range strings.SplitSeq(strings.TrimSuffix(string(output(t, cmd)), "\x02"), "\x02") {
			all = append(all, strings.Split(s, "\x01"))
		}
		return all
	}
}

func node(t *testing.T, paths []string) [][]string {
	const script = `
const fs = require('fs'), { parseEnv } = require('util');
console.log(JSON.stringify(process.argv.slice(1).map(f => {
	const e = parseEnv(fs.readFileSync(f, 'utf8'));
	return [e.` + tokenVar + `, e.` + scopeVar + `];
})))`
	return answers(t, exec.Command(program(t, "node"), append([]string{"-e", script}, paths...)...))
}

func python(t *testing.T, paths []string) [][]string {
	// /usr/bin/python3 on Debian has python3-dotenv, even if another python3 comes
	// first on the PATH.
	var python3 string
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(candidate, "-c", "import dotenv").Run() == nil {
			python3 = candidate
			break
		}
	}
	if python3 == "" {
		t.Skip("no python-dotenv here to agree with")
	}
	const script = `
import dotenv, json, sys
print(json.dumps([[dotenv.dotenv_values(f).get(k) for k in ("` + tokenVar + `", "` + scopeVar + `")] for f in sys.argv[1:]]))`
	return answers(t, exec.Command(python3, append([]string{"-c", script}, paths...)...))
}

// answers reads one JSON array from the output of cmd.
func answers(t *testing.T, cmd *exec.Cmd) [][]string {
	t.Helper()
	var all [][]string
	if err := json.Unmarshal(output(t, cmd), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func inProcess(unmarshal func(string) (map[string]string, error)) reader {
	return func(t *testing.T, paths []string) [][]string {
		var all [][]string
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			vars, err := unmarshal(string(b))
			if err != nil {
				all = append(all, nil)
				continue
			}
			all = append(all, []string{vars[tokenVar], vars[scopeVar]})
		}
		return all
	}
}

func composeUnmarshal(s string) (map[string]string, error) {
	return compose.UnmarshalBytesWithLookup([]byte(s), nil)
}

// dockerUnmarshal follows docker's rules for --env-file: a line is a comment or
// NAME=value, with blanks removed before the name and nothing else.
func dockerUnmarshal(s string) (map[string]string, error) {
	vars := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader([]byte(strings.TrimPrefix(s, "\ufeff"))))
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("bad name %q", name)
		}
		if ok {
			vars[name] = value
		}
	}
	return vars, lines.Err()
}

// TestNodeEnvFile runs node --env-file, as people do.
func TestNodeEnvFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	b, err := mergeDotenv([]byte("A=1\n"), []assignment{{tokenVar, "BQx_-"}, {scopeVar, "a b"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "node"), "--env-file="+path, "-p", "process.env."+tokenVar+" + '|' + process.env."+scopeVar)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if got := string(output(t, cmd)); got != "BQx_-|a b\n" {
		t.Errorf("node reads %q", got)
	}
}
