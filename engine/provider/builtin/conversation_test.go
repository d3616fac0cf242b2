package builtin

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
)

// desk is a workflow of three states nobody else uses.
func desk(t testing.TB) *talk {
	k := &talk{t: t, model: shared()}
	k.system = []provider.Part{
		{Kind: provider.PartIdentity, Text: "You are Mia, the assistant of a bicycle workshop."},
		{Kind: provider.PartTask, Text: "Help customers with repairs."},
		{Kind: provider.PartKnowledge, Source: "faq:Repairs", Title: "How long does a repair take?", Text: "Small repairs take two days.", Score: 0.8},
		{},
		{},
	}
	k.state("Greeting", "Find out what the customer needs.",
		move("to_repair", "the customer wants to have a bicycle repaired"),
		move("to_sale", "the customer wants to buy a bicycle"))
	k.known(map[string]string{})
	return k
}

func move(name, description string) provider.Tool {
	return provider.Tool{Name: name, Description: description, Move: true, Schema: json.RawMessage(`{"type":"object"}`)}
}

func (k *talk) state(name, description string, tools ...provider.Tool) {
	k.system[3] = provider.Part{Kind: provider.PartState, Title: name, Text: description}
	k.tools = append(tools, provider.Tool{Name: toolFinish})
}

func (k *talk) known(values map[string]string) {
	k.system[4] = fieldsPart(
		provider.Field{Name: "HumanFullName", Description: "Full name", Type: "str", Value: values["HumanFullName"]},
		provider.Field{Name: "BikeType", Title: "Type of bicycle", Description: "Which bicycle it is", Type: "Literal", Options: []string{"city bike", "mountain bike", "e-bike"}, Value: values["BikeType"]},
		provider.Field{Name: "PickupDate", Title: "Drop-off date", Description: "When the bicycle is brought in", Type: "date", Value: values["PickupDate"]},
	)
}

// enter answers a move as the dialog does and lets the model go on.
func (k *talk) enter(call *provider.ToolCall) (string, *provider.ToolCall) {
	k.msgs = append(k.msgs, provider.Message{Role: provider.RoleTool, CallID: call.ID, Text: "ok"})
	return k.again()
}

func TestWorkflow(t *testing.T) {
	k := desk(t)
	out, call := k.hear("hello, my bike is broken, I need to have it repaired")
	require.NotNil(t, call, out)
	assert.Equal(t, "to_repair", call.Name)

	k.state("Repair", "- Say \"We will take good care of it.\"\n- Ask for the customer's name, the type of bicycle and the drop-off date.",
		move("to_end", "name, type of bicycle and drop-off date have been collected"), move("to_start", "the customer wants something else"))
	out, call = k.enter(call)
	require.Nil(t, call)
	assert.Equal(t, "I will gladly help you with that. We will take good care of it. May I have your full name, please?", out)

	out, _ = k.hear("how long does a repair take")
	assert.Equal(t, "Small repairs take two days.", out, "a question is answered, what was asked waits")

	out, _ = k.hear("ok")
	assert.Equal(t, "All right. And may I have your full name, please?", out)

	out, _ = k.hear("this is tom baker")
	assert.Equal(t, "Thank you, Tom Baker. What is your type of bicycle: city bike, mountain bike or e-bike?", out)

	out, _ = k.hear("a red one")
	assert.Contains(t, out, "Please choose your type of bicycle: city bike, mountain bike or e-bike.")

	out, _ = k.hear("it's a mountain bike")
	assert.Contains(t, out, "What is your drop-off date?")

	out, call = k.hear("on the third of june two thousand twenty six")
	require.NotNil(t, call, out)
	assert.Equal(t, "to_end", call.Name)

	k.state("End", "Say \"We are looking forward to seeing you.\" Then ask whether the customer needs anything else.")
	out, call = k.enter(call)
	require.Nil(t, call)
	assert.Equal(t, "Thank you. I have noted your drop-off date. We are looking forward to seeing you. Do you need anything else?", out)

	_, call = k.hear("no thank you, bye")
	require.NotNil(t, call)
	assert.Equal(t, toolFinish, call.Name)
	assert.JSONEq(t, `{"last_message":"Thank you for talking to us, Tom Baker. Goodbye!"}`, call.Args)
}

func TestWantingToKnowIsNotWantingToDo(t *testing.T) {
	k := desk(t)
	out, call := k.hear("how long does a repair take?")
	require.Nil(t, call)
	assert.Contains(t, out, "Small repairs take two days.")
}

func TestExampleDialogueIsFollowed(t *testing.T) {
	k := desk(t)
	k.state("Verify", "Check that you speak to the right person.\n## Example dialogues\n### Right\nAgent: Hello, am I speaking with John Smith?\nHuman: Yes\nAgent: Great. I am calling about your order.\n### Wrong person\nAgent: Hello, am I speaking with John Smith?\nHuman: No, wrong number\nAgent: I apologize for the inconvenience. Have a good day.")
	out, call := k.again()
	require.Nil(t, call)
	require.Equal(t, "Hello, am I speaking with John Smith?", out)
	out, call = k.hear("no you have the wrong number")
	require.NotNil(t, call, out)
	assert.JSONEq(t, `{"last_message":"I apologize for the inconvenience. Have a good day."}`, call.Args)

	k.msgs = k.msgs[:1]
	out, _ = k.hear("yes that's me")
	assert.Equal(t, "Great. I am calling about your order.", out)
}

