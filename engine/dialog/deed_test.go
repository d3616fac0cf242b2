package dialog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
	"flametree/engine/session"
	"flametree/engine/tool"
)

// bank is an agent with tools of a group.
const bank = `
name: Bank
type: inbound_text
identity: You are Ada of {branch}.
handoff: {allow: true, conditions: the human is angry}
verification: {tool: CheckPin}
show_rag_sources: true
workflow:
  - name: Talk
    kind: StateConfig
    init_state: true
    description: Greet {customer_name}.
    available_tools: {SingleStatefulOutboundAgent: [SendChatMessage, FinishSession, CheckPin, GetBalance, PayBill, TriggerKBSearch, SearchTool]}
    init_skills: [LoadCustomer]
    final_skills: [SaveNotes]
    transitions:
      - {name: to_offer, next_state: Offer, description: the human wants an offer, condition: observations.GetBalance.amount > 100}
      - {name: rich, trigger: tool_result, tool: GetBalance, condition: observations.GetBalance.amount > 1000, next_state: Vip}
      - {name: named, trigger: results_updated, condition: results.HumanFullName is set, next_state: Named}
      - {name: silent, trigger: timer, after: 120, next_state: END}
  - name: Offer
    kind: StateConfig
    description: Offer.
    available_tools: [SendChatMessage]
  - name: Vip
    kind: StateConfig
    description: Very important.
    transitions:
      - {name: through, trigger: state_entered, next_state: Lounge}
  - name: Lounge
    kind: StateConfig
    description: Lounge.
  - name: Named
    kind: StateConfig
    description: Named.
conversation_result:
  - {field_name: HumanFullName, kind: FormInfoField}
  - {field_name: Budget, field_type: int, kind: FormInfoField}
knowledge:
  core: We are a bank.
`

func bankTools() []tool.Spec {
	object := func(properties string) json.RawMessage { return schemaOf(properties, `[]`) }
	return []tool.Spec{
		{Name: "CheckPin", Description: "checks a PIN", Schema: object(`{"pin":{"type":"string"}}`)},
		{Name: "GetBalance", Description: "the balance of the customer's account", Schema: object(`{"account":{"type":"string"},"customer":{"type":"string"}}`), Bind: []tool.Binding{{Arg: "customer", From: "session.user"}}},
		{Name: "PayBill", Description: "pays a bill", Schema: object(`{"amount":{"type":"number"},"to":{"type":"string"}}`), SideEffect: true, Confirm: true, Verified: true, Amount: "amount", Limit: 500},
		{Name: "Hidden", Description: "listed in no state", Schema: object(`{}`)},
	}
}

func inBank(t require.TestingT) *talk {
	k := begin(t, bank, "", event.PrivatePair{Key: "branch", Value: event.P(`"Main Street"`)}, event.PrivatePair{Key: "_token", Value: event.P(`"canary-1"`)})
	k.Born.UserID = event.P("u-17")
	k.rev = k.rev.With(bankTools(), []tool.Skill{{Name: "LoadCustomer"}, {Name: "SaveNotes"}, {Name: "Audit", Moment: tool.SessionEnd}})
	return k
}

// gives is the answer of a tool.
func (k *talk) gives(id, name, result string, sets ...event.PrivatePair) []event.Event {
	return k.apply(Told(&k.State, k.rev, event.ToolAnswered{Turn: k.Turn, CallID: id, Tool: name, Result: event.P(result), Sets: sets}))
}

func TestAToolOfAGroupIsCarriedOutOutsideAndTheModelGoesOn(t *testing.T) {
	k := inBank(t)
	k.says("what do I have")
	require.Equal(t, []string{"answered", "called GetBalance"}, kinds(k.answers("Let me see.", call("1", "GetBalance", `{"account":"a1"}`))))
	require.False(t, Next(&k.State, k.rev), "its answer is awaited")
	due := Due(&k.State)
	require.Len(t, due, 1)
	require.JSONEq(t, `{"account":"a1","customer":"u-17"}`, due[0].Args.Text, "the customer comes from the session")
	require.Equal(t, []string{"told 1"}, kinds(k.gives("1", "GetBalance", `{"amount":50}`)))
	require.True(t, Next(&k.State, k.rev), "though something was said: the outcome was not")
	require.Equal(t, []string{"answered", "sent Let me see. You have 50."}, kinds(k.answers("You have 50.")))
	v, ok := k.Observed("GetBalance")
	require.True(t, ok)
	require.JSONEq(t, `{"amount":50}`, v)
}

