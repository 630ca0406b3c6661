package examples

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of Windows that need Windows itself: the program and the packages' tests are
// built for it and run under Wine, which Debian has. They run if Wine is installed, and must
// run if TOKENFORM_TEST_WINE is "require".

// winePackages are the packages whose tests run under Wine.
var winePackages = []string{
	"config", "config/dotenv", "config/fault", "config/paths",
	"flow", "flow/atomicfile", "flow/oauth", "flow/state", "flow/sandbox",
	"output", "output/cli", "output/terminal",
}

const (
	noLinks = "CreateSymbolicLinkW says that it has made a link, and makes none"
	slow    = "Wine takes 20 to 60 times as long for a file, and this test asks for thousands"
)

// wineFaults are the tests that fail through Wine's fault, each with the reason. One that
// passes has to go from the list.
var wineFaults = map[string]string{
	"config/paths: TestSame":                                           noLinks,
	"config: TestD14OutputOverInput/a_link_to_its_own_template":        noLinks,
	"config: TestD14OutputOverInput/the_secret's_file,_through_a_link": noLinks,
	"config: TestD14OutputOverInput/the_profile,_through_a_link":       noLinks,
	"config: TestD14OutputOverInput/an_env_file,_through_a_link":       noLinks,
	"config: TestD14OutputOverInput/the_state,_through_a_link":         noLinks,
	"config: TestD7StateWithTheProfile":                                noLinks,
	"config: TestStamp":                                                noLinks,
	"config: TestLoadRefuses/one_file_through_a_linked_directory":      noLinks,
	"config: TestLoadRefuses/one_file_through_a_link":                  noLinks,
	"flow/atomicfile: TestSymlinks":                                    noLinks,
	"flow/atomicfile: TestLockSeveral":                                 noLinks,
	"flow/state: TestOutputs":                                          noLinks,
	"output: TestErrors":                                               noLinks,
	"output: TestSymlinkedOutput":                                      noLinks,
}

// wineSkips are the tests that are left out, each with the reason.
var wineSkips = map[string]string{
	"TestLoadMany":        slow,
	"TestWatchYear":       slow,
	"TestWatchMemory":     slow,
	"TestManyConnections": "hundreds of connections have two seconds, which are few on a busy machine",
	"TestBoundAddress":    "GetAdaptersAddresses of Wine fails now and then, while other tests make interfaces",
	"TestSlowLoris":       "what is closed before it is read may be a reset connection, on a busy machine",
}

// wine is a prefix, which is a Windows of its own, and the programs that are built for it.
type wine struct {
	env []string
	bin string // the programs' directory
}

