package config

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest returns the known word that s was probably meant to be, or nothing.
func nearest(s string, known []string) string {
	// No known word is longer than this, and the distance takes time proportional to
	// length times length.
	if len(s) > 40 {
		return ""
	}
	s = normalized(s)
	best, least := "", max(len(s)/3, 1)+1
	for _, k := range known {
		word := normalized(k)
		if n := len(s) - len(word); n >= least || -n >= least {
			continue // the distance is at least the difference in length
		}
		if d := levenshtein.ComputeDistance(s, word); d < least {
			best, least = k, d
		}
	}
	return best
}

// normalized removes the differences between spellings: redirectUri, redirect-uri and
// redirect_uri become the same.
func normalized(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// meant returns a hint: the nearest known word, or all of them if none is near.
func meant(s string, known []string) string {
	if k := nearest(s, known); k != "" {
		return "did you mean " + k + "?"
	}
	return "one of: " + strings.Join(known, ", ")
}
