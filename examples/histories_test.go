package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tokenform/flow/oauth"
	"tokenform/flow/sandbox"
	"tokenform/output/cli"
)

// TestHistories plays random histories of a few projects. After each run of tokenform,
// it checks what must never happen: a byte of somebody else changes, a file outside the
// project changes, a living refresh token is gone from the disk, or a server gets
// another server's refresh token. Each part of TestHistories plays as many histories as
// -rapid.checks says.
func TestHistories(t *testing.T) {
	for i := range 4 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			servers := []*spied{newSpied(t), newSpied(t)}
			var kept tallyOfHistories
			rapid.Check(t, func(r *rapid.T) { liveThrough(r, servers, &kept) })
			t.Logf("%d histories: %d runs of tokenform, of which %d failed and %d were killed; %d changes by people and clients; %d logins lost to a kill between the server's answer and the disk",
				kept.histories, kept.runs, kept.failed, kept.killed, kept.others, kept.window)
			if kept.runs == 0 || kept.others == 0 || kept.failed == kept.runs {
				t.Error("these were no histories")
			}
		})
	}
}

type tallyOfHistories struct{ histories, runs, failed, killed, others, window int }

// spied is a stand-in that watches its refresh tokens. A refresh token dies when it is
// used, so that a lost one is noticed.
type spied struct {
	*sandbox.Server
	url string

	mu     sync.Mutex
	issued map[string]bool   // refresh tokens
	next   map[string]string // for each refresh token, the one that replaced it
	alien  int               // requests with a refresh token of another server
	asked  int               // token requests
}

func newSpied(t *testing.T) *spied {
	s := &spied{
		Server: sandbox.New(sandbox.Options{AnyApp: true, RotateAll: true, AutoConsent: true, Now: time.Now}),
		issued: map[string]bool{}, next: map[string]string{},
	}
	front := httptest.NewUnstartedServer(s)
	front.Config.IdleTimeout = time.Second // each run of tokenform leaves a connection behind
	front.Start()
	t.Cleanup(front.Close)
	s.url = front.URL
	return s
}

func (s *spied) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	got := httptest.NewRecorder()
	s.Server.ServeHTTP(got, r)
	if r.URL.Path == "/api/token" {
		s.note(r.PostForm.Get("refresh_token"), got.Body.Bytes())
	}
	for name, values := range got.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(got.Code)
	_, _ = w.Write(got.Body.Bytes())
}

func (s *spied) note(sent string, answer []byte) {
	var a struct {
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal(answer, &a)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if sent != "" && !s.issued[sent] && strings.HasPrefix(sent, "AQ") {
		s.alien++
	}
	if a.Refresh != "" {
		s.issued[a.Refresh] = true
		if sent != "" {
			s.next[sent] = a.Refresh
		}
	}
}

// living returns the refresh token that has replaced token, after any number of
// rotations.
func (s *spied) living(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.next[token] != "" {
		token = s.next[token]
	}
	return token
}

// login logs in elsewhere like a person, and returns the refresh token.
func (s *spied) login(ctx context.Context, client string) (string, error) {
	const redirect = "http://127.0.0.1/callback"
	app := oauth.App{ID: client, Secret: "hush-hush", Endpoints: oauth.Endpoints{Accounts: s.url, API: s.url}, HTTP: oauth.NewHTTP(oauth.Options{Now: time.Now})}
	l := oauth.NewLogin(redirect, nil, false)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, app.AuthorizeURL(l), nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return "", err
	}
	got, err := app.Exchange(ctx, l, to.Query().Get("code"))
	return got.Refresh, err
}

// history is a few projects next to each other, and their state so far.
type history struct {
	*rapid.T
	root     string
	servers  []*spied
	tally    *tallyOfHistories
	projects []string // directories, some of which are links to others
	profiles map[string]*declared
	marks    int
	made     int
	events   []string
}

// declared is the content of a project's profile.
type declared struct {
	name, client, state, ttl string
	outputs                  []string // keys of candidates
}

