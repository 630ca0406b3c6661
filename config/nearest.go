package config

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest is the known word that was probably meant by s, or empty.
func nearest(s string, known []string) string {
	// Nothing known is longer, and the distance costs length times length.
	if len(s) > 40 {
		return ""
	}
	s = loose(s)
	best, least := "", max(len(s)/3, 1)+1
	for _, k := range known {
		word := loose(k)
		if n := len(s) - len(word); n >= least || -n >= least {
			continue // the lengths alone are too far apart
		}
		if d := levenshtein.ComputeDistance(s, word); d < least {
			best, least = k, d
		}
	}
	return best
}

// loose drops what people mix up: redirectUri, redirect-uri, redirect_uri.
func loose(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// meant is a hint: the nearest known word, or else all of them.
func meant(s string, known []string) string {
	if k := nearest(s, known); k != "" {
		return "did you mean " + k + "?"
	}
	return "one of: " + strings.Join(known, ", ")
}
