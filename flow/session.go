package flow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/config/paths"
	"tokenform/flow/oauth"
	"tokenform/flow/state"
)

// session is one profile under its lock. Every grant is a method of session, and stores
// the token that the server grants.
type session struct {
	*Runner
	profile  config.Profile
	entry    *state.Entry
	token    *state.Token    // as read under the lock; nil if there is none
	recorded []state.Written // the outputs that state remembers
	found    Found           // the client's token to adopt, if the decision is Adopt
	adopted  *state.Token    // what token becomes once found is adopted
	yield    func()          // lets other profiles go on while the session waits for a person
	doubt    error           // why the Web API has not said whether the token is good; nil if it has, or nobody asked
}

// noticeable is how long a wait for a lock lasts before people are told of the wait.
const noticeable = 500 * time.Millisecond

// lock takes p's lock and reads p's token. If lease is set, lock also takes the lock of a
// shared login, as [session.lease] does. The caller must unlock the session.
func (r *Runner) lock(ctx context.Context, p config.Profile, lease bool, yield func()) (*session, error) {
	entry, err := r.stateOf(p).Lock(ctx, p.Name, r.holder(), state.Waiting{
		Timeout: r.options.LockTimeout,
		After:   noticeable,
		Tell:    func(h state.Holder) { r.world.Voice.Waiting(p.Name, h) },
		Warn:    func(text, hint string) { r.warn(p.Name, text, hint) },
	})
	if err != nil {
		return nil, err
	}
	if lease {
		if err := entry.Lease(ctx); err != nil {
			entry.Unlock()
			return nil, err
		}
	}
	if dir := r.stateOf(p).Dir(); entry.Made && paths.WithoutPermissions(dir) {
		r.warn(p.Name, config.LooseText(dir), config.LooseHint)
	}
	s := &session{Runner: r, profile: p, entry: entry, yield: yield}
	if err := s.read(); err != nil {
		entry.Unlock()
		return nil, err
	}
	return s, nil
}

// read reads what state has of the profile, under the lock.
func (s *session) read() (err error) {
	if s.profile.MovedFrom != "" {
		if err := s.takeOver(); err != nil {
			return err
		}
	}
	if s.token, err = s.entry.Token(); err == nil {
		err = s.checkOwner(s.profile, s.token)
	}
	if err == nil {
		err = s.checkMigrated(s.profile, s.token)
	}
	if err != nil || s.options.Outputs == IgnoreOutputs {
		return err
	}
	recorded, strayed, err := s.entry.Outputs(s.profile.Dir, s.token)
	s.recorded = asDeclared(s.profile, recorded)
	for _, path := range strayed {
		if !slices.ContainsFunc(s.profile.Outputs, func(o config.Output) bool { return o.Path == path }) {
			s.warn(s.profile.Name, path+" was written before the project was moved or copied: tokenform no longer touches it", "delete it if you do not need it")
		}
	}
	return err
}

func (s *session) unlock() { s.entry.Unlock() }

// lease takes the lock of a shared login, and reads the login again: another machine may
// have changed it. Nothing is granted without the lease.
func (s *session) lease(ctx context.Context) error {
	if s.entry.Leased() {
		return nil
	}
	if err := s.entry.Lease(ctx); err != nil {
		return err
	}
	return s.read()
}

// log notes in the event log what was done to the login, of which t is the result.
func (s *session) log(a Action, t *state.Token) {
	s.entry.Log(state.Event{Time: s.now().UTC().Truncate(time.Second), Action: string(a), Serial: t.Serial, Command: s.options.Command})
}

// holder describes this process to others that wait for its lock.
func (r *Runner) holder() state.Holder {
	// UTC, because another zone in the lock file would need that zone's rules.
	return state.Holder{Command: r.options.Command, Since: r.now().UTC()}
}