func TestCallsBesideEachOtherAreAllAwaited(t *testing.T) {
	k := inBank(t)
	k.says("check all")
	k.answers("", call("1", "GetBalance", `{}`), call("2", "CheckPin", `{"pin":"1"}`))
	require.Len(t, Due(&k.State), 2)
	k.gives("2", "CheckPin", `{"verified":false}`)
	require.Len(t, Due(&k.State), 1)
	require.False(t, Next(&k.State, k.rev))
	k.gives("1", "GetBalance", `{"amount":1}`)
	require.True(t, Next(&k.State, k.rev))
}

func TestWhatMayNotBeCalled(t *testing.T) {
	for name, c := range map[string]struct {
		call event.ToolCall
		want string
	}{
		"a tool that the state does not list":  {call("1", "Hidden", `{}`), "there is no such tool here"},
		"another customer's data":              {call("1", "GetBalance", `{"customer":"u-18"}`), "the session decides this argument, and it was given another value"},
		"arguments of the wrong type":          {call("1", "CheckPin", `{"pin":7}`), "the arguments do not fit"},
		"arguments nobody asked for":           {call("1", "CheckPin", `{"pin":"7","admin":true}`), "the arguments do not fit"},
		"a payment before the proof":           {call("1", "PayBill", `{"amount":5,"to":"x"}`), "the customer's identity is not proven"},
		"a payment over the limit":             {call("1", "PayBill", `{"amount":501,"to":"x"}`), "the customer's identity is not proven"},
		"a negative payment":                   {call("1", "PayBill", `{"amount":-5,"to":"x"}`), "the customer's identity is not proven"},
		"a move whose condition does not hold": {call("1", "to_offer", `{}`), "there is no such tool here"},
		"a system tool the state lacks":        {call("1", "ProvideOptionButtons", `{"options":["a"]}`), "there is no such tool here"},
	} {
		t.Run(name, func(t *testing.T) {
			k := inBank(t)
			k.says("do it")
			out := k.answers("", c.call)
			called, ok := out[1].(event.ToolCalled)
			require.True(t, ok)
			require.Contains(t, called.Refused, c.want)
			require.Empty(t, Due(&k.State))
			require.True(t, Next(&k.State, k.rev), "the model is told and may do better")
		})
	}
}

func TestAPaymentNeedsProofAndAYesToTheVeryCall(t *testing.T) {
	k := inBank(t)
	k.says("my pin is 4711")
	k.answers("", call("1", "CheckPin", `{"pin":"4711"}`))
	require.Equal(t, []string{"told 1", "customer.verified.v1"}, kinds(k.gives("1", "CheckPin", `{"verified":true,"customer_id":17}`)))
	require.Equal(t, "17", k.Customer)
	k.answers("Thank you.")

	pay := func(id, amount string) event.ToolCall { return call(id, "PayBill", `{"amount":`+amount+`,"to":"Gas"}`) }
	refused := func(events []event.Event) string { return events[1].(event.ToolCalled).Refused }
	k.says("pay 20 to Gas")
	require.Contains(t, refused(k.answers("", pay("2", "20"))), session.NeedsYes)
	require.Contains(t, refused(k.answers("", pay("3", "20"))), session.NeedsYes, "in the same turn nobody has said yes")
	k.answers("Shall I pay 20 to Gas?")
	k.says("no, wait")
	require.Contains(t, refused(k.answers("", pay("4", "20"))), session.NeedsYes)
	k.answers("Shall I pay 20 to Gas?")
	k.says("yes please")
	require.Contains(t, refused(k.answers("", pay("5", "200"))), session.NeedsYes, "the yes was for another amount")
	k.answers("Shall I pay 200?")
	k.says("yes")
	require.Empty(t, refused(k.answers("", call("6", "PayBill", `{"to":"Gas","amount":200}`))), "the order of arguments is no difference")
	k.gives("6", "PayBill", `"done"`)
	k.answers("Done.")
	k.says("yes")
	require.Contains(t, refused(k.answers("", pay("7", "200"))), session.NeedsYes, "one yes is for one payment")
	require.Contains(t, refused(k.answers("", pay("8", "200"))), session.NeedsYes, "that yes was said before it was asked")
}

