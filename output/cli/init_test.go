package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tokenform/config"
)

// TestInitEveryCombination writes a profile for each combination of answers, and applies
// each one with --sandbox, without a variable, file or command of the profile.
func TestInitEveryCombination(t *testing.T) {
	combinations := 0
	for _, use := range config.Uses {
		for _, id := range []string{"", "0123456789abcdef0123456789abcdef"} {
			for _, secret := range []string{"none", "variable", "file:secrets/spotify secret", "command:pass show spotify/secret"} {
				if use == config.AppOnly && secret == "none" {
					continue // refused, see below
				}
				for _, scopes := range []string{"", "user-library-read,streaming"} {
					if use == config.AppOnly && scopes != "" {
						continue
					}
					for _, outputs := range []string{"", "env", "json", "stdout", "env json stdout"} {
						args := []string{"init", "--for", string(use), "--secret", secret}
						if id != "" {
							args = append(args, "--client-id", id)
						}
						if scopes != "" {
							args = append(args, "--scope", scopes)
						}
						for o := range strings.FieldsSeq(outputs) {
							args = append(args, "--output", o)
						}
						combinations++
						dir := t.TempDir()
						if r := run(t, dir, nil, "", args...); r.code != 0 {
							t.Fatalf("%q: exit %d\n%s", args, r.code, r.err)
						}
						// Port 8888 may be in use on the machine of this test.
						file := filepath.Join(dir, "tokenform.yaml")
						b, err := os.ReadFile(file)
						if err != nil {
							t.Fatal(err)
						}
						if err := os.WriteFile(file, []byte(strings.Replace(string(b), ":8888", "", 1)), 0o600); err != nil {
							t.Fatal(err)
						}
						r := run(t, dir, nil, "", "apply", "--sandbox")
						if r.code != 0 || strings.Contains(r.out, "export SPOTIFY_ACCESS_TOKEN=") != strings.Contains(outputs, "stdout") {
							t.Errorf("%q: apply: exit %d, %q\n%s\n%s", args, r.code, r.out, r.err, b)
						}
						for name, kind := range map[string]string{".env": "env", "token.json": "json"} {
							_, err := os.Stat(filepath.Join(dir, name))
							if want := strings.Contains(outputs, kind) || kind == "env" && outputs == ""; (err == nil) != want {
								t.Errorf("%q: %s: %v", args, name, err)
							}
						}
					}
				}
			}
		}
	}
	if combinations != 190 {
		t.Errorf("%d combinations", combinations)
	}
}

// TestInitRefuses checks what init does not write.
func TestInitRefuses(t *testing.T) {
	dir := project(t, profile)
	for line, want := range map[string]string{
		"init":                                      "tokenform.yaml already exists",
		"init new.yaml --for app --secret none":     "grant client_credentials needs client.secret",
		"init new.yaml --client-id abc":             "--client-id: a client ID has 32 hexadecimal digits, in lower case",
		"init new.yaml --scope user-library-raed":   `unknown scope "user-library-raed"` + "\nhint: did you mean user-library-read?",
		"init new.yaml --output xml":                "--output: must be one of env, json, stdout",
		"init new.yaml --secret somewhere":          "--secret: unknown source",
		"init new.yaml --for app --scope streaming": "--scope does not apply to --for app",
	} {
		r := run(t, dir, nil, "", strings.Fields(line)...)
		if r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit %d\n%s", line, r.code, r.err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tokenform.yaml")); err != nil || string(b) != profile {
		t.Errorf("the profile was overwritten: %v\n%s", err, b)
	}
	if r := run(t, dir, nil, "", "init", "missing/new.yaml"); r.code != 1 || !strings.Contains(r.err, "no such file or directory") {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("init makes directories")
	}
}
