package dotenv

import (
	"slices"
	"testing"
)

func TestScan(t *testing.T) {
	t.Parallel()
	type found struct{ name, value, comment string }
	for in, want := range map[string][]found{
		"A=1\r\nexport B = 'x y' # c\n":   {{"A", "1", ""}, {"B", "'x y'", " # c"}},
		"\ufeffA=1 # c":                   {{"A", "1", " # c"}},
		"# A=1\n\nA\nA: 1\n":              {{}, {}, {}, {"", "1", ""}},
		"A='x\nB=1\n'\nC=\"\\\"\nB=1\"\n": {{"A", "'x\nB=1\n'", ""}, {"C", "\"\\\"\nB=1\"", ""}},
		"A=it's\nB='open\nC=1":            {{"A", "it's", ""}, {"B", "'open", ""}, {"C", "1", ""}},
		"A='x'#it's\nB='y\n":              {{"A", "'x'#it's\nB='y", ""}}, // config reads two values here
		"A\u00a0=1\nA=\u00a01\n":          {{}, {"A", "\u00a01", ""}},
	} {
		var got []found
		end := 0
		for s := range Scan([]byte(in)) {
			if s.Start != end {
				t.Errorf("%q: a gap before %d", in, s.Start)
			}
			end = s.End
			got = append(got, found{s.Name, in[s.From:s.To], s.Comment})
		}
		if end != len(in) || !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
