package dialog

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/session"
)

func TestAnswerOnAWrittenChannel(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		calls []event.ToolCall
		want  []string
		next  bool
	}{
		"text closes the reply":             {"We open at nine.", nil, []string{"answered", "sent We open at nine."}, false},
		"nothing at all asks to rephrase":   {" ", nil, []string{"answered", "sent Sorry, I did not get that. Could you put it in other words?"}, false},
		"a move alone asks for the answer":  {"", []event.ToolCall{call("1", "to_offer", "{}")}, []string{"answered", "called to_offer", "entered Offer by to offer", "told 1"}, true},
		"a move with text closes the reply": {"Here is an offer.", []event.ToolCall{call("1", "to_offer", "")}, []string{"answered", "called to_offer", "entered Offer by to offer", "told 1", "sent Here is an offer."}, false},
		"END closes the session":            {"Goodbye.", []event.ToolCall{call("1", "bye", "{}")}, []string{"answered", "called bye", "entered END by bye", "told 1", "sent Goodbye.", "ended completed"}, false},
		"END without words asks for them":   {"", []event.ToolCall{call("1", "bye", "{}")}, []string{"answered", "called bye", "entered END by bye", "told 1"}, true},
		"FinishSession says the last words": {"", []event.ToolCall{call("1", "FinishSession", `{"last_message":"Bye."}`)}, []string{"answered", "called FinishSession", "told 1", "sent Bye.", "ended completed"}, false},
		"last words follow the text":        {"You are welcome.", []event.ToolCall{call("1", "FinishSession", `{"last_message":"Bye."}`)}, []string{"answered", "called FinishSession", "told 1", "sent You are welcome. Bye.", "ended completed"}, false},
		"last words are not said twice":     {"You are welcome. Bye.", []event.ToolCall{call("1", "FinishSession", `{"last_message":"Bye."}`)}, []string{"answered", "called FinishSession", "told 1", "sent You are welcome. Bye.", "ended completed"}, false},
		"an end needs words":                {"", []event.ToolCall{call("1", "FinishSession", `{}`)}, []string{"answered", "called FinishSession last_message is missing and nothing was said", "told 1"}, true},
		"nothing follows the end": {"", []event.ToolCall{call("1", "FinishSession", `{"last_message":"Bye."}`), call("2", "to_offer", "{}")}, []string{
			"answered", "called FinishSession", "told 1", "called to_offer the session ends already", "told 2", "sent Bye.", "ended completed",
		}, false},
		"unknown tools are refused":       {"", []event.ToolCall{call("1", "DeleteEverything", "{}")}, []string{"answered", "called DeleteEverything there is no such tool here", "told 1"}, true},
		"a tool of another state":         {"", []event.ToolCall{call("1", "back", "{}")}, []string{"answered", "called back there is no such tool here", "told 1"}, true},
		"arguments that are no object":    {"", []event.ToolCall{call("1", "to_offer", `[1`)}, []string{"answered", "called to_offer the arguments must be one JSON object", "told 1"}, true},
		"one move at a time":              {"", []event.ToolCall{call("1", "to_offer", "{}"), call("2", "back", "{}")}, []string{"answered", "called to_offer", "entered Offer by to offer", "told 1", "called back one move at a time: the state has changed", "told 2"}, true},
		"buttons stand under the text":    {"Which colour?", []event.ToolCall{call("1", "ProvideOptionButtons", `{"options":["red"," blue","red"]}`)}, []string{"answered", "called ProvideOptionButtons", "told 1", "sent Which colour? [red blue]"}, false},
		"buttons that are none":           {"Which colour?", []event.ToolCall{call("1", "ProvideOptionButtons", `{"options":[]}`)}, []string{"answered", "called ProvideOptionButtons options must be 1 to 10 texts of at most 100 characters", "told 1", "sent Which colour?"}, false},
		"calls get an id of their own":    {"x", []event.ToolCall{call("", "a", ""), call("7", "b", ""), call("7", "c", "")}, []string{"answered", "called a there is no such tool here", "told t1.0.0", "called b there is no such tool here", "told 7", "called c there is no such tool here", "told t1.0.2", "sent x"}, false},
		"last_message of the wrong type":  {"x", []event.ToolCall{call("1", "FinishSession", `{"last_message":5}`)}, []string{"answered", "called FinishSession last_message must be a text", "told 1", "sent x"}, false},
		"a message without words":         {"", []event.ToolCall{call("1", "SendChatMessage", `{}`)}, []string{"answered", "called SendChatMessage stylized_message is missing", "told 1"}, true},
		"SendChatMessage is the reply":    {"", []event.ToolCall{call("1", "SendChatMessage", `{"stylized_message":"We open at nine."}`)}, []string{"answered", "called SendChatMessage", "told 1", "sent We open at nine."}, false},
		"ForwardSpeech is its older name": {"", []event.ToolCall{call("1", "ForwardSpeech", `{"message":"At nine."}`)}, []string{"answered", "called ForwardSpeech", "told 1", "sent At nine."}, false},
		"null as arguments is no object":  {"x", []event.ToolCall{call("1", "to_offer", `null`)}, []string{"answered", "called to_offer the arguments must be one JSON object", "told 1", "sent x"}, false},
		"white space counts as no argument": {"x", []event.ToolCall{call("1", "to_offer", " \n")}, []string{
			"answered", "called to_offer", "entered Offer by to offer", "told 1", "sent x",
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			k := begin(t, shop, "")
			k.says("Hello")
			require.Equal(t, c.want, kinds(k.answers(c.text, c.calls...)))
			require.Equal(t, c.next, Next(&k.State, k.rev))
			if c.next {
				require.Empty(t, k.Open.Pending, "the model would be asked with calls unanswered")
			}
		})
	}
}

