package examples

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"tokenform/flow/sandbox/faults"
)

// The canaries: every run of the program in these tests leaves its arguments, its
// standard output and its standard error in a directory, and so does the browser with
// its arguments. After all tests, [sing] looks for secrets in them, and [conform]
// checks JSON against the schema.

// wrapper is the tokenform on the PATH of the stories. wrapper runs the real program
// and keeps its output. A command that changes nothing runs twice, to keep its output
// under --json too.
const wrapper = `#!/bin/sh
log=$(mktemp "$CANARIES/XXXXXX") || exit 125
printf '%s\n' "$@" >"$log.args"
"$TOKENFORM" "$@" >"$log.out" 2>"$log.err"
code=$?
case " $* " in
*" --json"*|*" - "*|*" --verify"*|*" --sandbox"*|*" --help"*) ;;
*) case "$1" in plan|status|validate) "$TOKENFORM" "$@" --json >"$log.json" 2>/dev/null ;; esac ;;
esac
cat "$log.out"
cat "$log.err" >&2
exit $code
`

var (
	canaries string // the directory

	serversMu sync.Mutex
	servers   []*faults.Server // every stand-in that was started
)

// remember keeps the output of a run that the wrapper did not start.
func remember(args []string, stdout, stderr string) {
	f, err := os.CreateTemp(canaries, "")
	if err != nil {
		panic(err)
	}
	f.Close()
	for ext, text := range map[string]string{".args": strings.Join(args, "\n") + "\n", ".out": stdout, ".err": stderr} {
		if err := os.WriteFile(f.Name()+ext, []byte(text), 0o600); err != nil {
			panic(err)
		}
	}
}

// sing returns an error with every place where a secret shows.
func sing() error {
	// Tokens and codes of the stand-in look like Spotify's, and are longer than a
	// code_challenge, which may begin the same by chance. All other secrets are
	// literal.
	token := regexp.MustCompile(`[AB]Q[A-Za-z0-9_-]{60,}`)
	secrets := []string{"hush-hush"}
	// In this one place a secret is printed on purpose: GitHub's runner does not show
	// these lines.
	mask := regexp.MustCompile(`(?m)^::add-mask::.*$`)
	serversMu.Lock()
	defer serversMu.Unlock()
	for _, s := range servers {
		for _, r := range s.Requests() {
			for _, name := range []string{"code", "code_verifier", "refresh_token"} {
				if v := r.Form.Get(name); len(v) > 20 {
					secrets = append(secrets, v)
				}
			}
		}
	}
	slices.Sort(secrets)
	secrets = slices.Compact(secrets)

	runs, err := filepath.Glob(filepath.Join(canaries, "*.args"))
	if err != nil {
		return err
	}
	if len(runs) < 20 || len(secrets) < 10 {
		return fmt.Errorf("canaries: only %d runs and %d secrets were seen; the net has a hole", len(runs), len(secrets))
	}
	var found []string
	for _, run := range runs {
		args, err := os.ReadFile(run)
		if err != nil {
			return err
		}
		for _, ext := range []string{".args", ".err", ".out", ".json"} {
			text, err := os.ReadFile(strings.TrimSuffix(run, ".args") + ext)
			if err != nil && ext == ".args" {
				return err
			}
			if ext == ".out" && meant(args) {
				continue
			}
			text = mask.ReplaceAll(text, nil)
			leak := token.Find(text)
			for _, s := range secrets {
				if bytes.Contains(text, []byte(s)) {
					leak = []byte(s)
				}
			}
			if leak != nil {
				found = append(found, fmt.Sprintf("tokenform %q: %s holds %.12s…", args, ext, leak))
			}
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("canaries: secrets were shown:\n%s", strings.Join(found, "\n"))
	}
	return nil
}

// meant reports whether a run was asked to print a token on standard output. apply may
// have outputs of type stdout, which --json excludes; a command under exec may print
// anything.
func meant(args []byte) bool {
	words := strings.Fields(string(args))
	return slices.ContainsFunc([]string{"token", "apply", "exec", "pull"}, func(s string) bool { return slices.Contains(words, s) }) && !slices.Contains(words, "--json")
}
