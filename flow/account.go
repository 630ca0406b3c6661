package flow

import (
	"context"
	"fmt"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// askAccount asks the Web API who logged in. askAccount refuses everybody but
// the declared account or, if none is declared, the account of t.
func (s *session) askAccount(ctx context.Context, app oauth.App, t, n *state.Token) (*state.Account, error) {
	p := s.profile
	me, err := app.Me(ctx, n.Access)
	if err != nil {
		if p.Account != "" {
			return nil, &fault.Error{Message: "the profile requires the account " + p.Account + ", but the Web API does not say who logged in", Err: err}
		}
		s.warn(p.Name, "the Web API does not say who logged in: "+reasonOf(err), fault.HintOf(err))
		if t != nil && t.ClientID == n.ClientID {
			return t.Account, nil
		}
		return nil, nil
	}
	got := accountOf(me)
	const cure = "log out at https://www.spotify.com/account or set show_dialog: true, then log in with the right account"
	switch ok, known := accountFits(p, t, got); {
	case ok || !known:
	case p.Account != "":
		return nil, &fault.Error{Message: fmt.Sprintf("%s logged in, but the profile requires the account %s; nothing was stored", accountName(got), p.Account), Hint: cure}
	default:
		return nil, &fault.Error{
			Message: fmt.Sprintf("%s logged in, but this profile belongs to %s; nothing was stored", accountName(got), accountName(t.Account)),
			Hint:    cure + "; to change accounts, set account: " + me.ID,
		}
	}
	n.Verified = true
	s.world.Voice.LoggedIn(p.Name, accountName(got))
	return got, nil
}

func accountOf(me oauth.Me) *state.Account {
	return &state.Account{ID: me.ID, AccountID: me.AccountID, Name: me.Name}
}

// accountFits reports whether got is the account that p declares or, if p declares
// none, the account of t. known is false if there is no account to compare with.
func accountFits(p config.Profile, t *state.Token, got *state.Account) (ok, known bool) {
	switch {
	case p.Account != "":
		return p.Account == got.ID || p.Account == got.AccountID, true
	case t != nil && t.Account != nil:
		return sameAccount(t.Account, got), true
	}
	return false, false
}

func sameAccount(a, b *state.Account) bool {
	if a.AccountID != "" && b.AccountID != "" {
		return a.AccountID == b.AccountID
	}
	return a.ID == b.ID
}

// accountName returns how an account is shown: with its display name, if any, and
// its id.
func accountName(a *state.Account) string {
	if a.Name == "" || a.Name == a.ID {
		return a.ID
	}
	return a.Name + " (" + a.ID + ")"
}
