package config

import (
	"context"
	"errors"
	"strings"
)

// Declares reports whether the file at path declares a profile of that name. The
// file may be wrong otherwise, and none of its variables need be set. A file that does
// not exist declares nothing. If the file exists, but nobody can tell what it declares,
// because it cannot be read or parsed, has no profile at all, or takes a name from a
// variable, Declares returns an error.
func Declares(path, name string) (bool, error) {
	if !isRegular(path) {
		return false, nil
	}
	data, err := ReadFile(context.Background(), path, maxBytes)
	if err != nil {
		return false, err
	}
	documents, named, found, variable, defaults := 0, 0, false, false, false
	parse(data, func(t tree) {
		if t.root == nil {
			return
		}
		if defaultsKey(t.root) != nil {
			defaults = true
			return
		}
		documents++
		for i := 0; i+1 < len(t.root.items); i += 2 {
			if t.root.kind == mapping && t.root.items[i].value == "profile" {
				named++
				value := t.root.items[i+1].value
				found = found || value == name
				variable = variable || strings.Contains(value, "${")
			}
		}
	})
	switch {
	case found || documents == 1 && named == 0 && defaultName(path) == name:
		return true, nil
	case variable:
		return false, errors.New("a variable names a profile")
	case documents == 0 && !defaults:
		return false, errors.New("no profile can be read from it")
	}
	return false, nil
}
