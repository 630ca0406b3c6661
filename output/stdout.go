package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state"
)

// stdoutSink prints the token on standard output.
type stdoutSink struct{}

func (stdoutSink) shown(config.Output) string { return "standard output" }

func (stdoutSink) missing(*Files, config.Output) error { return nil }

func (stdoutSink) print(f *Files, x target) error {
	return WriteToken(f.Out, x.profile, x.token, x.output.Format)
}

// WriteToken prints t in one of the formats of the stdout output, in one write:
//
//   - token: the access token and a newline
//   - header: a line of HTTP, Authorization: Bearer …
//   - env: NAME=value lines as in an env file, SPOTIFY_ACCESS_TOKEN and
//     SPOTIFY_TOKEN_EXPIRES_AT
//   - export, fish, powershell: the same for a shell's eval, fish's source and
//     PowerShell's Invoke-Expression
//   - json: the object of the json output, on one line
//   - seed, refresh_token: the login, for the secrets of a pipeline, with and without
//     what is known of it
func WriteToken(w io.Writer, p config.Profile, t *state.Token, format string) error {
	var b bytes.Buffer
	switch format {
	case "token":
		fmt.Fprintln(&b, t.Access)
	case "header":
		fmt.Fprintln(&b, "Authorization: Bearer "+t.Access)
	case "seed", "refresh_token":
		if t.Refresh == "" {
			return &fault.Error{Message: "there is no refresh token", Hint: "grant client_credentials needs none"}
		}
		text := t.Refresh
		if format == "seed" {
			text = seedOf(t).Encode()
		}
		fmt.Fprintln(&b, text)
	case "json":
		b.Write(tokenJSON(p, t, false, ""))
	case "env", "export", "fish", "powershell":
		for _, k := range config.DefaultKeys {
			text, _ := value(p, t, k.Field) // both are always known
			switch format {
			case "export":
				fmt.Fprintf(&b, "export %s=%s\n", k.Variable, config.ShellWord(text))
				continue
			case "fish":
				fmt.Fprintf(&b, "set -gx %s '%s'\n", k.Variable, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text))
				continue
			case "powershell":
				fmt.Fprintf(&b, "$env:%s = '%s'\n", k.Variable, strings.ReplaceAll(text, "'", "''"))
				continue
			}
			quoted, err := dotenvValue(assignment{k.Variable, text}, "")
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s=%s\n", k.Variable, quoted)
		}
	default:
		return &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("unknown format %q", format), Hint: "one of token, header, env, export, fish, powershell, json, seed, refresh_token"}
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return &fault.Error{Message: "standard output", Err: fault.Cause(err)}
	}
	return nil
}

// seedOf returns the login of t as a seed for another machine.
func seedOf(t *state.Token) config.Seed {
	s := config.Seed{Refresh: t.Refresh, Authorized: t.Authorized, ClientID: t.ClientID, Grant: config.Grant(t.Grant), Scopes: t.Scopes}
	if t.Account != nil {
		s.Account = t.Account.ID
	}
	return s
}

// WriteReport writes a text without secrets to a file that other users may read. The
// write is atomic: nobody reads half of the text. A file that is no report stays as it is:
// a mistyped path must not cost a profile or a login.
func WriteReport(path, text string) error {
	const start = "# HELP tokenform_"
	old, _, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, atomicfile.ErrTooLarge) || err == nil && len(old) > 0 && !bytes.HasPrefix(old, []byte(start)) {
		return &fault.Error{Kind: fault.Invalid, Message: "--output " + path + ": the file is no report of tokenform, so it is not overwritten", Hint: "move it away, or name another file"}
	}
	if _, err := atomicfile.Write(path, []byte(text), 0o644); err != nil {
		return &fault.Error{Message: "--output " + path, Err: fault.Cause(err), Hint: "name a file in a directory that exists and that this user can write"}
	}
	return nil
}
