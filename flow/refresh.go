package flow

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// refreshSource is a refresh token and where the token comes from.
type refreshSource struct {
	refresh string
	base    *state.Token // what the new token takes over from state; nil means nothing
	seed    string       // the digest of the profile's refresh_token to store with the new token; empty means the digest in base
	notOurs bool         // the token is not from state, so any account may own it
	client  bool         // a client with state's login wrote the token into an output
}

// refreshSource returns the refresh token that the decision d says to use.
func (s *session) refreshSource(ctx context.Context, d Decision) (refreshSource, error) {
	seed, err := s.profile.RefreshToken.Resolve(ctx)
	switch {
	case err != nil:
		return refreshSource{}, err
	case d.Seed:
		s.warnOfServer("the profile's refresh_token")
		return s.seeded(config.ParseSeed(seed), state.Digest(seed))
	}
	if !s.token.Authorized.IsZero() && consent(s.token).IsZero() {
		s.warnOfConsent(s.token.Authorized, "log in again, or correct the clock of this machine")
	}
	if seed != "" && config.ParseSeed(seed).Refresh == s.token.Refresh {
		return refreshSource{refresh: s.token.Refresh, base: s.token, seed: state.Digest(seed)}, nil
	}
	return refreshSource{refresh: s.token.Refresh, base: s.token}, nil
}

// warnOfServer warns that a refresh token, of which nobody knows who granted it, is sent
// to a server other than Spotify's.
func (s *session) warnOfServer(what string) {
	if s.world.Realm != state.Real && s.world.Realm != state.Sandbox {
		s.warn(s.profile.Name, what+" is sent to "+s.world.Endpoints.Accounts+", which is not Spotify", "unset TOKENFORM_ACCOUNTS_URL, unless that server issued it")
	}
}

// warnOfConsent warns that the time of a login is wrong.
func (s *session) warnOfConsent(at time.Time, cure string) {
	s.warn(s.profile.Name, "authorized_at "+day(at)+" is in the future: tokenform does not know when this login ends", cure)
}

// seeded returns the refreshSource of a seed. digest is the digest of the profile's
// refresh_token, or "" if the profile has none.
func (s *session) seeded(seed config.Seed, digest string) (refreshSource, error) {
	if strings.HasPrefix(seed.Refresh, "eyJ") { // base64 of {", and no refresh token
		return refreshSource{}, &fault.Error{Kind: fault.Invalid, Message: "the refresh token looks like a seed, but a part of it is missing", Hint: "copy the whole line that tokenform token --format seed prints"}
	}
	if id, known := s.profile.Client.ID.Known(); known && seed.ClientID != "" && seed.ClientID != id {
		return refreshSource{}, &fault.Error{Kind: fault.Invalid, Message: "the refresh token belongs to the app " + seed.ClientID + ", and the profile to " + id, Hint: "a refresh token works only with the app it was issued for: correct client.id"}
	}
	base := carryOver(s.token)
	if base == nil {
		base = &state.Token{}
	}
	base.Authorized, base.Scopes = seed.Authorized, seed.Scopes
	if base.Authorized.IsZero() {
		base.Authorized = s.profile.AuthorizedAt
	}
	if base.Authorized.After(s.now().Add(maxSkew)) {
		s.warnOfConsent(base.Authorized, "correct authorized_at, or the clock of this machine")
		base.Authorized = time.Time{}
	}
	if seed.Account != "" && s.profile.Account == "" { // else the Web API must name the account
		base.Account = &state.Account{ID: seed.Account}
	}
	return refreshSource{refresh: seed.Refresh, base: base, seed: digest, notOurs: true}, nil
}

