package examples

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox/faults"
)

// row is a fault and the result at each of the five grants.
type row struct {
	name   string
	fault  faults.Fault
	times  int          // how many requests meet the fault; negative means all, until the fault is over
	before func(*trial) // runs first, for example to put the fault in between
	want   [5]outcome   // in the order of grants
}

// outcome is the result of a run with the fault, and of the next run.
type outcome struct {
	exit    int
	tries   int // token requests that were begun
	arrived int // token requests that reached the server
	state   string
	message string // part of the error
	hint    string // part of the error's hint; empty means no hint
	next    int    // exit code once the fault is over
	check   func(t *testing.T, state string)
}

// done is a success after a number of tries.
func done(tries int) outcome {
	return outcome{tries: tries, arrived: tries, state: "new"}
}

// later is a temporary failure that changed nothing.
func later(tries int, message string) outcome {
	return outcome{exit: 5, tries: tries, arrived: tries, state: "unchanged", message: message}
}

// failed is a failure that changed nothing.
func failed(tries int, message, hint string) outcome {
	return outcome{exit: 1, tries: tries, arrived: tries, state: "unchanged", message: message, hint: hint}
}

// refused is the failure if the server says that a code or a refresh token is no longer
// good.
func refused(tries int, message, hint string) outcome {
	return outcome{exit: 4, tries: tries, arrived: tries, state: "marked", message: message, hint: hint}
}

func (o outcome) hinting(hint string) outcome { o.hint = hint; return o }

// unheard returns o for a request that did not reach the server.
func (o outcome) unheard() outcome { o.arrived = 0; return o }

// lost returns o for an answer with a rotated refresh token: the old refresh token is
// dead, and nobody has the new one.
func (o outcome) lost() outcome { o.next = 4; return o }

// wants returns the outcomes in the order of grants: both logins, the refresh, the
// refresh that rotates, client credentials.
func wants(login, refresh, rotating, machine outcome) [5]outcome {
	if login.state != "new" {
		login.state = "absent" // no state, as before
	}
	return [5]outcome{login, login, refresh, rotating, machine}
}

func all(o outcome) [5]outcome { return wants(o, o, o, o) }

// consumed returns o for every grant, if the server has granted what was asked.
func consumed(o outcome) [5]outcome { return wants(o, o, o.lost(), o) }

// useless returns o for every grant, if the answer has nothing useful except a rotated
// refresh token, which must be kept.
func useless(o outcome) [5]outcome {
	rescued := o
	rescued.state = "rescued"
	return wants(o, o, rescued, o)
}

