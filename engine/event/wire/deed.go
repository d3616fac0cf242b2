package wire

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

// deedBody maps what a conversation does besides talking: skills, guards, traces.
func deedBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.SkillRan:
		return &pb.SkillRan{
			Skill: e.Skill, Moment: e.Moment, State: e.State, Values: s.pairs(e.Values), TookNs: int64(e.Took), Fault: e.Fault,
		}
	case event.QuestionUnanswered:
		return &pb.QuestionUnanswered{Turn: e.Turn, Question: s.text(e.Question), By: e.By}
	case event.CustomerVerified:
		return &pb.CustomerVerified{Tool: e.Tool, Customer: s.text(e.Customer)}
	case event.GuardHit:
		return &pb.GuardHit{Turn: e.Turn, Rule: e.Rule, Where: e.Where, Action: e.Action, Excerpt: s.text(e.Excerpt)}
	case event.HistorySummarised:
		return &pb.HistorySummarised{Upto: e.Upto, Text: s.text(e.Text)}
	case event.SuggestionMade:
		return &pb.SuggestionMade{Turn: e.Turn, Text: s.text(e.Text)}
	default: // of another file
	}
	return nil
}

func traced(parts []event.TracedPart) []*pb.TracedPart {
	var out []*pb.TracedPart
	for _, p := range parts {
		out = append(out, &pb.TracedPart{Kind: p.Kind, Title: p.Title, Tokens: p.Tokens})
	}
	return out
}

func untraced(parts []*pb.TracedPart) []event.TracedPart {
	var out []event.TracedPart
	for _, p := range parts {
		out = append(out, event.TracedPart{Kind: p.Kind, Title: p.Title, Tokens: p.Tokens})
	}
	return out
}

func attempts(all []event.Attempt) []*pb.Attempt {
	var out []*pb.Attempt
	for _, a := range all {
		out = append(out, &pb.Attempt{Provider: a.Provider, Model: a.Model, TookNs: int64(a.Took), Fault: a.Fault})
	}
	return out
}

func unattempted(all []*pb.Attempt) []event.Attempt {
	var out []event.Attempt
	for _, a := range all {
		out = append(out, event.Attempt{Provider: a.Provider, Model: a.Model, Took: time.Duration(a.TookNs), Fault: a.Fault})
	}
	return out
}

func deedEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.SkillRan{}.Kind():
		return read(b, func(m *pb.SkillRan) event.Event {
			return event.SkillRan{
				Skill: m.Skill, Moment: m.Moment, State: m.State, Values: o.pairs(m.Values),
				Took: time.Duration(m.TookNs), Fault: m.Fault,
			}
		})
	case event.QuestionUnanswered{}.Kind():
		return read(b, func(m *pb.QuestionUnanswered) event.Event {
			return event.QuestionUnanswered{Turn: m.Turn, Question: o.text(m.Question), By: m.By}
		})
	case event.CustomerVerified{}.Kind():
		return read(b, func(m *pb.CustomerVerified) event.Event {
			return event.CustomerVerified{Tool: m.Tool, Customer: o.text(m.Customer)}
		})
	case event.GuardHit{}.Kind():
		return read(b, func(m *pb.GuardHit) event.Event {
			return event.GuardHit{Turn: m.Turn, Rule: m.Rule, Where: m.Where, Action: m.Action, Excerpt: o.text(m.Excerpt)}
		})
	case event.HistorySummarised{}.Kind():
		return read(b, func(m *pb.HistorySummarised) event.Event {
			return event.HistorySummarised{Upto: m.Upto, Text: o.text(m.Text)}
		})
	case event.SuggestionMade{}.Kind():
		return read(b, func(m *pb.SuggestionMade) event.Event {
			return event.SuggestionMade{Turn: m.Turn, Text: o.text(m.Text)}
		})
	}
	return nil, nil
}
