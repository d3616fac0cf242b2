package actors

import (
	"context"
	"encoding/json"
	"time"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/tool"
)

type (
	// toolDone brings what a tool gave.
	toolDone struct{ event event.ToolAnswered }
	// skillsDone brings what the skills of one moment gave, in their order.
	skillsDone struct{ events []event.SkillRan }
	// summed brings a summary of what is too old to be shown.
	summed struct {
		upto uint64
		text string
	}
)

// labour is what runs for the session outside of it.
type labour struct {
	running map[string]bool // tool calls by id
	skills  int             // groups of skills that run
	queue   [][]dialog.Run
	held    func() // a step of the model that waits for skills
	summing bool
}

func (l *labour) busy() bool { return len(l.running) > 0 || l.skills > 0 || l.summing }

// employ starts the calls that somebody outside carries out, beside each other.
// They are in the journal already. They end with their own deadline, not with
// the reply: what was started is heard to its end.
func (s *Session) employ() {
	for _, c := range dialog.Due(&s.state) {
		if s.labour.running[c.ID] {
			continue
		}
		if s.labour.running == nil {
			s.labour.running = make(map[string]bool)
		}
		s.labour.running[c.ID] = true
		root, self, work := s.root, s.self, s.task(c)
		go func() { root.Send(self, &toolDone{event: work()}) }()
	}
}

// task is one call as a function that touches no state of the session.
func (s *Session) task(c event.ToolCall) func() event.ToolAnswered {
	turn := s.state.Open.Turn
	if q, ok := dialog.Lookup(c, s.cast.Revision); ok {
		find := s.cast.Knowledge.Find
		return func() event.ToolAnswered { return search(turn, c, q, find) }
	}
	if dialog.OfProducts(c) && s.cast.Goods != nil {
		goods := s.cast.Goods
		return func() event.ToolAnswered {
			text, err := goods.Ask(c.Name, json.RawMessage(c.Args.Text))
			if err != nil {
				return dialog.Unanswered(turn, c, err.Error())
			}
			return event.ToolAnswered{Turn: turn, CallID: c.ID, Tool: c.Name, Result: event.P(text)}
		}
	}
	hands := s.cast.Hands
	if hands == nil {
		return func() event.ToolAnswered { return dialog.Unanswered(turn, c, "nobody here carries it out") }
	}
	args := json.RawMessage(c.Args.Text)
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	call := tool.Call{
		Tenant: s.id.Tenant, Key: s.id.Name + "/" + c.ID, Name: c.Name, Args: args,
		Scene: dialog.SceneOf(&s.state, s.cast.Revision, time.Now()),
	}
	life := s.life
	return func() event.ToolAnswered { return operate(life, hands, call, turn, c) }
}

func search(turn uint64, c event.ToolCall, q knowledge.Query, find func(knowledge.Query) []knowledge.Hit) event.ToolAnswered {
	begun := time.Now()
	text := dialog.FoundText(find(q))
	return event.ToolAnswered{Turn: turn, CallID: c.ID, Tool: c.Name, Result: event.P(text), Took: time.Since(begun)}
}

func operate(ctx context.Context, hands Hands, call tool.Call, turn uint64, c event.ToolCall) event.ToolAnswered {
	ctx, cancel := context.WithTimeout(ctx, tool.MaxTimeout+time.Second)
	defer cancel()
	begun := time.Now()
	out, err := hands.Run(ctx, call)
	if err != nil {
		a := dialog.Unanswered(turn, c, string(fault.KindOf(err))+": "+err.Error())
		a.Took = time.Since(begun)
		return a
	}
	a := event.ToolAnswered{
		Turn: turn, CallID: c.ID, Tool: c.Name, Result: event.P(string(out.Value)), Took: time.Since(begun),
	}
	for _, f := range sorted(out.Results) {
		a.Sets = append(a.Sets, event.PrivatePair{Key: f, Value: event.P(out.Results[f])})
	}
	return a
}

