package flow

import (
	"tokenform/config"
	"tokenform/flow/state"
)

// Outcome is what a run found out about one profile, decided and did.
type Outcome struct {
	Profile  config.Profile
	Token    *state.Token // in state now; nil if there is none
	Decision Decision
	Outputs  []Change // planned, or made
	Done     bool     // the decision was carried out and its token is stored
	Moves    bool     // the state is still kept under the profile's former name
	Refused  bool     // the Web API refuses the token, as [Runner.Check] found
	Litter   bool     // destroy: a killed process has left a token, or part of one
	Err      error    // why planning or applying the profile failed

	recorded []state.Written // the outputs that state remembers
}

// Due reports whether apply would change anything: a token or an output.
// Printing is no change.
func (o Outcome) Due() bool {
	if o.Moves || o.Err == nil && o.Decision.Action != Keep && o.Decision.Action != Leave {
		return true
	}
	for _, c := range o.Outputs {
		if c.Action != KeepOutput && c.Action != Print {
			return true
		}
	}
	return false
}

// Stored reports whether destroy has something to delete or take back.
func (o Outcome) Stored() bool {
	return o.Err == nil && (o.Token != nil || o.recorded != nil || o.Litter)
}

// Errors returns the errors of outcomes, nil ones included.
func Errors(outcomes []Outcome) []error {
	errs := make([]error, len(outcomes))
	for i := range outcomes {
		errs[i] = outcomes[i].Err
	}
	return errs
}
