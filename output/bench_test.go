package output

import (
	"bytes"
	"strings"
	"testing"
)

// large is an env file of a hundred lines, one of them ours.
var large = []byte(strings.Repeat("# a comment\nNAME='some value'\nexport OTHER=1\n\n", 25) + "SPOTIFY_ACCESS_TOKEN=old\n")

func mergeLarge(t testing.TB) {
	set := []assignment{{"SPOTIFY_ACCESS_TOKEN", access}, {"SPOTIFY_TOKEN_EXPIRES_AT", "2026-11-23T20:04:05Z"}}
	if b, err := mergeDotenv(large, set, nil); err != nil || !bytes.Contains(b, []byte(access)) {
		t.Fatal(err)
	}
}

func BenchmarkMergeDotenv(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mergeLarge(b)
	}
}

// TestGuardAllocs limits allocations, which are the same on every machine.
func TestGuardAllocs(t *testing.T) {
	n := testing.AllocsPerRun(50, func() { mergeLarge(t) })
	t.Logf("%v allocations", n)
	if n > 58 {
		t.Errorf("%v allocations, at most 58", n)
	}
}
