package examples

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// TestStories runs testdata/*.txtar: each is what a user types and sees.
// Beside testscript's own commands they know:
//
//	age PROFILE DURATION   the profile's token gets older by that much
//	requests PATH COUNT    so many requests came to PATH since the last asking
//	fault PATH NAME TIMES  the next requests to PATH meet a fault
//	revoke                 the user removes the app from their account
//	seed VAR PROFILE       sets VAR to the profile's stored refresh token
//	calm                   no file below the directory has changed since the last calm
func TestStories(t *testing.T) {
	type key struct{}
	folder, err := filepath.Abs("testdata/stores/folder")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			s, url := spotify(t, sandbox.Options{AnyApp: true})
			e.Values[key{}] = &story{server: s, counted: map[string]int{}}
			e.Vars = append(surroundings(e.WorkDir, url,
				"BROWSER="+robot(t), "WORK="+e.WorkDir, "STORE="+folder,
				"AT="+at(url), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"), "exe=", "/=/", ":=:", "$=$", "devnull="+os.DevNull)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"age":      func(ts *testscript.TestScript, _ bool, args []string) { age(ts, args[0], args[1]) },
			"requests": func(ts *testscript.TestScript, _ bool, args []string) { ts.Value(key{}).(*story).requests(ts, args) },
			"fault":    func(ts *testscript.TestScript, _ bool, args []string) { ts.Value(key{}).(*story).fault(ts, args) },
			"revoke":   func(ts *testscript.TestScript, _ bool, _ []string) { ts.Value(key{}).(*story).server.RevokeAll() },
			"seed":     seed,
			"calm":     func(ts *testscript.TestScript, _ bool, _ []string) { ts.Value(key{}).(*story).calm(ts) },
		},
	})
}

// story is the data that the commands of one script share.
type story struct {
	server  *faults.Server
	counted map[string]int
	seen    string
}

func (s *story) requests(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	n := s.server.Count(args[0])
	if n-s.counted[args[0]] != want {
		ts.Fatalf("%d requests to %s, want %d", n-s.counted[args[0]], args[0], want)
	}
	s.counted[args[0]] = n
}

func (s *story) fault(ts *testscript.TestScript, args []string) {
	times, err := strconv.Atoi(args[2])
	ts.Check(err)
	named := map[string]faults.Fault{
		"503": faults.Outage(503), "html": faults.HTML(200), "invalid_grant": faults.FalseInvalidGrant(),
		"17h": faults.TooManyRequests("61200"), "secret": faults.OAuthError("invalid_client", "Invalid client secret"),
		"expired": faults.APIError(401, "The access token expired"), "forbidden": faults.PlainForbidden(), "none": {},
	}
	f, ok := named[args[1]]
	if !ok {
		ts.Fatalf("no fault %q", args[1])
	}
	s.server.Inject(args[0], f, times)
}

func (s *story) calm(ts *testscript.TestScript) {
	now := ""
	ts.Check(filepath.Walk(ts.Getenv("WORK"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			now += fmt.Sprintln(path, info.Size(), info.ModTime().UnixNano())
		}
		return err
	}))
	if s.seen != "" && s.seen != now {
		ts.Fatalf("files changed:\n%s\nbefore:\n%s", now, s.seen)
	}
	s.seen = now
}

// stateFile returns the path of the profile's state and the state as JSON.
func stateFile(ts *testscript.TestScript, profile string) (path string, fields map[string]any) {
	path = ts.MkAbs(filepath.Join(".tokenform", profile+ts.Getenv("AT")+".json"))
	b, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(json.Unmarshal(b, &fields))
	return path, fields
}

func age(ts *testscript.TestScript, profile, by string) {
	d, err := time.ParseDuration(by)
	ts.Check(err)
	if !strings.HasPrefix(profile, "sandbox/") {
		profile += ts.Getenv("AT")
	}
	ts.Check(ageState(ts.MkAbs(filepath.Join(".tokenform", profile+".json")), d))
}

// ageState makes the token in a state file older.
func ageState(path string, by time.Duration) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	for _, name := range []string{"obtained_at", "expires_at", "authorized_at"} {
		if s, ok := fields[name].(string); ok {
			at, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return err
			}
			fields[name] = at.Add(-by).Format(time.RFC3339)
		}
	}
	if b, err = json.Marshal(fields); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func seed(ts *testscript.TestScript, _ bool, args []string) {
	_, fields := stateFile(ts, args[1])
	ts.Setenv(args[0], strings.TrimSpace(fields["refresh_token"].(string)))
}
