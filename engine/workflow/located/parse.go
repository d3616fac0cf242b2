package located

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxNesting = 64      // the YAML parser takes quadratic time in it
	maxNodes   = 200_000 // aliases included: a few lines of them can mean millions
)

// Parse reads one YAML document. What is wrong with it goes to r, and then the
// Node is Absent. Equal bytes give equal nodes.
func Parse(file []byte, r *Report) (n Node) {
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
	if at := invalid(file); at >= 0 {
		line, col := place(file, at)
		r.Fault(Node{Line: line, Col: col}, "this is not UTF-8 text")
		return Node{}
	}
	defer func() { // the parser is not ours, and these bytes come from outside
		if recover() != nil {
			r.Fault(Node{Line: 1, Col: 1}, "this cannot be read as YAML")
			n = Node{}
		}
	}()
	tokens := lexer.Tokenize(string(file))
	if t := tooDeep(tokens); t != nil {
		r.Fault(at(t), "nested deeper than %d levels", maxNesting)
		return Node{}
	}
	parsed, err := parser.Parse(tokens, 0)
	if err != nil {
		syntax(err, r)
		return Node{}
	}
	c := converter{report: r, lines: strings.Split(string(file), "\n"), anchors: map[string]Node{}}
	return c.document(parsed)
}

func invalid(b []byte) int {
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n <= 1 || c == 0 {
			return i
		}
		i += n
	}
	return -1
}

func place(b []byte, i int) (line, col int) {
	before := b[:i]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

func syntax(err error, r *Report) {
	var s *yaml.SyntaxError
	if errors.As(err, &s) && s.GetToken() != nil {
		text := s.GetMessage()
		if strings.HasPrefix(text, `found character '	'`) || strings.HasPrefix(text, "found character '\t'") {
			text = "a tab stands here: YAML is indented with blanks, two a level"
		}
		r.Fault(at(s.GetToken()), "%s", text)
		return
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	r.Fault(Node{Line: 1, Col: 1}, "%s", text)
}

// at is the place of a token. The scanner gives a token at the very end of a
// text column 0.
func at(t *token.Token) Node {
	if t.Position == nil {
		return Node{Line: 1, Col: 1}
	}
	return Node{Line: max(1, t.Position.Line), Col: max(1, t.Position.Column)}
}

// tooDeep finds the token at which nesting passes the limit. Nesting by
// indentation costs the writer a growing line for each level and is caught
// when nodes are made.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, onLine, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position != nil && t.Position.Line != line {
			line, onLine = t.Position.Line, 0
		}
		switch t.Type { //nolint:exhaustive // only what opens a level counts
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			onLine++
		}
		if flow > maxNesting || onLine > maxNesting && flow == 0 {
			return t
		}
	}
	return nil
}

// converter makes Nodes of the parser's tree.
type converter struct {
	report  *Report
	lines   []string
	anchors map[string]Node
	made    int
}

func (c *converter) document(f *ast.File) Node {
	var body ast.Node
	for _, d := range f.Docs {
		switch {
		case d.Body == nil || d.Body.Type() == ast.DirectiveType:
		case body == nil:
			body = d.Body
		default:
			c.report.Fault(at(d.Body.GetToken()), "a second document begins here; there may be one")
			return Node{}
		}
	}
	if body == nil {
		return Node{}
	}
	return c.node(body, 0)
}

func (c *converter) node(n ast.Node, depth int) Node {
	if n == nil {
		return Node{}
	}
	here := at(n.GetToken())
	if depth > maxNesting {
		c.report.Fault(here, "nested deeper than %d levels", maxNesting)
		return Node{}
	}
	if c.made++; c.made > maxNodes {
		if c.made == maxNodes+1 {
			c.report.Fault(here, "more than %d values", maxNodes)
		}
		return Node{}
	}
	switch x := n.(type) {
	case *ast.MappingNode:
		m := c.mapping(x.Values, depth)
		if x.IsFlowStyle {
			m.Line, m.Col = here.Line, here.Col
		}
		return m
	case *ast.MappingValueNode:
		return c.mapping([]*ast.MappingValueNode{x}, depth)
	case *ast.SequenceNode:
		here.Kind, here.Items = List, make([]Node, 0, len(x.Values))
		for _, v := range x.Values {
			here.Items = append(here.Items, c.placed(c.node(v, depth+1), here))
		}
		return here
	case *ast.TagNode:
		return c.node(x.Value, depth+1)
	case *ast.AnchorNode:
		v := c.node(x.Value, depth+1)
		c.anchors[x.Name.GetToken().Value] = v
		return v
	case *ast.AliasNode:
		return c.alias(x, here)
	}
	return c.scalar(n, here)
}

