package output

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tokenform/config"
)

// TestSinks checks that each output type has one sink of one kind, and that no other
// code knows a type by its name.
func TestSinks(t *testing.T) {
	types := []config.OutputType{config.EnvOutput, config.JSONOutput, config.TemplateOutput, config.CommandOutput, config.StdoutOutput, config.GitHubOutput}
	if len(sinks) != len(types) {
		t.Errorf("%d sinks for %d types", len(sinks), len(types))
	}
	for _, kind := range types {
		sink := sinkOf(kind)
		kinds := 0
		if _, ok := sink.(fileSink); ok {
			kinds++
		}
		if _, ok := sink.(commandSink); ok {
			kinds++
		}
		if _, ok := sink.(streamSink); ok {
			kinds++
		}
		if kinds != 1 {
			t.Errorf("the sink of %s is of %d kinds", kind, kinds)
		}
	}
	if sinkOf("toml") != nil {
		t.Error("a type that nobody declared has a sink")
	}

	names := map[string]bool{}
	for _, kind := range types {
		names[string(kind)] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "stdout.go" {
			continue // some formats of stdout have the same names
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, _ := strconv.Unquote(lit.Value); names[s] {
					t.Errorf("%s: the output type %q by its name", name, s)
				}
			}
			return true
		})
	}
}
