package wire

import (
	"encoding/json"
	"fmt"
	"strings"

	"flametree/engine/provider"
)

// What a model is told where a conversation has a gap.
const (
	Interrupted = "[interrupted by the caller]"
	opening     = "[the conversation begins]"
	silence     = "[nothing was said since]"
	noAnswer    = "[no answer: the call was not completed]"
	empty       = "[empty]"
)

// Line is one side's part of a conversation.
type Line struct {
	Assistant bool
	Text      string
	Calls     []provider.ToolCall // assistant; legal names and ids, Args a JSON object
	Answers   []Answer            // the other side: one for each call of the line before, in order
}

// Answer is what a tool said to a call.
type Answer struct{ ID, Name, Text string }

// Talk puts a conversation into the order that every vendor accepts: the two
// sides alternate, the human's is first and last, every call is followed by its
// answer, and every answer by a call before it. Nothing is lost: an answer to a
// call that is out of sight becomes a line of data.
func Talk(messages []provider.Message) []Line {
	var t talk
	for i := 0; i < len(messages); {
		m := messages[i]
		i++
		if m.Role != provider.RoleAssistant {
			t.hear(m)
			continue
		}
		t.speak(m)
		if len(m.Calls) == 0 {
			continue
		}
		end := i
		for end < len(messages) && messages[end].Role != provider.RoleAssistant {
			end++
		}
		t.answers(m.Calls, messages[i:end])
		i = end
	}
	if n := len(t.lines); n == 0 || t.lines[n-1].Assistant {
		t.human().Text = silence
	}
	return t.lines
}

type talk struct{ lines []Line }

// human is the human's line at the end of the talk, a new one where needed.
func (t *talk) human() *Line {
	if n := len(t.lines); n == 0 || t.lines[n-1].Assistant {
		t.lines = append(t.lines, Line{})
	}
	return &t.lines[len(t.lines)-1]
}

func (t *talk) hear(m provider.Message) {
	text := m.Text
	if m.Role == provider.RoleTool {
		text = Data(text, "title", "answer of an earlier call")
	}
	if text != "" {
		l := t.human()
		l.Text = joined(l.Text, text)
	}
}

func (t *talk) speak(m provider.Message) {
	text := m.Text
	if m.Interrupted {
		text = strings.TrimSpace(text + " " + Interrupted)
	}
	if text == "" && len(m.Calls) == 0 {
		return
	}
	if len(t.lines) == 0 {
		t.human().Text = opening
	}
	n := len(t.lines) - 1
	if !t.lines[n].Assistant {
		t.lines = append(t.lines, Line{Assistant: true})
		n++
	}
	l := &t.lines[n]
	l.Text = joined(l.Text, text)
	for _, c := range m.Calls {
		l.Calls = append(l.Calls, provider.ToolCall{ID: ID(c.ID), Name: Name(c.Name), Args: object(c.Args)})
	}
}

// answers writes the line after one with calls. Calls that share an id get
// their answers in order, under ids of their own.
func (t *talk) answers(calls []provider.ToolCall, said []provider.Message) {
	spoken := &t.lines[len(t.lines)-1]
	out := make([]Answer, len(calls))
	taken := make([]bool, len(said))
	seen := map[string]bool{}
	for i, c := range calls {
		id := ID(c.ID)
		for n := 2; seen[id]; n++ {
			id = ID(fmt.Sprintf("%s_%d", c.ID, n))
		}
		seen[id] = true
		spoken.Calls[i].ID = id
		out[i] = Answer{ID: id, Name: Name(c.Name), Text: noAnswer}
		for j, m := range said {
			if m.Role == provider.RoleTool && m.CallID == c.ID && !taken[j] {
				taken[j] = true
				if out[i].Text = m.Text; m.Text == "" {
					out[i].Text = empty
				}
				break
			}
		}
	}
	t.human().Answers = out
	for j, m := range said {
		if !taken[j] {
			t.hear(m)
		}
	}
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

// object is args where it is a JSON object, else an object that holds it.
func object(args string) string {
	var o map[string]json.RawMessage
	if json.Unmarshal([]byte(args), &o) == nil && o != nil {
		return args
	}
	if strings.TrimSpace(args) == "" {
		return "{}"
	}
	raw, _ := json.Marshal(map[string]string{"unreadable": args}) // a string always can
	return string(raw)
}

// Schema is a JSON Schema of type object, which is what vendors take; an
// absent one has no properties, an absent type is filled in.
func Schema(s json.RawMessage) (json.RawMessage, error) {
	if len(s) == 0 {
		return json.RawMessage(`{"type":"object","properties":{}}`), nil
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(s, &o); err != nil || o == nil {
		return nil, errSchema
	}
	switch string(o["type"]) {
	case `"object"`:
		return s, nil
	case "":
		o["type"] = json.RawMessage(`"object"`)
		return json.Marshal(o)
	}
	return nil, errSchema
}
