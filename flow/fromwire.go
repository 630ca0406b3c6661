package flow

import (
	"fmt"
	"slices"
	"time"

	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// maxSkew is how far the server's clock may differ from ours before people are told.
// The Date header has a resolution of one second, and an answer takes some seconds.
const maxSkew = time.Minute

// fromWire makes our token from the wire's token w. What the answer leaves out comes
// from old. Only fromWire turns a relative lifetime into an absolute time. The lifetime
// counts from sent, the moment before the request, so that a slow answer never makes a
// token look longer-lived than it is.
func (s *session) fromWire(app oauth.App, old *state.Token, w oauth.Token, sent time.Time) *state.Token {
	n := &state.Token{
		Server:   s.world.Endpoints.Accounts,
		ClientID: app.ID,
		Grant:    string(s.profile.Grant),
		Access:   w.Access,
		Type:     w.Type,
		Scopes:   w.Scopes,
		Obtained: sent.UTC().Truncate(time.Second),
		Expires:  sent.Add(w.ExpiresIn).UTC().Truncate(time.Second),
		Refresh:  w.Refresh,
	}
	if old != nil {
		n.Serial, n.Source = old.Serial, old.Source
		n.Authorized, n.Seed, n.Account, n.Retired = old.Authorized, old.Seed, old.Account, old.Retired
		n.RefusedSeed = old.RefusedSeed
		if n.Refresh == "" && s.profile.Grant.User() {
			n.Refresh = old.Refresh
		}
		if n.Scopes == nil {
			n.Scopes = slices.Clone(old.Scopes)
		}
	}
	if got := s.now(); !w.Date.IsZero() && (got.Sub(w.Date) > maxSkew || w.Date.Sub(got) > maxSkew) {
		off, way := got.Sub(w.Date), "ahead of"
		if off < 0 {
			off, way = -off, "behind"
		}
		s.warn(s.profile.Name, fmt.Sprintf("this machine's clock is %s %s the server's", Span(off), way), "set the clock: token expiry depends on it")
	}
	return n
}

// refreshOnly returns a token that has a refresh token only and is already expired, so that
// the next apply refreshes it.
func (s *session) refreshOnly(app oauth.App, from refreshSource, now time.Time) *state.Token {
	n := s.fromWire(app, from.base, oauth.Token{Type: "Bearer", Refresh: from.refresh, ExpiresIn: -time.Second}, now)
	if from.seed != "" {
		n.Seed = from.seed
	}
	return n
}

// carryOver returns what stays of t when another login or app replaces it: nothing of
// the token, only what state knows beside the token.
func carryOver(t *state.Token) *state.Token {
	if t == nil {
		return nil
	}
	return &state.Token{Serial: t.Serial, Source: t.Source, Retired: t.Retired}
}
