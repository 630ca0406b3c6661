package config

import (
	"os"
	"path/filepath"
	"slices"
)

// defaults are the keys that the profiles of a directory, or of a file, have in
// common. There is one level: a profile takes each key that it lacks, whole.
type defaults struct {
	file   *file
	fields fields
	nodes  []*node        // all of the document
	owned  map[*node]bool // nodes, if profiles of other files use them
}

// defaultsFiles are the names of a file with the defaults of its directory. The first
// one that is there counts.
var defaultsFiles = []string{"defaults.yaml", "defaults.yml"}

// commonKeys returns the keys that defaults may have. A name and a seed belong to one
// profile: two profiles with one refresh token would end each other's login.
func commonKeys() []string {
	return without(profileKeys, []string{"profile", "moved_from", "refresh_token", "authorized_at"})
}

// defaultsKey returns the key defaults of a document, or nil if the document is a
// profile.
func defaultsKey(root *node) *node {
	if root == nil || root.kind != mapping {
		return nil
	}
	for i := 0; i < len(root.items); i += 2 {
		if key := root.items[i]; key.value == "defaults" {
			key.shown = true
			return key
		}
	}
	return nil
}

// defaultsOf returns the defaults of a directory: the file defaults.yaml (or .yml) in
// it. The file is nil if there is none, or if the file holds profiles. shown is the
// directory as the user named it.
func (l *loader) defaultsOf(dir, shown string) *file {
	if f, known := l.shared[dir]; known {
		return f
	}
	l.shared[dir] = nil
	for _, name := range defaultsFiles {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		f := &file{shown: filepath.Join(shown, name), path: path, dir: dir}
		f.read = func() ([]byte, error) { return ReadFile(l.ctx, path, maxBytes) }
		var trees []tree
		e := f.parse(func(t tree) {
			if t.root != nil {
				trees = append(trees, t)
			}
		})
		if e.err == nil && (len(trees) == 0 && e.wrong == nil || len(trees) > 0 && defaultsKey(trees[0].root) == nil) {
			return nil // a file of profiles, which happens to have this name
		}
		l.shared[dir] = f
		l.ended(f, e)
		for i, t := range trees {
			if i > 0 {
				(&document{loader: l, file: f}).report(t.root, "move it to its own file", "%s must contain only the defaults of its directory", name)
			} else {
				l.readDefaults(f, t, true)
			}
		}
		break
	}
	return l.shared[dir]
}

// readDefaults decodes a document of defaults and makes them those of f. others says
// that profiles of other files use them.
func (l *loader) readDefaults(f *file, t tree, others bool) {
	d := &document{loader: l, file: f, lookup: l.src.Env}
	f.defaults = &defaults{file: f, nodes: t.nodes}
	if others {
		f.defaults.owned = make(map[*node]bool, len(t.nodes))
		for _, n := range t.nodes {
			f.defaults.owned[n] = true
		}
	}
	for i := 0; i+1 < len(t.root.items); i += 2 {
		key, value := t.root.items[i], t.root.items[i+1]
		key.shown = key.shown || slices.Contains(profileKeys, key.value)
		switch {
		case key.value != "defaults":
			d.report(key, "move the profile to its own document, after a line with ---", "defaults must be the only key in their document")
		case f.defaults.fields != nil:
			d.report(key, "remove one of the two", "duplicate key defaults")
		default:
			f.defaults.fields, _ = d.mapping(value, "defaults", commonKeys(), false)
		}
	}
}

// inherit adds the defaults that a profile lacks.
func (d *document) inherit(own fields) fields {
	if d.file.defaults == nil {
		return own
	}
	all := slices.Clone(own)
	for _, f := range d.file.defaults.fields {
		if !own.has(f.name) && f.node != nil {
			all = append(all, f)
		}
	}
	return all
}