// placed gives an absent value the place of what holds it, so that "a text was
// expected" can be said of it.
func (*converter) placed(n, holder Node) Node {
	if n.Line == 0 {
		n.Line, n.Col = holder.Line, holder.Col
	}
	return n
}

func (c *converter) scalar(n ast.Node, here Node) Node {
	switch x := n.(type) {
	case *ast.NullNode:
		return here
	case *ast.LiteralNode:
		here.Kind = Text
		if x.Value != nil {
			here.Text = x.Value.Value
		}
		here.literal = strings.HasPrefix(x.Start.Value, "|")
		here.indent = c.indent(here.Line)
		return here
	case *ast.StringNode:
		here.Kind, here.Text = Text, x.Value
		t := n.GetToken().Type
		here.quoted = t == token.SingleQuoteType || t == token.DoubleQuoteType
		return here
	}
	here.Kind, here.Text, here.bare = Text, n.GetToken().Value, true
	return here
}

// indent counts the blanks before the first line with words after line.
func (c *converter) indent(line int) int {
	for _, l := range c.lines[min(line, len(c.lines)):] {
		if words := strings.TrimLeft(l, " "); strings.TrimSpace(words) != "" {
			return len(l) - len(words)
		}
	}
	return 0
}

func (c *converter) mapping(values []*ast.MappingValueNode, depth int) Node {
	out := Node{Kind: Map, Line: 1, Col: 1}
	if len(values) > 0 {
		k := at(values[0].Key.GetToken())
		out.Line, out.Col = k.Line, k.Col
	}
	for _, v := range values {
		key := at(v.Key.GetToken())
		value := c.placed(c.node(v.Value, depth+1), key)
		if v.Key.Type() == ast.MergeKeyType {
			out.Pairs = c.merge(out.Pairs, value)
			continue
		}
		name, ok := v.Key.(ast.Node)
		if k, is := name.(*ast.MappingKeyNode); is {
			name, ok = k.Value, k.Value != nil
		}
		if !ok {
			c.report.Fault(key, "a key is missing")
			continue
		}
		n := c.node(name, depth+1)
		if n.Kind != Text {
			c.report.Fault(key, "a key must be a text, this is %s", n.Kind)
			continue
		}
		out.Pairs = append(out.Pairs, Pair{Key: n, Value: value})
	}
	return out
}

// merge takes the pairs of a "<<" map whose keys are not there yet.
func (c *converter) merge(to []Pair, from Node) []Pair {
	sources := from.Items
	if from.Kind == Map {
		sources = []Node{from}
	}
	for _, s := range sources {
		for _, p := range s.Pairs {
			if (Node{Pairs: to}).Get(p.Key.Text).Line == 0 {
				to = append(to, p)
			}
		}
	}
	return to
}

func (c *converter) alias(x *ast.AliasNode, here Node) Node {
	name := ""
	if x.Value != nil {
		name = x.Value.GetToken().Value
	}
	v, ok := c.anchors[name]
	if !ok {
		c.report.Fault(here, "alias *%s names no anchor that stands before it", name)
		return Node{}
	}
	if c.made += size(v, maxNodes); c.made > maxNodes {
		c.report.Fault(here, "more than %d values", maxNodes)
		return Node{}
	}
	return v
}

// size counts the nodes below n, up to a limit.
func size(n Node, limit int) int {
	total := 1
	for _, i := range n.Items {
		if total > limit {
			return total
		}
		total += size(i, limit)
	}
	for _, p := range n.Pairs {
		if total > limit {
			return total
		}
		total += 1 + size(p.Value, limit)
	}
	return total
}

// Unfold reads the YAML inside a block scalar and places it in the file it
// stands in. Anything but a text is returned as it is.
func Unfold(n Node, r *Report) Node {
	if n.Kind != Text {
		return n
	}
	inner := NewReport(r.name)
	lines, cols := n.Line, n.indent
	if !n.literal { // folded or quoted: its lines are gone, only the beginning is known
		lines, cols = n.Line-1, n.Col-1
	}
	out := Parse([]byte(n.Text), inner).shift(lines, cols)
	for _, f := range inner.faults {
		r.Fault(Node{Line: f.Line + lines, Col: f.Col + cols}, "%s", f.Text)
	}
	return out
}

// Describe says what a node is, for messages: a text is quoted, shortened.
func Describe(n Node) string {
	if n.Kind == Text {
		if utf8.RuneCountInString(n.Text) > 40 {
			return fmt.Sprintf("%q…", string([]rune(n.Text)[:40]))
		}
		return fmt.Sprintf("%q", n.Text)
	}
	return n.Kind.String()
}
