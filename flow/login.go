package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// login asks a person to log in, exchanges the code, makes sure that it is the
// right account and stores the token. The page that the person ends on is
// answered last, so that it tells what really happened.
func (r *Runner) login(ctx context.Context, p config.Profile, app oauth.App, entry *state.Entry, t *state.Token, reason string, free func()) (*state.Token, error) {
	if !r.attended() {
		return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "a person must log in: " + reason, Hint: r.unattendedHint(p)}
	}
	// Nobody is asked to log in for what cannot be stored. What is reserved for as
	// long as a person takes would look like another process at work.
	if err := reserve(entry); err != nil {
		return nil, err
	}
	entry.Release()
	free() // a person takes minutes: let other profiles go on
	select {
	case r.logins <- struct{}{}:
		defer func() { <-r.logins }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	ask, err := r.ask(ctx, p, app, reason)
	if err != nil {
		return nil, err
	}
	defer ask.close()
	n, err := r.exchange(ctx, p, app, entry, t, ask)
	ask.finish(p, n, err)
	return n, err
}

// exchange turns the code into a stored token.
func (r *Runner) exchange(ctx context.Context, p config.Profile, app oauth.App, entry *state.Entry, t *state.Token, ask *asking) (*state.Token, error) {
	if err := reserve(entry); err != nil {
		return nil, err
	}
	sent := r.Now()
	sending, done := patient(ctx)
	defer done()
	w, err := app.Exchange(sending, ask.login, ask.code)
	if refused(err) {
		// The code is good no more, and only a person can get another one.
		return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "logging in", Err: err, Hint: fault.HintOf(err)}
	}
	if err != nil {
		return nil, &fault.Error{Message: "logging in", Err: err}
	}
	n := r.absorb(p, app, bare(t), w, sent)
	if n.Refresh == "" {
		return nil, &fault.Error{Message: "logging in: the server sent no refresh token"}
	}
	if n.Scopes == nil {
		n.Scopes = append([]string{}, p.Scopes...) // RFC 6749 section 5.1: as asked
	}
	if missing := Missing(p, n); len(missing) > 0 {
		return nil, lessGranted(missing)
	}
	n.Authorized = n.Obtained
	n.Seed = seedDigest(p)
	// Where any account will do, the token is stored before the Web API is asked
	// whose it is: being killed meanwhile then loses nothing. Where an account is
	// expected the old login, if there is one, stays until that is known.
	if p.Account == "" && (t == nil || t.Account == nil) {
		if err := r.keep(entry, p, n, lostLogin+p.Name); err != nil {
			return nil, err
		}
		if n.Account, err = r.account(ctx, p, app, nil, n); err != nil || n.Account == nil {
			return n, err
		}
		if err := entry.Save(n); err != nil {
			r.warn(p.Name, "the account is not remembered: "+err.Error(), "the login itself is stored")
		}
		return n, nil
	}
	if n.Account, err = r.account(ctx, p, app, t, n); err != nil {
		return nil, err
	}
	if err := r.keep(entry, p, n, lostLogin+p.Name); err != nil {
		return nil, err
	}
	return n, nil
}

const lostLogin = "this login is lost and must be repeated for "

// account asks who logged in, and refuses anybody but the declared account or
// the one that was logged in before.
func (r *Runner) account(ctx context.Context, p config.Profile, app oauth.App, t, n *state.Token) (*state.Account, error) {
	me, err := app.Me(ctx, n.Access)
	if err != nil {
		if p.Account != "" {
			return nil, &fault.Error{Message: "the profile wants the account " + p.Account + ", and the Web API does not say who logged in", Err: err}
		}
		r.warn(p.Name, "the Web API does not say who logged in: "+reasonOf(err), fault.HintOf(err))
		if t != nil && t.ClientID == n.ClientID {
			return t.Account, nil
		}
		return nil, nil
	}
	got := accountOf(me)
	const cure = "log out at https://www.spotify.com/account or set show_dialog: true, then log in with the right account"
	switch ok, known := expected(p, t, got); {
	case ok || !known:
	case p.Account != "":
		return nil, &fault.Error{Message: fmt.Sprintf("%s logged in, but the profile wants the account %s; nothing is stored", name(got), p.Account), Hint: cure}
	default:
		return nil, &fault.Error{
			Message: fmt.Sprintf("%s logged in, but this profile belongs to %s; nothing is stored", name(got), name(t.Account)),
			Hint:    cure + "; to change accounts, set account: " + me.ID,
		}
	}
	r.notify(Event{Kind: LoggedIn, Profile: p.Name, Text: name(got)})
	return got, nil
}

func accountOf(me oauth.Me) *state.Account {
	return &state.Account{ID: me.ID, AccountID: me.AccountID, Name: me.Name}
}

// expected reports whether got is the account that p declares, or else the one
// that t is of; where neither is known, so is the answer.
func expected(p config.Profile, t *state.Token, got *state.Account) (ok, known bool) {
	switch {
	case p.Account != "":
		return p.Account == got.ID || p.Account == got.AccountID, true
	case t != nil && t.Account != nil:
		return same(t.Account, got), true
	}
	return false, false
}