// candidates are the outputs that profiles declare. People also make files of their own
// at these paths.
var candidates = map[string]string{
	".env":                   "{type: env, path: .env, keys: {access_token: TOKEN}}",
	".env ":                  "{type: env, path: .env, keys: {access_token: TOKEN, refresh_token: REFRESH}}",
	"sub/.env":               "{type: env, path: sub/.env, keys: {access_token: TOKEN, expires_at: UNTIL}}",
	"token.json":             "{type: json, path: token.json}",
	"token.json ":            "{type: json, path: token.json, format: oauth2}",
	"token.json  ":           "{type: json, path: token.json, format: spotipy}",
	"conf.ini":               "{type: template, path: conf.ini, template: conf.tmpl}",
	"../outside/shared.env":  "{type: env, path: ../outside/shared.env, keys: {access_token: TOKEN_NAME}}",
	"../outside/shared.json": "{type: json, path: ../outside/shared.json, format: oauth2}",
}

func names() []string {
	var list []string
	for name := range candidates {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func liveThrough(r *rapid.T, servers []*spied, tally *tallyOfHistories) {
	root, err := os.MkdirTemp("", "tokenform-history")
	if err != nil {
		r.Fatal(err)
	}
	defer os.RemoveAll(root)
	if root, err = filepath.EvalSymlinks(root); err != nil {
		r.Fatal(err)
	}
	for _, s := range servers {
		s.issued, s.next = map[string]bool{}, map[string]string{}
	}
	h := &history{T: r, root: root, servers: servers, tally: tally, profiles: map[string]*declared{}}
	defer func() {
		if r.Failed() {
			r.Logf("in %s:\n%s", filepath.Base(root), strings.Join(h.events, "\n"))
		}
	}()
	h.make("outside")
	h.make("p0")
	h.projects = []string{filepath.Join(root, "p0")}
	h.put(filepath.Join(root, "p0", "conf.tmpl"), "token=${access_token}\n# a template\n")
	d := &declared{name: "dev", client: "app", ttl: "5m"}
	for range 1 + h.below("outputs", 3) {
		d.outputs = append(d.outputs, rapid.SampledFrom(names()).Draw(r, "output"))
	}
	h.profiles[h.projects[0]] = d
	h.declare(h.projects[0])
	if h.below("own file first", 3) == 0 {
		h.someonesFile()
	}
	h.imports()
	h.tokenform("apply")
	for range 4 + h.below("steps", 16) {
		rapid.SampledFrom([]func(){
			h.applies, h.applies, h.applies, h.applies, h.applies, h.killed, h.prunes, h.looks, h.sandboxed, h.destroys, h.imports, h.imports,
			h.edits, h.edits, h.renames, h.moves, h.copies, h.links, h.movesState,
			h.someonesFile, h.someonesLine, h.someonesLink, h.removes, h.client, h.client, h.client,
		}).Draw(r, "step")()
		if r.Failed() {
			return
		}
	}
	tally.histories++
}

func (h *history) below(label string, n int) int { return rapid.IntRange(0, n-1).Draw(h.T, label) }

func (h *history) project() string { return rapid.SampledFrom(h.projects).Draw(h.T, "project") }

// mark returns a word that only somebody else's bytes have.
func (h *history) mark() string {
	h.marks++
	return fmt.Sprintf("FOREIGN-%d", h.marks)
}

func (h *history) event(format string, args ...any) {
	h.events = append(h.events, strings.ReplaceAll(fmt.Sprintf(format, args...), h.root, ""))
}

func (h *history) make(dir string) {
	if err := os.MkdirAll(filepath.Join(h.root, dir), 0o700); err != nil {
		h.Fatal(err)
	}
}

func (h *history) put(path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
}

// real returns a project's directory with its links followed.
func real(project string) string {
	if to, err := filepath.EvalSymlinks(project); err == nil {
		return to
	}
	return project
}

// declare writes the profile of a project.
func (h *history) declare(project string) {
	d := h.profiles[real(project)]
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\nprofile: %s\nclient: {id: %s, secret: hush-hush}\nmin_ttl: %s\n", h.mark(), d.name, d.client, d.ttl)
	if d.state != "" {
		fmt.Fprintf(&b, "state: %s\n", d.state)
	}
	var taken []string
	for i, o := range d.outputs {
		if path := strings.TrimSpace(o); !slices.Contains(taken, path) {
			taken = append(taken, path)
			if i == 0 {
				b.WriteString("outputs:\n")
			}
			fmt.Fprintf(&b, "  - %s\n", strings.ReplaceAll(candidates[o], "NAME", strings.ToUpper(d.name)))
		}
	}
	h.put(filepath.Join(project, "tokenform.yaml"), b.String())
}

// The following methods are actions of people.

func (h *history) other(format string, args ...any) {
	h.tally.others++
	h.event(format, args...)
}

func (h *history) edits() {
	p := h.project()
	d := h.profiles[real(p)]
	d.outputs = nil
	for range h.below("outputs", 4) {
		d.outputs = append(d.outputs, rapid.SampledFrom(names()).Draw(h.T, "output"))
	}
	d.ttl = rapid.SampledFrom([]string{"5m", "1h"}).Draw(h.T, "ttl")
	d.client = rapid.SampledFrom([]string{"app", "app", "app", "app2"}).Draw(h.T, "client")
	d.state = rapid.SampledFrom([]string{"", "", "../shared", "own"}).Draw(h.T, "state")
	h.declare(p)
	h.other("edit %s: %+v", p, *d)
}

func (h *history) renames() {
	p := h.project()
	h.profiles[real(p)].name = rapid.SampledFrom([]string{"dev", "web"}).Draw(h.T, "name")
	h.declare(p)
	h.other("rename the profile of %s: %s", p, h.profiles[real(p)].name)
}

// free returns a path for a new project.
func (h *history) free() string {
	h.made++
	return filepath.Join(h.root, fmt.Sprintf("p%d", h.made))
}

func (h *history) moves() {
	from, to := real(h.project()), h.free()
	if err := os.Rename(from, to); err != nil {
		h.Fatal(err)
	}
	h.projects = slices.DeleteFunc(h.projects, func(p string) bool {
		_, err := os.Stat(p)
		if err != nil && p != from {
			_ = os.Remove(p) // remove a link that leads nowhere now
		}
		return err != nil
	})
	h.projects = append(h.projects, to)
	h.profiles[to] = h.profiles[from]
	delete(h.profiles, from)
	h.other("mv %s %s", from, to)
}

func (h *history) copies() {
	from, to := real(h.project()), h.free()
	if err := exec.Command("cp", "-a", from, to).Run(); err != nil {
		h.Fatal(err)
	}
	h.projects = append(h.projects, to)
	same := *h.profiles[from]
	h.profiles[to] = &same
	h.other("cp -a %s %s", from, to)
}

func (h *history) links() {
	from, to := real(h.project()), h.free()
	if err := os.Symlink(from, to); err != nil {
		h.Fatal(err)
	}
	h.projects = append(h.projects, to)
	h.other("ln -s %s %s", from, to)
}

// movesState moves the tokens to another directory, and changes the profile
// accordingly.
func (h *history) movesState() {
	p := real(h.project())
	d := h.profiles[p]
	to := filepath.Join(p, "moved")
	if _, err := os.Lstat(to); err == nil || d.state != "" || os.Rename(filepath.Join(p, ".tokenform"), to) != nil {
		return
	}
	d.state = "moved"
	h.declare(p)
	h.other("mv .tokenform moved in %s", p)
}

func (h *history) output() string {
	return filepath.Join(h.project(), strings.TrimSpace(rapid.SampledFrom(names()).Draw(h.T, "output")))
}

// someonesFile writes a file of somebody else to the path of an output, present or
// future.
func (h *history) someonesFile() {
	path := h.output()
	m := h.mark()
	text := rapid.SampledFrom([]string{m + "=1\n", "# " + m + "\r\nB='" + m + "'\r\n", `{"x": "` + m + `"}`, m + "\nTOKEN=theirs\n", "\ufeffA=" + m}).Draw(h.T, "text")
	_ = os.MkdirAll(filepath.Dir(path), 0o700)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return
	}
	// Editors also put a new file in place of the old one.
	_ = os.Remove(path)
	h.put(path, text)
	h.other("somebody writes %s: %q", path, text)
}

func (h *history) someonesLine() {
	path := h.output()
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(path, "env") {
		return
	}
	line := rapid.SampledFrom([]string{"export X=%s\n", "# %s\n", "A.B = \"%s\"\r\n", "\n%s='a b'\n", "LONE%s\n"}).Draw(h.T, "line")
	line = fmt.Sprintf(line, h.mark())
	if h.below("front", 2) == 0 {
		b = append([]byte(line), b...)
	} else {
		b = append(b, line...)
	}
	h.put(path, string(b))
	h.other("somebody adds to %s: %q", path, line)
}

// someonesLink puts a link at the path of an output.
func (h *history) someonesLink() {
	path := h.output()
	target := filepath.Join(h.root, "outside", "target"+strconv.Itoa(h.below("target", 3)))
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return
	}
	if _, err := os.Stat(target); err != nil && h.below("dangling", 2) == 0 {
		h.put(target, "# "+h.mark()+"\n")
	}
	_ = os.Remove(path)
	if h.below("hard", 3) == 0 {
		_ = os.Link(target, path)
	} else {
		_ = os.Symlink(target, path)
	}
	h.other("somebody links %s to %s", path, target)
}

