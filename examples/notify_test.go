package examples

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tokenform/flow/sandbox"
)

// TestNotifyExample runs the notifiers of notify.yaml with stand-ins for their programs.
func TestNotifyExample(t *testing.T) {
	t.Parallel()
	server, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	b, err := os.ReadFile("notify.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tokenform.yaml"), string(b))
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"curl", "mail", "notify-send", "gh"} {
		script := filepath.Join(bin, name)
		write(t, script, "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$0.args\"\ntest \"${0##*/}\" = notify-send || cat >>\"$0.in\"\n")
		if err := os.Chmod(script, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	env := surroundings(dir, url, "BROWSER="+robot(t), "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	apply := func(want int, args ...string) {
		t.Helper()
		if code, _, stderr := run(t, dir, env, append([]string{"apply"}, args...)...); code != want {
			t.Fatalf("exit %d, want %d\n%s", code, want, stderr)
		}
	}
	apply(0, "--login", "browser")
	state := stateAt(filepath.Join(dir, ".tokenform"), "notify.json")
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	var token map[string]any
	if err := json.Unmarshal(text, &token); err != nil {
		t.Fatal(err)
	}
	token["authorized_at"] = "2026-01-01T00:00:00Z"
	token["profile"] = "notify"
	old, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	write(t, state, string(old))
	apply(4) // the login has expired
	server.RevokeAll()
	apply(4) // on the same day
	for name, want := range map[string]string{
		"curl.args": "-sSf --data-binary @- https://ntfy.sh/my-secret-topic\n",
		"gh.args":   "issue create --title tokenform needs a login --body-file -\n",
	} {
		if got, err := os.ReadFile(filepath.Join(bin, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	got, err := os.ReadFile(filepath.Join(bin, "curl.in"))
	if err != nil || strings.Count(string(got), "\n") != 1 || !strings.Contains(string(got), `"event":"login_needed","profile":"notify"`) {
		t.Errorf("curl got %q, %v", got, err)
	}
	for _, silent := range []string{"mail.args", "notify-send.args"} {
		if _, err := os.Stat(filepath.Join(bin, silent)); err == nil {
			t.Errorf("%s: that event was not asked for", silent)
		}
	}
}
