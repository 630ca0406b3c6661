package config

import (
	"strconv"
	"strings"
	"time"

	"tokenform/config/fault"
)

// ParseDuration parses a duration as profiles have it: 90s, 1h30m, 180d, 1w2d.
func ParseDuration(s string) (time.Duration, error) {
	d, wrong := duration(s)
	if wrong != nil {
		return 0, &fault.Error{Kind: fault.Invalid, Message: wrong.message, Hint: wrong.hint}
	}
	return d, nil
}

// duration parses a duration. In addition to Go's units, d is a day of 24 hours
// and w is a week: 90s, 1h30m, 180d, 1w2d.
func duration(s string) (time.Duration, *flaw) {
	const forms = "write a number with a unit: 90s, 5m, 1h30m, 14d, 2w"
	if s == "0" {
		return 0, nil
	}
	if strings.HasPrefix(s, "-") {
		return 0, &flaw{"a duration cannot be negative", forms}
	}
	if s != "" && strings.Trim(s, "0123456789.") == "" {
		return 0, &flaw{"the duration has no unit", forms}
	}
	bad := &flaw{"not a duration", forms}
	var sum time.Duration
	for ok := false; s != "" || !ok; ok = true {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
		unit := len(strings.TrimLeft(s[digits:], "abcdefghijklmnopqrstuvwxyzµμ"))
		number, name := s[:digits], s[digits:len(s)-unit]
		s = s[len(s)-unit:]
		times := time.Duration(1)
		switch name {
		case "d":
			name, times = "h", 24
		case "w":
			name, times = "h", 7*24
		}
		part, err := time.ParseDuration(number + name)
		if _, wrong := time.ParseDuration("1" + name); digits == 0 || name == "" || wrong != nil {
			return 0, bad
		}
		if _, wrong := strconv.ParseFloat(number, 64); wrong != nil {
			return 0, bad
		}
		if err != nil || part > (1<<63-1-sum)/times {
			return 0, &flaw{"the duration is too long", "write a shorter one, for example 180d"}
		}
		sum += part * times
	}
	return sum, nil
}

func (d *document) duration(fs fields, name string, otherwise time.Duration) time.Duration {
	f := fs.get(name)
	if f == nil {
		return otherwise
	}
	s, ok := d.shown(f.node, name)
	if !ok {
		return otherwise
	}
	v, wrong := duration(s)
	if wrong != nil {
		d.report(f.node, wrong.hint, "%s: %s", name, wrong.message)
		return otherwise
	}
	return v
}
