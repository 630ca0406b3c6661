package output

import (
	"context"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// sinks has a line for each output type. A sink is a [fileSink], a [commandSink] or
// a [streamSink].
var sinks = [...]struct {
	of   config.OutputType
	sink any
}{
	{config.EnvOutput, envSink{}},
	{config.JSONOutput, jsonSink{}},
	{config.TemplateOutput, templateSink{}},
	{config.CommandOutput, processSink{}},
	{config.StdoutOutput, stdoutSink{}},
	{config.GitHubOutput, gitHubSink{}},
}

// sinkOf returns the sink of an output type, or nil for a type that this program
// does not know.
func sinkOf(kind config.OutputType) any {
	for _, s := range sinks {
		if s.of == kind {
			return s.sink
		}
	}
	return nil
}

// fileSink writes a file. The files of a profile are written together, all or none.
type fileSink interface {
	// edit says what becomes of the file, which holds old now.
	edit(x target, old *file) (edit, error)

	// remembered returns what state must remember of the file once it is written. ok
	// is false for a file that is not ours to write.
	remembered(x target) (w state.Written, ok bool)

	// takeBack says what becomes of a file that was written before and is no longer
	// declared. Only content that is as tokenform left it is taken back.
	takeBack(w state.Written, old *file, others ownedByOther) (edit, error)
}

// commandSink runs a command if what the command gets has changed. Commands run
// after the files are written.
type commandSink interface {
	// change says whether the command must run.
	change(x target) (flow.Change, error)

	// run runs the command if it must run.
	run(ctx context.Context, x target) ([]flow.Change, error)

	// remembered returns what state must remember of the command. ok is false if the
	// command never ran.
	remembered(x target) (w state.Written, ok bool)
}

// streamSink prints at each apply, after everything else.
type streamSink interface {
	// shown is what people call the stream.
	shown(o config.Output) string

	// missing returns an error if print is sure to fail, as far as that is known
	// without a token.
	missing(f *Files, o config.Output) error

	print(f *Files, x target) error
}

// target is one output of a profile and the token for it.
type target struct {
	profile       config.Profile
	output        config.Output
	token         *state.Token    // nil means that the token is yet to come
	stored        *state.Token    // the token in state; nil means that there is none
	recorded      []state.Written // what tokenform has written to all outputs of the profile so far
	otherProfiles ownedByOther
	stagingDir    string                 // where new content for files waits
	otherRealms   func() []state.Written // returns what runs in other realms have written
	neighbours    func() []state.Written // returns what runs for other profiles in the state directory have written
}

// last returns what tokenform last wrote to the output, or nil.
func (x target) last() *state.Written {
	return state.Find(x.recorded, string(x.output.Type), x.output.Path)
}

// value returns the text of a field, as [value] does.
func (x target) value(field string) (text string, known bool) {
	return value(x.profile, x.token, field)
}

// newChange returns the change for the output, for the caller to complete.
func (x target) newChange(action flow.OutputAction) flow.Change {
	return flow.Change{Type: x.output.Type, Path: x.output.Path, Shown: x.output.Shown, Action: action}
}

// ownedByOther reports whether another profile has written the file or, in an env file, the
// variable: the content may look like this profile's.
type ownedByOther func(variable string) bool
