package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/flow/state"
)

// Action is what must be done to bring a profile's token to a valid state.
type Action string

const (
	Keep    Action = "keep"    // use the stored token
	Refresh Action = "refresh" // RFC 6749 section 6
	Login   Action = "login"   // RFC 6749 section 4.1: a person logs in
	Request Action = "request" // RFC 6749 section 4.4, client credentials
	Adopt   Action = "adopt"   // store a token that a client got on its own
	Verify  Action = "verify"  // ask the Web API about the stored token
	Delete  Action = "delete"  // delete an orphan, because --prune asks for it
	Leave   Action = "leave"   // leave an orphan as it is
)

// Decision is an action and the reason shown for it.
type Decision struct {
	Action Action
	Reason string
	Seed   bool // refresh from the profile's refresh_token, not from the stored one
}

// grants reports whether the decision needs a new token from the server.
func (d Decision) grants() bool {
	return d.Action == Refresh || d.Action == Login || d.Action == Request
}

// changes reports whether the decision changes the stored token before a person is
// waited for.
func (d Decision) changes() bool {
	return d.Action == Refresh || d.Action == Request || d.Action == Adopt || d.Action == Verify
}

// Decide compares what p declares with t, the token in state, and says what to do. A
// nil t means that state has no token. Decide depends on nothing but its arguments, and
// the first rule that applies decides. Decide assumes that a value which only a command
// can tell is unchanged, so that a plan runs no command.
func Decide(p config.Profile, t *state.Token, now time.Time) Decision {
	if !p.Grant.User() {
		return decideClientCredentials(p, t, now)
	}
	seed, seedKnown := p.RefreshToken.Known()
	switch {
	case t == nil && p.RefreshToken != nil:
		return Decision{Refresh, "from the profile's refresh_token", true}
	case t != nil && p.RefreshToken != nil && seedKnown && state.Digest(seed) != t.Seed && state.Digest(seed) != t.RefusedSeed && config.ParseSeed(seed).Refresh != t.Refresh:
		return Decision{Refresh, "refresh_token changed", true}
	case t == nil:
		return Decision{Action: Login, Reason: "not logged in yet"}
	case clientChanged(p, t):
		return Decision{Action: Login, Reason: "client ID changed"}
	case t.Grant != string(p.Grant):
		return Decision{Action: Login, Reason: fmt.Sprintf("grant changed from %s to %s", t.Grant, p.Grant)}
	}
	if t.Account != nil {
		if ok, known := accountFits(p, nil, t.Account); known && !ok {
			return Decision{Action: Login, Reason: fmt.Sprintf("logged in as %s, not as %s", accountName(t.Account), p.Account)}
		}
	}
	if missing := MissingScopes(p, t); len(missing) > 0 {
		return Decision{Action: Login, Reason: "scopes added: " + strings.Join(missing, " ")}
	}
	if end := LoginUntil(p, t); !end.IsZero() && !now.Before(end) {
		return Decision{Action: Login, Reason: "login expired on " + day(end)}
	}
	wrong := implausible(t, now)
	if t.Expires.Sub(now) < p.MinTTL || wrong != "" {
		reason := cmp.Or(wrong, expiry(t, now))
		if t.Refresh == "" {
			return Decision{Action: Login, Reason: reason + ", and there is no refresh token"}
		}
		if why := refusedLately(t, now); why != "" {
			return Decision{Action: Login, Reason: why}
		}
		if !t.Rejected.IsZero() {
			reason += ", refused on " + day(t.Rejected)
		}
		return Decision{Action: Refresh, Reason: reason}
	}
	if p.Account != "" && t.Account == nil {
		return Decision{Action: Verify, Reason: "the account of the login is not known"}
	}
	return keep(p, t, now)
}

// refusedLately says that the server has refused t's refresh token within a day, or
// returns "". Spotify asks that a refused refresh is not repeated, but has refused good
// tokens in an outage: so refresh once a day. The old token stays until a new one is
// stored.
func refusedLately(t *state.Token, now time.Time) string {
	next := t.Rejected.Add(24 * time.Hour)
	if t.Rejected.IsZero() || !now.Before(next) || t.Rejected.After(now) {
		return ""
	}
	return "refresh token refused on " + day(t.Rejected) + ", next attempt on " + day(next)
}

// keep decides about a token that has time left.
func keep(p config.Profile, t *state.Token, now time.Time) Decision {
	if p.Verify && !t.Verified {
		return Decision{Action: Verify, Reason: "the token is not verified yet"}
	}
	return Decision{Action: Keep, Reason: Validity(p, t, now)}
}

