package config

import (
	"errors"
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	var ps []Profile
	for _, name := range []string{"dev", "prod-eu", "prod-us", "staging"} {
		ps = append(ps, Profile{Name: name})
	}
	tests := []struct {
		patterns string
		want     string
		wrong    string
		hint     string
	}{
		{patterns: "", want: "dev prod-eu prod-us staging"},
		{patterns: "dev", want: "dev"},
		{patterns: "prod-*", want: "prod-eu prod-us"},
		{patterns: "staging prod-?u prod-*", want: "prod-eu prod-us staging"},
		{patterns: "stagign", wrong: `no profile matches "stagign"`, hint: "did you mean staging?"},
		{patterns: "dev nothing-like-it", wrong: `no profile matches "nothing-like-it"`, hint: "one of: dev, prod-eu, prod-us, staging"},
		{patterns: "[", wrong: `"[" is not a pattern`, hint: "* matches any text, ? one character, [ab] one of several"},
	}
	for _, tt := range tests {
		got, err := Select(ps, strings.Fields(tt.patterns))
		var names []string
		for _, p := range got {
			names = append(names, p.Name)
		}
		if strings.Join(names, " ") != tt.want {
			t.Errorf("%q: %v", tt.patterns, names)
		}
		var p *Problem
		switch errors.As(err, &p); {
		case (err != nil) != (tt.wrong != ""):
			t.Errorf("%q: %v", tt.patterns, err)
		case err != nil && (p == nil || p.Error() != tt.wrong || p.Hint != tt.hint):
			t.Errorf("%q: %v, hint %q", tt.patterns, err, p.Hint)
		}
	}
}
