package config

import (
	"fmt"
	"slices"
	"strings"
)

// field is a known key of a mapping with its value.
type field struct {
	name string
	key  *node
	node *node // nil if the key has no value, which has been reported
}

// fields are the known keys of a mapping, in the order in which they stand in the file.
type fields []field

func (fs fields) index(name string) int {
	return slices.IndexFunc(fs, func(f field) bool { return f.name == name })
}

// has reports whether the mapping has the key, with a value or without.
func (fs fields) has(name string) bool { return fs.index(name) >= 0 }

// get returns the key, or nil if the mapping has no value for it.
func (fs fields) get(name string) *field {
	if i := fs.index(name); i >= 0 && fs[i].node != nil {
		return &fs[i]
	}
	return nil
}

// mapping returns the known keys of a mapping. mapping reports and leaves out a key
// that is unknown or comes twice, and reports a key without a value. what names the
// mapping in messages. A private mapping may be a secret that somebody forgot to put in
// quotes, so no message quotes its keys.
func (d *document) mapping(n *node, what string, known []string, private bool) (fields, bool) {
	if n.kind != mapping || !d.plain(n) {
		if n.kind != mapping {
			d.report(n, "its keys: "+strings.Join(known, ", "), "%s must be a mapping, not %s", what, n.noun())
		}
		return nil, false
	}
	fs := make(fields, 0, min(len(n.items)/2, len(known)))
	var merges []*node
	for i := 0; i+1 < len(n.items); i += 2 {
		key, value := n.items[i], n.items[i+1]
		switch {
		case key.kind == scalar && key.tag == "!!merge":
			key.shown = true
			merges = append(merges, value)
		case !d.knownKey(key, value, what, known, private):
		case fs.has(key.value):
			d.report(key, "remove one of the two", "duplicate key %s: the first one is at %s", key.value, d.file.at(fs[fs.index(key.value)].key))
		default:
			fs = append(fs, field{key.value, key, value})
		}
	}
	for _, m := range merges {
		fs = d.merge(fs, m, what, known, private, []*node{n})
	}
	for i, f := range fs {
		if f.node.isNull() {
			d.noValue(f.key)
			fs[i].node = nil
		}
	}
	return fs, true
}

// noValue reports a key without a value. Often YAML has taken the value for something
// else: text that begins with # is a comment, and text that begins with & is a name for
// the value behind it.
func (d *document) noValue(key *node) {
	at, hint := d.file.at(key), "give it a value, or remove the key"
	line := d.file.of(key).line(at.Line)
	i := at.Col - 1 + len([]rune(key.value))
	for i < len(line) && strings.ContainsRune(" \t:\"'", line[i]) {
		i++
	}
	if i < len(line) && (line[i] == '#' || line[i] == '&') {
		at.Col, hint = i+1, fmt.Sprintf("YAML reads text that starts with %c as no value: if it is the value, quote it", line[i])
	}
	d.loader.report(at, hint, key.value+" has no value")
	if at.Col != key.col {
		d.problems[len(d.problems)-1].Line = d.file.of(key).before(at.Line, at.Col)
	}
}

// merge adds the keys of n, the value of a << key, that fs does not have yet:
// explicit keys win over merged ones, and of several mappings the first one wins
// (yaml.org/type/merge). into lists the mappings that are being merged into, to
// find a mapping that merges itself.
func (d *document) merge(fs fields, n *node, what string, known []string, private bool, into []*node) fields {
	mappings := []*node{n}
	if n.kind == list {
		mappings = n.items
	}
	for _, from := range mappings {
		if d.tooMany(from) {
			return fs
		}
		switch {
		case from.kind != mapping:
			d.report(from, "write for example: <<: *anchor", "<< takes a mapping or a list of mappings")
			continue
		case slices.Contains(into, from):
			d.report(from, "remove the <<", "<< merges a mapping into itself")
			continue
		}
		for i := 0; i+1 < len(from.items); i += 2 {
			if d.tooMany(from) {
				return fs
			}
			key, value := from.items[i], from.items[i+1]
			switch {
			case key.kind == scalar && key.tag == "!!merge":
				key.shown = true
				fs = d.merge(fs, value, what, known, private, append(slices.Clip(into), from))
			case d.knownKey(key, value, what, known, private) && !fs.has(key.value):
				fs = append(fs, field{key.value, key, value})
			}
		}
	}
	return fs
}

// maxMerged bounds the keys that merges bring into a document. Merges of merges
// multiply, so that a small file could keep the loader busy forever.
const maxMerged = 5_000

