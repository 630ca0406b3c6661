package config

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tokenform/config/fault"
	"tokenform/config/paths"
)

// Sources is what [Load] needs from the process.
type Sources struct {
	Env   func(string) (string, bool) // the process environment
	Stdin func() ([]byte, error)      // all of standard input, from [ReadOnce]; nil if there is none
	Dir   string                      // the current directory, absolute: arguments, "-" and default files are relative to it
	State string                      // replaces the state directory of every profile, relative to Dir; empty means no replacement

	// Only are patterns, as for [Select]. Profiles that match none of them need no
	// variables, secrets or files of their own, and the values that they take from
	// variables stay unknown. If there are no patterns, all profiles are selected.
	Only []string

	// Spotify says that the profiles are for Spotify itself and not for a stand-in.
	Spotify bool

	// Sandbox says that the profiles are for the stand-in of --sandbox, which takes any
	// client. Where the client ID or the secret comes from need not be there.
	Sandbox bool

	// Many is called once if there are so many profiles that memory matters. Many may
	// be nil.
	Many func()
}

const many = 2_000

// Load reads the profiles in args: files, directories and "-" for standard input.
// Without args Load reads [DefaultFiles].
// The profiles are in the order of the arguments, of the files in a directory, and
// of the documents in a file.
//
// problems holds all errors of all files, and the warnings that need no look at the
// disk or at git (see [Inspect] for those). If there is an error, Load returns no
// profiles. If ctx ends, problems has an error for every file that is not read yet; the
// caller must check ctx itself.
func Load(ctx context.Context, src Sources, args []string) (profiles []Profile, problems Problems) {
	l := &loader{
		ctx:  ctx,
		src:  src,
		seen: map[string]string{},
		envs: map[string]*envFile{},

		shared: map[string]*file{},
	}
	if len(args) == 0 {
		args = l.reportDefaultFiles()
	}
	for _, arg := range args {
		l.add(arg)
	}
	profiles = make([]Profile, 0, len(l.files)) // most files hold one profile
	take := func(f *file, docs iter.Seq[tree], end func() ending) {
		before := len(profiles)
		profiles = l.decodeProfiles(f, docs, end, profiles)
		if before < many && len(profiles) >= many && src.Many != nil {
			src.Many()
		}
	}
	parseAhead(l.files, take)
	l.conflicts(profiles)
	l.excerpts()
	problems = l.problems.sorted()
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	return profiles, problems
}

// loader is one call of Load.
type loader struct {
	ctx      context.Context
	src      Sources
	files    []*file
	problems Problems
	seen     map[string]string // the name that each absolute path was given by
	envs     map[string]*envFile
	shared   map[string]*file // the defaults of each directory; nil if there are none
	real     paths.Cache
}

// reportDefaultFiles returns [DefaultFiles], and reports an error if there is none or more
// than one.
func (l *loader) reportDefaultFiles() []string {
	files := DefaultFiles(l.src)
	switch len(files) {
	case 0:
		l.report(Pos{}, "name a profile file or directory, or create a profile with tokenform init", "no tokenform.yaml in the current directory or above it, up to the repository root or home directory")
	case 2:
		l.report(Pos{File: files[0]}, "remove one of the two, or name the one to use", files[1]+" also exists and is not read")
		l.problems[len(l.problems)-1].Warning = true
		files = files[:1]
	}
	return files
}

// DefaultFiles returns the files to read if there are no arguments: the file that
// TOKENFORM_FILE names, or else tokenform.yaml or tokenform.yml in the current
// directory or in the nearest one above it. If a directory has both, the second one is
// not read. The search ends at the root of a git repository and at the home directory;
// outside of both, other users may have put a file above.
func DefaultFiles(src Sources) []string {
	if file, _ := src.Env("TOKENFORM_FILE"); file != "" {
		return []string{file}
	}
	home, _ := src.Env("HOME")
	within := func(dir string) bool {
		for ; ; dir = filepath.Dir(dir) {
			if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil || dir == home {
				return true
			}
			if dir == filepath.Dir(dir) {
				return false
			}
		}
	}
	for dir := src.Dir; ; dir = filepath.Dir(dir) {
		var found []string
		for _, name := range []string{"tokenform.yaml", "tokenform.yml"} {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				if shown, err := filepath.Rel(src.Dir, path); err == nil {
					path = shown
				}
				found = append(found, path)
			}
		}
		if _, err := os.Lstat(filepath.Join(dir, ".git")); len(found) > 0 || err == nil || dir == home || dir == filepath.Dir(dir) || !within(filepath.Dir(dir)) {
			return found
		}
	}
}

