package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// envFiles reads the files that bring more variables. Their own paths can only
// use the process environment, which also wins over what they say; of several
// files the last wins, as with docker compose and node.
func (d *document) envFiles(f *field) {
	var files []map[string]string
	for _, item := range d.items(f.node, "env_file", "write a list, for example [.env]") {
		path, ok := d.path(item, "env_file")
		if !ok {
			continue
		}
		vars, err := d.dotenv(path, filepath.Join(filepath.Dir(d.file.shown), filepath.FromSlash(item.value)))
		if err != nil {
			d.report(item, "create the file, or take it out of env_file", "cannot read it: %s", reason(err))
			continue
		}
		files = append(files, vars)
	}
	slices.Reverse(files)
	d.lookup = func(name string) (string, bool) {
		if s, ok := d.src.Env(name); ok {
			return s, true
		}
		for _, vars := range files {
			if s, ok := vars[name]; ok {
				return s, true
			}
		}
		return "", false
	}
}

// dotenv reads an env file once, however many profiles name it. What is wrong in
// it is reported in its own place; err is for a file that cannot be read.
//
// godotenv is not used here: it expands $NAME in values, where a client secret
// may have a dollar, and its errors quote the rest of the file.
func (l *loader) dotenv(path, shown string) (map[string]string, error) {
	if f, ok := l.envs[path]; ok {
		return f.vars, f.err
	}
	data, err := ReadFile(path, maxBytes)
	if errors.Is(err, ErrTooLarge) {
		err = errors.New("larger than 1 MiB")
	}
	var vars map[string]string
	if err == nil {
		var faults []place
		vars, faults = parseDotenv(data)
		for _, wrong := range faults {
			l.report(Pos{File: shown, Line: wrong.line, Col: wrong.col}, wrong.hint, wrong.message)
		}
	}
	l.envs[path] = envFile{vars, err}
	return vars, err
}

type envFile struct {
	vars map[string]string
	err  error
}

// parseDotenv reads what tokenform itself writes and what people write by hand:
// NAME=value, with or without export, bare, in single quotes (as it is) or in
// double quotes (\n, \r, \t and an escaped quote, backslash, dollar or backtick), quoted
// values over several lines, comments, CRLF, BOM. A dollar is a dollar. Where a
// name comes twice, the last counts.
func parseDotenv(data []byte) (vars map[string]string, faults []place) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, []place{{flaw: flaw{"the text is not UTF-8", "save it as UTF-8"}}}
	}
	s := strings.ReplaceAll(string(data), "\r\n", "\n")
	vars = map[string]string{}
	for line := 1; s != ""; {
		statement, rest, _ := strings.Cut(s, "\n")
		trimmed := strings.TrimSpace(statement)
		if trimmed == "" || trimmed[0] == '#' {
			s, line = rest, line+1
			continue
		}
		if name, ok := strings.CutPrefix(trimmed, "export"); ok && strings.TrimLeft(name, " \t") != name {
			trimmed = strings.TrimSpace(name)
		}
		name, value, ok := strings.Cut(trimmed, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || !isName(name) {
			faults = append(faults, place{flaw{"not NAME=value", "a comment begins with #; a value over several lines needs quotes"}, line, 1})
			s, line = rest, line+1
			continue
		}
		if value == "" || value[0] != '\'' && value[0] != '"' {
			vars[name] = bare(value)
			s, line = rest, line+1
			continue
		}
		// A quoted value may go on over lines: look for its end in all of s.
		start := len(statement) - len(strings.TrimLeft(statement[strings.IndexByte(statement, '=')+1:], " \t"))
		text, after, ok := unquote(s[start:])
		tail, rest, _ := strings.Cut(after, "\n")
		if tail = strings.TrimSpace(tail); !ok {
			return vars, append(faults, place{flaw{"a quote without its end", "close it, or use the other kind of quote around it"}, line, 1})
		} else if tail != "" && tail[0] != '#' {
			faults = append(faults, place{flaw{"text after the closing quote", "put the whole value in one pair of quotes"}, line, 1})
		}
		vars[name] = text
		line += strings.Count(s[:len(s)-len(rest)], "\n")
		s = rest
	}
	return vars, faults
}

// bare is an unquoted value: a comment needs a space before it.
func bare(s string) string {
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			s = s[:i]
			break
		}
	}
	return strings.TrimSpace(s)
}

// unquote reads a quoted value and returns what follows it.
func unquote(s string) (text, after string, ok bool) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == quote:
			return b.String(), s[i+1:], true
		case c == '\\' && quote == '"' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case '"', '\\', '$', '`':
				b.WriteByte(s[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}
