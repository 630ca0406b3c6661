package state

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"tokenform/config/fault"
)

// TestMain lets the test binary be the second process, which holds a lock.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STATE_TEST_HOLD"); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

// hold takes the lock of "dev", prints that, and waits to be killed or told to end.
func hold(dir string) {
	e, err := Real.Open(dir).Lock(context.Background(), "dev", Holder{Command: "apply", Since: time.Now()}, Waiting{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("locked")
	bufio.NewReader(os.Stdin).ReadString('\n')
	e.Unlock()
	os.Exit(0)
}

// holder starts a process that has the lock.
func holder(t *testing.T, dir string) (cmd *exec.Cmd, release func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STATE_TEST_HOLD="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process said %q", line)
	}
	return cmd, func() { in.Write([]byte("\n")) }
}

func lock(t *testing.T, s *Store, name string) *Entry {
	t.Helper()
	e, err := s.Lock(context.Background(), name, Holder{Command: "test"}, Waiting{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Unlock)
	return e
}

func token() *Token {
	return &Token{
		ClientID: "app", Grant: "pkce", Access: "BQ-access", Type: "Bearer", Scopes: []string{"b", "a"},
		Obtained: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Expires: time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC), Refresh: "AQ-refresh",
	}
}

func TestSaveAndRead(t *testing.T) {
	s := Real.Open(filepath.Join(t.TempDir(), "a", "state"))
	if got, err := s.Read(t.Context(), "dev"); got != nil || err != nil {
		t.Fatalf("Read of nothing = %v, %v", got, err)
	}
	e := lock(t, s, "dev")
	for serial := 1; serial <= 2; serial++ {
		old, err := e.Token()
		if err != nil {
			t.Fatal(err)
		}
		n := token()
		if old != nil {
			n.Serial = old.Serial
		}
		if err := e.Save(n); err != nil {
			t.Fatal(err)
		}
		got, err := s.Read(t.Context(), "dev")
		if err != nil {
			t.Fatal(err)
		}
		if got.Serial != serial || got.Version != 1 || got.Profile != "dev" || got.Refresh != "AQ-refresh" || strings.Join(got.Scopes, " ") != "a b" {
			t.Errorf("read back: serial %d version %d profile %q scopes %v", got.Serial, got.Version, got.Profile, got.Scopes)
		}
	}
	for name, mode := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "dev.json": 0o600, "dev.lock": 0o600, ".gitignore": 0o600} {
		info, err := os.Stat(filepath.Join(s.Dir(), name))
		if err != nil {
			t.Error(err)
		} else if info.Mode() != mode && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %v, want %v", info.Name(), info.Mode(), mode)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(s.Dir(), ".gitignore")); string(b) != "*\n" {
		t.Errorf(".gitignore is %q", b)
	}
	b, _ := os.ReadFile(filepath.Join(s.Dir(), "dev.json"))
	if !strings.HasPrefix(string(b), "{\n  \"version\": 1,\n") || !strings.HasSuffix(string(b), "}\n") || strings.Contains(string(b), "0001-01-01") {
		t.Errorf("not the pretty JSON that people read:\n%s", b)
	}
	if err := e.Delete(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context(), "dev"); got != nil || err != nil {
		t.Errorf("Read after Delete = %v, %v", got, err)
	}
}