func TestEverydayTalk(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"a greeting":           {"good morning", "Hello. I am Ted, a helpful AI assistant for EventHub. How can I help you?"},
		"thanks":               {"thank you so much", "You are welcome. Is there anything else I can help you with?"},
		"who are you":          {"who are you?", "I am Ted, a helpful AI assistant for EventHub. I help people learn about upcoming events and register for them."},
		"a robot says so":      {"are you a real person", "I am a virtual assistant, not a person. I am Ted, a helpful AI assistant for EventHub. I help people learn about upcoming events and register for them."},
		"what can you do":      {"what can you do for me?", "I help people learn about upcoming events and register for them."},
		"nothing was heard":    {"", "I am sorry, I did not hear that. Could you say it again, please?"},
		"wait":                 {"one moment please", "Of course, take your time."},
		"how are you":          {"How are you?", "I am fine, thank you. How can I help you?"},
		"goodbye without tool": {"that's all, goodbye", "Thank you for talking to us. Goodbye!"},
		"a person":             {"can I talk to a real person", "I am sorry, I cannot put you through to a person. But I can note your details so that somebody gets back to you. May I have your full name, please?"},
		"from the core":        {"how many seats does an event have?", "Each event has a limited number of seats (100 participants). May I have your full name, please?"},
		"a list":               {"which events are coming up?", "There are AI Basics for Beginners, Time Management Masterclass and Introduction to Data Analytics. May I have your full name, please?"},
		"unknown":              {"do you also repair washing machines?", "I am sorry, I do not have any information about that. May I have your full name, please?"},
		"two questions":        {"is it free and what if the event is full", "Participation in events is free, but registration is required. If an event reaches the limit of 100 participants, you can join the waiting list. If a spot becomes available, you will receive an email invitation to register. May I have your full name, please?"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out, call := hub(t).hear(tt.in)
			require.Nil(t, call)
			assert.Equal(t, tt.want, out)
		})
	}
}

func TestRepeatSaysTheWholeAnswerAgain(t *testing.T) {
	k := bank(t)
	_, _ = k.hear("what does a replacement card cost after I lost my card?")
	last := &k.msgs[len(k.msgs)-1]
	last.Text, last.Interrupted = "Block the card at", true
	out, _ := k.hear("sorry, can you say that again?")
	assert.Equal(t, "I said: Block the card at once in the app or by calling the hotline. A replacement card costs €8.", out)
}

func TestFollowUps(t *testing.T) {
	k := bank(t)
	for _, turn := range [][2]string{
		{"How much is the monthly fee of the premium card?", "Premium Debit: The monthly fee is €12.90."},
		{"and for the basic one?", "Basic Debit: No monthly fee."},
		{"what is its daily limit", "€1,000"},
		{"What about the premium card?", "€5,000"},
	} {
		out, _ := k.hear(turn[0])
		assert.Contains(t, out, turn[1], turn[0])
	}
}

func TestToolsByName(t *testing.T) {
	t.Run("a person is called", func(t *testing.T) {
		k := bank(t)
		k.tools = append(k.tools, provider.Tool{Name: toolHuman})
		_, call := k.hear("let me talk to an operator")
		require.NotNil(t, call)
		assert.Equal(t, toolHuman, call.Name)
		out, call := k.enter(call)
		assert.Nil(t, call)
		assert.NotEmpty(t, out)
	})
	t.Run("an unanswered question is reported once", func(t *testing.T) {
		k := bank(t)
		k.tools = append(k.tools, provider.Tool{Name: toolReport})
		_, call := k.hear("do you rent out umbrellas?")
		require.NotNil(t, call)
		assert.JSONEq(t, `{"question":"do you rent out umbrellas?"}`, call.Args)
		out, call := k.enter(call)
		assert.Nil(t, call)
		assert.Contains(t, out, "I have noted your question.")
	})
	t.Run("a search is used", func(t *testing.T) {
		k := bank(t)
		k.tools = append(k.tools, provider.Tool{Name: toolSearchKB})
		_, call := k.hear("do you rent out umbrellas?")
		require.NotNil(t, call)
		k.msgs = append(k.msgs, provider.Message{Role: provider.RoleTool, CallID: call.ID, Text: `{"results":[{"text":"We rent out umbrellas for €2 a day."}]}`})
		out, call := k.again()
		assert.Nil(t, call)
		assert.Contains(t, out, "We rent out umbrellas for €2 a day.")
	})
}

func TestTheAgentsOwnWordsForNotKnowing(t *testing.T) {
	k := bank(t)
	k.system[2].Text += "\nIf you do not know the answer, say \"Our branch will know that.\""
	out, _ := k.hear("do you rent out umbrellas?")
	assert.Contains(t, out, "Our branch will know that.")
}

func TestNoFigureIsInvented(t *testing.T) {
	k := desk(t)
	tr := read(k.model.lex, k.request())
	assert.Equal(t, "It takes two days.", tr.grounded("It takes two days. It costs 77 euros."))
}

func TestARefusedQuestionIsLeft(t *testing.T) {
	k := bank(t)
	_, _ = k.hear("what cards do you have")
	out, _ := k.hear("I would rather not say")
	assert.NotContains(t, out, "name")
}

func TestStream(t *testing.T) {
	k := bank(t)
	k.msgs = append(k.msgs, provider.Message{Role: provider.RoleUser, Text: "how much is an atm withdrawal with the basic card"})
	r := k.request()
	r.MaxTokens = 3
	n, finish := 0, provider.Finish("")
	for d, err := range k.model.Complete(t.Context(), r) {
		require.NoError(t, err)
		if d.Text != "" {
			n++
		}
		finish = d.Finish
	}
	assert.Equal(t, 3, n)
	assert.Equal(t, provider.FinishLimit, finish)
}