func troubles(thief string) []row {
	const always = -1
	const elsewhere = "tokenform apply --renew -p dev"
	const counted = "an earlier attempt may have succeeded although its answer was lost: log in again"
	const network = "check the network connection, and HTTPS_PROXY if you use a proxy"
	const usedCode, rotatedOut = "invalid authorization code (invalid_grant)", "refresh token revoked (invalid_grant)"
	const falsely = "invalid refresh token (invalid_grant)"
	// The answer to the first try was lost, so the second try meets its effect.
	again := wants(refused(2, usedCode, counted), done(2), refused(2, rotatedOut, elsewhere).lost(), done(2))
	narrower := outcome{exit: 1, tries: 1, arrived: 1, state: "new", next: 4,
		message: "Spotify granted fewer scopes than declared; missing: user-library-read", hint: "log in again and allow them"}
	narrowerLogin := narrower
	narrowerLogin.state, narrowerLogin.next = "absent", 0

	rows := []row{
		// The slow rows come first, because the others run at the same time.
		{"hang", faults.HangBeforeGrant(), always, nil, all(later(3, "in time").hinting(network))},
		{"hang after the grant", faults.HangAfterGrant(), 1, nil, again},
		{"slow drip", faults.Drip(50 * time.Millisecond), always, nil, consumed(later(1, "answer took too long"))},
		{"quick drip", faults.Drip(100 * time.Microsecond), always, nil, all(done(1))},
		{"slow answer", faults.Slow(2 * time.Second), always, nil, all(done(1))},

		{"429, Retry-After 1 s, once", faults.TooManyRequests("1"), 1, nil, all(done(2))},
		{"429, Retry-After 1 s", faults.TooManyRequests("1"), always, nil, all(later(4, "answered 429: Too many requests; try again in 1s"))},
		{"429, Retry-After 17 h", faults.TooManyRequests("61200"), always, nil, all(later(1, "answered 429: Too many requests; try again in 17h"))},
		{"500 as text", faults.Outage(500), always, nil, all(later(4, "answered 500: Internal server error"))},
		{"502 as text", faults.Outage(502), always, nil, all(later(4, "answered 502: upstream connect error"))},
		{"503 as text", faults.Outage(503), always, nil, all(later(4, "answered 503: upstream connect error"))},
		{"503 as text, three times", faults.Outage(503), 3, nil, all(done(4))},
		{"503 as HTML", faults.HTML(503), always, nil, all(later(4, "answered 503 with an HTML page"))},
		{"200 as HTML", faults.HTML(200), always, nil, all(later(1, "answer with an HTML page"))},
		{"200 without a body", faults.Says(200, "application/json", ""), always, nil, all(later(1, "answer without a body"))},
		{"truncated JSON", faults.Truncated(), always, nil, consumed(later(1, "answer with damaged JSON"))},
		{"body cut off", faults.CutOff(), always, nil, consumed(later(1, "answer cut short"))},
		{"body of 512 MiB", faults.Huge(512 << 20), always, func(x *trial) { x.measure = true }, all(later(1, "answer with damaged JSON"))},

		{"no access_token", faults.Without("access_token"), always, nil, useless(later(1, "answer without access_token"))},
		{"no expires_in", faults.Without("expires_in"), always, nil, useless(later(1, "answer without expires_in"))},
		{"a string for a number", faults.With("expires_in", "3600"), always, nil, all(done(1))},
		{"3600.0 for 3600", faults.With("expires_in", json.RawMessage("3600.0")), always, nil, all(done(1))},
		{"words for a number", faults.With("expires_in", "an hour"), always, nil, useless(later(1, "answer without expires_in"))},
		{"a number for a string", faults.With("access_token", 12), always, nil, useless(later(1, "answer with a field of the wrong type"))},
		{"token_type bearer", faults.With("token_type", "bearer"), always, nil, all(done(1))},
		{"token_type BEARER", faults.With("token_type", "BEARER"), always, nil, all(done(1))},
		{"token_type mac", faults.With("token_type", "mac"), always, nil, useless(later(1, "answer with a token_type other than Bearer"))},

		{"scope absent", faults.Without("scope"), always, nil, scoped("streaming user-library-read")},
		{"scope reordered", faults.ReorderedScope(), always, nil, scoped("streaming user-library-read")},
		{"scope wider", faults.WiderScope("user-top-read"), always, nil, scoped("streaming user-library-read user-top-read")},
		{"scope narrower", faults.NarrowerScope("user-library-read"), always, nil, wants(narrowerLogin, narrower, narrower, done(1))},

		{"reset before the grant", faults.ResetBeforeGrant(), always, nil, all(later(4, "connection reset by peer").hinting(network))},
		{"reset before the grant, once", faults.ResetBeforeGrant(), 1, nil, all(done(2))},
		{"reset after the grant", faults.ResetAfterGrant(), always, nil, consumed(later(4, "connection reset by peer").hinting(network))},
		{"reset after the grant, once", faults.ResetAfterGrant(), 1, nil, again},

		{"false invalid_grant, once", faults.FalseInvalidGrant(), 1, nil, wants(
			refused(1, falsely, "log in again"), refused(1, falsely, elsewhere), refused(1, falsely, elsewhere), failed(1, falsely, "log in again"))},
		{"wrong secret", faults.OAuthError("invalid_client", "Invalid client secret"), always, nil,
			all(failed(1, "invalid client secret (invalid_client)", "check client.id"))},
	}
	for _, status := range []int{301, 302, 307, 308} {
		rows = append(rows, row{fmt.Sprintf("%d to another host", status), faults.RedirectTo(status, thief+"/api/token"), always, nil,
			all(failed(1, fmt.Sprintf("answered %d, a redirect, which tokenform does not follow", status), "check TOKENFORM_ACCOUNTS_URL"))})
	}
	return append(rows, between(again, network)...)
}

// scoped is a success after which state has these scopes. An app's own token has no
// scopes.
func scoped(scopes string) [5]outcome {
	o := done(1)
	o.check = func(t *testing.T, state string) {
		var got struct{ Scopes []string }
		if err := json.Unmarshal([]byte(state), &got); err != nil || strings.Join(got.Scopes, " ") != scopes {
			t.Errorf("state has the scopes %q, want %q", got.Scopes, scopes)
		}
	}
	return wants(o, o, o, done(1))
}
