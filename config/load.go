package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Sources is the world that loading needs.
type Sources struct {
	Env   func(string) (string, bool) // the process environment
	Stdin io.Reader
	Dir   string // the current directory, absolute: arguments, "-" and default files are relative to it
	State string // replaces every profile's state directory; relative to Dir; empty: none
}

// Load reads the profiles named by args: files, directories and "-"; without
// any, tokenform.yaml or tokenform.yml in the current directory. Profiles come
// in the order of the arguments, of files in a directory, and of documents.
//
// problems holds everything that is wrong in all files, and the warnings that
// need no look at disk or git (see [Inspect]). Where any is an error there are
// no profiles.
func Load(src Sources, args []string) (profiles []Profile, problems Problems) {
	l := &loader{
		src:  src,
		seen: map[string]string{},
		envs: map[string]envFile{},
		dirs: map[string]resolved{},
	}
	if len(args) == 0 {
		args = l.defaultFile()
	}
	for _, arg := range args {
		l.open(arg)
	}
	for _, f := range l.files {
		profiles = append(profiles, l.decode(f)...)
	}
	l.claims(profiles)
	l.excerpts()
	problems = l.problems.sorted()
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	return profiles, problems
}

// loader is one call of Load.
type loader struct {
	src      Sources
	files    []*file
	problems Problems
	seen     map[string]string // absolute path to the name it was given by
	envs     map[string]envFile
	dirs     map[string]resolved
}

func (l *loader) defaultFile() []string {
	for _, name := range []string{"tokenform.yaml", "tokenform.yml"} {
		if _, err := os.Stat(filepath.Join(l.src.Dir, name)); err == nil {
			return []string{name}
		}
	}
	l.report(Pos{}, "name a file or a directory; tokenform help profiles shows what goes into one", "no tokenform.yaml in the current directory")
	return nil
}

// open finds the files that an argument stands for.
func (l *loader) open(arg string) {
	if arg == "-" {
		l.stdin()
		return
	}
	if arg == "" {
		// A variable that is not set, most likely; the current directory is not meant.
		l.report(Pos{}, "name a file or a directory, or leave the argument out for tokenform.yaml", "an argument is empty")
		return
	}
	path := absolute(l.src.Dir, arg)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.report(Pos{File: arg}, "name a profile file, or a directory of them", reason(err))
	case info.IsDir():
		l.directory(arg, path)
	default:
		l.read(arg, path)
	}
}

// directory takes the *.yaml and *.yml files, sorted, as a shell would: without
// hidden ones, and not those further down.
func (l *loader) directory(arg, path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		l.report(Pos{File: arg}, "", reason(err))
		return
	}
	found := false
	for _, e := range entries {
		name := e.Name()
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" || strings.HasPrefix(name, ".") {
			continue
		}
		file := filepath.Join(path, name)
		if e.Type()&os.ModeSymlink != 0 { // Kubernetes mounts files as symlinks
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				continue
			}
		} else if e.IsDir() {
			continue
		}
		found = true
		l.read(filepath.Join(arg, name), file)
	}
	if !found {
		l.report(Pos{File: arg}, "put profiles in it, or name a file", "no *.yaml or *.yml file in this directory")
	}
}

func (l *loader) read(shown, path string) {
	if first, twice := l.seen[path]; twice {
		message := "named twice on the command line"
		if first != shown {
			message += ", also as " + first
		}
		l.report(Pos{File: shown}, "name it once", message)
		return
	}
	l.seen[path] = shown
	data, err := readFile(path, maxBytes)
	l.add(&file{shown: shown, path: path, dir: filepath.Dir(path), data: data}, err)
}

func (l *loader) stdin() {
	if _, twice := l.seen["-"]; twice {
		l.report(Pos{File: "-"}, "name it once", "standard input can be read only once")
		return
	}
	l.seen["-"] = "-"
	f := &file{shown: "-", dir: l.src.Dir}
	if l.src.Stdin == nil {
		l.add(f, errors.New("there is no standard input"))
		return
	}
	var err error
	f.data, err = readAll(l.src.Stdin, maxBytes)
	l.add(f, err)
}

func (l *loader) add(f *file, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		l.report(Pos{File: f.shown}, "split it into several files", "larger than 1 MiB")
	case err != nil:
		l.report(Pos{File: f.shown}, "", reason(err))
	default:
		f.data = bytes.TrimPrefix(f.data, []byte("\ufeff"))
		l.files = append(l.files, f)
	}
}

// decode reads the documents of a file. A fault of syntax ends it, with the
// documents before it looked at all the same.
func (l *loader) decode(f *file) []Profile {
	tree, wrong := parse(f.data)
	if wrong != nil {
		l.report(Pos{File: f.shown, Line: wrong.line, Col: wrong.col}, wrong.hint, wrong.message)
		f.fault = l.problems[len(l.problems)-1]
	} else if len(tree.docs) == 0 {
		l.report(Pos{File: f.shown}, "tokenform help profiles shows what goes into one", "no profile in it")
	}
	single := len(tree.docs) == 1 && wrong == nil
	profiles := make([]Profile, 0, len(tree.docs))
	for _, root := range tree.docs {
		d := &document{loader: l, file: f, lookup: l.src.Env}
		if p, ok := d.profile(root, single); ok {
			profiles = append(profiles, p)
		}
	}
	f.mask(tree.nodes)
	return profiles
}

// excerpts adds the lines that problems are about.
func (l *loader) excerpts() {
	files := make(map[string]*file, len(l.files))
	for _, f := range l.files {
		files[f.shown] = f
	}
	for _, p := range l.problems {
		if f := files[p.Pos.File]; f != nil && p != f.fault {
			p.Line = f.excerpt(p.Pos.Line, p.Pos.Col)
		}
	}
}
