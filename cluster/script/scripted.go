package script

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/workflow/located"
)

// Scripted is a language model whose answers stand in a file, for dialogues
// that want a model that does as it should. It is immutable and safe for
// concurrent use. It keeps nothing between requests: which line the human said
// and which step is due is read from the messages.
type Scripted struct{ lines []modelLine }

var _ provider.Completer = (*Scripted)(nil)

// modelLine is what the model does about one line of the human.
type modelLine struct {
	line    int
	human   string // as plain gives it
	steps   []modelStep
	results []Expected // what an extraction finds from here on
}

// modelStep is one answer: text, calls, or both.
type modelStep struct {
	text  string
	calls []provider.ToolCall
}

// ParseModel reads the file of a Scripted model: a YAML list of
// {human, steps: [{text, calls: [{name, args}]}], results: {}}. args is a JSON
// object in a text, or a mapping in which what reads as a number, true or false
// is one. A line that comes again in a dialogue takes the next entry for it,
// the last one as often as is asked. Errors are as Parse has them.
func ParseModel(text []byte) (*Scripted, error) {
	r := located.NewReport("model")
	if len(text) > MaxBytes {
		r.Fault(located.Node{}, "a model's file has at most %d KB, this one has %d", MaxBytes>>10, len(text)>>10)
		return nil, r.Err()
	}
	p, out := parser{Report: r}, &Scripted{}
	root := located.Parse(text, r)
	if r.Err() == nil && root.Kind == located.Absent {
		r.Fault(root, "the file is empty: a model needs at least one line")
	}
	p.Each("a model's file", func(n located.Node) { p.modelLine(n, out) })(root)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

func (p *parser) modelLine(n located.Node, to *Scripted) {
	l := modelLine{line: n.Line}
	if !p.keys(n, "a line",
		located.Key{Name: "human", Read: func(v located.Node) { p.filled("human", maxHuman, v, &l.human) }},
		located.Key{Name: "steps", Read: p.Each("steps", func(v located.Node) { p.modelStep(v, &l) })},
		located.Key{Name: "results", Read: func(v located.Node) { l.results = p.values("results", v) }},
	) {
		return
	}
	if n.Get("human").Line == 0 {
		p.Fault(n, "a line needs human: what is answered")
	}
	if len(l.steps) == 0 {
		p.Fault(n, "a line needs steps: what the model answers")
	}
	l.human = plain(l.human)
	to.lines = append(to.lines, l)
}

func (p *parser) modelStep(n located.Node, l *modelLine) {
	var s modelStep
	ok := p.keys(n, "a step",
		located.Key{Name: "text", Read: func(v located.Node) { p.filled("text", maxHuman, v, &s.text) }},
		located.Key{Name: "calls", Read: p.Each("calls", func(v located.Node) {
			c := provider.ToolCall{Args: "{}"}
			p.keys(v, "a call",
				located.Key{Name: "name", Read: func(v located.Node) { p.filled("name", maxName, v, &c.Name) }},
				located.Key{Name: "args", Read: func(v located.Node) { c.Args = p.object(v) }},
			)
			if v.Get("name").Line == 0 {
				p.Fault(v, "a call needs a name")
			}
			s.calls = append(s.calls, c)
		})},
	)
	if ok && s.text == "" && len(s.calls) == 0 {
		p.Fault(n, "a step needs text or calls")
	}
	l.steps = append(l.steps, s)
}

// object reads the arguments of a call.
func (p *parser) object(n located.Node) string {
	if n.Kind == located.Text {
		var v map[string]json.RawMessage
		if json.Unmarshal([]byte(n.Text), &v) != nil || v == nil {
			p.Fault(n, "args must be a mapping, or one JSON object in a text")
		}
		return n.Text
	}
	if n.Kind != located.Map {
		p.Fault(n, "args must be a mapping, this is %s", located.Describe(n))
		return "{}"
	}
	b, err := json.Marshal(typed(n))
	if err != nil {
		p.Fault(n, "args cannot be written as JSON: %s", err)
	}
	return string(b)
}

// typed makes JSON of a node.
func typed(n located.Node) any {
	switch n.Kind {
	case located.Absent:
		return nil
	case located.List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = typed(item)
		}
		return out
	case located.Map:
		out := make(map[string]any, len(n.Pairs))
		for _, pair := range n.Pairs {
			out[pair.Key.Text] = typed(pair.Value)
		}
		return out
	case located.Text:
	}
	if raw := json.RawMessage(n.Text); n.Text != "" && n.Text[0] != '"' && n.Text[0] != '[' && n.Text[0] != '{' && json.Valid(raw) {
		return raw
	}
	return n.Text
}

