package output

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"tokenform/config"
	"tokenform/config/paths"
	"tokenform/flow"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state"
)

// Files writes tokens to the outputs that profiles declare.
type Files struct {
	Out  io.Writer                        // for stdout outputs
	Err  io.Writer                        // for the masks of github outputs
	Env  func(string) (string, bool)      // the process environment
	Warn func(profile, text, hint string) // called concurrently

	// Declared returns all declared profiles. Files does not take back for one profile
	// what another declared profile has written. nil means that there are no others.
	Declared func() []config.Profile
	Realm    state.Realm

	out sync.Mutex // one profile prints at a time
}

var _ flow.Outputs = (*Files)(nil)

// Stale implements [flow.Outputs].
func (f *Files) Stale(p config.Profile, t *state.Token, recorded []state.Written, fresh bool) ([]flow.Change, error) {
	stored := t
	if fresh {
		t = nil
	}
	var changes, prints []flow.Change
	var errs []error
	for _, x := range f.targets(p, t, recorded) {
		x.stored = stored
		var change flow.Change
		var err error
		switch sink := sinkOf(x.output.Type).(type) {
		case streamSink:
			change = printing(sink, x)
			if sink.missing(f, x.output) != nil {
				change.Reason = "not set here"
			}
			prints = append(prints, change)
			continue
		case commandSink:
			change, err = sink.change(x)
		case fileSink:
			if err = f.leaveReal(x); err != nil {
				break
			}
			var e edit
			e, _, err = look(place{x.output.Path, x.output.Shown}, func(old *file) (edit, error) { return sink.edit(x, old) })
			change = e.change
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changes = append(changes, change)
	}
	goes, err := f.leftovers(undeclared(p, recorded), p)
	for i := range goes {
		goes[i].Reason = flow.NotDeclared
	}
	return slices.Concat(changes, goes, prints), errors.Join(append(errs, err)...)
}

// Missing implements [flow.Outputs].
func (f *Files) Missing(p config.Profile) error {
	var errs []error
	for _, o := range p.Outputs {
		if sink, ok := sinkOf(o.Type).(streamSink); ok {
			errs = append(errs, sink.missing(f, o))
		}
	}
	return errors.Join(errs...)
}

// Remembered implements [flow.Outputs].
func (f *Files) Remembered(p config.Profile, t *state.Token, recorded []state.Written) []state.Written {
	var list []state.Written
	for _, x := range f.targets(p, t, recorded) {
		switch sink := sinkOf(x.output.Type).(type) {
		case fileSink:
			if w, ok := sink.remembered(x); ok {
				list = append(list, w)
			}
		case commandSink:
			if w, ran := sink.remembered(x); ran {
				list = append(list, w)
			}
		}
	}
	return list // nobody can take back what was printed
}

// Write implements [flow.Outputs]. Files come first, then commands, and streams last: a
// command, and the reader of a stream, may rely on the files.
func (f *Files) Write(ctx context.Context, p config.Profile, t *state.Token, recorded []state.Written) ([]flow.Change, error) {
	if err := f.maskToken(t); err != nil {
		return nil, err
	}
	targets := f.targets(p, t, recorded)
	var jobs []fileJob
	for _, x := range targets {
		if sink, ok := sinkOf(x.output.Type).(fileSink); ok {
			if err := f.leaveReal(x); err != nil {
				return nil, err
			}
			jobs = append(jobs, writing(ctx, sink, x))
		}
	}
	changes, err := f.put(ctx, p.Name, jobs...)
	if err != nil {
		return changes, err
	}
	goes, err := f.takeBack(ctx, p, undeclared(p, recorded), flow.NotDeclared)
	changes = append(changes, goes...)
	errs := []error{err}
	for _, x := range targets {
		if sink, ok := sinkOf(x.output.Type).(commandSink); ok {
			ran, err := sink.run(ctx, x)
			changes, errs = append(changes, ran...), append(errs, err)
		}
	}
	printed, err := f.print(p, t)
	return append(changes, printed...), errors.Join(append(errs, err)...)
}

// writing returns the job of writing a file. The job fetches the client secret if the
// edit needs it.
func writing(ctx context.Context, sink fileSink, x target) fileJob {
	return fileJob{stagingDir: x.stagingDir, place: place{x.output.Path, x.output.Shown}, plan: func(old *file) (edit, error) {
		e, err := sink.edit(x, old)
		if err == nil && e.unknown {
			if err = resolve(ctx, x.profile); err == nil {
				e, err = sink.edit(x, old)
			}
		}
		return e, err
	}}
}

// Print implements [flow.Outputs]. Print masks the token first: the files have the
// token already, and a later step of a GitHub Actions job may print them.
func (f *Files) Print(p config.Profile, t *state.Token) ([]flow.Change, error) {
	if err := f.maskToken(t); err != nil {
		return nil, err
	}
	return f.print(p, t)
}

func (f *Files) print(p config.Profile, t *state.Token) ([]flow.Change, error) {
	f.out.Lock()
	defer f.out.Unlock()
	var changes []flow.Change
	var errs []error
	for _, o := range p.Outputs {
		sink, ok := sinkOf(o.Type).(streamSink)
		if !ok {
			continue
		}
		x := target{profile: p, output: o, token: t}
		err := sink.print(f, x)
		if err == nil {
			changes = append(changes, printing(sink, x))
		}
		errs = append(errs, err)
	}
	return changes, errors.Join(errs...)
}

// resolve fetches the client secret: once there is a token, no other value of an output
// may need a command.
func resolve(ctx context.Context, p config.Profile) error {
	_, err := p.Client.Secret.Resolve(ctx)
	return err
}

// Leftovers implements [flow.Outputs].
func (f *Files) Leftovers(p config.Profile, recorded []state.Written) ([]flow.Change, error) {
	return f.leftovers(recorded, p)
}

// TakeBack implements [flow.Outputs].
func (f *Files) TakeBack(ctx context.Context, p config.Profile, recorded []state.Written) ([]flow.Change, error) {
	return f.takeBack(ctx, p, recorded, "")
}

// Holds implements [flow.Outputs].
func (f *Files) Holds(o config.Output, t *state.Token) bool {
	b, _, err := atomicfile.Read(o.Path, maxFile)
	return err == nil && len(tokensIn(b, t)) > 0
}

// takingBack returns the jobs of taking back the files in recorded. Nothing can be
// taken back from a command.
func (f *Files) takingBack(p config.Profile, recorded []state.Written) []fileJob {
	var jobs []fileJob
	for _, w := range recorded {
		if sink, ok := sinkOf(config.OutputType(w.Type)).(fileSink); ok {
			jobs = append(jobs, fileJob{placeOf(w, p), func(old *file) (edit, error) { return sink.takeBack(w, old, f.othersOf(p, w)) }, f.stagingDir(p)})
		}
	}
	return jobs
}

// leftovers returns the changes that takeBack would make.
func (f *Files) leftovers(recorded []state.Written, p config.Profile) ([]flow.Change, error) {
	var changes []flow.Change
	var errs []error
	for _, j := range f.takingBack(p, recorded) {
		e, _, err := look(j.place, j.plan)
		switch {
		case occupied(err):
		case err != nil:
			errs = append(errs, err)
		case e.change.Action != flow.KeepOutput:
			changes = append(changes, e.change)
		}
	}
	return changes, errors.Join(errs...)
}

func (f *Files) takeBack(ctx context.Context, p config.Profile, recorded []state.Written, reason string) ([]flow.Change, error) {
	var changes []flow.Change
	var errs []error
	sweeping, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for _, j := range f.takingBack(p, recorded) {
		atomicfile.Sweep(sweeping, j.path, j.stagingDir)
		made, err := f.put(ctx, p.Name, j)
		if occupied(err) {
			continue // the path is a directory, say: nothing of what was written is left
		}
		for i := range made {
			made[i].Reason = reason
		}
		changes, errs = append(changes, made...), append(errs, err)
	}
	return changes, errors.Join(errs...)
}

// others returns a function that reports whether a profile other than p declares the
// file at path and has written it, or the variable in it. The function is called only
// for what might be taken back.
func (f *Files) others(p config.Profile, path string) ownedByOther {
	return func(variable string) bool {
		if f.Declared == nil {
			return false
		}
		return slices.ContainsFunc(f.Declared(), func(x config.Profile) bool {
			return (x.Name != p.Name || x.State != p.State) && slices.ContainsFunc(x.Outputs, func(o config.Output) bool {
				if o.Path == "" || !paths.Same(o.Path, path) {
					return false
				}
				for _, w := range recordOf(f.Realm, x) {
					if w.Type == string(o.Type) && paths.Same(w.Path, path) && (w.Vars == nil || w.Vars[variable] != "") {
						return true
					}
				}
				return false
			})
		})
	}
}

// othersOf is others for what is taken back. A variable also belongs to another realm that
// has written the same value: the profile's name, say, is the same in all realms.
func (f *Files) othersOf(p config.Profile, w state.Written) ownedByOther {
	others := f.others(p, w.Path)
	return func(variable string) bool {
		for _, realm := range f.Realm.Others(p.State) {
			if realm != state.Sandbox && slices.ContainsFunc(recordOf(realm, p), func(x state.Written) bool {
				return w.Vars[variable] != "" && x.Vars[variable] == w.Vars[variable] && paths.Same(x.Path, w.Path)
			}) {
				return true
			}
		}
		return others(variable)
	}
}

// recordOf returns what a run in the realm has written for p. A record that cannot be
// read counts as empty: p's own run reports the error.
func recordOf(realm state.Realm, p config.Profile) []state.Written {
	store := realm.Open(p.State)
	t, err := store.Read(context.Background(), p.Name)
	if err != nil {
		return nil
	}
	list, _, _ := store.Outputs(p.Name, p.Dir, t)
	return list
}

// stagingDir returns the directory for new content of p's files before it takes its
// place.
func (f *Files) stagingDir(p config.Profile) string { return f.Realm.Open(p.State).Dir() }

// targets returns the outputs of p for the token t. Outputs that share an env file
// become one target.
func (f *Files) targets(p config.Profile, t *state.Token, recorded []state.Written) []target {
	var list []target
	for _, o := range p.Outputs {
		i := slices.IndexFunc(list, func(x target) bool {
			return o.Path != "" && o.Path == x.output.Path && o.Type == x.output.Type
		})
		if i >= 0 {
			list[i].output.Keys = slices.Concat(list[i].output.Keys, o.Keys)
			continue
		}
		x := target{profile: p, output: o, token: t, stored: t, recorded: recorded, otherProfiles: f.others(p, o.Path), stagingDir: f.stagingDir(p)}
		x.otherRealms = sync.OnceValue(func() []state.Written { return f.recordsOfOtherRealms(x) })
		x.neighbours = sync.OnceValue(func() []state.Written { return f.recordsOfNeighbours(p) })
		list = append(list, x)
	}
	return list
}

// undeclared returns the recorded outputs whose path p no longer declares. If p
// declares the path with another type, that output deals with the file.
func undeclared(p config.Profile, recorded []state.Written) []state.Written {
	return slices.DeleteFunc(slices.Clone(recorded), func(w state.Written) bool {
		return slices.ContainsFunc(p.Outputs, func(o config.Output) bool { return o.Path == w.Path })
	})
}

// placeOf returns the place of a recorded output, with the path as p shows it if p
// declares the output.
func placeOf(w state.Written, p config.Profile) place {
	for _, o := range p.Outputs {
		if o.Path == w.Path {
			return place{o.Path, o.Shown}
		}
	}
	return place{w.Path, w.Path}
}

func printing(sink streamSink, x target) flow.Change {
	change := x.newChange(flow.Print)
	change.Shown = sink.shown(x.output)
	return change
}
