package config

import (
	"slices"
	"sort"
	"strings"
	"unicode"
)

// file is a file of profiles, or standard input.
type file struct {
	shown    string                 // as the user named it; "-" is standard input
	path     string                 // absolute; empty for standard input
	dir      string                 // absolute; relative paths in the file start here
	size     int64                  // about, before the file is read; zero if not known
	read     func() ([]byte, error) // nil if data already exists
	data     []byte
	defaults *defaults // of the profiles in it; nil if there are none
	starts   []int     // where each line begins; nil until the first problem
	hidden   []span    // secrets, in the order of the text
	// broken is the syntax error at which reading ended. Of its line, at most the key
	// is shown: in a text that is not YAML, nobody knows what is secret.
	broken *Problem
}

// span is the text of a node that must not be shown. A span ends at the beginning of
// the next node, because yaml.v3 tells only where a node begins.
type span struct {
	line, col, endLine, endCol int
}

// at returns the position of a node, which may be one of the directory's defaults.
func (f *file) at(n *node) Pos { return Pos{File: f.of(n).shown, Line: n.line, Col: n.col} }

// of returns the file that a node is in: f, or that of the directory's defaults.
func (f *file) of(n *node) *file {
	if f.defaults != nil && f.defaults.owned[n] {
		return f.defaults.file
	}
	return f
}

// hide adds to f.hidden the scalars among nodes that the decoder has not marked as
// fit to be shown. next are the nodes behind nodes, if there are any. Anchors and
// tags are hidden too: a secret that begins with & or !, and is not in quotes,
// becomes one.
func (f *file) hide(nodes, next []*node) {
	for i, n := range nodes {
		if n.kind == scalar && n.shown && !n.secret || n.kind != scalar && !n.marked {
			continue
		}
		s := span{n.line, n.col, 1 << 30, 1}
		if i+1 < len(nodes) {
			s.endLine, s.endCol = nodes[i+1].line, nodes[i+1].col
		} else if len(next) > 0 {
			s.endLine, s.endCol = next[0].line, next[0].col
		}
		f.hidden = append(f.hidden, s)
	}
}

// excerpt returns a line of the file for a message, cut before the first secret in
// it. The excerpt is empty if the cut takes away the column to point at.
func (f *file) excerpt(line, col int) string {
	const most = 160
	text := f.line(line)
	if text == nil || col < 1 {
		return ""
	}
	cut := min(len(text), most)
	first := sort.Search(len(f.hidden), func(i int) bool { return f.hidden[i].line >= line })
	if first < len(f.hidden) && f.hidden[first].line == line {
		cut = min(cut, f.hidden[first].col-1)
	}
	if first > 0 && f.hidden[first-1].endLine >= line {
		// The last secret above may reach into this line, up to the next node. If
		// only punctuation stands before that node, the secret does not.
		before := f.hidden[first-1]
		if before.endLine > line || strings.Trim(string(text[:min(before.endCol-1, len(text))]), " \t-?,[]{}") != "" {
			return ""
		}
	}
	if i := strings.Index(string(text[:cut]), " #"); i >= 0 {
		cut = min(cut, len([]rune(string(text)[:i]))) // cut comments: people comment out old secrets
	}
	if col > cut+1 {
		return ""
	}
	text, more := slices.Clone(text[:cut]), cut < len(text)
	for i, r := range text {
		if r != '\t' && !unicode.IsPrint(r) {
			text[i] = '\ufffd' // a control character could rewrite the line on a terminal
		}
	}
	if more {
		return string(text) + "…"
	}
	return string(text)
}

// line returns a line of the file without its line break, or nil if there is none.
func (f *file) line(line int) []rune {
	if f.starts == nil {
		f.starts = []int{0}
		for i := 0; i < len(f.data); {
			if n := lineBreak(f.data[i:]); n > 0 {
				i += n
				f.starts = append(f.starts, i)
			} else {
				i++
			}
		}
	}
	if line < 1 || line > len(f.starts) {
		return nil
	}
	end := len(f.data)
	if line < len(f.starts) {
		end = f.starts[line]
	}
	return []rune(strings.TrimRight(string(f.data[f.starts[line-1]:end]), "\r\n\u0085\u2028\u2029"))
}
