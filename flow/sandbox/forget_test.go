package sandbox

import (
	"testing"
	"time"
)

// TestForgets checks that the server forgets expired logins, and only these.
func TestForgets(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 8, 31, 12, 0, 0, 0, time.UTC)
	s := New(Options{Now: func() time.Time { return now }})
	user := DemoUser()
	code := func(n uint64) claims {
		return claims{Kind: aCode, Client: "x", User: &user, Login: login{s.start, n}, Expires: now.Add(codeLife).UnixMilli()}
	}
	rotated := code(1)
	rotated.Consent = now.UnixMilli()
	if !s.turn(rotated, now, true) {
		t.Fatal("the first turn is lost")
	}
	for n := range uint64(20_000) {
		if c := code(n + 2); !s.spend(c, now) || s.spend(c, now) {
			t.Fatal("a code is not single use")
		}
		now = now.Add(time.Second)
	}
	if got := len(s.logins); got > 2048 {
		t.Errorf("%d logins kept", got)
	}
	if s.turn(rotated, now, true) {
		t.Error("a rotated token came back to life")
	}
}
