package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// TestNames uses directories and files with any name that a file system takes. Messages
// about them must stay on one line, and a hint must be runnable as printed.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"two  words ", "-rf", "--help", "über 日本 🎵", "it's", "#1 & $HOME; `id` (x)*", "%41", `back\slash`,
		`a "quote"`, "two\nlines", "bell\a", "turned \u202e round",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && (strings.ContainsAny(name, "\"*\\\n\a") || strings.HasSuffix(name, " ")) {
				t.Skip("no name on Windows")
			}
			_, url := spotify(t, sandbox.Options{AnyApp: true})
			dir := t.TempDir()
			env := surroundings(dir, url, "BROWSER="+robot(t))
			file := name + "/" + name + ".env"
			if strings.ContainsAny(name, "\n\a") {
				file = "plain/plain.env" // profiles may be in such directories, but not name them
			}
			out := filepath.Dir(filepath.Join(dir, name, file))
			if err := os.MkdirAll(out, 0o700); err != nil {
				t.Fatal(err)
			}
			quoted, err := json.Marshal(file) // JSON is YAML
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name, name+".yaml"), "profile: dev\nclient: {id: app}\nredirect_uri: http://127.0.0.1/callback\n"+
				"outputs: [{type: env, path: "+string(quoted)+", keys: {access_token: TOKEN}}]\n")
			apply := []string{"apply", "--login", "browser", "--", name + "/" + name + ".yaml"}
			if code, _, stderr := run(t, dir, env, apply...); code != 0 {
				t.Fatalf("exit %d\n%s", code, stderr)
			}
			if b, err := os.ReadFile(filepath.Join(dir, name, file)); err != nil || !strings.HasPrefix(string(b), "TOKEN=") {
				t.Fatalf("no token is there: %v", err)
			}

			// The file becomes a link into a missing directory, which the hint must
			// make.
			if err := os.Remove(filepath.Join(dir, name, file)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(out, "gone", "it"), filepath.Join(dir, name, file)); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := run(t, dir, env, apply...)
			lines := strings.Split(stderr, "\n")
			readable := strings.NewReplacer("\n", `\x0a`, "\a", `\x07`, "\u202e", `\x202e`).Replace
			if want := "error: dev: " + readable(file) + ": its directory does not exist"; code != 1 || lines[0] != want {
				t.Fatalf("exit %d\n%s\nwant %s", code, stderr, want)
			}
			mkdir, ok := strings.CutPrefix(lines[1], "hint: ")
			if !ok {
				t.Fatalf("no hint:\n%s", stderr)
			}
			if readable(name) == name && runtime.GOOS != "windows" {
				sh := exec.Command("sh", "-c", mkdir)
				sh.Dir = dir
				if out, err := sh.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", mkdir, err, out)
				}
				if code, _, stderr := run(t, dir, env, apply...); code != 0 {
					t.Errorf("the hint was no cure:\n%s", stderr)
				}
			}
		})
	}
}

// TestForeignWriter lets another program, which takes no lock, change .env again and
// again while tokenform writes it. Only a change between tokenform's last check and its
// rename may be lost. With a sync of the disk in between, as in older versions, every
// other apply would lose a change.
func TestForeignWriter(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("nobody replaces a file there while another program reads it")
	}
	for _, w := range []struct {
		name  string
		write func(path string, b []byte) error
	}{
		{"renames", func(path string, b []byte) error {
			if err := os.WriteFile(path+".new", b, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}},
		{"rewrites", func(path string, b []byte) error { return os.WriteFile(path, b, 0o600) }},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			_, url := spotify(t, sandbox.Options{AnyApp: true})
			dir := t.TempDir()
			env := surroundings(dir, url, "BROWSER="+robot(t))
			path := filepath.Join(dir, ".env")
			x := &foreign{path: path, write: w.write}
			if err := w.write(path, x.content()); err != nil {
				t.Fatal(err)
			}
			// Each apply must write, because the profile has another variable each
			// time.
			declare := func(i int) {
				write(t, filepath.Join(dir, "tokenform.yaml"), fmt.Sprintf("profile: dev\nclient: {id: app}\nredirect_uri: http://127.0.0.1/callback\noutputs: [{type: env, path: .env, keys: {access_token: T%d}}]\n", i))
			}
			declare(0)
			if code, _, stderr := run(t, dir, env, "apply", "--login", "browser"); code != 0 {
				t.Fatal(stderr)
			}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() { x.work(t, stop) })
			const applies = 24
			gaveUp := 0
			for i := range applies {
				declare((i + 1) % 2)
				switch code, _, stderr := run(t, dir, env, "apply", "--login", "never"); code {
				case 0:
				case 5:
					gaveUp++
				default:
					t.Fatalf("exit %d\n%s", code, stderr)
				}
			}
			close(stop)
			wg.Wait()
			declare(0)
			if code, _, stderr := run(t, dir, env, "apply", "--login", "never"); code != 0 {
				t.Fatal(stderr)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// The other program may have written back a T1 that it read before
			// tokenform removed it.
			if theirs := theirs(b); !bytes.Equal(theirs, x.content()) || bytes.Count(b, []byte("T0=")) != 1 {
				t.Errorf("at the end it holds %d bytes; theirs end in %q", len(b), theirs[max(0, len(theirs)-40):])
			}
			t.Logf("another program %-8s .env %4d times while %d applies write there: %d of its changes lost, %d applies gave up", w.name, x.n, applies, x.lost, gaveUp)
			if x.lost > applies/3 {
				t.Errorf("%d changes lost", x.lost)
			}
		})
	}
}

// foreign is a program that counts in one line of a file full of other lines.
type foreign struct {
	path    string
	write   func(path string, b []byte) error
	n, lost int
}

func (x *foreign) content() []byte {
	return []byte(strings.Repeat("# a line of theirs\n", 100) + fmt.Sprintf("COUNT=%d\n", x.n))
}

// work changes the file until stop, and then once more while nobody else writes: the
// last change before stop may be lost.
func (x *foreign) work(t *testing.T, stop <-chan struct{}) {
	for last := false; !last; {
		select {
		case <-stop:
			last = true
		case <-time.After(rand.N(10 * time.Millisecond)):
		}
		b, err := os.ReadFile(x.path)
		if err != nil {
			t.Error(err)
			return
		}
		theirs := theirs(b)
		if !bytes.Equal(theirs, x.content()) {
			x.lost++
		}
		ours := bytes.TrimPrefix(b, theirs) // our lines are at the end
		x.n++
		if err := x.write(x.path, append(x.content(), ours...)); err != nil {
			t.Error(err)
			return
		}
	}
}

// theirs returns the lines that are not ours.
func theirs(b []byte) (theirs []byte) {
	for line := range bytes.Lines(b) {
		if !bytes.HasPrefix(line, []byte("T0=")) && !bytes.HasPrefix(line, []byte("T1=")) {
			theirs = append(theirs, line...)
		}
	}
	return theirs
}
