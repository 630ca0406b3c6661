//go:build unix

package examples

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"tokenform/flow/sandbox"
)

// These scripts stand in for the programs of the command outputs. Each reads standard
// input if the real program does, refuses arguments that would make the real program
// read something else, and saves the arguments and the input in a file.
const (
	fakeAny = `#!/bin/sh
call=$(mktemp "$HOME/call.XXXXXX") || exit 125
name=${0##*/}
stdin=$(cat; printf .) # the dot keeps what newlines there are
remember() { printf '%s\n%s\n%s' "$name" "$*" "${stdin%.}" >"$call"; }
`
	// gh takes a secret from the flag --body, or else from standard input.
	fakeGH = fakeAny + `case " $* " in *" --body"*|*" -b"*) exit 1 ;; " secret set "*) remember "$@" ;; *) exit 1 ;; esac
`
	// A sealed vault accepts nothing. In the last argument, the text after = is the
	// value; "-" means standard input.
	fakeVault = fakeAny + `test ! -e "$HOME/sealed" || { echo 'Vault is sealed' >&2; exit 2; }
for last; do :; done
case $last in *=-) remember "$@" ;; *) exit 1 ;; esac
`
	fakeKubectl = fakeAny + `case "$*" in
"create secret generic spotify --from-file=access_token=/dev/stdin --dry-run=client -o yaml")
	remember "$@"
	printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: spotify}\ndata:\n  access_token: %s\n' "$(printf %s "${stdin%.}" | base64 | tr -d '\n')" ;;
"apply -f -")
	case $stdin in .) echo 'error: no objects passed to apply' >&2; exit 1 ;; *) remember "$@" ;; esac ;;
*) exit 1 ;;
esac
`
	// op takes the document from the file named after the document's name; "-" means
	// standard input.
	fakeOp = fakeAny + `case "$*" in "document edit "*" -") remember "$@" ;; *) exit 1 ;; esac
`
)

// told is one run of a stand-in program.
type told struct{ name, args, stdin string }

// fake puts a program on the pipeline's PATH.
func (p *pipeline) fake(name, script string) {
	p.Helper()
	p.must(os.WriteFile(filepath.Join(p.bin, name), []byte(script), 0o755))
}

// calls returns the runs since the last call, oldest first, and checks that no
// arguments have a secret.
func (p *pipeline) calls() []told {
	p.Helper()
	files, err := filepath.Glob(filepath.Join(p.home, "call.*"))
	p.must(err)
	begun := func(path string) int64 {
		info, err := os.Stat(path)
		p.must(err)
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(files, func(a, b string) int { return int(begun(a) - begun(b)) })
	var calls []told
	for _, f := range files {
		b, err := os.ReadFile(f)
		p.must(err)
		p.must(os.Remove(f))
		part := strings.SplitN(string(b), "\n", 3)
		if len(part) == 3 { // a script that refuses saves less
			p.quiet("the arguments of "+part[0], part[1])
			calls = append(calls, told{part[0], part[1], part[2]})
		}
	}
	return calls
}

// TestPipelineSinks checks that each store of secrets gets the token on standard input
// if the token has changed, and that the next apply runs a failed command again.
func TestPipelineSinks(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, sandbox.Options{})
	p.need("base64", "mktemp")
	p.fake("gh", fakeGH)
	p.fake("vault", fakeVault)
	p.fake("kubectl", fakeKubectl)
	p.fake("op", fakeOp)
	seed := p.login("spotify/sinks.yaml", "SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush")
	state := filepath.Join(p.temp, "state")
	env := p.environment("SPOTIFY_CLIENT_ID=app", "SPOTIFY_CLIENT_SECRET=hush-hush", "SPOTIFY_REFRESH_TOKEN="+seed)
	apply := func(want int, names ...string) []told {
		t.Helper()
		code, _, stderr := p.run(p.checkout, env, "tokenform", "apply", "--state", state, "spotify/sinks.yaml")
		calls := p.calls()
		var got []string
		for _, c := range calls {
			got = append(got, c.name)
		}
		if slices.Sort(got); code != want || !slices.Equal(got, names) {
			t.Fatalf("exit %d and runs of %q, want %d and %q\n%s", code, got, want, names, stderr)
		}
		return calls
	}

	sealed := filepath.Join(p.home, "sealed")
	write(t, sealed, "")
	apply(1, "gh", "kubectl", "kubectl", "op")
	p.must(os.Remove(sealed))
	apply(0, "vault")
	apply(0)

	p.older(state, "sinks", 58*time.Minute)
	p.give(p.temp)
	calls := apply(0, "gh", "kubectl", "kubectl", "op", "vault")
	token := field(t, p.stateOf(state, "sinks"), "access_token")
	for _, c := range calls {
		got := c.stdin
		switch {
		case c.name == "op":
			var fields struct {
				Access string `json:"access_token"`
			}
			p.must(json.Unmarshal([]byte(got), &fields))
			got = fields.Access
		case c.args == "apply -f -":
			var secret struct {
				Data map[string]string `yaml:"data"`
			}
			p.must(yaml.Unmarshal([]byte(got), &secret))
			b, err := base64.StdEncoding.DecodeString(secret.Data["access_token"])
			p.must(err)
			got = string(b)
		}
		if got != token {
			t.Errorf("%s %s got something else than the token", c.name, c.args)
		}
	}
}
