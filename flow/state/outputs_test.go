package state

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestOutputs checks that the record of outputs moves with the project, and that a
// project which was moved or copied does not own files outside.
func TestOutputs(t *testing.T) {
	root := t.TempDir()
	project, outside := filepath.Join(root, "project"), filepath.Join(root, "outside.env")
	if err := os.MkdirAll(project, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(project, ".tokenform")
	e := lock(t, Real.Open(dir), "dev")
	in := func(dir string) []Written {
		return []Written{
			{Type: "env", Path: filepath.Join(dir, ".env"), Vars: map[string]string{"A": "1"}, Made: true},
			{Type: "json", Path: filepath.Join(dir, "sub", "token.json"), Digest: "d", Refresh: "r"},
			{Type: "command", Path: "./push.sh '<' access_token", Digest: "c"},
		}
	}
	away := Written{Type: "json", Path: outside, Digest: "o"}
	if err := e.SaveOutputs(append(in(project), away), project); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "dev.outputs")); strings.Contains(string(b), filepath.Join(project, "sub")) {
		t.Errorf("the record of a file in the project is not relative:\n%s", b)
	}
	read := func(state, project string, want []Written, strayed ...string) {
		t.Helper()
		got, s, err := Real.Open(state).Outputs("dev", project, nil)
		if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(s, strayed) {
			t.Errorf("read %+v, strayed %v, %v\nwant %+v, %v", got, s, err, want, strayed)
		}
	}
	read(dir, project, append(in(project), away))

	linked := filepath.Join(root, "linked")
	if err := os.Symlink("project", linked); err != nil {
		t.Fatal(err)
	}
	read(filepath.Join(linked, ".tokenform"), linked, append(in(linked), away))

	copied := filepath.Join(root, "copied")
	if err := os.CopyFS(copied, os.DirFS(project)); err != nil {
		t.Fatal(err)
	}
	read(filepath.Join(copied, ".tokenform"), copied, in(copied), outside)

	moved := filepath.Join(root, "moved")
	if err := os.Rename(project, moved); err != nil {
		t.Fatal(err)
	}
	read(filepath.Join(moved, ".tokenform"), moved, in(moved), outside)

	if err := os.WriteFile(filepath.Join(moved, ".tokenform", "dev.outputs"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Real.Open(filepath.Join(moved, ".tokenform")).Outputs("dev", moved, nil); err == nil || !strings.Contains(err.Error(), "dev.outputs: not a record of outputs") {
		t.Errorf("a damaged record: %v", err)
	}
}

// older is a state file as written by a tokenform that had no records of outputs.
const older = `{
  "version": 1,
  "serial": 3,
  "profile": "dev",
  "source": "../tokenform.yaml",
  "client_id": "app",
  "grant": "pkce",
  "access_token": "BQ",
  "token_type": "Bearer",
  "scopes": null,
  "obtained_at": "2026-11-26T12:00:00Z",
  "expires_at": "2026-11-26T13:00:00Z",
  "refresh_token": "AQ",
  "outputs": [
    {"type": "env", "path": "/p/.env", "variables": {"T": "sha256:1"}},
    {"type": "json", "path": "/p/token.json", "digest": "sha256:2"}
  ]
}
`

// TestUpgrade checks that state of an older tokenform is read, and that its record of
// outputs becomes a file of its own before the login is saved.
func TestUpgrade(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dev.json"), []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []Written{{Type: "env", Path: "/p/.env", Vars: map[string]string{"T": "sha256:1"}}, {Type: "json", Path: "/p/token.json", Digest: "sha256:2", Made: true}}
	s := Real.Open(dir)
	tok, err := s.Read(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.Outputs("dev", "/p", tok); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	e := lock(t, s, "dev")
	if got, _, err := e.Outputs("/p", tok); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("under the lock %+v, %v", got, err)
	}
	if err := e.Save(tok); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "dev.json")); strings.Contains(string(b), "outputs") {
		t.Errorf("the login still has outputs:\n%s", b)
	}
	if tok, err = s.Read(t.Context(), "dev"); err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.Outputs("dev", "/p", tok); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("afterwards %+v, %v", got, err)
	}
}

func TestRealmOf(t *testing.T) {
	const spotify = "https://accounts.spotify.com"
	for server, want := range map[string]Realm{
		spotify:                    Real,
		"http://127.0.0.1:8889":    "@127.0.0.1_8889",
		"http://[::1]:8889":        "@__1_8889",
		"https://Accounts.Example": "@accounts.example",
	} {
		if got := RealmOf(server, spotify); got != want {
			t.Errorf("%s: %q, want %q", server, got, want)
		}
	}
}
