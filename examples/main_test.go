// Package examples has profiles and pipelines to copy, and the tests which show that
// they work: with the built program, a real disk, a real terminal if needed, and the
// stand-in for Spotify.
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

// the built program; the test binary also serves as $BROWSER
var program string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if os.Getenv("FUSE_DIR") != "" {
		return serveLoose()
	}
	if what := os.Getenv("TEST_FORWARD"); what != "" {
		fmt.Println(relayInNamespace(what))
		return 1
	}
	if canaries = os.Getenv("CANARIES"); canaries != "" { // this process is the browser
		remember(os.Args[1:], "", "")
		if _, err := flow.AgreeingBrowser(context.Background(), os.Args[1]); err != nil {
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
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "..")
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
		return code // the canaries need the output of all tests
	}
	for _, look := range []func() error{sing, conform} {
		if err := look(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	return code
}

// selected reports whether only some of the tests run.
func selected() bool {
	for _, name := range []string{"test.run", "test.list", "test.fuzz", "test.bench", "test.skip"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return testing.Short()
}

// robot returns the value of $BROWSER for a person who agrees to everything.
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

// at returns what a profile's state files have in their names after the profile's name,
// if url is Spotify.
func at(url string) string { return string(state.RealmOf(url, oauth.DefaultAccounts)) }

// stateAt returns the path of the file name in the state directory dir, with the realm
// in the name: dev.json is dev@127.0.0.1_8889.json.
func stateAt(dir, name string) string {
	ext := filepath.Ext(name)
	if found, _ := filepath.Glob(filepath.Join(dir, strings.TrimSuffix(name, ext)+"@*"+ext)); len(found) == 1 {
		return found[0]
	}
	return filepath.Join(dir, name)
}

// unrealm returns a path without the realm in it.
func unrealm(path string) string { return realmInName.ReplaceAllString(path, "$1") }

var realmInName = regexp.MustCompile(`@[^/]+(\.(?:json|lock|outputs))`)

// reached waits until server has got more than asked requests for path.
func reached(t testing.TB, server *faults.Server, path string, asked int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); server.Count(path) <= asked; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no request for %s", path)
		}
	}
}

// surroundings returns a minimal environment with the program on the PATH, and with url
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