func TestReplyHoldsTheTextOfAllSteps(t *testing.T) {
	k := begin(t, shop, "")
	k.says("I want to buy")
	k.answers("", call("1", "ProvideOptionButtons", `{"options":["red"]}`))
	require.True(t, Next(&k.State, k.rev))
	k.answers("", call("1", "to_offer", "{}")) // some vendors count ids afresh in every answer
	require.True(t, Next(&k.State, k.rev))
	require.Equal(t, []string{"answered", "sent Here you are. [red]"}, kinds(k.answers("Here you are.")))
	require.False(t, Next(&k.State, k.rev))
	require.Equal(t, "Offer", k.Flow)
	require.Nil(t, k.Open)
}

func TestAModelThatOnlyCallsIsStopped(t *testing.T) {
	k := begin(t, shop, "")
	k.says("Hello")
	for step := range maxSteps {
		require.Equal(t, step > 0, Next(&k.State, k.rev))
		move := []string{"to_offer", "back"}[step%2]
		k.answers("", call("1", move, "{}"))
	}
	require.False(t, Next(&k.State, k.rev))
	require.Nil(t, k.Open)
	require.Equal(t, k.rev.Settings.Rephrase, k.Lines[len(k.Lines)-1].Text)
}

func TestAFailedModelKeepsWhatItSaid(t *testing.T) {
	k := begin(t, shop, "")
	k.says("Hello")
	a := event.ModelAnswered{Turn: 1, Text: event.P("We open at"), Fault: "unavailable: connection lost"}
	require.Equal(t, []string{"answered", "sent We open at"}, kinds(Answer(&k.State, k.rev, a)))
	a.Text = event.P("")
	require.Equal(t, []string{"answered", "sent " + k.rev.Settings.Rephrase}, kinds(Answer(&k.State, k.rev, a)))
}

func TestAnswerThatComesTooLateIsWorthless(t *testing.T) {
	k := begin(t, shop, "")
	k.says("Hello")
	require.Nil(t, Answer(&k.State, k.rev, event.ModelAnswered{Turn: 2, Text: event.P("x")}), "of another turn")
	require.Nil(t, Answer(&k.State, k.rev, event.ModelAnswered{Turn: 1, Step: 1, Text: event.P("x")}), "of another step")
	k.answers("Hi.")
	require.Nil(t, Answer(&k.State, k.rev, event.ModelAnswered{Turn: 1, Step: 0, Text: event.P("x")}), "the reply is closed")
	k.says("Bye")
	end, err := k.End(event.Completed)
	require.NoError(t, err)
	k.apply(end)
	require.Nil(t, Answer(&k.State, k.rev, event.ModelAnswered{Turn: 2, Text: event.P("x")}), "the session is over")
}

