package flow

import (
	"context"

	"tokenform/config"
	"tokenform/flow/state"
)

// OutputAction is what happens to one output.
type OutputAction string

// The actions. Print happens at every apply and changes nothing.
const (
	Create       OutputAction = "create"
	Update       OutputAction = "update"
	KeepOutput   OutputAction = "keep"
	DeleteOutput OutputAction = "delete"
	Print        OutputAction = "print"
)

// Change says what writing would do, or did, to one output.
type Change struct {
	Type   config.OutputType
	Path   string // the absolute path of a file, or the words of a command; empty for a stream
	Shown  string // the path as people know it
	Action OutputAction
	Reason string   // for people, without values: "SPOTIFY_ACCESS_TOKEN differs", "missing"
	Vars   []string // env: the variables it sets or removes, in order
	Got    string   // command: the digest of what the command got, for state to remember
}

// Outputs writes tokens where profiles want them. Package output, which flow never
// imports, implements Outputs.
// The argument recorded is what tokenform has written to all outputs of p so far: see
// [state.Written].
type Outputs interface {
	// Stale says what Write would do for p with the token t, without changing anything.
	// If fresh is set, a token that is not yet known is about to replace t: an output
	// that shows any part of t that a grant renews counts as different. t may be nil,
	// for nothing in state, only if fresh is set.
	Stale(p config.Profile, t *state.Token, recorded []state.Written, fresh bool) ([]Change, error)

	// ClientTokens returns the tokens that other programs have written into outputs of
	// p and that expire later than t. The token that expires last comes first. A file
	// that cannot be read counts as missing.
	ClientTokens(p config.Profile, t *state.Token, recorded []state.Written) []Found

	// Missing returns an error if Write for p is sure to fail, as far as that is known
	// without a token: a person must not log in for an output that cannot be written.
	Missing(p config.Profile) error

	// Remembered returns what state must remember once Write has succeeded for p and t.
	// For a command, that is the digest of what the command got last, which only
	// running the command changes.
	Remembered(p config.Profile, t *state.Token, recorded []state.Written) []state.Written

	// Write brings every output of p in line with t, and takes back the recorded
	// outputs that p no longer declares. Files are written all or none, as far as files
	// allow. If a file cannot be written, no command runs and nothing is printed. The
	// error joins all errors. The changes are those that were made.
	Write(ctx context.Context, p config.Profile, t *state.Token, recorded []state.Written) ([]Change, error)

	// Print writes only what is written at every apply: to standard output, and to
	// the files of GitHub Actions. Print needs no lock.
	Print(p config.Profile, t *state.Token) ([]Change, error)

	// Leftovers says what TakeBack would do, without changing anything.
	Leftovers(p config.Profile, recorded []state.Written) ([]Change, error)

	// TakeBack removes every recorded output that is as tokenform left it.
	TakeBack(ctx context.Context, p config.Profile, recorded []state.Written) ([]Change, error)

	// Holds reports whether the file of an output has one of t's tokens in it.
	Holds(o config.Output, t *state.Token) bool
}
