package cli

import (
	"context"
	"errors"
	"os"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
)

const longInit = `Writes a commented profile to FILE, by default tokenform.yaml, and never over a
file that is there; - is standard output. On a terminal it asks for the client
id and the scopes; elsewhere the profile reads the client id from
SPOTIFY_CLIENT_ID.`

const examplesInit = `tokenform init
tokenform init apps/dev.yaml`

type initCommand struct{ file string } // "-" is standard output

func (*initCommand) flags(flags) {}

func (c *initCommand) check(args, _ []string) error {
	if len(args) > 1 {
		return usage("init writes one file", "name one; without a name it is tokenform.yaml")
	}
	c.file = "tokenform.yaml"
	if len(args) == 1 {
		c.file = args[0]
	}
	return nil
}

// run writes a first profile, with a person's answers if one is there.
func (c *initCommand) run(ctx context.Context, p *program) int {
	exists := &fault.Error{Message: c.file + " already exists", Hint: "edit it, or name another file: tokenform init FILE"}
	var s config.Starter
	if c.file == "-" {
		p.voice.Print(s.Text())
		return 0
	}
	if _, err := os.Lstat(c.file); err == nil {
		return p.refuse(exists) // refuse before a person answers questions in vain
	}
	if p.InTerminal && p.ErrTerminal {
		p.guard()
		var err error
		if s, err = p.interview(ctx); err != nil {
			return p.refuse(err)
		}
	}
	f, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return p.refuse(exists)
	}
	if err == nil {
		_, err = f.WriteString(s.Text())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return p.refuse(&fault.Error{Message: c.file, Err: fault.Cause(err), Hint: "name a file in a directory that is there and that this user can write: tokenform init FILE"})
	}
	next := config.Invocation{State: p.state}
	if c.file != "tokenform.yaml" {
		next.Files = []string{c.file}
	}
	p.voice.Wrote(c.file, "in the app's settings at https://developer.spotify.com/dashboard enter the redirect URI "+config.DefaultRedirectURI+" and press Save\nthen: "+next.Command("apply"))
	return 0
}

// interview asks each question until the answer fits a profile.
func (p *program) interview(ctx context.Context) (s config.Starter, err error) {
	typed := p.typedLines()
	ask := func(question string, take func(string)) {
		for err == nil {
			answer, ok, ended := p.ask(ctx, typed, question)
			if ended != nil {
				err = ended
				return
			}
			if !ok {
				err = &fault.Error{Message: "nothing is written: standard input ended"}
				return
			}
			take(answer)
			problems := s.Check(p.sources())
			if len(problems) == 0 {
				return
			}
			p.voice.Error("", &fault.Error{Message: problems[0].Message, Hint: problems[0].Hint})
		}
	}
	ask("Client ID, from the app's settings (Enter: read it from SPOTIFY_CLIENT_ID): ", func(a string) { s.ClientID = a })
	ask("Scopes, separated by spaces (Enter: none): ", func(a string) {
		s.Scopes = strings.FieldsFunc(a, func(r rune) bool { return r == ' ' || r == ',' })
	})
	ask("Can the program keep a client secret, as a server can? y/N: ", func(a string) { s.Secret = strings.HasPrefix(strings.ToLower(a), "y") })
	return s, err
}
