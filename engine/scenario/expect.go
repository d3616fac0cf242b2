package scenario

import (
	"slices"
	"strings"

	"flametree/engine/workflow/located"
)

// expect reads expectations; end says that they are of the whole call.
func (p *parser) expect(n located.Node, e *Expect, end bool) {
	if n.Kind != located.Map {
		p.Fault(n, "expectations must be a mapping such as says: [hello], this is %s", located.Describe(n))
		return
	}
	if len(n.Pairs) == 0 {
		p.Fault(n, "expect is empty: it checks nothing")
	}
	keys := p.lasting(e)
	if end {
		keys = append(keys, p.ofTheEnd(e)...)
	} else {
		keys = append(keys, p.ofAStep(e)...)
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	for _, pair := range n.Pairs {
		i := slices.Index(names, pair.Key.Text)
		if i < 0 {
			p.Fault(pair.Key, "nobody knows the expectation %q%s; there are %s", pair.Key.Text, located.Suggest(pair.Key.Text, names), strings.Join(names, ", "))
			continue
		}
		keys[i].Read(pair.Value)
	}
	for _, not := range e.SaysNot {
		same := func(t Text) bool { return strings.Join(words(t.Text), " ") == strings.Join(words(not.Text), " ") }
		if slices.ContainsFunc(e.Says, same) {
			p.Fault(located.Node{Line: not.Place.Line, Col: not.Place.Col}, "%q stands in says and in says_not", not.Text)
		}
	}
}

// lasting are the expectations of a step and of a call.
func (p *parser) lasting(e *Expect) []located.Key {
	return []located.Key{
		{Name: "says", Read: p.texts("says", &e.Says)},
		{Name: "says_any", Read: p.texts("says_any", &e.SaysAny)},
		{Name: "says_not", Read: p.texts("says_not", &e.SaysNot)},
		{Name: "understood", Read: p.texts("understood", &e.Understood)},
		{Name: "state", Read: func(v located.Node) { e.State.Place = place(v); p.filled("state", &e.State.Text)(v) }},
		{Name: "results", Read: func(v located.Node) { p.results(v, &e.Results) }},
		{Name: "calls", Read: func(v located.Node) { p.calls(v, e) }},
		{Name: "interrupted", Read: p.flag("interrupted", &e.Interrupted)},
	}
}

func (p *parser) ofAStep(e *Expect) []located.Key {
	return []located.Key{
		{Name: "answers_within", Read: p.limit("answers_within", &e.Answers)},
		{Name: "silent_within", Read: p.limit("silent_within", &e.Silences)},
		{Name: "goes_on_for", Read: p.limit("goes_on_for", &e.GoesOn)},
		{Name: "no_answer_for", Read: p.limit("no_answer_for", &e.NoAnswer)},
	}
}

func (p *parser) ofTheEnd(e *Expect) []located.Key {
	return []located.Key{
		{Name: "status", Read: func(v located.Node) { e.Status.Place = place(v); p.filled("status", &e.Status.Text)(v) }},
		{Name: "recording", Read: p.flag("recording", &e.Recording)},
		{Name: "every_answer_within", Read: p.limit("every_answer_within", &e.Every)},
		{Name: "lasts_at_most", Read: p.limit("lasts_at_most", &e.Lasts)},
	}
}

// texts reads a list of texts; one text is a list of one.
func (p *parser) texts(what string, to *[]Text) func(located.Node) {
	return func(n located.Node) {
		items := n.Items
		if n.Kind == located.Text {
			items = []located.Node{n}
		}
		if n.Kind == located.Map || len(items) == 0 {
			p.Fault(n, "%s must be a list of texts, this is %s", what, located.Describe(n))
			return
		}
		for _, i := range items {
			t := Text{Place: place(i)}
			p.filled(what, &t.Text)(i)
			if t.Text != "" && len(words(t.Text)) == 0 {
				p.Fault(i, "%q has no words that could be heard", t.Text)
			}
			*to = append(*to, t)
		}
	}
}

func (p *parser) flag(what string, to **Flag) func(located.Node) {
	return func(n located.Node) {
		f := Flag{Place: place(n)}
		p.Bool(what, &f.On)(n)
		*to = &f
	}
}

func (p *parser) results(n located.Node, to *[]Field) {
	if n.Kind != located.Map || len(n.Pairs) == 0 {
		p.Fault(n, "results must be a mapping from the field's name to its value, this is %s", located.Describe(n))
		return
	}
	for _, pair := range n.Pairs {
		f := Field{Place: place(pair.Key), Name: pair.Key.Text}
		if pair.Value.Kind != located.Absent {
			p.String(f.Name, maxText, &f.Value)(pair.Value)
		}
		*to = append(*to, f)
	}
}

func (p *parser) calls(n located.Node, e *Expect) {
	items := n.Items
	switch {
	case n.Kind == located.List && len(items) == 0:
		e.NoCalls = &Text{Place: place(n)}
		return
	case n.Kind == located.Text || n.Kind == located.Map:
		items = []located.Node{n}
	case n.Kind == located.Absent:
		p.Fault(n, "calls is empty: write [] where no tool may be called")
		return
	}
	for _, i := range items {
		c := Call{Place: place(i), Times: -1}
		if i.Kind == located.Map {
			p.Map(i, "a call",
				located.Key{Name: "name", Read: p.String("name", maxName, &c.Name)},
				located.Key{Name: "times", Read: p.Int("times", 0, 1000, &c.Times)},
				located.Key{Name: "failed", Read: p.Bool("failed", &c.Failed)},
			)
		} else {
			p.String("a call", maxName, &c.Name)(i)
		}
		if c.Name == "" {
			p.Fault(i, "a call needs the name of a tool")
		}
		e.Calls = append(e.Calls, c)
	}
}
