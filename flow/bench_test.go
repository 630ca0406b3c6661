package flow_test

import (
	"testing"
	"time"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// decideKeep makes the decision of nearly every run.
func decideKeep(now time.Time) func(testing.TB) {
	p := config.Profile{
		Name: "dev", Client: config.Client{ID: config.Literal("app")}, Grant: config.PKCE, Scopes: []string{"streaming", "user-top-read"},
		MinTTL: config.DefaultMinTTL, LoginLifetime: config.DefaultLoginLifetime,
	}
	t := &state.Token{ClientID: "app", Grant: "pkce", Access: "BQ", Refresh: "AQ", Scopes: p.Scopes, Expires: now.Add(time.Hour), Authorized: now}
	return func(tb testing.TB) {
		if d := flow.Decide(p, t, now); d.Action != flow.Keep {
			tb.Fatal(d)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	b.ReportAllocs()
	run := decideKeep(time.Now())
	for b.Loop() {
		run(b)
	}
}

// TestGuardAllocs limits allocations, which are the same on every machine.
func TestGuardAllocs(t *testing.T) {
	run := decideKeep(time.Now())
	n := testing.AllocsPerRun(50, func() { run(t) })
	t.Logf("%v allocations", n)
	if n > 5 {
		t.Errorf("%v allocations, at most 5", n)
	}
}
