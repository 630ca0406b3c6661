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

// node is a piece of a profile. yaml.v3's own nodes stay in this file, and so
// do its decoder's habits: errors that quote values, null that skips checks,
// unknown tags that vanish. An alias is the very node that its anchor marks.
type node struct {
	kind  kind
	tag   string // "!!str", "!!null", …
	value string // of a scalar, as written, ${…} and all
	items []*node
	line  int
	col   int // in characters

	// Where a problem shows the line, scalars are masked unless the decoder
	// came across them under a key that is fit to be seen, and nowhere else.
	shown  bool
	secret bool
	marked bool // with an anchor, or a tag of no meaning
}

// noun is what the node is, for messages.
func (n *node) noun() string {
	if n.isNull() {
		return "empty"
	}
	return [...]string{scalar: "text", list: "a list", mapping: "a mapping"}[n.kind]
}

func (n *node) isNull() bool { return n.kind == scalar && n.tag == "!!null" }

// quoted is the text of a scalar or key for a message, as written: what the
// variables in it hold is nobody's business.
func (n *node) quoted() string {
	if n.secret {
		return "…" // a secret by another name, through an alias
	}
	return quoted(n.value)
}

// plain reports whether the tag is one that a profile has any use for.
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
	root  *node   // nil: there is nothing in it, or a fault
	nodes []*node // every node, in the order of the text
}

// flawAt is a flaw at a line and column. Column zero means the whole line.
type flawAt struct {
	flaw
	line, col int
}

// parse hands on the documents of a file, one after the other. Those before the
// fault are complete.
func parse(data []byte, take func(tree)) (wrong *flawAt) {
	if wrong := illegal(data); wrong != nil {
		return wrong
	}
	if wrong := crowded(data); wrong != nil {
		return wrong
	}
	c := converter{chunk: min(max(len(data)/12, 8), 64)}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := decode(dec, &doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return syntax(data, err)
		}
		if len(doc.Content) == 0 {
			continue
		}
		c.aliases, c.nodes = 0, make([]*node, 0, len(c.nodes)) // one is like the next
		root := c.convert(doc.Content[0], 0)
		if c.wrong != nil || root.isNull() && root.value == "" {
			root = nil // nothing between two markers
		}
		take(tree{root, c.nodes})
		if c.wrong != nil {
			return c.wrong
		}
	}
}

// decode turns yaml.v3's panics into errors. It recovers from its own, but
// broken input reaches others (go-yaml/yaml issues 560, 666, 855).
func decode(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: the parser gave up on it")
		}
	}()
	return dec.Decode(doc)
}

// Limits that keep a hostile tree cheap.
const (
	maxAliases = 1_000 // of a document
	maxDepth   = 50    // of nesting; a profile needs six
)

// converter copies yaml.v3's nodes into ours.
type converter struct {
	nodes   []*node
	anchors map[*yaml.Node]*node
	spare   []node
	chunk   int // nodes per allocation: about as many as a small file has
	aliases int
	wrong   *flawAt
}

func (c *converter) convert(y *yaml.Node, depth int) *node {
	if y.Kind == yaml.AliasNode {
		if c.aliases++; c.aliases > maxAliases {
			c.fail(y, fmt.Sprintf("more than %d aliases in one document", maxAliases))
		}
		// An alias inside its own anchor finds the unfinished node, which is
		// why nobody may walk a tree without an end of his own.
		return c.anchors[y.Alias]
	}
	if len(c.spare) == 0 {
		c.spare = make([]node, c.chunk)
	}
	n := &c.spare[0]
	c.spare = c.spare[1:]
	*n = node{tag: y.Tag, value: y.Value, line: y.Line, col: y.Column}
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
		c.wrong = &flawAt{flaw{message, "split the file, or write it out plainly"}, y.Line, y.Column}
	}
}

// syntax puts an error of yaml.v3 in its place. Its texts name what the parser
// expected; the one that quotes the file is replaced: a secret that begins
// with * is an alias to YAML.
func syntax(data []byte, err error) *flawAt {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if _, rest, ok := strings.Cut(message, "unknown anchor '"); ok {
		at := &flawAt{flaw: flaw{"not YAML: an alias (*) without its anchor (&)", "put a value that begins with * in quotes"}}
		if i := bytes.Index(data, []byte("*"+strings.TrimSuffix(rest, "' referenced"))); i >= 0 {
			at.line, at.col = lineAt(data, i)
		}
		return at
	}
	at := &flawAt{line: 1, col: 1} // yaml.v3 leaves the number out for line one
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if number, after, ok := strings.Cut(rest, ": "); ok {
			message = after
			if line, err := strconv.Atoi(number); err == nil {
				at.line = line
			}
			if strings.HasPrefix(message, "did not find expected") {
				at.line++ // its parser, unlike its scanner, counts from zero
			}
		}
	}
	switch {
	case strings.Contains(message, "expected ',' or"):
		at.hint = "inside { } and [ ], put a value with ${…}, commas or braces in quotes"
	case strings.Contains(message, "mapping values are not allowed"):
		at.hint = `put a value that has ": " in it in quotes, and check the indentation`
	case strings.Contains(message, "tab character"):
		at.hint = "indent with spaces"
	case strings.Contains(message, "cannot start any token"):
		at.hint = "indent with spaces, not tabs, and put a value that begins with @, % or ` in quotes"
	}
	at.message = "not YAML: " + message
	return at
}
