package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

type kind uint8

const (
	scalar kind = iota
	list
	mapping
)

// node is a piece of a profile. The nodes of yaml.v3 stay in this file, and its decoder
// is not used: the decoder quotes values in errors, lets null skip checks and ignores
// unknown tags. An alias is the same *node as its anchor.
type node struct {
	kind  kind
	tag   string // "!!str", "!!null", …
	value string // of a scalar, as written, with its ${…}
	items []*node
	line  int
	col   int // in characters

	// A message that shows the line hides a scalar unless it is shown and not
	// secret. The decoder sets both: an alias may use one node under two keys.
	shown  bool
	secret bool
	marked bool // has an anchor, or a tag that means nothing in a profile
}

// noun says in messages what the node is.
func (n *node) noun() string {
	if n.isNull() {
		return "empty"
	}
	return [...]string{scalar: "text", list: "a list", mapping: "a mapping"}[n.kind]
}

func (n *node) isNull() bool { return n.kind == scalar && n.tag == "!!null" }

// quoted returns the text of a scalar or key for a message. The text is as written,
// with ${…}, because the variables may hold secrets.
func (n *node) quoted() string {
	if n.secret {
		return "…" // an alias uses the same node as a secret
	}
	return quoted(n.value)
}

// plain reports whether the tag of n has a meaning in a profile.
func (n *node) plain() bool {
	switch n.tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge", "!!map", "!!seq":
		return true
	}
	return false
}

// hide masks a node and all beneath it.
func (n *node) hide() {
	if n.secret {
		return
	}
	n.secret = true
	for _, item := range n.items {
		item.hide()
	}
}

// tree is a parsed document.
type tree struct {
	root  *node   // nil if the document is empty or broken
	nodes []*node // every node, in the order of the text
}

// flawAt is a flaw at a line and column. Column zero means the whole line.
type flawAt struct {
	flaw
	line, col int
}

// parse calls take for each document of a file. The documents before a flaw are
// complete.
func parse(data []byte, take func(tree)) (wrong *flawAt) {
	if wrong := illegal(data); wrong != nil {
		return wrong
	}
	if wrong := crowded(data); wrong != nil {
		return wrong
	}
	var c converter
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := nextNode(dec, &doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return syntax(data, err)
		}
		if len(doc.Content) == 0 {
			continue
		}
		c.aliases, c.nodes = 0, make([]*node, 0, len(c.nodes)) // the next document is probably as large
		root := c.convert(doc.Content[0], 0)
		if c.wrong != nil || root.isNull() && root.value == "" {
			root = nil // the text between two --- is empty
		}
		take(tree{root, c.nodes})
		if c.wrong != nil {
			return c.wrong
		}
	}
}

// nextNode turns panics of yaml.v3 into errors. yaml.v3 recovers from those it
// raises, but broken input causes others (go-yaml/yaml issues 560, 666, 855).
func nextNode(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: the parser failed")
		}
	}()
	return dec.Decode(doc)
}

// Limits that keep a hostile tree cheap.
const (
	maxAliases = 1_000 // of a document
	maxDepth   = 50    // of nesting; a profile needs six
)

// converter makes a *node of each node of yaml.v3.
type converter struct {
	nodes   []*node
	anchors map[*yaml.Node]*node
	aliases int
	wrong   *flawAt
}