func (h *history) removes() {
	path := h.output()
	if strings.Contains(h.living(path), "AQ") {
		return // the person would throw a living token away
	}
	_ = os.Remove(path)
	h.other("rm %s", path)
}

// living returns the living refresh tokens in a file.
func (h *history) living(path string) string {
	b, _ := os.ReadFile(path)
	var found []string
	for _, s := range h.servers {
		s.mu.Lock()
		for token := range s.issued {
			if s.next[token] == "" && bytes.Contains(b, []byte(token)) {
				found = append(found, token)
			}
		}
		s.mu.Unlock()
	}
	return strings.Join(found, " ")
}

// client is a program with a token file that refreshes on its own.
func (h *history) client() {
	path := h.output()
	b, err := os.ReadFile(path)
	var file map[string]any
	if err != nil {
		return
	}
	refresh := ""
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "REFRESH="); ok {
			refresh = strings.Trim(value, "'\r\n")
		}
	}
	if refresh == "" {
		if json.Unmarshal(b, &file) != nil {
			return
		}
		refresh, _ = file["refresh_token"].(string)
	}
	for _, s := range h.servers {
		if !s.has(refresh) {
			continue
		}
		for _, id := range []string{"app", "app2"} {
			app := oauth.App{ID: id, Secret: "hush-hush", Endpoints: oauth.Endpoints{Accounts: s.url, API: s.url}, HTTP: oauth.NewHTTP(oauth.Options{Now: time.Now})}
			got, err := app.Refresh(context.Background(), refresh)
			if err != nil {
				continue
			}
			if file == nil {
				h.put(path, strings.ReplaceAll(string(b), refresh, got.Refresh))
				h.other("a client refreshes and writes REFRESH in %s", path)
				return
			}
			file["access_token"], file["refresh_token"] = got.Access, got.Refresh
			until := time.Now().Add(got.ExpiresIn).UTC()
			for key, value := range map[string]any{"expiry": until.Format(time.RFC3339), "expires_at": until.Unix()} {
				if old, ok := file[key]; ok {
					if _, text := old.(string); text {
						value = until.Format(time.RFC3339)
					}
					file[key] = value
				}
			}
			b, err := json.Marshal(file)
			if err != nil {
				h.Fatal(err)
			}
			h.put(path, string(b))
			h.other("a client refreshes and writes %s", path)
			return
		}
	}
}

