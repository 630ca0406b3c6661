package config

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Limits that keep a hostile file cheap. yaml.v3 needs up to a microsecond for
// each byte that opens a node, so the loader counts these bytes before yaml.v3
// reads the file.
const (
	maxBytes     = 1 << 20 // of a file
	maxStructure = 10_000  // lines, keys and items of a document
	maxDocuments = 25_000  // of a file; the smallest profile has some 40 bytes
)

// illegal finds a byte or a character that no YAML file may hold. yaml.v3 would
// find it too, and give a worse position.
func illegal(data []byte) *flawAt {
	if isUTF16(data) {
		return &flawAt{flaw{"the file is UTF-16", "save it as UTF-8"}, 0, 0}
	}
	line, col := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &flawAt{flaw{"the file is not UTF-8", "save it as UTF-8"}, line, col}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85:
			return &flawAt{flaw{fmt.Sprintf("control character %U", r), "remove it, or write it as an escape in double quotes"}, line, col}
		}
		if n := lineBreak(data[i:]); n > 0 {
			line, col = line+1, 1
			i += n
			continue
		}
		col++
		i += size
	}
	return nil
}

// lineBreak returns the length of the line break that b begins with, or zero. Like
// yaml.v3, lineBreak takes three Unicode characters for line breaks, so that line
// numbers agree with those of yaml.v3.
func lineBreak(b []byte) int {
	switch {
	case b[0] == '\n':
		return 1
	case b[0] == '\r':
		if len(b) > 1 && b[1] == '\n' {
			return 2
		}
		return 1
	case b[0] == 0xc2 && len(b) > 1 && b[1] == 0x85:
		return 2
	case b[0] == 0xe2 && len(b) > 2 && b[1] == 0x80 && (b[2] == 0xa8 || b[2] == 0xa9):
		return 3
	}
	return 0
}

// crowded refuses a file that would take yaml.v3 long. Each node needs one of the
// bytes that crowded counts, so that the count bounds the number of nodes.
func crowded(data []byte) *flawAt {
	structure, documents, first, line := 0, 0, 1, 1
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case ',', ':', '[', '{':
			structure++
		case '-', '?':
			if i+1 == len(data) || data[i+1] <= ' ' {
				structure++
			}
		default:
			n := lineBreak(data[i:])
			if n == 0 {
				continue
			}
			structure++
			line++
			i += n - 1
			if bytes.HasPrefix(data[i+1:], []byte("---")) {
				structure, first = 0, line
				documents++
			}
		}
		if structure > maxStructure {
			return &flawAt{flaw{fmt.Sprintf("more than %d lines, keys and items in one document", maxStructure), "split it into several files"}, first, 1}
		}
		if documents > maxDocuments {
			return &flawAt{flaw{fmt.Sprintf("more than %d documents in one file", maxDocuments), "split it into several files"}, line, 1}
		}
	}
	return nil
}

// lineAt returns the line and column of an offset.
func lineAt(data []byte, offset int) (line, col int) {
	line, start := 1, 0
	for i := 0; i < offset; {
		n := lineBreak(data[i:])
		if n == 0 {
			i++
			continue
		}
		i += n
		line, start = line+1, i
	}
	return line, utf8.RuneCount(data[start:offset]) + 1
}
