package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"tokenform/config/dotenv"
)

// envFiles reads the files of env_file, makes their variables known to d and returns
// their paths. A path can use only the process environment. The process environment
// wins over the files, and a later file over an earlier one, as with docker compose and
// node. An error in a variable is reported only if the profile uses the variable.
func (d *document) envFiles(f *field) (paths []string) {
	var files []*envFile
	for _, item := range d.items(f.node, "env_file", "write a list, for example [.env]") {
		path, ok := d.path(item, "env_file")
		if !ok {
			continue
		}
		paths = append(paths, path)
		if d.unselected {
			continue
		}
		file := d.dotenv(path, filepath.Join(filepath.Dir(d.file.shown), filepath.FromSlash(item.value)))
		if file.err != nil {
			d.report(item, "create the file, or remove it from env_file", "cannot read it: %s", cause(file.err))
			continue
		}
		d.checkEncoding(file)
		files = append(files, file)
		if d.skipped == "" {
			d.skipped = file.skippedHint()
		}
	}
	slices.Reverse(files)
	d.lookup = func(name string) (string, bool) {
		if s, ok := d.src.Env(name); ok {
			return s, true
		}
		for _, file := range files {
			if s, ok := d.variable(file, name); ok {
				return s, true
			}
		}
		return "", false
	}
	return paths
}

// variable returns a variable of an env file, and reports what is wrong with it.
func (d *document) variable(file *envFile, name string) (string, bool) {
	v, ok := file.vars[name]
	if ok && v.wrong != nil {
		d.loader.report(Pos{File: file.shown, Line: v.wrong.line, Col: v.wrong.col}, v.wrong.hint, name+": "+v.wrong.message)
	}
	return v.text, ok
}

// defaultEnvFile makes the variables of .env beside the profile known to d. The file
// is read if a variable is not in the process environment: a secret manager may have
// made it a pipe, and asks its user whenever the pipe is read.
func (d *document) defaultEnvFile() {
	if d.file.path == "" {
		return // standard input is beside nothing
	}
	d.lookup = func(name string) (string, bool) {
		if s, ok := d.src.Env(name); ok {
			return s, true
		}
		file := d.dotenv(d.file.envPath(), filepath.Join(filepath.Dir(d.file.shown), ".env"))
		if file.err != nil && !errors.Is(file.err, fs.ErrNotExist) {
			d.loader.report(Pos{File: file.shown}, "make it readable, or set env_file: [] in the profile", fmt.Sprintf("cannot read it for the variable %s: %s", name, cause(file.err)))
		}
		d.checkEncoding(file)
		if d.skipped == "" {
			d.skipped = file.skippedHint()
		}
		return d.variable(file, name)
	}
}

// envPath returns the path of .env beside the file.
func (f *file) envPath() string { return filepath.Join(f.dir, ".env") }

// checkEncoding reports that a file is no text in UTF-8.
func (d *document) checkEncoding(file *envFile) {
	if file.wrong != nil {
		d.loader.report(Pos{File: file.shown}, file.wrong.hint, file.wrong.message)
	}
}

// dotenv returns an env file. dotenv reads the file once, however many profiles name
// it.
//
// The package godotenv would expand $NAME in values, although a client secret may
// contain a dollar, and its errors quote the rest of the file.
func (l *loader) dotenv(path, shown string) *envFile {
	if f, ok := l.envs[path]; ok {
		return f
	}
	f := &envFile{shown: shown}
	l.envs[path] = f
	var data []byte
	data, f.err = ReadFile(l.ctx, path, maxBytes)
	switch {
	case errors.Is(f.err, ErrTooLarge):
		f.err = errors.New("larger than 1 MiB")
	case f.err != nil:
	case isUTF16(data):
		f.wrong = &flaw{"the file is UTF-16", "save it as UTF-8; PowerShell's > writes UTF-16"}
	case !utf8.Valid(data):
		f.wrong = &flaw{"the file is not UTF-8", "save it as UTF-8"}
	default:
		f.vars, f.skipped = parseDotenv(data)
	}
	return f
}

type envFile struct {
	shown   string
	vars    map[string]variable
	skipped int   // the first line that is not NAME=value; zero means none
	err     error // why the file cannot be read
	wrong   *flaw // why there are no vars, although the file can be read
}

// skippedHint is the end of a hint: a variable may be missing because of its line.
func (f *envFile) skippedHint() string {
	if f.skipped == 0 {
		return ""
	}
	return fmt.Sprintf("; line %d of %s is not NAME=value and was skipped", f.skipped, f.shown)
}

// variable is a variable of an env file.
type variable struct {
	text  string
	wrong *flawAt // why text must not be used; nil if it may
}

// parseDotenv reads what tokenform writes and what people write by hand:
// NAME=value, with or without export. A value stands without quotes, in single
// quotes (nothing is replaced) or in double quotes (\n, \r, \t and an escaped
// quote, backslash, dollar or backtick are replaced). A quoted value may span
// several lines. Comments, CRLF and a byte order mark are accepted. The last of
// several values for a name counts.
//
// Other readers take lines that are not NAME=value, so such lines are skipped. A
// value with $NAME or ${NAME} outside of single quotes is wrong: the shells and compose
// replace the variable, and docker and node do not.
func parseDotenv(data []byte) (vars map[string]variable, skipped int) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	vars = map[string]variable{}
	for start, number := 0, 1; start < len(data); {
		l := dotenv.LineAt(data, start)
		end, value := l.End, bytes.TrimSpace(data[l.Value:l.Stop])
		set := func(text, message, hint string) {
			v := variable{text: text}
			if message != "" {
				v.wrong = &flawAt{flaw{message, hint}, number, 1}
			}
			vars[l.Name] = v
		}
		switch {
		case l.Text == l.Stop || data[l.Text] == '#':
		case l.Separator != '=' || !isName(l.Name):
			skipped = cmp.Or(skipped, number)
		case len(value) == 0 || value[0] != '\'' && value[0] != '"':
			text := cutComment(string(value))
			if refers(text) {
				set(text, unreplacedMessage, unreplacedHint)
			} else {
				set(text, "", "")
			}
		default: // a quoted value may span several lines
			quoted := l.Value + bytes.IndexByte(data[l.Value:], value[0]) + 1
			n := dotenv.Closing(data[quoted:], value[0])
			if n < 0 {
				set("", "missing closing quote", "close the quote, or use the other kind of quote")
				break
			}
			inside := string(data[quoted : quoted+n])
			tail, rest, _ := bytes.Cut(data[quoted+n+1:], []byte("\n"))
			switch tail = bytes.TrimSpace(tail); {
			case len(tail) > 0 && tail[0] != '#':
				set("", "text after the closing quote", "put the whole value in one pair of quotes")
			case value[0] == '"' && refers(strings.ReplaceAll(inside, `\$`, "")):
				set("", unreplacedMessage, unreplacedHint)
			default:
				set(unquote(inside, value[0]), "", "")
			}
			end = len(data) - len(rest)
		}
		number += bytes.Count(data[start:end], []byte("\n"))
		start = end
	}
	return vars, skipped
}

const (
	unreplacedMessage = "the value refers to another variable, which tokenform does not expand"
	unreplacedHint    = "write the value itself; if the dollar sign is part of the value, use single quotes"
)

// refers reports whether s has $NAME or ${NAME in it.
func refers(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "$")
		if !found {
			return false
		}
		if name := strings.TrimPrefix(rest, "{"); name != "" && isNameByte(name[0], 0) {
			return true
		}
		s = rest
	}
}

// cutComment returns an unquoted value without the comment behind it. A # without a
// blank before it is a character of the value.
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
