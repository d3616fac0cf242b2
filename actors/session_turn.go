package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
	"flametree/engine/session"
)

// thought is the reply that is being made, as far as it is not in the journal.
type thought struct {
	gen      uint64
	cancel   context.CancelFunc // of all of it
	quiet    context.CancelFunc // of the model alone
	open     bool               // the model is at work
	reading  bool               // results are being read out of the conversation
	cutter   *dialog.Cutter     // voice: text → clauses
	clauses  uint64             // sent to the call
	asked    time.Time          // when the turn was opened
	stages   []event.Stage
	greeting bool        // voice: the agent's first words
	held     *Answered   // text: the final answer, until results were read too
	late     *time.Timer // text: the reply is awaited for a while then
	seen     bool        // text: some of it was shown
}

func (t *thought) busy() bool { return t.open || t.reading }

// What comes back from outside, stamped with the thought it belongs to.
type (
	delta struct {
		gen  uint64
		text string
	}
	modelAnswered struct {
		gen     uint64
		event   event.ModelAnswered
		usage   provider.Usage // tells more than the event does
		hits    []event.Event  // of guardrails, on what was said and on the answer
		handoff bool           // a guardrail wants a person
	}
	resultsRead struct {
		gen   uint64
		event event.ResultsExtracted
	}
)

// write takes in a customer's message, or lets it wait for the reply in progress.
func (s *Session) write(p *pending) {
	if l, ok := s.state.Taken(p.msg.ClientID); ok {
		s.again(p, l)
		return
	}
	if s.asking != nil || s.thought.open {
		if len(s.queue) >= maxQueued {
			p.answer(fmt.Errorf("%d messages of this session are waiting already: %w", len(s.queue), fault.Exhausted))
			return
		}
		s.queue = append(s.queue, p)
		return
	}
	now := time.Now()
	events, err := s.state.Receive(s.NewID(now).String(), p.msg.ClientID, p.msg.Text)
	if err == nil {
		err = s.casting()
	}
	if err == nil {
		err = s.commit(events, nil, nil)
	}
	if err != nil {
		p.answer(err)
		return
	}
	p.turn = s.state.Turn
	if p.msg.Early {
		p.answer(&Answered{Turn: p.turn, Mode: s.state.Mode})
		p.reply = nil
	}
	if s.state.Open == nil { // a person answers
		p.answer(&Answered{Turn: p.turn, Mode: s.state.Mode})
		return
	}
	s.asking = p
	s.compose(now)
}

// again answers a message that was taken before: with its reply if there is
// one, by waiting for it, or by starting a lost one anew.
func (s *Session) again(p *pending, l session.Line) {
	p.turn = l.Turn
	if said, ok := s.state.Said(l.Turn); ok {
		p.answer(s.answered(said))
		return
	}
	if s.asking != nil && s.asking.turn == l.Turn {
		s.asking.reply = append(s.asking.reply, p.reply...)
		return
	}
	events := s.state.Lose()
	if len(events) == 0 {
		events = s.state.Retry()
	}
	if err := s.casting(); err != nil {
		p.answer(err)
		return
	}
	err := s.commit(events, nil, nil)
	if err == nil && s.state.Open == nil {
		err = s.commit(s.state.Retry(), nil, nil)
	}
	if err != nil || s.state.Open == nil {
		p.answer(errors.Join(err, fmt.Errorf("the reply to this message was superseded: %w", fault.Conflict)))
		return
	}
	s.asking = p
	s.compose(time.Now())
}

// next takes the oldest waiting message.
func (s *Session) next() {
	if len(s.queue) == 0 || s.asking != nil || s.thought.open {
		return
	}
	p := s.queue[0]
	s.queue = s.queue[1:]
	s.write(p)
}

// compose starts the thought about the open turn: the reply, and beside it the
// reading of results.
func (s *Session) compose(now time.Time) {
	s.renew()
	s.anew(now)
	ctx, cancel := context.WithTimeout(s.life, s.patience())
	s.thought.cancel = cancel
	s.await()
	s.read(ctx)
	s.step(ctx)
}

// anew begins a thought in place of the last one.
func (s *Session) anew(now time.Time) {
	s.hush()
	s.thought = thought{gen: s.gen(), asked: now, cutter: new(dialog.Cutter)}
}

// gen names a thought or a guess.
func (s *Session) gen() uint64 {
	s.gens++
	return s.gens
}

// read starts to read results out of the conversation.
func (s *Session) read(ctx context.Context) {
	req, ok := dialog.Extraction(&s.state, s.cast.Revision)
	if !ok || s.state.Open == nil {
		return
	}
	s.thought.reading = true
	root, self, gen, turn, model := s.root, s.self, s.thought.gen, s.state.Open.Turn, s.cast.Thinks
	go func() { root.Send(self, &resultsRead{gen: gen, event: readResults(ctx, model, req, turn)}) }()
}

// wholeTurn bounds a text turn with all its steps.
const wholeTurn = 45 * time.Second

// patience is how long a reply may take.
func (s *Session) patience() time.Duration {
	if s.state.Voice() {
		return s.cast.Revision.Settings.ModelTimeout
	}
	return wholeTurn
}

// step asks the model once, after the skills that fill its prompt.
func (s *Session) step(ctx context.Context) {
	s.thought.open = true
	if s.labour.skills > 0 {
		gen := s.thought.gen
		s.labour.held = func() {
			if gen == s.thought.gen && s.thought.open {
				s.step(ctx)
			}
		}
		return
	}
	ctx, s.thought.quiet = context.WithCancel(ctx)
	gen, q := s.thought.gen, dialog.Ask(&s.state, s.cast.Revision)
	s.seek(ctx, q, func() {
		if gen == s.thought.gen && s.thought.open {
			s.ask(ctx, q)
		}
	})
}

