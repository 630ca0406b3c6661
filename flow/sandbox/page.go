package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"
)

// styleHash allows the pages' own style sheet in a Content-Security-Policy that
// forbids all others.
var styleHash = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
})

// foreign returns text from outside as HTML. Its direction, which may be from right to
// left, is its own: the words around it stay where they are.
func foreign(text string) string { return "<bdi>" + html.EscapeString(text) + "</bdi>" }

// page wraps trusted HTML. The caller must pass everything that came from outside
// through [foreign] or [html.EscapeString]. A page has no script and loads nothing.
func page(status int, title, main, formAction string) answer {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>` + title + ` · sandbox</title>
<link rel="icon" href="data:,">
<style>`)
	b.WriteString(style)
	b.WriteString(`</style>
</head>
<body>
<header class="tape"><span><b>Sandbox</b> This is not Spotify</span></header>
<main>
`)
	b.WriteString(main)
	b.WriteString(`</main>
<footer>tokenform’s stand-in for the Spotify Accounts service. It talks to nobody, and knows no music.</footer>
</body>
</html>
`)
	a := body(status, "text/html; charset=utf-8", []byte(b.String()))
	a.header.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src "+styleHash()+
		"; form-action "+formAction+"; frame-ancestors 'none'; base-uri 'none'")
	a.header.Set("Referrer-Policy", "no-referrer")
	return a
}

// consentPage asks the user for consent. The form carries the question, sealed, so
// that the server stores none.
func (s *Server) consentPage(c claims) answer {
	name := c.User.Name
	if name == "" {
		name = c.User.ID
	}
	first, _ := utf8.DecodeRuneInString(name)
	var b strings.Builder
	b.WriteString(`<h1>Let this app in?</h1>
<p class="app"><code>` + foreign(c.Client) + `</code></p>
<div class="account">
<span class="face" aria-hidden="true">` + foreign(strings.ToUpper(string(first))) + `</span>
<div><span class="hint">Logged in as</span><b>` + foreign(name) + `</b><code>` + foreign(c.User.ID) + `</code></div>
</div>
<h2>The app will be able to</h2>
<ul class="scopes">
<li><span>See your name and public profile</span><code>no scope needed</code></li>
`)
	for i := range known {
		if c.Scopes&(1<<i) != 0 {
			b.WriteString(`<li><span>` + known[i].words + `</span><code>` + known[i].name + "</code></li>\n")
		}
	}
	b.WriteString(`</ul>
<form method="post" action="/authorize">
<input type="hidden" name="request" value="` + s.issue(c) + `">
<p class="buttons"><button name="answer" value="cancel">Cancel</button><button class="allow" name="answer" value="allow">Allow</button></p>
</form>
<p class="hint">Then the browser goes to <code>` + foreign(c.Redirect) + `</code></p>
`)
	return page(http.StatusOK, "Let this app in?", b.String(), "'self' "+formTarget(c.Redirect))
}

// mistakePage answers a wrong request. Until May 2026 Spotify showed the bare text.
func (s *Server) mistakePage(m *mistake) answer {
	if s.opt.OldErrors {
		return plain(http.StatusBadRequest, m.old)
	}
	cure := strings.Replace(html.EscapeString(m.cure), "%s", foreign(m.value), 1)
	return page(http.StatusBadRequest, "This login cannot start", `<h1>This login cannot start</h1>
<p>`+cure+`</p>
<p class="label">The error, in Spotify’s words</p>
<p class="said">`+html.EscapeString(m.text)+`</p>
<p class="hint">The browser stays here. An app that waits for an answer gets none.</p>
`, "'none'")
}

// index greets a person who opens the server's address.
func (s *Server) index(r *http.Request) answer {
	origin := html.EscapeString("http://" + r.Host)
	var b strings.Builder
	b.WriteString(`<h1>The sandbox is running</h1>
<p>It behaves like the Spotify Accounts service and has two calls of the Web API, so that logins, refreshes and their failures can be tried without an account.</p>
<h2>Use it</h2>
<pre>export TOKENFORM_ACCOUNTS_URL=` + origin + `
export TOKENFORM_API_URL=` + origin + `
tokenform apply</pre>
`)
	if s.opt.AnyApp {
		b.WriteString("<h2>Apps</h2>\n<p>Any client ID and any secret will do, with any redirect URI that Spotify would register.</p>\n")
	} else {
		b.WriteString("<h2>Apps</h2>\n<dl>\n")
		demo := DemoApp()
		for _, a := range s.opt.Apps {
			b.WriteString(`<dt>Client ID</dt><dd><code>` + foreign(a.ID) + "</code></dd>\n")
			if a.ID == demo.ID && a.Secret == demo.Secret {
				b.WriteString(`<dt>Secret</dt><dd><code>` + demo.Secret + "</code></dd>\n")
			}
			for _, uri := range a.RedirectURIs {
				b.WriteString(`<dt>Redirect URI</dt><dd><code>` + foreign(uri) + "</code></dd>\n")
			}
		}
		b.WriteString("</dl>\n")
	}
	b.WriteString(`<h2>Addresses</h2>
<dl>
<dt>Login</dt><dd><code>GET /authorize</code></dd>
<dt>Tokens</dt><dd><code>POST /api/token</code></dd>
<dt>Web API</dt><dd><code>GET /v1/me</code><br><code>GET /v1/search</code></dd>
</dl>
`)
	return page(http.StatusOK, "The sandbox is running", b.String(), "'none'")
}