// add adds the files that an argument stands for.
func (l *loader) add(arg string) {
	if arg == "-" {
		l.stdin()
		return
	}
	if arg == "" {
		// The argument is most likely "$FILE" with FILE not set, so do not read the
		// current directory.
		l.report(Pos{}, "name a file or a directory, or leave the argument out for tokenform.yaml", "empty argument")
		return
	}
	path := absolute(l.src.Dir, arg)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.report(Pos{File: arg}, "name a profile file, or a directory of them", cause(err))
	case info.IsDir():
		l.directory(arg, path)
	default:
		l.addFile(arg, path, info.Size())
	}
}

// directory adds the *.yaml and *.yml files of a directory, sorted. Like a shell's
// *, it leaves out hidden files and files in directories below.
func (l *loader) directory(arg, path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		l.report(Pos{File: arg}, "", cause(err))
		return
	}
	found := false
	for _, e := range entries {
		name := e.Name()
		if !isProfileFile(name) {
			continue
		}
		file := filepath.Join(path, name)
		if e.Type()&os.ModeSymlink != 0 { // Kubernetes mounts files as symbolic links
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				continue
			}
		} else if e.IsDir() {
			continue
		}
		found = true
		if f := l.defaultsOf(path, arg); f != nil && f.path == file {
			continue
		}
		l.addFile(filepath.Join(arg, name), file, 0)
	}
	if !found {
		l.report(Pos{File: arg}, "put profiles in it, or name a file", "no *.yaml or *.yml file in this directory")
	}
}

// isProfileFile reports whether a file of this name belongs to the profiles of its
// directory.
func isProfileFile(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(name, ".")
}

// addFile adds a file, which is read later. size is about the file's size; zero means
// not known.
func (l *loader) addFile(shown, path string, size int64) {
	if first, twice := l.seen[path]; twice {
		message := "named twice on the command line"
		if first != shown {
			message += ", also as " + first
		}
		l.report(Pos{File: shown}, "name it once", message)
		return
	}
	l.seen[path] = shown
	f := &file{
		shown: shown, path: path, dir: filepath.Dir(path), size: size,
		read: func() ([]byte, error) { return ReadFile(l.ctx, path, maxBytes) },
	}
	if common := l.defaultsOf(f.dir, filepath.Dir(shown)); common != nil {
		if common.path == path {
			l.report(Pos{File: shown}, "name a profile's file, or the directory", "the file contains no profile, only the defaults of its directory")
			return
		}
		if f.defaults = common.defaults; f.defaults == nil {
			return // the file is broken, which is reported
		}
	}
	l.files = append(l.files, f)
}

func (l *loader) stdin() {
	if _, twice := l.seen["-"]; twice {
		l.report(Pos{File: "-"}, "name it once", "standard input can be read only once")
		return
	}
	l.seen["-"] = "-"
	f := &file{shown: "-", dir: l.src.Dir}
	if l.src.Stdin == nil {
		l.unreadable(f, errors.New("there is no standard input"))
		return
	}
	data, err := await(l.ctx, l.src.Stdin)
	if err != nil {
		l.unreadable(f, err)
		return
	}
	f.hold(data)
	l.files = append(l.files, f)
}

// hold sets the content of f, without a byte order mark.
func (f *file) hold(data []byte) { f.data = bytes.TrimPrefix(data, []byte("\ufeff")) }

func (l *loader) unreadable(f *file, err error) {
	if errors.Is(err, ErrTooLarge) {
		l.report(Pos{File: f.shown}, "split it into several files", "larger than 1 MiB")
	} else {
		l.report(Pos{File: f.shown}, "", cause(err))
	}
}

// ending is how the reading of a file ended.
type ending struct {
	wrong *flawAt // what [parse] returns
	err   error   // why the file could not be read
}

// taker gets the documents of a file. After the last document, end says how the file
// ended.
type taker func(f *file, docs iter.Seq[tree], end func() ending)

