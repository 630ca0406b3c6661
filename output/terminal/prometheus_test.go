package terminal

import (
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tokenform/flow"
)

// TestPrometheus reads the metrics with Prometheus' own parser.
func TestPrometheus(t *testing.T) {
	list := outcomes()
	list[1].Profile.Name = "a\"b\\c\nd" // no profile can have this name, but a label could
	text := Prometheus(list, []flow.Reminder{{Code: flow.LoginRefused, Profile: "stale"}, {Code: flow.LoginEnding, Profile: "kept"}}, noon)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	got := map[string]float64{}
	for name, family := range families {
		if family.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		for _, m := range family.Metric {
			key := name
			for _, l := range m.Label {
				key += " " + l.GetValue()
			}
			got[strings.TrimPrefix(key, "tokenform_")] = m.GetGauge().GetValue()
		}
	}
	for key, want := range map[string]float64{
		"access_token_expiry_timestamp_seconds kept": float64(list[0].Token.Expires.Unix()),
		"login_expiry_timestamp_seconds kept":        float64(flow.LoginUntil(list[0].Profile, list[0].Token).Unix()),
		"login_needed kept":                          0, "login_needed stale": 1, "profile_error broken": 1, "profile_error kept": 0,
		"outputs_stale stale": 2, "outputs_stale a\"b\\c\nd": 1, "status_timestamp_seconds": float64(noon.Unix()),
	} {
		if value, ok := got[key]; !ok || value != want {
			t.Errorf("%s is %v (%t), want %v", key, value, ok, want)
		}
	}
	for _, key := range []string{"access_token_expiry_timestamp_seconds app", "login_expiry_timestamp_seconds app", "outputs_stale broken"} {
		if _, ok := got[key]; ok {
			t.Errorf("there is %s", key)
		}
	}
	if strings.Contains(text, "canary") {
		t.Error("a secret")
	}
}
