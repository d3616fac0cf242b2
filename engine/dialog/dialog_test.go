package dialog

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/session"
)

const shop = `
name: Shop
type: inbound_text
identity: You are Ada of the shop.
speech_style: Friendly.
task: Sell bicycles.
welcome_message: Hello!
workflow:
  - name: Talk
    kind: StateConfig
    init_state: true
    description: Find out what the human wants.
    transitions:
      - {name: to offer, next_state: Offer, description: the human wants to buy}
      - {name: bye, next_state: END, description: the human says goodbye}
  - name: Offer
    kind: StateConfig
    description: Make an offer.
    state_scenarios:
      - {transition_name: back, next_state: Talk, description: the human hesitates}
conversation_result:
  - {field_name: HumanFullName, kind: FormInfoField}
  - {field_name: Budget, field_description: how much they spend, field_type: int}
  - {field_name: Colour, field_description: of the bicycle, field_type: "Literal['red', 'blue']"}
  - {field_name: Wishes, field_description: what it must have, field_type: "list[str]"}
  - {field_name: Ready, field_description: wants to buy now, field_type: bool}
  - {field_name: Day, field_description: of the visit, field_type: date}
knowledge:
  core: We sell bicycles.
  faqs:
    - {question: When are you open?, answer: From nine to six.}
env:
  HISTORY_MAX_MESSAGES: 6
  LLM_TIMEOUT_MS: 5000
`

func compile(t require.TestingT, file string) *agent.Revision {
	r, _, err := agent.Compile("agent-1", 3, []byte(file))
	require.NoError(t, err)
	return r
}

// talk is a session that lives by its events.
type talk struct {
	session.State
	t   require.TestingT
	rev *agent.Revision
	all []event.Event
	now time.Time
}

func begin(t require.TestingT, file, call string, kwargs ...event.PrivatePair) *talk {
	k := &talk{t: t, rev: compile(t, file), now: time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)}
	born := event.SessionCreated{
		Agent: "agent-1", Revision: 3, Conversation: "C", Channel: "web", Call: call, Greeting: k.rev.Greeting(),
		Name: event.P("Eva"), Kwargs: kwargs,
	}
	k.apply(k.Begin(born, k.rev.Flow.Start()))
	if call != "" {
		k.apply(k.Spoke(event.ReplySpoken{Text: event.P(born.Greeting), Full: event.P(born.Greeting)}))
	}
	return k
}

func (k *talk) apply(events []event.Event) []event.Event {
	for _, e := range events {
		k.now = k.now.Add(time.Second)
		k.Apply(event.Envelope{Seq: k.Seq + 1, Time: k.now, Body: e})
	}
	k.all = append(k.all, events...)
	return events
}

// says is the human's next line.
func (k *talk) says(text string) {
	var out []event.Event
	var err error
	if k.Voice() {
		out, err = k.Hear(event.UtteranceHeard{Message: fmt.Sprintf("M%d", k.Turn+1), Text: event.P(text)})
	} else {
		out, err = k.Receive(fmt.Sprintf("M%d", k.Turn+1), "", text)
	}
	require.NoError(k.t, err)
	k.apply(out)
}

// answers is the model's answer to the open reply; the events it leads to come back.
func (k *talk) answers(text string, calls ...event.ToolCall) []event.Event {
	require.NotNil(k.t, k.Open)
	return k.apply(Answer(&k.State, k.rev, event.ModelAnswered{Turn: k.Turn, Step: k.Open.Step, Text: event.P(text), Calls: calls}))
}

func call(id, name, args string) event.ToolCall {
	return event.ToolCall{ID: id, Name: name, Args: event.P(args)}
}

// kinds are the names of events, with what matters of each.
func kinds(events []event.Event) []string {
	out := []string{}
	for _, e := range events {
		switch b := e.(type) {
		case event.ModelAnswered:
			out = append(out, "answered")
		case event.ToolCalled:
			out = append(out, trim("called "+b.Call.Name+" "+b.Refused))
		case event.ToolAnswered:
			out = append(out, trim("told "+b.CallID))
		case event.StateEntered:
			out = append(out, "entered "+b.State+" by "+b.Move)
		case event.ReplySent:
			out = append(out, trim(fmt.Sprintf("sent %s %s", b.Text.Text, joined(b.Options))))
		case event.SessionEnded:
			out = append(out, "ended "+string(b.Status))
		case event.ResultSet:
			out = append(out, "result "+b.Field+"="+b.Value.Text)
		default:
			out = append(out, string(e.Kind()))
		}
	}
	return out
}

func joined(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return fmt.Sprint(s)
}

func trim(s string) string {
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}
