package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout copies git's files into a new directory.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	files.Dir = ".."
	list, err := files.Output()
	if err != nil {
		t.Skipf("not in a git checkout: %v", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			continue // the file is deleted, but the deletion is not committed yet
		}
		info, err := os.Stat(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRename gives a copy of the module another path, and builds and tries the copy.
func TestRename(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	if testing.Short() {
		t.Skip("builds everything anew")
	}
	dir := checkout(t)
	script := `set -e
examples/release/rename example.com/me/tokenform
go build -o tokenform .
./tokenform apply --sandbox examples/quickstart.yaml -q
go test -run '^(TestImports|TestSandboxCommand)$' ./examples
if grep -rn '"tokenform/' --include=*.go .; then exit 1; fi
gofmt -l . | wc -l
`
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "0") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestReproducible builds the program twice, in two directories, as a release does: the
// bytes are the same.
func TestReproducible(t *testing.T) {
	t.Parallel()
	var first []byte
	for i := range 2 {
		dir := checkout(t)
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "tokenform", ".")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(filepath.Join(dir, "tokenform"))
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 && string(first) != string(b) {
			t.Error("two builds of the same files differ")
		}
		first = b
	}
}
