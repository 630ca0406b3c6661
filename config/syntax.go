package config

import (
	"slices"
	"strings"
)

// culprit looks for the place that made a text unreadable as YAML. yaml.v3 names the
// place where it gave up, which may be many lines later. culprit returns nil if it
// finds nothing wrong. culprit knows quotes and brackets, and of the rest of YAML only
// where these have a meaning.
func culprit(data []byte) *flawAt {
	s := scanner{text: []rune(string(data)), line: 1, col: 1}
	for s.at < len(s.text) && s.found == nil {
		s.value()
	}
	if s.found == nil && len(s.open) > 0 {
		o := s.open[0]
		s.found = &flawAt{flaw{"the bracket " + string(o.bracket) + " is never closed", "close it with " + string(closing(o.bracket))}, o.line, o.col}
	}
	return s.found
}

// scanner reads YAML roughly.
type scanner struct {
	text      []rune
	at        int
	line, col int
	open      []opened // brackets
	found     *flawAt
}

type opened struct {
	bracket   rune
	line, col int
}

func closing(bracket rune) rune {
	if bracket == '[' {
		return ']'
	}
	return '}'
}

func (s *scanner) peek(ahead int) rune {
	if s.at+ahead < len(s.text) {
		return s.text[s.at+ahead]
	}
	return '\n'
}

func (s *scanner) next() rune {
	r := s.peek(0)
	s.at++
	if s.col++; r == '\n' {
		s.line, s.col = s.line+1, 1
	}
	return r
}

func (s *scanner) blanks() {
	for s.at < len(s.text) && (s.peek(0) == ' ' || s.peek(0) == '\t' || s.peek(0) == '\r') {
		s.next()
	}
}

func (s *scanner) restOfLine() {
	for s.at < len(s.text) && s.peek(0) != '\n' {
		s.next()
	}
}

// value reads one item: a quoted text, a bracket, a comment, or a text without quotes.
func (s *scanner) value() {
	s.blanks()
	switch r := s.peek(0); {
	case s.at >= len(s.text):
	case r == '\n', len(s.open) > 0 && r == ',':
		s.next()
	case r == '#':
		s.restOfLine()
	case r == '"' || r == '\'':
		s.quoted()
	case r == '[' || r == '{':
		s.open = append(s.open, opened{r, s.line, s.col})
		s.next()
	case len(s.open) > 0 && (r == ']' || r == '}'):
		if o := s.open[len(s.open)-1]; closing(o.bracket) != r {
			s.found = &flawAt{flaw{"the bracket " + string(o.bracket) + " is not closed before " + string(r), "close it with " + string(closing(o.bracket))}, o.line, o.col}
		}
		s.open = s.open[:len(s.open)-1]
		s.next()
	case len(s.open) == 0 && (r == '|' || r == '>'):
		s.block()
	default:
		s.plain()
	}
}

// quoted reads a text in quotes.
func (s *scanner) quoted() {
	line, col := s.line, s.col
	quote := s.next()
	for {
		if s.at >= len(s.text) {
			s.found = &flawAt{flaw{"missing closing quote", "close the quote, or use the other kind of quote"}, line, col}
			return
		}
		r := s.next()
		if r == '\\' && quote == '"' || r == '\'' && quote == '\'' && s.peek(0) == '\'' {
			s.next()
		} else if r == quote {
			break
		}
	}
	s.blanks()
	if after := s.peek(0); strings.ContainsRune("\n:#", after) || len(s.open) > 0 && strings.ContainsRune(",]}", after) {
		if after == ':' {
			s.next()
		}
		return
	}
	s.found = &flawAt{flaw{"text after a closing quote", "put the whole value in one pair of quotes; write '' for a single quote in single quotes, and \\\" for a double quote in double quotes"}, line, col}
	if s.line > line {
		s.found.flaw = flaw{"missing closing quote on this line", "close the quote, or use the other kind of quote"}
	}
}

// plain reads a text without quotes: a key up to its colon, or a value.
func (s *scanner) plain() {
	for s.at < len(s.text) {
		r := s.peek(0)
		blank := strings.ContainsRune(" \t\r\n", s.peek(1))
		switch {
		case r == '\n', (r == ' ' || r == '\t') && s.peek(1) == '#':
			return
		case r == ':' && blank, (r == '-' || r == '?') && blank && s.first():
			s.next()
			return
		case len(s.open) > 0 && r == '$' && s.peek(1) == '{':
			s.found = &flawAt{flaw{"${…} inside brackets needs quotes", `write it as "${NAME}"`}, s.line, s.col}
			return
		case len(s.open) > 0 && strings.ContainsRune(",[]{}", r):
			return
		}
		s.next()
	}
}

// first reports whether only the marks of list items stand before this place on the
// line.
func (s *scanner) first() bool {
	for i := s.at - 1; i >= 0 && s.text[i] != '\n'; i-- {
		if !strings.ContainsRune(" \t-?", s.text[i]) {
			return false
		}
	}
	return true
}

// block skips a text of several lines, which begins with
//
// or >: all lines that are indented deeper than the line that the text begins in.
func (s *scanner) block() {
	start := s.at
	for start > 0 && s.text[start-1] != '\n' {
		start--
	}
	deep := indent(s.text[start:])
	s.restOfLine()
	for s.at < len(s.text) {
		s.next()
		rest := s.text[s.at:]
		if n := indent(rest); n <= deep && n < len(rest) && rest[n] != '\n' && rest[n] != '\r' {
			return
		}
		s.restOfLine()
	}
}

func indent(line []rune) int {
	n := 0
	for n < len(line) && line[n] == ' ' {
		n++
	}
	return n
}

// before returns the beginning of a line for a message about its column: the blanks, a
// key that profiles have, and a bracket. The rest of the line is not shown, because in
// a text that is not YAML nobody knows what is secret.
func (f *file) before(line, col int) string {
	text := string(f.line(line))
	rest := strings.TrimLeft(text, " \t-")
	name, value, ok := strings.Cut(rest, ":")
	if !ok || !slices.Contains(slices.Concat(profileKeys, clientKeys, originKeys), name) {
		return ""
	}
	value = value[:len(value)-len(strings.TrimLeft(value, " \t[{"))]
	shown := text[:len(text)-len(rest)] + name + ":" + value
	if col > len(shown)+1 {
		return ""
	}
	return shown + "…"
}
