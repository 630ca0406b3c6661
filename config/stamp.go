package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tokenform/config/dotenv"
	"tokenform/config/paths"
)

// Directories returns those of args, or of [DefaultFiles], that are directories, absolute.
func Directories(src Sources, args []string) []string {
	var dirs []string
	if len(args) == 0 {
		args = DefaultFiles(src)
	}
	for _, arg := range args {
		path := absolute(src.Dir, arg)
		if info, err := os.Stat(path); arg != "-" && err == nil && info.IsDir() {
			dirs = append(dirs, path)
		}
	}
	return dirs
}

// Stamps are what files looked like at one moment, by path.
type Stamps map[string]string

// Stamp looks at the files that args name, and at the files that profiles, as last
// loaded, take something from: env files, templates, and files of values. Stamp reads
// neither standard input nor pipes.
//
// Changes that tokenform makes itself do not count. Some files are both read and
// written: if an env_file is also an env output of any profile, the variables of that
// output do not count.
func Stamp(src Sources, args []string, profiles []Profile) Stamps {
	s := Stamps{}
	if len(args) == 0 {
		args = append(DefaultFiles(src), "tokenform.yaml", "tokenform.yml") // one of these may appear
	}
	for _, arg := range args {
		if arg != "-" {
			s.profiles(absolute(src.Dir, arg))
		}
	}
	inputs := map[string]bool{}
	for i := range profiles {
		profiles[i].inputs(inputs)
	}
	if len(inputs) == 0 {
		return s
	}
	real, written := paths.Cache{}, map[string][]Output{} // outputs by the file that they write
	for _, p := range profiles {
		for _, o := range p.Outputs {
			if o.Path != "" {
				path := real.File(o.Path)
				written[path] = append(written[path], o)
			}
		}
	}
	for path := range inputs {
		s.input(path, written[real.File(path)])
	}
	return s
}

// Changed reports whether a file that was looked at both now and before looks
// different. Other profiles may name other files, which is no change in itself.
func (s Stamps) Changed(before Stamps) bool {
	for path, was := range before {
		if is, ok := s[path]; ok && is != was {
			return true
		}
	}
	return false
}

// Since returns s, with the older look from before for each file that before has. So a
// change that happened while the profiles were loaded counts as a change.
func (s Stamps) Since(before Stamps) Stamps {
	maps.Copy(s, before)
	return s
}

// profiles looks at a file of profiles, or at all profile files in a directory.
func (s Stamps) profiles(path string) {
	s[path] = look(path)
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		for _, name := range defaultsFiles {
			beside := filepath.Join(filepath.Dir(path), name)
			s[beside] = look(beside)
		}
		return
	}
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if isProfileFile(e.Name()) {
			s[path] += e.Name() + "\n"
			s[filepath.Join(path, e.Name())] = look(filepath.Join(path, e.Name()))
		}
	}
}

// input looks at a file that profiles take something from, and that outputs
// write.
func (s Stamps) input(path string, outputs []Output) {
	if len(outputs) == 0 {
		s[path] = look(path)
		return
	}
	own := map[string]bool{}
	for _, o := range outputs {
		for _, k := range o.Keys {
			own[k.Variable] = true
		}
	}
	// The variables are part of the name, so that other variables are no change.
	names := slices.Sorted(maps.Keys(own))
	s[path+" without "+strings.Join(names, ",")] = lookWithout(path, own)
}

func look(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "missing"
	case info.IsDir():
		return "directory" // the time of a directory means nothing: outputs and state may be in the directory too
	case !info.Mode().IsRegular():
		return info.Mode().Type().String()
	}
	return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size())
}

// lookWithout returns a digest of a dotenv file without the assignments to own.
func lookWithout(path string, own map[string]bool) string {
	if !isRegular(path) {
		return look(path)
	}
	data, err := ReadFile(context.Background(), path, maxBytes)
	if err != nil {
		return look(path)
	}
	h := sha256.New()
	for s := range dotenv.Scan(data) {
		if !own[s.Name] {
			// The line ending does not count: a line that is added at the end gives the
			// last line one.
			h.Write(bytes.TrimRight(data[s.Start:s.End], "\r\n"))
			h.Write([]byte{'\n'})
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// inputs adds the files, besides its own, that p takes something from.
func (p *Profile) inputs(paths map[string]bool) {
	for _, path := range p.envFiles {
		paths[path] = true
	}
	for _, v := range []*Value{p.Client.ID, p.Client.Secret, p.RefreshToken} {
		if v != nil && v.origin != nil && v.file != "" {
			paths[v.file] = true
		}
	}
	for _, o := range p.Outputs {
		if o.Template != "" {
			paths[o.Template] = true
		}
	}
}