func (c *converter) convert(y *yaml.Node, depth int) *node {
	if y.Kind == yaml.AliasNode {
		if c.aliases++; c.aliases > maxAliases {
			c.fail(y, fmt.Sprintf("more than %d aliases in one document", maxAliases))
		}
		// An alias inside its own anchor makes a node that contains itself, so code
		// that walks a tree must bound the walk.
		return c.anchors[y.Alias]
	}
	n := &node{tag: y.Tag, value: y.Value, line: y.Line, col: y.Column}
	n.marked = y.Anchor != "" || !n.plain()
	switch y.Kind {
	case yaml.SequenceNode:
		n.kind = list
	case yaml.MappingNode:
		n.kind = mapping
	}
	c.nodes = append(c.nodes, n)
	if y.Anchor != "" {
		if c.anchors == nil {
			c.anchors = map[*yaml.Node]*node{}
		}
		c.anchors[y] = n
	}
	if depth > maxDepth {
		c.fail(y, fmt.Sprintf("nested deeper than %d levels", maxDepth))
	}
	if c.wrong != nil {
		return n
	}
	if len(y.Content) > 0 {
		n.items = make([]*node, len(y.Content))
		for i, child := range y.Content {
			n.items[i] = c.convert(child, depth+1)
		}
	}
	return n
}

func (c *converter) fail(y *yaml.Node, message string) {
	if c.wrong == nil {
		c.wrong = &flawAt{flaw{message, "split the file, or write the values out"}, y.Line, y.Column}
	}
}

// indentation returns how many bytes of blanks a line begins with.
func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// syntax translates an error of yaml.v3. One of its texts quotes the file and is
// replaced: YAML takes a secret that begins with *, and is not in quotes, for an
// alias.
func syntax(data []byte, err error) *flawAt {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if _, rest, ok := strings.Cut(message, "unknown anchor '"); ok {
		at := &flawAt{flaw: flaw{"not YAML: an alias (*) without an anchor (&)", "quote a value that starts with *"}}
		if i := bytes.Index(data, []byte("*"+strings.TrimSuffix(rest, "' referenced"))); i >= 0 {
			at.line, at.col = lineAt(data, i)
		}
		return at
	}
	if at := culprit(data); at != nil {
		at.message = "not YAML: " + at.message
		return at
	}
	at := &flawAt{line: 1, col: 1} // yaml.v3 gives no number for line one
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if number, after, ok := strings.Cut(rest, ": "); ok {
			message = after
			if line, err := strconv.Atoi(number); err == nil {
				at.line = line
			}
			if strings.HasPrefix(message, "did not find expected") {
				at.line++ // the parser of yaml.v3 counts lines from zero, its scanner from one
			}
		}
	}
	lines := strings.Split(string(data), "\n")
	for strings.Contains(message, "tab character") && at.line < len(lines) && !strings.Contains(lines[at.line-1][:indentation(lines[at.line-1])], "\t") {
		at.line++
	}
	tab := false // in the indentation
	if at.line <= len(lines) {
		text := lines[at.line-1]
		tab = strings.Contains(text[:indentation(text)], "\t")
		at.col = indentation(text) + 1
		if _, value, ok := strings.Cut(text, ": "); ok && strings.Contains(message, "cannot start any token") && !strings.HasPrefix(text, "\t") {
			at.col = len([]rune(text)) - len([]rune(strings.TrimLeft(value, " "))) + 1
		}
	}
	switch {
	case strings.Contains(message, "expected ',' or"):
		at.hint = "inside { } and [ ], quote values that contain ${…}, commas or braces"
	case strings.Contains(message, "expected key"), strings.Contains(message, "block sequence entries"):
		at.hint = "check the indentation: the keys of one mapping start in the same column"
	case strings.Contains(message, "unknown escape"):
		at.hint = `in double quotes, write \\ for a backslash; or use single quotes`
	case strings.Contains(message, "expected comment or line break"):
		at.hint = "quote a value that starts with | or >"
	case strings.Contains(message, "mapping values are not allowed"):
		at.hint = `quote a value that contains ": ", and check the indentation`
	case strings.Contains(message, "tab character"), strings.Contains(message, "cannot start any token") && tab:
		message, at.hint = "a tab cannot indent a line", "indent with spaces"
	case strings.Contains(message, "cannot start any token"):
		at.hint = "quote a value that starts with @, % or `"
	}
	at.message = "not YAML: " + message
	return at
}
