package terminal

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// cellsOf returns how many cells of a terminal s takes: letters of East Asia take two,
// combining marks none (Unicode Standard Annex #11).
func cellsOf(s string) int {
	n := 0
	for _, r := range s {
		n += cellsOfRune(r)
	}
	return n
}

func cellsOfRune(r rune) int {
	if r < 0x300 { // most text, without a look at the tables
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut returns the beginning of s that fits in n cells, with an ellipsis if something is
// missing.
func cut(s string, n int) string {
	if cellsOf(s) <= n {
		return s
	}
	used, end := 0, 0
	for i, r := range s {
		if used += cellsOfRune(r); used > n-1 {
			break
		}
		end = i + len(string(r))
	}
	return s[:end] + "…"
}

// pad returns s with blanks behind it, up to n cells.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-cellsOf(s), 0)) }

// window cuts a source line to the part around a column, one for the first character, so
// that the part fits in n cells. caret is where the column is in the part, in cells.
func window(line string, col, n int) (part string, caret int) {
	runes := []rune(line)
	at := min(max(col-1, 0), len(runes))
	first := 0
	for cellsOf(string(runes[first:at])) > n*2/3 { // a third stays for what follows
		first++
	}
	before := string(runes[first:at])
	if first > 0 {
		before = "…" + string(runes[min(first+1, at):at])
	}
	return before + cut(string(runes[at:]), n-cellsOf(before)), cellsOf(before)
}
