package examples

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// choose starts a browser in which the person makes the given choice.
func (w *oidcWorld) choose(choice string) {
	dir := w.t.TempDir()
	w.choice, w.browser = choice, dir
	w.t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(dir, "result.json")); err == nil {
			return // the browser has ended on its own
		}
		var pid int
		b, _ := os.ReadFile(filepath.Join(dir, "pid"))
		if _, err := fmt.Sscan(string(b), &pid); err != nil {
			return
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // this closes the pipe between the two, which ends Chromium
		}
	})
}

// oidcPage is what the browser saw at the end, and on its way.
type oidcPage struct {
	Error       string
	Args        []string
	Requests    []string
	Console     []string
	Status      int
	Headers     map[string]string
	Title       string
	Heading     string
	Text        string
	HTML        string
	StyleSheets int
}

// page waits for the browser and checks what is true for the last page of every login.
func (w *oidcWorld) page(heading string) oidcPage {
	w.t.Helper()
	var page oidcPage
	path := filepath.Join(w.browser, "result.json")
	b, err := os.ReadFile(path)
	for end := time.Now().Add(45 * time.Second); errors.Is(err, fs.ErrNotExist) && time.Now().Before(end); b, err = os.ReadFile(path) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		w.t.Fatalf("the browser left no result: %v", err)
	}
	if err := json.Unmarshal(b, &page); err != nil {
		w.t.Fatal(err)
	}
	if page.Error != "" {
		w.t.Fatalf("the browser: %s", page.Error)
	}
	if page.Status != http.StatusOK || page.Heading != heading || page.Title != heading+" · tokenform" {
		w.t.Errorf("the page: status %d, heading %q, title %q; want %q", page.Status, page.Heading, page.Title, heading)
	}
	for name, want := range map[string]string{
		"content-type": "text/html; charset=utf-8", "cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff",
	} {
		if page.Headers[name] != want {
			w.t.Errorf("the page's %s: %q, want %q", name, page.Headers[name], want)
		}
	}
	if policy := page.Headers["content-security-policy"]; !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		w.t.Errorf("the page's content policy: %q", policy)
	}
	if page.StyleSheets != 1 || strings.Contains(page.HTML, "<script") {
		w.t.Errorf("the page has %d style sheets in force, or a script", page.StyleSheets)
	}
	w.noSecret("the page", page.HTML)

	// Everybody on the machine can read the command line, so it must have only the
	// short address.
	if len(page.Args) != 1 || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[A-Z2-7]{26}$`).MatchString(page.Args[0]) {
		w.t.Fatalf("the browser's arguments: %q", page.Args)
	}
	listener := page.Args[0][:strings.LastIndex(page.Args[0], "/")+1]
	for _, line := range page.Console {
		// Browsers request an icon on their own.
		if strings.HasPrefix(line, listener) && !strings.HasPrefix(line, listener+"favicon.ico") {
			w.t.Errorf("the browser's console: %s", line)
		}
	}
	for _, request := range page.Requests {
		if !strings.HasPrefix(request, listener) && !strings.HasPrefix(request, w.url+"/") {
			w.t.Errorf("the browser asked another server: %s", request)
		}
	}
	return page
}
