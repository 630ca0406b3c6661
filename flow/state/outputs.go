package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"tokenform/config/paths"
	"tokenform/flow/atomicfile"
)

// Written is an output as tokenform last wrote it, or was about to write it, so that an
// output that is no longer declared can be taken back.
type Written struct {
	Type    string            `json:"type"`
	Path    string            `json:"path,omitempty"`           // the absolute path of a file, or the words of a command
	Digest  string            `json:"digest,omitempty"`         // Digest of the whole file, or of what a command got
	Vars    map[string]string `json:"variables,omitempty"`      // env: variable to Digest of its value
	Refresh string            `json:"refresh_digest,omitempty"` // Digest of the refresh token in the file; empty if there is none
	Made    bool              `json:"made,omitempty"`           // tokenform made the file

	// A whole file is recorded before it is written, and the write may fail, or the
	// process may be killed. So what tokenform wrote before stays known.
	Before string   `json:"digest_before,omitempty"` // Digest of the content that tokenform wrote before
	Tokens []string `json:"token_digests,omitempty"` // Digests of the tokens in the file, and of older ones, the newest last
}

// Wrote reports whether tokenform wrote the whole file that has this digest.
func (w *Written) Wrote(digest string) bool {
	return digest == w.Digest || digest == w.Before && w.Before != ""
}

// Find returns the entry of list for a type and a path, or nil.
func Find(list []Written, kind, path string) *Written {
	for i := range list {
		if list[i].Type == kind && list[i].Path == path {
			return &list[i]
		}
	}
	return nil
}

// outputsFile is the content of NAME.outputs.
type outputsFile struct {
	Version int      `json:"version"`
	Profile string   `json:"profile"`
	Project string   `json:"project"` // the directory of the profile's file, when this was written
	Outputs []stored `json:"outputs"`
}

// stored is a [Written] on disk. A file in the project has no Path, but its path from
// the project's directory, with slashes.
type stored struct {
	Written
	InProject string `json:"in_project,omitempty"`
}

func (s *Store) outputsPath(name string) string {
	return filepath.Join(s.dir, name+s.suffix+".outputs")
}

// Outputs reads what tokenform wrote for the profile on this machine. project is the
// directory of the profile's file now. t is the profile's login, which an older
// tokenform has stored together with the record.
//
// strayed are files outside the project that were written before the project was moved
// or copied. Nobody knows which project owns them now, so list does not have them.
func (s *Store) Outputs(name, project string, t *Token) (list []Written, strayed []string, err error) {
	path := s.outputsPath(name)
	b, err := atomicfile.ReadOwn(path, maxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if t == nil {
			return nil, nil, nil
		}
		return t.inherited, nil, nil
	case err != nil:
		return nil, nil, unusable(path, err, "move it away: tokenform then treats existing output files as not its own")
	}
	var f outputsFile
	if err := json.Unmarshal(b, &f); err != nil || f.Version < 1 {
		return nil, nil, broken(path, "not a record of outputs", "move it away: tokenform then treats existing output files as not its own")
	}
	if f.Version > Version {
		return nil, nil, broken(path, fmt.Sprintf("written by a newer tokenform (version %d; this one reads %d)", f.Version, Version), "use that tokenform, or a newer one")
	}
	moved := f.Project != "" && project != "" && f.Project != project && !paths.Same(f.Project, project)
	for _, w := range f.Outputs {
		switch {
		case w.InProject != "":
			w.Path = filepath.Join(project, filepath.FromSlash(w.InProject))
		case moved && filepath.IsAbs(w.Path):
			strayed = append(strayed, w.Path)
			continue
		}
		list = append(list, w.Written)
	}
	return list, strayed, nil
}

// SaveOutputs records what tokenform writes for the profile on this machine. A nil
// error means that the record is on disk.
func (e *Entry) SaveOutputs(list []Written, project string) error {
	path := e.store.outputsPath(e.name)
	if len(list) == 0 {
		if err := atomicfile.Remove(path); err != nil {
			return unusable(path, err, "")
		}
		return nil
	}
	f := outputsFile{Version: Version, Profile: e.name, Project: project}
	for _, w := range list {
		s := stored{Written: w}
		if project != "" && filepath.IsAbs(w.Path) {
			if relative, ok := paths.Within(project, w.Path); ok {
				s.Path, s.InProject = "", relative
			}
		}
		f.Outputs = append(f.Outputs, s)
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if _, err := atomicfile.Write(path, append(b, '\n'), 0o600); err != nil {
		return unusable(path, err, "free some space or make it writable, then apply again")
	}
	return nil
}
