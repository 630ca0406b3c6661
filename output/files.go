package output

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"tokenform/config"
	"tokenform/flow"
	"tokenform/flow/state"
)

// Files writes tokens to the outputs that profiles declare.
type Files struct {
	Out  io.Writer                        // for stdout outputs
	Err  io.Writer                        // for the masks of github outputs
	Env  func(string) (string, bool)      // the process environment
	Warn func(profile, text, hint string) // called concurrently

	// Declared are all profiles there are: what is one's is not taken back for
	// another. Nil: there are no others.
	Declared func() []config.Profile
	Realm    state.Realm

	out sync.Mutex // one profile prints at a time
}

var _ flow.Outputs = (*Files)(nil)

// Stale implements [flow.Outputs].
func (f *Files) Stale(p config.Profile, t *state.Token, fresh bool) ([]flow.Change, error) {
	var recorded []state.Written
	if t != nil {
		recorded = t.Outputs
	}
	if fresh {
		t = nil
	}
	var changes, prints []flow.Change
	var errs []error
	for _, o := range outputs(p) {
		switch o.Type {
		case "stdout", "github":
			change := printing(o)
			if _, err := f.gitHubFile(o); err != nil {
				change.Reason = "not set here"
			}
			prints = append(prints, change)
			continue
		case "command":
			change, _, err := commandChange(p, o, t, recorded)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			changes = append(changes, change)
			continue
		}
		e, _, err := look(place{o.Path, o.Shown}, func(old *file) (edit, error) {
			return declared(p, o, t, recorded, old, f.others(p, o.Path))
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changes = append(changes, e.change)
	}
	goes, err := f.leftovers(gone(p, recorded), p)
	for i := range goes {
		goes[i].Reason = flow.NotDeclared
	}
	return slices.Concat(changes, goes, prints), errors.Join(append(errs, err)...)
}

// Ready implements [flow.Outputs].
func (f *Files) Ready(p config.Profile) error {
	var errs []error
	for _, o := range p.Outputs {
		_, err := f.gitHubFile(o)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Record implements [flow.Outputs].
func (f *Files) Record(p config.Profile, t *state.Token) []state.Written {
	var list []state.Written
	for _, o := range outputs(p) {
		w := state.Written{Type: o.Type, Path: o.Path}
		switch o.Type {
		case "template":
			content, known, err := rendered(p, o, t)
			if before := state.Find(t.Outputs, o.Type, o.Path); err == nil && known {
				w.Digest = state.Digest(string(content))
			} else if before != nil {
				w.Digest = before.Digest
			}
		case "command":
			w.Path = commandID(o)
			before := state.Find(t.Outputs, o.Type, w.Path)
			if before == nil {
				continue // nothing yet
			}
			w.Digest = before.Digest
		case "json":
			if secret, known := clientSecret(p, o); known {
				w.Digest = state.Digest(string(fileContent(p, o, t, secret)))
			} else if before := state.Find(t.Outputs, "json", o.Path); before != nil {
				w.Digest = before.Digest
			}
		case "env":
			before := state.Find(t.Outputs, "env", o.Path)
			w.Vars = map[string]string{}
			for _, k := range o.Keys {
				if text, known := value(p, t, k.Field); known {
					w.Vars[k.Variable] = state.Digest(text)
				} else if before != nil && before.Vars[k.Variable] != "" {
					w.Vars[k.Variable] = before.Vars[k.Variable]
				}
			}
		default:
			continue // what was printed cannot be taken back
		}
		list = append(list, w)
	}
	return list
}

// Write implements [flow.Outputs]. Commands come after the files and standard
// output last: what they start, and who reads that, may count on what was before.
func (f *Files) Write(ctx context.Context, p config.Profile, t *state.Token) ([]flow.Change, error) {
	var jobs []job
	for _, o := range outputs(p) {
		if o.Type == "stdout" || o.Type == "github" || o.Type == "command" {
			continue
		}
		jobs = append(jobs, job{place{o.Path, o.Shown}, func(old *file) (edit, error) {
			others := f.others(p, o.Path)
			e, err := declared(p, o, t, t.Outputs, old, others)
			if err == nil && e.unknown {
				if err = resolve(ctx, p); err == nil {
					e, err = declared(p, o, t, t.Outputs, old, others)
				}
			}
			return e, err
		}})
	}
	changes, err := f.put(ctx, p.Name, jobs...)
	if err != nil {
		return changes, err
	}
	goes, err := f.takeBack(ctx, p, gone(p, t.Outputs), flow.NotDeclared)
	changes = append(changes, goes...)
	errs := []error{err}
	for _, o := range p.Outputs {
		if o.Type == "command" {
			ran, err := runCommand(ctx, p, o, t)
			changes, errs = append(changes, ran...), append(errs, err)
		}
	}
	printed, err := f.Print(p, t)
	return append(changes, printed...), errors.Join(append(errs, err)...)
}

// Print implements [flow.Outputs].
func (f *Files) Print(p config.Profile, t *state.Token) ([]flow.Change, error) {
	f.out.Lock()
	defer f.out.Unlock()
	var changes []flow.Change
	var errs []error
	for _, o := range p.Outputs {
		var err error
		switch o.Type {
		case "stdout":
			err = WriteToken(f.Out, p, t, o.Format)
		case "github":
			err = f.toGitHub(p, o, t)
		default:
			continue
		}
		if err == nil {
			changes = append(changes, printing(o))
		}
		errs = append(errs, err)
	}
	return changes, errors.Join(errs...)
}

// resolve fetches the client secret, the only value of an output that may still
// need a command when a token is there.
func resolve(ctx context.Context, p config.Profile) error {
	_, err := p.Client.Secret.Resolve(ctx)
	return err
}

// Leftovers implements [flow.Outputs].
func (f *Files) Leftovers(p config.Profile, t *state.Token) ([]flow.Change, error) {
	return f.leftovers(files(t.Outputs), p)
}

// TakeBack implements [flow.Outputs].
func (f *Files) TakeBack(ctx context.Context, p config.Profile, t *state.Token) ([]flow.Change, error) {
	return f.takeBack(ctx, p, files(t.Outputs), "")
}

// leftovers says what takeBack would do with list.
func (f *Files) leftovers(list []state.Written, p config.Profile) ([]flow.Change, error) {
	var changes []flow.Change
	var errs []error
	for _, w := range list {
		e, _, err := look(placeOf(w, p), func(old *file) (edit, error) { return undeclared(w, old, f.others(p, w.Path)) })
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

func (f *Files) takeBack(ctx context.Context, p config.Profile, list []state.Written, reason string) ([]flow.Change, error) {
	var changes []flow.Change
	var errs []error
	for _, w := range list {
		made, err := f.put(ctx, p.Name, job{placeOf(w, p), func(old *file) (edit, error) { return undeclared(w, old, f.others(p, w.Path)) }})
		if occupied(err) {
			continue // not what was written, and nothing to take back from
		}
		for i := range made {
			made[i].Reason = reason
		}
		changes, errs = append(changes, made...), append(errs, err)
	}
	return changes, errors.Join(errs...)
}

// others finds out about the profiles beside p: what one declares, and has
// written, is its own. It is asked only about what might be taken back.
func (f *Files) others(p config.Profile, path string) others {
	return func(variable string) bool {
		if f.Declared == nil {
			return false
		}
		return slices.ContainsFunc(f.Declared(), func(x config.Profile) bool {
			return (x.Name != p.Name || x.State != p.State) && slices.ContainsFunc(x.Outputs, func(o config.Output) bool {
				if o.Path != path {
					return false
				}
				t, err := f.Realm.Open(x.State).Read(x.Name)
				if err != nil || t == nil {
					return false
				}
				w := state.Find(t.Outputs, o.Type, path)
				return w != nil && (o.Type != "env" || w.Vars[variable] != "")
			})
		})
	}
}

// outputs are those of p, with outputs that share an env file made one.
func outputs(p config.Profile) []config.Output {
	var list []config.Output
	for _, o := range p.Outputs {
		i := slices.IndexFunc(list, func(x config.Output) bool { return o.Type == "env" && x.Type == "env" && x.Path == o.Path })
		if i < 0 {
			list = append(list, o)
		} else {
			list[i].Keys = slices.Concat(list[i].Keys, o.Keys)
		}
	}
	return list
}

// files are the recorded outputs that can be taken back: what a command got, it
// has.
func files(recorded []state.Written) []state.Written {
	return slices.DeleteFunc(slices.Clone(recorded), func(w state.Written) bool { return w.Type == "command" })
}

// gone are the recorded outputs whose path p declares no more. A path that is
// declared with another type is that output's concern.
func gone(p config.Profile, recorded []state.Written) []state.Written {
	return slices.DeleteFunc(files(recorded), func(w state.Written) bool {
		return slices.ContainsFunc(p.Outputs, func(o config.Output) bool { return o.Path == w.Path })
	})
}

// placeOf shows a recorded path as the profile has it, if it has it.
func placeOf(w state.Written, p config.Profile) place {
	for _, o := range p.Outputs {
		if o.Path == w.Path {
			return place{o.Path, o.Shown}
		}
	}
	return place{w.Path, w.Path}
}

func printing(o config.Output) flow.Change {
	shown := o.Shown
	if o.Type == "stdout" {
		shown = "standard output"
	}
	return flow.Change{Type: o.Type, Shown: shown, Action: flow.Print}
}
