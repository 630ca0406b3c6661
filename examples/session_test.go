package examples

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSessionPicture runs the session that the README shows in a terminal, draws what the
// terminal shows, and compares the picture with session.svg. GOLDEN=update draws it anew.
func TestSessionPicture(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("script, which makes a terminal, is not installed")
	}
	dir := t.TempDir()
	var screen []string
	for _, line := range []string{
		"tokenform init --scope user-library-read",
		"tokenform plan --sandbox",
		"tokenform apply --sandbox",
		"tokenform apply --sandbox",
		"tokenform status --sandbox",
	} {
		if line == "tokenform plan --sandbox" {
			// Port 8888 may be in use on this machine.
			file := filepath.Join(dir, "tokenform.yaml")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, file, strings.Replace(string(b), ":8888", "", 1))
		}
		cmd := exec.Command("script", "-qec", "stty cols 96; "+strings.Replace(line, "tokenform", program, 1), "/dev/null")
		cmd.Dir, cmd.Env = dir, surroundings(dir, "", "TERM=xterm-256color", "LANG=C.UTF-8")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		screen = append(screen, "\x1b[32m$\x1b[0m \x1b[1m"+line+"\x1b[0m")
		screen = append(screen, strings.Split(strings.TrimRight(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n"), "\n")...)
		screen = append(screen, "")
	}
	text := strings.Join(screen[:len(screen)-1], "\n")
	text = regexp.MustCompile(`\r\x1b\[K|\x1b\[\?[0-9;]*[a-z]`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`20\d\d-\d\d-\d\d`).ReplaceAllString(text, "2027-05-22")
	text = regexp.MustCompile(`\b5\dm\b`).ReplaceAllString(text, "59m")
	text = regexp.MustCompile(`\b1\d\dd\b`).ReplaceAllString(text, "180d")
	got := picture(strings.Split(text, "\n"))
	if os.Getenv("GOLDEN") == "update" {
		if err := os.WriteFile("session.svg", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("session.svg")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("session.svg is out of date (-want +got); GOLDEN=update go test ./examples -run TestSessionPicture draws it anew\n%s", diff)
	}
}

// picture draws the lines of a terminal, with their colors, as SVG.
func picture(lines []string) string {
	const lineHeight, left, top = 19, 18, 44
	width, height := 860, top+lineHeight*len(lines)+8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="A terminal session">
<style>
text{font:14px ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6e6e6;white-space:pre}
.b{font-weight:700}.f{fill:#9a9a9a}.r{fill:#ff8a80}.g{fill:#7ddc8c}.y{fill:#f0c674}.c{fill:#7fd3e6}
</style>
<rect width="%d" height="%d" rx="10" fill="#1b1d1e"/>
<circle cx="22" cy="20" r="6" fill="#ff5f57"/><circle cx="42" cy="20" r="6" fill="#febc2e"/><circle cx="62" cy="20" r="6" fill="#28c840"/>
`, width, height, width, height, width, height)
	code := regexp.MustCompile(`\x1b\[([0-9;]*)m`)
	classes := map[string]string{"1": "b", "2": "f", "31": "r", "32": "g", "33": "y", "36": "c"}
	for i, line := range lines {
		fmt.Fprintf(&b, `<text x="%d" y="%d" xml:space="preserve">`, left, top+lineHeight*i+6)
		class := ""
		add := func(text string) {
			switch {
			case text == "":
			case class == "":
				b.WriteString(html.EscapeString(text))
			default:
				fmt.Fprintf(&b, `<tspan class="%s">%s</tspan>`, class, html.EscapeString(text))
			}
		}
		for {
			at := code.FindStringSubmatchIndex(line)
			if at == nil {
				add(line)
				break
			}
			add(line[:at[0]])
			class = classes[line[at[2]:at[3]]]
			line = line[at[1]:]
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}
