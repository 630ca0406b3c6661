package config

import (
	"fmt"
	"path"
	"slices"
)

// Select returns the profiles whose name matches one of the patterns, in the order of
// ps, or all profiles if there are no patterns. The error is a [*Problem] if a pattern
// matches no profile and none of others, the other names that a pattern may be about.
func Select(ps []Profile, patterns []string, others ...string) ([]Profile, error) {
	if len(patterns) == 0 {
		return ps, nil
	}
	keep := make([]bool, len(ps))
	for _, pattern := range patterns {
		found := false
		for i := range ps {
			ok, err := path.Match(pattern, ps[i].Name)
			if err != nil {
				return nil, &Problem{Message: fmt.Sprintf("%s is not a pattern", quoted(pattern)), Hint: "* matches any text, ? one character, [ab] one of several"}
			}
			keep[i] = keep[i] || ok
			found = found || ok
		}
		found = found || slices.ContainsFunc(others, func(name string) bool { ok, _ := path.Match(pattern, name); return ok })
		if !found {
			names := make([]string, len(ps))
			for i := range ps {
				names[i] = ps[i].Name
			}
			if len(names) > 20 && nearest(pattern, names) == "" {
				names = append(names[:20:20], "…")
			}
			return nil, &Problem{Message: fmt.Sprintf("no profile matches %s", quoted(pattern)), Hint: meant(pattern, names)}
		}
	}
	var out []Profile
	for i := range ps {
		if keep[i] {
			out = append(out, ps[i])
		}
	}
	return out, nil
}