// ask searches what the agent knows and asks the model.
func (s *Session) ask(ctx context.Context, q knowledge.Query) {
	hits := s.cast.Knowledge.Find(q)
	req := dialog.Compose(&s.state, s.cast.Revision, hits, time.Now())
	answer := s.answerTo(&s.state, req)
	t := s.thinker(&s.state, s.thought.gen, hits)
	go func() { t.run(ctx, req, answer) }()
}

// answerTo is the record of an answer that is about to be asked for.
func (s *Session) answerTo(state *session.State, req provider.Request) event.ModelAnswered {
	out := dialog.Traced(state, req)
	out.Provider = s.cast.Revision.Spec.LLM.Provider
	return out
}

// callJoiner puts fragments of tool calls together, in the order of their first fragments.
type callJoiner struct{ calls []event.ToolCall }

func (j *callJoiner) add(c provider.ToolCall) {
	for i := range j.calls {
		if j.calls[i].ID == c.ID {
			j.calls[i].Args.Text += c.Args
			return
		}
	}
	j.calls = append(j.calls, event.ToolCall{ID: c.ID, Name: c.Name, Args: event.P(c.Args)})
}

func (j *callJoiner) joined() []event.ToolCall { return j.calls }

// completed is a whole answer as text, "" when there is none.
func completed(ctx context.Context, model provider.Completer, req provider.Request) string {
	var text []byte
	for d, err := range model.Complete(ctx, req) {
		if err != nil {
			return ""
		}
		text = append(text, d.Text...)
	}
	return string(text)
}

func readResults(ctx context.Context, model provider.Completer, req provider.Request, turn uint64) event.ResultsExtracted {
	out := event.ResultsExtracted{Turn: turn}
	var text []byte
	for d, err := range model.Complete(ctx, req) {
		if err != nil {
			out.Fault = string(fault.KindOf(err))
			return out
		}
		text = append(text, d.Text...)
	}
	out.Values = event.P(string(text))
	return out
}

// think handles what comes back from a thought, and reports whether m was such a thing.
func (s *Session) think(m any) bool {
	if s.guessed(m) || s.worked(m) || s.seeks(m) || s.fills(m) {
		return true
	}
	switch m := m.(type) {
	case *delta:
		if m.gen == s.thought.gen && s.thought.open {
			s.stream(m.text)
		}
	case *modelAnswered:
		if m.gen == s.thought.gen && s.thought.open {
			s.thoughtOut(m)
		}
	case *resultsRead:
		if m.gen == s.thought.gen && s.thought.reading {
			s.thought.reading = false
			_ = s.commit(dialog.Extracted(&s.state, s.cast.Revision, m.event), nil, nil)
			s.release()
			s.brief()
		}
	case *StopReply:
		s.interrupt()
	default:
		return false
	}
	return true
}

// stream passes on a piece of the reply as it is generated.
func (s *Session) stream(text string) {
	if s.state.Voice() {
		for _, clause := range s.thought.cutter.Push(text) {
			s.say(clause)
		}
		return
	}
	s.thought.seen = true
	if s.state.Open != nil {
		s.frame(Frame{Type: "chunk", Role: session.RoleAI, Message: s.state.Open.Message, Text: text, Mode: s.state.Mode})
	}
}

// thoughtOut takes in a whole answer of the model: it is a fact, and what
// follows from it is decided in engine/dialog.
func (s *Session) thoughtOut(m *modelAnswered) {
	a := m.event
	a.Cost = dialog.Cost(s.cast.Revision, a, m.usage)
	s.thought.open = false
	if s.guarded(m) != nil {
		return
	}
	if a.Step == 0 {
		s.thought.stages = append(s.thought.stages, event.Stage{Name: "llm_ttft", Took: a.FirstByte})
	}
	rest := dialog.Rest(&s.state, s.cast.Revision, a) // asked of the state before it changes
	if err := s.commit(dialog.Answer(&s.state, s.cast.Revision, a), nil, nil); err != nil {
		return
	}
	s.proceed(rest)
}

// finish answers whoever waits for the reply of the turn that was closed.
func (s *Session) finish() {
	s.brief()
	if s.asking == nil {
		s.next()
		return
	}
	if said, ok := s.state.Said(s.asking.turn); ok {
		s.thought.held = s.answered(said)
	}
	s.release()
}

// release lets the held answer go once results were read too, so that who asks
// for the session next finds them in it.
func (s *Session) release() {
	if s.thought.reading || s.thought.open {
		return
	}
	if p := s.asking; p != nil && s.thought.held != nil {
		s.asking = nil
		p.answer(s.thought.held)
		s.thought.held = nil
	}
	s.next()
}

func (s *Session) answered(l session.Line) *Answered {
	return &Answered{
		Turn: l.Turn, Message: l.Message, Text: l.Text, Options: l.Options, Mode: s.state.Mode, Ended: s.state.Ended,
	}
}

// interrupt ends the reply in progress at the customer's wish.
func (s *Session) interrupt() {
	if s.state.Voice() || s.state.Open == nil || !s.thought.open {
		return
	}
	s.hush()
	s.thoughtOut(&modelAnswered{event: event.ModelAnswered{
		Turn: s.state.Open.Turn, Step: s.state.Open.Step, Fault: string(fault.Cancelled) + ": stopped by the customer",
	}})
}

// hush ends what is being thought. Its answers, should they come, are stale.
func (s *Session) hush() {
	if s.thought.cancel != nil {
		s.thought.cancel()
	}
	if s.thought.late != nil {
		s.thought.late.Stop()
	}
	s.unguess()
	s.thought.gen = s.gen()
	s.thought.open, s.thought.reading, s.thought.cancel = false, false, nil
}