// tooMany counts one more merged key and reports whether there are too many.
func (d *document) tooMany(n *node) bool {
	if d.merged++; d.merged == maxMerged {
		d.report(n, "write the values out", "too many merges")
	}
	return d.merged >= maxMerged
}

// knownKey returns whether key is one of the known keys, and else adds an error.
// The value of an unknown key is hidden: the key may be a misspelt "secret".
func (d *document) knownKey(key, value *node, what string, known []string, private bool) bool {
	if key.kind != scalar {
		d.report(key, "", "a key of %s must be text, not %s", what, key.noun())
		key.hide()
		value.hide()
		return false
	}
	if slices.Contains(known, key.value) {
		key.shown = true
		return true
	}
	value.hide()
	if private || key.marked { // by its anchor the key may be used as a secret elsewhere
		key.hide()
		d.report(key, "one of: "+strings.Join(known, ", "), "unknown key in %s", what)
		return false
	}
	key.shown = true
	hint := meant(key.value, known)
	if what == "defaults" && slices.Contains(profileKeys, key.value) {
		hint = "write it in the profile that it belongs to"
	}
	if slices.Contains(known, "client") { // the mapping is the document itself
		switch normalized(key.value) {
		case "clientid", "id":
			hint = "write client: and, indented below it, id:"
		case "clientsecret", "secret":
			hint = "write client: and, indented below it, secret:"
		case "name":
			hint = "did you mean profile?"
		}
	}
	d.report(key, hint, "unknown key %s in %s", key.quoted(), what)
	return false
}

// plain reports an error if n has a YAML tag that means nothing in a profile. The
// message does not quote the tag: YAML takes a secret that begins with !, and is
// not in quotes, for a tag.
func (d *document) plain(n *node) bool {
	if n.plain() {
		return true
	}
	d.report(n, "remove the tag; quote a value that starts with !", "unexpected YAML tag")
	return false
}

// text returns the text of a scalar with every ${…} replaced. A number or a date
// is the text as written too: 010 stays 010.
func (d *document) text(n *node, name string) (s string, ok bool) {
	s, _, ok = d.expand(n, name)
	return s, ok
}

// expand is like text. literal says that a part of s is written in the profile itself.
func (d *document) expand(n *node, name string) (s string, literal, ok bool) {
	switch {
	case n.kind != scalar:
		d.report(n, "", "%s must be text, not %s", name, n.noun())
		return "", false, false
	case !d.plain(n):
		return "", false, false
	case n.isNull():
		d.report(n, "give it a value, or remove it", "%s has no value", name)
		return "", false, false
	}
	if d.unselected && strings.Contains(n.value, "${") {
		return "", false, false
	}
	s, literal, flaws := expand(n.value, d.lookup)
	for _, f := range flaws {
		if strings.HasPrefix(f.hint, "export it") { // a variable is not set
			if name == "client.secret" {
				f.hint += "; or leave the key out for a public client (PKCE)"
			}
			f.hint += d.skipped + d.forks()
		}
		d.report(n, f.hint, "%s: %s", name, f.message)
	}
	return s, literal, flaws == nil
}

// shown is text for a value that messages may quote. shown refuses an empty text.
func (d *document) shown(n *node, name string) (s string, ok bool) {
	n.shown = n.plain()
	s, ok = d.text(n, name)
	if ok && s == "" {
		d.report(n, emptyHint(n.value), "%s is empty", name)
		return "", false
	}
	return s, ok
}

// emptyHint says where an empty text may come from. Usually a variable is set but
// empty, while the error points at the profile, where nothing looks wrong.
func emptyHint(written string) string {
	if strings.Contains(written, "${") {
		return "the variable in it is empty: give it a value, or write a default as ${NAME:-default}"
	}
	return "give it a value, or remove the key"
}

func (d *document) boolean(fs fields, name string) bool {
	f := fs.get(name)
	if f == nil {
		return false
	}
	s, ok := d.shown(f.node, name)
	switch {
	case !ok:
	case strings.EqualFold(s, "true"):
		return true
	case !strings.EqualFold(s, "false"):
		d.report(f.node, "write true or false", "%s must be true or false, not %s", name, f.node.quoted())
	}
	return false
}

// items returns the nodes of a list. Many people write a single text instead, so
// hint shows the list to write.
func (d *document) items(n *node, name, hint string) []*node {
	if n.kind != list {
		d.report(n, hint, "%s must be a list, not %s", name, n.noun())
		return nil
	}
	if !d.plain(n) {
		return nil
	}
	return n.items
}
