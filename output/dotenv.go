package output

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tokenform/config/dotenv"
	"tokenform/config/fault"
)

// assignment is a variable and the value for it.
type assignment struct{ name, value string }

// mergeDotenv sets the variables of set in content, each at every place where
// it is assigned (readers differ on which of several counts) and else at the
// end, in the order of set, and removes the lines that assign those in drop. No
// other byte changes, with two exceptions: a last line without a line ending gets
// one before a line is added (an added line always has its ending), and a byte
// order mark goes with the assignment behind it, if that is dropped and others
// follow.
//
// For the shells, node and python-dotenv, a byte order mark is part of the first name,
// and for node everything up to the first "=" is that name, comments included. docker
// and compose do read an assignment there. So mergeDotenv sets such an assignment like
// any other, and also adds a second line for the variable, which all readers see.
func mergeDotenv(content []byte, set []assignment, drop []string) ([]byte, error) {
	if bytes.IndexByte(content, 0) >= 0 {
		return nil, &fault.Error{Message: "is not a UTF-8 text file", Hint: "save it as UTF-8; PowerShell's > writes UTF-16"}
	}
	m := merger{content: content}
	found := make([]bool, len(set))
	hidden := dotenv.BOM(content) != "" // in the part up to the first "=", which node reads as one name
	exposed := false                    // the first assignment was removed, so the next one is first now
	var opens []dotenv.Statement        // assignments of other variables with an open quote
	for s := range dotenv.Scan(content) {
		i := slices.IndexFunc(set, func(a assignment) bool { return a.name == s.Name })
		switch {
		case s.Name != "" && (i >= 0 || slices.Contains(drop, s.Name)) && assignsMore(string(content[s.From:s.To])):
			n := 1 + bytes.Count(content[:s.From], []byte("\n"))
			return nil, &fault.Error{Message: fmt.Sprintf("line %d: assigns another variable behind %s, which would be lost", n, s.Name), Hint: "put each assignment on a line of its own"}
		case s.Name != "" && i >= 0:
			found[i] = found[i] || !hidden
			if err := m.set(s.Start, s.End, content[s.Start:s.From], set[i], s.Comment, dotenv.LineEnding(content[s.To:s.End])); err != nil {
				return nil, err
			}
		case s.Name != "" && slices.Contains(drop, s.Name):
			m.replace(s.Start, s.End, dotenv.BOM(content[s.Start:])) // the byte order mark belongs to the file, not to the line
			exposed = exposed || hidden
		case s.Open != 0:
			opens = append(opens, s)
		}
		hidden = hidden && bytes.IndexByte(content[s.Start:s.End], '=') < 0
	}
	eol := "\n"
	if 2*bytes.Count(content, []byte("\r\n")) > bytes.Count(content, []byte("\n")) {
		eol = "\r\n"
	}
	for i, a := range set {
		if found[i] {
			continue
		}
		if b := m.bytes(); len(b) > len(dotenv.BOM(b)) && b[len(b)-1] != '\n' {
			m.replace(len(content), len(content), eol)
		}
		for range 2 {
			if err := m.set(len(content), len(content), []byte(a.name+"="), a, "", eol); err != nil {
				return nil, err
			}
			if !hidden {
				break
			}
			hidden = false // the first added line takes the hidden place, and the next line is visible
		}
	}
	for _, s := range opens {
		if m.quotes[s.Open] {
			// One of our quotes would close the open one, and its value would swallow
			// all lines between.
			n := 1 + bytes.Count(content[:s.To], []byte("\n"))
			return nil, &fault.Error{Message: fmt.Sprintf("line %d: missing closing quote", n), Hint: "close the quote, or put the whole value in the other kind of quote"}
		}
	}
	if b := m.bytes(); exposed && bytes.IndexByte(b, '=') >= 0 {
		return b[len(dotenv.BOM(b)):], nil
	}
	return m.bytes(), nil
}

// assignsMore reports whether a shell finds another assignment behind the first word of
// the value, as in `A=1 B=2` and `A=1; B=2`. All other readers take it for a part of the
// value.
func assignsMore(value string) bool {
	if value == "" {
		return false
	}
	switch quote := value[0]; quote {
	case '\'', '"', '`':
		end := 1
		for end < len(value) && value[end] != quote {
			if quote == '"' && value[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(value) {
			return false // an open quote
		}
		value = value[end:]
	}
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t;&", r) })
	for _, word := range words[min(1, len(words)):] {
		name, _, assigned := strings.Cut(word, "=")
		if assigned && name != "" && !unicode.IsDigit(rune(name[0])) && strings.IndexFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) < 0 {
			return true
		}
	}
	return false
}

// merger replaces pieces of content, in their order. merger copies nothing until a
// piece changes, because most files do not change.
type merger struct {
	content []byte
	out     []byte // the content up to done with its changes; nil means nothing has changed
	done    int
	quotes  map[byte]bool // the quotes in our values
}

// set replaces the piece from start to end by the assignment a.
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
		before = bytes.TrimRight(before, " \t") // with an empty value, the blanks would become the value
	}
	m.replace(start, end, string(before), text, comment, eol)
	return err
}

// replace replaces the piece from start to end by parts.
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

// isBare reports whether every reader takes s as it is, without quotes.
func isBare(s string) bool {
	for i := range len(s) {
		if c := s[i]; !dotenv.IsNameByte(c) && strings.IndexByte(":/@%+,=", c) < 0 {
			return false
		}
	}
	return true
}

// dotenvValue returns a's value in the form that all readers understand: bare, or else
// in single quotes (docker --env-file, alone, takes the quotes as part of the value).
// dotenvValue refuses a value on which readers disagree. comment is the text that
// follows the value.
func dotenvValue(a assignment, comment string) (string, error) {
	refuse := func(what string) (string, error) {
		return "", &fault.Error{
			Message: fmt.Sprintf("a dotenv file cannot represent the value of %s: it contains %s", a.name, what),
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
		// At the end, a backslash escapes the quote for godotenv and compose;
		// python-dotenv reads two backslashes as one.
		return refuse("a backslash, which readers interpret differently")
	case strings.Contains(v, "${"):
		return refuse("${, which python-dotenv replaces even between single quotes")
	case strings.Contains(v, `="`):
		return refuse(`=", which begins a value over several lines for phpdotenv even between single quotes`)
	case strings.Contains(v, `\`) && strings.TrimLeftFunc(v, unicode.IsSpace) != v:
		return refuse("a backslash behind white space at its start, which gotenv may take for one before the closing quote")
	case !utf8.ValidString(v):
		return refuse("bytes that are not UTF-8")
	}
	return "'" + a.value + "'", nil
}

// plainComment reports whether all readers end a bare value v at the start of comment:
// compose knows only " #", godotenv takes the last of several "#", and both take the
// comment for the value if v is empty.
func plainComment(v, comment string) bool {
	return comment == "" || v != "" && strings.HasSuffix(comment[:strings.IndexByte(comment, '#')], " ") && strings.Count(comment, "#") == 1
}

// dotenvValues returns the value at every place where name is assigned. plain is false
// if a value is not plain text, so that nothing can be said about it.
func dotenvValues(content []byte, name string) (values []string, plain bool) {
	plain = true
	for s := range dotenv.Scan(content) {
		if s.Name != name {
			continue
		}
		text := string(content[s.From:s.To])
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