// decide decides again what forecast decided without the lock. decide fetches the
// profile's values first if a grant needs them.
func (s *session) decide(ctx context.Context, forecast Outcome, o *Outcome) error {
	decide := func() Decision {
		var d Decision
		d, s.found, s.adopted = s.adoptable(s.profile, s.token, s.recorded, s.Runner.decide(s.profile, s.token))
		if !d.grants() && forecast.Refused && s.token.Access == forecast.Token.Access {
			return replaceRefused(s.profile, s.token, s.now())
		}
		return d
	}
	o.Token, o.Decision = s.token, decide()
	if o.Decision.grants() {
		if err := resolveValues(ctx, s.profile); err != nil {
			return err
		}
		o.Decision = decide() // now that every value is known
	}
	return nil
}

// carryOut runs the decided grant and stores the granted token before anybody sees the
// token. If a token was stored, carryOut returns the token even with an error. If the
// server refuses a refresh and a person is there, carryOut asks for a login and sets d
// to that login.
func (s *session) carryOut(ctx context.Context, d *Decision) (*state.Token, error) {
	switch d.Action {
	case Adopt:
		return s.adopt(ctx, d)
	case Verify:
		return s.verifyStored(ctx, d)
	}
	app, err := s.app(ctx, s.profile)
	if err != nil {
		return nil, err
	}
	switch d.Action {
	case Request:
		return s.request(ctx, app)
	case Refresh:
		from, err := s.refreshSource(ctx, *d)
		if err != nil {
			return nil, err
		}
		n, err := s.refresh(ctx, app, from)
		if !refused(err) {
			return n, err
		}
		if d.Seed && s.token != nil && s.token.Refresh != "" {
			return s.withoutSeed(ctx, from.refresh, err, d)
		}
		if !s.attended() {
			return nil, &fault.Error{Kind: fault.LoginNeeded, Message: "refreshing", Err: err, Hint: s.unattendedHint(true)}
		}
		*d = Decision{Action: Login, Reason: reasonOf(err)}
	}
	return s.login(ctx, app, d.Reason)
}

// withoutSeed continues with the stored login after the server has refused the
// profile's refresh_token: a variable that nobody has cleaned up must not stop a good
// login.
func (s *session) withoutSeed(ctx context.Context, seed string, refusal error, d *Decision) (*state.Token, error) {
	s.token.RefusedSeed = state.Digest(seed)
	if err := s.entry.Save(s.token); err != nil {
		return nil, err
	}
	s.warn(s.profile.Name, "the profile's refresh_token is refused: "+reasonOf(refusal)+"; the stored login stays in use", "remove refresh_token from the profile, or give it the refresh token of a new login")
	if *d = s.Runner.decide(s.profile, s.token); d.Action == Keep {
		return s.token, nil
	}
	return s.carryOut(ctx, d)
}

// write brings the outputs in line with the token, and state in line with the
// outputs.
func (s *session) write(ctx context.Context, o *Outcome) error {
	outputs := s.world.Outputs
	if needsSecret(s.profile) {
		// The outputs and their record both need the secret.
		if err := resolveValues(ctx, s.profile); err != nil {
			return err
		}
	}
	// Remember each output before the write: nobody could take back an output that was
	// written but not remembered.
	before := s.recorded
	want := outputs.Remembered(s.profile, o.Token, before)
	if !covers(s.recorded, want) {
		if err := s.remember(merge(s.recorded, want)); err != nil {
			return err
		}
	}
	if source, moved := declaredIn(s.profile, o.Token); !o.Done && moved {
		o.Token.Source = source
		if err := s.entry.Save(o.Token); err != nil {
			return err
		}
	}
	changes, err := outputs.Write(ctx, s.profile, o.Token, before)
	o.Outputs = changes
	ran := merge(s.recorded, nil)
	for _, c := range changes {
		if c.Got != "" {
			ran = merge(ran, []state.Written{{Type: string(c.Type), Path: c.Path, Digest: c.Got}})
		}
	}
	if err != nil {
		if !covers(s.recorded, ran) { // the next apply must not run a command again for a token that the command already has
			err = errors.Join(err, s.remember(ran))
		}
		return err
	}
	want = outputs.Remembered(s.profile, o.Token, ran)
	if len(s.recorded) != len(want) || !covers(want, s.recorded) || !covers(s.recorded, want) {
		return s.remember(want) // the outputs that are no longer declared have been taken back
	}
	return nil
}

