package flow

import (
	"maps"
	"slices"

	"tokenform/flow/state"
)

// covers reports whether have has every output and digest of want.
func covers(have, want []state.Written) bool {
	for _, w := range want {
		h := state.Find(have, w.Type, w.Path)
		if h == nil || h.Digest != w.Digest || h.Refresh != w.Refresh || h.Made != w.Made {
			return false
		}
		for _, token := range w.Tokens {
			if !slices.Contains(h.Tokens, token) {
				return false
			}
		}
		for v, digest := range w.Vars {
			if h.Vars[v] != digest {
				return false
			}
		}
	}
	return true
}

// merge returns have, with every output of want added or brought up to date. merge
// forgets nothing: an output that is no longer declared must still be taken back.
func merge(have, want []state.Written) []state.Written {
	merged := make([]state.Written, 0, len(have)+len(want))
	for _, h := range have {
		if w := state.Find(want, h.Type, h.Path); w != nil {
			vars := maps.Clone(h.Vars)
			if vars == nil {
				vars = map[string]string{}
			}
			maps.Copy(vars, w.Vars)
			if len(vars) == 0 {
				vars = nil
			}
			h = *w
			h.Vars = vars
		}
		merged = append(merged, h)
	}
	for _, w := range want {
		if state.Find(have, w.Type, w.Path) == nil {
			merged = append(merged, w)
		}
	}
	return merged
}
