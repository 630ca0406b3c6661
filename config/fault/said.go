package fault

import "strings"

// Tail keeps the end of what a command prints, which may be endless. Tail is no
// [io.ReaderFrom], as a [bytes.Buffer] within it would make it: io.Copy would keep all.
type Tail struct{ end []byte }

// Write implements [io.Writer].
func (t *Tail) Write(b []byte) (int, error) {
	const most = 64 << 10
	t.end = append(t.end, b[max(len(b)-most, 0):]...)
	if over := len(t.end) - most; over > 0 {
		t.end = append(t.end[:0], t.end[over:]...)
	}
	return len(b), nil
}

func (t *Tail) String() string { return string(t.end) }

// withoutPieces removes every piece of given with 8 or more bytes from line.
func withoutPieces(line, given string) string {
	const least = 8
	var b strings.Builder
	for i := 0; i < len(line); {
		n := 0
		for i+n < len(line) && strings.Contains(given, line[i:i+n+1]) {
			n++
		}
		if n >= least {
			b.WriteString("[redacted]")
			i += n
			continue
		}
		b.WriteByte(line[i])
		i++
	}
	return b.String()
}

// LastLine returns the last line of what a command printed, without any part of what
// the command was given and without anything that looks like a token.
func LastLine(printed, given string) string {
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	line = line[:min(len(line), 4<<10)] // comparing takes time
	line = withoutPieces(line, given)
	words := strings.Fields(line)
	for i, w := range words {
		if len(w) >= 40 {
			words[i] = "[redacted]"
		}
	}
	if line = strings.Join(words, " "); len([]rune(line)) > 160 {
		line = string([]rune(line)[:160]) + "…"
	}
	return line
}
