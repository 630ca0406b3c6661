// Package paths compares paths as files. A path is only a name: a link, a second mount,
// another case or another spelling lead to the same file, and two projects may call
// different files by the same name. Code that decides whether to overwrite or delete a
// file must ask this package, and never compare strings.
package paths

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Same reports whether a and b name one file: the file that both lead to or, if
// there is none yet, the same name in the same directory.
func Same(a, b string) bool {
	if a == b {
		return true
	}
	c := Cache{}
	return c.File(a) == c.File(b)
}

// Within returns the path of file relative to dir, with slashes, if the file lies
// beneath dir. The links in the directories of file are followed; a link at its
// end stays, because the link is what lies in dir.
func Within(dir, file string) (relative string, ok bool) {
	c := Cache{}
	above, _ := c.directory(filepath.Dir(file))
	root, _ := c.directory(dir)
	relative, err := filepath.Rel(root, filepath.Join(above, filepath.Base(file)))
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(relative), true
}

// Cache knows where paths lead. A Cache remembers directories and files, so it is
// for one look at many paths: a thousand profiles share a few directories.
type Cache struct {
	directories map[string]found
	files       map[identity][]known
}

type found struct {
	path   string
	exists bool
}

// identity is what stays equal between two looks at one file. Different files may have
// the same identity; os.SameFile tells them apart.
type identity struct {
	changed time.Time
	size    int64
}

type known struct {
	info fs.FileInfo
	path string
}

// File returns one path for all names of a file. File follows symbolic links, because
// an output that is a link is written through the link.
func (c *Cache) File(path string) string {
	real, info := c.entry(filepath.Dir(path), filepath.Base(path))
	return c.canonical(real, info)
}

// canonical returns the first path that led to the file of info.
func (c *Cache) canonical(real string, info fs.FileInfo) string {
	if info == nil {
		return real
	}
	id := identity{info.ModTime(), info.Size()}
	for _, k := range c.files[id] {
		if os.SameFile(k.info, info) {
			return k.path
		}
	}
	if c.files == nil {
		c.files = map[identity][]known{}
	}
	c.files[id] = append(c.files[id], known{info, real})
	return real
}

// Directory follows the links in dir. A part of dir that does not exist yet has no
// links.
func (c *Cache) Directory(dir string) string {
	real, _ := c.directory(dir)
	return real
}

func (c *Cache) directory(dir string) (real string, exists bool) {
	if known, ok := c.directories[dir]; ok {
		return known.path, known.exists
	}
	if parent := filepath.Dir(dir); parent != dir {
		var info fs.FileInfo
		real, info = c.entry(parent, filepath.Base(dir))
		real, exists = c.canonical(real, info), info != nil
	} else {
		real, exists = dir, true
	}
	if c.directories == nil {
		c.directories = map[string]found{}
	}
	c.directories[dir] = found{real, exists}
	return real, exists
}

// entry follows the links in dir, and name if name is a link. info is nil if there
// is no such file.
func (c *Cache) entry(dir, name string) (real string, info fs.FileInfo) {
	above, exists := c.directory(dir)
	real = filepath.Join(above, name)
	if !exists {
		return real, nil
	}
	info, err := os.Lstat(real)
	if err != nil {
		return real, nil
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return real, info
	}
	target, err := Target(real)
	if err != nil {
		return real, nil
	}
	if info, err = os.Stat(target); err != nil {
		// A dangling link leads to the file that a write would make.
		return filepath.Join(c.Directory(filepath.Dir(target)), filepath.Base(target)), nil
	}
	if real, err = filepath.EvalSymlinks(target); err != nil {
		return target, info
	}
	return real, info
}

// Target follows the symbolic links at the end of path, dangling ones too, which
// filepath.EvalSymlinks refuses.
func Target(path string) (string, error) {
	start := path
	for range 40 { // as many as Linux follows
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link
		}
		if filepath.IsAbs(link) {
			path = link
			continue
		}
		if link != "" && os.IsPathSeparator(link[0]) { // on Windows, of the link's own drive
			path = filepath.VolumeName(path) + link
			continue
		}
		// The link is relative to where its directory really is, which matters if the
		// link starts with "..".
		dir, _ := filepath.Split(path)
		if dir == "" {
			dir = "."
		}
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			return "", err
		}
		path = dir + string(filepath.Separator) + link
	}
	return "", &fs.PathError{Op: "readlink", Path: start, Err: syscall.ELOOP}
}