func TestLimitsOfTools(t *testing.T) {
	many := make([]event.ToolCall, 7)
	for i := range many {
		many[i] = call("", "ProvideOptionButtons", `{"options":["a"]}`)
	}
	refusals := func(events []event.Event) (out []string) {
		for _, e := range events {
			if c, ok := e.(event.ToolCalled); ok {
				out = append(out, c.Refused)
			}
		}
		return out
	}
	k := begin(t, shop, "")
	k.says("Hello")
	turn := "more than 5 tool calls in one turn"
	require.Equal(t, []string{"", "", "", "", "", turn, turn}, refusals(k.answers("x", many...)))

	k = begin(t, shop+"  MAX_TOOL_CALLS_PER_SESSION: 3\n", "")
	k.says("Hello")
	k.answers("x", many[:2]...)
	k.says("again")
	whole := "more than 3 tool calls in one session"
	require.Equal(t, []string{"", whole}, refusals(k.answers("x", many[:2]...)))

	k = begin(t, shop, "")
	k.says("Hello")
	k.Open.Moves = maxMoves
	require.Equal(t, []string{"more than 8 moves in one turn"}, refusals(k.answers("x", call("1", "to_offer", ""))))

	k = begin(t, shop+"  MAX_TOOL_CALLS_PER_TURN: 0\n", "")
	k.says("Hello")
	require.Equal(t, []string{""}, refusals(k.answers("x", call("1", "FinishSession", `{"last_message":"Bye."}`))), "an end is always possible")
}

func TestAnswerOnACall(t *testing.T) {
	rest := func(k *talk, text string, calls ...event.ToolCall) string {
		return Rest(&k.State, k.rev, event.ModelAnswered{Turn: k.Turn, Step: k.Open.Step, Text: event.P(text), Calls: calls})
	}
	finish := call("1", "FinishSession", `{"last_message":"Goodbye."}`)

	k := begin(t, shop, "call-1")
	k.says("hello")
	require.Empty(t, rest(k, "We open at nine."))
	require.Equal(t, k.rev.Settings.Rephrase, rest(k, ""))
	require.Empty(t, rest(k, "", call("1", "to_offer", "")), "another answer is due")
	require.Equal(t, "Goodbye.", rest(k, "", finish))
	require.Equal(t, "Goodbye.", rest(k, "You are welcome.", finish))
	require.Equal(t, []string{"answered", "called ProvideOptionButtons there is no such tool here", "told 1"},
		kinds(Answer(&k.State, k.rev, event.ModelAnswered{Turn: 1, Text: event.P("x"), Calls: []event.ToolCall{call("1", "ProvideOptionButtons", `{"options":["a"]}`)}})))

	require.Equal(t, []string{"answered"}, kinds(k.answers("We open at nine.")), "reply.spoken closes it")
	require.False(t, Next(&k.State, k.rev))
	k.apply(k.Spoke(event.ReplySpoken{Turn: 1, Text: event.P("We open"), Full: event.P("We open at nine."), Interrupted: true}))
	require.False(t, k.Ended)

	k.says("thanks")
	require.Equal(t, []string{"answered", "called FinishSession", "told 1"}, kinds(k.answers("", finish)))
	require.Equal(t, []string{"reply.spoken.v1", "ended completed"}, kinds(k.apply(k.Spoke(event.ReplySpoken{Turn: 2, Text: event.P("Goodbye.")}))))
}

func TestENDOnACallEndsAfterTheFarewellWasHeard(t *testing.T) {
	k := begin(t, shop, "call-1")
	k.says("bye")
	k.answers("", call("1", "bye", ""))
	require.True(t, Next(&k.State, k.rev), "nothing was said yet")
	require.Equal(t, []string{"answered", "called FinishSession", "told t1.end"}, kinds(k.answers("Goodbye.")))
	require.True(t, k.Closing)
	k.apply(k.Spoke(event.ReplySpoken{Turn: 1, Text: event.P("Goodbye.")}))
	require.True(t, k.Ended)
}