// remember records list in state as what is written to the outputs.
func (s *session) remember(list []state.Written) error {
	if err := s.entry.SaveOutputs(list, s.profile.Dir); err != nil {
		return err
	}
	s.recorded = list
	return nil
}

// request runs the client credentials grant.
func (s *session) request(ctx context.Context, app oauth.App) (*state.Token, error) {
	if err := s.reserve(); err != nil {
		return nil, err
	}
	sent := s.now()
	w, err := app.ClientCredentials(ctx)
	if err != nil {
		return nil, &fault.Error{Message: "requesting a token", Err: err}
	}
	n := s.fromWire(app, carryOver(s.token), w, sent)
	if err := s.store(n, "the next apply requests another one"); err != nil {
		return nil, err
	}
	return n, s.verify(ctx, app, n)
}

// reserve makes sure that a shared login is locked, and that state has room for the answer
// to a grant. Call reserve before
// the grant: a rotated refresh token that cannot be stored is a lost login.
func (s *session) reserve() error {
	if err := s.entry.Renew(); err != nil {
		return err
	}
	if err := s.entry.Reserve(); err != nil {
		return &fault.Error{Message: "a token could not be stored", Err: err, Hint: cmp.Or(fault.HintOf(err), "free some space or make it writable, then apply again; no request was sent to Spotify")}
	}
	return nil
}

// store saves n. Once store has returned nil, the token survives a kill and a power
// cut. If store fails, the caller must show n to nobody; loss tells people in the hint
// what is lost.
func (s *session) store(n *state.Token, loss string) error {
	n.Source, _ = declaredIn(s.profile, n)
	if s.token != nil {
		n.Retire(s.token.Refresh)
	}
	err := s.entry.Save(n)
	if kept, aside := errors.AsType[*state.AsideError](err); aside {
		return &fault.Error{
			Kind:    fault.Temporary,
			Message: "the token was granted and is kept in " + kept.Path + ", because it could not be stored",
			Err:     kept.Err,
			Hint:    "run the command again on this machine: it stores that token first",
		}
	}
	if errors.Is(err, state.ErrSuperseded) {
		return err // another machine has stored a login
	}
	if err != nil {
		return &fault.Error{Kind: fault.Failed, Message: "the token was granted but cannot be stored", Err: err, Hint: "free some space or make it writable, then apply again; " + loss}
	}
	return nil
}

func lessGranted(missing []string) error {
	return &fault.Error{
		Message: "Spotify granted fewer scopes than declared; missing: " + strings.Join(missing, " "),
		Hint:    "log in again and allow them, or remove them from scopes",
	}
}

// unattendedHint says how to log in if nobody can log in at this machine, one line for
// each step. ended says that there was a login: apply alone may keep its access token.
func (s *session) unattendedHint(ended bool) string {
	apply := []string{"apply"}
	if ended || s.options.Renew {
		apply = append(apply, "--renew")
	}
	if !s.options.Invocation.CI {
		return "in a terminal, run: " + s.command(s.profile, apply...) + `
without a terminal: add --login browser or --login paste, or run tokenform login --print
for a pipeline: tokenform help ci`
	}
	there := s.options.Invocation.Elsewhere()
	seed := there.Command("token", "-p", s.profile.Name, "--format", "seed")
	hint := "on a machine with a browser, run: " + seed
	if ended {
		hint = "on a machine with a browser, run: " + there.Command(append(apply, "-p", s.profile.Name)...) + "\nthen: " + seed
	}
	hint += "\nstore its output here as the secret SPOTIFY_REFRESH_TOKEN"
	if s.profile.NoSeed == "" && s.profile.RefreshToken == nil {
		hint += "\nadd to the profile: refresh_token: ${SPOTIFY_REFRESH_TOKEN:-}"
	}
	return hint
}
