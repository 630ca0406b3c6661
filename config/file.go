package config

import (
	"slices"
	"sort"
	"strings"
	"unicode"
)

// file is a file of profiles, or standard input.
type file struct {
	shown  string                 // as the user named it; "-" is standard input
	path   string                 // absolute; empty for standard input
	dir    string                 // absolute: what relative paths in it are relative to
	size   int64                  // before it was read
	read   func() ([]byte, error) // nil if data is there already
	data   []byte
	starts []int  // where each line begins; made at the first problem
	hidden []span // in the order of the text
	// broken is where reading ended. Its line is not shown: nobody knows what is
	// secret in a text that is not YAML.
	broken *Problem
}

// span is a node that must not be shown: it begins at line and column, and has
// ended where the next node begins.
type span struct {
	line, col, endLine, endCol int
}

func (f *file) at(n *node) Pos { return Pos{File: f.shown, Line: n.line, Col: n.col} }

// mask notes which scalars among nodes the decoder did not mark as fit to be
// seen; next are the nodes behind them, if there are any. Anchors and tags count
// as secrets: that is what an unquoted one becomes that begins with & or !.
func (f *file) mask(nodes, next []*node) {
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

// excerpt is a line of the file, cut where the first secret in it begins. It is
// empty where that would leave nothing to point at.
func (f *file) excerpt(line, col int) string {
	const most = 160
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
	if line < 1 || col < 1 || line > len(f.starts) {
		return ""
	}
	end := len(f.data)
	if line < len(f.starts) {
		end = f.starts[line]
	}
	text := []rune(strings.TrimRight(string(f.data[f.starts[line-1]:end]), "\r\n\u0085\u2028\u2029"))

	cut := min(len(text), most)
	first := sort.Search(len(f.hidden), func(i int) bool { return f.hidden[i].line >= line })
	if first < len(f.hidden) && f.hidden[first].line == line {
		cut = min(cut, f.hidden[first].col-1)
	}
	if first > 0 && f.hidden[first-1].endLine >= line {
		// The last secret above may go on in this line, up to the next node. Only
		// punctuation there says that it does not.
		before := f.hidden[first-1]
		if before.endLine > line || strings.Trim(string(text[:min(before.endCol-1, len(text))]), " \t-?,[]{}") != "" {
			return ""
		}
	}
	if i := strings.Index(string(text[:cut]), " #"); i >= 0 {
		cut = min(cut, len([]rune(string(text)[:i]))) // comments have old secrets in them
	}
	if col > cut+1 {
		return ""
	}
	text, more := slices.Clone(text[:cut]), cut < len(text)
	for i, r := range text {
		if r != '\t' && !unicode.IsPrint(r) {
			text[i] = '\ufffd' // it could rearrange the terminal's line
		}
	}
	if more {
		return string(text) + "…"
	}
	return string(text)
}
