// Command pages writes what a release has beside the program, into a directory:
// completions for four shells, and man pages of what the program's own help says.
// The directory is made anew. The release's hook in .goreleaser.yaml runs it:
//
//	go run ./examples/release/pages DIR
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run ./examples/release/pages DIR")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// completions are the shells and the names under which they find a script.
var completions = map[string]string{
	"bash":       "tokenform.bash",
	"fish":       "tokenform.fish",
	"powershell": "tokenform.ps1",
	"zsh":        "_tokenform",
}

func write(dir string) error {
	temp, err := os.MkdirTemp("", "tokenform-pages")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	program := filepath.Join(temp, "tokenform.exe") // every system runs this name
	build := exec.Command("go", "build", "-o", program, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	ask := func(args ...string) (string, error) {
		out, err := exec.Command(program, args...).Output()
		if err != nil {
			return "", fmt.Errorf("tokenform %s: %w", strings.Join(args, " "), err)
		}
		return string(out), nil
	}

	files := map[string]string{}
	for shell, name := range completions {
		if files["completions/"+name], err = ask("completion", shell); err != nil {
			return err
		}
	}
	root, err := ask("help")
	if err != nil {
		return err
	}
	commands, topics := listed(root)
	all := append(append([]page{{name: "tokenform", short: "Spotify tokens, declared in a file and kept valid", section: 1}}, commands...), topics...)
	for _, p := range all {
		if p.text, err = ask(p.help...); err != nil {
			return err
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b) // without a name and a time, so that the same page has the same bytes
		if _, err := z.Write([]byte(p.roff(all))); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		files[fmt.Sprintf("man/%s.%d.gz", p.name, p.section)] = b.String()
	}

	for _, sub := range []string{"completions", "man"} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page is one man page.
type page struct {
	name, short string
	section     int      // 1 for a command, 7 for a topic
	help        []string // the arguments that print text
	text        string
}

var (
	commandLine = regexp.MustCompile(`^  ([a-z-]+) +(\S.*)$`)
	topicLine   = regexp.MustCompile(`^  tokenform ([a-z-]+) +(\S.*)$`)
	heading     = regexp.MustCompile(`^([A-Z][A-Za-z ]+):$`)
	option      = regexp.MustCompile(`^ +((?:-\w, )?--\S+(?: [^ ]+)?)  +(\S.*)$`)
)

// listed returns the commands and the topics that the program's help lists. A topic
// has the name of a command in the case of state, hence the other section.
func listed(root string) (commands, topics []page) {
	section := ""
	for line := range strings.Lines(root) {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		switch section {
		case "Available Commands":
			if m := commandLine.FindStringSubmatch(line); m != nil && m[1] != "help" {
				commands = append(commands, page{name: "tokenform-" + m[1], short: m[2], section: 1, help: []string{m[1], "--help"}})
			}
		case "Additional help topics":
			if m := topicLine.FindStringSubmatch(line); m != nil {
				topics = append(topics, page{name: "tokenform-" + m[1], short: m[2], section: 7, help: []string{"help", m[1]}})
			}
		}
	}
	return commands, topics
}

// roff returns the page in the language of man(7). Text keeps its lines.
func (p page) roff(all []page) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s %d \"\" tokenform\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n.nf\n", strings.ToUpper(escape(p.name)), p.section, escape(p.name), escape(p.short))
	filled := false
	for line := range strings.Lines(strings.TrimRight(p.text, "\n") + "\n") {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			fmt.Fprintf(&b, ".fi\n.SH %s\n.nf\n", strings.ToUpper(m[1]))
			filled = false
		} else if m := option.FindStringSubmatch(line); m != nil {
			if !filled {
				b.WriteString(".fi\n")
				filled = true
			}
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", escape(m[1]), escape(m[2]))
		} else if !filled || line != "" {
			b.WriteString(escape(line) + "\n")
		}
	}
	var others []string
	for _, o := range all {
		if o.name != p.name || o.section != p.section {
			others = append(others, fmt.Sprintf(".BR %s (%d)", escape(o.name), o.section))
		}
	}
	fmt.Fprintf(&b, ".fi\n.SH SEE ALSO\n%s\n", strings.Join(others, ",\n"))
	return b.String()
}

// escape keeps a line of text from being a request or an escape sequence of roff.
func escape(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
