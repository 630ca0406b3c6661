package config

import "strings"

// Invocation is how the program was called. A command in a hint repeats these parts, so
// that it is about the same profiles.
type Invocation struct {
	Files   []string // files, directories and "-", as typed
	State   string   // --state; empty if the flag is not given
	Sandbox bool     // --sandbox
	CI      bool     // the run is in a pipeline: nobody types on this machine
}

// Command returns the command line for a hint: the words, which begin with the
// command's name, and the arguments and flags of this call.
func (i Invocation) Command(words ...string) string {
	line := append([]string{"tokenform"}, words...)
	if i.Sandbox {
		line = append(line, "--sandbox")
	}
	if i.State != "" {
		line = append(line, "--state", i.State)
	}
	line = append(line, i.Files...)
	for n, word := range line {
		line[n] = ShellWord(word)
	}
	return strings.Join(line, " ")
}

// Elsewhere returns the invocation for a machine where a person can log in. The
// state directory of a pipeline does not exist there.
func (i Invocation) Elsewhere() Invocation {
	if i.CI {
		i.State = ""
	}
	return i
}

// ShellWord returns s as one word of a POSIX shell (section 2.2.2 of the Shell
// Command Language).
func ShellWord(s string) string {
	plain := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@%+,=") == ""
	if s != "" && plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
