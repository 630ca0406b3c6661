// Package dotenv splits dotenv files into lines and statements. Package config reads
// the env_file of a profile with dotenv, and package output edits the files of env
// outputs.
//
// A dotenv file has no standard. Its readers (bash, node, docker --env-file,
// docker compose, python-dotenv, godotenv) agree on NAME=value and on little
// else. Reading and editing share the lines, the names and the end of a quote, and
// differ on purpose in where a quoted value ends:
//
//   - config reads a value that somebody wrote for tokenform: one pair of ' or ",
//     and then nothing but a comment. Anything else is an error in the file.
//   - An edit must not change a line that is part of somebody else's value. So
//     [Scan] takes for the value the most that any reader takes: a word of the
//     shell, which may join pieces in quotes of any kind, over several lines.
//
// "A='x'#it's" shows the difference. config reads a comment behind x, and the
// shell reads a word that goes on to the next single quote.
package dotenv

import (
	"bytes"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is a line that may begin an assignment.
type Line struct {
	Name      string // empty if the line assigns nothing
	Separator byte   // '=', or ':' as godotenv and compose take it; zero without a Name
	Text      int    // where the text of the line starts; Stop if the line is blank
	Odd       bool   // blanks other than spaces and tabs stand before the separator
	Value     int    // where the value starts, with the blanks before it; Stop without a Name
	Stop, End int    // where the line ends, without and with its line ending
}

// LineAt reads the line of content that begins at start. A byte order mark at
// the beginning of the file is not part of the first name.
func LineAt(content []byte, start int) Line {
	var l Line
	l.Stop, l.End = lineEnd(content, start)
	l.Value = l.Stop
	i := start
	if start == 0 {
		i += len(BOM(content))
	}
	i = space(content, i, l.Stop)
	l.Text = i
	if j := i + len("export"); bytes.HasPrefix(content[i:l.Stop], []byte("export")) && Blanks(content, j) > j {
		i = space(content, j, l.Stop)
	}
	name := i
	for i < l.Stop && IsNameByte(content[i]) {
		i++
	}
	end := i
	i = space(content, i, l.Stop)
	if name == end || i >= l.Stop || content[i] != '=' && content[i] != ':' {
		return l
	}
	l.Name, l.Separator, l.Value = string(content[name:end]), content[i], i+1
	l.Odd = bytes.ContainsFunc(content[start:i], func(r rune) bool { return r != ' ' && r != '\t' && unicode.IsSpace(r) })
	return l
}

// Statement is an assignment, or a line that is none.
type Statement struct {
	Name       string // empty if the statement is not NAME=value
	Start, End int    // the whole statement, with its line ending
	From, To   int    // the value, with its quotes
	Comment    string // the text behind the value, with the blanks before it
	Open       byte   // the quote in the value that is never closed; zero if there is none
}

// Scan splits content into statements without a gap. Its rules make sure that an edit
// never changes somebody else's line, even if Scan misreads the line:
//
//   - NAME = value, with "export " and blanks as they are, is an assignment to
//     NAME. NAME: value (godotenv, compose) and NAME alone (docker) never are.
//   - A value that starts with a quote ends where the shell ends the word, maybe
//     lines later. Lines inside the value of another variable are part of that
//     value, even if they look like assignments. A quote that is never closed, or
//     stands inside a value (it's), is an ordinary character, as it is to every
//     reader but the shells.
//   - A backslash at the end of a line continues the line in the shells and in no
//     other reader, and so not here.
func Scan(content []byte) iter.Seq[Statement] {
	return func(yield func(Statement) bool) {
		for i := 0; i < len(content); {
			s := statementAt(content, i)
			if !yield(s) {
				return
			}
			i = s.End
		}
	}
}

func statementAt(content []byte, start int) Statement {
	l := LineAt(content, start)
	s := Statement{Name: l.Name, Start: start, End: l.End}
	if l.Name == "" || l.Odd {
		s.Name = ""
		return s
	}
	if l.Separator == ':' {
		s.Name = "" // never edited, but the quotes in it may span lines
	}
	stop := l.Stop
	s.From, s.To = Blanks(content, l.Value), stop
	if s.From < stop && IsQuote(content[s.From]) {
		word, open := shellWord(content, s.From)
		s.Open = open
		stop, s.End = lineEnd(content, word)
		word = min(word, stop)
		s.To = stop
		if c := Blanks(content, word); open == 0 && c > word && c < stop && content[c] == '#' {
			s.To = word
		}
	} else {
		s.To = bareEnd(content, l.Value, stop)
		if s.From >= s.To {
			// The value is empty: the shells allow no blanks before a value.
			s.From = l.Value
		}
	}
	s.Comment = string(content[s.To:stop])
	return s
}

// bareEnd returns where the value without quotes that starts at i ends: before
// the blanks of a comment if every reader sees a comment there, else at stop.
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
// quote that is never closed, if there is one; then the word ends before it.
func shellWord(content []byte, i int) (end int, open byte) {
	for i < len(content) {
		switch c := content[i]; {
		case isBlank(c) || c == '\n' || c == '\r':
			return i, 0
		case c == '\\' && i+1 < len(content) && content[i+1] != '\n' && content[i+1] != '\r':
			i += 2
		case IsQuote(c):
			n := Closing(content[i+1:], c)
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

// Closing returns the index in b, the text behind an opening quote, of the quote
// that closes it, or -1. A backslash escapes a quote except between single
// quotes.
func Closing(b []byte, quote byte) int {
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

// lineEnd returns where the line that i is in ends, without and with its line
// ending.
func lineEnd(content []byte, i int) (stop, end int) {
	n := bytes.IndexByte(content[i:], '\n')
	if n < 0 {
		return len(content), len(content)
	}
	end = i + n + 1
	return end - len(LineEnding(content[i:end])), end
}

// LineEnding returns the line ending that b has at the end, or nothing.
func LineEnding(b []byte) string {
	for _, eol := range []string{"\r\n", "\n"} {
		if bytes.HasSuffix(b, []byte(eol)) {
			return eol
		}
	}
	return ""
}

// BOM returns the byte order mark that b begins with, or nothing.
func BOM(b []byte) string {
	const mark = "\ufeff"
	if bytes.HasPrefix(b, []byte(mark)) {
		return mark
	}
	return ""
}

// Blanks returns the index of the first byte from i on that is neither space nor
// tab.
func Blanks(content []byte, i int) int {
	for i < len(content) && isBlank(content[i]) {
		i++
	}
	return i
}

// space is Blanks for all that Unicode calls white space, up to stop.
func space(content []byte, i, stop int) int {
	for i < stop {
		r, size := utf8.DecodeRune(content[i:stop])
		if !unicode.IsSpace(r) {
			break
		}
		i += size
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// IsQuote reports whether some reader takes c for a quote.
func IsQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' }

// IsNameByte reports whether some reader takes c for a part of a name.
func IsNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-", c) >= 0
}
