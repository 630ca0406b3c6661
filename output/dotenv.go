package output

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"tokenform/config/fault"
)

// A dotenv file has no standard. Its readers (bash, node, docker --env-file,
// docker compose, python-dotenv, godotenv) agree on NAME=value and on little
// else. The rules here are chosen so that a mistake about somebody else's line
// never changes it:
//
//   - NAME = value, with "export " and blanks as they are, is an assignment of
//     ours if NAME is exactly our variable; NAME: value (godotenv, compose) and
//     NAME alone (docker) never are.
//   - A value that starts with a quote ends where the shell ends the word, maybe
//     lines later. What such a value of another variable holds is its own, even
//     if it looks like an assignment to ours. A quote that is never closed, or
//     stands inside a value (it's), is a character like others, as it is to every
//     reader but the shells.
//   - A backslash at the end of a line continues it in the shells and in nothing
//     else: not here either.

// assignment is a variable and the value it is to have.
type assignment struct{ name, value string }

// statement is an assignment, or a line that is none.
type statement struct {
	name       string // empty: not an assignment in our sense
	start, end int    // all of it, with its line ending
	from, to   int    // the value, with its quotes
	comment    string // what stays behind the value, with the blanks before it
	open       byte   // the quote in the value that is never closed; zero: none
}

// mergeDotenv sets the variables of set in content, each at every place where
// it is assigned (readers differ on which of several counts) and else at the
// end, in the order of set, and removes the lines that assign those in drop. No
// other byte changes, with one exception: a last line without a line ending gets
// one before a line is added. What is added always ends its line.
func mergeDotenv(content []byte, set []assignment, drop []string) ([]byte, error) {
	if bytes.IndexByte(content, 0) >= 0 {
		return nil, &fault.Error{Message: "is not a text file in UTF-8", Hint: "save it as UTF-8; PowerShell's > writes UTF-16"}
	}
	m := merger{content: content}
	found := make([]bool, len(set))
	var opens []statement // of others
	for s := range scanDotenv(content) {
		i := slices.IndexFunc(set, func(a assignment) bool { return a.name == s.name })
		switch {
		case s.name != "" && i >= 0:
			found[i] = true
			if err := m.set(s.start, s.end, content[s.start:s.from], set[i], s.comment, lineEnding(content[s.to:s.end])); err != nil {
				return nil, err
			}
		case s.name != "" && slices.Contains(drop, s.name):
			m.replace(s.start, s.end, bom(content[s.start:])) // the file's, not the line's
		case s.open != 0:
			opens = append(opens, s)
		}
	}
	eol := "\n"
	if 2*bytes.Count(content, []byte("\r\n")) > bytes.Count(content, []byte("\n")) {
		eol = "\r\n"
	}
	for i, a := range set {
		if found[i] {
			continue
		}
		if b := m.bytes(); len(b) > len(bom(b)) && b[len(b)-1] != '\n' {
			m.replace(len(content), len(content), eol)
		}
		if err := m.set(len(content), len(content), []byte(a.name+"="), a, "", eol); err != nil {
			return nil, err
		}
	}
	for _, s := range opens {
		if m.quotes[s.open] {
			// Ours would close it, and it would swallow what stands between.
			n := 1 + bytes.Count(content[:s.to], []byte("\n"))
			return nil, &fault.Error{Message: fmt.Sprintf("line %d: a quote that is never closed", n), Hint: "close it, or put the whole value in quotes of the other kind"}
		}
	}
	return m.bytes(), nil
}

// merger replaces pieces of content, in their order. As long as nothing changes
// it copies nothing: that is what most files are looked at for.
type merger struct {
	content []byte
	out     []byte // what has become of content up to done; nil: nothing has changed
	done    int
	quotes  map[byte]bool // that values of ours hold
}

