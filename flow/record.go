package flow

import (
	"maps"

	"tokenform/flow/state"
)

// covers reports whether have remembers everything in want, with the digests
// of want.
func covers(have, want []state.Written) bool {
	for _, w := range want {
		h := find(have, w)
		if h == nil || h.Digest != w.Digest {
			return false
		}
		for v, digest := range w.Vars {
			if h.Vars[v] != digest {
				return false
			}
		}
	}
	return true
}

// merge returns have with everything in want added or brought up to date.
// Nothing is forgotten: what is no longer declared must still be taken back.
func merge(have, want []state.Written) []state.Written {
	merged := make([]state.Written, 0, len(have)+len(want))
	for _, h := range have {
		if w := find(want, h); w != nil {
			vars := maps.Clone(h.Vars)
			if vars == nil {
				vars = map[string]string{}
			}
			maps.Copy(vars, w.Vars)
			if len(vars) == 0 {
				vars = nil
			}
			h = state.Written{Type: w.Type, Path: w.Path, Digest: w.Digest, Vars: vars}
		}
		merged = append(merged, h)
	}
	for _, w := range want {
		if find(have, w) == nil {
			merged = append(merged, w)
		}
	}
	return merged
}

// find returns the entry of list for the same file and type as w.
func find(list []state.Written, w state.Written) *state.Written {
	for i := range list {
		if list[i].Type == w.Type && list[i].Path == w.Path {
			return &list[i]
		}
	}
	return nil
}
