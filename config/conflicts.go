package config

import (
	"fmt"
	"path/filepath"
)

// conflicts reports profiles and outputs that want the same name, file or variable.
func (l *loader) conflicts(ps []Profile) {
	var (
		names     = map[string]Pos{}
		moved     = map[[2]string]Pos{} // by state directory and former name
		states    = map[string]bool{}
		addresses = map[string]Pos{}     // of stores that keep one login
		owners    = map[string]*Output{} // the first output of each file
		vars      = map[[2]string]Pos{}  // by file and variable
		files     = make(map[string]bool, len(l.files))
	)
	for _, f := range l.files {
		if f.path != "" {
			files[l.real.File(f.path)] = true
		}
	}
	for i := range ps {
		states[l.real.File(ps[i].State)] = true
	}
	for _, f := range l.files {
		if f.path != "" && within(l.real.File(f.path), states) {
			l.report(Pos{File: f.shown}, "keep tokens in their own directory, for example state: "+DefaultState, "the profile is inside a state directory")
		}
	}
	envs := map[string]bool{}
	for path, file := range l.envs {
		envs[l.real.File(path)] = file.err == nil
	}
	read := map[string]string{} // what each path is to the profile that reads it
	for i := range ps {
		for _, v := range ps[i].values() {
			if v != nil && v.origin != nil && v.file != "" {
				read[l.real.File(v.file)] = "the file that " + v.Key + " comes from"
			}
		}
		for _, o := range ps[i].Outputs {
			if o.Template != "" {
				read[l.real.File(o.Template)] = "a template"
			}
		}
	}
	for i := range ps {
		p := &ps[i]
		if first, taken := names[p.Name]; taken {
			l.report(p.namePos, "give each profile its own name", fmt.Sprintf("the profile %s is already declared at %s", p.Name, first))
		} else if p.Name != "" {
			names[p.Name] = p.namePos
		}
		if s := p.Store; s != nil && s.Single() {
			if first, taken := addresses[s.Address]; taken {
				l.report(s.Pos, "give each profile its own address, or write {profile} in the address for the profile's name, in quotes", fmt.Sprintf("the login of the profile at %s is already kept at this address", first))
			} else {
				addresses[s.Address] = p.namePos
			}
		}
		if p.MovedFrom != "" && !p.MovedByName {
			former := [2]string{l.real.File(p.State), p.MovedFrom}
			if first, taken := moved[former]; taken {
				l.report(p.namePos, "only one profile can take over a login: remove moved_from from the others", fmt.Sprintf("the profile at %s already takes over the state of %s", first, p.MovedFrom))
			} else {
				moved[former] = p.namePos
			}
		}
		for j := range p.Outputs {
			o := &p.Outputs[j]
			if o.Path == "" {
				continue
			}
			path := l.real.File(o.Path)
			switch {
			case files[path]:
				l.report(o.Pos, "write it to another file", "the output would overwrite a profile")
			case within(path, states):
				l.report(o.Pos, "write it elsewhere", "the output is inside a state directory")
			case o.Type != EnvOutput && envs[path]:
				l.report(o.Pos, "write it to another file", "the output would overwrite an env_file")
			case read[path] != "" && o.Path != o.Template: // an output that is its own template is reported already
				l.report(o.Pos, "write it to another file", "the output would overwrite "+read[path])
			}
			first := owners[path]
			if first == nil {
				owners[path] = o
			} else if first.Type != EnvOutput || o.Type != EnvOutput {
				hint, message := "give it its own file", fmt.Sprintf("the output at %s already writes this file", first.Pos)
				if first.Pos == o.Pos {
					hint, message = "declare it in each profile, with its own file", "several profiles would write this file"
				}
				l.report(o.Pos, hint, message)
				continue
			}
			for k, key := range o.Keys {
				setting := [2]string{path, key.Variable}
				if first, taken := vars[setting]; taken {
					hint, message := "use another variable or another file", fmt.Sprintf("the same variable of the same file is already set at %s", first)
					if first == o.keyPos[k] {
						hint, message = "declare it in each profile, with its own variable", "several profiles would set this variable"
					}
					l.report(o.keyPos[k], hint, message)
				} else {
					vars[setting] = o.keyPos[k]
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
