package examples

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWords lists the texts that the program may show, by file, in testdata/words.golden:
// each string constant of more than one word, outside of tests. The list makes a change of
// wording visible in one place, and is what a reviewer of the wording reads.
func TestWords(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for _, root := range []string{"../config", "../flow", "../output"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || d.Name() == "faults"):
				return fs.SkipDir
			case filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go"):
				return words(&list, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	golden := filepath.Join("testdata", "words.golden")
	if os.Getenv("GOLDEN") == "update" {
		if err := os.WriteFile(golden, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), list.String()); diff != "" {
		t.Errorf("(-want +got) GOLDEN=update go test ./examples -run TestWords accepts it\n%s", diff)
	}
}

// words adds the texts of a file to list.
func words(list *strings.Builder, path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	heading := "\n# " + filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))) + "\n"
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			return n.Tag == nil // struct tags are not shown
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			if n.Kind != token.STRING || err != nil || len(strings.Fields(text)) < 2 || strings.Contains(text, "<") || strings.Contains(text, "{color") {
				return false // one word, or HTML and CSS
			}
			fmt.Fprint(list, heading, strings.Trim(text, "\n"), "\n")
			heading = ""
		}
		return true
	})
	return nil
}