// TestBrokenFile checks that a file which cannot be read stays as it is, and that the
// error names the file and never quotes it.
func TestBrokenFile(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"empty":         {"", "it is empty"},
		"not JSON":      {"AQ-canary", "it is not a JSON object"},
		"torn":          {`{"version": 1, "profile": "dev", "access_token": "AQ-canary`, "its JSON is damaged"},
		"newer":         {`{"version": 2, "tokens": {"access": "AQ-canary"}}`, "written by a newer tokenform (version 2; this one reads 1)"},
		"no version":    {`{"access_token": "AQ-canary"}`, "it has no version"},
		"wrong type":    {`{"version": 1, "profile": "dev", "access_token": ["AQ-canary"]}`, "a field has the wrong type"},
		"no token":      {`{"version": 1, "profile": "dev"}`, "it has no token"},
		"other profile": {`{"version": 1, "profile": "prod", "access_token": "AQ-canary"}`, `belongs to the profile "prod"`},
		"huge":          {strings.Repeat(" ", 1<<20+1), "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "dev.json")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Real.Open(dir).Read(t.Context(), "dev")
			fe, ok := errors.AsType[*fault.Error](err)
			if got != nil || !ok || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) || fe.Hint == "" {
				t.Errorf("Read = %v, %v; want an error with %q", got, err, c.want)
			}
			if err != nil && strings.Contains(err.Error()+fe.Hint, "canary") {
				t.Errorf("the error quotes the file: %v", err)
			}
			if b, _ := os.ReadFile(path); string(b) != c.content {
				t.Error("the file was changed")
			}
		})
	}
}

func TestLockWaitsAndNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	cmd, release := holder(t, dir)
	want := fmt.Sprintf("tokenform apply (process %d, since ", cmd.Process.Pid)

	var told []string
	tell := func(h Holder) { told = append(told, h.String()) }
	_, err := Real.Open(dir).Lock(context.Background(), "dev", Holder{}, Waiting{Timeout: 200 * time.Millisecond, After: 50 * time.Millisecond, Tell: tell})
	if fault.KindOf(err) != fault.Temporary || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("(process %d,", cmd.Process.Pid)) {
		t.Errorf("Lock = %v, want one that starts with %q", err, want)
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], want) {
		t.Errorf("told %q", told)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Real.Open(dir).Lock(ctx, "dev", Holder{}, Waiting{Timeout: time.Minute}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock under a context that ended = %v", err)
	}

	lock(t, Real.Open(dir), "prod") // the lock of another profile is free

	time.AfterFunc(100*time.Millisecond, release)
	lock(t, Real.Open(dir), "dev")
}

