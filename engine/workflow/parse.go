package workflow

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"flametree/engine/workflow/located"
)

// Parse reads a workflow: a YAML list of states. An error is a *located.Faults
// with every fault and its place ("workflow 12:5: …") and is fault.Invalid. An
// empty text is no workflow: a nil Flow.
func Parse(text []byte) (*Flow, []Warning, error) {
	r := located.NewReport("workflow")
	if len(text) > MaxBytes {
		r.Fault(located.Node{}, "a workflow has at most %d KB, this one has %d", MaxBytes>>10, len(text)>>10)
		return nil, nil, r.Err()
	}
	f := From(located.Parse(text, r), r)
	if err := r.Err(); err != nil {
		return nil, r.Warnings(), err
	}
	return f, r.Warnings(), nil
}

// From reads a workflow that stands inside another file, as a list or as a
// block scalar that holds YAML. Faults go to r; then the Flow is not usable.
func From(n located.Node, r *located.Report) *Flow {
	if n.Kind == located.Text && len(n.Text) > MaxBytes {
		r.Fault(n, "a workflow has at most %d KB, this one has %d", MaxBytes>>10, len(n.Text)>>10)
		return nil
	}
	n = located.Unfold(n, r)
	if n.Kind == located.Absent {
		return nil
	}
	p := parser{Report: r, flow: &Flow{}}
	p.Each("the workflow", p.state)(n)
	switch {
	case n.Kind != located.List:
		return nil
	case len(n.Items) == 0:
		return nil
	case len(n.Items) > MaxStates:
		r.Fault(n.Items[MaxStates], "more than %d states", MaxStates)
	}
	if p.flow.size() > MaxBytes {
		r.Fault(n, "the texts of the workflow are longer than %d KB", MaxBytes>>10)
	}
	p.check(n)
	p.offer()
	return p.flow
}

// size counts the bytes of what is written for the model.
func (f *Flow) size() int {
	total := 0
	for _, t := range f.Texts() {
		total += len(t)
	}
	return total
}

// parser reads states and remembers where their parts stand.
type parser struct {
	*located.Report
	flow  *Flow
	names []located.Node // of the states, same order
	inits []located.Node
	nexts []located.Node // every next_state that must exist
}

func (p *parser) state(n located.Node) {
	var s State
	if n.Kind != located.Map {
		p.Fault(n, "a state must be a mapping, this is %s", located.Describe(n))
		return
	}
	var kind string
	var init, moves, scenarios located.Node
	p.Map(n, "a state",
		located.Key{Name: "process_name", Read: p.String("process_name", maxName, &s.Process)},
		located.Key{Name: "name", Read: p.String("name", maxName, &s.Name)},
		located.Key{Name: "kind", Read: p.String("kind", maxName, &kind)},
		located.Key{Name: "init_state", Read: func(v located.Node) { init = v; p.Bool("init_state", &s.Init)(v) }},
		located.Key{Name: "description", Read: p.String("description", maxDescription, &s.Description)},
		located.Key{Name: "available_tools", Read: func(v located.Node) { p.tools(v, &s) }},
		located.Key{Name: "init_skills", Read: func(v located.Node) { p.skills("init_skills", v, &s.Enter) }},
		located.Key{Name: "final_skills", Read: func(v located.Node) { p.skills("final_skills", v, &s.Exit) }},
		located.Key{Name: "transitions", Read: func(v located.Node) { moves = v }},
		located.Key{Name: "state_scenarios", Read: func(v located.Node) { scenarios = v }},
		located.Key{Name: "sensitive", Read: p.Bool("sensitive", &s.Sensitive)},
		located.Key{Name: "verified", Read: p.Bool("verified", &s.Verified)},
	)
	p.Each("transitions", func(v located.Node) { p.transition(v, &s) })(moves)
	p.Each("state_scenarios", func(v located.Node) { p.scenario(v, &s) })(scenarios)

	name := n.Get("name")
	if name.Line == 0 {
		name = n
	}
	switch {
	case s.Name == "":
		p.Fault(name, "a state needs a name")
	case s.Name == End:
		p.Fault(name, "%s is the end of a conversation and cannot be a state's name", End)
	}
	if kind != "" && kind != "StateConfig" {
		p.Fault(n.Get("kind"), "kind must be StateConfig, this is %q", kind)
	}
	if s.Init {
		p.inits = append(p.inits, init)
	}
	p.names = append(p.names, name)
	p.flow.States = append(p.flow.States, s)
}

