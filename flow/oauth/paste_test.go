package oauth

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	const redirect = "http://127.0.0.1:8888/callback"
	for _, test := range []struct{ redirect, final string }{
		{redirect, redirect + "?" + goodQuery},
		{redirect, "  " + redirect + "?" + goodQuery + "\r\n"},
		{redirect, `"` + redirect + "?" + goodQuery + `"`},
		{redirect, "'" + redirect + "?" + goodQuery + "'\n"},
		{redirect, "<" + redirect + "?" + goodQuery + ">"},
		{redirect, redirect + "?state=" + theState + "&code=" + theCode + "&iss=x#_=_"},
		{redirect, "HTTP://127.0.0.1:8888/callback?" + goodQuery},
		{redirect, "127.0.0.1:8888/callback?" + goodQuery},
		// Browsers change the address in these ways.
		{redirect, "https://127.0.0.1:8888/callback?" + goodQuery},
		{redirect, "https://127.0.0.1/callback?" + goodQuery},
		{redirect, "http://localhost:8888/callback?" + goodQuery},
		{redirect, "localhost:8888/callback?" + goodQuery},
		{redirect, "https://[::1]:8888/callback?" + goodQuery},
		{"http://127.0.0.1/callback", "http://127.0.0.1:45123/callback?" + goodQuery},
		{redirect, "?" + goodQuery},
		{redirect, goodQuery},
		{redirect, goodQuery + "#_=_"},
		{redirect, "state=" + theState + "&code=" + theCode},
		{"http://127.0.0.1/callback", "http://127.0.0.1:80/callback?" + goodQuery},
		{"http://[::1]:8888/callback", "http://[::1]:8888/callback?" + goodQuery},
		{"https://example.com", "https://EXAMPLE.com:443/?" + goodQuery},
		{"https://example.com/a%20b?x=y", "https://example.com/a%20b?x=y&" + goodQuery},
		{"myapp://callback", "myapp://callback?" + goodQuery},
		{"myapp://callback", "myapp://callback/?" + goodQuery},
		{"com.example.app:/callback", "com.example.app:/callback?" + goodQuery},
		{"myapp:callback", "myapp:callback?" + goodQuery},
	} {
		if code, err := ParseAnswer(test.final, test.redirect, theState); err != nil || code != theCode {
			t.Errorf("%s: got %q, %v", test.final, code, err)
		}
	}
	for _, test := range []struct {
		final string
		want  error
	}{
		{"", ErrNotAddress},
		{"  \n", ErrNotAddress},
		{"yes", ErrNotAddress},
		{theCode, ErrNotAddress},
		{"https://accounts.spotify.com/authorize?" + goodQuery, ErrNotRedirect},
		{"https://evil.example:8888/callback?" + goodQuery, ErrNotRedirect},
		{"https://localhost.evil.example:8888/callback?" + goodQuery, ErrNotRedirect},
		{"ftp://127.0.0.1:8888/callback?" + goodQuery, ErrNotRedirect},
		{"https://127.0.0.1:8888/other?" + goodQuery, ErrNotRedirect},
		{"http://127.0.0.1:8888/callback/?" + goodQuery, ErrNotRedirect},
		{"http://127.0.0.1:8888/?" + goodQuery, ErrNotRedirect},
		{"http://x@127.0.0.1:8888/callback?" + goodQuery, ErrNotRedirect},
		{"http://127.0.0.1:8888/callback\x00?" + goodQuery, ErrNotRedirect},
		{redirect + "?code=" + theCode, ErrNoState},
		{redirect + "?code=" + theCode + "&state=x", ErrWrongState},
		{redirect + "?error=access_denied&state=x", ErrWrongState},
		{"code=" + theCode, ErrNoState},
		{redirect, ErrWrongState},
		{redirect + "?state=" + theState, ErrNoCode},
		{redirect + "?code=a&code=b&state=" + theState, ErrNoCode},
		{redirect + "?code=%zz&state=" + theState, ErrNoCode},
	} {
		code, err := ParseAnswer(test.final, redirect, theState)
		if code != "" || !errors.Is(err, test.want) {
			t.Errorf("%s: got %q, %v; want %v", test.final, code, err, test.want)
		}
	}
	_, err := ParseAnswer(redirect+"?error=access_denied&state="+theState, redirect, theState)
	if declined, ok := errors.AsType[*Error](err); !ok || declined.Kind != Declined || declined.Code != "access_denied" || !strings.Contains(declined.Hint, "agree") {
		t.Errorf("got %v", err)
	}
	// Without a state, no answer is right.
	if code, err := ParseAnswer("code=x&state=", redirect, ""); code != "" || !errors.Is(err, ErrWrongState) {
		t.Errorf("got %q, %v", code, err)
	}
}
