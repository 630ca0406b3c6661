// Package examples holds profiles and pipelines that people copy, and the
// stories that show that they work: the built program, a real disk, a real
// terminal where one is needed, and the stand-in for Spotify.
package examples

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokenform/flow"
	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
	"tokenform/flow/state"
)

// program is the built program; the test binary doubles as $BROWSER.
var program string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if os.Getenv("FUSE_DIR") != "" {
		return serveLoose()
	}
	if canaries = os.Getenv("CANARIES"); canaries != "" { // we are the browser
		remember(os.Args[1:], "", "")
		if _, err := flow.Robot(context.Background(), os.Args[1]); err != nil {
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "tokenform-test")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "tokenform")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "tokenform")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("go build: %v\n%s", err, out)
		return 1
	}
	canaries = filepath.Join(dir, "canaries")
	bin := filepath.Join(dir, "bin", "tokenform")
	for _, err := range []error{os.MkdirAll(canaries, 0o700), os.MkdirAll(filepath.Dir(bin), 0o700), os.WriteFile(bin, []byte(wrapper), 0o700)} {
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
	code := m.Run()
	if selected() {
		return code // the net is for the catch of all tests
	}
	for _, look := range []func() error{sing, conform} {
		if err := look(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	return code
}

// selected reports whether only some of the tests were asked for.
func selected() bool {
	for _, name := range []string{"test.run", "test.list", "test.fuzz", "test.bench", "test.skip"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return testing.Short()
}

// robot is the value of $BROWSER for a person who agrees to everything.
func robot(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// spotify starts a stand-in with the system's clock.
func spotify(t testing.TB, o sandbox.Options) (*faults.Server, string) {
	t.Helper()
	o.Now = time.Now
	o.AutoConsent = true
	s := faults.New(o)
	serversMu.Lock()
	servers = append(servers, s)
	serversMu.Unlock()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

// at is what a profile's files in the state directory are called by, beside its
// name, if url is Spotify.
func at(url string) string { return string(state.RealmOf(url, oauth.DefaultAccounts)) }

// stateAt is the path of a file in the state directory dir, which is called by its
// realm, too: dev.json is dev@127.0.0.1_8889.json.
func stateAt(dir, name string) string {
	ext := filepath.Ext(name)
	if found, _ := filepath.Glob(filepath.Join(dir, strings.TrimSuffix(name, ext)+"@*"+ext)); len(found) == 1 {
		return found[0]
	}
	return filepath.Join(dir, name)
}

// unrealm is a path without the realm in it.
func unrealm(path string) string { return realmInName.ReplaceAllString(path, "$1") }

var realmInName = regexp.MustCompile(`@[^/]+(\.(?:json|lock|outputs))`)

// reached waits until more than asked requests for path have come to server.
func reached(t testing.TB, server *faults.Server, path string, asked int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); server.Count(path) <= asked; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no request for %s", path)
		}
	}
}

// surroundings is a bare environment with the program on the PATH, and with url
// as Spotify.
func surroundings(home, url string, more ...string) []string {
	env := []string{
		"HOME=" + home,
		"TOKENFORM=" + program,
		"CANARIES=" + canaries,
		"PATH=" + filepath.Join(filepath.Dir(program), "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
		"LANG=C.UTF-8",
	}
	if url != "" {
		env = append(env, "TOKENFORM_ACCOUNTS_URL="+url, "TOKENFORM_API_URL="+url)
	}
	return append(env, more...)
}