// newWine makes a prefix and builds the programs.
func newWine(t *testing.T) *wine {
	t.Helper()
	for _, name := range []string{"wine", "wineserver", "x86_64-w64-mingw32-gcc", "script"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("TOKENFORM_TEST_WINE") == "require" {
				t.Fatalf("no %s here; on Debian: apt-get install wine wine64 gcc-mingw-w64-x86-64", name)
			}
			t.Skipf("no %s here", name)
		}
	}
	dir := t.TempDir()
	w := &wine{bin: filepath.Join(dir, "bin")}
	home, prefix := filepath.Join(dir, "home"), filepath.Join(dir, "prefix")
	if err := errors.Join(os.Mkdir(home, 0o700), os.Mkdir(prefix, 0o700)); err != nil {
		t.Fatal(err)
	}
	w.env = []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "LANG=C.UTF-8",
		"WINEPREFIX=" + prefix, "WINEARCH=win64", "WINEDEBUG=-all",
		"WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=d", // nothing to download or to put into menus
	}
	build := make(chan error, 1)
	go func() { build <- w.build(dir) }()
	t.Cleanup(func() { // by the prefix: other servers go on
		stop := exec.Command("wineserver", "-k")
		stop.Env = w.env
		_ = stop.Run()
	})
	// A server that nobody has to wait for: the first process would start one that keeps its
	// output open.
	for _, args := range [][]string{{"wineserver", "-p"}, {"wine", "wineboot", "-i"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = w.env
		timer := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
		err := cmd.Run()
		timer.Stop()
		if err != nil {
			t.Fatalf("%s: %v", args, err)
		}
	}
	dll := filepath.Join(prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll")
	if _, err := os.Stat(dll); err != nil { // newer ones have it
		compile := exec.Command("x86_64-w64-mingw32-gcc", "-shared", "-O2", "-s", "-o", dll, "testdata/wine/bcryptprimitives.c", "-ladvapi32")
		if out, err := bounded(compile, time.Minute); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := <-build; err != nil {
		t.Fatal(err)
	}
	return w
}

// build builds the program as people get it, and the tests with another os.RemoveAll: how
// that deletes files since Go 1.25 is "Invalid function" to Wine 8, so that t.TempDir fails
// at the end. Go has the other way too, and a variable of its own tests to choose it.
func (w *wine) build(dir string) error {
	const file = "src/internal/syscall/windows/at_windows.go"
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	path := filepath.Join(strings.TrimSpace(string(root)), filepath.FromSlash(file))
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := bytes.Replace(source, []byte("var TestDeleteatFallback bool"), []byte("var TestDeleteatFallback = true"), 1)
	if bytes.Equal(changed, source) {
		return fmt.Errorf("%s has no TestDeleteatFallback any more: see how os.RemoveAll deletes now", path)
	}
	other, overlay := filepath.Join(dir, "at_windows.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: other}})
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{other: changed, overlay: replace} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	tests := []string{"test", "-c", "-overlay", overlay, "-o", w.bin + "/"}
	for _, p := range winePackages {
		tests = append(tests, "tokenform/"+p)
	}
	for _, args := range [][]string{
		{"build", "-o", filepath.Join(w.bin, "tokenform.exe"), ".."},
		{"build", "-o", filepath.Join(w.bin, "helper.exe"), "./testdata/wine/helper"},
		tests,
	} {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		if out, err := bounded(cmd, 5*time.Minute); err != nil {
			return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}

// bounded runs cmd and returns what it printed. It is killed after a time.
func bounded(cmd *exec.Cmd, most time.Duration) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	timer := time.AfterFunc(most, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	return out.Bytes(), err
}

// command is name, one of the programs of w, with arguments, in dir.
func (w *wine) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("wine", append([]string{filepath.Join(w.bin, name)}, args...)...)
	cmd.Dir, cmd.Env = dir, w.env
	return cmd
}

// run runs the program in dir and wants an exit code. It returns what was printed. On a
// busy machine, Wine now and then ends a program before it runs: exit code 1 and not a
// word, which tokenform never does. Then run tries again.
func (w *wine) run(t *testing.T, code int, dir string, args ...string) (stdout, stderr string) {
	t.Helper()
	for range 2 {
		got, stdout, stderr := w.once(t, dir, args...)
		if got == code {
			return stdout, stderr
		}
		if got != 1 || stdout+stderr != "" {
			t.Errorf("tokenform %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
			return stdout, stderr
		}
		t.Logf("tokenform %s: Wine has not run it", strings.Join(args, " "))
	}
	got, stdout, stderr := w.once(t, dir, args...)
	if got != code {
		t.Errorf("tokenform %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

func (w *wine) once(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := w.command(dir, "tokenform.exe", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait()
	remember(args, out.String(), errs.String())
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// helper starts the helper, and returns when it is ready. end lets it end.
func (w *wine) helper(t *testing.T, dir string, args ...string) (end func()) {
	t.Helper()
	cmd := w.command(dir, "helper.exe", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 5); func() error { _, err := io.ReadFull(out, line); return err }() != nil || string(line) != "ready" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("helper: %q, %s", line, errs.String())
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = in.Close()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(end)
	return end
}

// onConsole runs a program of w on a console of Windows, which a terminal here shows. If
// until is there, Ctrl-C is pressed once it has been printed.
func (w *wine) onConsole(t *testing.T, until, dir, name string, args ...string) (code int, shown string) {
	t.Helper()
	line := "exec wine " + strings.Join(append([]string{filepath.Join(w.bin, name)}, args...), " ")
	cmd := exec.Command("script", "-qec", line, os.DevNull)
	cmd.Dir, cmd.Env = dir, w.env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	var all []byte
	for b := make([]byte, 4096); ; {
		n, err := out.Read(b)
		all = append(all, b[:n]...)
		if until != "" && bytes.Contains(all, []byte(until)) {
			until = ""
			_, _ = in.Write([]byte{3}) // Ctrl-C
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait()
	remember(args, string(all), "")
	return cmd.ProcessState.ExitCode(), string(all)
}

const wineProfile = `profile: dev
client: {id: app, secret: hush-hush}
redirect_uri: http://127.0.0.1/callback
scopes: [streaming]
outputs:
  - {type: env, path: .env, keys: {access_token: SPOTIFY_ACCESS_TOKEN}}
  - {type: json, path: 'sub\token.json'}
  - {type: json, path: 'C:\out\token.json'}
  - {type: template, path: 'ROOTED/header.txt', template: header.tmpl}
`

// project is a directory with profile in it, on drive Z:, which is this machine's disk.
func (w *wine) project(t *testing.T, profile string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tokenform.yaml"), strings.ReplaceAll(profile, "\n", "\r\n"))
	return dir
}

// contents are the files of dir, without the state directory.
func contents(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".tokenform" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestWine(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("Wine runs on Linux, for a minute")
	}
	w := newWine(t)
	begun := time.Now()
	t.Run("stories", func(t *testing.T) {
		t.Run("main job", w.mainJob)
		t.Run("side by side", w.sideBySide)
		t.Run("lock", w.locked)
		t.Run("held open", w.heldOpen)
		t.Run("names", w.names)
		t.Run("console", w.console)
		t.Run("private", w.private)
	})
	t.Logf("the stories took %s", time.Since(begun).Round(time.Second))
	begun = time.Now()
	t.Run("packages", func(t *testing.T) {
		for _, p := range winePackages {
			t.Run(p, func(t *testing.T) { t.Parallel(); w.tests(t, p) })
		}
	})
	t.Logf("the packages took %s", time.Since(begun).Round(time.Second))
}

func (w *wine) mainJob(t *testing.T) {
	// A path that begins with a slash is one of the profile's own drive.
	rooted := t.TempDir()
	dir := w.project(t, strings.ReplaceAll(wineProfile, "ROOTED", rooted))
	write(t, filepath.Join(dir, ".env"), "# mine\r\nMINE=1\r\n")
	write(t, filepath.Join(dir, "header.tmpl"), "Bearer ${access_token}\r\n")
	drive := filepath.Join(w.prefix(), "drive_c", "out")
	read := func(path string) string {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	w.run(t, 0, dir, "validate")
	w.run(t, 2, dir, "plan", "--sandbox", "--detailed-exitcode")
	w.run(t, 0, dir, "apply", "--sandbox")
	env := read(filepath.Join(dir, ".env"))
	token, _ := strings.CutPrefix(env, "# mine\r\nMINE=1\r\nSPOTIFY_ACCESS_TOKEN=")
	token, ended := strings.CutSuffix(token, "\r\n")
	if !ended || len(token) < 20 || strings.ContainsAny(token, "\r\n=") {
		t.Fatalf(".env is %q", env)
	}
	for _, path := range []string{filepath.Join(dir, "sub", "token.json"), filepath.Join(drive, "token.json")} {
		if !strings.Contains(read(path), token) {
			t.Errorf("%s has another token", path)
		}
	}
	header := filepath.Join(rooted, "header.txt")
	if read(header) != "Bearer "+token+"\r\n" {
		t.Error("the template's output has another text")
	}
	w.run(t, 0, dir, "plan", "--sandbox", "--detailed-exitcode")
	if _, stderr := w.run(t, 0, dir, "apply", "--sandbox"); !strings.Contains(stderr, "1 unchanged") || read(filepath.Join(dir, ".env")) != env {
		t.Errorf("a second apply: %s", stderr)
	}
	w.run(t, 0, dir, "status", "--sandbox")
	stdout, _ := w.run(t, 7, dir, "exec", "--sandbox", "--", filepath.Join(w.bin, "helper.exe"), "env", "SPOTIFY_ACCESS_TOKEN")
	if strings.TrimSpace(stdout) != "SPOTIFY_ACCESS_TOKEN="+token {
		t.Errorf("exec printed %q", stdout)
	}
	if _, stderr := w.run(t, 127, dir, "exec", "--sandbox", "--", "no-such-program"); !strings.Contains(stderr, "executable file not found") {
		t.Errorf("exec of a missing program: %s", stderr)
	}
	w.run(t, 0, dir, "destroy", "--sandbox", "--yes")
	if got := read(filepath.Join(dir, ".env")); got != "# mine\r\nMINE=1\r\n" {
		t.Errorf("after destroy, .env is %q", got)
	}
	for _, path := range []string{filepath.Join(dir, "sub", "token.json"), filepath.Join(drive, "token.json"), header} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
	if left := contents(t, dir); !slices.Equal(left, []string{".env", "header.tmpl", "sub", "tokenform.yaml"}) {
		t.Errorf("left: %v", left)
	}
}

func (w *wine) prefix() string {
	for _, kv := range w.env {
		if path, ok := strings.CutPrefix(kv, "WINEPREFIX="); ok {
			return path
		}
	}
	return ""
}

const wineShort = `profile: dev
client: {id: app, secret: hush-hush}
redirect_uri: http://127.0.0.1/callback
outputs:
  - {type: env, path: .env, keys: {access_token: T}}
  - {type: json, path: token.json}
`

// sideBySide has processes wait for each other: one logs in.
func (w *wine) sideBySide(t *testing.T) {
	dir := w.project(t, wineShort)
	const n = 5
	said := make(chan string, n)
	for range n {
		go func() {
			_, stderr := w.run(t, 0, dir, "apply", "--sandbox")
			said <- stderr
		}()
	}
	changed := 0
	for range n {
		if stderr := <-said; !strings.Contains(stderr, "1 unchanged") {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d of %d changed something, want one", changed, n)
	}
	if left := contents(t, dir); !slices.Equal(left, []string{".env", "token.json", "tokenform.yaml"}) {
		t.Errorf("left: %v", left)
	}
}

// locked has another process hold the lock of the profile.
func (w *wine) locked(t *testing.T) {
	dir := w.project(t, wineShort)
	w.run(t, 0, dir, "apply", "--sandbox")
	end := w.helper(t, dir, "lock", `.tokenform\sandbox\dev.lock`)
	write(t, filepath.Join(dir, ".env"), "")
	if _, stderr := w.run(t, 5, dir, "apply", "--sandbox", "--lock-timeout", "200ms"); !strings.Contains(stderr, "holds the lock; gave up after") || !strings.Contains(stderr, "tokenform apply (process ") {
		t.Errorf("while it is held: %s", stderr)
	}
	go func() { time.Sleep(500 * time.Millisecond); end() }()
	w.run(t, 0, dir, "apply", "--sandbox")
	end()
}

// heldOpen has another process read an output all the time, or for a moment.
func (w *wine) heldOpen(t *testing.T) {
	dir := w.project(t, wineShort)
	w.run(t, 0, dir, "apply", "--sandbox")
	env := filepath.Join(dir, ".env")
	held := func(access string, code int, says, now string) {
		t.Helper()
		write(t, env, "T=other\n")
		end := w.helper(t, dir, "hold", ".env", access)
		_, stderr := w.run(t, code, dir, "apply", "--sandbox")
		end()
		if b, _ := os.ReadFile(env); !strings.HasPrefix(string(b), now) || !strings.Contains(stderr, says) || strings.Contains(stderr, ".\n") {
			t.Errorf("held for ever, shared for %s: .env is %q; %s", access, b, stderr)
		}
	}
	held("reading", 1, ".env: another program has it open", "T=other\n")
	held("writing", 0, "hint: close the program that has it open", "T=BQ") // in place
	write(t, env, "T=other\n")
	end := w.helper(t, dir, "hold", ".env", "writing")
	go func() { time.Sleep(300 * time.Millisecond); end() }()
	if _, stderr := w.run(t, 0, dir, "apply", "--sandbox"); strings.Contains(stderr, "in place") {
		t.Errorf("held for a moment: %s", stderr)
	}
	end()
	if left := contents(t, dir); !slices.Equal(left, []string{".env", "token.json", "tokenform.yaml"}) {
		t.Errorf("left: %v", left)
	}
}

// names has profiles and outputs whose names Windows keeps for devices and streams.
func (w *wine) names(t *testing.T) {
	for _, name := range []string{"con", "nul", "aux", "com1", "lpt9.x"} {
		dir := w.project(t, strings.ReplaceAll(wineShort, "dev", name))
		if _, stderr := w.run(t, 3, dir, "validate"); !strings.Contains(stderr, `"`+name+`" cannot be a profile's name on Windows`) {
			t.Errorf("profile %s: %s", name, stderr)
		}
	}
	for _, path := range []string{"CON", "NUL", "aux.json", "sub/Com1.txt", "token:json", "C:token.json"} {
		dir := w.project(t, strings.ReplaceAll(wineShort, "path: token.json", "path: '"+path+"'"))
		if _, stderr := w.run(t, 3, dir, "validate"); !strings.Contains(stderr, "is no name of a file") {
			t.Errorf("output %s: %s", path, stderr)
		}
	}
	for _, path := range []string{"console.json", "nulls", "auxiliary.json"} {
		dir := w.project(t, strings.ReplaceAll(wineShort, "path: token.json", "path: '"+path+"'"))
		w.run(t, 0, dir, "validate")
	}
}

// console has colours on a console of Windows, and Ctrl-C.
func (w *wine) console(t *testing.T) {
	dir := w.project(t, wineShort)
	if _, shown := w.onConsole(t, "", dir, "helper.exe", "console", filepath.Join(w.bin, "tokenform.exe"), "version"); !strings.Contains(shown, "sequences: true") {
		t.Errorf("the console is not told to obey escape sequences: %q", shown)
	}
	code, shown := w.onConsole(t, "paste the address", dir, "tokenform.exe", "apply", "--login", "paste")
	if code != 130 || !strings.Contains(shown, "dev: interrupted") || !strings.Contains(shown, "\x1b[31merror:") {
		t.Errorf("Ctrl-C at a login: exit %d, %q", code, shown)
	}
	if code, shown := w.onConsole(t, "export TOKENFORM_API_URL", dir, "tokenform.exe", "sandbox", "--listen", "127.0.0.1:0"); code != 0 {
		t.Errorf("Ctrl-C at the stand-in: exit %d, %q", code, shown)
	}
	if left := contents(t, dir); !slices.Equal(left, []string{"tokenform.yaml"}) {
		t.Errorf("left: %v", left)
	}
}

// private looks at what Wine makes of access lists, which is the mode of a file here. What
// a directory hands down, Wine does not heed.
func (w *wine) private(t *testing.T) {
	dir := w.project(t, strings.ReplaceAll(wineShort, "token.json", "new/token.json"))
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	mode := func(name string) os.FileMode {
		t.Helper()
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	for _, what := range []string{"made", "replaced"} {
		w.run(t, 0, dir, "apply", "--sandbox")
		for _, name := range []string{".env", "new", "new/token.json", ".tokenform", ".tokenform/sandbox", ".tokenform/sandbox/dev.json"} {
			if mode := mode(name); mode&0o007 != 0 {
				t.Errorf("%s: %s has mode %v", what, name, mode)
			}
		}
		write(t, filepath.Join(dir, ".env"), "T=other\n")
	}
	// What somebody has opened to others stays so.
	if err := os.Chmod(filepath.Join(dir, ".env"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.run(t, 0, dir, "apply", "--sandbox")
	if mode := mode(".env"); mode&0o004 == 0 {
		t.Errorf(".env had mode 644, and has %v", mode)
	}
}

// tests runs the tests of a package.
func (w *wine) tests(t *testing.T, name string) {
	var skip []string
	for test := range wineSkips {
		skip = append(skip, "^"+test+"$")
	}
	cmd := w.command(filepath.Join("..", filepath.FromSlash(name)), filepath.Base(name)+".test.exe",
		"-test.v", "-test.short", "-test.timeout", "300s", "-test.skip", strings.Join(skip, "|"))
	out, err := bounded(cmd, 6*time.Minute)
	failed, passed := map[string]bool{}, 0
	for _, m := range wineResult.FindAllSubmatch(out, -1) {
		if test := string(m[2]); string(m[1]) == "FAIL" {
			failed[test] = true
		} else {
			passed++
		}
	}
	for test := range failed { // of a group, its parts are listed
		for part := range failed {
			if strings.HasPrefix(part, test+"/") {
				delete(failed, test)
			}
		}
	}
	known := 0
	for test, reason := range wineFaults {
		in, test, _ := strings.Cut(test, ": ")
		switch {
		case in != name:
		case !failed[test]:
			t.Errorf("%s passes: take it from the list (%s)", test, reason)
		default:
			known++
			delete(failed, test)
		}
	}
	if len(failed) > 0 || known == 0 && err != nil || passed+known == 0 || bytes.Contains(out, []byte("\npanic: ")) {
		t.Errorf("failed: %v, %v\n%s", failed, err, out)
	}
	t.Logf("%d passed, %d fail through Wine", passed, known)
}

var wineResult = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL): (\S+) \(`)