func (s *spied) has(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return token != "" && s.issued[token] && s.next[token] == ""
}

// The following methods are actions of tokenform.

func (h *history) applies()   { h.tokenform("apply") }
func (h *history) prunes()    { h.tokenform("apply", "--prune") }
func (h *history) destroys()  { h.tokenform("destroy", "--yes") }
func (h *history) sandboxed() { h.tokenform("apply", "--sandbox") }

func (h *history) looks() {
	h.tokenform(rapid.SampledFrom([]string{"plan", "status", "validate"}).Draw(h.T, "look"))
}

// imports logs in elsewhere like a person, and imports the refresh token here.
func (h *history) imports() { h.tokenform("import") }

func (h *history) killed() { h.tokenform("apply", "killed") }

// tokenform runs a command for a project and checks that nothing happened which must
// never happen.
func (h *history) tokenform(args ...string) int {
	p := h.project()
	s := h.servers[0]
	if h.below("server", 6) == 0 {
		s = h.servers[1]
	}
	stdin := ""
	if args[0] == "import" {
		refresh, err := s.login(context.Background(), h.profiles[real(p)].client)
		if err != nil {
			h.Fatal(err)
		}
		stdin = refresh
	}
	kill := slices.Contains(args, "killed")
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "killed" })
	args = append(args, filepath.Join(p, "tokenform.yaml"))
	before, alive := h.look(), h.alive()
	asked := s.count()
	var code int
	var said string
	if kill {
		code, said = h.runKilled(s, args)
	} else {
		code, said = h.run(s, stdin, args)
	}
	h.tally.runs++
	if code != 0 {
		h.tally.failed++
	}
	h.event("tokenform %s at server %d: %d %q", strings.Join(args, " "), slices.Index(h.servers, s), code, said)
	h.check(p, args, before, h.look())
	lost := h.lost(alive)
	switch {
	case args[0] == "destroy" || slices.Contains(args, "--prune"):
	case len(lost) > 0 && kill && s.count() > asked:
		h.tally.window++
	case len(lost) > 0:
		h.Errorf("%d living refresh tokens are gone from the disk", len(lost))
	}
	for i, s := range h.servers {
		if s.alien > 0 {
			h.Errorf("server %d got a refresh token that is not its own", i)
		}
		s.mu.Lock()
		for token := range s.issued {
			if strings.Contains(said, token) {
				h.Errorf("a refresh token is shown")
			}
		}
		s.mu.Unlock()
	}
	if code == 0 && args[0] == "apply" && !slices.Contains(args, "--sandbox") && h.profiles[real(p)].ttl == "5m" {
		if code, said := h.run(s, "", []string{"plan", "--detailed-exitcode", filepath.Join(p, "tokenform.yaml")}); code != 0 {
			h.Errorf("after an apply, plan says %d: %s", code, said)
		}
	}
	return code
}

