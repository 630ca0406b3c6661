package config

import (
	"runtime"
	"strings"
	"testing"
)

// usual is a typical profile.
const usual = `profile: dev
client:
  id: ${SPOTIFY_CLIENT_ID}
  secret: ${SPOTIFY_CLIENT_SECRET}
scopes: [playlist-read-private, user-library-read]
outputs:
  - type: env
    path: .env
    keys: {access_token: SPOTIFY_ACCESS_TOKEN, expires_at: SPOTIFY_TOKEN_EXPIRES_AT}
`

func decodeUsual(t testing.TB) {
	src := Sources{Env: func(string) (string, bool) { return "value", true }, Stdin: ReadOnce(strings.NewReader(usual)), Dir: "/work"}
	if ps, problems := Load(t.Context(), src, []string{"-"}); len(ps) != 1 || len(problems) > 0 {
		t.Fatal(problems)
	}
}

func interpolateUsual(t testing.TB) {
	lookup := func(string) (string, bool) { return "value", true }
	if s, _, faults := expand("${SPOTIFY_CLIENT_ID}-${REGION:-eu}", lookup); s != "value-value" || faults != nil {
		t.Fatal(s, faults)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		decodeUsual(b)
	}
}

func BenchmarkInterpolate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		interpolateUsual(b)
	}
}

// TestGuardAllocs limits allocations, which are the same on every machine, unlike the
// time.
func TestGuardAllocs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths take more allocations there")
	}
	for _, g := range []struct {
		name string
		most float64
		run  func(testing.TB)
	}{
		{"decode a profile", 270, decodeUsual},
		{"interpolate", 2, interpolateUsual},
	} {
		n := testing.AllocsPerRun(50, func() { g.run(t) })
		t.Logf("%s: %v allocations", g.name, n)
		if n > g.most {
			t.Errorf("%s: %v allocations, at most %v", g.name, n, g.most)
		}
	}
}