// tools reads available_tools: a list, or a map from agent class to list.
func (p *parser) tools(n located.Node, s *State) {
	lists := []located.Node{n}
	if n.Kind == located.Map {
		lists = nil
		for _, pair := range n.Pairs {
			lists = append(lists, pair.Value)
		}
	}
	for _, l := range lists {
		if l.Kind == located.Text {
			l = located.Node{Kind: located.List, Items: []located.Node{l}}
		}
		p.Each("available_tools", func(v located.Node) {
			var name string
			if p.String("available_tools", maxName, &name)(v); name == "" {
				return
			}
			p.flow.refs = append(p.flow.refs, reference{refTool, name, v.Line, v.Col})
			if !slices.Contains(s.Tools, name) {
				s.Tools = append(s.Tools, name)
			}
		})(l)
	}
	if len(s.Tools) > MaxStateTools {
		p.Fault(n, "a state has at most %d tools, this one has %d", MaxStateTools, len(s.Tools))
	}
}

// skills reads names, or mappings with a name and parameters.
func (p *parser) skills(key string, n located.Node, to *[]Skill) {
	read := func(v located.Node) {
		var k Skill
		name := v
		switch v.Kind {
		case located.Map:
			name, k.Parameters = p.skillMap(key, v)
		case located.Absent, located.Text, located.List:
		}
		if p.String(key, maxName, &k.Name)(name); k.Name == "" {
			if v.Kind == located.Map {
				p.Fault(v, "%s: a skill needs an object_name", key)
			}
			return
		}
		p.flow.refs = append(p.flow.refs, reference{refSkill, k.Name, name.Line, name.Col})
		*to = append(*to, k)
	}
	if n.Kind == located.Text || n.Kind == located.Map {
		read(n)
		return
	}
	p.Each(key, read)(n)
}

func (p *parser) skillMap(key string, n located.Node) (name located.Node, parameters json.RawMessage) {
	take := func(v located.Node) { name = v }
	p.Map(n, "an entry of "+key,
		located.Key{Name: "object_name", Read: take},
		located.Key{Name: "skill", Read: take},
		located.Key{Name: "parameters", Read: func(v located.Node) {
			switch v.Kind {
			case located.Absent:
			case located.Map:
				parameters = v.JSON()
			case located.Text, located.List:
				p.Fault(v, "parameters must be a mapping, this is %s", located.Describe(v))
			}
		}},
	)
	return name, parameters
}

// scenario reads the older spelling of a transition.
func (p *parser) scenario(n located.Node, s *State) {
	m := Move{Trigger: CustomerInput}
	p.Map(n, "a state scenario",
		located.Key{Name: "next_state", Read: p.String("next_state", maxName, &m.Next)},
		located.Key{Name: "transition_name", Read: p.String("transition_name", maxName, &m.Name)},
		located.Key{Name: "description", Read: p.String("description", maxDescription, &m.Description)},
	)
	if m.Description == "" && n.Kind == located.Map {
		p.Warn(n, "without a description the model cannot know when to take this move")
	}
	p.move(n, "a state scenario", m, s)
}

func (p *parser) transition(n located.Node, s *State) {
	m := Move{Trigger: CustomerInput}
	var trigger, after string
	p.Map(n, "a transition",
		located.Key{Name: "name", Read: p.String("name", maxName, &m.Name)},
		located.Key{Name: "trigger", Read: p.String("trigger", maxName, &trigger)},
		located.Key{Name: "tool", Read: p.String("tool", maxName, &m.On)},
		located.Key{Name: "after", Read: p.String("after", maxName, &after)},
		located.Key{Name: "condition", Read: func(v located.Node) { p.condition(v, &m) }},
		located.Key{Name: "next_state", Read: p.String("next_state", maxName, &m.Next)},
		located.Key{Name: "description", Read: p.String("description", maxDescription, &m.Description)},
		located.Key{Name: "from_any", Read: p.Bool("from_any", &m.Anywhere)},
	)
	if n.Kind == located.Map {
		p.trigger(n, trigger, &m)
		p.timer(n, after, &m)
		if m.Trigger == CustomerInput && m.Description == "" {
			p.Fault(n, "a transition on customer_input needs a description: the model chooses by it")
		}
		if m.Trigger == ToolResult && m.On == "" {
			p.Fault(n, "a transition on tool_result needs a tool")
		}
		if m.Trigger != ToolResult && m.On != "" {
			p.Warn(n.Get("tool"), "tool counts for transitions on tool_result only")
			m.On = ""
		}
		if v := n.Get("tool"); m.On != "" {
			p.flow.refs = append(p.flow.refs, reference{refTool, m.On, v.Line, v.Col})
		}
	}
	p.move(n, "a transition", m, s)
}

