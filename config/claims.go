package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// claims finds profiles and outputs that would get in each other's way: names,
// files and variables that two of them want.
func (l *loader) claims(ps []Profile) {
	var (
		names  = map[string]Pos{}
		states = map[string]bool{}
		owners = map[string]*Output{} // the first output of each file
		vars   = map[[2]string]Pos{}  // file and variable
		files  = make(map[string]bool, len(l.files))
	)
	for _, f := range l.files {
		if f.path != "" {
			files[l.dirs.file(f.path)] = true
		}
	}
	for i := range ps {
		states[l.dirs.file(ps[i].State)] = true
	}
	envs := map[string]bool{}
	for path := range l.envs {
		envs[l.dirs.file(path)] = true
	}
	for i := range ps {
		p := &ps[i]
		if first, taken := names[p.Name]; taken {
			l.report(p.namePos, "give each profile a name of its own", fmt.Sprintf("the profile %s is already declared at %s", p.Name, first))
		} else if p.Name != "" {
			names[p.Name] = p.namePos
		}
		for j := range p.Outputs {
			o := &p.Outputs[j]
			if o.Path == "" {
				continue
			}
			path := l.dirs.file(o.Path)
			switch {
			case files[path]:
				l.report(o.Pos, "write it to another file", "the output would replace a profile")
			case within(path, states):
				l.report(o.Pos, "write it elsewhere", "the output lies in a state directory")
			case o.Type != "env" && envs[path]:
				l.report(o.Pos, "write it to another file", "the output would replace an env_file")
			}
			first := owners[path]
			if first == nil {
				owners[path] = o
			} else if first.Type != "env" || o.Type != "env" {
				l.report(o.Pos, "give it a file of its own", fmt.Sprintf("the output at %s already writes this file", first.Pos))
				continue
			}
			for k, key := range o.Keys {
				claim := [2]string{path, key.Variable}
				if first, taken := vars[claim]; taken {
					l.report(o.keyPos[k], "use another variable or another file", fmt.Sprintf("the same variable of the same file is already set at %s", first))
				} else {
					vars[claim] = o.keyPos[k]
				}
			}
		}
	}
}

func (l *loader) report(at Pos, hint, message string) {
	l.problems = append(l.problems, &Problem{Pos: at, Message: message, Hint: hint})
}

// within reports whether a path lies beneath one of the directories.
func within(path string, dirs map[string]bool) bool {
	for dir := path; ; dir = filepath.Dir(dir) {
		if dirs[dir] {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// file is the path that two names of the same file have in common, as far
// as it exists. An output that is a symlink is followed when it is written.
func (d directories) file(path string) string {
	real, _ := d.within(filepath.Dir(path), filepath.Base(path))
	return real
}

// directories are those that were resolved: a thousand profiles share a few.
type directories map[string]resolved

type resolved struct {
	path   string
	exists bool
}

// resolve is where a directory really is, as far as it exists; what does not
// exist yet has no links.
func (d directories) resolve(dir string) (real string, exists bool) {
	if r, ok := d[dir]; ok {
		return r.path, r.exists
	}
	if parent := filepath.Dir(dir); parent != dir {
		real, exists = d.within(parent, filepath.Base(dir))
	} else {
		real, exists = dir, true
	}
	d[dir] = resolved{real, exists}
	return real, exists
}

// within is where the name in a directory really is.
func (d directories) within(dir, name string) (real string, exists bool) {
	above, exists := d.resolve(dir)
	real = filepath.Join(above, name)
	if !exists {
		return real, false
	}
	info, err := os.Lstat(real)
	if err == nil && info.Mode()&os.ModeSymlink != 0 {
		var target string
		if target, err = filepath.EvalSymlinks(real); err == nil {
			real = target
		}
	}
	return real, err == nil
}
