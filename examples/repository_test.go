package examples

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the program, tests left out.
type source struct {
	path string // "flow/apply.go"
	file *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && p != ".." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
		rel, _ := filepath.Rel("..", p)
		found = append(found, source{filepath.ToSlash(rel), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("found only %d Go files", len(found))
	}
	return found
}

func (s source) imports() []string {
	var list []string
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		list = append(list, p)
	}
	return list
}

// TestImports checks which package may import which: config loads profiles, flow gets
// tokens for them, output writes the tokens. A package may import only packages below
// it, and main only output/cli.
func TestImports(t *testing.T) {
	allowed := map[string][]string{
		".":                   {"output/cli"},
		"output/cli":          {"config", "config/fault", "config/help", "flow", "flow/oauth", "flow/sandbox", "flow/state", "flow/state/keeper", "output", "output/terminal"},
		"output/terminal":     {"config", "config/fault", "flow", "flow/state"},
		"output":              {"config", "config/dotenv", "config/fault", "config/paths", "flow", "flow/atomicfile", "flow/state"},
		"flow":                {"config", "config/fault", "config/paths", "flow/oauth", "flow/state", "flow/state/keeper"},
		"flow/state":          {"config", "config/fault", "config/paths", "flow/atomicfile", "flow/state/keeper"},
		"flow/state/keeper":   {"config", "config/fault", "flow/oauth"},
		"flow/oauth":          {"config/fault"},
		"flow/sandbox":        {},
		"flow/sandbox/faults": {"flow/sandbox"}, // and only tests may import faults
		"flow/atomicfile":     {"config/paths"},
		"config":              {"config/dotenv", "config/fault", "config/paths"},
		"config/dotenv":       {},
		"config/fault":        {},
		"config/help":         {},
		"config/paths":        {},

		"flow/state/keeper/keepertest": {}, // and only tests may import keepertest
	}
	for _, s := range sources(t) {
		room := path.Dir(s.path)
		rules, known := allowed[room]
		if !known && strings.HasPrefix(room, "examples/") {
			continue
		}
		if !known {
			t.Errorf("%s: the package %s has no import rule; it needs a place in the architecture", s.path, room)
		}
		for _, i := range s.imports() {
			if ours, ok := strings.CutPrefix(i, "tokenform/"); ok && !slices.Contains(rules, ours) {
				t.Errorf("%s: imports %s, which %s must not know", s.path, ours, room)
			}
		}
	}
}

// TestOneDoor checks that each large library is imported by one file only, so that the
// workarounds for its pitfalls are in one file too.
func TestOneDoor(t *testing.T) {
	doors := map[string][]string{}
	for _, s := range sources(t) {
		if strings.HasPrefix(s.path, "examples/benchmarks/") {
			continue // these programs are for comparison
		}
		for _, i := range s.imports() {
			doors[i] = append(doors[i], s.path)
		}
	}
	for _, lib := range []string{"gopkg.in/yaml.v3", "github.com/spf13/pflag", "github.com/spf13/cobra", "github.com/hashicorp/go-retryablehttp"} {
		if len(doors[lib]) != 1 {
			t.Errorf("%s is imported by %v, want one file", lib, doors[lib])
		}
	}
	for _, lib := range []string{"text/template", "html/template"} {
		if len(doors[lib]) > 0 {
			t.Errorf("%s is imported by %v", lib, doors[lib])
		}
	}
}

// TestProcessBelongsToMain checks that only main.go uses the process's arguments,
// environment, streams, exit status and clock, and passes them to all other code.
func TestProcessBelongsToMain(t *testing.T) {
	forbidden := map[string][]string{
		"os":   {"Args", "Stdin", "Stdout", "Stderr", "Exit", "Getenv", "LookupEnv", "Environ"},
		"time": {"Now", "Since"},
	}
	allowed := map[string][]string{
		"config/fault/crash.go": {"Stderr", "Exit"}, // a crash handler has no other way
		"flow/oauth/network.go": {"Getenv"},         // net/http and crypto/x509 read the same variables directly
	}
	for _, s := range sources(t) {
		if s.path == "main.go" || strings.HasPrefix(s.path, "examples/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(forbidden[pkg.Name], sel.Sel.Name) && !slices.Contains(allowed[s.path], sel.Sel.Name) {
				t.Errorf("%s: uses %s.%s", s.path, pkg.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// TestWhoPrints checks that only output/terminal and the outputs print. All other code
// uses a voice, or builds a text.
func TestWhoPrints(t *testing.T) {
	printers := []string{"Fprint", "Fprintf", "Fprintln", "Print", "Printf", "Println"}
	for _, s := range sources(t) {
		if room := path.Dir(s.path); room == "output" || room == "output/terminal" || strings.HasPrefix(room, "examples") {
			continue
		}
		// fmt.Fprintf may also write into builders, hashes and formatters: a function
		// makes these itself, while it gets streams as arguments.
		streams := map[string]bool{}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok {
				if sel, ok := f.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Writer" {
					for _, name := range f.Names {
						streams[name.Name] = true
					}
				}
			}
			return true
		})
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(printers, sel.Sel.Name) {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); !ok || pkg.Name != "fmt" {
				return true
			}
			target := ""
			if len(call.Args) > 0 {
				switch x := call.Args[0].(type) {
				case *ast.Ident:
					target = x.Name
				case *ast.SelectorExpr:
					target = x.Sel.Name
				}
			}
			if !strings.HasPrefix(sel.Sel.Name, "F") || streams[target] {
				t.Errorf("%s: prints with fmt.%s", s.path, sel.Sel.Name)
			}
			return true
		})
	}
}

func TestTopLevel(t *testing.T) {
	want := []string{"README.md", "config", "examples", "flow", "go.mod", "go.sum", "main.go", "output"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && e.Name() != "tokenform" {
			got = append(got, e.Name())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the top level has %v, want %v", got, want)
	}
}
