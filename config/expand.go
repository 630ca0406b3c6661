package config

import (
	"fmt"
	"strings"
)

// expand replaces every ${…} in a string value. literal reports that a part of the
// result is written in the profile, at least as a default, and does not come from the
// environment. expand drops one newline at the end of a variable, as at the end of a
// file. A default or a message ends at the next brace, so ${…} cannot nest. Any other
// dollar stays a dollar.
func expand(s string, lookup func(string) (string, bool)) (text string, literal bool, flaws []flaw) {
	if !strings.Contains(s, "$") {
		return s, s != "", nil
	}
	var b strings.Builder
	references := 0
	for {
		plain, rest, found := strings.Cut(s, "$")
		b.WriteString(plain)
		if !found {
			break
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inside, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", false, append(flaws, flaw{"${ without a closing }", "write $${ for a literal ${"})
			}
			references++
			value, fallback, wrong := reference(inside, lookup)
			if wrong != nil {
				flaws = append(flaws, *wrong)
			}
			literal = literal || fallback
			b.WriteString(value)
			s = after
		default:
			b.WriteByte('$')
			s = rest
		}
	}
	if flaws != nil {
		return "", false, flaws
	}
	return b.String(), literal || references == 0, nil
}

// reference evaluates the text between the braces of ${…}. fallback reports that
// the text names a default.
func reference(inside string, lookup func(string) (string, bool)) (value string, fallback bool, wrong *flaw) {
	const forms = "write ${NAME}, ${NAME:-default} or ${NAME:?message}"
	end := 0
	for end < len(inside) && isNameByte(inside[end], end) {
		end++
	}
	name, operator := inside[:end], inside[end:]
	if name == "" {
		return "", false, &flaw{"${…} does not start with a variable name", forms + ", or $${ for a literal ${"}
	}
	value, set := lookup(name)
	value = dropNewline(value) // NAME=$'text\n', or a file read into a variable, ends with a newline
	switch {
	case operator == "":
		if !set {
			return "", false, &flaw{fmt.Sprintf("the variable %s is not set", name), "export it, put it in the env_file (.env by default), or give it a default: ${" + name + ":-…}"}
		}
		return value, false, nil
	case strings.Contains(operator, "${"):
		return "", false, &flaw{"${…} inside ${…}", "a default cannot contain another variable"}
	case strings.HasPrefix(operator, ":-"):
		if value == "" {
			value = operator[2:]
		}
		return value, operator != ":-", nil
	case strings.HasPrefix(operator, ":?"):
		if value != "" {
			return value, false, nil
		}
		message := fmt.Sprintf("the variable %s is not set", name)
		if set {
			message = fmt.Sprintf("the variable %s is empty", name)
		}
		if operator != ":?" {
			message += ": " + printable(operator[2:])
		}
		return "", false, &flaw{message, "export it, or put it in the env_file (.env by default)"}
	default:
		return "", false, &flaw{fmt.Sprintf("${%s… is not a known form", name), forms}
	}
}

// variables returns the names of the variables in a text, as people list them.
func variables(s string) string {
	var names []string
	s = strings.ReplaceAll(s, "$$", "") // a dollar
	for {
		_, rest, found := strings.Cut(s, "${")
		if !found {
			return strings.Join(names, ", ")
		}
		end := 0
		for end < len(rest) && isNameByte(rest[end], end) {
			end++
		}
		names, s = append(names, rest[:end]), rest[end:]
	}
}

// isName reports whether s can name a variable in every shell.
func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i], i) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte, at int) bool {
	return c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || at > 0 && '0' <= c && c <= '9'
}

// printable makes a text of the user fit for a message of one line.
func printable(s string) string {
	q := quoted(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
