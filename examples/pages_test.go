//go:build linux

package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

const (
	hebrewName = `דנה כהן-לוי "ד"`
	arabicName = "أبو عبد الرحمن محمد بن عبد العزيز، شركة الموسيقى (الرياض)"
)

// shownPage is a page as the program sent it.
type shownPage struct {
	status int
	header http.Header
	body   string
}

// pageBook collects pages by the names of their pictures.
type pageBook struct {
	t     *testing.T
	pages map[string]shownPage
}

// add asks for address, follows nothing, and checks the page's heading.
func (b *pageBook) add(name, heading, address string) {
	b.t.Helper()
	resp, err := (&http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 10 * time.Second}).RoundTrip(must(http.NewRequest("GET", address, nil)))
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "<h1>"+heading+"</h1>") {
		b.t.Errorf("%s: %v, got %d %s, want the heading %q", name, err, resp.StatusCode, body, heading)
	}
	resp.Header.Del("Content-Length")
	b.pages[name] = shownPage{resp.StatusCode, resp.Header, string(body)}
}

// saysAsTheTerminal checks that a page has the error of stderr and its hint. That a
// login was under way is the page's heading.
func (b *pageBook) saysAsTheTerminal(name, stderr string) {
	b.t.Helper()
	text := html.UnescapeString(regexp.MustCompile(`</?bdi>`).ReplaceAllString(b.pages[name].body, ""))
	said := regexp.MustCompile(`\nerror: dev: (?:logging in: )?(.+)\nhint: (.+)\n`).FindStringSubmatch("\n" + stderr)
	if said == nil {
		b.t.Fatalf("%s: the terminal shows\n%s", name, stderr)
	}
	for _, want := range said[1:] {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.ToUpper(want[:1])+want[1:]) {
			b.t.Errorf("%s: the terminal says %q, and the page\n%s", name, want, text)
		}
	}
}

// TestPages has Chromium and axe-core look at every page of the program, in
// three widths, light and dark: nothing for axe-core to find, nothing that sticks
// out, and names of both directions that disturb nothing around them. If
// TOKENFORM_TEST_PICTURES names a folder, the pages' pictures are left there.
func TestPages(t *testing.T) {
	chromiumNeeds(t, "pages", "axe-core")
	b := &pageBook{t: t, pages: map[string]shownPage{}}
	b.ofLogins()
	b.ofSandbox()
	b.look()
}

func (b *pageBook) ofLogins() {
	t := b.t
	login := func(o sandbox.Options, more string) (*attempt, *faults.Server, string) {
		o.AnyApp = true
		server, url := spotify(t, o)
		dir := callbackProfile(t, "127.0.0.1", portBelow(t, "127.0.0.1"), "hush-hush")
		file := filepath.Join(dir, "tokenform.yaml")
		write(t, file, string(must(os.ReadFile(file)))+more)
		w := begin(t, dir, url)
		_, callback, _ := w.get(w.authorize.String())
		return w, server, callback
	}
	arabic := sandbox.Options{User: sandbox.User{ID: "31415926535", Name: arabicName}}
	hebrew := sandbox.Options{User: sandbox.User{ID: "2718281828", Name: hebrewName}}
	endless := sandbox.Options{User: sandbox.User{ID: strings.Repeat("0123456789abcdef", 8), Name: strings.Repeat("Donaudampfschifffahrt", 8)}}

	// An answer that is not the one, the start page twice, and the answer twice.
	w, server, callback := login(arabic, "")
	b.add("login-wrong", "Not the login that is waiting", strings.Split(callback, "?")[0]+"?code=x&state=wrong")
	b.add("login-elsewhere", "Already opened", w.opened.String())
	server.Inject("/api/token", faults.Slow(300*time.Millisecond), 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.add("login-done", "Logged in", callback)
	}()
	reached(t, server, "/api/token", 0)
	status, _, body := w.get(callback)
	<-done
	b.pages["login-answered"] = shownPage{status, b.pages["login-done"].header, body}
	if status != http.StatusConflict || !strings.Contains(body, "<h1>Already answered</h1>") {
		t.Errorf("the same answer again: %d %s", status, body)
	}
	if code := w.end(10 * time.Second); code != 0 {
		t.Errorf("exit %d\n%s", code, w.errs.String())
	}

	// Logins that fail, for one reason each.
	fail := func(name string, o sandbox.Options, more string, change func(*faults.Server, string) string) {
		w, server, callback := login(o, more)
		if change != nil {
			callback = change(server, callback)
		}
		b.add(name, "Login failed", callback)
		if code := w.end(10 * time.Second); code == 0 {
			t.Errorf("%s: exit 0", name)
		}
		b.saysAsTheTerminal(name, w.errs.String())
	}
	fail("login-account", hebrew, "account: "+strings.Repeat("x", 128)+"\n", nil)
	fail("login-endless", endless, "account: somebody\n", nil)
	fail("login-refused", hebrew, "", func(_ *faults.Server, callback string) string {
		u := must(url.Parse(callback))
		return strings.Split(callback, "?")[0] + "?error=access_denied&state=" + u.Query().Get("state")
	})
	fail("login-server", hebrew, "", func(s *faults.Server, callback string) string {
		s.Inject("/api/token", faults.OAuthError("invalid_client", strings.Repeat(arabicName+", and no other. ", 5)), 1)
		return callback
	})

	// A login that is given up while the page waits.
	w, server, callback = login(hebrew, "")
	server.Inject("/api/token", faults.Slow(5*time.Second), 1)
	done = make(chan struct{})
	go func() {
		defer close(done)
		b.add("login-interrupted", "Login failed", callback)
	}()
	reached(t, server, "/api/token", 0)
	if err := w.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-done
	w.end(10 * time.Second)
}