func TestObservationsAndResultsSteer(t *testing.T) {
	k := inBank(t)
	require.NotContains(t, names(&k.State, k.rev), "to_offer")
	k.says("balance")
	k.answers("", call("1", "GetBalance", `{}`))
	k.gives("1", "GetBalance", `{"amount":500}`)
	require.Contains(t, names(&k.State, k.rev), "to_offer", "its condition holds now")
	k.answers("", call("2", "GetBalance", `{}`))
	require.Equal(t, []string{"told 2", "entered Vip by rich", "entered Lounge by through"}, kinds(k.gives("2", "GetBalance", `{"amount":5000}`)))

	k = inBank(t)
	k.says("I am Eva Berg")
	k.answers("Hello.")
	require.Equal(t, []string{"results.extracted.v1", "result HumanFullName=Eva Berg", "entered Named by named"},
		kinds(k.apply(Extracted(&k.State, k.rev, event.ResultsExtracted{Turn: 1, Values: event.P(`{"HumanFullName":"Eva Berg"}`)}))))

	k = inBank(t)
	k.says("what do I have")
	k.answers("", call("1", "GetBalance", `{}`))
	require.Equal(t, []string{"told 1", "result Budget=700", "result HumanFullName=Eva", "entered Named by named"}, kinds(k.apply(Told(&k.State, k.rev, event.ToolAnswered{
		Turn: 1, CallID: "1", Tool: "GetBalance", Result: event.P("{}"),
		Sets: []event.PrivatePair{{Key: "Budget", Value: event.P("700")}, {Key: "HumanFullName", Value: event.P("Eva")}, {Key: "Nobody", Value: event.P("x")}},
	}))), "code may set results")
}

func TestSilenceMovesOn(t *testing.T) {
	k := inBank(t)
	require.Equal(t, 2*time.Minute, Silence(&k.State, k.rev, 0))
	require.Empty(t, Waited(&k.State, k.rev, k.Input.Add(119*time.Second)))
	require.Equal(t, []string{"entered END by silent", "ended completed"}, kinds(k.apply(Waited(&k.State, k.rev, k.Input.Add(121*time.Second)))))
}

func TestSystemToolsOfTheEngine(t *testing.T) {
	k := inBank(t)
	k.says("do you sell boats")
	require.Equal(t, []string{"answered", "called NoKBAnswer", "question.unanswered.v1", "told 1", "sent I do not know."},
		kinds(k.answers("I do not know.", call("1", "NoKBAnswer", `{"question":"do you sell boats"}`))))
	k.says("find it")
	k.answers("", call("1", "SearchInKnowledgeBase", `{"query":"boats"}`))
	require.Len(t, Due(&k.State), 1)
	q, ok := Lookup(Due(&k.State)[0], k.rev)
	require.True(t, ok)
	require.Equal(t, "boats", q.Text)
	k.gives("1", "SearchInKnowledgeBase", FoundText(nil))
	k.answers("Nothing.")

	k.says("which tools")
	out := k.answers("", call("1", "SearchTool", `{"query":"balance of the account"}`))
	require.Contains(t, out[2].(event.ToolAnswered).Result.Text, "GetBalance")
	require.NotContains(t, out[2].(event.ToolAnswered).Result.Text, "Hidden")
	k.answers("That one.")

	k.says("a person, please!")
	require.Equal(t, []string{"answered", "called TransferToHuman", "session.handed_over.v1", "told 1", "sent " + k.rev.Settings.OperatorUnavailable},
		kinds(k.answers("", call("1", "TransferToHuman", `{"reason":"angry","summary":"wants a boat"}`))))
	require.Equal(t, session.ModeOperator, k.Mode)
	k.says("hello?")
	require.Nil(t, k.Open, "a person answers")
}

func TestACopilotOnlySuggests(t *testing.T) {
	k := inBank(t)
	k.apply(k.HandOver(event.SessionHandedOver{Mode: session.ModeCopilot}))
	k.says("what does it cost")
	require.Equal(t, []string{"answered", "suggestion.made.v1"}, kinds(k.answers("It is free.")))
	require.Equal(t, "It is free.", k.Suggestion)
	require.Nil(t, k.Open)
	require.Contains(t, names(&k.State, k.rev), "SuggestChatMessage")
	k.says("and the other one")
	k.answers("", call("1", "SuggestChatMessage", `{"text":"The other one costs 5."}`))
	require.True(t, k.Suggestion == "The other one costs 5." || k.Open != nil)
}