// parseAhead parses the files in their order, on a goroutine of its own and a few
// documents ahead of take, because parsing takes about as long as everything that
// follows. Without parseAhead, 1 MiB of profiles takes 1.2 times as long, and 10,000
// profiles with nothing to do 1.15 times. One small file would be done before the
// goroutine is awake.
func parseAhead(files []*file, take taker) {
	const small = 64 << 10
	if len(files) == 1 && files[0].size < small && files[0].path != "" {
		var trees []tree
		e := files[0].parse(func(t tree) { trees = append(trees, t) })
		take(files[0], slices.Values(trees), func() ending { return e })
		return
	}
	type piece struct {
		trees []tree
		end   *ending // the ending of the file; nil if the file goes on
	}
	pieces := make(chan piece, 4)
	go func() {
		defer fault.Crash()
		for _, f := range files {
			const many = 32 // trees in a piece: each piece wakes the other goroutine, so few pieces are fast
			var trees []tree
			e := f.parse(func(t tree) {
				if trees = append(trees, t); len(trees) == many {
					pieces <- piece{trees: trees}
					trees = nil
				}
			})
			pieces <- piece{trees, &e}
		}
	}()
	for _, f := range files {
		var e ending
		take(f, func(yield func(tree) bool) {
			for {
				p := <-pieces
				for _, t := range p.trees {
					yield(t)
				}
				if p.end != nil {
					e = *p.end
					return
				}
			}
		}, func() ending { return e })
	}
}

func (f *file) parse(take func(tree)) (e ending) {
	if f.read != nil {
		data, err := f.read()
		if err != nil {
			return ending{err: err}
		}
		f.hold(data)
	}
	e.wrong = parse(f.data, take)
	return e
}

// decodeProfiles appends the profiles of a file to profiles. If the file has a syntax
// error, decodeProfiles decodes the documents before the error, to find their problems
// too.
func (l *loader) decodeProfiles(f *file, docs iter.Seq[tree], end func() ending, profiles []Profile) []Profile {
	documents := 0
	var first, second tree // the defaults of this file, and what is behind them
	var held tree          // decoded when the next one comes: only then is it known whether it is alone
	release := func(single bool, next []*node) {
		if held.root != nil {
			d := &document{loader: l, file: f, lookup: l.src.Env}
			if p, ok := d.profile(held.root, single); ok {
				profiles = append(profiles, p)
			}
		}
		f.hide(held.nodes, next)
		held = tree{}
	}
	for t := range docs {
		if first.nodes != nil && second.nodes == nil {
			second = t
		}
		if key := defaultsKey(t.root); key != nil {
			d := &document{loader: l, file: f}
			switch {
			case documents > 0:
				d.report(key, "move them to the first document of the file", "defaults must come before the profiles")
			case f.defaults != nil:
				d.report(key, "remove one of the two: defaults have one level", "defaults are already declared at %s", f.defaults.file.at(f.defaults.nodes[0]))
			default:
				l.readDefaults(f, t, false)
				first = t
				continue
			}
			t.root = nil
		}
		if t.root != nil {
			if documents++; documents > 1 {
				release(false, t.nodes)
			}
			held.root = t.root
		}
		if held.nodes == nil {
			held.nodes = t.nodes
		} else { // the nodes of an empty document
			held.nodes = append(held.nodes, t.nodes...)
		}
	}
	e := end()
	l.ended(f, e)
	whole := e.err == nil && e.wrong == nil
	if whole && documents == 0 {
		l.report(Pos{File: f.shown}, "tokenform help profiles shows what goes in a profile", "the file contains no profile")
	}
	release(whole && documents == 1, nil)
	if first.nodes != nil { // only now is it known what of the defaults may be shown
		behind := f.hidden
		f.hidden = nil
		f.hide(first.nodes, second.nodes)
		f.hidden = append(f.hidden, behind...)
	}
	return profiles
}

// ended reports why the reading of a file ended before the file did.
func (l *loader) ended(f *file, e ending) {
	switch {
	case e.err != nil:
		l.unreadable(f, e.err)
	case e.wrong != nil:
		l.report(Pos{File: f.shown, Line: e.wrong.line, Col: e.wrong.col}, e.wrong.hint, e.wrong.message)
		f.broken = l.problems[len(l.problems)-1]
		f.broken.Line = f.before(e.wrong.line, e.wrong.col)
	}
}

// excerpts adds to each problem the line that the problem is about.
func (l *loader) excerpts() {
	files := make(map[string]*file, len(l.files))
	for _, f := range l.files {
		files[f.shown] = f
	}
	for _, f := range l.shared {
		if f != nil {
			if f.defaults != nil {
				f.hide(f.defaults.nodes, nil)
			}
			files[f.shown] = f
		}
	}
	for _, p := range l.problems {
		if f := files[p.Pos.File]; f != nil && p != f.broken && p.Line == "" {
			p.Line = f.excerpt(p.Pos.Line, p.Pos.Col)
		}
	}
}
