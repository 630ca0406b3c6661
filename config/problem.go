package config

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"tokenform/config/fault"
)

// Problem is one thing wrong in a profile, or one worth a warning.
type Problem struct {
	Pos     Pos
	Message string
	Hint    string // what to change or run; may be empty
	Warning bool   // the profile can be used all the same
	Line    string // the offending line with secrets masked; empty: not to be shown
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

// Unwrap returns what is wrong as a [fault.Error], without the place.
func (p *Problem) Unwrap() error {
	return &fault.Error{Kind: fault.Invalid, Message: p.Message, Hint: p.Hint}
}

// String is the place in the form that editors and terminals link.
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

// Problems is every error and warning found in all files of one call.
type Problems []*Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Errors is the problems that keep the profiles from being used.
func (ps Problems) Errors() Problems {
	var errs Problems
	for _, p := range ps {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errs
}

// sorted orders problems by place and drops those said twice, which happens
// where an anchor with something wrong in it is used more than once.
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

// flaw is what is wrong with a text, before anybody knows where it stands. It
// never quotes the text: the text may be the value of a variable.
type flaw struct {
	message string
	hint    string
}

// quoted is a piece of a profile fit for a message.
func quoted(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