// worked takes in what comes back, and reports whether m was such a thing.
func (s *Session) worked(m any) bool {
	switch m := m.(type) {
	case *toolDone:
		s.toolDone(m.event)
	case *skillsDone:
		s.skillsDone(m.events)
	case *summed:
		s.labour.summing = false
		if m.text != "" && !s.state.Ended {
			_ = s.commit([]event.Event{event.HistorySummarised{Upto: m.upto, Text: event.P(m.text)}}, nil, nil)
		}
	default:
		return false
	}
	return true
}

// toolDone takes in what a tool gave. The reply goes on when it was the last
// one that was waited for.
func (s *Session) toolDone(a event.ToolAnswered) {
	delete(s.labour.running, a.CallID)
	mine := s.state.Open != nil && s.state.Open.Turn == a.Turn
	rest := dialog.RestOf(&s.state, s.cast.Revision, a)
	if s.commit(dialog.Told(&s.state, s.cast.Revision, a), nil, nil) != nil || !mine || s.thought.open {
		return
	}
	s.proceed(rest)
}

// proceed goes on with the reply after an answer of the model or of a tool.
func (s *Session) proceed(rest string) {
	switch {
	case s.state.Ended && !s.state.Voice():
		s.finish()
	case len(dialog.Due(&s.state)) > 0:
		s.employ()
	case dialog.Next(&s.state, s.cast.Revision):
		ctx, cancel := context.WithTimeout(s.life, s.patience())
		older := s.thought.cancel
		s.thought.cancel = func() {
			cancel()
			if older != nil {
				older()
			}
		}
		s.step(ctx)
	case s.state.Voice():
		s.sayRest(rest)
	default:
		s.finish()
	}
}

// exercise starts the skills that events call for, one group after the other.
func (s *Session) exercise(runs []dialog.Run) {
	if len(runs) == 0 || s.cast == nil || s.cast.Hands == nil {
		return
	}
	s.labour.queue = append(s.labour.queue, runs)
	s.labour.skills++
	if s.labour.skills == 1 {
		s.drill()
	}
}

// drill runs the oldest group of skills, each after the one before it.
func (s *Session) drill() {
	runs := s.labour.queue[0]
	s.labour.queue = s.labour.queue[1:]
	scene := dialog.SceneOf(&s.state, s.cast.Revision, time.Now())
	root, self, hands, life, id, seq := s.root, s.self, s.cast.Hands, s.life, s.id, s.state.Seq
	go func() {
		out := make([]event.SkillRan, 0, len(runs))
		for i, r := range runs {
			args := r.Parameters
			if len(args) == 0 {
				args = json.RawMessage("{}")
			}
			begun := time.Now()
			key := id.Name + "/skill/" + r.Skill + "/" + itoa(seq) + "." + itoa(uint64(i))
			got, err := hands.Run(life, tool.Call{Tenant: id.Tenant, Key: key, Name: r.Skill, Args: args, Scene: scene})
			trouble := ""
			if err != nil {
				trouble = string(fault.KindOf(err)) + ": " + err.Error()
			}
			out = append(out, dialog.Ran(r, got.Value, time.Since(begun), trouble))
		}
		root.Send(self, &skillsDone{events: out})
	}()
}

func (s *Session) skillsDone(ran []event.SkillRan) {
	s.labour.skills--
	for _, e := range ran {
		if s.commit([]event.Event{e}, nil, nil) != nil {
			return
		}
	}
	if s.labour.skills > 0 {
		s.drill()
		return
	}
	if step := s.labour.held; step != nil {
		s.labour.held = nil
		step()
	}
}

// brief asks for a summary of what has become too old to be shown.
func (s *Session) brief() {
	if s.labour.summing || s.cast == nil || s.state.Ended {
		return
	}
	req, upto, due := dialog.Summary(&s.state, s.cast.Revision)
	if !due {
		return
	}
	s.labour.summing = true
	root, self, model := s.root, s.self, s.cast.Thinks
	ctx, cancel := context.WithTimeout(s.life, wholeTurn)
	go func() {
		defer cancel()
		root.Send(self, &summed{upto: upto, text: completed(ctx, model, req)})
	}()
}
