// Package located reads YAML and remembers where everything stands, so that a
// fault in an agent's file can be told with its line and column. It knows
// scalars, lists and maps and refuses to know more: what a key means, and which
// keys there are, is the reader's business.
package located

import "slices"

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
