package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// completers are scripts that ask a real shell for the completions of the line $1, with
// the program's directory on the PATH. Each prints one completion a line.
var completers = map[string]string{
	"bash": `. /usr/share/bash-completion/bash_completion || exit 42
source <(tokenform completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
read -ra COMP_WORDS <<<"$1"; [[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
__start_tokenform
printf '%s\n' "${COMPREPLY[@]%% *}"`,
	"fish": `tokenform completion fish | source
complete -C "$argv[1]" | string replace -r '\t.*' ''; true`,
	// zsh completes only in its line editor, so the script types the line into an
	// editor.
	"zsh": `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -U compinit; compinit -u -D; source <(tokenform completion zsh); compdef _tokenform tokenform'
zpty -w shell 'zstyle ":completion:*" list-colors ""; LISTMAX=1000; unsetopt menucomplete automenu; bindkey "^I" list-choices; echo READY''GO'
while zpty -r shell line; do [[ $line == *READYGO* ]] && break; done
zpty -w -n shell "$1"$'\t'
sleep 1
zpty -w -n shell $'\C-u'"echo DONE''GO"$'\n'
while zpty -r shell line; do [[ $line == *DONEGO* ]] && break; print -r -- "$line"; done | tr -d '\r' | sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g' | tr ' ' '\n'`,
}

// TestC9Completion checks the completions of real shells: profiles, the words of flags,
// files with profiles, schemas and topics.
func TestC9Completion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tokenform.yaml"), "profile: dev-one\nclient: {id: \"${NOT_SET}\"}\n---\nprofile: dev-two\nclient: {id: abc}\n")
	write(t, filepath.Join(dir, "other.yaml"), "profile: other-one\nclient: {id: abc}\n")
	write(t, filepath.Join(dir, "notes.txt"), "")
	for shell, script := range completers {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip("there is no " + shell)
			}
			for line, c := range map[string]struct{ has, lacks []string }{
				"tokenform apply -p ":           {[]string{"dev-one", "dev-two"}, []string{"notes.txt", "Completion"}},
				"tokenform apply -p dev-t":      {[]string{"dev-two"}, []string{"dev-one"}},
				"tokenform plan other.yaml -p ": {[]string{"other-one"}, []string{"dev-one"}},
				"tokenform status --color ":     {[]string{"auto", "always", "never"}, []string{"notes.txt"}},
				"tokenform token --format sh":   {nil, []string{"seed"}},
				"tokenform token --format ":     {[]string{"seed", "fish", "header"}, nil},
				"tokenform validate o":          {[]string{"other.yaml"}, []string{"notes.txt"}},
				"tokenform schema ":             {[]string{"profile", "output"}, []string{"notes.txt"}},
				"tokenform help exit":           {[]string{"exit-codes"}, nil},
				"tokenform state ":              {[]string{"list", "push"}, []string{"notes.txt"}},
				"tokenform val":                 {[]string{"validate"}, []string{"status"}},
			} {
				cmd := exec.Command(path, "-c", script, shell, line)
				if shell == "fish" {
					cmd = exec.Command(path, "--no-config", "-c", script, line)
				}
				cmd.Dir = dir
				cmd.Env = append(surroundings(dir, ""), "TERM=xterm", "COLUMNS=200")
				cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"))
				out, err := cmd.Output()
				if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 42 {
					t.Skip("bash-completion is not installed")
				}
				if err != nil {
					t.Errorf("%s: %v", line, err)
				}
				// The editor of zsh prints the line again beside the completions.
				offered := strings.ReplaceAll(string(out), strings.TrimSpace(line), "")
				for _, w := range c.has {
					if !strings.Contains(offered, w) {
						t.Errorf("%q: no %s in %q", line, w, offered)
					}
				}
				for _, w := range c.lacks {
					if strings.Contains(offered, w) {
						t.Errorf("%q: %s is in %q", line, w, offered)
					}
				}
			}
		})
	}
}