// set makes the piece from start to end the assignment a.
func (m *merger) set(start, end int, before []byte, a assignment, comment, eol string) error {
	text, err := dotenvValue(a, comment)
	for _, quote := range []byte("'\"`") {
		if strings.IndexByte(text, quote) >= 0 {
			if m.quotes == nil {
				m.quotes = map[byte]bool{}
			}
			m.quotes[quote] = true
		}
	}
	if text == "" {
		before = bytes.TrimRight(before, " \t") // blanks would be all of the value
	}
	m.replace(start, end, string(before), text, comment, eol)
	return err
}

// replace makes the piece from start to end the parts.
func (m *merger) replace(start, end int, parts ...string) {
	same := m.content[start:end]
	for _, part := range parts {
		if !bytes.HasPrefix(same, []byte(part)) {
			same = nil
			break
		}
		same = same[len(part):]
	}
	if same != nil && len(same) == 0 && start < end {
		return
	}
	if m.out == nil {
		m.out = make([]byte, 0, len(m.content)+256)
	}
	m.out = append(m.out, m.content[m.done:start]...)
	for _, part := range parts {
		m.out = append(m.out, part...)
	}
	m.done = end
}

func (m *merger) bytes() []byte {
	if m.out == nil {
		return m.content
	}
	return append(m.out, m.content[m.done:]...)
}

// scanDotenv takes content apart without a gap.
func scanDotenv(content []byte) iter.Seq[statement] {
	return func(yield func(statement) bool) {
		for i := 0; i < len(content); {
			s := scanStatement(content, i)
			if !yield(s) {
				return
			}
			i = s.end
		}
	}
}

// scanStatement reads the statement that starts at start.
func scanStatement(content []byte, start int) statement {
	end, stop := line(content, start)
	none := statement{start: start, end: end}
	i := start
	if start == 0 {
		i += len(bom(content))
	}
	i = blanks(content, i)
	if j := i + len("export"); bytes.HasPrefix(content[i:], []byte("export")) && blanks(content, j) > j {
		i = blanks(content, j)
	}
	name := i
	for i < stop && isNameByte(content[i]) {
		i++
	}
	s := statement{name: string(content[name:i]), start: start, end: end}
	i = blanks(content, i)
	if s.name == "" || i >= stop || content[i] != '=' && content[i] != ':' {
		return none
	}
	if content[i] == ':' {
		s.name = "" // to be read, for its quotes, but not ours to set
	}
	i++
	s.from, s.to = blanks(content, i), stop
	if s.from < stop && isQuote(content[s.from]) {
		word, open := shellWord(content, s.from)
		s.open = open
		s.end, stop = line(content, word)
		word = min(word, stop)
		s.to = stop
		if c := blanks(content, word); open == 0 && c > word && c < stop && content[c] == '#' {
			s.to = word
		}
	} else {
		s.to = bareEnd(content, i, stop)
		if s.from >= s.to {
			// Nothing but blanks: the shells want none of them before a value.
			s.from = i
		}
	}
	s.comment = string(content[s.to:stop])
	return s
}

// bareEnd returns where the value without quotes that starts at i ends: before
// the blanks of a comment, where it is clear that one follows, else at stop.
func bareEnd(content []byte, i, stop int) int {
	for j := i; ; j++ {
		n := bytes.IndexAny(content[j:stop], "'\"`\\#")
		if n < 0 {
			return stop
		}
		switch j += n; {
		case content[j] != '#':
			return stop
		case j > i && isBlank(content[j-1]):
			return i + len(bytes.TrimRight(content[i:j], " \t"))
		}
	}
}

// shellWord returns the end of the shell word that starts at i. open is the
// quote that is never closed, if there is one; then the end is where it stands.
func shellWord(content []byte, i int) (end int, open byte) {
	for i < len(content) {
		switch c := content[i]; {
		case isBlank(c) || c == '\n' || c == '\r':
			return i, 0
		case c == '\\' && i+1 < len(content) && content[i+1] != '\n' && content[i+1] != '\r':
			i += 2
		case isQuote(c):
			n := closing(content[i+1:], c)
			if n < 0 {
				return i, c
			}
			i += n + 2
		default:
			i++
		}
	}
	return i, 0
}

