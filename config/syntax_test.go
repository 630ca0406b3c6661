package config

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

// TestB6Syntax checks that a syntax error names the place that is wrong, shows its key
// but no value, and has a hint.
func TestB6Syntax(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"client:\n  id: #CANARY\n":                              "2:7: id has no value|  id: …|quote it",
		"client:\n  id: &CANARY\n":                              "2:7: id has no value|  id: …|quote it",
		"client: {id: abc, secret: &CANARY}\n":                  "1:27: secret has no value||quote it",
		"client:\n  id: abc\n  secret: \"CANARY\nscopes: [a]\n": "3:11: not YAML: missing closing quote|  secret: …|close the quote",
		"client:\n  id: abc\n  secret: 'CANARY\nx: y\n":         "3:11: not YAML: missing closing quote|  secret: …|close the quote",
		"client:\n  secret: \"CANARY\n  id: \"x\"\n":            "2:11: not YAML: missing closing quote on this line|  secret: …|close the quote",
		"client: {id: CANARY\nscopes: [streaming]\n":            "1:9: not YAML: the bracket { is never closed|client: {…|close it with }",
		"scopes: [streaming\noutputs: []\n":                     "1:9: not YAML: the bracket [ is never closed|scopes: […|close it with ]",
		"scopes: [a, {b: c]\n":                                  "1:13: not YAML: the bracket { is not closed before ]||close it with }",
		"client: {id: ${CANARY}}\n":                             "1:14: not YAML: ${…} inside brackets needs quotes||in quotes|as \"${NAME}\"",
		"client:\n  id: 'CANARY's'\n":                           "2:7: not YAML: text after a closing quote|  id: …|one pair of quotes",
		"client:\n  id: abc\n secret: CANARY\n":                 "3:2: not YAML: did not find expected key| secret: …|check the indentation",
		"client:\n  id: abc\n   secret: CANARY\n":               "3:4: not YAML: mapping values|   secret: …|check the indentation",
		"client:\n\tid: CANARY\n":                               "2:2: not YAML: |\tid: …|indent with spaces",
		"client:\n  id: @CANARY\n":                              "2:7: not YAML: |  id: …|quote a value",
		"client:\n  id: %CANARY\n":                              "2:7: not YAML: |  id: …|quote a value",
		"client:\n  id: \"CANARY\\qX\"\n":                       "2:3: not YAML: found unknown escape|  id: …|for a backslash",
		"client:\n  id: |CANARY\n":                              "3:1: not YAML: did not find expected comment||starts with",
		// These texts look like one of the mistakes above, but have another.
		"client:\n  id: it's\n  secret: \"a # b\" # don't\n x: CANARY\n":     "4:2: not YAML: did not find expected key||check the indentation",
		"x: |\n  \"open [ {\n  it's\ny: 'CANARY\n":                           "4:4: not YAML: missing closing quote||close the quote",
		"client: {id: \"a]b\", x: 'it''s', y: \"q\\\"\"}\nscopes: [CANARY\n": "2:9: not YAML: the bracket [ is never closed|scopes: […|close it",
		"# it's \"\nclient:\n  - id: [a, b] # [\n  - \"CANARY\n":             "4:5: not YAML: missing closing quote||close the quote",
	} {
		_, problems := Load(t.Context(), Sources{Dir: "/", Env: testEnv, Stdin: func() ([]byte, error) { return []byte(text), nil }}, []string{"-"})
		got := problems[len(problems)-1]
		for _, p := range problems {
			if strings.Contains(p.Message, "not YAML") || strings.Contains(p.Message, "no value") {
				got = p
			}
		}
		parts := strings.Split(want, "|")
		if len(parts) == 3 && (!strings.HasPrefix(got.Error(), "-:"+parts[0]) || got.Line != parts[1] || !strings.Contains(got.Hint, parts[2])) || strings.Contains(show(problems), "CANARY") {
			t.Errorf("%q:\n%s\nline %q, hint %s", text, got.Error(), got.Line, got.Hint)
		}
	}
}

// TestCulprit checks that culprit finds nothing in a text that is YAML, whatever is in
// its quotes and brackets, and finds one quote or bracket too many in its line.
func TestCulprit(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab '\"#:,[]{}|>-&*!%@\\\n\té")), 0, 12, -1)
	scalar := rapid.Custom(func(r *rapid.T) *yaml.Node {
		n := &yaml.Node{}
		n.SetString(text.Draw(r, "text"))
		n.Style = rapid.SampledFrom([]yaml.Style{0, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle}).Draw(r, "style")
		return n
	})
	rapid.Check(t, func(r *rapid.T) {
		root := &yaml.Node{Kind: yaml.MappingNode}
		for _, n := range rapid.SliceOfN(scalar, 1, 4).Draw(r, "values") {
			if rapid.Bool().Draw(r, "in a list") {
				n = &yaml.Node{Kind: yaml.SequenceNode, Style: rapid.SampledFrom([]yaml.Style{0, yaml.FlowStyle}).Draw(r, "style"), Content: []*yaml.Node{n, scalar.Draw(r, "second")}}
			}
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "k" + string(rune('a'+len(root.Content)))}, n)
		}
		b, err := yaml.Marshal(root)
		if err != nil {
			r.Skip()
		}
		if strings.Contains(string(b), "${") {
			r.Skip()
		}
		if wrong := culprit(b); wrong != nil {
			r.Errorf("%d:%d: %s in\n%s", wrong.line, wrong.col, wrong.message, b)
		}
		line := strings.Count(string(b), "\n") + 1
		for _, open := range []string{"z: \"a\n", "z: 'a\n", "z: [a\n", "z: {a\n"} {
			if wrong := culprit(append(b, open...)); wrong == nil || wrong.line != line || wrong.col != 4 {
				r.Errorf("%v in\n%s%s", wrong, b, open)
			}
		}
	})
}
