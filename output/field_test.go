package output

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
)

// TestE3BoundedErrors checks that only the end is kept if a command prints without end.
func TestE3BoundedErrors(t *testing.T) {
	var kept fault.Tail
	chunk := []byte(strings.Repeat("x", 100_000))
	for range 50 {
		if n, err := kept.Write(chunk); n != len(chunk) || err != nil {
			t.Fatal(n, err)
		}
	}
	_, _ = kept.Write([]byte("\nthe end"))
	if len(kept.String()) > 64<<10 || !strings.HasSuffix(kept.String(), "\nthe end") {
		t.Errorf("%d bytes kept", len(kept.String()))
	}
}

// TestE3Pieces checks that a piece of the secret with at least 8 characters is masked,
// wherever the secret is cut.
func TestE3Pieces(t *testing.T) {
	for in, want := range map[string]string{
		"got 3f9a1c77e0 (10 bytes)":   "got [redacted] (10 bytes)",
		"got 9a1c77e0b5!":             "got [redacted]!",
		"token=BQ3f9a1c77e0b5d2":      "token=[redacted]",
		"short 3f9a1c7":               "short 3f9a1c7",
		"no such file or directory":   "no such file or directory",
		"3f9a1c77 and e0b5d2 and BQ3": "[redacted] and e0b5d2 and BQ3",
	} {
		if got := fault.LastLine("before\n"+in+"\n", "BQ3f9a1c77e0b5d2"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func needsShell(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh here")
	}
}

// TestE3Background: a background child that keeps standard error open is no failure.
func TestE3Background(t *testing.T) {
	needsShell(t)
	d := newDisk(t, config.Output{Type: config.CommandOutput, Shown: "sh", Command: []string{"sh", "-c", "cat >/dev/null; sleep 5 &"}, Value: "access_token"})
	d.p.Outputs[0].Path = ""
	made, err := d.files.Write(t.Context(), d.p, someToken(), nil)
	if err != nil || len(made) != 1 || made[0].Got == "" {
		t.Errorf("made %+v, %v", made, err)
	}
}

// TestD15Limit checks that an env file does not grow beyond the size that the next run
// can read.
func TestD15Limit(t *testing.T) {
	d := newDisk(t, env(".env", "access_token=T"))
	d.write(".env", strings.Repeat("T=x\n", 200_000), 0o600)
	long := someToken()
	long.Access = strings.Repeat("a", 300)
	if _, err := d.files.Write(t.Context(), d.p, long, nil); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("error %v", err)
	}
	d.holds(".env", strings.Repeat("T=x\n", 200_000))
}

// TestE5LeftByAKill checks that new content waits in the state directory, where git
// ignores it, and that the next run deletes what a killed process left, even if the
// output is no longer declared.
func TestE5LeftByAKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows, new content waits beside the file")
	}
	d := newDisk(t, env(".env", "access_token=T"))
	d.write(".env", "MINE=1\n", 0o600)
	d.p.State = d.path(".tokenform")
	room := d.files.stagingDir(d.p)
	if err := os.MkdirAll(room, 0o700); err != nil {
		t.Fatal(err)
	}
	d.apply(someToken())
	recorded := d.files.Remembered(d.p, someToken(), nil)

	// A process is killed after it has staged the new content: once in the state
	// directory, and once beside the file, as an older tokenform did.
	for _, room := range []string{room, ""} {
		if _, err := atomicfile.Stage(d.path(".env"), room, []byte("MINE=1\n"), []byte("MINE=1\nT=BQ\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (paths []string) {
		for _, dir := range []string{d.dir, room} {
			found, _ := filepath.Glob(filepath.Join(dir, ".*tokenform-tmp"))
			paths = append(paths, found...)
		}
		return paths
	}
	if paths := left(); len(paths) != 2 || filepath.Dir(paths[1]) != room {
		t.Fatalf("staged at %q", paths)
	}
	// Now another path is declared, and somebody has changed the old file, so nothing
	// is taken back.
	d.write(".env", "MINE=1\nT=changed\n", 0o600)
	d.declare(env("other.env", "access_token=T"))
	if _, err := d.files.Write(t.Context(), d.p, someToken(), recorded); err != nil {
		t.Fatal(err)
	}
	if paths := left(); len(paths) > 0 {
		t.Errorf("left: %q", paths)
	}
}

// TestChanged checks when: changed on a machine that keeps no state: the command must
// run only if the login is not that of the profile's refresh_token.
func TestChanged(t *testing.T) {
	needsShell(t)
	t.Parallel()
	tok := someToken()
	for name, c := range map[string]struct {
		seed string
		ran  bool
	}{
		"the same token":               {tok.Refresh, false},
		"the same token, as a seed":    {seedOf(tok).Encode(), false},
		"another token":                {"AQother", true},
		"another token, as a seed":     {config.Seed{Refresh: "AQother"}.Encode(), true},
		"the access token, by mistake": {tok.Access, true},
	} {
		for _, value := range []string{"seed", "refresh_token"} {
			d := newDisk(t, config.Output{Type: config.CommandOutput, Shown: "sh", Command: []string{"sh", "-c", "cat >got"}, Value: value, Changed: true})
			d.p.Outputs[0].Path, d.p.Outputs[0].Dir, d.p.RefreshToken = "", d.dir, config.Literal(c.seed)
			made, err := d.files.Write(t.Context(), d.p, tok, nil)
			b, _ := os.ReadFile(d.path("got"))
			if err != nil || (len(made) == 1) != c.ran || config.ParseSeed(strings.TrimSpace(string(b))).Refresh != map[bool]string{true: tok.Refresh}[c.ran] {
				t.Errorf("%s, %s: made %v, %v; got %q", name, value, made, err, b)
			}
		}
	}
}