// closing returns the index of the quote that closes what b is the rest of; only
// between single quotes a backslash is a character like others.
func closing(b []byte, quote byte) int {
	if quote == '\'' {
		return bytes.IndexByte(b, quote)
	}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return -1
}

// line returns the end of the line that i is in, with and without its ending.
func line(content []byte, i int) (end, stop int) {
	n := bytes.IndexByte(content[i:], '\n')
	if n < 0 {
		return len(content), len(content)
	}
	end = i + n + 1
	return end, end - len(lineEnding(content[i:end]))
}

func lineEnding(b []byte) string {
	for _, eol := range []string{"\r\n", "\n"} {
		if bytes.HasSuffix(b, []byte(eol)) {
			return eol
		}
	}
	return ""
}

// bom is the byte order mark that b starts with, or nothing.
func bom(b []byte) string {
	const mark = "\ufeff"
	if bytes.HasPrefix(b, []byte(mark)) {
		return mark
	}
	return ""
}

func blanks(content []byte, i int) int {
	for i < len(content) && isBlank(content[i]) {
		i++
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' }

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-", c) >= 0
}

// isBare reports whether every reader takes s as it stands.
func isBare(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isNameByte(c) && strings.IndexByte(":/@%+,=", c) < 0 {
			return false
		}
	}
	return true
}

// dotenvValue is the text that all readers take for a's value: bare or else in
// single quotes (which docker --env-file, alone, takes as part of the value).
// What they would not agree on is refused. comment is what follows it.
func dotenvValue(a assignment, comment string) (string, error) {
	refuse := func(what string) (string, error) {
		return "", &fault.Error{
			Message: fmt.Sprintf("a dotenv file cannot hold the value of %s: it contains %s", a.name, what),
			Hint:    "use a json output for it",
		}
	}
	switch v := a.value; {
	case isBare(v) && plainComment(v, comment):
		return v, nil
	case strings.ContainsAny(v, "\r\n"):
		return refuse("a line break")
	case strings.Contains(v, "\x00"):
		return refuse("a NUL")
	case strings.Contains(v, "'"):
		return refuse("a single quote")
	case strings.HasSuffix(v, `\`) || strings.Contains(v, `\\`):
		// The end escapes the quote for godotenv and compose; python-dotenv makes one
		// of two.
		return refuse("a backslash that readers disagree on")
	case strings.Contains(v, "${"):
		return refuse("${, which python-dotenv replaces even between single quotes")
	case !utf8.ValidString(v):
		return refuse("bytes that are not UTF-8")
	}
	return "'" + a.value + "'", nil
}

// plainComment reports whether all readers end a bare value v where comment
// starts: compose knows only " #", godotenv takes the last of several, and both
// take the comment for the value where that is empty.
func plainComment(v, comment string) bool {
	return comment == "" || v != "" && strings.HasSuffix(comment[:strings.IndexByte(comment, '#')], " ") && strings.Count(comment, "#") == 1
}

// dotenvValues returns the value at every place where name is assigned. plain is
// false if one of them is not simply text: then nothing can be said about it.
func dotenvValues(content []byte, name string) (values []string, plain bool) {
	plain = true
	for s := range scanDotenv(content) {
		if s.name != name {
			continue
		}
		text := string(content[s.from:s.to])
		switch n := len(text); {
		case isBare(text):
		case n >= 2 && text[0] == '\'' && strings.IndexByte(text[1:], '\'') == n-2:
			text = text[1 : n-1]
		case n >= 2 && text[0] == '"' && strings.IndexAny(text[1:], "\"\\$`") == n-2:
			text = text[1 : n-1]
		default:
			plain = false
		}
		values = append(values, text)
	}
	return values, plain
}