// TestKilledHolder checks that a lock ends with its process, however the process is
// killed.
func TestKilledHolder(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := holder(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	e, err := Real.Open(dir).Lock(context.Background(), "dev", Holder{PID: 1, Command: "x"}, Waiting{})
	if err != nil {
		t.Fatalf("the lock outlived its holder: %v", err)
	}
	e.Unlock()
}

// TestHolderIsReadBack checks that a shorter holder is read although the end of a
// longer one follows in the file.
func TestHolderIsReadBack(t *testing.T) {
	s := Real.Open(t.TempDir())
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []Holder{{Command: strings.Repeat("long", 20)}, {Command: "x"}} {
		e, err := s.Lock(context.Background(), "dev", h, Waiting{})
		if err != nil {
			t.Fatal(err)
		}
		h.PID, h.Host = os.Getpid(), host
		if got := readHolder(filepath.Join(s.Dir(), "dev.lock")); got != h {
			t.Errorf("holder read back as %+v, want %+v", got, h)
		}
		e.Unlock()
	}
}

// TestDecodeReadsAllThatIsWritten checks that decode reads every field that Save
// writes: the next refresh would lose a field that decode forgets.
func TestDecodeReadsAllThatIsWritten(t *testing.T) {
	want := token()
	want.Version, want.Serial, want.Profile, want.Seed, want.Source = 1, 7, "dev", "sha256:abc", "../tokenform.yaml"
	want.Authorized, want.Rejected = want.Obtained.Add(-time.Hour), want.Obtained.Add(time.Minute)
	want.Account = &Account{ID: "id", AccountID: "account", Name: "Näme"}
	want.Server, want.Retired = "https://accounts.example.com", []string{"sha256:def"}
	want.RefusedSeed, want.Verified = "sha256:ghi", true
	full := reflect.ValueOf(*want)
	for i := range full.NumField() {
		if full.Field(i).IsZero() && full.Type().Field(i).IsExported() {
			t.Errorf("the test leaves out %s", full.Type().Field(i).Name)
		}
	}
	for _, scopes := range [][]string{{"a", "b"}, {}, nil} {
		want.Scopes = scopes
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode("dev.json", "dev", b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			again, _ := json.Marshal(got)
			t.Errorf("wrote %s\nread  %s", b, again)
		}
	}
}

func TestTokenPrintsNoSecret(t *testing.T) {
	tok := token()
	for _, s := range []string{fmt.Sprint(tok), fmt.Sprintf("%+v", *tok), fmt.Sprintf("%#v", tok), fmt.Sprintf("%s %v", tok, []Token{*tok}), fmt.Sprintf("%v", struct{ T *Token }{tok})} {
		if strings.Contains(s, "BQ-access") || strings.Contains(s, "AQ-refresh") {
			t.Errorf("a token printed itself: %s", s)
		}
	}
}

// TestForeignDirectory checks that tokens are not stored in a directory in which others
// can put files.
func TestForeignDirectory(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	refuse := func(t *testing.T, dir, want string) {
		t.Helper()
		_, readErr := Real.Open(dir).Read(t.Context(), "dev")
		_, lockErr := Real.Open(dir).Lock(context.Background(), "dev", Holder{}, Waiting{})
		for _, err := range []error{readErr, lockErr} {
			if fe, ok := errors.AsType[*fault.Error](err); !ok || !strings.Contains(fe.Err.Error(), want) || fe.Hint == "" {
				t.Errorf("got %v, want one that says %q", err, want)
			}
		}
	}
	t.Run("world-writable", func(t *testing.T) {
		for _, mode := range []os.FileMode{0o777, 0o702, 0o777 | os.ModeSticky} {
			dir := t.TempDir()
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			refuse(t, dir, "every user can write to it")
		}
	})
	t.Run("of another user", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Skip("only root may give a directory away")
		}
		refuse(t, dir, "belongs to another user (uid 12345)")
	})
	t.Run("a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refuse(t, path, "not a directory")
	})
}

