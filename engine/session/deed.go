package session

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"flametree/engine/event"
)

// Tools whose text is the reply itself.
const (
	SendTool    = "SendChatMessage"
	ForwardTool = "ForwardSpeech" // what older agents call it
)

// NeedsYes begins the refusal of a call that waits for the human's yes.
const NeedsYes = "confirmation needed"

// Observation is the newest result of a tool: JSON or plain text.
type Observation struct {
	Tool  string
	Value string
	At    time.Time
}

// Summary stands for the lines of the turns up to Upto in what a model is shown.
type Summary struct {
	Upto uint64
	Text string
}

// Waiting is a call that waits for the human's yes.
type Waiting struct {
	Turn uint64
	Call event.ToolCall
}

// applyDeed folds what a conversation does besides talking, and reports
// whether the event was such a thing.
func (s *State) applyDeed(e event.Envelope) bool {
	switch b := e.Body.(type) {
	case event.SkillRan:
		for _, v := range b.Values {
			s.fill(v.Key, v.Value.Text)
		}
	case event.CustomerVerified:
		s.Verified, s.Customer = true, b.Customer.Text
	case event.HistorySummarised:
		s.Summary = Summary{Upto: b.Upto, Text: b.Text.Text}
	case event.QuestionUnanswered:
		s.Unanswered++
	case event.GuardHit:
		s.Hits++
	case event.ResultsMailed:
		s.Mailed = true
	case event.OperatorWhispered:
		s.whispered(b)
	case event.SuggestionMade:
		s.Suggestion = b.Text.Text
		s.close(b.Turn) // a person decides what is sent
	default:
		return false
	}
	return true
}

func (s *State) fill(key, value string) {
	i := slices.IndexFunc(s.Fields, func(p event.Pair) bool { return p.Key == key })
	fields := slices.Clone(s.Fields) // a view of an older state may share them
	if i < 0 {
		s.Fields = append(fields, event.Pair{Key: key, Value: value})
		return
	}
	fields[i].Value = value
	s.Fields = fields
}

func (s *State) observe(b event.ToolAnswered, at time.Time) {
	if b.Tool == "" || b.Fault != "" {
		return
	}
	o := Observation{Tool: b.Tool, Value: b.Result.Text, At: at}
	all := slices.Clone(s.Observations)
	if i := slices.IndexFunc(all, func(x Observation) bool { return x.Tool == b.Tool }); i >= 0 {
		all[i] = o
	} else {
		all = append(all, o)
	}
	s.Observations = all
}

// Observed finds the newest result of a tool.
func (s *State) Observed(tool string) (string, bool) {
	for _, o := range s.Observations {
		if o.Tool == tool {
			return o.Value, true
		}
	}
	return "", false
}

// wait keeps a call that needs the human's yes, and lets it go when it was made.
func (s *State) wait(b event.ToolCalled) {
	switch {
	case strings.HasPrefix(b.Refused, NeedsYes):
		s.Waits = &Waiting{Turn: b.Turn, Call: b.Call}
	case s.Waits != nil && b.Refused == "" && s.Waits.Call.Name == b.Call.Name:
		s.Waits = nil
	}
}

// message is the text that a call of SendTool carries.
func message(c event.ToolCall) string {
	if c.Name != SendTool && c.Name != ForwardTool {
		return ""
	}
	var args struct {
		Stylized string `json:"stylized_message"`
		Message  string `json:"message"`
		Text     string `json:"text"`
	}
	if json.Unmarshal([]byte(c.Args.Text), &args) != nil {
		return ""
	}
	for _, t := range []string{args.Stylized, args.Message, args.Text} {
		if t = strings.TrimSpace(t); t != "" {
			return t
		}
	}
	return ""
}

// Message is the text a call of SendChatMessage or its older name carries.
func Message(c event.ToolCall) string { return message(c) }
