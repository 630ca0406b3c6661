package output

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
)

// Environment returns environ with the tokens of outcomes in it, as NAME=value. The
// variables are those of the profiles' env outputs, or those of standard output for a
// profile without one. The caller must have checked that there is no [Clash].
func Environment(ctx context.Context, environ []string, outcomes []flow.Outcome) ([]string, error) {
	set := map[string]string{}
	for _, r := range outcomes {
		for _, k := range variables(r.Profile) {
			if k.Field == "client_secret" {
				if err := resolve(ctx, r.Profile); err != nil {
					return nil, err
				}
			}
			text, known := value(r.Profile, r.Token, k.Field)
			if !known || strings.Contains(text, "\x00") {
				return nil, &fault.Error{Message: r.Profile.Name + ": " + k.Variable + " has no value that fits in an environment variable"}
			}
			set[k.Variable] = text
		}
	}
	env := make([]string, 0, len(environ)+len(set))
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if _, ours := set[name]; !ours {
			env = append(env, kv)
		}
	}
	for _, r := range outcomes {
		for _, k := range variables(r.Profile) {
			env = append(env, k.Variable+"="+set[k.Variable])
		}
	}
	return env, nil
}

// Clash returns an error if two of profiles would set the same variable of one
// environment.
func Clash(profiles []config.Profile) error {
	owner := map[string]string{}
	for _, p := range profiles {
		for _, k := range variables(p) {
			if other, taken := owner[k.Variable]; taken && other != p.Name {
				return &fault.Error{
					Kind:    fault.Invalid,
					Message: "the profiles " + other + " and " + p.Name + " would both set " + k.Variable,
					Hint:    "choose one with -p NAME, or declare env outputs with other variables",
				}
			}
			owner[k.Variable] = p.Name
		}
	}
	return nil
}

// variables returns what a profile puts into an environment.
func variables(p config.Profile) []config.Key {
	var keys []config.Key
	for _, o := range p.Outputs {
		if o.Type == config.EnvOutput {
			keys = append(keys, o.Keys...)
		}
	}
	if keys == nil {
		return config.DefaultKeys
	}
	return keys
}

// executable finds the program that a shell would run for name. code is the shell's
// exit code for the error (POSIX, section 2.8.2 of the Shell Command Language).
func executable(name string) (path string, code int, err error) {
	path, err = exec.LookPath(name)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot) && path != "":
		return path, 0, nil
	case errors.Is(err, fs.ErrPermission):
		return "", 126, notRun(name, err)
	}
	return "", 127, notRun(name, err)
}

func notRun(name string, err error) error {
	hint := "check its name and the PATH"
	if errors.Is(err, fs.ErrPermission) {
		hint = "make it executable"
	}
	return &fault.Error{Message: "cannot run " + name, Err: fault.Cause(err), Hint: hint}
}
