package oauth

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"
)

// These errors say what is wrong with an answer, apart from an [*Error] of kind
// [Declined].
var (
	ErrNotAddress  = errors.New("that is not an address: copy all of the browser's address bar")
	ErrNotRedirect = errors.New("that address does not match redirect_uri")
	ErrWrongState  = errors.New("the answer belongs to another login attempt")
	ErrNoState     = errors.New("the address has no state: was it cut off at the &? In a shell, put it in single quotes")
	ErrNoCode      = errors.New("the answer has no code, or more than one")
)

// ParseAnswer reads the code from what a person pastes: the address that the browser
// ended at, or the query of that address. The error is an [*Error] of kind [Declined],
// [ErrNotAddress], [ErrNotRedirect], [ErrNoState], [ErrWrongState] or [ErrNoCode]; no
// error quotes the address.
func ParseAnswer(final, redirectURI, state string) (code string, err error) {
	final = strings.TrimSpace(strings.Trim(strings.TrimSpace(final), "\"'`<>"))
	query, isQuery := strings.CutPrefix(final, "?")
	for _, name := range []string{"code=", "state=", "error="} {
		isQuery = isQuery || strings.HasPrefix(query, name)
	}
	if isQuery {
		query, _, _ = strings.Cut(query, "#")
		return readPasted(query, state)
	}
	if !strings.ContainsAny(final, ":/?") {
		return "", ErrNotAddress
	}
	want, err := url.Parse(redirectURI)
	if err != nil {
		return "", ErrNotRedirect
	}
	// Address bars hide "http://", so the person may paste the address without.
	if want.Host != "" && !strings.Contains(final, "://") {
		final = want.Scheme + "://" + final
	}
	got, err := url.Parse(final)
	if err != nil || got.User != nil || slash(got.Path) != slash(want.Path) {
		return "", ErrNotRedirect
	}
	// A browser may change http to https, or 127.0.0.1 to localhost. On this machine
	// the path, the code and the state decide.
	near := func(u *url.URL) bool {
		return (u.Scheme == "http" || u.Scheme == "https") && (u.Hostname() == "localhost" || loopback(u.Hostname()))
	}
	if !(near(got) && near(want)) && (got.Scheme != want.Scheme || got.Opaque != want.Opaque || bareHost(got) != bareHost(want)) {
		return "", ErrNotRedirect
	}
	return readPasted(got.RawQuery, state)
}

// readPasted is readAnswer, but for a query of which a person may have pasted a part.
func readPasted(query, state string) (string, error) {
	code, err := readAnswer(query, state)
	if values, _ := url.ParseQuery(query); err == ErrWrongState && values.Has("code") && !values.Has("state") {
		err = ErrNoState
	}
	return code, err
}

// readAnswer reads the code from the query of an answer. readAnswer checks the state
// first: an answer with the wrong state may come from anybody.
func readAnswer(query, state string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", ErrNoCode
	}
	// An empty state would accept every answer.
	if got := values["state"]; state == "" || len(got) != 1 || subtle.ConstantTimeCompare([]byte(got[0]), []byte(state)) != 1 {
		return "", ErrWrongState
	}
	code, declined := values["code"], values["error"]
	switch {
	case len(code) == 1 && code[0] != "" && len(declined) == 0:
		return code[0], nil
	case len(code) == 0 && len(declined) == 1 && declined[0] != "":
		e := &Error{Kind: Declined, Code: cmp.Or(secrets{state}.clean(declined[0]), "unreadable error")}
		e.Message = "Spotify ended the login (" + e.Code + ")"
		switch e.Code {
		case "access_denied":
			e.Message = "the login was declined (access_denied)"
			e.Hint = "log in again and agree on Spotify's page"
		case "invalid_scope":
			e.Hint = "correct scopes in the profile"
		case "server_error", "temporarily_unavailable":
			e.Hint = "try again later"
		default:
			e.Hint = "check the profile against the app in Spotify's developer dashboard"
		}
		return "", e
	default:
		return "", ErrNoCode
	}
}
