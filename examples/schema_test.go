package examples

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"tokenform/config"
	"tokenform/output/terminal"
)

// schema compiles a schema of the program, with formats such as dates checked.
func schema(text string) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}

// conform checks every JSON that the program has printed in these tests against the
// program's own schema.
func conform() error {
	s, err := schema(terminal.Schema)
	if err != nil {
		return err
	}
	runs, err := filepath.Glob(filepath.Join(canaries, "*.args"))
	if err != nil {
		return err
	}
	var errs []error
	seen := map[string]int{}
	for _, run := range runs {
		args, err := os.ReadFile(run)
		if err != nil {
			return err
		}
		words := strings.Fields(string(args))
		if dash := slices.Index(words, "--"); dash >= 0 {
			words = words[:dash] // the words after -- belong to another command
		}
		said, err := os.ReadFile(strings.TrimSuffix(run, ".args") + ".json")
		if err != nil && slices.Contains(words, "--json") {
			said, err = os.ReadFile(strings.TrimSuffix(run, ".args") + ".out")
		}
		if err != nil {
			continue // the run was not asked for JSON
		}
		objects := [][]byte{said}
		if slices.Contains(words, "watch") {
			objects = bytes.Split(bytes.TrimSpace(said), []byte("\n"))
		}
		for _, object := range objects {
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(object))
			if err != nil {
				errs = append(errs, fmt.Errorf("tokenform %q prints no JSON: %w", words, err))
				continue
			}
			if err := s.Validate(v); err != nil {
				errs = append(errs, fmt.Errorf("tokenform %q: %w", words, err))
			}
			name := "watch"
			if m, ok := v.(map[string]any); ok && m["command"] != nil {
				name = fmt.Sprint(m["command"])
				for _, part := range []string{"error", "problems", "summary"} {
					if m[part] != nil {
						seen[part]++
					}
				}
			}
			seen[name]++
		}
	}
	for _, name := range []string{"init", "validate", "plan", "apply", "status", "token", "watch", "import", "destroy", "version", "error", "problems", "summary"} {
		if seen[name] == 0 {
			errs = append(errs, fmt.Errorf("no JSON of %s was seen", name))
		}
	}
	if seen["plan"] < 20 {
		errs = append(errs, fmt.Errorf("only %d plans were seen; the net has a hole", seen["plan"]))
	}
	return errors.Join(errs...)
}

// TestProfileSchema checks that the schema accepts every profile in this directory, and
// finds the mistakes that a schema can find.
func TestProfileSchema(t *testing.T) {
	t.Parallel()
	s, err := schema(config.Schema)
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) (errs []error) {
		t.Helper()
		d := yaml.NewDecoder(strings.NewReader(text))
		for {
			var v any
			if err := d.Decode(&v); err != nil {
				return errs
			}
			errs = append(errs, s.Validate(v))
		}
	}
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if errs := check(string(b)); len(errs) == 0 || errors.Join(errs...) != nil {
			t.Errorf("%s: %v", f, errors.Join(errs...))
		}
	}
	if err := errors.Join(check(config.Starter{Scopes: []string{"streaming"}}.Text())...); err != nil {
		t.Errorf("init's: %v", err)
	}
	for _, wrong := range []string{
		"scopes: [1]", "defaults: {profile: a}", "defaults: {min_ttl: 1m}\nclient: {id: a}", "client: {id: a, key: b}", "client: {id: a}\nscope: [a]", "client: {id: a}\ngrant: implicit", "client: {id: a}\nmin_ttl: 5",
		"client: {id: a}\noutputs: [{type: env}]", "client: {id: a}\noutputs: [{type: json, path: a, format: xml}]",
		"client: {id: a}\noutputs: [{type: command, command: []}]", "client: {id: {env: A, file: B}}",
	} {
		if errs := check(wrong); len(errs) != 1 || errs[0] == nil {
			t.Errorf("the schema takes %q", wrong)
		}
	}
}
