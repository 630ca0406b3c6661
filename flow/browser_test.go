package flow

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestA3Browser checks that $BROWSER may name a program with blanks in its path, alone,
// quoted as for a shell, or with arguments.
func TestA3Browser(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the browser of this test is a script")
	}
	dir := filepath.Join(t.TempDir(), "My Browser's")
	path := filepath.Join(dir, "run it")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nfor word; do echo \"$word\"; done >\"$0.new\" && mv \"$0.new\" \"$0.got\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		value string
		want  string
	}{
		"the path alone":         {path, "URL"},
		"in double quotes":       {`"` + path + `"`, "URL"},
		"backslashes":            {strings.NewReplacer(" ", `\ `, "'", `\'`).Replace(path), "URL"},
		"quotes and an argument": {`"` + path + `" --new-window %s`, "--new-window URL"},
		"a part quoted":          {`"` + dir + `"/run\ it --x="a b" ''`, "--x=a b  URL"},
		"the second of two":      {"no such program:" + `"` + path + `" %s -x`, "URL -x"},
		"%s in the midst":        {`"` + path + `" 'open %s now'`, "open URL now"},
		"the path alone, of two": {"/nowhere/at all:" + path, "URL"},
	} {
		t.Run(name, func(t *testing.T) {
			got := path + ".got"
			_ = os.Remove(got)
			if err := OpenBrowser(c.value, "URL"); err != nil {
				t.Fatal(err)
			}
			for range 500 {
				if b, err := os.ReadFile(got); err == nil {
					if words := strings.ReplaceAll(strings.TrimSuffix(string(b), "\n"), "\n", " "); words != c.want {
						t.Errorf("got %q, want %q", words, c.want)
					}
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Error("the browser did not run")
		})
	}
}

func TestSplitWords(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][]string{
		"":                  nil,
		" \t ":              nil,
		"a b":               {"a", "b"},
		`'a b' "c d"`:       {"a b", "c d"},
		`a'b c'd`:           {"ab cd"},
		`"a\"b" 'a\b'`:      {`a"b`, `a\b`},
		`"it's" ''`:         {"it's", ""},
		`'never closed  x `: {"never closed  x "},
		`end\`:              {"end"},
		"ü\u3000ö":          {"ü", "ö"},
	} {
		if runtime.GOOS == "windows" && strings.Contains(s, `\`) {
			continue // paths have backslashes
		}
		if got := splitWords(s); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
	}
}
