package output

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state"
)

// templateSink writes a text file of the user's with the fields of the token in it.
type templateSink struct{}

func (templateSink) edit(x target, old *file) (edit, error) {
	e := edit{change: x.newChange(flow.Update), private: true}
	content, known, err := rendered(x)
	if err != nil {
		return edit{}, err
	}
	e.content, e.unknown = content, !known
	same := old != nil && known && bytes.Equal(old.data, content)
	if last := x.last(); old != nil && !known && last != nil && last.Wrote(old.digest()) {
		same = agrees(string(old.data), string(content)) // assume that unknown values have not changed
	}
	if old != nil && !same {
		switch {
		case atomicfile.OfAnother(x.output.Path) || !x.owned(old):
			return edit{}, x.errNotOurs()
		case len(bytes.TrimSpace(old.data)) > 0 && x.changed(old) && !x.holdsOurs(old):
			return edit{}, x.errEdited()
		case len(bytes.TrimSpace(old.data)) > 0 && x.changed(old) && x.lacksRefresh(old):
			return edit{}, x.errRefreshGone()
		}
	}
	e.setAction(x.token, old, same)
	return e, nil
}

func (templateSink) remembered(x target) (state.Written, bool) {
	w := state.Written{Type: string(x.output.Type), Path: x.output.Path, Made: x.made(nil)}
	content, known, err := rendered(x)
	if before := x.last(); err == nil && known {
		w.Digest = state.Digest(string(content))
	} else if before != nil {
		w.Digest = before.Digest
	}
	old := x.present()
	x.keepTrace(&w, old, content)
	if refresh := x.token.Refresh; refresh != "" && bytes.Contains(content, []byte(refresh)) {
		w.Refresh = state.Digest(refresh)
	}
	return w, old == nil || w.Digest == old.digest() || x.owned(old)
}

func (templateSink) takeBack(w state.Written, old *file, others ownedByOther) (edit, error) {
	return takeBackWhole(w, old, others), nil
}

// unknownValue stands for an unknown value, in a text that is not going to be written.
const unknownValue = "\x00"

// agrees reports whether file equals content, with one and the same text in place of
// every unknown value.
func agrees(file, content string) bool {
	pieces := strings.Split(content, unknownValue)
	gaps := len(pieces) - 1
	room := len(file) - (len(content) - gaps)
	if gaps == 0 || room < 0 || room%gaps != 0 || !strings.HasPrefix(file, pieces[0]) {
		return false
	}
	start := len(pieces[0])
	return strings.Join(pieces, file[start:start+room/gaps]) == file
}

// maxTemplate bounds a template, which is a configuration file.
const maxTemplate = 1 << 20

// rendered returns the template of x with the fields of the token in it. known is
// false if a field is not known without running a command.
func rendered(x target) (content []byte, known bool, err error) {
	o := x.output
	text, _, err := atomicfile.Read(o.Template, maxTemplate)
	if errors.Is(err, atomicfile.ErrTooLarge) {
		return nil, false, &fault.Error{Message: o.TemplateShown + ": larger than 1 MiB", Hint: "put the token in a file of its own"}
	}
	if err != nil {
		hint := "correct the path of the template"
		if !errors.Is(err, fs.ErrNotExist) {
			hint = "make it a file that this user can read"
		}
		return nil, false, &fault.Error{Message: o.TemplateShown, Err: fault.Cause(err), Hint: hint}
	}
	return fill(string(text), o.TemplateShown, x.value)
}

// fill replaces ${field} and $$ in a text. A dollar that opens nothing stays.
func fill(text, shown string, value func(field string) (string, bool)) (content []byte, known bool, err error) {
	known = true
	var b strings.Builder
	for rest := text; ; {
		plain, after, found := strings.Cut(rest, "$")
		b.WriteString(plain)
		if !found {
			return []byte(b.String()), known, nil
		}
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{"):
			field, behind, closed := strings.Cut(after[1:], "}")
			if !closed || !slices.Contains(config.Fields, field) {
				line := 1 + strings.Count(text[:len(text)-len(after)], "\n")
				return nil, false, &fault.Error{
					Message: fmt.Sprintf("%s:%d: ${…} names no field", shown, line),
					Hint:    "the fields are " + strings.Join(config.Fields, ", ") + "; write $${ for a literal ${",
				}
			}
			v, ok := value(field)
			if !ok {
				known, v = false, unknownValue
			}
			b.WriteString(v)
			rest = behind
		default:
			b.WriteByte('$')
			rest = after
		}
	}
}
