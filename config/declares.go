package config

import (
	"context"
	"errors"
	"strings"
)

// Declares reports whether the file at path declares a profile of that name, or one that
// had the name before: the state may still have it (moved_from). The
// file may be wrong otherwise, and none of its variables need be set. A file that does
// not exist declares nothing. If the file exists, but nobody can tell what it declares,
// because it cannot be read or parsed to its end, has no profile at all, or takes a name
// from a variable, Declares returns an error.
func Declares(path, name string) (bool, error) {
	if !isRegular(path) {
		return false, nil
	}
	data, err := ReadFile(context.Background(), path, maxBytes)
	if err != nil {
		return false, err
	}
	var found, unnamed, unclear, profiles, defaults bool
	wrong := parse(data, func(t tree) {
		if t.root == nil {
			return
		}
		if defaultsKey(t.root) != nil {
			defaults = true
			return
		}
		profiles = true
		named := false
		eachValue(t.root, "moved_from", map[*node]bool{}, func(n *node) {
			found = found || n.value == name
			unclear = unclear || strings.Contains(n.value, "${")
		})
		eachValue(t.root, "profile", map[*node]bool{}, func(n *node) {
			named = true
			found = found || n.value == name
			unclear = unclear || n.kind != scalar || n.value == "" || strings.Contains(n.value, "${")
		})
		unnamed = unnamed || !named
	})
	switch {
	case found || unnamed && (defaultName(path) == name || defaultName(path) == defaultProfile && name == formerDefault):
		return true, nil
	case wrong != nil:
		return false, errors.New(wrong.message)
	case unclear:
		return false, errors.New("a variable names a profile, or a profile has no name")
	case !profiles && !defaults:
		return false, errors.New("no profile can be read from it")
	}
	return false, nil
}

// eachValue calls take for each value of a key in n, and in the mappings that n merges. seen has the nodes so far: merges may form a graph.
func eachValue(n *node, name string, seen map[*node]bool, take func(*node)) {
	if seen[n] {
		return
	}
	seen[n] = true
	if n.kind == list { // of merged mappings
		for _, m := range n.items {
			eachValue(m, name, seen, take)
		}
	}
	if n.kind != mapping {
		return
	}
	for i := 0; i+1 < len(n.items); i += 2 {
		switch key, value := n.items[i], n.items[i+1]; {
		case key.kind == scalar && key.tag == "!!merge":
			eachValue(value, name, seen, take)
		case key.value == name:
			take(value)
		}
	}
}
