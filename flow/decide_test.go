package flow

import (
	"testing"
	"time"

	"tokenform/config"
	"tokenform/flow/state"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// user returns a profile that needs nothing: its token is [good].
func user() config.Profile {
	return config.Profile{
		Name: "dev", Client: config.Client{ID: config.Literal("app"), Secret: config.Literal("hush")},
		Grant: config.AuthorizationCode, Scopes: []string{"streaming", "user-top-read"},
		MinTTL: 5 * time.Minute, LoginLifetime: 180 * 24 * time.Hour, LoginWarning: 14 * 24 * time.Hour,
	}
}

func good() *state.Token {
	return &state.Token{
		Profile: "dev", ClientID: "app", Grant: "authorization_code", Access: "BQ", Refresh: "AQ-stored",
		Scopes: []string{"streaming", "user-top-read"}, Obtained: noon.Add(-8 * time.Minute), Expires: noon.Add(52 * time.Minute),
		Authorized: noon.Add(-24 * time.Hour),
	}
}

func machine() config.Profile {
	p := user()
	p.Grant, p.Scopes = config.ClientCredentials, nil
	return p
}

func machineToken() *state.Token {
	t := good()
	t.Grant, t.Refresh, t.Scopes, t.Authorized = "client_credentials", "", nil, time.Time{}
	return t
}

// TestDecide has a case for every rule of Decide, and for every known way in which
// Spotify's answers can mislead it.
func TestDecide(t *testing.T) {
	with := func(p config.Profile, change func(*config.Profile)) config.Profile { change(&p); return p }
	token := func(base *state.Token, change func(*state.Token)) *state.Token { change(base); return base }
	seeded := with(user(), func(p *config.Profile) { p.RefreshToken = config.Literal("AQ-seed") })
	for _, c := range []struct {
		name  string
		p     config.Profile
		token *state.Token
		want  Decision
	}{
		{"client credentials: no token", machine(), nil, Decision{Action: Request, Reason: "no token yet"}},
		{"client credentials: other client id", machine(), token(machineToken(), func(t *state.Token) { t.ClientID = "old" }),
			Decision{Action: Request, Reason: "client ID changed"}},
		{"client credentials: grant changed", machine(), good(),
			Decision{Action: Request, Reason: "grant changed from authorization_code to client_credentials"}},
		{"client credentials: less than min_ttl left", machine(), token(machineToken(), func(t *state.Token) { t.Expires = noon.Add(4*time.Minute + 59*time.Second) }),
			Decision{Action: Request, Reason: "expires in 4m"}},
		{"client credentials: expired", machine(), token(machineToken(), func(t *state.Token) { t.Expires = noon.Add(-2 * time.Hour) }),
			Decision{Action: Request, Reason: "expired 2h ago"}},
		{"client credentials: exactly min_ttl left", machine(), token(machineToken(), func(t *state.Token) { t.Expires = noon.Add(5 * time.Minute) }),
			Decision{Action: Keep, Reason: "valid for 5m"}},
		{"client credentials: scopes never matter", with(machine(), func(p *config.Profile) { p.Scopes = []string{"streaming"} }), machineToken(),
			Decision{Action: Keep, Reason: "valid for 52m"}},

		{"another account declared than the one logged in", with(user(), func(p *config.Profile) { p.Account = "me" }), token(good(), func(t *state.Token) { t.Account = &state.Account{ID: "you", Name: "You"} }),
			Decision{Action: Login, Reason: "logged in as You (you), not as me"}},
		{"the account declared by either id", with(user(), func(p *config.Profile) { p.Account = "me" }), token(good(), func(t *state.Token) { t.Account = &state.Account{ID: "x", AccountID: "me"} }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"D11 an account declared, and not known who logged in", with(user(), func(p *config.Profile) { p.Account = "me" }), good(),
			Decision{Action: Verify, Reason: "the account of the login is not known"}},
		{"D11 the same, and the token is about to expire", with(user(), func(p *config.Profile) { p.Account = "me" }), token(good(), func(t *state.Token) { t.Expires = noon.Add(time.Minute) }),
			Decision{Action: Refresh, Reason: "expires in 1m"}},
		{"D9 never verified", with(user(), func(p *config.Profile) { p.Verify = true }), good(),
			Decision{Action: Verify, Reason: "the token is not verified yet"}},
		{"D9 verified", with(user(), func(p *config.Profile) { p.Verify = true }), token(good(), func(t *state.Token) { t.Verified = true }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"D9 nobody asks for a verified one", user(), good(), Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"no state, a seed", seeded, nil, Decision{Refresh, "from the profile's refresh_token", true}},
		{"another seed than the one taken up", seeded, token(good(), func(t *state.Token) { t.Seed = state.Digest("AQ-older-seed") }),
			Decision{Refresh, "refresh_token changed", true}},
		{"a seed after a login without one", seeded, good(), Decision{Refresh, "refresh_token changed", true}},
		{"the seed taken up before", seeded, token(good(), func(t *state.Token) { t.Seed = state.Digest("AQ-seed") }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"the seed is the stored one", seeded, token(good(), func(t *state.Token) { t.Refresh = "AQ-seed" }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"the seed was taken out of the profile", user(), token(good(), func(t *state.Token) { t.Seed = state.Digest("AQ-seed") }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"a new seed wins over another client id", seeded, token(good(), func(t *state.Token) { t.ClientID = "old" }),
			Decision{Refresh, "refresh_token changed", true}},

		{"no state", user(), nil, Decision{Action: Login, Reason: "not logged in yet"}},
		{"client ID changed", user(), token(good(), func(t *state.Token) { t.ClientID = "old" }), Decision{Action: Login, Reason: "client ID changed"}},
		{"grant changed", with(user(), func(p *config.Profile) { p.Grant = config.PKCE }), good(),
			Decision{Action: Login, Reason: "grant changed from authorization_code to pkce"}},
		{"a scope added", with(user(), func(p *config.Profile) { p.Scopes = append(p.Scopes, "user-read-email", "user-read-private") }), good(),
			Decision{Action: Login, Reason: "scopes added: user-read-email user-read-private"}},
		{"more scopes granted than declared", with(user(), func(p *config.Profile) { p.Scopes = p.Scopes[:1] }), good(),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"scopes in another order", with(user(), func(p *config.Profile) { p.Scopes = []string{"user-top-read", "streaming"} }), good(),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"the server never named scopes", user(), token(good(), func(t *state.Token) { t.Scopes = nil }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"the server granted none", user(), token(good(), func(t *state.Token) { t.Scopes = []string{} }),
			Decision{Action: Login, Reason: "scopes added: streaming user-top-read"}},
		{"consent older than login_lifetime, token still valid", user(), token(good(), func(t *state.Token) { t.Authorized = noon.Add(-180 * 24 * time.Hour) }),
			Decision{Action: Login, Reason: "login expired on 2026-11-23"}},
		{"consent a second younger than that", user(), token(good(), func(t *state.Token) { t.Authorized = noon.Add(time.Second - 180*24*time.Hour) }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2026-11-23"}},
		{"consent not known", user(), token(good(), func(t *state.Token) { t.Authorized = time.Time{} }), Decision{Action: Keep, Reason: "valid for 52m"}},

		{"less than min_ttl left", user(), token(good(), func(t *state.Token) { t.Expires = noon.Add(3 * time.Minute) }),
			Decision{Action: Refresh, Reason: "expires in 3m"}},
		{"expired", user(), token(good(), func(t *state.Token) { t.Expires = noon.Add(-26 * time.Hour) }), Decision{Action: Refresh, Reason: "expired 1d ago"}},
		{"expires now", user(), token(good(), func(t *state.Token) { t.Expires = noon }), Decision{Action: Refresh, Reason: "expired 0s ago"}},
		{"C7: a refused refresh token is tried once a day: the server may have been wrong", user(),
			token(good(), func(t *state.Token) { t.Expires, t.Rejected = noon.Add(-time.Hour), noon.Add(-30*time.Minute) }),
			Decision{Action: Login, Reason: "refresh token refused on 2026-11-23, next attempt on 2026-11-24"}},
		{"C7: and the day is over", user(),
			token(good(), func(t *state.Token) { t.Expires, t.Rejected = noon.Add(-time.Hour), noon.Add(-24*time.Hour) }),
			Decision{Action: Refresh, Reason: "expired 1h ago, refused on 2026-11-22"}},
		{"C7: refused in the future, by a clock that was wrong", user(),
			token(good(), func(t *state.Token) { t.Expires, t.Rejected = noon.Add(-time.Hour), noon.Add(48*time.Hour) }),
			Decision{Action: Refresh, Reason: "expired 1h ago, refused on 2026-11-25"}},
		{"D8: issued in the future", user(), token(good(), func(t *state.Token) { t.Obtained = noon.Add(time.Hour) }),
			Decision{Action: Refresh, Reason: "it was issued in the future"}},
		{"D8: issued in the future, as far as a clock may be off", user(), token(good(), func(t *state.Token) { t.Obtained = noon.Add(time.Minute) }),
			Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"D8: a consent after the token", user(), token(good(), func(t *state.Token) { t.Authorized = noon.AddDate(900, 0, 0) }),
			Decision{Action: Keep, Reason: "valid for 52m"}},
		{"D8: a consent after the token, which does not say when it was issued", user(), token(good(), func(t *state.Token) { t.Authorized, t.Obtained = noon.AddDate(900, 0, 0), time.Time{} }),
			Decision{Action: Keep, Reason: "valid for 52m"}},
		{"D8: a lifetime of years", user(), token(good(), func(t *state.Token) { t.Obtained, t.Expires = noon, noon.AddDate(3, 0, 0) }),
			Decision{Action: Refresh, Reason: "its lifetime is implausible"}},
		{"refused, but the access token still lives", user(), token(good(), func(t *state.Token) { t.Rejected = noon }),
			Decision{Action: Keep, Reason: "valid for 52m; login refused on " + day(noon)}},
		{"less than min_ttl left, no refresh token", user(), token(good(), func(t *state.Token) { t.Expires, t.Refresh = noon.Add(3*time.Minute), "" }),
			Decision{Action: Login, Reason: "expires in 3m, and there is no refresh token"}},
		{"otherwise", user(), good(), Decision{Action: Keep, Reason: "valid for 52m; login until 2027-05-21"}},
		{"min_ttl 0 uses a token to its end", with(user(), func(p *config.Profile) { p.MinTTL = 0 }), token(good(), func(t *state.Token) { t.Expires = noon.Add(time.Second) }),
			Decision{Action: Keep, Reason: "valid for 1s; login until 2027-05-21"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.p, c.token, noon); got != c.want {
				t.Errorf("Decide = %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestDiscarded checks when a living login would be lost although nobody has asked for
// that.
func TestDiscarded(t *testing.T) {
	seeded := func(p config.Profile, s config.Seed) config.Profile {
		p.RefreshToken = config.Literal(s.Encode())
		return p
	}
	mine := &state.Account{ID: "me"}
	for _, c := range []struct {
		name   string
		p      config.Profile
		change func(*config.Profile, *state.Token)
		want   string
	}{
		{"grant", machine(), nil, "grant changed from authorization_code to client_credentials"},
		{"grant and client id", machine(), func(_ *config.Profile, t *state.Token) { t.ClientID = "old" }, "client ID changed"},
		{"grant, and the login is refused", machine(), func(_ *config.Profile, t *state.Token) { t.Rejected = noon }, ""},
		{"grant, and the login has ended", machine(), func(p *config.Profile, t *state.Token) {
			p.LoginLifetime = 0
			t.Authorized = noon.Add(-config.DefaultLoginLifetime)
		}, ""},
		{"grant, and nobody knows when the login ends", machine(), func(_ *config.Profile, t *state.Token) { t.Authorized = time.Time{} }, "grant changed from authorization_code to client_credentials"},
		{"grant, and there is no refresh token", machine(), func(_ *config.Profile, t *state.Token) { t.Refresh = "" }, ""},
		{"no login before", machine(), func(p *config.Profile, t *state.Token) { *t, p.Client.ID = *machineToken(), config.Literal("new") }, ""},
		{"client id, and a person logs in", user(), func(_ *config.Profile, t *state.Token) { t.ClientID = "old" }, ""},
		{"client id and seed", seeded(user(), config.Seed{Refresh: "AQ-seed"}), func(_ *config.Profile, t *state.Token) { t.ClientID = "old" }, "client ID and refresh_token changed"},
		{"seed", seeded(user(), config.Seed{Refresh: "AQ-seed", Account: "me"}), func(_ *config.Profile, t *state.Token) { t.Account = mine }, ""},
		{"seed of an account that is not known", seeded(user(), config.Seed{Refresh: "AQ-seed"}), func(_ *config.Profile, t *state.Token) { t.Account = mine }, ""},
		{"seed of another account", seeded(user(), config.Seed{Refresh: "AQ-seed", Account: "you"}), func(_ *config.Profile, t *state.Token) { t.Account = mine }, "refresh_token changed to a login of you"},
		{"seed of another account, which is declared", seeded(user(), config.Seed{Refresh: "AQ-seed", Account: "you"}), func(p *config.Profile, t *state.Token) { p.Account, t.Account = "you", mine }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := good()
			if c.change != nil {
				c.change(&c.p, token)
			}
			if got := discarded(c.p, token, Decide(c.p, token, noon), noon); got != c.want {
				t.Errorf("discarded = %q, want %q", got, c.want)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59*time.Second + 999*time.Millisecond: "59s", time.Minute: "1m", 59*time.Minute + 59*time.Second: "59m",
		time.Hour: "1h", 90 * time.Minute: "1h30m", 24*time.Hour - time.Second: "23h59m", 49 * time.Hour: "2d",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
}
