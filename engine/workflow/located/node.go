// Package located reads YAML and remembers where everything stands, so that a
// fault in an agent's file can be told with its line and column. It knows
// scalars, lists and maps and refuses to know more: what a key means, and which
// keys there are, is the reader's business.
package located

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind says what a Node holds.
type Kind uint8

// The kinds of Node. Absent is also what an empty value or a tilde reads as.
const (
	Absent Kind = iota
	Text
	List
	Map
)

// String names the kind for people.
func (k Kind) String() string {
	return [...]string{"nothing", "a text", "a list", "a mapping"}[k]
}

// Node is one value with its place. Lines and columns count from 1; the zero
// Node is Absent and stands nowhere.
type Node struct {
	Kind  Kind
	Line  int
	Col   int
	Text  string // scalars: as written, without quotes; numbers and booleans too
	Items []Node // List
	Pairs []Pair // Map, in the order of the file

	literal bool // a block scalar that keeps its lines: what is inside can be located
	indent  int  // of its lines
	quoted  bool // stands in quotes
	bare    bool // a number or bool without quotes
}

// Pair is one entry of a map.
type Pair struct{ Key, Value Node }

// Get finds a key of a map, Absent if it has none.
func (n Node) Get(key string) Node {
	for _, p := range n.Pairs {
		if p.Key.Text == key {
			return p.Value
		}
	}
	return Node{}
}

// Within is the place of byte i of n.Text. It is exact for plain texts on one
// line and for block scalars that keep their lines; for others it is where n
// begins.
func (n Node) Within(i int) Node {
	before := n.Text[:min(max(i, 0), len(n.Text))]
	at := Node{Line: n.Line, Col: n.Col}
	switch {
	case n.literal:
		at.Line += 1 + strings.Count(before, "\n")
		at.Col = 1 + n.indent + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	case strings.ContainsAny(before, "\n\\"):
	case n.quoted:
		at.Col += 1 + utf8.RuneCountInString(before)
	default:
		at.Col += utf8.RuneCountInString(before)
	}
	return at
}

// JSON writes n as JSON. Numbers and bools without quotes stay what they are,
// nothing is null. Equal nodes give equal bytes; keys keep their order.
func (n Node) JSON() json.RawMessage { return n.json(nil) }

func (n Node) json(to []byte) []byte {
	switch n.Kind {
	case Absent:
		return append(to, "null"...)
	case List:
		to = append(to, '[')
		for i, item := range n.Items {
			if i > 0 {
				to = append(to, ',')
			}
			to = item.json(to)
		}
		return append(to, ']')
	case Map:
		to = append(to, '{')
		for i, p := range n.Pairs {
			if i > 0 {
				to = append(to, ',')
			}
			to = append(append(append(to, text(p.Key.Text)...), ':'), p.Value.json(nil)...)
		}
		return append(to, '}')
	case Text:
	}
	if b := n.scalar(); n.bare && b != nil {
		return append(to, b...)
	}
	return append(to, text(n.Text)...)
}

// scalar is a number or bool in JSON's spelling, nil if it has none there.
func (n Node) scalar() []byte {
	const longest = 40 // digits; more is a text
	s := strings.ToLower(n.Text)
	if s == "true" || s == "false" {
		return []byte(s)
	}
	if s = strings.TrimPrefix(s, "+"); len(s) > longest {
		return nil
	}
	if json.Valid([]byte(s)) {
		return []byte(s)
	}
	if i, ok := new(big.Int).SetString(s, 0); ok {
		return []byte(i.String())
	}
	return nil
}

// text cannot fail: a text that is no UTF-8 gets replacement characters.
func text(s string) []byte {
	b, _ := json.Marshal(s)
	return b
}

// shift moves a node that was read out of a block scalar to its place in the
// whole file. It copies, because aliases share what they stand for.
func (n Node) shift(lines, cols int) Node {
	n.Line += lines
	n.Col += cols
	if n.literal {
		n.indent += cols
	}
	n.Items = slices.Clone(n.Items)
	for i := range n.Items {
		n.Items[i] = n.Items[i].shift(lines, cols)
	}
	n.Pairs = slices.Clone(n.Pairs)
	for i := range n.Pairs {
		n.Pairs[i].Key = n.Pairs[i].Key.shift(lines, cols)
		n.Pairs[i].Value = n.Pairs[i].Value.shift(lines, cols)
	}
	return n
}
