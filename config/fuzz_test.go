package config

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzProfile checks that nothing panics, that two loads find the same problems in
// the same order, that an error comes without profiles, and that no problem shows
// a secret.
func FuzzProfile(f *testing.F) {
	const canary = "c4n4ry5ecret"
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{"", "a: &a [*a]\n<<: *a\n", "grant: pkce\n", "x: |\n  y\n"} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		// The secret comes first, so that no text behind it can change its key.
		text := slices.Concat([]byte("client: {id: abc, secret: "+canary+"}\n"), b)
		var first Problems
		for range 2 {
			ps, problems := Load(t.Context(), Sources{Env: testEnv, Dir: dir, Stdin: ReadOnce(bytes.NewReader(text))}, []string{"-"})
			if (len(problems.Errors()) > 0) != (ps == nil) {
				t.Errorf("%d profiles, %d errors", len(ps), len(problems.Errors()))
			}
			for _, p := range problems {
				if strings.Contains(p.Error()+p.Hint+p.Line, canary) {
					t.Errorf("a secret is shown: %s\n%s\n%s", p, p.Hint, p.Line)
				}
				if strings.ContainsAny(p.Error()+p.Hint+p.Line, "\n\r\x1b\x00") {
					t.Errorf("a control character: %q %q %q", p, p.Hint, p.Line)
				}
				if n := len([]rune(p.Line)); p.Line != "" && p.Pos.Col > n+1 {
					t.Errorf("%s points behind %q", p, p.Line)
				}
			}
			if first == nil {
				first = problems
			} else if !slices.EqualFunc(first, problems, func(a, b *Problem) bool { return *a == *b }) {
				t.Errorf("other problems:\n%s\n%s", first, problems)
			}
		}
	})
}
