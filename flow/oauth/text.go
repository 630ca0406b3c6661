package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is how much of a server's text is shown, in characters.
const maxText = 200

// oneLine makes foreign text fit for a terminal: every character that does not print,
// line breaks and escape sequences included, becomes a space.
func oneLine(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return s
}

// secrets are the values that must not be shown, because the server may echo them.
type secrets []string

// clean makes a server's text fit to be shown. clean removes secrets before it tidies
// the text and again after, and before it cuts the text, so that neither can uncover a
// secret.
func (s secrets) clean(text string) string {
	text = s.scrub(text)
	text = oneLine(text, len(text))
	return oneLine(hideLong(s.scrub(text)), maxText)
}

func (s secrets) scrub(text string) string {
	const redacted = "[redacted]"
	for _, secret := range s {
		if secret == "" {
			continue
		}
		for _, form := range []string{
			secret,
			url.QueryEscape(secret),
			url.PathEscape(secret),
			base64.StdEncoding.EncodeToString([]byte(secret)),
		} {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return text
}

// hideLong removes runs of characters as long as a token: such a run helps no reader,
// and may be a secret that tokenform does not know.
func hideLong(text string) string {
	const long = 40
	var b strings.Builder
	for text != "" {
		n := strings.IndexFunc(text, func(r rune) bool { return !tokenRune(r) })
		if n < 0 {
			n = len(text)
		}
		if n >= long {
			b.WriteString("[redacted]")
		} else {
			b.WriteString(text[:n])
		}
		text = text[n:]
		n = strings.IndexFunc(text, tokenRune)
		if n < 0 {
			n = len(text)
		}
		b.WriteString(text[:n])
		text = text[n:]
	}
	return b.String()
}

func tokenRune(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_~+=", r))
}

// asClause returns a server's sentence as a clause: with a lower-case first letter, and
// without the full stop.
func asClause(s string) string {
	s = strings.TrimRight(s, ". ")
	if len(s) > 1 && 'A' <= s[0] && s[0] <= 'Z' && 'a' <= s[1] && s[1] <= 'z' {
		s = strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
