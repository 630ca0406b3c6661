package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tokenform/flow"
)

// Prometheus returns outcomes and reminders in Prometheus' text format, for the textfile
// collector of node_exporter. Names and units are those of "Metric and label naming".
func Prometheus(outcomes []flow.Outcome, reminders []flow.Reminder, now time.Time) string {
	var b strings.Builder
	metric := func(name, help string, value func(o flow.Outcome) (float64, bool)) {
		fmt.Fprintf(&b, "# HELP tokenform_%s %s\n# TYPE tokenform_%s gauge\n", name, help, name)
		for _, o := range outcomes {
			if v, ok := value(o); ok {
				fmt.Fprintf(&b, "tokenform_%s{profile=\"%s\"} %s\n", name, label(o.Profile.Name), strconv.FormatFloat(v, 'f', -1, 64))
			}
		}
	}
	seconds := func(t time.Time) (float64, bool) { return float64(t.Unix()), !t.IsZero() }
	yes := func(b bool) (float64, bool) {
		if b {
			return 1, true
		}
		return 0, true
	}
	metric("access_token_expiry_timestamp_seconds", "When the access token expires.", func(o flow.Outcome) (float64, bool) {
		if o.Token == nil {
			return 0, false
		}
		return seconds(o.Token.Expires)
	})
	metric("login_expiry_timestamp_seconds", "When the login ends, and a person must log in again.", func(o flow.Outcome) (float64, bool) {
		if o.Token == nil {
			return 0, false
		}
		return seconds(flow.LoginUntil(o.Profile, o.Token))
	})
	metric("login_needed", "Whether a person must log in now.", func(o flow.Outcome) (float64, bool) {
		needed := false
		for _, m := range reminders {
			needed = needed || m.Profile == o.Profile.Name && m.Code != flow.LoginEnding
		}
		return yes(needed)
	})
	metric("profile_error", "Whether something about the profile cannot be said, as status would.", func(o flow.Outcome) (float64, bool) {
		return yes(o.Err != nil)
	})
	metric("outputs_stale", "Outputs that do not have the token in state.", func(o flow.Outcome) (float64, bool) {
		stale := 0
		for _, c := range o.Outputs {
			if c.Action != flow.KeepOutput && c.Action != flow.Print {
				stale++
			}
		}
		return float64(stale), o.Err == nil
	})
	fmt.Fprintf(&b, "# HELP tokenform_status_timestamp_seconds When this was found out.\n# TYPE tokenform_status_timestamp_seconds gauge\ntokenform_status_timestamp_seconds %d\n", now.Unix())
	return b.String()
}

// label escapes the value of a label.
func label(s string) string { return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(s) }
