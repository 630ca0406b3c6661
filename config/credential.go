package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// blemish returns the flaw of a credential that Spotify cannot have issued, or nil. RFC
// 6749 appendix A allows %x20-7E in a client id, a secret and a refresh token, and
// Spotify issues none with a blank in it. If any other character was copied along with
// the credential, every request fails, with an answer that blames something else. The
// flaw names only the character that does not belong, which is no part of the secret.
func blemish(s string) *flaw {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" {
		return nil // all of Spotify's are like this; without this check, thousands of profiles load more slowly
	}
	if wrong := wrapper(s); wrong != nil {
		return wrong
	}
	if strings.ContainsAny(s, "\r\n") {
		return &flaw{"the value spans several lines", "tokenform drops one trailing newline; the source must contain only the value"}
	}
	return foreign(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// blemishInAccount is blemish for the id of an account. An id may be a name in any
// script, but has no invisible characters.
func blemishInAccount(s string) *flaw {
	return foreign(s, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
}

// foreign returns the flaw of the first character in s that does not belong
// there.
func foreign(s string, bad func(rune) bool) *flaw {
	i := strings.IndexFunc(s, bad)
	if i < 0 {
		return nil
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	where := fmt.Sprintf("at character %d", utf8.RuneCountInString(s[:i])+1)
	switch {
	case i == 0:
		where = "at the start"
	case strings.TrimFunc(s[i:], bad) == "":
		where = "at the end"
	}
	const again = "copy it again, without extra characters"
	switch {
	case r == utf8.RuneError && size == 1:
		return &flaw{"the value is not UTF-8 text: a wrong byte " + where, "save its source as UTF-8"}
	case r == '\ufeff' && i == 0:
		return &flaw{"the value contains " + character(r) + " " + where, "save its source as UTF-8 without a byte order mark"}
	case unicode.IsSpace(r):
		return &flaw{"the value contains white space: " + character(r) + " " + where, again}
	case unicode.IsPrint(r):
		return &flaw{"the value contains " + character(r) + " " + where, "copy it again from the source: chat programs and word processors replace hyphens and quotes; Spotify's values are plain ASCII"}
	}
	return &flaw{"the value contains " + character(r) + " " + where, again}
}

// character names a character by its code and, if it is one that copying brings
// along, by its name in the Unicode Standard.
func character(r rune) string {
	code := fmt.Sprintf("%U", r)
	if name := characterNames()[r]; name != "" {
		return code + " " + name
	}
	switch {
	case unicode.IsControl(r):
		return code + ", a control character,"
	case unicode.IsLetter(r):
		return code + ", a letter that is not ASCII,"
	case !unicode.IsPrint(r):
		return code + ", which is invisible,"
	}
	return code + ", which is not ASCII,"
}

// characterNames are the characters that copying brings along, by their names in
// the Unicode Standard.
var characterNames = sync.OnceValue(func() map[rune]string {
	return map[rune]string{
		0: "NULL", '\t': "TAB", 0x1b: "ESCAPE", ' ': "SPACE",
		0x85: "NEXT LINE", 0xa0: "NO-BREAK SPACE", 0xad: "SOFT HYPHEN", 0x2007: "FIGURE SPACE",
		0x2009: "THIN SPACE", 0x200b: "ZERO WIDTH SPACE", 0x200c: "ZERO WIDTH NON-JOINER",
		0x200d: "ZERO WIDTH JOINER", 0x200e: "LEFT-TO-RIGHT MARK", 0x200f: "RIGHT-TO-LEFT MARK",
		0x2010: "HYPHEN", 0x2011: "NON-BREAKING HYPHEN", 0x2012: "FIGURE DASH", 0x2013: "EN DASH",
		0x2014: "EM DASH", 0x2018: "LEFT SINGLE QUOTATION MARK", 0x2019: "RIGHT SINGLE QUOTATION MARK",
		0x201c: "LEFT DOUBLE QUOTATION MARK", 0x201d: "RIGHT DOUBLE QUOTATION MARK",
		0x2026: "HORIZONTAL ELLIPSIS", 0x2028: "LINE SEPARATOR", 0x2029: "PARAGRAPH SEPARATOR",
		0x202a: "LEFT-TO-RIGHT EMBEDDING", 0x202c: "POP DIRECTIONAL FORMATTING", 0x202f: "NARROW NO-BREAK SPACE",
		0x2060: "WORD JOINER", 0x2066: "LEFT-TO-RIGHT ISOLATE", 0x2069: "POP DIRECTIONAL ISOLATE",
		0x2212: "MINUS SIGN", 0x3000: "IDEOGRAPHIC SPACE", 0xfeff: "BYTE ORDER MARK", 0xfffd: "REPLACEMENT CHARACTER",
	}
})

var (
	// unreplaced matches a variable that nobody has replaced: ${NAME}, $NAME,
	// %NAME% as on Windows, {{ NAME }} as in templates and pipelines.
	unreplaced = pattern(`^(\$\{.*\}|\$[A-Za-z_][A-Za-z0-9_]*|%[A-Za-z_][A-Za-z0-9_]*%|\{\{.*\}\})$`)
	// named matches a credential with its name before it, as it stands in a form, a
	// header, an env file or a YAML file: client_secret=…, Authorization: ….
	named = pattern(`^[\w. -]*?(?i:client_?-?id|secret|token|token_type|authorization|grant_type|code)\s*[=:]\s*[^=\s]`)
	// scheme matches a value of the header Authorization.
	scheme = pattern(`^(?i:bearer|basic|token)\s+\S`)
)

// pattern compiles a pattern when it is first used: most runs see no wrong value.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// wrapper returns the flaw of a credential that was copied together with the syntax of
// a file or a command around it. Spotify's credentials consist of letters, digits, -
// and _, and none of the characters here can be at either end.
func wrapper(s string) *flaw {
	if s == "" {
		return nil
	}
	const bare, quotes = "write only the value, without ", "\"'`"
	first, last := s[0], s[len(s)-1]
	switch {
	case unreplaced().MatchString(s):
		return &flaw{"the value is a variable reference that nothing has expanded", "in a profile write ${NAME}; elsewhere, write the value itself"}
	case scheme().MatchString(s):
		return &flaw{"the value starts with the scheme of an Authorization header", bare + "Bearer or Basic before it"}
	case named().MatchString(s):
		return &flaw{"the value starts with a name and " + `"=" or ":"`, bare + "its name before it"}
	case strings.Contains(s, "://"):
		return &flaw{"the value is an address", bare + "the rest of the address"}
	}
	for _, w := range []struct{ open, close, one, many string }{
		{quotes, quotes, "a quote", "quotes; docker --env-file treats quotes as part of the value"},
		{"<", ">", "an angle bracket", "angle brackets"},
		{"{", "}", "a brace", "braces"},
		{"[", "]", "a bracket", "brackets"},
		{"(", ")", "a parenthesis", "parentheses"},
	} {
		opened, closed := strings.IndexByte(w.open, first) >= 0, strings.IndexByte(w.close, last) >= 0
		name, _, _ := strings.Cut(w.many, ";")
		switch {
		case opened && closed && len(s) > 1:
			return &flaw{"the value is wrapped in " + name, bare + w.many}
		case opened:
			return &flaw{"the value starts with " + w.one, bare + w.many}
		case closed:
			return &flaw{"the value ends with " + w.one, bare + w.many}
		}
	}
	switch {
	case strings.IndexByte(",;", last) >= 0:
		return &flaw{fmt.Sprintf("the value ends with %q", last), bare + "the punctuation behind it"}
	case strings.IndexByte("=:", first) >= 0:
		return &flaw{fmt.Sprintf("the value starts with %q", first), bare + "the sign before it"}
	case strings.HasSuffix(s, `\n`) || strings.HasSuffix(s, `\r`):
		return &flaw{`the value ends with a literal \n`, bare + `\n`}
	}
	return nil
}

// isUTF16 reports whether data can only be a text in UTF-16: it begins with the
// byte order mark of UTF-16, or with an ASCII character of two bytes.
func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) ||
		len(data) > 1 && (data[0] == 0) != (data[1] == 0)
}
