package config

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"tokenform/config/fault"
)

// Problem is an error in a profile or a warning about one.
type Problem struct {
	Pos     Pos
	Message string
	Hint    string // what to change or run; may be empty
	Warning bool   // the profile can still be used
	Line    string // the line, cut before the first secret; empty if it must not be shown
}

// Error is "file:line:column: message", without the hint.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Pos.String())
	if p.Pos.File != "" {
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Unwrap returns the problem as a [fault.Error], without its position.
func (p *Problem) Unwrap() error {
	return &fault.Error{Kind: fault.Invalid, Message: p.Message, Hint: p.Hint}
}

// String returns the position as file:line:column, which editors and terminals
// make a link.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
}

// Problems are all errors and warnings that one call has found.
type Problems []*Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the problems that are not warnings. With one of them, no profile
// can be used.
func (ps Problems) Errors() Problems {
	var errs Problems
	for _, p := range ps {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errs
}

// sorted sorts problems by position and drops duplicates. A wrong node with an
// anchor is reported each time that an alias uses it.
func (ps Problems) sorted() Problems {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.Message, b.Message),
		) < 0
	})
	return slices.CompactFunc(ps, func(a, b *Problem) bool {
		return a.Pos == b.Pos && a.Message == b.Message
	})
}

// flaw says what is wrong with a text. The functions that find flaws do not know the
// position of the text. A flaw never quotes the text, which may be the value of a
// variable.
type flaw struct {
	message string
	hint    string
}

// quoted returns a text from a profile, shortened and in quotes, for a message.
func quoted(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