// anything draws an answer, however wrong.
func anything() *rapid.Generator[event.ModelAnswered] {
	names := rapid.SampledFrom([]string{"to_offer", "back", "bye", "FinishSession", "ProvideOptionButtons", "Unknown", ""})
	args := rapid.SampledFrom([]string{"", "{}", `{"last_message":"Bye."}`, `{"options":["a","b"]}`, "[", "null", `{"last_message":[]}`})
	return rapid.Custom(func(t *rapid.T) event.ModelAnswered {
		a := event.ModelAnswered{Text: event.P(rapid.SampledFrom([]string{"", " ", "Yes.", "Bye."}).Draw(t, "text"))}
		for range rapid.IntRange(0, 4).Draw(t, "calls") {
			a.Calls = append(a.Calls, call(rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id"), names.Draw(t, "name"), args.Draw(t, "args")))
		}
		if rapid.Bool().Draw(t, "failed") {
			a.Fault = "unavailable: lost"
		}
		return a
	})
}

func TestAnswerIsPureAndEveryReplyCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := begin(t, shop, rapid.SampledFrom([]string{"", "call-1"}).Draw(t, "call"))
		for range rapid.IntRange(1, 4).Draw(t, "turns") {
			if k.Ended {
				break
			}
			k.says("something")
			for steps := 0; ; steps++ {
				require.Less(t, steps, maxSteps, "a reply without end")
				a := anything().Draw(t, "answer")
				a.Turn, a.Step = k.Turn, k.Open.Step
				before, asked := dump(t, k.State), dump(t, a)
				first, second := Answer(&k.State, k.rev, a), Answer(&k.State, k.rev, a)
				require.Equal(t, first, second)
				require.Equal(t, before, dump(t, k.State), "the state was changed")
				require.Equal(t, asked, dump(t, a), "the answer was changed")
				executed(t, k, first)
				k.apply(first)
				require.True(t, k.Open == nil || len(k.Open.Pending) == 0)
				require.Equal(t, first, Answer(replayed(k, len(first)), k.rev, first[0].(event.ModelAnswered)), "a replay decides otherwise")
				if !Next(&k.State, k.rev) {
					break
				}
			}
			if k.Voice() {
				k.apply(k.Spoke(event.ReplySpoken{Turn: k.Turn, Text: event.P("what was said")}))
			}
			require.Nil(t, k.Open)
			protocol(t, k)
		}
	})
}

// executed checks that nothing but what is offered was carried out.
func executed(t *rapid.T, k *talk, events []event.Event) {
	offered := tools(&k.State, k.rev)
	for i, e := range events {
		c, ok := e.(event.ToolCalled)
		if !ok || c.Refused != "" {
			continue
		}
		found := false
		for _, o := range offered {
			found = found || o.Name == c.Call.Name
		}
		require.True(t, found, "event %d carries out %s", i, c.Call.Name)
	}
}

// replayed is the session without its last n events.
func replayed(k *talk, n int) *session.State {
	var s session.State
	for _, e := range k.all[:len(k.all)-n] {
		s.Apply(event.Envelope{Seq: s.Seq + 1, Body: e})
	}
	return &s
}

// protocol checks what vendors insist on: every call is answered once, at once.
func protocol(t *rapid.T, k *talk) {
	var open []string
	for _, m := range messages(&k.State, 1000) {
		if m.Role == "tool" {
			i := slices.Index(open, m.CallID)
			require.GreaterOrEqual(t, i, 0, "an answer to no call")
			open = slices.Delete(open, i, i+1)
			continue
		}
		require.Empty(t, open, "calls without answers")
		for _, c := range m.Calls {
			open = append(open, c.ID)
			require.True(t, json.Valid([]byte(c.Args)))
		}
		require.False(t, m.Text == "" && len(m.Calls) == 0)
	}
	require.Empty(t, open)
}

func dump(t require.TestingT, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return strings.ReplaceAll(string(b), "null", "[]")
}
