package output

import (
	"os/exec"
	"strings"
	"testing"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
)

// lockDir locks the directory of path like another process would.
func lockDir(t *testing.T, path string) (unlock func()) {
	t.Helper()
	unlock, err := atomicfile.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

// writes counts the calls of Write.
type writes struct {
	strings.Builder
	calls int
}

func (w *writes) Write(b []byte) (int, error) {
	w.calls++
	return w.Builder.Write(b)
}

func TestWriteToken(t *testing.T) {
	t.Parallel()
	p := config.Profile{Name: "dev"}
	for format, want := range map[string]string{
		"token":      "BQaccess-1_x\n",
		"env":        "SPOTIFY_ACCESS_TOKEN=BQaccess-1_x\nSPOTIFY_TOKEN_EXPIRES_AT=2026-11-23T20:04:05Z\n",
		"export":     "export SPOTIFY_ACCESS_TOKEN=BQaccess-1_x\nexport SPOTIFY_TOKEN_EXPIRES_AT=2026-11-23T20:04:05Z\n",
		"header":     "Authorization: Bearer BQaccess-1_x\n",
		"fish":       "set -gx SPOTIFY_ACCESS_TOKEN 'BQaccess-1_x'\nset -gx SPOTIFY_TOKEN_EXPIRES_AT '2026-11-23T20:04:05Z'\n",
		"powershell": "$env:SPOTIFY_ACCESS_TOKEN = 'BQaccess-1_x'\n$env:SPOTIFY_TOKEN_EXPIRES_AT = '2026-11-23T20:04:05Z'\n",
		"json":       `{"access_token":"BQaccess-1_x","token_type":"Bearer","scope":"streaming user-top-read","expires_at":"2026-11-23T20:04:05Z","profile":"dev"}` + "\n",
	} {
		var w writes
		if err := WriteToken(&w, p, someToken(), format); err != nil {
			t.Fatal(err)
		}
		if w.String() != want || w.calls != 1 {
			t.Errorf("%s: %q in %d writes, want %q in one", format, w.String(), w.calls, want)
		}
	}
	var w writes
	if err := WriteToken(&w, p, someToken(), "yaml"); fault.KindOf(err) != fault.Invalid || w.calls != 0 {
		t.Errorf("an unknown format: %v, %d writes", err, w.calls)
	}
}

func TestExportIsSafe(t *testing.T) {
	t.Parallel()
	tok := someToken()
	tok.Access = "a'b\"c $HOME `id` ;&|\n\\"
	for format, shell := range map[string][]string{
		"export": {"sh", "-c", `eval "$1"; printf %s "$SPOTIFY_ACCESS_TOKEN"`, "sh"},
		"fish":   {"fish", "-c", `echo -n "$argv[1]" | source; printf %s "$SPOTIFY_ACCESS_TOKEN"`},
	} {
		t.Run(format, func(t *testing.T) {
			var w strings.Builder
			if err := WriteToken(&w, config.Profile{}, tok, format); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program(t, shell[0]), append(shell[1:], w.String())...)
			if got := string(output(t, cmd)); got != tok.Access {
				t.Errorf("the shell has %q, want %q", got, tok.Access)
			}
		})
	}
}

// TestPrintedLast checks that a reader of standard output finds the files written.
func TestPrintedLast(t *testing.T) {
	t.Parallel()
	d := newDisk(t, config.Output{Type: "stdout", Format: "token"}, jsonFile("token.json"))
	d.files.Out = after(func() { d.holds("token.json", tokenFile) })
	d.says(d.apply(someToken()), "create token.json: missing", "print standard output")
}

// after is a writer that calls itself for each write.
type after func()

func (f after) Write(b []byte) (int, error) { f(); return len(b), nil }
