package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestD14OutputOverInput checks that an output may not replace a file that a profile
// reads, whatever path leads to the file.
func TestD14OutputOverInput(t *testing.T) {
	for name, c := range map[string]struct {
		profile string
		want    string
	}{
		"a link to its own template":        {"outputs: [{type: template, path: link, template: page.in}]", "overwrite a template"},
		"another output at a template":      {"outputs: [{type: template, path: page, template: page.in}, {type: json, path: sub/../page.in}]", "overwrite a template"},
		"an env output at a template":       {"outputs: [{type: template, path: page, template: page.in}, {type: env, path: page.in, keys: {scope: S}}]", "overwrite a template"},
		"a hard link to a template":         {"outputs: [{type: template, path: page, template: page.in}, {type: json, path: hard}]", "overwrite a template"},
		"the secret's file":                 {"outputs: [{type: json, path: secret}]", "overwrite the file that client.secret comes from"},
		"the secret's file, through a link": {"outputs: [{type: env, path: linked/secret, keys: {scope: S}}]", "overwrite the file that client.secret comes from"},
		"the profile, through a link":       {"outputs: [{type: json, path: linked/p.yaml}]", "overwrite a profile"},
		"an env_file, through a link":       {"env_file: [vars]\noutputs: [{type: json, path: linked/vars}]", "overwrite an env_file"},
		"the state, through a link":         {"outputs: [{type: json, path: linked/.tokenform/x}]", "is inside a state directory"},
		"an env output at an env_file":      {"env_file: [vars]\noutputs: [{type: env, path: vars, keys: {scope: S}}]", ""},
		"a file of its own":                 {"outputs: [{type: template, path: page, template: page.in}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			for name, text := range map[string]string{
				"p.yaml": "profile: p\nclient: {id: app, secret: {file: secret}}\n" + c.profile + "\n", "page.in": "${access_token}", "secret": "hush", "vars": "A=b\n",
			} {
				if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, err := range []error{os.Symlink("page.in", at("link")), os.Link(at("page.in"), at("hard")), os.Symlink(".", at("linked")), os.Mkdir(at("sub"), 0o700)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			_, problems := Load(t.Context(), Sources{Env: os.LookupEnv, Dir: dir}, []string{"p.yaml"})
			var found []string
			for _, p := range problems.Errors() {
				found = append(found, p.Message)
			}
			if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.HasSuffix(found[0], c.want)) {
				t.Errorf("problems %q, want %q", found, c.want)
			}
		})
	}
}
