package flow_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/sandbox"
)

// TestApplyMany checks that each outcome has its profile's index, however many there
// are, and that BeforeFirstChange gets the profiles in order.
func TestApplyMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{})
	var profiles []config.Profile
	for i := range 100 {
		profiles = append(profiles, w.profile(credentials, func(p *config.Profile) {
			p.Name = fmt.Sprintf("p%02d", i)
			p.Outputs[0].Path = filepath.Join(w.dir, p.Name+".env")
		}))
	}
	check := func(what string, want func(i int) flow.Action) {
		t.Helper()
		var told, due []string
		w.scene.BeforeFirstChange = func(due []config.Profile) {
			for _, p := range due {
				told = append(told, p.Name)
			}
		}
		for i, res := range w.runner().Apply(context.Background(), profiles) {
			if res.Err != nil || res.Profile.Name != profiles[i].Name || res.Token == nil || res.Token.Profile != res.Profile.Name || res.Decision.Action != want(i) {
				t.Errorf("%s: at %d: %s (%s), %v", what, i, res.Profile.Name, res.Decision.Action, res.Err)
			}
			if want(i) != flow.Keep {
				due = append(due, profiles[i].Name)
			}
		}
		if !slices.Equal(told, due) {
			t.Errorf("%s: told of %v, want %v", what, told, due)
		}
	}
	check("first", func(int) flow.Action { return flow.Request })
	check("again", func(int) flow.Action { return flow.Keep })
	for i := 10; i < 100; i += 30 {
		profiles[i].MinTTL = 2 * time.Hour
	}
	check("some", func(i int) flow.Action {
		if i%30 == 10 {
			return flow.Request
		}
		return flow.Keep
	})
	for i := range profiles {
		profiles[i].MinTTL = config.DefaultMinTTL
	}
	for i, f := range w.runner().Plan(w.Context(), profiles) {
		if f.Profile.Name != profiles[i].Name || f.Err != nil || f.Due() {
			t.Errorf("plan: at %d: %+v", i, f)
		}
	}
}
