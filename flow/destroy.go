package flow

import (
	"context"
	"slices"

	"tokenform/config"
	"tokenform/flow/state"
)

// PlanDestroy says what state has of each profile, and what [Runner.Destroy] would do
// to the profile's outputs.
func (r *Runner) PlanDestroy(ctx context.Context, profiles []config.Profile) []Outcome {
	outcomes := make([]Outcome, len(profiles))
	for i, p := range profiles {
		o := Outcome{Profile: p, Litter: r.stateOf(p).Littered(p.Name)}
		if o.Token, o.recorded, o.Err = r.readState(ctx, p); o.Err == nil && (o.Token != nil || o.recorded != nil) {
			if o.Outputs, o.Err = r.world.Outputs.Leftovers(p, o.recorded); o.Err != nil {
				o.Outputs = nil // nothing will be done
			}
		}
		outcomes[i] = o
	}
	return outcomes
}

// Destroy takes back the outputs that tokenform wrote and then deletes the
// state, each profile under its lock. If an output cannot be taken back, its
// profile's state stays, so that destroy can be run again.
func (r *Runner) Destroy(ctx context.Context, planned []Outcome) []Outcome {
	outcomes := make([]Outcome, len(planned))
	for i, o := range planned {
		if o.Stored() {
			o.Outputs, o.Err = r.destroy(ctx, o.Profile)
		}
		outcomes[i] = o
	}
	return outcomes
}

func (r *Runner) destroy(ctx context.Context, p config.Profile) (made []Change, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := r.lock(ctx, p, true, func() {})
	if err != nil {
		return nil, err
	}
	defer s.unlock()
	if made, err = r.world.Outputs.TakeBack(ctx, p, s.recorded); err != nil {
		return made, err
	}
	s.warnOfRest()
	return made, s.entry.Delete()
}

// warnOfRest names the declared files that still hold the login's tokens: without its
// record, which may be lost, an output is not taken back.
func (s *session) warnOfRest() {
	if s.token == nil {
		return
	}
	for _, o := range s.profile.Outputs {
		if o.Path == "" || slices.ContainsFunc(s.recorded, func(w state.Written) bool { return w.Path == o.Path }) {
			continue
		}
		if s.world.Outputs.Holds(o, s.token) {
			s.warn(s.profile.Name, o.Shown+" still contains the token: tokenform has no record of having written it", "delete it if you do not need it")
		}
	}
}
