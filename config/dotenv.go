package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"tokenform/config/dotenv"
)

// envFiles reads the files of env_file, makes their variables known to d and
// returns their paths. A path can use only the process environment. The process
// environment wins over the files, and a later file over an earlier one, as with
// docker compose and node.
func (d *document) envFiles(f *field) (paths []string) {
	var files []map[string]string
	for _, item := range d.items(f.node, "env_file", "write a list, for example [.env]") {
		path, ok := d.path(item, "env_file")
		if !ok {
			continue
		}
		paths = append(paths, path)
		vars, err := d.dotenv(path, filepath.Join(filepath.Dir(d.file.shown), filepath.FromSlash(item.value)))
		if err != nil {
			d.report(item, "create the file, or take it out of env_file", "cannot read it: %s", cause(err))
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
	return paths
}

// dotenv returns the variables of an env file. dotenv reads the file once, however
// many profiles name it, and reports the flaws in the file at their positions in
// the file. err says that the file cannot be read.
//
// The package godotenv would expand $NAME in values, although a client secret may
// contain a dollar, and its errors quote the rest of the file.
func (l *loader) dotenv(path, shown string) (map[string]string, error) {
	if f, ok := l.envs[path]; ok {
		return f.vars, f.err
	}
	data, err := ReadFile(l.ctx, path, maxBytes)
	if errors.Is(err, ErrTooLarge) {
		err = errors.New("larger than 1 MiB")
	}
	var vars map[string]string
	if err == nil {
		var flaws []flawAt
		vars, flaws = parseDotenv(data)
		for _, f := range flaws {
			l.report(Pos{File: shown, Line: f.line, Col: f.col}, f.hint, f.message)
		}
	}
	l.envs[path] = envFile{vars, err}
	return vars, err
}

type envFile struct {
	vars map[string]string
	err  error
}

// parseDotenv reads what tokenform writes and what people write by hand:
// NAME=value, with or without export. A value stands without quotes, in single
// quotes (nothing is replaced) or in double quotes (\n, \r, \t and an escaped
// quote, backslash, dollar or backtick are replaced). A quoted value may span
// several lines. Comments, CRLF and a byte order mark are accepted. $NAME is
// never expanded. The last of several values for a name counts.
func parseDotenv(data []byte) (vars map[string]string, flaws []flawAt) {
	if isUTF16(data) {
		return nil, []flawAt{{flaw: flaw{"the text is UTF-16", "save it as UTF-8; PowerShell's > writes UTF-16"}}}
	}
	if !utf8.Valid(data) {
		return nil, []flawAt{{flaw: flaw{"the text is not UTF-8", "save it as UTF-8"}}}
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	vars = map[string]string{}
	for start, number := 0, 1; start < len(data); {
		l := dotenv.LineAt(data, start)
		add := func(message, hint string) {
			flaws = append(flaws, flawAt{flaw{message, hint}, number, 1})
		}
		end, value := l.End, bytes.TrimSpace(data[l.Value:l.Stop])
		switch {
		case l.Text == l.Stop || data[l.Text] == '#':
		case l.Separator != '=' || !isName(l.Name):
			add("not NAME=value", "a comment begins with #; a value over several lines needs quotes")
		case len(value) == 0 || value[0] != '\'' && value[0] != '"':
			vars[l.Name] = cutComment(string(value))
		default: // a quoted value may span several lines
			quoted := l.Value + bytes.IndexByte(data[l.Value:], value[0]) + 1
			n := dotenv.Closing(data[quoted:], value[0])
			if n < 0 {
				add("a quote without its end", "close it, or use the other kind of quote around it")
				return vars, flaws
			}
			vars[l.Name] = unquote(string(data[quoted:quoted+n]), value[0])
			tail, rest, _ := bytes.Cut(data[quoted+n+1:], []byte("\n"))
			if tail = bytes.TrimSpace(tail); len(tail) > 0 && tail[0] != '#' {
				add("text after the closing quote", "put the whole value in one pair of quotes")
			}
			end = len(data) - len(rest)
		}
		number += bytes.Count(data[start:end], []byte("\n"))
		start = end
	}
	return vars, flaws
}

// cutComment returns an unquoted value without the comment behind it. Without a
// blank before it, # is a character of the value.
func cutComment(s string) string {
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			s = s[:i]
			break
		}
	}
	return strings.TrimSpace(s)
}

// unquote returns the value that s, the text between two quotes, stands for.
func unquote(s string, quote byte) string {
	if quote == '\'' {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
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
	}
	return b.String()
}