func decideClientCredentials(p config.Profile, t *state.Token, now time.Time) Decision {
	switch {
	case t == nil:
		return Decision{Action: Request, Reason: "no token yet"}
	case clientChanged(p, t):
		return Decision{Action: Request, Reason: "client ID changed"}
	case t.Grant != string(p.Grant):
		return Decision{Action: Request, Reason: fmt.Sprintf("grant changed from %s to %s", t.Grant, p.Grant)}
	case t.Expires.Sub(now) < p.MinTTL || implausible(t, now) != "":
		return Decision{Action: Request, Reason: cmp.Or(implausible(t, now), expiry(t, now))}
	}
	return keep(p, t, now)
}

// discarded returns why the decision d would replace the login of t although nobody has
// asked for that, or "". A login that a person replaces by another login, a login that has
// ended, and a login whose app and account stay the same do not count.
func discarded(p config.Profile, t *state.Token, d Decision, now time.Time) string {
	switch {
	case t == nil || !living(p, t, now):
		return ""
	case d.Action == Request:
		return d.Reason
	case !d.Seed:
		return ""
	case clientChanged(p, t):
		return "client ID and refresh_token changed"
	}
	text, _ := p.RefreshToken.Known()
	seed := config.ParseSeed(text)
	if p.Account == "" && t.Account != nil && seed.Account != "" && seed.Account != t.Account.ID {
		return "refresh_token changed to a login of " + seed.Account
	}
	return ""
}

// living reports whether t has a login that may still be good.
func living(p config.Profile, t *state.Token, now time.Time) bool {
	if t.Refresh == "" || !config.Grant(t.Grant).User() || !t.Rejected.IsZero() {
		return false
	}
	lifetime := cmp.Or(p.LoginLifetime, config.DefaultLoginLifetime) // client credentials declare none
	since := consent(t)
	return since.IsZero() || now.Before(since.Add(lifetime))
}

// loginEnded reports whether t's login is over: refused by the server, or too old.
func loginEnded(p config.Profile, t *state.Token, now time.Time) bool {
	end := LoginUntil(p, t)
	return !t.Rejected.IsZero() || !end.IsZero() && !now.Before(end)
}

// implausible says why the times of t cannot be right, or returns "". A token with
// wrong times may look valid years after its end.
func implausible(t *state.Token, now time.Time) string {
	switch {
	case t.Obtained.After(now.Add(maxSkew)):
		return "it was issued in the future"
	case !t.Obtained.IsZero() && t.Expires.Sub(t.Obtained) > longestLife:
		return "its lifetime is implausible"
	}
	return ""
}

func clientChanged(p config.Profile, t *state.Token) bool {
	id, known := p.Client.ID.Known()
	return known && id != t.ClientID
}

// MissingScopes lists the declared scopes that t was not granted. If the server
// never named the scopes, it granted all of them (RFC 6749 section 5.1).
func MissingScopes(p config.Profile, t *state.Token) []string {
	if t.Scopes == nil {
		return nil
	}
	return lacking(p.Scopes, t.Scopes)
}

func lacking(declared, granted []string) []string {
	var missing []string
	for _, s := range declared {
		if !slices.Contains(granted, s) {
			missing = append(missing, s)
		}
	}
	return missing
}

// LoginUntil returns when the refresh token is no longer trusted. Zero means that
// the time of consent is not known, or that the grant has no login.
func LoginUntil(p config.Profile, t *state.Token) time.Time {
	since := consent(t)
	if since.IsZero() || !p.Grant.User() {
		return time.Time{}
	}
	return since.Add(p.LoginLifetime)
}

// consent returns when the person behind t consented. Zero means not known. A consent
// after the token that it led to is a mistake, and would keep a dead login in use.
func consent(t *state.Token) time.Time {
	latest := t.Obtained
	if latest.IsZero() {
		latest = t.Expires
	}
	if t.Authorized.After(latest.Add(maxSkew)) {
		return time.Time{}
	}
	return t.Authorized
}

// Validity says how long a token and its login last.
func Validity(p config.Profile, t *state.Token, now time.Time) string {
	s := "valid for " + Span(t.Expires.Sub(now))
	if end := LoginUntil(p, t); !t.Rejected.IsZero() && p.Grant.User() {
		s += "; login refused on " + day(t.Rejected)
	} else if !end.IsZero() {
		s += "; login until " + day(end)
	}
	return s
}

func expiry(t *state.Token, now time.Time) string {
	if left := t.Expires.Sub(now); left > 0 {
		return "expires in " + Span(left)
	}
	return "expired " + Span(now.Sub(t.Expires)) + " ago"
}

// day formats the date of t in UTC, the zone of every time in a file.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Span formats a duration as people say it, with its two largest units at most.
// Span rounds down, so that no token is said to last longer than it does, and is
// never negative.
func Span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d/time.Minute))
	case d < 24*time.Hour:
		h, m := int(d/time.Hour), int(d%time.Hour/time.Minute)
		if m == 0 {
			return fmt.Sprintf("%dh", h)
		}
		return fmt.Sprintf("%dh%dm", h, m)
	default:
		return fmt.Sprintf("%dd", int(d/(24*time.Hour)))
	}
}
