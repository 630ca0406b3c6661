package examples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	agelib "filippo.io/age"

	"tokenform/flow/sandbox"
)

// TestKeychains logs in with each profile of keychains.yaml and reads the login again,
// with stand-ins for the programs of the keychains.
func TestKeychains(t *testing.T) {
	t.Parallel()
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	b, err := os.ReadFile("keychains.yaml")
	if err != nil {
		t.Fatal(err)
	}
	key, err := agelib.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	const example = "age15d0pcqck0pxuh67tq6602ca88ehm3edyqthpzhtm3a2qk3jsk5wsf5sz4p"
	write(t, filepath.Join(dir, "tokenform.yaml"), strings.ReplaceAll(string(b), example, key.Recipient().String()))
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	programs := map[string]string{
		"linux secret-tool": "lookup service tokenform", "macos security": "find-generic-password -s tokenform -a age -w",
		"one-password op": "read --no-newline op://Private/tokenform/password",
	}
	env := surroundings(dir, url, "BROWSER="+robot(t), "SPOTIFY_CLIENT_ID=app", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for names, args := range programs {
		profile, name, _ := strings.Cut(names, " ")
		write(t, filepath.Join(bin, name), "#!/bin/sh\n[ \"$*\" = '"+args+"' ] || exit 1\necho asked >>\"$0.asked\"\necho "+key.String()+"\n")
		if err := os.Chmod(filepath.Join(bin, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := run(t, dir, env, "apply", "--login", "browser", "-p", profile); code != 0 {
			t.Fatalf("%s: exit %d\n%s", profile, code, stderr)
		}
		kept, err := os.ReadFile(stateAt(filepath.Join(dir, ".tokenform"), profile+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(kept), `"encrypted"`) || strings.Contains(string(kept), "refresh_token") {
			t.Errorf("%s: not encrypted: %s", profile, kept)
		}
		code, token, stderr := run(t, dir, env, "token", "--login", "never", "-p", profile)
		if code != 0 || !strings.HasPrefix(token, "BQ") || strings.Contains(stderr, "AGE-SECRET-KEY") {
			t.Errorf("%s: exit %d, %q\n%s", profile, code, token, stderr)
		}
		if _, err := os.Stat(filepath.Join(bin, name+".asked")); err != nil {
			t.Errorf("%s was not asked for the key", name)
		}
		if err := os.Remove(filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := run(t, dir, env, "token", "--login", "never", "-p", profile); code == 0 || !strings.Contains(stderr, name) {
			t.Errorf("%s: without the keychain: exit %d\n%s", profile, code, stderr)
		}
	}
}
