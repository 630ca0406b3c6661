package state

import (
	"encoding/json"
	"testing"
)

// decodeUsual decodes a usual state file.
func decodeUsual(t testing.TB) func(testing.TB) {
	tok := token()
	tok.Version, tok.Serial, tok.Profile = Version, 7, "dev"
	b, err := json.MarshalIndent(tok, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB) {
		if _, err := decode("dev.json", "dev", b); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	run := decodeUsual(b)
	for b.Loop() {
		run(b)
	}
}

// TestGuardAllocs limits allocations, which are the same on every machine.
func TestGuardAllocs(t *testing.T) {
	run := decodeUsual(t)
	n := testing.AllocsPerRun(50, func() { run(t) })
	t.Logf("%v allocations", n)
	if n > 86 {
		t.Errorf("%v allocations, at most 86", n)
	}
}