func (p *parser) trigger(n located.Node, name string, m *Move) {
	if name == "" {
		return
	}
	known := []string{string(CustomerInput), string(ToolResult), string(EnteredState), string(ResultsUpdated), string(Timer)}
	if !slices.Contains(known, name) {
		p.Fault(n.Get("trigger"), "trigger must be one of %s, this is no trigger: %q%s", strings.Join(known, ", "), name, located.Suggest(name, known))
		return
	}
	m.Trigger = Trigger(name)
}

func (p *parser) condition(n located.Node, m *Move) {
	var s string
	if p.String("condition", MaxBytes, &s)(n); s == "" {
		return
	}
	if m.When = readCondition(n, p.Report); m.When == nil {
		return
	}
	m.Condition = s
	for _, name := range m.When.Results() {
		p.flow.refs = append(p.flow.refs, reference{refResult, name, n.Line, n.Col})
	}
}

func (p *parser) timer(n located.Node, after string, m *Move) {
	if after == "" {
		if m.Trigger == Timer {
			p.Fault(n, "a transition on timer needs after: the seconds without input")
		}
		return
	}
	if m.Trigger != Timer {
		p.Warn(n.Get("after"), "after counts for transitions on timer only")
		return
	}
	seconds := 0
	p.Int("after", 1, math.MaxInt32, &seconds)(n.Get("after"))
	m.After = time.Duration(seconds) * time.Second
}

// move adds a way out of s; an empty name is made from the target.
func (p *parser) move(n located.Node, what string, m Move, s *State) {
	if n.Kind != located.Map {
		if n.Kind == located.Absent {
			p.Fault(n, "%s must be a mapping, this is nothing", what)
		}
		return
	}
	if m.Next == "" {
		p.Fault(n, "%s needs a next_state", what)
		return
	}
	if m.Name == "" {
		m.Name = "to_" + m.Next
	}
	s.Transitions = append(s.Transitions, m)
	if m.Next != End {
		next := n.Get("next_state")
		next.Text = m.Next
		p.nexts = append(p.nexts, next)
	}
}

// check looks at what only the whole list can show.
func (p *parser) check(n located.Node) {
	var names []string
	for i, s := range p.flow.States {
		if first := slices.Index(names, s.Name); first >= 0 && s.Name != "" {
			p.Fault(p.names[i], "state %q exists already on line %d", s.Name, p.names[first].Line)
		}
		names = append(names, s.Name)
	}
	for _, next := range p.nexts {
		if !slices.Contains(names, next.Text) {
			p.Fault(next, "there is no state %q%s", next.Text, located.Suggest(next.Text, append(names, End)))
		}
	}
	switch len(p.inits) {
	case 0:
		p.Fault(n, "one state must have init_state: true")
	case 1:
		for _, s := range p.flow.States {
			if s.Init {
				p.flow.Init = s.Name
			}
		}
	default:
		for _, extra := range p.inits[1:] {
			p.Fault(extra, "only one state may have init_state: true; the first stands on line %d", p.inits[0].Line)
		}
	}
}

// offer works out for each state which moves lead out of it: those the model
// sees, and how they are called, and those that need no model.
func (p *parser) offer() {
	for i := range p.flow.States {
		s := &p.flow.States[i]
		var all []Move
		all = append(all, s.Transitions...)
		for j := range p.flow.States {
			for _, m := range p.flow.States[j].Transitions {
				if j != i && m.Anywhere && m.Next != s.Name {
					all = append(all, m)
				}
			}
		}
		var moves []Move
		for _, m := range all {
			if m.Trigger == CustomerInput {
				moves = append(moves, m)
			} else {
				s.automatic = append(s.automatic, m)
			}
		}
		s.moves = named(moves)
	}
}

// named gives each move an identifier of its own.
func named(moves []Move) []Move {
	var taken []string
	for i := range moves {
		name := identifier(moves[i].Name)
		for n := 2; slices.Contains(taken, name); n++ {
			name = fmt.Sprintf("%.60s_%d", identifier(moves[i].Name), n)
		}
		moves[i].Tool = name
		taken = append(taken, name)
	}
	return moves
}

// identifier makes what every model accepts as the name of a tool: letters,
// digits, "_" and "-", at most 64. Names of the engine's own tools are kept
// free.
func identifier(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, name)
	clean = strings.Trim(clean, "_")
	switch {
	case clean == "":
		return "move"
	case slices.Contains(SystemTools(), clean) || clean[0] == '-' || clean[0] >= '0' && clean[0] <= '9':
		clean = "move_" + clean
	}
	return clean[:min(len(clean), 64)]
}
