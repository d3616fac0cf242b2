package workflow

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/workflow/located"
)

// MaxCondition is the longest condition, in characters (spec D1).
const MaxCondition = 500

// Env is what a condition may ask about. The zero Env knows nothing: every
// comparison with it is false.
type Env struct {
	// Results are canonical values (engine/agent.Field.Parse). One that is
	// written as a number, a bool or a JSON list also counts as such.
	Results      map[string]string
	Observations map[string]json.RawMessage // the last result of each tool
	Params       map[string]json.RawMessage // parameters of the session
	Channel      string
	Mode         string
	Turns        int
	Digits       string        // what was typed last; counts as a number as well
	Now          time.Time     // in the zone that dates without one mean
	Idle         time.Duration // since the customer's last input: Timer
	Verified     bool          // the customer's identity is proven
}

// Condition is an expression of spec D1, read once. It never changes. A nil
// Condition always holds.
type Condition struct {
	text string
	root expr
	refs []path
}

// ParseCondition reads a condition. An error is a *located.Faults and
// fault.Invalid; its lines and columns count within text. An empty text is no
// condition: nil.
func ParseCondition(text string) (*Condition, error) {
	r := located.NewReport("condition")
	c := readCondition(located.Node{Kind: located.Text, Line: 1, Col: 1, Text: text}, r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// readCondition reads a condition that stands in a file.
func readCondition(n located.Node, r *located.Report) *Condition {
	if strings.TrimSpace(n.Text) == "" {
		return nil
	}
	if c := utf8.RuneCountInString(strings.TrimSpace(n.Text)); c > MaxCondition {
		r.Fault(n, "condition has %d characters; %d are allowed", c, MaxCondition)
		return nil
	}
	p := condParser{text: n.Text}
	p.next()
	root := p.or()
	if p.fault == "" && p.tok.kind != tokEnd {
		p.unexpected()
	}
	if p.fault != "" {
		r.Fault(n.Within(p.at), "condition: %s", p.fault)
		return nil
	}
	return &Condition{text: strings.TrimSpace(n.Text), root: root, refs: p.refs}
}

// String is the condition as it was written.
func (c *Condition) String() string {
	if c == nil {
		return ""
	}
	return c.text
}

// Eval reports whether the condition holds. It is total: what is missing or of
// the wrong type makes the comparison it stands in false, and nothing fails.
func (c *Condition) Eval(e Env) bool { return c == nil || holds(c.root, &e) }

// Results are the names of the conversation results that the condition asks
// about, once each.
func (c *Condition) Results() []string {
	var out []string
	if c == nil {
		return nil
	}
	for _, p := range c.refs {
		if p.root == "results" && !slices.Contains(out, p.keys[0]) {
			out = append(out, p.keys[0])
		}
	}
	return out
}

// expr is a node of a condition: literal, path, list, not, both, either,
// compare, set. Its shape follows the grammar
//
//	or      = and { "or" and }
//	and     = not { "and" not }
//	not     = "not" not | compare
//	compare = operand [ op operand | "is" ["not"] "set" ]
//	operand = literal | path | "[" [ operand { "," operand } ] "]" | "(" or ")"
type expr interface{ expr() }

type (
	literal struct{ v value }
	list    struct{ items []expr }
	not     struct{ x expr }
	both    struct{ a, b expr }
	either  struct{ a, b expr }
	compare struct {
		op   string // == != < <= > >= in contains
		a, b expr
	}
	set  struct{ x expr }
	path struct {
		root string   // results observations params channel mode turns digits now
		keys []string // below root
	}
)

func (literal) expr() {}
func (list) expr()    {}
func (not) expr()     {}
func (both) expr()    {}
func (either) expr()  {}
func (compare) expr() {}
func (set) expr()     {}
func (path) expr()    {}

// holds reads an expression as a truth; a value that is no bool is false.
func holds(x expr, e *Env) bool {
	switch x := x.(type) {
	case both:
		return holds(x.a, e) && holds(x.b, e)
	case either:
		return holds(x.a, e) || holds(x.b, e)
	case not:
		return !holds(x.x, e)
	case set:
		return of(x.x, e).isSet()
	case compare:
		return compared(x.op, of(x.a, e), of(x.b, e), e.Now)
	}
	b, ok := of(x, e).truth()
	return ok && b
}

// of gives an expression's value.
func of(x expr, e *Env) value {
	switch x := x.(type) {
	case literal:
		return x.v
	case list:
		out := value{kind: isList, items: make([]value, len(x.items))}
		for i, item := range x.items {
			out.items[i] = of(item, e)
		}
		return out
	case path:
		return x.value(e)
	}
	return value{kind: isBool, yes: holds(x, e)}
}

func (p path) value(e *Env) value {
	switch p.root {
	case "results":
		return loose(e.Results[p.keys[0]])
	case "observations":
		return dig(e.Observations[p.keys[0]], p.keys[1:])
	case "params":
		return dig(e.Params[p.keys[0]], p.keys[1:])
	case "channel":
		return given(e.Channel)
	case "mode":
		return given(e.Mode)
	case "turns":
		return whole(e.Turns)
	case "digits":
		return loose(e.Digits)
	case "now":
		return value{kind: isTime, time: e.Now}
	}
	return value{}
}