func same(a, b *state.Account) bool {
	if a.AccountID != "" && b.AccountID != "" {
		return a.AccountID == b.AccountID
	}
	return a.ID == b.ID
}

// name is how an account is shown: its display name where it has one, and its id.
func name(a *state.Account) string {
	if a.Name == "" || a.Name == a.ID {
		return a.ID
	}
	return a.Name + " (" + a.ID + ")"
}

// asking is one attempt to have a person log in.
type asking struct {
	login    oauth.Login
	code     string
	callback *oauth.Callback // nil where only pasting works
	answer   *oauth.Answer   // nil where the code was pasted
}

func (a *asking) close() {
	if a.callback != nil {
		_ = a.callback.Close()
	}
}

// finish lets the browser show how the login ended.
func (a *asking) finish(p config.Profile, n *state.Token, err error) {
	if a.answer == nil {
		return
	}
	o := oauth.Outcome{OK: err == nil, Profile: p.Name}
	if err != nil {
		o.Message, o.Hint = err.Error(), fault.HintOf(err)
	} else if n.Account != nil {
		o.Account = name(n.Account)
	}
	a.answer.Finish(o)
}

// ask shows the authorize URL and waits for the code, from the browser or
// pasted, whichever comes first. The caller must close and finish what it
// returns.
func (r *Runner) ask(ctx context.Context, p config.Profile, app oauth.App, reason string) (*asking, error) {
	a := &asking{}
	prompt := Prompt{Reason: reason, RedirectURI: p.RedirectURI, Paste: r.Pasted != nil}
	if r.Browse != nil && (p.Listen != "" || oauth.Hears(p.RedirectURI)) {
		// The listener is bound before anything opens: nobody else may get the answer.
		callback, err := oauth.Listen(p.RedirectURI, p.Listen)
		if err != nil {
			return nil, err
		}
		callback.Profile = p.Name
		a.callback = callback
		prompt.RedirectURI, prompt.Short, prompt.Browser = callback.RedirectURI(), callback.StartURL(), true
	} else if r.Pasted == nil {
		return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "the redirect URI " + p.RedirectURI + " leads to no listener of ours, so its address must be pasted", Hint: "use --login paste"}
	}
	a.login = oauth.NewLogin(prompt.RedirectURI, p.Scopes, p.ShowDialog)
	prompt.URL, prompt.Until = app.AuthorizeURL(a.login), r.Now().Add(r.LoginTimeout)

	ctx, cancel := context.WithTimeout(ctx, r.LoginTimeout)
	defer cancel()
	r.notify(Event{Kind: Asking, Profile: p.Name, Prompt: prompt})
	defer r.notify(Event{Kind: Asked, Profile: p.Name})
	err := r.await(ctx, p, a, prompt)
	if err == nil {
		return a, nil
	}
	a.close()
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.timedOut(p)
	}
	return nil, err
}

// await fills in a's code.
func (r *Runner) await(ctx context.Context, p config.Profile, a *asking, prompt Prompt) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type heard struct {
		answer *oauth.Answer
		err    error
	}
	browser := make(chan heard, 2) // the listener's word and the browser's
	if a.callback != nil {
		go func() {
			answer, err := a.callback.Wait(ctx, prompt.URL, a.login.State)
			browser <- heard{answer, err}
		}()
		go func() {
			err := r.Browse(ctx, prompt.Short)
			if _, final := errors.AsType[*fault.Error](err); final {
				browser <- heard{err: err}
			} else if err != nil && ctx.Err() == nil {
				r.warn(p.Name, "no browser could be opened: "+err.Error(), "open the address above yourself")
			}
		}()
	}
	var pasted <-chan string
	if r.Pasted != nil {
		pasted = r.Pasted()
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case h := <-browser:
			if h.err != nil {
				return declined(h.err)
			}
			a.answer, a.code = h.answer, h.answer.Code
			return nil
		case line, ok := <-pasted:
			if !ok {
				if a.callback == nil {
					return &fault.Error{Kind: fault.LoginNeeded, Message: "standard input ended before the address came", Hint: "paste the whole address that the browser ended at"}
				}
				pasted = nil // the browser may still answer
				continue
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			code, err := oauth.ParseAnswer(line, prompt.RedirectURI, a.login.State)
			if err == nil {
				a.code = code
				return nil
			}
			if _, ended := errors.AsType[*oauth.Error](err); ended {
				return declined(err)
			}
			r.notify(Event{Kind: Misanswered, Profile: p.Name, Text: err.Error()})
		}
	}
}

// declined says what was under way when the user or the server ended the login.
// Any other end of waiting speaks for itself.
func declined(err error) error {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return &fault.Error{Message: "logging in", Err: e}
	}
	return err
}

// timedOut lists why Spotify's page may never have led back: its mistakes stay
// on that page, and the callback never fires (spotify.md).
func (r *Runner) timedOut(p config.Profile) error {
	return &fault.Error{
		Kind:    fault.LoginNeeded,
		Message: fmt.Sprintf("no login within %s", r.LoginTimeout.Round(time.Second)),
		Hint: "if Spotify's page showed an error: register exactly " + p.RedirectURI +
			" in the app's settings at https://developer.spotify.com/dashboard and press Save, and check client.id and scopes; else run apply again, with --login-timeout for more time",
	}
}