// Complete implements provider.Completer. A line that the file does not have is
// fault.Invalid; the error does not repeat it.
func (s *Scripted) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(provider.Delta{}, fmt.Errorf("scripted: %w: %w", fault.KindOf(err), err))
			return
		}
		step, err := s.answer(r)
		if err != nil {
			yield(provider.Delta{}, err)
			return
		}
		for piece := range strings.SplitAfterSeq(step.text, " ") {
			if err := ctx.Err(); err != nil {
				yield(provider.Delta{}, fmt.Errorf("scripted: %w: %w", fault.KindOf(err), err))
				return
			}
			if piece != "" && !yield(provider.Delta{Text: piece}, nil) {
				return
			}
		}
		finish := provider.FinishStop
		for _, c := range step.calls {
			finish = provider.FinishTools
			if !yield(provider.Delta{Call: &c}, nil) {
				return
			}
		}
		yield(provider.Delta{Finish: finish}, nil)
	}
}

func (s *Scripted) answer(r provider.Request) (modelStep, error) {
	heard, due := told(r.Messages)
	if len(r.Schema) > 0 {
		return modelStep{text: s.extract(heard, r.Schema)}, nil
	}
	turn := len(heard)
	if turn == 0 {
		return modelStep{}, fmt.Errorf("scripted: nobody said anything: %w", fault.Invalid)
	}
	line, ok := s.find(heard)
	if !ok {
		return modelStep{}, fmt.Errorf("scripted: the model's file has no line for what was said last, line %d of the human: %w", turn, fault.Invalid)
	}
	if due >= len(line.steps) {
		return modelStep{}, fmt.Errorf("scripted: the line on line %d has %d steps, one more is asked for: %w", line.line, len(line.steps), fault.Invalid)
	}
	step := line.steps[due]
	step.calls = slices.Clone(step.calls)
	for i := range step.calls {
		step.calls[i].ID = "s" + strconv.Itoa(turn) + "." + strconv.Itoa(due) + "." + strconv.Itoa(i)
	}
	return step, nil
}

// told reads what the human said so far, and how often the model has answered
// the last of it.
func told(messages []provider.Message) (heard []string, due int) {
	for _, m := range messages {
		switch m.Role {
		case provider.RoleUser:
			heard, due = append(heard, plain(m.Text)), 0
		case provider.RoleAssistant:
			due++
		case provider.RoleTool:
		}
	}
	return heard, due
}

// find is the entry for the last line that was heard.
func (s *Scripted) find(heard []string) (modelLine, bool) {
	last := heard[len(heard)-1]
	before := -1
	for _, h := range heard {
		if h == last {
			before++
		}
	}
	var found []modelLine
	for _, l := range s.lines {
		if l.human == last {
			found = append(found, l)
		}
	}
	if len(found) == 0 {
		return modelLine{}, false
	}
	return found[min(before, len(found)-1)], true
}

// extract is one JSON object with the results of all lines heard so far that
// the schema asks for.
func (s *Scripted) extract(heard []string, schema json.RawMessage) string {
	var want struct {
		Properties map[string]json.RawMessage
	}
	_ = json.Unmarshal(schema, &want) // a schema of nothing asks for nothing
	out := map[string]any{}
	for i := range heard {
		line, ok := s.find(heard[:i+1])
		if !ok {
			continue
		}
		for _, e := range line.results {
			if _, asked := want.Properties[e.Name]; asked {
				out[e.Name] = typed(located.Node{Kind: located.Text, Text: e.Value})
			}
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic("texts and JSON values are always JSON: " + err.Error())
	}
	return string(b)
}
