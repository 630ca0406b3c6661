package state

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestEncode: a state file is what encoding/json would write.
func TestEncode(t *testing.T) {
	t.Parallel()
	for typ, known := range map[reflect.Type]int{
		reflect.TypeFor[Token](): 17, reflect.TypeFor[Account](): 3, reflect.TypeFor[Written](): 4, reflect.TypeFor[Holder](): 4,
	} {
		if n := typ.NumField(); n != known {
			t.Errorf("%s has %d fields, and encode and this test know %d", typ, n, known)
		}
	}
	text := rapid.String()
	when := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		at := time.Unix(rapid.Int64Range(-1<<33, 1<<39).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		return at.In(rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 5400)}).Draw(t, "zone"))
	})
	written := rapid.Custom(func(t *rapid.T) Written {
		return Written{
			Type: text.Draw(t, "type"), Path: text.Draw(t, "path"), Digest: text.Draw(t, "digest"),
			Vars: rapid.MapOfN(text, text, 0, 3).Draw(t, "vars"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		x := &Token{
			Version: rapid.Int().Draw(t, "version"), Serial: rapid.Int().Draw(t, "serial"),
			Profile: text.Draw(t, "profile"), Source: text.Draw(t, "source"), ClientID: text.Draw(t, "id"), Grant: text.Draw(t, "grant"),
			Access: text.Draw(t, "access"), Type: text.Draw(t, "token type"), Refresh: text.Draw(t, "refresh"),
			Scopes:   rapid.SampledFrom([][]string{nil, {}, {"a"}, {"a", "b<&>\u2028\x80"}}).Draw(t, "scopes"),
			Obtained: when.Draw(t, "obtained"), Expires: when.Draw(t, "expires"),
			Authorized: when.Draw(t, "authorized"), Rejected: when.Draw(t, "rejected"),
			Seed:    text.Draw(t, "seed"),
			Outputs: rapid.SliceOfN(written, 0, 3).Draw(t, "outputs"),
		}
		if rapid.Bool().Draw(t, "account") {
			x.Account = &Account{text.Draw(t, "account"), text.Draw(t, "account id"), text.Draw(t, "name")}
		}
		want, wrong := json.MarshalIndent(x, "", "  ")
		got, err := encode(x)
		if (err == nil) != (wrong == nil) || err == nil && string(got) != string(want) {
			t.Fatalf("got %s, %v\nwant %s, %v", got, err, want, wrong)
		}

		h := Holder{x.Serial, x.ClientID, x.Profile, x.Obtained}
		want, wrong = json.Marshal(h)
		got, err = h.encode()
		if (err == nil) != (wrong == nil) || err == nil && string(got) != string(want) {
			t.Fatalf("got %s, %v\nwant %s, %v", got, err, want, wrong)
		}
	})
}
