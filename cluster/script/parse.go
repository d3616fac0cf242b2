package script

import (
	"slices"
	"strings"

	"flametree/engine/workflow/located"
)

// Parse reads a script. An error is a *located.Faults with every fault and its
// place, and is fault.Invalid. A key nobody knows is a fault and not a warning,
// as is an expectation that checks nothing: a misspelt one must not pass
// silently. Notes tell what is accepted though hardly meant.
func Parse(text []byte) (*Script, []located.Note, error) {
	r := located.NewReport("script")
	if len(text) > MaxBytes {
		r.Fault(located.Node{}, "a script has at most %d KB, this one has %d", MaxBytes>>10, len(text)>>10)
		return nil, nil, r.Err()
	}
	root := located.Parse(text, r)
	p := parser{Report: r, script: &Script{}}
	if r.Err() == nil {
		p.root(root)
	}
	if err := r.Err(); err != nil {
		return nil, r.Warnings(), err
	}
	return p.script, r.Warnings(), nil
}

type parser struct {
	*located.Report
	script *Script
}

func (p *parser) root(n located.Node) {
	switch {
	case n.Kind == located.Absent || n.Kind == located.List && len(n.Items) == 0:
		p.Fault(n, "the script is empty: it needs at least one step, such as - human: Hello")
		return
	case n.Kind != located.List:
		p.Fault(n, "a script must be a list of steps, this is %s", located.Describe(n))
		return
	case len(n.Items) > MaxSteps:
		p.Fault(n.Items[MaxSteps], "more than %d steps", MaxSteps)
		return
	}
	for i, item := range n.Items {
		p.step(item, i == 0)
	}
}

// keys reads a map whose keys are all known; an unknown one is a fault.
func (p *parser) keys(n located.Node, what string, keys ...located.Key) bool {
	if n.Kind != located.Map {
		p.Fault(n, "%s must be a mapping, this is %s", what, located.Describe(n))
		return false
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	for _, pair := range n.Pairs {
		i := slices.Index(names, pair.Key.Text)
		if i < 0 {
			p.Fault(pair.Key, "unknown key %q in %s%s; there are %s", pair.Key.Text, what, located.Suggest(pair.Key.Text, names), strings.Join(names, ", "))
			continue
		}
		keys[i].Read(pair.Value)
	}
	return true
}

func (p *parser) step(n located.Node, first bool) {
	s := Step{Line: n.Line}
	if !p.keys(n, "a step",
		located.Key{Name: "human", Read: func(v located.Node) { p.filled("human", maxHuman, v, &s.Human) }},
		located.Key{Name: "expect", Read: func(v located.Node) { p.expect(v, &s.Expect) }},
	) {
		return
	}
	human, expect := n.Get("human"), n.Get("expect")
	switch {
	case human.Line == 0 && !first:
		p.Fault(n, "the step says nothing: it needs human; only the first step may do without, it looks at the greeting")
	case human.Line == 0 && expect.Line == 0:
		p.Fault(n, "the step neither says nor expects anything")
	}
	p.script.Steps = append(p.script.Steps, s)
}

// filled reads a text that must not be empty.
func (p *parser) filled(what string, limit int, n located.Node, to *string) {
	p.String(what, limit, to)(n)
	if (n.Kind == located.Text || n.Kind == located.Absent) && *to == "" && strings.TrimSpace(n.Text) == "" {
		p.Fault(n, "%s is empty", what)
	}
}

func (p *parser) expect(n located.Node, e *Expect) {
	ok := p.keys(n, "expect",
		located.Key{Name: "says", Read: func(v located.Node) { e.Says = p.texts("says", v) }},
		located.Key{Name: "says_not", Read: func(v located.Node) { e.SaysNot = p.texts("says_not", v) }},
		located.Key{Name: "calls", Read: func(v located.Node) { e.Calls = p.calls(v) }},
		located.Key{Name: "state", Read: func(v located.Node) {
			e.State.Line = v.Line
			p.filled("state", maxName, v, &e.State.Text)
		}},
		located.Key{Name: "results", Read: func(v located.Node) { e.Results = p.values("results", v) }},
	)
	if ok && len(n.Pairs) == 0 {
		p.Fault(n, "expect is empty: it checks nothing")
	}
	for _, not := range e.SaysNot {
		if slices.ContainsFunc(e.Says, func(t Text) bool { return plain(t.Text) == plain(not.Text) }) {
			p.Fault(located.Node{Line: not.Line}, "%q stands in says and in says_not", clip(not.Text))
		}
	}
}

// texts reads a list of texts; one text is a list of one.
func (p *parser) texts(what string, n located.Node) []Text {
	items := n.Items
	switch n.Kind {
	case located.Text:
		items = []located.Node{n}
	case located.Map:
		p.Fault(n, "%s must be a list of texts, this is a mapping", what)
		return nil
	case located.Absent, located.List:
		if len(items) == 0 {
			p.Fault(n, "%s is empty: it checks nothing", what)
		}
	}
	var out []Text
	for _, i := range items {
		t := Text{Line: i.Line}
		if p.filled(what, maxText, i, &t.Text); t.Text != "" {
			out = append(out, t)
		}
	}
	return out
}

func (p *parser) calls(n located.Node) *Calls {
	out := &Calls{Line: n.Line}
	items := n.Items
	switch n.Kind {
	case located.Absent:
		p.Fault(n, "calls is empty: write [] where no call may happen")
		return out
	case located.Text, located.Map:
		items = []located.Node{n}
	case located.List:
	}
	for _, i := range items {
		c := CallWanted{Line: i.Line}
		if i.Kind != located.Map {
			p.filled("a call", maxName, i, &c.Name)
		} else if p.keys(i, "a call",
			located.Key{Name: "name", Read: func(v located.Node) { p.filled("name", maxName, v, &c.Name) }},
			located.Key{Name: "args", Read: func(v located.Node) { c.Args = p.values("args", v) }},
			located.Key{Name: "refused", Read: p.Bool("refused", &c.Refused)},
			located.Key{Name: "failed", Read: p.Bool("failed", &c.Failed)},
		) && i.Get("name").Line == 0 {
			p.Fault(i, "a call needs a name")
		}
		if c.Refused && c.Failed {
			p.Fault(i, "a call that is refused is not carried out: it cannot fail as well")
		}
		out.List = append(out.List, c)
	}
	return out
}

// values reads a map from names to values. A list becomes the JSON in which
// results are kept; nothing means that there must be no value.
func (p *parser) values(what string, n located.Node) []Expected {
	if n.Kind != located.Map {
		p.Fault(n, "%s must be a mapping from name to value, this is %s", what, located.Describe(n))
		return nil
	}
	if len(n.Pairs) == 0 {
		p.Fault(n, "%s is empty: it checks nothing", what)
	}
	out := make([]Expected, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		e := Expected{Line: pair.Key.Line, Name: pair.Key.Text}
		switch v := pair.Value; v.Kind {
		case located.Absent, located.Text:
			p.String(e.Name, maxText, &e.Value)(v)
		case located.List:
			e.Value = p.array(e.Name, v)
		case located.Map:
			p.Fault(v, "%s must be a text or a list of texts, this is a mapping", e.Name)
		}
		out = append(out, e)
	}
	return out
}

func (p *parser) array(what string, n located.Node) string {
	var b strings.Builder
	for i, item := range n.Items {
		var s string
		p.String(what, maxText, &s)(item)
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoted(s))
	}
	return "[" + b.String() + "]"
}

// clip shortens a text for a message of one line.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}

// plain is a text as expectations compare it.
func plain(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
