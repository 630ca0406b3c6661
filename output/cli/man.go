package cli

import (
	"fmt"
	"strings"

	"tokenform/config/help"
)

// man returns the page in the man macros of roff, see man(7).
func (p page) man() string {
	var b strings.Builder
	manHead(&b, "tokenform-"+p.name, 1, p.short)
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n%s", roff("tokenform "+p.usage), manText(p.long))
	for _, g := range append(p.groups, p.global) {
		g.man(&b)
	}
	if p.examples != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n%s", manCode(strings.Split(p.examples, "\n")))
	}
	b.WriteString(".SH SEE ALSO\n.BR tokenform (1)\n")
	return tidy(b.String())
}

func (g flagGroup) man(b *strings.Builder) {
	if len(g.flags) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", roff(strings.ToUpper(g.title)))
	for _, f := range g.flags {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(f.form), roff(f.text))
	}
}

func manRoot(global flagGroup) string {
	var b strings.Builder
	manHead(&b, "tokenform", 1, "Spotify tokens, declared in a file and kept valid")
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B tokenform COMMAND [flags] [FILE|DIR|\\-]...\n.SH DESCRIPTION\n%s.SH COMMANDS\n", manText(longRoot))
	for _, e := range commands {
		fmt.Fprintf(&b, ".TP\n.BR tokenform\\-%s (1)\n%s\n", roff(e.name), roff(e.short))
	}
	global.man(&b)
	fmt.Fprintf(&b, ".SH EXAMPLES\n%s.SH SEE ALSO\n", manCode(strings.Split(examplesRoot, "\n")))
	for _, t := range help.Topics {
		fmt.Fprintf(&b, ".TP\n.BR tokenform\\-%s (7)\n%s\n", roff(t.Name), roff(t.Short))
	}
	return tidy(b.String())
}

func manTopic(t help.Topic) string {
	var b strings.Builder
	manHead(&b, "tokenform-"+t.Name, 7, t.Short)
	b.WriteString(".SH DESCRIPTION\n" + manText(help.Text(t.Name)) + ".SH SEE ALSO\n.BR tokenform (1)\n")
	return tidy(b.String())
}

func manHead(b *strings.Builder, name string, section int, short string) {
	fmt.Fprintf(b, ".TH %s %d\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), section, roff(name), roff(short))
}

// manText converts Markdown, of which help topics use paragraphs, headings, indented
// code, numbered lists and tables.
func manText(markdown string) string {
	var b strings.Builder
	var code, table []string
	flush := func() {
		if code != nil {
			b.WriteString(manCode(code))
			code = nil
		}
		for i, row := range table {
			cells := strings.Split(strings.Trim(row, "|"), "|")
			if i > 1 { // without the heading and the line beneath it
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(cells[0])), roff(strings.TrimSpace(strings.Join(cells[1:], ";"))))
			}
		}
		table = nil
	}
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		text, isCode := strings.CutPrefix(line, "    ")
		if !isCode && code == nil {
			text, isCode = strings.CutPrefix(line, "  ") // an example in a command's own text
		}
		switch {
		case isCode:
			code = append(code, text)
			continue
		case strings.HasPrefix(line, "|"):
			table = append(table, line)
			continue
		}
		flush()
		switch {
		case line == "":
			b.WriteString(".PP\n")
		case strings.HasPrefix(line, "# "): // the name of the page
		case strings.HasPrefix(line, "## "):
			fmt.Fprintf(&b, ".SS %s\n", roff(line[3:]))
		default:
			b.WriteString(roff(strings.ReplaceAll(line, "`", "")) + "\n")
		}
	}
	flush()
	return b.String()
}

func manCode(lines []string) string {
	for i := range lines {
		lines[i] = roff(lines[i])
	}
	return ".PP\n.nf\n.RS\n" + strings.Join(lines, "\n") + "\n.RE\n.fi\n"
}

// tidy drops the paragraph macros that begin nothing.
func tidy(page string) string {
	var b strings.Builder
	pending, heading := false, true
	for line := range strings.Lines(page) {
		if line == ".PP\n" {
			pending = true
			continue
		}
		isHeading := strings.HasPrefix(line, ".S") || line == ".TP\n"
		if pending && !heading && !isHeading {
			b.WriteString(".PP\n")
		}
		pending, heading = false, isHeading
		b.WriteString(line)
	}
	return b.String()
}

// roff escapes a line of text, see groff(7): a backslash, a hyphen that must stay one,
// and a dot or quote at the beginning.
func roff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}
