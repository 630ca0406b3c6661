package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Result is the result of a login, for the page that the user ends on.
type Result struct {
	OK      bool
	Profile string
	Account string // as people know it
	Message string
	Hint    string
}

func (o Result) page() page {
	p := page{Mark: markFailed, Title: "Login failed", Foot: "Continue in the terminal.", Message: sentence(o.Message), Hint: sentence(o.Hint), Facts: [][2]string{{"Profile", o.Profile}, {"Account", o.Account}}}
	if o.OK {
		p.Mark, p.Title, p.Foot = markDone, "Logged in", "You can close this tab."
	}
	return p
}

// sentence returns s with a capital letter at its start, for a page; texts in a
// terminal begin with a lower-case letter. A command stays as it is typed.
func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.HasPrefix(s, "tokenform ") {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

var (
	wrongAnswer = page{
		Mark:    markOther,
		Title:   "Not the login that is waiting",
		Message: "This answer is incomplete, or belongs to another login. Nothing has changed, and tokenform is still waiting.",
		Hint:    "Open the address in the terminal again.",
	}
	openedElsewhere = page{
		Mark:    markOther,
		Title:   "Already opened",
		Message: "Another browser or program on this machine has opened this address, and the address works once.",
		Hint:    "Open the long address in the terminal. If you have not opened this one before, press Ctrl-C there and start again.",
	}
	alreadyAnswered = page{
		Mark:    markOther,
		Title:   "Already answered",
		Message: "This login already has an answer, and only the first answer counts. The terminal shows the result.",
		Foot:    "You can close this tab.",
	}
	stopped = page{
		Mark:    markFailed,
		Title:   "Login stopped",
		Message: "tokenform ended before the login was complete.",
		Hint:    "Run the command again.",
	}
)

// page is a whole HTML page: no script, nothing loaded, every text escaped, and the
// cure before the reason.
type page struct {
	Mark    string // class of the sign on top
	Title   string
	Message string
	Facts   [][2]string // name and value; facts without a value are left out
	Hint    string
	Foot    string
}

const (
	markDone   = "done"
	markFailed = "failed"
	markOther  = "other"
)

func (p page) html() string {
	var b strings.Builder
	text := func(open, s, end string) {
		if s != "" {
			b.WriteString(open + isolate(oneLine(s, 600)) + end)
		}
	}
	b.WriteString(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
`)
	text("<title>", p.Title+" · tokenform", "</title>\n")
	b.WriteString("<style>" + style + "</style>\n</head>\n<body>\n<main>\n")
	b.WriteString(`<svg class="` + p.Mark + `" viewBox="0 0 48 48" width="48" height="48" aria-hidden="true"><circle cx="24" cy="24" r="24"/><path d="` + sign(p.Mark) + `"/></svg>` + "\n")
	text("<h1>", p.Title, "</h1>\n")
	text(`<p class="hint"><b>What to do</b> `, p.Hint, "</p>\n")
	text("<p>", p.Message, "</p>\n")
	facts := false
	for _, fact := range p.Facts {
		if fact[1] == "" {
			continue
		}
		if !facts {
			b.WriteString("<dl>\n")
			facts = true
		}
		text("<div><dt>", fact[0], "</dt>")
		text("<dd>", fact[1], "</dd></div>\n")
	}
	if facts {
		b.WriteString("</dl>\n")
	}
	text(`<p class="foot">`, p.Foot, "</p>\n")
	b.WriteString("</main>\n<footer>tokenform</footer>\n</body>\n</html>\n")
	return b.String()
}

// isolate returns text as HTML with each run of right-to-left words in a bdi element.
// Outside of one, such a name would draw the brackets, digits and commas around it to
// its own side (Unicode Standard Annex #9).
func isolate(text string) string {
	var b strings.Builder
	for {
		start := strings.IndexFunc(text, rightToLeft)
		if start < 0 {
			return b.String() + html.EscapeString(text)
		}
		end := start + runLength(text[start:])
		b.WriteString(html.EscapeString(text[:start]) + "<bdi>" + html.EscapeString(text[start:end]) + "</bdi>")
		text = text[end:]
	}
}

// runLength returns the length in bytes of the right-to-left run that text begins with:
// up to the last right-to-left letter before another letter, and the bracket or quote
// that closes one within the run.
func runLength(text string) int {
	n := 0
	for i, r := range text {
		if rightToLeft(r) || unicode.IsMark(r) {
			n = i + utf8.RuneLen(r)
		} else if unicode.IsLetter(r) {
			break
		}
	}
	run, rest := text[:n], text[n:]
	if strings.HasPrefix(rest, ")") && strings.Count(run, "(") > strings.Count(run, ")") ||
		strings.HasPrefix(rest, `"`) && strings.Count(run, `"`)%2 == 1 {
		n++
	}
	return n
}

func rightToLeft(r rune) bool {
	return unicode.IsLetter(r) && unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam)
}

func sign(mark string) string {
	switch mark {
	case markDone:
		return "M14 25l7 7 13-15"
	case markFailed:
		return "M16 16l16 16M32 16L16 32"
	default:
		return "M24 12v15M24 34v1"
	}
}

const style = `
:root{color-scheme:light dark;--back:#f4f5f4;--card:#fff;--text:#1b1f1d;--soft:#5d6662;--line:#e2e6e3;--done:#14803c;--failed:#c02f2a;--other:#a96500}
@media (prefers-color-scheme:dark){:root{--back:#121413;--card:#1c1f1d;--text:#eceeed;--soft:#9ba5a0;--line:#313633;--done:#2fae60;--failed:#e2605a;--other:#d59a3a}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;gap:20px;padding:24px;background:var(--back);color:var(--text);overflow-wrap:anywhere;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{width:100%;max-width:460px;padding:36px 40px;background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:0 1px 2px #0000000d,0 12px 32px #00000014}
svg{display:block;margin-bottom:20px}
circle{fill:currentColor;opacity:.14}
path{fill:none;stroke:currentColor;stroke-width:3.5;stroke-linecap:round;stroke-linejoin:round}
.done{color:var(--done)}.failed{color:var(--failed)}.other{color:var(--other)}
h1{font-size:24px;line-height:1.25;font-weight:650;letter-spacing:-.01em}
p{margin-top:12px}
dl{margin-top:20px;border-top:1px solid var(--line)}
dl div{display:flex;gap:16px;padding:10px 0;border-bottom:1px solid var(--line)}
dt{flex:none;width:5em;color:var(--soft)}
dd{font-weight:550}
.hint{margin-top:20px;padding:12px 16px;border-radius:8px;background:var(--back)}
.hint b{display:block;font-size:13px;font-weight:600;color:var(--soft)}
.hint+p{margin-top:20px}
.foot{margin-top:20px;color:var(--soft)}
footer{font-size:13px;color:var(--soft)}
@media (max-width:480px){main{padding:28px 24px}dl div{display:block}}
`

// contentPolicy allows this one style sheet, by its hash, and nothing else.
var contentPolicy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})
