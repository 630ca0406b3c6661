package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tokenform/config/fault"
)

// matrixReaders are the programs that read V in each of several files, in the order
// of the table. Those other than the shells are in examples/testdata/readers;
// examples/testdata/clients/install installs them in CACHE.
var matrixReaders = []struct {
	name string
	argv []string
}{
	{"bash", []string{"bash", "-c", shellReader, "bash"}},
	{"dash", []string{"dash", "-c", shellReader, "dash"}},
	{"docker --env-file", []string{"CACHE/go-readers", "docker"}},
	{"compose", []string{"CACHE/go-readers", "compose"}},
	{"systemd", []string{"CACHE/venv/bin/python", "read.py", "systemd"}},
	{"python-dotenv", []string{"CACHE/venv/bin/python", "read.py", "python-dotenv"}},
	{"pydantic-settings", []string{"CACHE/venv/bin/python", "read.py", "pydantic-settings"}},
	{"node --env-file", []string{"node", "read.mjs", "node"}},
	{"dotenv (npm)", []string{"node", "read.mjs", "dotenv"}},
	{"dotenvx", []string{"node", "read.mjs", "dotenvx"}},
	{"dotenv-expand", []string{"node", "read.mjs", "dotenv-expand"}},
	{"@next/env", []string{"node", "read.mjs", "@next/env"}},
	{"Vite", []string{"node", "read.mjs", "vite"}},
	{"godotenv", []string{"CACHE/go-readers", "godotenv"}},
	{"gotenv", []string{"CACHE/go-readers", "gotenv"}},
	{"dotenvy", []string{"CACHE/cargo/debug/rust", "dotenv"}},
	{"ruby-dotenv", []string{"ruby", "read.rb"}},
	{"phpdotenv", []string{"php", "read.php", "phpdotenv"}},
	{"symfony/dotenv", []string{"php", "read.php", "symfony"}},
}

// shellReader prints the values, each with a NUL behind it.
const shellReader = `for f; do ( unset V; . "$f" >/dev/null 2>&1; printf '%s\000' "$V" ); done`

// matrixValues are what a variable could hold, plain ones first.
var matrixValues = []string{
	"BQDk3_x-9", "2026-11-27T10:00:00Z", "https://x.example/a?b=c", "a=b", "a+b/c==", "a,b", "a%b", "a@b", "true", "null", "",
	"user-read-email streaming", " a", "a ", "a\tb", "a #b", "a#b", "#a", "a;b", "a&b", "a|b", "<a>", "(a)", "[a]", "*", "?", "~", "!a", "a!b", "^a",
	`a"b`, `"a"`, "a`b", "`id`", "$", "a$b", "$HOME", "$$", "$(id)", "$1", `\$a`, `a\b`, `a\nb`, `\t`, `{"a": 1}`, "{a}", "é☃🎧", "\u00a0a", "a\u2028b", "a\u0085", "\ufeffa", "a\vb", "a\fb", "a\x01b", "a\x1bb", "a\x7fb", "encrypted:a",
	"export A=b", "a: b", "- a", "a = b", "@a", "%a", "=", "==a", " ", "  ", "#", "a # b", "\\", `\'`, `a\$b`, "`", "$`", `"`, `""`, `a""b`, `"a`, `a"`, "a\\ b",
	"a'b", "'a'", `a="b`, ` \a`, "${HOME}", `a\`, `a\\b`, "a\nb", "a\rb", "a\x00b", "a\xffb",
}

// randomTexts are values that the output accepts: any text, and more often one of
// characters that are special to some reader.
var randomTexts = rapid.OneOf(texts, rapid.StringN(1, 20, -1), rapid.StringMatching("[ab $\"`#=:\\\\!{}()%&\t-]{1,12}")).Filter(func(s string) bool {
	_, err := dotenvValue(assignment{"V", s}, "")
	return err == nil
})

