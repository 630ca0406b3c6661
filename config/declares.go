package config

import (
	"context"
)

// Declares reports whether the file at path declares a profile of that name. The
// file may be wrong otherwise, and none of its variables need be set.
func Declares(path, name string) bool {
	if !isRegular(path) {
		return false
	}
	data, err := ReadFile(context.Background(), path, maxBytes)
	if err != nil {
		return false
	}
	documents, named, found := 0, 0, false
	parse(data, func(t tree) {
		if t.root == nil || defaultsKey(t.root) != nil {
			return
		}
		documents++
		for i := 0; i+1 < len(t.root.items); i += 2 {
			if t.root.kind == mapping && t.root.items[i].value == "profile" {
				named++
				found = found || t.root.items[i+1].value == name
			}
		}
	})
	return found || documents == 1 && named == 0 && defaultName(path) == name
}
