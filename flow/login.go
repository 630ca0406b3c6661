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

// login asks a person to log in, exchanges the code, checks the account and stores
// the token. The page in the person's browser is answered last, so that the page
// tells what really happened.
func (s *session) login(ctx context.Context, app oauth.App, reason string) (*state.Token, error) {
	if !s.attended() {
		if s.profile.NoSeed != "" {
			reason += "; " + s.profile.NoSeed
		}
		return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "a person must log in: " + reason, Hint: s.unattendedHint(s.token != nil && loginEnded(s.profile, s.token, s.now()))}
	}
	// A person must not log in for a token that cannot be stored. Give the room back
	// while the person takes minutes: to other processes, reserved room looks like a
	// process at work.
	if err := s.reserve(); err != nil {
		return nil, err
	}
	s.entry.Release()
	s.entry.Unlease()
	s.yield()
	select {
	case s.logins <- struct{}{}:
		defer func() { <-s.logins }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	ask, err := s.ask(ctx, app, reason)
	if err != nil {
		return nil, err
	}
	defer ask.close()
	n, err := s.exchange(ctx, app, ask)
	ask.finish(s.profile, n, err)
	return n, err
}

// exchange turns the code into a stored token.
func (s *session) exchange(ctx context.Context, app oauth.App, ask *asking) (*state.Token, error) {
	if err := s.lease(ctx); err != nil {
		return nil, err
	}
	p, t := s.profile, s.token
	if err := s.reserve(); err != nil {
		return nil, err
	}
	sent := s.now()
	sending, done := patient(ctx)
	defer done()
	w, err := app.Exchange(sending, ask.login, ask.code)
	if refused(err) {
		// The code is used up, and only a person can get another one.
		return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "logging in", Err: err, Hint: fault.HintOf(err)}
	}
	if err != nil {
		return nil, &fault.Error{Message: "logging in", Err: err}
	}
	n := s.fromWire(app, carryOver(t), w, sent)
	if n.Refresh == "" {
		return nil, &fault.Error{Message: "logging in: the server sent no refresh token"}
	}
	if n.Scopes == nil {
		n.Scopes = append([]string{}, p.Scopes...) // RFC 6749 section 5.1: as asked
	}
	if missing := MissingScopes(p, n); len(missing) > 0 {
		return nil, lessGranted(missing)
	}
	n.Authorized = n.Obtained
	n.Seed = seedDigest(p)
	// If any account will do, the token is stored before the Web API says whose
	// token this is, so that a kill in between loses nothing. If an account is
	// expected, the old login stays until the account is known.
	if p.Account == "" && (t == nil || t.Account == nil) {
		if err := s.store(n, lostLogin+p.Name); err != nil {
			return nil, err
		}
		if n.Account, err = s.askAccount(ctx, app, nil, n); err != nil {
			return n, err
		}
		if n.Account != nil {
			if err := s.entry.Save(n); err != nil {
				s.warn(p.Name, "the account could not be stored: "+err.Error(), "the login itself is stored")
			}
		}
		return n, s.verify(ctx, app, n)
	}
	if n.Account, err = s.askAccount(ctx, app, t, n); err != nil {
		return nil, err
	}
	if err := s.store(n, lostLogin+p.Name); err != nil {
		return nil, err
	}
	return n, s.verify(ctx, app, n)
}

const lostLogin = "this login is lost: log in again to "

// asking is one attempt to have a person log in.
type asking struct {
	login    oauth.Login
	code     string
	callback *oauth.Callback // nil if only pasting works
	answer   *oauth.Answer   // nil if the code was pasted
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
	o := oauth.Result{OK: err == nil, Profile: p.Name}
	if err != nil {
		o.Message, o.Hint = err.Error(), fault.HintOf(err)
	} else if n.Account != nil {
		o.Account = accountName(n.Account)
	}
	a.answer.Finish(o)
}

