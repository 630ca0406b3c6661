// Package help has the texts of tokenform's help topics: one Markdown file each, which
// the help command, the README's links and the man pages share.
package help

import (
	"embed"
	"io/fs"
)

//go:embed *.md
var files embed.FS

// Topic is a help topic.
type Topic struct {
	Name  string // of its file, without .md
	Short string // what the topic says, in a few words
}

// Topics are all topics, in the order in which help lists them.
var Topics = [...]Topic{
	{"profiles", "what goes in a profile"},
	{"outputs", "what each type of output writes, and who can read it"},
	{"scopes", "what each scope allows"},
	{"login", "how a login works, and how long it lasts"},
	{"ci", "tokens in a pipeline"},
	{"state", "what is kept, and what may be overwritten or deleted"},
	{"stores", "one login for several machines, and encryption"},
	{"environment", "which variables are read"},
	{"exit-codes", "what exit codes mean"},
	{"troubleshooting", "error messages, by their text, with the cure"},
}

// Text returns a topic as Markdown. It panics if no topic has that name.
func Text(name string) string {
	b, err := fs.ReadFile(files, name+".md")
	if err != nil {
		panic(err)
	}
	return string(b)
}