func (s *spied) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (h *history) env(s *spied) []string {
	return surroundings(h.root, s.url)
}

// run runs tokenform in this process.
func (h *history) run(s *spied, stdin string, args []string) (int, string) {
	env := h.env(s)
	var said bytes.Buffer
	var mu sync.Mutex
	out := writerFunc(func(b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return said.Write(b) })
	code := cli.Run(context.Background(), cli.Process{
		Args: args,
		Env: func(name string) (string, bool) {
			for _, v := range env {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value, true
				}
			}
			return "", false
		},
		Environ: func() []string { return env },
		In:      strings.NewReader(stdin), Out: out, Err: out,
		Now: time.Now, Version: func() cli.Build { return cli.Build{Release: "v0"} },
		Guard:   func(...os.Signal) {},
		Hangups: func() (<-chan os.Signal, func()) { return nil, func() {} },
	})
	mu.Lock()
	defer mu.Unlock()
	return code, said.String()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// runKilled runs tokenform in a process that is killed at a random moment.
func (h *history) runKilled(s *spied, args []string) (int, string) {
	var said bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = h.root, h.env(s), &said, &said
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	var over atomic.Bool
	nap := time.Duration(h.below("microseconds", 12000)) * time.Microsecond
	killer := time.AfterFunc(nap, func() {
		if !over.Load() {
			_ = cmd.Process.Kill()
		}
	})
	_ = cmd.Wait()
	over.Store(true)
	killer.Stop()
	if cmd.ProcessState.ExitCode() == -1 {
		h.tally.killed++
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// The following code checks what must never happen.

type seen struct {
	mode fs.FileMode
	link string
	text string
}

// look reads everything below the root except state.
func (h *history) look() map[string]seen {
	all := map[string]seen{}
	err := filepath.WalkDir(h.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if slices.Contains([]string{".tokenform", "shared", "own", "moved", "home"}, e.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		x := seen{mode: info.Mode()}
		if info.Mode()&fs.ModeSymlink != 0 {
			x.link, err = os.Readlink(path)
		} else {
			var b []byte
			b, err = os.ReadFile(path)
			x.text = string(b)
		}
		all[path] = x
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return all
}

// someones returns the lines of text that belong to somebody else.
func someones(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "FOREIGN-") {
			list = append(list, line)
		}
	}
	return list
}

func (h *history) check(project string, args []string, before, after map[string]seen) {
	looks := slices.Contains([]string{"plan", "status", "validate"}, args[0])
	mine := real(project)
	for path, was := range before {
		is, there := after[path]
		switch {
		case looks && is != was:
			h.Errorf("%s changed %s", args[0], path)
		case was.link != "" && is.link != was.link:
			h.Errorf("the link %s is gone, or leads elsewhere", path)
		case h.elsewhere(path, mine) && is != was:
			h.Errorf("%s, of another project, changed", path)
		case there && is.mode.Perm() != was.mode.Perm():
			h.Errorf("the mode of %s was %v and is %v", path, was.mode, is.mode)
		}
		want := someones(was.text)
		if len(want) == 0 {
			continue
		}
		if got := someones(is.text); !slices.EqualFunc(got, want, func(a, b string) bool {
			return a == b || !strings.HasSuffix(b, "\n") && strings.TrimRight(a, "\r\n") == b
		}) && after[path+".before"].text != was.text {
			h.Errorf("somebody's bytes in %s were\n%q\nand are\n%q", path, want, got)
		}
		if strings.HasPrefix(was.text, "\ufeff") && !strings.HasPrefix(is.text, "\ufeff") {
			h.Errorf("the byte order mark of %s is gone", path)
		}
		if strings.HasSuffix(path, "yaml") || strings.HasSuffix(path, "tmpl") {
			if is != was {
				h.Errorf("%s changed", path)
			}
		}
	}
	for path := range after {
		if _, there := before[path]; !there && (looks || h.elsewhere(path, mine)) {
			h.Errorf("%s made %s", args[0], path)
		}
	}
}

// elsewhere reports whether path is in a project other than mine.
func (h *history) elsewhere(path, mine string) bool {
	dir, _, _ := strings.Cut(strings.TrimPrefix(path, h.root+"/"), "/")
	return strings.HasPrefix(dir, "p") && filepath.Join(h.root, dir) != mine && filepath.Join(h.root, dir) != path
}

// alive returns the living refresh tokens on the disk.
func (h *history) alive() []string {
	disk := h.disk()
	var list []string
	for _, s := range h.servers {
		s.mu.Lock()
		for token := range s.issued {
			if s.next[token] == "" && strings.Contains(disk, token) {
				list = append(list, token)
			}
		}
		s.mu.Unlock()
	}
	return list
}

// lost returns the tokens of list whose living successor is not on the disk.
func (h *history) lost(list []string) []string {
	disk := h.disk()
	var lost []string
	for _, token := range list {
		for _, s := range h.servers {
			if s.issued[token] && !strings.Contains(disk, s.living(token)) {
				lost = append(lost, token)
			}
		}
	}
	return lost
}

// disk returns the content of every file.
func (h *history) disk() string {
	var b strings.Builder
	_ = filepath.WalkDir(h.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			text, _ := os.ReadFile(path)
			b.Write(text)
			b.WriteString("\n")
		}
		return nil
	})
	return b.String()
}