func TestAnswersNameTheirSources(t *testing.T) {
	k := inBank(t)
	k.says("fees")
	a := event.ModelAnswered{Turn: 1, Text: event.P("It is free."), Passages: []event.Passage{{Title: "Fees", Score: 0.9}, {Title: "Fees", Score: 0.8}, {Source: "text:Prices", Score: 0.7}, {Title: "Boats", Score: 0.3}}}
	require.Equal(t, []string{"answered", "sent It is free.\n\nSources: Fees; text:Prices"}, kinds(Answer(&k.State, k.rev, a)))
}

func TestSkillsFillPrompts(t *testing.T) {
	k := inBank(t)
	runs := Skills(k.rev, "", k.all)
	require.Equal(t, []Run{{Skill: "LoadCustomer", Moment: tool.StateEnter, State: "Talk"}}, runs)
	k.apply([]event.Event{Ran(runs[0], json.RawMessage(`{"customer_name":"Eva","tier":3}`), 0, "")})
	k.says("hi")
	req := Compose(&k.State, k.rev, nil, time.Time{})
	text := ""
	for _, p := range req.System {
		text += p.Text + "\n"
	}
	require.Contains(t, text, "Greet Eva.")
	require.Contains(t, text, "You are Ada of Main Street.")
	require.NotContains(t, text, "canary-1")
	end := []event.Event{event.StateEntered{State: "Offer", Move: "to_offer"}, event.SessionEnded{Status: event.Completed}}
	require.Equal(t, []Run{
		{Skill: "SaveNotes", Moment: tool.StateExit, State: "Talk"}, {Skill: "Audit", Moment: tool.SessionEnd, State: "Offer"},
	}, Skills(k.rev, "Talk", end))
}

func TestALongHistoryIsSummedUp(t *testing.T) {
	k := begin(t, shop, "")
	_, _, due := Summary(&k.State, k.rev)
	require.False(t, due)
	for range 3 {
		k.says("a question")
		k.answers("an answer")
	}
	req, upto, due := Summary(&k.State, k.rev)
	require.True(t, due)
	require.Equal(t, uint64(2), upto)
	require.NotEmpty(t, req.Messages)
	k.apply([]event.Event{event.HistorySummarised{Upto: upto, Text: event.P("They asked twice.")}})
	_, _, due = Summary(&k.State, k.rev)
	require.False(t, due, "the rest is short enough")
	k.says("and now")
	composed := Compose(&k.State, k.rev, nil, time.Time{})
	require.Len(t, composed.Messages, 3, "the third turn and the new line")
	var summary string
	for _, p := range composed.System {
		if p.Kind == provider.PartSummary {
			summary = p.Text
		}
	}
	require.Equal(t, "They asked twice.", summary)
}

func TestATraceTellsHowARequestIsMadeUp(t *testing.T) {
	k := inBank(t)
	k.says("fees")
	req := Compose(&k.State, k.rev, []knowledge.Hit{{Source: "text:Fees", Title: "Fees", Kind: knowledge.Text, Text: "It is free.", Score: 0.9}}, time.Time{})
	trace := Traced(&k.State, req)
	require.Equal(t, "Talk", trace.State)
	require.Equal(t, names(&k.State, k.rev), trace.Offered)
	require.Equal(t, []event.Passage{{Source: "text:Fees", Title: "Fees", Score: 0.9}}, trace.Passages)
	sum := 0
	for _, p := range trace.Parts {
		sum += int(p.Tokens)
	}
	require.Greater(t, sum, 100)
}

func TestALongResultIsShownInPart(t *testing.T) {
	k := inBank(t)
	k.says("balance")
	k.answers("", call("1", "GetBalance", `{}`))
	k.gives("1", "GetBalance", `"`+strings.Repeat("x", 10_000)+`"`)
	for _, m := range messages(&k.State, 100) {
		require.Less(t, len(m.Text), tool.MaxShown+100)
	}
	v, _ := k.Observed("GetBalance")
	require.Len(t, v, 10_002, "conditions and code see all of it")
}

func TestALateResultIsKeptAndChangesNothing(t *testing.T) {
	k := inBank(t)
	k.says("balance")
	k.answers("", call("1", "GetBalance", `{}`))
	k.says("never mind")
	require.Equal(t, []string{"told 1"}, kinds(k.apply(Told(&k.State, k.rev, event.ToolAnswered{Turn: 1, CallID: "1", Tool: "GetBalance", Result: event.P(`{"amount":7}`)}))))
	require.NotNil(t, k.Open)
	_, ok := k.Observed("GetBalance")
	require.True(t, ok)
}

