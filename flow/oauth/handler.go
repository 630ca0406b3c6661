package oauth

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// handle answers one request. Every program on this machine and every page in the
// browser can send one, so handle refuses each doubtful request, and a refusal changes
// nothing.
func (c *Callback) handle(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", contentPolicy())
	h.Set("Server", serverName)
	callback, start := r.URL.Path == c.path, r.URL.Path == c.startPath
	switch {
	case !slices.Contains(c.hosts, strings.ToLower(r.Host)):
		// The name of another host was made to resolve to this machine (DNS rebinding).
		http.Error(w, "421 this listener does not answer for that host", http.StatusMisdirectedRequest)
	case !callback && !start:
		http.Error(w, "404 nothing here", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "405 only GET is answered", http.StatusMethodNotAllowed)
	case ahead(r):
		// A page that the browser loads ahead does not mean that the user came back.
		http.Error(w, "503 not ready yet", http.StatusServiceUnavailable)
	case r.Method == http.MethodHead:
		h.Set("Content-Type", "text/html; charset=utf-8")
	case start:
		c.start(w, r)
	default:
		c.answer(w, r)
	}
}

// ahead reports whether the browser loads the page ahead, before the user asks for it.
func ahead(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"} {
		value := strings.ToLower(r.Header.Get(name))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// start leads the first browser that asks to the authorize URL. The browser gets a
// cookie, with which it may ask again.
func (c *Callback) start(w http.ResponseWriter, r *http.Request) {
	mine, err := r.Cookie(visitorCookie)
	switch {
	case c.claimed.Load():
		show(w, http.StatusConflict, alreadyAnswered)
		return
	case !topLevel(r):
		http.Error(w, "403 open this address in its own tab", http.StatusForbidden)
		return
	case err == nil && mine.Value == c.visitor:
	case !c.opened.CompareAndSwap(false, true):
		show(w, http.StatusConflict, openedElsewhere)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: visitorCookie, Value: c.visitor, Path: c.startPath, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	// http.Redirect would write the URL into a body as well.
	w.Header().Set("Location", c.authorizeURL)
	w.WriteHeader(http.StatusFound)
}

// topLevel reports whether r is for a page of its own in a tab, and not for a part of
// another page or for a script. Old browsers and other clients do not say (Fetch Metadata
// Request Headers, W3C).
func topLevel(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}

// serverName is the Server header, by which another tokenform recognizes that a login
// has the port.
const serverName = "tokenform"

const visitorCookie = "tokenform"

// answer takes the first answer with the right state. Its page waits for the outcome of
// the login.
func (c *Callback) answer(w http.ResponseWriter, r *http.Request) {
	code, err := readAnswer(r.URL.RawQuery, c.state)
	declined, _ := errors.AsType[*Error](err)
	if err != nil && declined == nil {
		show(w, http.StatusBadRequest, wrongAnswer)
		return
	}
	if !c.claimed.CompareAndSwap(false, true) {
		show(w, http.StatusConflict, alreadyAnswered)
		return
	}
	defer close(c.shown)
	if declined != nil {
		// No exchange follows, and the listener may close once Wait returns.
		show(w, http.StatusOK, Result{Profile: c.Profile, Message: declined.Error(), Hint: declined.Hint}.page())
		c.answers <- result{err: declined}
		return
	}
	a := &Answer{Code: code, finish: make(chan Result, 1)}
	c.answers <- result{answer: a}
	select {
	case o := <-a.finish:
		show(w, http.StatusOK, o.page())
	case <-r.Context().Done():
	case <-c.closing:
		select {
		case o := <-a.finish:
			show(w, http.StatusOK, o.page())
		default:
			show(w, http.StatusOK, stopped)
		}
	}
}

// show writes and flushes a page, because the connection may be closed right after.
// Without a Content-Length the page would go in chunks, and the last chunk, which marks
// the end, would go only after the handler returns.
func show(w http.ResponseWriter, status int, p page) {
	body := p.html()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	_ = http.NewResponseController(w).Flush()
}