func (b *pageBook) ofSandbox() {
	t := b.t
	serve := func(o sandbox.Options) string {
		_, url := spotify(t, o)
		return url
	}
	ask := func(base string, pairs ...string) string {
		q := url.Values{
			"client_id": {"sandbox-client"}, "redirect_uri": {"http://127.0.0.1:8888/callback"}, "response_type": {"code"},
			"scope": {"playlist-read-private user-soa-unlink"}, "show_dialog": {"true"},
		}
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return base + "/authorize?" + q.Encode()
	}
	const consent, mistake = "Let this app in?", "This login cannot start"
	demo := serve(sandbox.Options{})
	endless := strings.Repeat("0123456789abcdef", 16)
	b.add("sandbox-index", "The sandbox is running", demo)
	b.add("sandbox-index-apps", "The sandbox is running", serve(sandbox.Options{Apps: []sandbox.App{
		{ID: arabicName, RedirectURIs: []string{"https://example.com/" + endless, hebrewName + ":/callback"}},
		{ID: endless},
	}}))
	b.add("sandbox-index-any", "The sandbox is running", serve(sandbox.Options{AnyApp: true}))
	b.add("sandbox-consent", consent, ask(demo))
	b.add("sandbox-consent-hebrew", consent, ask(serve(sandbox.Options{AnyApp: true, User: sandbox.User{ID: "2718281828", Name: hebrewName}}), "client_id", arabicName))
	b.add("sandbox-consent-endless", consent, ask(serve(sandbox.Options{AnyApp: true, User: sandbox.User{ID: endless, Name: endless}}),
		"client_id", endless, "redirect_uri", "https://example.com/"+endless))
	b.add("sandbox-missing", mistake, ask(demo, "client_id", ""))
	b.add("sandbox-client", mistake, ask(demo, "client_id", endless))
	b.add("sandbox-redirect", mistake, ask(demo, "redirect_uri", "https://example.com/"+hebrewName+"/"+endless))
	b.add("sandbox-insecure", mistake, ask(demo, "redirect_uri", "http://localhost:8888/callback"))
	b.add("sandbox-scope", mistake, ask(demo, "scope", "דואר-אלקטרוני"+endless))
	b.add("sandbox-challenge", mistake, ask(demo, "code_challenge", "x", "code_challenge_method", "plain"))
}

// look shows the pages to the browser as they were sent: what a login ends on can
// be asked for once only.
func (b *pageBook) look() {
	t := b.t
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := b.pages[strings.TrimPrefix(r.URL.Path, "/")]
		maps.Copy(w.Header(), page.header)
		if page.status == 0 { // browsers ask for an icon on their own
			page.status = http.StatusNotFound
		}
		w.WriteHeader(page.status)
		_, _ = io.WriteString(w, page.body)
	}))
	t.Cleanup(server.Close)
	names := slices.Sorted(maps.Keys(b.pages))

	pictures := os.Getenv("TOKENFORM_TEST_PICTURES")
	if pictures != "" {
		pictures = must(filepath.Abs(pictures))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	eyes := exec.CommandContext(ctx, "node", "look.mjs")
	eyes.Dir, eyes.WaitDelay = "testdata/pages", 5*time.Second
	eyes.Stdin = bytes.NewReader(must(json.Marshal(map[string]any{"base": server.URL, "pages": names, "pictures": pictures, "executable": chromium})))
	var out, errs bytes.Buffer
	eyes.Stdout, eyes.Stderr = &out, &errs
	if err := eyes.Run(); err != nil {
		t.Fatalf("the browser: %v\n%s", err, errs.String())
	}
	var seen struct {
		Looks    int // how often a page was looked at
		Rules    int // of axe-core that applied to one page
		Findings []string
	}
	if err := json.Unmarshal(out.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	for _, finding := range seen.Findings {
		t.Error(finding)
	}
	if seen.Looks != 6*len(names) || seen.Rules < 20 {
		t.Errorf("%d looks at %d pages, with %d rules", seen.Looks, len(names), seen.Rules)
	}
	t.Logf("%d pages, %d looks, up to %d rules of axe-core", len(names), seen.Looks, seen.Rules)
}

// must is for what cannot fail here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
