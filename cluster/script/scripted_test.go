package script

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/providertest"
)

func model(t *testing.T, text string) *Scripted {
	t.Helper()
	m, err := ParseModel([]byte(text))
	require.NoError(t, err)
	return m
}

func TestScriptedKeepsTheContract(t *testing.T) {
	providertest.RunCompleter(t, model(t, "- human: What is the daily spending limit?\n  steps: [{text: Five thousand dollars.}]"))
}

// answer reads one reply whole.
func answer(t *testing.T, m *Scripted, r provider.Request) (text string, calls []provider.ToolCall, finish provider.Finish) {
	t.Helper()
	for d, err := range m.Complete(t.Context(), r) {
		require.NoError(t, err)
		text += d.Text
		if d.Call != nil {
			calls = append(calls, *d.Call)
		}
		finish = d.Finish
	}
	return text, calls, finish
}

func TestScriptedFollowsItsFile(t *testing.T) {
	m := model(t, `
- human: I want a call.
  steps:
    - text: One moment.
      calls:
        - {name: A, args: {s: John, n: 5, b: true, l: [1, x], o: {k: ~}, z: 007}}
        - {name: B, args: '{"phone": "49301234567"}'}
    - text: It is done.
  results: {Name: John, Budget: 500, Topics: [a, b]}
- human: Yes
  steps: [{text: first}]
- human: Yes
  steps: [{text: second}]
  results: {Name: Jane}
`)
	user := func(s string) provider.Message { return provider.Message{Role: provider.RoleUser, Text: s} }
	bot := func(s string) provider.Message { return provider.Message{Role: provider.RoleAssistant, Text: s} }
	msgs := []provider.Message{bot("Hello!"), user(" i want a  CALL. ")}
	text, calls, finish := answer(t, m, provider.Request{Messages: msgs})
	require.Equal(t, "One moment.", text)
	require.Equal(t, provider.FinishTools, finish)
	require.Len(t, calls, 2)
	require.JSONEq(t, `{"s":"John","n":5,"b":true,"l":[1,"x"],"o":{"k":null},"z":"007"}`, calls[0].Args)
	require.JSONEq(t, `{"phone":"49301234567"}`, calls[1].Args)
	require.NotEqual(t, calls[0].ID, calls[1].ID)
	_, again, _ := answer(t, m, provider.Request{Messages: msgs})
	require.Equal(t, calls, again, "equal requests give equal answers")

	msgs = append(msgs, provider.Message{Role: provider.RoleAssistant, Text: text, Calls: calls},
		provider.Message{Role: provider.RoleTool, CallID: calls[0].ID, Text: "ok"}, provider.Message{Role: provider.RoleTool, CallID: calls[1].ID, Text: "ok"})
	text, calls, finish = answer(t, m, provider.Request{Messages: msgs})
	require.Equal(t, "It is done.", text)
	require.Empty(t, calls)
	require.Equal(t, provider.FinishStop, finish)

	msgs = append(msgs, bot(text))
	for _, want := range []string{"first", "second", "second"} {
		msgs = append(msgs, user("yes"))
		text, _, _ = answer(t, m, provider.Request{Messages: msgs})
		require.Equal(t, want, text, "a line that comes again takes the next entry, the last one for ever")
		msgs = append(msgs, bot(text))
	}

	schema := json.RawMessage(`{"type":"object","properties":{"Name":{},"Budget":{},"Topics":{}}}`)
	text, _, _ = answer(t, m, provider.Request{Messages: msgs, Schema: schema})
	require.JSONEq(t, `{"Name":"Jane","Budget":500,"Topics":"[\"a\",\"b\"]"}`, text)
	text, _, _ = answer(t, m, provider.Request{Messages: msgs[:2], Schema: json.RawMessage(`{"type":"object","properties":{"Name":{}}}`)})
	require.JSONEq(t, `{"Name":"John"}`, text, "what the schema does not ask for is left out")
}

func TestScriptedDoesNotInvent(t *testing.T) {
	m := model(t, "- human: a\n  steps: [{text: x}]")
	for name, c := range map[string]struct {
		msgs []provider.Message
		want string
	}{
		"a line it does not have":     {[]provider.Message{{Role: provider.RoleUser, Text: "my secret"}}, "scripted: the model's file has no line for what was said last, line 1 of the human: invalid"},
		"a step more than there are":  {[]provider.Message{{Role: provider.RoleUser, Text: "a"}, {Role: provider.RoleAssistant, Text: "x"}}, "scripted: the line on line 1 has 1 steps, one more is asked for: invalid"},
		"no line of the human at all": {nil, "scripted: nobody said anything: invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range m.Complete(t.Context(), provider.Request{Messages: c.msgs}) {
				require.EqualError(t, err, c.want)
				require.Equal(t, fault.Invalid, fault.KindOf(err))
			}
		})
	}
}

func TestParseModelRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":              {"", "model 1:1: the file is empty: a model needs at least one line"},
		"no list":              {"human: a", "model 1:1: a model's file must be a list, this is a mapping"},
		"a line without human": {"- steps: [{text: x}]", "model 1:3: a line needs human: what is answered"},
		"a line without steps": {"- human: a", "model 1:3: a line needs steps: what the model answers"},
		"an empty step":        {"- human: a\n  steps: [{}]", "model 2:11: a step needs text or calls"},
		"a misspelt key":       {"- human: a\n  steps: [{txt: x}]", `model 2:12: unknown key "txt" in a step, did you mean "text"?; there are text, calls` + "\nmodel 2:11: a step needs text or calls"},
		"a call without name":  {"- human: a\n  steps: [{calls: [{args: {}}]}]", "model 2:20: a call needs a name"},
		"arguments as a list":  {"- human: a\n  steps: [{calls: [{name: b, args: [1]}]}]", "model 2:36: args must be a mapping, this is a list"},
		"arguments as no JSON": {"- human: a\n  steps: [{calls: [{name: b, args: '{1}'}]}]", "model 2:36: args must be a mapping, or one JSON object in a text"},
		"too large":            {strings.Repeat("#", MaxBytes+1), "model 1:1: a model's file has at most 1024 KB, this one has 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseModel([]byte(c.text))
			if name == "a misspelt key" { // both faults, in the order of their places
				require.ErrorContains(t, err, `unknown key "txt"`)
				require.ErrorContains(t, err, "a step needs text or calls")
				return
			}
			require.EqualError(t, err, c.want)
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
}

func FuzzParseModel(f *testing.F) {
	for _, s := range []string{
		"- human: a\n  steps: [{text: x, calls: [{name: b, args: {c: 1, d: [2], e: {f: ~}}}]}]\n  results: {g: h}",
		"- human: a\n  steps: [{calls: [{name: b, args: '{\"c\": 1}'}]}]", "-", "- human: a\n  steps: x", "[]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseModel(b)
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		for _, l := range m.lines {
			msgs := []provider.Message{{Role: provider.RoleUser, Text: l.human}}
			_, calls, _ := answer(t, m, provider.Request{Messages: msgs})
			for _, c := range calls {
				var object map[string]any
				require.NoError(t, json.Unmarshal([]byte(c.Args), &object), "%q", c.Args)
			}
			text, _, _ := answer(t, m, provider.Request{Messages: msgs, Schema: json.RawMessage(`{"properties":{"g":{}}}`)})
			require.True(t, json.Valid([]byte(text)))
		}
	})
}