// ask shows the authorize URL and waits for the code, from the browser or pasted,
// whichever comes first. The caller must finish and close the attempt.
func (s *session) ask(ctx context.Context, app oauth.App, reason string) (*asking, error) {
	p := s.profile
	a := &asking{}
	prompt := Prompt{Reason: reason, RedirectURI: p.RedirectURI, Registered: p.RedirectURI, App: app.ID, Paste: s.world.Pasted != nil}
	if s.world.Browse != nil && (p.Listen != "" || oauth.Hears(p.RedirectURI)) {
		// The listener is bound before a browser opens, so that no other program gets
		// the answer.
		callback, err := s.listen(ctx)
		if err != nil {
			return nil, err
		}
		callback.Profile = p.Name
		callback.Secured = func() {
			s.warn(p.Name, "the browser asked for https, but the login listener speaks http: the browser changed the address", "change https:// to http:// in the browser's address bar, or paste the address here; if this happens every time, turn off the browser's HTTPS-only mode for this address")
		}
		a.callback = callback
		prompt.RedirectURI, prompt.Short, prompt.Browser = callback.RedirectURI(), callback.StartURL(), true
		prompt.Listener = callback.Address()
	} else if s.world.Pasted == nil {
		return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "the redirect URI " + s.profile.RedirectURI + " does not lead to this program, so you must paste the address", Hint: "use --login paste"}
	}
	a.login = oauth.NewLogin(prompt.RedirectURI, p.Scopes, p.ShowDialog)
	prompt.URL, prompt.Until = app.AuthorizeURL(a.login), s.now().Add(s.options.LoginTimeout)

	ctx, cancel := context.WithTimeout(ctx, s.options.LoginTimeout)
	defer cancel()
	s.world.Voice.Ask(p.Name, prompt)
	defer s.world.Voice.Asked(p.Name)
	err := s.await(ctx, a, prompt)
	if err == nil {
		return a, nil
	}
	a.close()
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.timedOut()
	}
	return nil, err
}

// listen binds the listener for the browser, and waits as for a lock while the login of
// another tokenform has the port.
func (s *session) listen(ctx context.Context) (*oauth.Callback, error) {
	deadline := time.After(s.options.LockTimeout)
	for told := false; ; told = true {
		c, err := oauth.Listen(s.profile.RedirectURI, s.profile.Listen)
		if err == nil || fault.KindOf(err) != fault.Temporary {
			return c, err
		}
		if !told {
			s.warn(s.profile.Name, err.Error()+"; waiting for that login to end", fault.HintOf(err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline:
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// await waits for the code of the attempt a.
func (s *session) await(ctx context.Context, a *asking, prompt Prompt) error {
	p := s.profile
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type heard struct {
		answer *oauth.Answer
		err    error
	}
	browser := make(chan heard, 2) // one for the listener and one for the browser
	if a.callback != nil {
		go func() {
			defer fault.Crash()
			answer, err := a.callback.Wait(ctx, prompt.URL, a.login.State)
			browser <- heard{answer, err}
		}()
		go func() {
			defer fault.Crash()
			err := s.world.Browse(ctx, prompt.Short)
			if _, final := errors.AsType[*fault.Error](err); final {
				browser <- heard{err: err}
			} else if err != nil && ctx.Err() == nil {
				s.warn(p.Name, "cannot open a browser: "+err.Error(), "open the address above yourself; the variable BROWSER can name a program for next time")
			}
		}()
	}
	var pasted <-chan string
	if s.world.Pasted != nil {
		pasted = s.world.Pasted()
	}
	slow := time.NewTimer(slowLogin)
	defer slow.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-slow.C:
			s.world.Voice.Hint(s.likelyCauses())
		case h := <-browser:
			if h.err != nil {
				return loginError(h.err)
			}
			a.answer, a.code = h.answer, h.answer.Code
			return nil
		case line, ok := <-pasted:
			if !ok {
				if a.callback == nil {
					return &fault.Error{Kind: fault.LoginNeeded, Message: "standard input ended before an address was pasted", Hint: "paste the complete address from the browser's address bar"}
				}
				pasted = nil // no more lines come, but the browser may still answer
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
				return loginError(err)
			}
			s.world.Voice.Misanswered(p.Name, err.Error())
		}
	}
}

// loginError adds "logging in" to the refusal of the user or the server. loginError returns
// other errors as they are.
func loginError(err error) error {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return &fault.Error{Message: "logging in", Err: e}
	}
	return err
}

// slowLogin is how long most logins take at most. After that, something may be wrong.
const slowLogin = 20 * time.Second

func (s *session) timedOut() error {
	return &fault.Error{
		Kind:    fault.LoginNeeded,
		Message: fmt.Sprintf("no login within %s", s.options.LoginTimeout.Round(time.Second)),
		Hint:    s.likelyCauses() + "; otherwise run apply again, with a longer --login-timeout",
	}
}

// likelyCauses says why the browser may never come back: Spotify shows mistakes of the
// app's settings on its own page, and calls nobody back.
func (s *session) likelyCauses() string {
	return "if Spotify's page shows an error: register exactly " + s.profile.RedirectURI +
		" in the app's settings at https://developer.spotify.com/dashboard and press Save, and check client.id and scopes"
}
