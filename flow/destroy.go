package flow

import (
	"context"

	"tokenform/config"
	"tokenform/flow/state"
)

// Remains is what tokenform has of one profile: what destroy takes away.
type Remains struct {
	Profile config.Profile
	Token   *state.Token // nil: none
	Litter  bool         // a killed process has left a token, or part of one
	Changes []Change     // to its outputs, planned or made
	Err     error
}

// Any reports whether there is something to take away.
func (r Remains) Any() bool { return r.Err == nil && (r.Token != nil || r.Litter) }

// Remains looks at what there is of each profile.
func (r *Runner) Remains(profiles []config.Profile) []Remains {
	remains := make([]Remains, len(profiles))
	for i, p := range profiles {
		x := Remains{Profile: p, Litter: r.store(p).Littered(p.Name)}
		t, err := r.store(p).Read(p.Name)
		switch {
		case err != nil:
			x.Err = err
		case t != nil:
			x.Token = t
			if x.Changes, x.Err = r.Outputs.Leftovers(p, t); x.Err != nil {
				x.Changes = nil // nothing will be done
			}
		}
		remains[i] = x
	}
	return remains
}

// Destroy takes back the outputs that tokenform wrote and then deletes the
// state, each profile under its lock. Where an output cannot be taken back its
// profile's state stays, so that destroy can be run again.
func (r *Runner) Destroy(ctx context.Context, remains []Remains) []Remains {
	done := make([]Remains, len(remains))
	for i, x := range remains {
		if x.Any() {
			x.Changes, x.Err = r.destroy(ctx, x.Profile)
		}
		done[i] = x
	}
	return done
}

func (r *Runner) destroy(ctx context.Context, p config.Profile) ([]Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entry, err := r.lock(ctx, p)
	if err != nil {
		return nil, err
	}
	defer entry.Unlock()
	t, err := entry.Token()
	if err != nil {
		return nil, err
	}
	var changes []Change
	if t != nil {
		if changes, err = r.Outputs.TakeBack(ctx, p, t); err != nil {
			return changes, err
		}
	}
	if err := entry.Delete(); err != nil {
		return changes, err
	}
	return changes, nil
}
