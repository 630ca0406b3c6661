package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"tokenform/config/fault"
	"tokenform/config/help"
)

// page is the help of one command.
type page struct {
	name, short string
	usage       string // the words after "tokenform"
	long        string
	examples    string      // one command a line, with comments
	groups      []flagGroup // without the global flags
	global      flagGroup
}

// flagGroup are flags that belong together.
type flagGroup struct {
	title string
	flags []flagHelp
}

// flagHelp is one flag: how it is written, and what the flag does.
type flagHelp struct{ form, text string }

const (
	helpWidth = 80
	leftWidth = 38 // the widest left column of a list
)

// text returns the page as help shows it.
func (p page) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nUsage:\n  tokenform %s\n", plain(cmp.Or(p.long, p.short)), p.usage)
	if p.examples != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", indented(p.examples))
	}
	for _, g := range append(slices.Clone(p.groups), p.global) {
		g.write(&b)
	}
	return b.String()
}

func (g flagGroup) write(b *strings.Builder) {
	if len(g.flags) == 0 {
		return
	}
	rows := make([][2]string, len(g.flags))
	for i, f := range g.flags {
		rows[i] = [2]string{f.form, f.text}
	}
	fmt.Fprintf(b, "\n%s:\n%s", g.title, list(rows))
}

// rootText returns the help of the program itself.
func rootText(global flagGroup) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nUsage:\n  tokenform COMMAND [flags] [FILE|DIR|-]...\n\nExamples:\n%s\n\nCommands:\n", plain(longRoot), indented(examplesRoot))
	var rows [][2]string
	for _, e := range commands {
		rows = append(rows, [2]string{e.name, e.short})
	}
	b.WriteString(list(append(rows, [2]string{"completion", "print a script that completes commands in a shell"})))
	rows = nil
	for _, t := range help.Topics {
		rows = append(rows, [2]string{t.Name, t.Short})
	}
	fmt.Fprintf(&b, "\nTopics, shown by tokenform help TOPIC:\n%s", list(rows))
	global.write(&b)
	b.WriteString("\ntokenform COMMAND --help says more about a command.\n")
	return b.String()
}

// list lays rows out in two columns, and wraps both.
func list(rows [][2]string) string {
	left := 0
	for _, r := range rows {
		left = max(left, utf8.RuneCountInString(r[0]))
	}
	left = min(left, leftWidth)
	var b strings.Builder
	for _, r := range rows {
		a, c := wrap(r[0], left), wrap(r[1], helpWidth-left-4)
		if utf8.RuneCountInString(a[0]) > left { // one word that is too long has a line of its own
			fmt.Fprintf(&b, "  %s\n", a[0])
			a = a[1:]
		}
		for i := range max(len(a), len(c)) {
			var x, y string
			if i < len(a) {
				x = a[i]
			}
			if i < len(c) {
				y = c[i]
			}
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", left, x, y), " ") + "\n")
		}
	}
	return b.String()
}

// wrap breaks a text into lines of at most width characters, between words.
func wrap(text string, width int) []string {
	blank := text[:len(text)-len(strings.TrimLeft(text, " "))] // of a flag without a letter
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = blank + word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// plain returns a Markdown text as a terminal shows it: headings without their marks,
// code without quotes, tables as lists, paragraphs as wide as the help.
func plain(markdown string) string {
	var b strings.Builder
	var rows [][2]string
	var paragraph string
	flush := func() {
		if rows != nil {
			b.WriteString(list(rows[1:])) // without the heading
		}
		if paragraph != "" {
			b.WriteString(strings.Join(wrap(paragraph, helpWidth), "\n") + "\n")
		}
		rows, paragraph = nil, ""
	}
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		code, isCode := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasPrefix(line, "|---"):
		case strings.HasPrefix(line, "|"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, [2]string{cells[0], strings.Join(cells[1:], "; ")})
		case line == "", isCode, strings.HasPrefix(line, "  "), strings.HasPrefix(line, "#"):
			flush()
			switch {
			case isCode:
				line = "  " + code
			case strings.HasPrefix(line, "# "):
				line = strings.ToUpper(line[2:])
			}
			b.WriteString(strings.TrimPrefix(line, "## ") + "\n")
		default:
			if len(line) > 2 && line[1] == '.' && '0' <= line[0] && line[0] <= '9' { // 1. in a list
				flush()
			}
			paragraph = strings.TrimLeft(paragraph+" "+strings.ReplaceAll(line, "`", ""), " ")
		}
	}
	flush()
	return b.String()
}

const longHelp = `Explains a command or a topic. Without either, it lists them.`

const examplesHelp = `tokenform help apply
tokenform help troubleshooting
tokenform help --man ~/.local/share/man/man1    # for man tokenform`

type helpCommand struct {
	about, man string
}

func (c *helpCommand) flags(f flags) {
	f.StringVar(&c.man, "man", "", "write man pages to `DIR` instead")
}

func (c *helpCommand) check(args, _ []string) error {
	c.about = strings.Join(args, " ")
	if _, ok := pageOf(c.about); ok || c.about == "" || isTopic(c.about) {
		return nil
	}
	hint := "tokenform help lists commands and topics"
	if c.about == "completion" { // which is cobra's
		hint = "tokenform completion --help"
	} else if near := nearestAbout(c.about); near != "" {
		hint = "did you mean " + near + "?"
	}
	return usage(fmt.Sprintf("no help for %q", clip(c.about)), hint)
}

// nearestAbout returns the command or topic that about was probably meant to be, or "".
func nearestAbout(about string) string {
	for _, e := range commands {
		if levenshtein.ComputeDistance(clip(about), e.name) <= min(len(e.name)/2, 2) {
			return e.name
		}
	}
	for _, t := range help.Topics {
		if levenshtein.ComputeDistance(clip(about), t.Name) <= min(len(t.Name)/2, 2) {
			return t.Name
		}
	}
	return ""
}

func isTopic(name string) bool {
	return slices.ContainsFunc(help.Topics[:], func(t help.Topic) bool { return t.Name == name })
}

func (c *helpCommand) run(_ context.Context, p *program) int {
	if c.man != "" {
		if err := writeManPages(c.man); err != nil {
			return p.refuse(err)
		}
		return 0
	}
	var parts []string
	if about, ok := pageOf(c.about); ok {
		parts = append(parts, about.text())
	}
	if isTopic(c.about) {
		parts = append(parts, plain(help.Text(c.about)))
	}
	if c.about == "" {
		parts = append(parts, rootText(globalFlags()))
	}
	p.voice.Print(strings.TrimRight(strings.Join(parts, "\n"), "\n") + "\n")
	return 0
}

// writeManPages writes a man page for the program, each command and each topic.
func writeManPages(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &fault.Error{Message: dir, Err: fault.Cause(err), Hint: "name a directory that this user can write"}
	}
	write := func(name, text string) error {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return &fault.Error{Message: path, Err: fault.Cause(err), Hint: "name a directory that this user can write"}
		}
		return nil
	}
	if err := write("tokenform.1", manRoot(globalFlags())); err != nil {
		return err
	}
	for _, e := range commands {
		about, _ := pageOf(e.name)
		if err := write("tokenform-"+e.name+".1", about.man()); err != nil {
			return err
		}
	}
	for _, t := range help.Topics {
		if err := write("tokenform-"+t.Name+".7", manTopic(t)); err != nil {
			return err
		}
	}
	return nil
}
