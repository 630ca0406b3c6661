package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testEnv is a process environment with these variables only.
func testEnv(name string) (string, bool) {
	s, ok := map[string]string{
		"SECRET":    "CANARY",
		"SCOPE":     "CANARY",
		"EMPTY":     "",
		"PLAINHTTP": "http://CANARY.example.com/",
	}[name]
	return s, ok
}

// show formats problems as they appear on a terminal, with the caret.
func show(ps Problems) string {
	var b strings.Builder
	for _, p := range ps {
		kind := "error"
		if p.Warning {
			kind = "warning"
		}
		fmt.Fprintf(&b, "%s: %s\n", kind, p.Error())
		if p.Line != "" {
			fmt.Fprintf(&b, "  | %s\n  | %s^\n", p.Line, strings.Repeat(" ", p.Pos.Col-1))
		}
		if p.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", p.Hint)
		}
	}
	return b.String()
}

// TestGolden loads each profile file of testdata, and two directories, separately.
func TestGolden(t *testing.T) {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != ".yaml" && name != "two-files" && name != "defaults" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := Load(t.Context(), Sources{Env: testEnv, Dir: dir}, []string{name})
			got := filepath.ToSlash(show(problems))
			if strings.Contains(got, "CANARY") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			golden := filepath.Join("testdata", strings.TrimSuffix(name, ".yaml")+".golden")
			if os.Getenv("GOLDEN") == "update" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			_, again := Load(t.Context(), Sources{Env: testEnv, Dir: dir}, []string{name})
			if !slices.EqualFunc(problems, again, func(a, b *Problem) bool { return *a == *b }) {
				t.Error("a second load finds other problems")
			}
		})
	}
}
