package config

import (
	"os"
	"path/filepath"
)

// realPaths finds out where paths lead through symbolic links. It remembers the
// directories: a thousand profiles share a few.
type realPaths map[string]realPath

type realPath struct {
	path   string
	exists bool
}

// file returns the path that all names of one file have in common. An output
// that is a symbolic link is followed when it is written.
func (r realPaths) file(path string) string {
	real, _ := r.entry(filepath.Dir(path), filepath.Base(path))
	return real
}

// directory follows the links in dir. A part of dir that does not exist yet has
// no links.
func (r realPaths) directory(dir string) (real string, exists bool) {
	if known, ok := r[dir]; ok {
		return known.path, known.exists
	}
	if parent := filepath.Dir(dir); parent != dir {
		real, exists = r.entry(parent, filepath.Base(dir))
	} else {
		real, exists = dir, true
	}
	r[dir] = realPath{real, exists}
	return real, exists
}

// entry follows the links in dir, and name if name is a link.
func (r realPaths) entry(dir, name string) (real string, exists bool) {
	above, exists := r.directory(dir)
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