// refresh trades the refresh token for a new access token. If the server answers
// invalid_grant, the stored token stays, marked with the time: the server may be wrong.
func (s *session) refresh(ctx context.Context, app oauth.App, from refreshSource) (*state.Token, error) {
	if err := s.reserve(); err != nil {
		return nil, err
	}
	sent := s.now()
	sending, done := patient(ctx)
	defer done()
	w, err := app.Refresh(sending, from.refresh)
	if refused(err) && !from.notOurs {
		// Another client may have stored a newer token meanwhile.
		newer, readErr := s.entry.Token()
		switch {
		case readErr != nil:
			return nil, readErr
		case newer != nil && newer.Refresh != "" && newer.Refresh != from.refresh:
			from, sent = refreshSource{refresh: newer.Refresh, base: newer}, s.now()
			w, err = app.Refresh(sending, from.refresh)
		}
		if refused(err) {
			if other := s.clientsRefresh(from); other != "" {
				sent = s.now()
				if w, err = app.Refresh(sending, other); !refused(err) {
					base := *from.base
					base.Refresh = other
					from = refreshSource{refresh: other, base: &base, client: true}
				}
			}
		}
		if refused(err) {
			from.base.Rejected = sent.UTC().Truncate(time.Second)
			if err := s.entry.Save(from.base); err != nil {
				return nil, err
			}
		}
	}
	if err != nil {
		if refused(err) {
			return nil, err
		}
		failure := error(&fault.Error{Message: "refreshing", Err: err})
		if rotated := rotatedIn(err); rotated != "" && rotated != from.refresh {
			// The rest of the answer is useless, but the refresh token that was sent is
			// dead by now.
			failure = errors.Join(failure, s.storeRotated(app, from, rotated, sent))
		}
		return nil, failure
	}
	n := s.fromWire(app, from.base, w, sent)
	n.Seed = cmp.Or(from.seed, n.Seed)
	if n.Refresh == "" {
		n.Refresh = from.refresh // RFC 6749 section 6: if the answer has no refresh token, the old one stays valid
	}
	n.Retire(from.refresh)
	asked := s.profile.Account != "" && n.Account == nil
	if asked && n.Refresh != from.refresh && !from.notOurs && !from.client {
		// The stored login goes on with this token, whoever turns out to have logged
		// in. Store the token before the Web API is asked: a process that is killed
		// loses what only its memory holds.
		if err := s.storeRotated(app, from, n.Refresh, sent); err != nil {
			return nil, err
		}
		n.Serial++ // storeRotated has saved the serial number before
	}
	switch {
	case asked:
		n.Account, err = s.askAccount(ctx, app, nil, n)
	case from.client:
		n.Account, err = s.askAccount(ctx, app, from.base, n)
	}
	if err != nil {
		// The wrong account's login is not stored. If the Web API did not say whose
		// login it is, the refresh token is stored, and the next apply asks again.
		_, accountUnknown := errors.AsType[*oauth.Error](err)
		if n.Refresh != from.refresh && accountUnknown && (from.notOurs || from.client) {
			err = errors.Join(err, s.storeRotated(app, from, n.Refresh, sent))
		}
		return nil, err
	}
	cure := "nothing is lost: the old refresh token still works"
	if n.Refresh != from.refresh {
		cure = "the old refresh token may no longer work: if the next apply is refused, log in to " + s.profile.Name + " again"
	}
	if err := s.store(n, cure); err != nil {
		return nil, err
	}
	if missing := MissingScopes(s.profile, n); len(missing) > 0 {
		return n, lessGranted(missing)
	}
	return n, s.verify(ctx, app, n)
}

// clientsRefresh returns the refresh token that a client has written into an output
// after state's own was stored, or "". A client that refreshes with our refresh token
// gets a new one, and ours is dead.
func (s *session) clientsRefresh(from refreshSource) string {
	if s.options.Outputs == IgnoreOutputs {
		return ""
	}
	for _, f := range s.clientTokens(s.profile, from.base, s.recorded) {
		if f.Refresh != "" && f.Refresh != from.refresh {
			return f.Refresh
		}
	}
	return ""
}

// rotatedIn returns the new refresh token in an answer that is useless otherwise, or
// "".
func rotatedIn(err error) string {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.Rotated
	}
	return ""
}

// storeRotated stores a refresh token that the server sent to replace from's, and
// nothing else of the answer. The next apply refreshes with the stored refresh token.
func (s *session) storeRotated(app oauth.App, from refreshSource, rotated string, sent time.Time) error {
	var n *state.Token
	if from.notOurs {
		n = s.refreshOnly(app, from, sent)
	} else {
		stored := *from.base // keep the stored access token: it is as good as before
		n = &stored
	}
	if from.client {
		n.Account = nil // unknown until the Web API names the account
	}
	n.Refresh, n.Rejected = rotated, time.Time{}
	n.Retire(from.refresh)
	return s.store(n, "log in to "+s.profile.Name+" again")
}

// refused reports whether the server says that the refresh token, or the code,
// is no longer good (RFC 6749 section 5.2, invalid_grant).
func refused(err error) bool {
	e, ok := errors.AsType[*oauth.Error](err)
	return ok && e.Kind == oauth.Refused && e.Code == "invalid_grant"
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// retryAfter returns how long the server asked to be left alone. Zero means that
// the server did not ask.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// patient returns a context for a request that may use up a code or a refresh token:
// after ctx is canceled, the answer still has three seconds to arrive and be stored.
// Only a second signal, which kills the process, may throw a rotated refresh token
// away.
func patient(ctx context.Context) (_ context.Context, done func()) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(3*time.Second, cancel) })
	return sending, func() { stop(); cancel() }
}
