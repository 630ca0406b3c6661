package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/output"
)

const longImport = `Stores a refresh token for one profile: from standard input, or from the token file of
another Spotify client. tokenform tries the token with one refresh first.

The output of token --format seed includes the date of the login. For a bare refresh
token, give the date with --authorized-at; without a date, tokenform cannot warn before
the login ends. import does not replace a login: run destroy first.`

const examplesImport = `tokenform import < refresh-token.txt
tokenform import --from ~/.cache/spotify-player/user_client_token.json
tokenform import --authorized-at 2026-11-23 < refresh-token.txt`

type importCommand struct {
	selection
	from        string // a file; empty means standard input
	authorized  string // when the login was made; empty means not known
	noVerify    bool
	lockTimeout time.Duration
}

func (c *importCommand) flags(f flags) {
	c.selection.flags(f)
	f.StringVar(&c.from, "from", "", "read the token `FILE` of another Spotify client")
	f.StringVar(&c.authorized, "authorized-at", "", "the `DATE` of the login, for example 2026-11-23")
	f.BoolVar(&c.noVerify, "no-verify", false, "store it without trying it")
	lockTimeoutFlag(f, &c.lockTimeout)
}

func (c *importCommand) check(args, _ []string) error {
	c.files = args
	if c.from == "" && c.readsStdin() {
		return usage("standard input cannot be both the profile and the refresh token", "write the profile to a file")
	}
	return nil
}

func (c *importCommand) run(ctx context.Context, p *program) int {
	j, code := p.prepare(ctx, c.selection, loginFlags{lockTimeout: c.lockTimeout}, flow.Options{Outputs: flow.IgnoreOutputs}, nil)
	if code != 0 {
		return code
	}
	defer j.end()
	if err := single("import stores one login", j.profiles); err != nil {
		return p.refuse(err)
	}
	p.guard()
	refresh, err := c.refreshToken(ctx, p, j.profiles[0])
	if err != nil {
		return p.refuse(err)
	}
	seed := config.ParseSeed(refresh)
	if c.authorized != "" {
		if seed.Authorized, err = config.ParseAuthorized(c.authorized); err != nil {
			return p.refuse(usage("--authorized-at: "+err.Error(), fault.HintOf(err)))
		}
	}
	o := j.Import(ctx, j.profiles[0], seed, !c.noVerify)
	p.voice.Imported(o, p.invocation(c.selection).Command("apply")+" writes the outputs")
	return exitCode(o.Err)
}

// refreshToken returns the refresh token to import: from another client's file,
// or from standard input, typed without echo or piped.
func (c *importCommand) refreshToken(ctx context.Context, p *program, x config.Profile) (string, error) {
	if c.from == "" {
		text, err := p.readSecret(ctx, "refresh token (it is not shown): ")
		if err != nil {
			return "", err
		}
		text = strings.TrimSpace(text)
		if !output.IsToken(text) {
			return "", &fault.Error{Kind: fault.Invalid, Message: "standard input contains no refresh token: it must be one word", Hint: "pipe in only the token, or use --from FILE for the token file of another client"}
		}
		return text, nil
	}
	data, err := config.ReadFile(ctx, c.from, 1<<20)
	if errors.Is(err, config.ErrTooLarge) {
		err = errors.New("larger than 1 MiB")
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", &fault.Error{Kind: fault.Invalid, Message: "--from " + c.from, Err: fault.Cause(err), Hint: "name the token file of another client"}
	}
	found, err := output.ReadClientFile(c.from, data)
	if err != nil {
		return "", err
	}
	if id, known := x.Client.ID.Known(); known && found.ClientID != "" && found.ClientID != id {
		return "", &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("%s belongs to the app %s, and the profile to %s", c.from, found.ClientID, id), Hint: "a refresh token works only with the app it was issued for: correct client.id"}
	}
	return found.RefreshToken, nil
}
