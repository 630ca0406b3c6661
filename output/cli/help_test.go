package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"tokenform/config/help"
)

// TestHelpFits checks that the help of each command and topic fits into 80 columns.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"": rootText(globalFlags())}
	for _, e := range commands {
		about, ok := pageOf(e.name)
		if !ok || about.short == "" {
			t.Errorf("no help for %s", e.name)
		}
		texts[e.name] = about.text()
	}
	for _, topic := range help.Topics {
		texts["topic "+topic.Name] = plain(help.Text(topic.Name))
	}
	for name, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > helpWidth || strings.TrimRight(line, " ") != line {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}

// TestHelpExamples checks that the program takes each command line in the help.
func TestHelpExamples(t *testing.T) {
	t.Parallel()
	texts := []string{examplesRoot}
	for _, e := range commands {
		if e.examples == "" && e.name != "version" {
			t.Errorf("%s has no examples", e.name)
		}
		texts = append(texts, e.examples)
	}
	for _, topic := range help.Topics {
		for line := range strings.Lines(help.Text(topic.Name)) {
			if code, ok := strings.CutPrefix(line, "    "); ok {
				texts = append(texts, code)
			}
		}
	}
	lines := 0
	for line := range strings.Lines(strings.Join(texts, "\n")) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "tokenform ") {
			continue
		}
		for _, end := range []string{" #", " | ", " < ", " > ", "   "} {
			line, _, _ = strings.Cut(line, end)
		}
		words := strings.Fields(strings.ReplaceAll(line, "'", ""))[1:]
		for i, w := range words {
			words[i] = strings.TrimSuffix(strings.Trim(w, "[]"), "...")
		}
		if words[0] == "state" { // NAME stands for a profile's name
			words = strings.Fields(strings.ToLower(strings.Join(words, " ")))
		}
		lines++
		if _, err := parse(words, nil); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if lines < 50 {
		t.Errorf("only %d command lines", lines)
	}
}

// TestManPages checks that mandoc finds nothing wrong with the man pages.
func TestManPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeManPages(dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "tokenform*"))
	if err != nil || len(pages) != 1+len(commands)+len(help.Topics) {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	if _, err := exec.LookPath("mandoc"); err != nil {
		if os.Getenv("TOKENFORM_TEST_MANDOC") == "require" {
			t.Fatal("mandoc is not installed")
		}
		t.Skip("mandoc is not installed")
	}
	for _, page := range pages {
		out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", page).CombinedOutput()
		var rest []string
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "missing date") {
				rest = append(rest, line)
			}
		}
		if len(rest) > 0 {
			t.Errorf("%v\n%s", err, strings.Join(rest, ""))
		}
	}
}