// TestReaderMatrix writes each value as an env output does and asks the real
// readers what they see, and the same of two hundred random ones. A value that is written bare is the same to all of them, and
// one in quotes to all but the readers that the README excepts. What the others see is
// in testdata/readers.md, a table for people; GOLDEN=update renews it.
func TestReaderMatrix(t *testing.T) {
	t.Parallel()
	// docker takes quotes for a part of the
	// value, and the others replace $NAME in a value however it is quoted.
	excepted := map[string]func(value string) bool{
		"docker --env-file": func(string) bool { return true },
		"dotenv-expand":     func(v string) bool { return strings.Contains(v, "$") },
		"@next/env":         func(v string) bool { return strings.Contains(v, "$") },
		"Vite":              func(v string) bool { return strings.Contains(v, "$") },
	}
	dir := t.TempDir()
	var paths, accepted, texts []string
	listed := 0 // of accepted, those of matrixValues
	var refused strings.Builder
	values := slices.Clone(matrixValues)
	for i := range 200 {
		values = append(values, randomTexts.Example(i))
	}
	for i, v := range values {
		b, err := mergeDotenv(nil, []assignment{{"V", v}}, nil)
		if e := (*fault.Error)(nil); errors.As(err, &e) {
			_, reason, _ := strings.Cut(e.Message, "it contains ")
			fmt.Fprintf(&refused, "| %s | %s |\n", code(v), reason)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, strconv.Itoa(len(paths)), ".env") // Vite and Next.js want that name
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
		if i < len(matrixValues) {
			listed++
		}
		paths, accepted, texts = append(paths, path), append(accepted, v), append(texts, strings.TrimSuffix(strings.TrimPrefix(string(b), "V="), "\n"))
	}

	differ := make([][]string, len(accepted)) // names of readers and what they see, by value
	answered := 0
	for _, r := range matrixReaders {
		t.Run(r.name, func(t *testing.T) {
			got := readMatrix(t, r.argv, paths)
			if len(got) != len(paths) {
				t.Fatalf("%d answers for %d files", len(got), len(paths))
			}
			answered++
			for i, v := range accepted {
				if got[i] != nil && *got[i] == v {
					continue
				}
				saw := "refused"
				switch {
				case got[i] == nil:
				case *got[i] == texts[i]:
					saw = "with its quotes"
				default:
					saw = code(*got[i])
				}
				differ[i] = append(differ[i], r.name+": "+saw)
				if except := excepted[r.name]; isBare(v) || except == nil || !except(v) {
					t.Errorf("%q, written as %s, is read so: %s", v, texts[i], saw)
				}
			}
		})
	}
	if answered < len(matrixReaders) {
		t.Skip("the table needs every reader")
	}

	var table strings.Builder
	fmt.Fprintf(&table, "| value | written as | read otherwise by |\n|---|---|---|\n")
	for i, v := range accepted[:listed] {
		fmt.Fprintf(&table, "| %s | %s | %s |\n", code(v), code(texts[i]), strings.Join(differ[i], ", "))
	}
	fmt.Fprintf(&table, "\n| refused value | because it contains |\n|---|---|\n%s", refused.String())
	const golden = "testdata/readers.md"
	if os.Getenv("GOLDEN") == "update" {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, []byte(table.String())) {
		t.Errorf("%s is not the table that the readers give (%v); GOLDEN=update renews it:\n%s", golden, err, table.String())
	}
}

// readMatrix runs a reader, or skips if something that it needs is not installed.
func readMatrix(t *testing.T, argv, paths []string) (values []*string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	const folder = "../examples/testdata/readers"
	program, err := exec.LookPath(strings.Replace(argv[0], "CACHE", filepath.Join(cache, "tokenform-tests"), 1))
	switch argv[0] {
	case "node":
		_, missing := os.Stat(folder + "/node_modules/.installed")
		err = errors.Join(err, missing)
	case "ruby":
		err = errors.Join(err, exec.Command("ruby", "-e", `require "dotenv"`).Run())
	}
	switch {
	case err == nil:
	case os.Getenv("TOKENFORM_TEST_CLIENTS") == "require":
		t.Fatalf("%v: run examples/testdata/clients/install", err)
	default:
		t.Skipf("%v: run examples/testdata/clients/install", err)
	}
	cmd := exec.CommandContext(t.Context(), program, slices.Concat(argv[1:], paths)...)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/home/user", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"}
	out := output(t, cmd)
	if slices.Contains(argv, shellReader) {
		for v := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
			values = append(values, new(string(v)))
		}
	} else if err := json.Unmarshal(out, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// code is s in a cell of a Markdown table: as it is, or as a Go string if something
// in it cannot be seen.
func code(s string) string {
	if s == "" {
		return "(empty)"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		s = strconv.Quote(s)
	}
	s = strings.ReplaceAll(s, "|", `\|`)
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}
