package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox"
)

// sent matches the first try of a request in what --debug prints.
var sent = regexp.MustCompile(`(?m)^debug: (\w+) (http\S+) \(try 1 of`)

// TestManyProfiles keeps many logins in each store: a first apply, then one with nothing to
// do, which asks the store once for each profile. TOKENFORM_PROFILES is their number.
func TestManyProfiles(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	profiles := 60
	if n, err := strconv.Atoi(os.Getenv("TOKENFORM_PROFILES")); err == nil {
		profiles = n
	}
	for _, start := range engines {
		t.Run(start.name, func(t *testing.T) {
			e := start.start(t)
			_, url := spotify(t, sandbox.Options{AnyApp: true})
			dir := t.TempDir()
			var b strings.Builder
			fmt.Fprintf(&b, "defaults:\n  client: {id: app, secret: s}\n  grant: client_credentials\n  state: %s\n", e.state(0))
			for i := range profiles {
				fmt.Fprintf(&b, "---\nprofile: p%d\n", i)
			}
			write(t, filepath.Join(dir, "tokenform.yaml"), b.String())
			apply := func(want string) (requests, toSpotify int, took time.Duration) {
				cmd := exec.Command(program, "apply", "--debug")
				cmd.Dir, cmd.Env = dir, append(surroundings(dir, url), e.env...)
				begun := time.Now()
				out, err := cmd.CombinedOutput()
				took = time.Since(begun)
				if err != nil || !strings.Contains(string(out), want) {
					t.Fatalf("%v\n%s", err, out[max(0, len(out)-2000):])
				}
				for _, m := range sent.FindAllStringSubmatch(string(out), -1) {
					if strings.HasPrefix(m[2], url) {
						toSpotify++
					} else {
						requests++
					}
				}
				return requests, toSpotify, took
			}
			first, granted, a := apply(fmt.Sprintf("%d requested", profiles))
			second, more, z := apply(fmt.Sprintf("%d unchanged", profiles))
			per := func(d time.Duration) time.Duration { return (d / time.Duration(profiles)).Round(10 * time.Microsecond) }
			t.Logf("%s: %d profiles: first apply %.1f requests and %s per profile, no-op %.1f and %s",
				e.name, profiles, float64(first)/float64(profiles), per(a), float64(second)/float64(profiles), per(z))
			if granted != profiles || more != 0 {
				t.Errorf("%d and %d requests to Spotify", granted, more)
			}
			if e.name != "command" && second != profiles {
				t.Errorf("an apply with nothing to do sent %d requests for %d profiles", second, profiles)
			}
		})
	}
}