func TestWithoutAnAnswerAPersonIsAsked(t *testing.T) {
	k := inBank(t)
	k.says("hello")
	require.Equal(t, []string{"answered", "session.handed_over.v1", "sent " + k.rev.Settings.OperatorUnavailable},
		kinds(k.apply(Answer(&k.State, k.rev, event.ModelAnswered{Turn: 1, Fault: "unavailable: all models"}))))
}

func TestATurnCostsWhatItsModelCosts(t *testing.T) {
	rev := compile(t, `
name: x
models:
  llm: {provider: openai, model: big, price: {input: 2.5, output: 10}, fallback: [{provider: openai, model: small, price: {input: 0.15, output: 0.6}}]}
`)
	answered := func(fault, model string) event.ModelAnswered {
		var a event.ModelAnswered
		if fault != "" {
			a.Attempts = append(a.Attempts, event.Attempt{Provider: "openai", Model: "big", Fault: fault})
		}
		a.Attempts = append(a.Attempts, event.Attempt{Provider: "openai", Model: model})
		return a
	}
	u := provider.Usage{Input: 1000, Output: 100}
	require.Equal(t, uint64(3500), Cost(rev, answered("", "big"), u), "2.5 and 10 for a million tokens, in millionths")
	require.Equal(t, uint64(210), Cost(rev, answered("unavailable", "small"), u))
	require.Zero(t, Cost(compile(t, "name: x\n"), event.ModelAnswered{}, u))
}

// A model that hears and speaks has a price of its own, one for text and one for
// sound; a turn that fell back from it costs what the model that writes costs.
func TestATurnOfAModelThatSpeaksCostsItsOwnPrice(t *testing.T) {
	file := func(sound string) *agent.Revision {
		return compile(t, `
name: x
type: inbound_voice
models:
  llm: {provider: openai, model: big, price: {input: 2.5, output: 10}}
speech:
  realtime: {vendor: openai, model: gpt-realtime, base_url: "https://speech.example/v1", price: {input: 4, output: 16`+sound+`}}
`)
	}
	duplex := event.Attempt{Provider: "openai_realtime", Model: "gpt-realtime"}
	u := provider.Usage{Input: 1000, Output: 100, SoundIn: 600, SoundOut: 80}
	whole := event.ModelAnswered{Attempts: []event.Attempt{duplex}}
	require.Equal(t, uint64(400*4+600*32+20*16+80*64), Cost(file(", audio_input: 32, audio_output: 64"), whole, u))
	require.Equal(t, uint64(1000*4+100*16), Cost(file(""), whole, u), "a file with one price means it for all")
	require.Equal(t, uint64(100*4+900*32), Cost(file(", audio_input: 32"), whole, provider.Usage{Input: 1000, SoundIn: 900}))
	require.Equal(t, uint64(32), Cost(file(", audio_input: 32"), whole, provider.Usage{Input: 1, SoundIn: 900}), "a vendor that counts wrongly takes nothing off")
	duplex.Fault = "unavailable"
	fell := event.ModelAnswered{Attempts: []event.Attempt{duplex, {Provider: "openai", Model: "big"}}}
	require.Equal(t, uint64(3500), Cost(file(", audio_input: 32, audio_output: 64"), fell, provider.Usage{Input: 1000, Output: 100}))
}

func TestAPauseOfTheRecordingIsReadFromGrantedCalls(t *testing.T) {
	called := func(name, refused string) event.Event {
		return event.ToolCalled{Call: event.ToolCall{Name: name}, Refused: refused}
	}
	tests := map[string]struct {
		events []event.Event
		on, ok bool
	}{
		"nothing":             {},
		"another tool":        {events: []event.Event{called("SendDigits", "")}},
		"pause":               {events: []event.Event{called("PauseRecording", "")}, on: true, ok: true},
		"refused":             {events: []event.Event{called("PauseRecording", "no")}},
		"resume":              {events: []event.Event{called("ResumeRecording", "")}, ok: true},
		"the last one counts": {events: []event.Event{called("ResumeRecording", ""), called("PauseRecording", "")}, on: true, ok: true},
	}
	for name, tc := range tests {
		on, ok := Masking(tc.events)
		require.Equal(t, [2]bool{tc.on, tc.ok}, [2]bool{on, ok}, name)
	}
}
