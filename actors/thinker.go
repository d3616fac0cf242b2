package actors

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/guard"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
	"flametree/engine/session"
)

// thinker asks a model outside of the actor: it has no state to touch. What
// comes back passes the guardrails before anybody sees it.
type thinker struct {
	root  *actor.RootContext
	self  *actor.PID
	gen   uint64
	turn  uint64
	model provider.Completer
	said  guard.Verdict // on what the human said
	guard *guard.Stream // nil = nothing is checked
	sorry string        // what is said when a reply does not pass
}

// thinker makes one for the open reply of state.
func (s *Session) thinker(state *session.State, gen uint64, hits []knowledge.Hit) thinker {
	t := thinker{root: s.root, self: s.self, gen: gen, turn: state.Open.Turn, model: s.thinks(), sorry: s.cast.Revision.Settings.Rephrase}
	if g := s.cast.Revision.Guard; g != nil {
		t.guard = g.Stream(dialog.Watch(state, s.cast.Revision, hits))
		if state.Open.Step == 0 {
			t.said = dialog.Screen(state, s.cast.Revision)
		}
	}
	return t
}

// guarded records what guardrails did, before the answer they did it to.
func (s *Session) guarded(m *modelAnswered) error {
	if err := s.commit(m.hits, nil, nil); err != nil {
		return err
	}
	if !m.handoff {
		return nil
	}
	return s.commit(s.state.HandOver(event.SessionHandedOver{Mode: session.ModeOperator, Reason: "guardrail"}), nil, nil)
}

func (t *thinker) run(ctx context.Context, req provider.Request, out event.ModelAnswered) {
	begun := time.Now()
	answer := &modelAnswered{gen: t.gen, event: out}
	var text strings.Builder
	if t.stopped(ctx, guard.Input, t.said, answer, &text) {
		answer.event.Provider, answer.event.Model = "guardrail", t.said.Rule
	} else {
		t.ask(ctx, req, answer, &text)
	}
	answer.event.Text, answer.event.Whole = event.P(text.String()), time.Since(begun)
	t.root.Send(t.self, answer)
}

// ask reads the model's answer to its end, or to where a guardrail stops it.
func (t *thinker) ask(ctx context.Context, req provider.Request, answer *modelAnswered, text *strings.Builder) {
	out, begun := &answer.event, time.Now()
	var calls callJoiner
	for d, err := range t.model.Complete(ctx, req) {
		if err != nil {
			out.Fault = string(fault.KindOf(err)) + ": " + err.Error()
			break
		}
		if d.Try != nil {
			out.Attempts = append(out.Attempts, event.Attempt{Provider: d.Try.Provider, Model: d.Try.Model, Took: d.Try.Took, Fault: d.Try.Fault})
			continue
		}
		if out.FirstByte == 0 {
			out.FirstByte = time.Since(begun)
		}
		switch {
		case d.Text != "":
			if t.passes(ctx, d.Text, answer, text) {
				return
			}
		case d.Call != nil:
			calls.add(*d.Call)
		case d.Usage != nil:
			answer.usage = *d.Usage
			out.Input, out.Output = uint32(d.Usage.Input), uint32(d.Usage.Output)
		}
	}
	if t.guard != nil && t.stopped(ctx, guard.Output, t.guard.Close(), answer, text) {
		return
	}
	if out.Fault == "" { // a call of a reply that broke off may be half of one
		out.Calls = calls.joined()
	}
}

// passes says what may be said of a piece, and reports whether the reply ends
// here instead.
func (t *thinker) passes(ctx context.Context, piece string, answer *modelAnswered, text *strings.Builder) (ended bool) {
	if t.guard == nil {
		t.say(piece, text)
		return false
	}
	return t.stopped(ctx, guard.Output, t.guard.Push(piece), answer, text)
}

// stopped takes in a verdict: classifiers are asked, what passes is said, what
// happened is noted. After a verdict that lets nothing pass its message is said
// instead, and the reply is over.
func (t *thinker) stopped(ctx context.Context, where guard.Where, v guard.Verdict, answer *modelAnswered, text *strings.Builder) bool {
	if len(v.Asks) > 0 {
		answers := make([]string, len(v.Asks))
		for i, a := range v.Asks {
			answers[i] = completed(ctx, t.model, a.Request)
		}
		v = v.Judged(answers)
	}
	for _, e := range dialog.Hits(t.turn, where, v.Hits) {
		if !slices.Contains(answer.hits, e) {
			answer.hits = append(answer.hits, e)
		}
	}
	switch v.Action {
	case guard.Block, guard.Replace, guard.Handoff:
		answer.handoff = v.Action == guard.Handoff
		said := v.Message
		if said == "" {
			said = t.sorry
		}
		if text.Len() > 0 {
			said = " " + said
		}
		t.say(said, text)
		return true
	case guard.Pass, guard.Flag, guard.Mask, guard.Confirm:
	}
	if where == guard.Output {
		t.say(v.Text, text)
	}
	return false
}

func (t *thinker) say(piece string, text *strings.Builder) {
	if piece == "" {
		return
	}
	text.WriteString(piece)
	t.root.Send(t.self, &delta{gen: t.gen, text: piece})
}
