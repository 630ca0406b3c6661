package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSeed(t *testing.T) {
	t.Parallel()
	full := Seed{
		Refresh: "AQx_-", Authorized: time.Date(2026, 11, 23, 14, 3, 5, 0, time.UTC), ClientID: "app", Grant: PKCE,
		Scopes: []string{"a", "b"}, Account: "jörg",
	}
	for _, s := range []Seed{full, {Refresh: "AQx"}} {
		text := s.Encode()
		if got := ParseSeed(text); !reflect.DeepEqual(got, s) {
			t.Errorf("wrote %#v, read %#v", s, got)
		}
		if strings.ContainsAny(text, "\n =+/\"'") || blemish(text) != nil {
			t.Errorf("not one plain word: %s", text)
		}
		if got := ParseSeed(text + "=="); got.Refresh != s.Refresh { // padded by another program
			t.Errorf("%#v", got)
		}
	}
	for _, bare := range []string{"AQx", "eyJ", "eyJhIjoxfQ", "eyJyZWZyZXNoX3Rva2VuIjoiIn0", "eyJyZWZyZXNoX3Rva2Vu", ""} {
		if got := ParseSeed(bare); got.Refresh != bare || !got.Authorized.IsZero() {
			t.Errorf("%q: %#v", bare, got)
		}
	}
	if got := fmt.Sprintf("%v %+v %s", full, full, full); strings.Contains(got, "AQx") {
		t.Error(got)
	}
}

func TestAuthorizedAt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-23": "2026-11-23T00:00:00Z", "2026-11-23T14:03:05+02:00": "2026-11-23T12:03:05Z",
		"": "0001-01-01T00:00:00Z", "yesterday": "!not a date", "23.11.2026": "!not a date",
	} {
		dir := write(t, map[string]string{"p.yaml": "client: {id: abc}\nrefresh_token: AQx\nauthorized_at: '" + text + "'\n"})
		ps, problems := Load(t.Context(), Sources{Dir: dir, Env: testEnv}, []string{"p.yaml"})
		wrong, refused := strings.CutPrefix(want, "!")
		switch {
		case refused && !strings.Contains(show(problems), wrong):
			t.Errorf("%q: %s", text, show(problems))
		case !refused && (len(ps) != 1 || ps[0].AuthorizedAt.Format(time.RFC3339) != want):
			t.Errorf("%q: %s", text, show(problems))
		}
	}
}