func TestReserve(t *testing.T) {
	s := Real.Open(t.TempDir())
	temp := filepath.Join(s.Dir(), ".dev.json.tokenform-tmp")
	e := lock(t, s, "dev")
	if err := e.Reserve(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(temp); err != nil || info.Size() < 8<<10 || info.Mode() != 0o600 && runtime.GOOS != "windows" {
		t.Fatalf("no room is reserved: %v, %v", info, err)
	}
	if !s.Littered("dev") {
		t.Error("Littered does not see it")
	}
	if err := e.Save(token()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context(), "dev"); err != nil || got.Access != "BQ-access" {
		t.Errorf("read %v, %v", got, err)
	}
	if err := e.Reserve(); err != nil {
		t.Fatal(err)
	}
	e.Unlock()
	if s.Littered("dev") {
		t.Error("what was reserved and not used is left behind")
	}
	if err := os.WriteFile(temp, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	lock(t, s, "dev")
	if s.Littered("dev") {
		t.Error("Lock does not clean up after one that was killed")
	}
}

// TestMend checks that the next Lock completes a Save that was killed before its
// rename, if the Save had written all of its token.
func TestMend(t *testing.T) {
	t.Parallel()
	encode := func(serial int, profile string) string {
		x := token()
		x.Version, x.Serial, x.Profile, x.Access = Version, serial, profile, "BQ-newer"
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	whole := encode(2, "dev")
	for _, tt := range []struct{ name, left, stored, want string }{
		{"newer", whole, "dev", "BQ-newer"},
		{"newer, with the room it had reserved", whole + "\n" + strings.Repeat("\x00", 1<<10), "dev", "BQ-newer"},
		{"the first one", whole, "", "BQ-newer"},
		{"torn", whole[:len(whole)-1], "dev", "BQ-access"},
		{"only reserved", strings.Repeat("\x00", 1<<10), "dev", "BQ-access"},
		{"older", encode(1, "dev"), "dev", "BQ-access"},
		{"of another profile", encode(2, "prod"), "dev", "BQ-access"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Real.Open(t.TempDir())
			if tt.stored != "" {
				e := lock(t, s, "dev")
				if err := e.Save(token()); err != nil { // serial 1
					t.Fatal(err)
				}
				e.Unlock()
			}
			if err := os.WriteFile(filepath.Join(s.Dir(), ".dev.json.tokenform-tmp"), []byte(tt.left), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := lock(t, s, "dev").Token()
			if err != nil || got.Access != tt.want {
				t.Errorf("the token is %v, %v", got, err)
			}
			if s.Littered("dev") {
				t.Error("something is left behind")
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"profile":"dev","grant":"pkce","access_token":"a","expires_at":"2026-11-23T12:00:00Z"}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"profile":"dev","outputs":[{"variables":{"A":"b"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := decode("dev.json", "dev", b)
		if (tok == nil) == (err == nil) {
			t.Fatalf("decode = %v, %v: a token or an error, never both or neither", tok, err)
		}
		if tok != nil && (tok.Profile != "dev" || tok.Version != 1 || tok.Expires.IsZero()) {
			t.Fatalf("decode accepted a token that is none")
		}
	})
}

// TestD7ForeignFiles checks that a directory with other programs' files is refused as a
// state directory, and that nothing is written there.
func TestD7ForeignFiles(t *testing.T) {
	t.Parallel()
	valid, err := json.Marshal(token())
	if err != nil {
		t.Fatal(err)
	}
	valid = bytes.Replace(valid, []byte(`"version":0`), []byte(`"version":1`), 1)
	valid = bytes.Replace(valid, []byte(`"profile":""`), []byte(`"profile":"dev"`), 1)
	for name, c := range map[string]struct {
		files   map[string]string
		refused string
	}{
		"a project":                   {map[string]string{"tokenform.yaml": "client: {id: abc}\n", ".gitignore": "node_modules\n"}, "tokenform.yaml"},
		"yarn's lock":                 {map[string]string{"yarn.lock": "# yarn lockfile v1\n"}, "yarn.lock"},
		"npm's file":                  {map[string]string{"package.json": `{"name":"x","version":1}`}, "package.json"},
		"a directory":                 {map[string]string{"src/main.go": "package main\n"}, "src"},
		"a state file of that name":   {map[string]string{"other.json": string(valid)}, "other.json"},
		"what others keep there":      {map[string]string{".DS_Store": "x", ".nfs0001": "x", "lost+found/.keep": ""}, ""},
		"ours, copied without .files": {map[string]string{"dev.json": string(valid), "dev.lock": "\x00{}", "dev.outputs": `{"version":1}`, "sandbox/dev.lock": "", "dev@127.0.0.1_9.json": string(valid)}, ""},
		"ours, and somebody's notes":  {map[string]string{".gitignore": "*\n", "README.md": "do not delete\n"}, ""},
		"an empty .gitignore":         {map[string]string{".gitignore": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range c.files {
				path := filepath.Join(dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			e, err := Real.Open(dir).Lock(t.Context(), "dev", Holder{}, Waiting{})
			if err == nil {
				e.Unlock()
			}
			if c.refused == "" {
				if b, readErr := os.ReadFile(filepath.Join(dir, ".gitignore")); err != nil || readErr != nil || string(b) != "*\n" {
					t.Errorf("%v; .gitignore %q, %v", err, b, readErr)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.refused) || fault.HintOf(err) == "" {
				t.Errorf("error %v", err)
			}
			for file, text := range c.files {
				if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != text {
					t.Errorf("%s is %q now, %v", file, b, err)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "dev.lock")); err == nil {
				t.Error("a lock was made")
			}
		})
	}
}
