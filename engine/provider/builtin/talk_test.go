package builtin

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/knowledge"
	"flametree/engine/provider"
)

// shared is one model for all tests: its tables take time to read.
var shared = sync.OnceValue(New)

// build makes an index with the model's own lexicon.
func build(sources []knowledge.Source) *knowledge.Index {
	return knowledge.BuildWith(shared().lex, sources)
}

// talk is a conversation with the model as the dialog would hold it.
type talk struct {
	t      testing.TB
	model  *Model
	index  *knowledge.Index
	system []provider.Part
	tools  []provider.Tool
	msgs   []provider.Message
	voice  bool
}

// request is what the dialog would send now.
func (k *talk) request() provider.Request {
	parts := append([]provider.Part{}, k.system...)
	var users []string
	agent := ""
	for _, m := range k.msgs {
		switch m.Role {
		case provider.RoleUser:
			users = append(users, m.Text)
		case provider.RoleAssistant:
			agent = m.Text
		case provider.RoleTool:
		}
	}
	if k.index != nil {
		for _, h := range k.index.Find(knowledge.Asked(users, agent)) {
			title := h.Title
			if h.Kind == knowledge.FAQ {
				title = h.Question
			}
			parts = append(parts, provider.Part{Kind: provider.PartKnowledge, Title: title, Text: h.Text, Source: h.Source, Score: h.Score})
		}
	}
	return provider.Request{System: parts, Messages: k.msgs, Tools: k.tools, Voice: k.voice}
}

// hear sends what the customer says and returns the reply's text and call.
func (k *talk) hear(text string) (string, *provider.ToolCall) {
	k.msgs = append(k.msgs, provider.Message{Role: provider.RoleUser, Text: text})
	return k.again()
}

func (k *talk) again() (string, *provider.ToolCall) {
	out, call := collect(k.t, k.model, k.request())
	m := provider.Message{Role: provider.RoleAssistant, Text: out}
	if call != nil {
		m.Calls = []provider.ToolCall{*call}
	}
	k.msgs = append(k.msgs, m)
	return out, call
}

// collect reads a stream to its end and checks its shape.
func collect(t testing.TB, m *Model, r provider.Request) (string, *provider.ToolCall) {
	t.Helper()
	var b strings.Builder
	var call *provider.ToolCall
	finish := provider.Finish("")
	for d, err := range m.Complete(context.Background(), r) {
		require.NoError(t, err)
		require.Empty(t, finish, "something came after the finish")
		b.WriteString(d.Text)
		if d.Call != nil {
			require.True(t, json.Valid([]byte(d.Call.Args)), d.Call.Args)
			call = d.Call
		}
		finish = d.Finish
	}
	require.NotEmpty(t, finish)
	require.Equal(t, call != nil, finish == provider.FinishTools)
	return b.String(), call
}

func fieldsPart(fs ...provider.Field) provider.Part {
	raw, _ := json.Marshal(map[string]any{"fields": fs})
	return provider.Part{Kind: provider.PartResults, Text: string(raw)}
}

// bank is the first of the two agents whose setup the product's own tutorial describes.
func bank(t testing.TB) *talk {
	return &talk{
		t: t, model: shared(), voice: true,
		index: build([]knowledge.Source{
			{Kind: knowledge.Text, Title: "Debit card tariffs", Text: "The bank offers two debit card plans. Both cards support contactless payments, Apple Pay / Google Pay, and online purchases. Each card is linked to a Girokonto.\nBasic Debit\nNo monthly fee. Issuance costs €5.\nATM withdrawals cost €1.50 per withdrawal.\nDaily spending limit: €1,000.\nSuitable for basic, low-cost everyday use.\nPremium Debit\nMonthly fee: €12.90. Issuance is free.\nATM withdrawals are free worldwide.\nDaily spending limit: €5,000.\nSuitable for frequent travelers and clients who want extra benefits.\nNotes\nThe agent provides tariff information only."},
			{Kind: knowledge.FAQ, Question: "How do I order a debit card?", Text: "Leave your name and phone number. A specialist calls you back within one working day."},
			{Kind: knowledge.FAQ, Question: "I lost my card. What should I do?", Text: "Block the card at once in the app or by calling the hotline. A replacement card costs €8."},
		}),
		system: []provider.Part{
			{Kind: provider.PartIdentity, Text: "You are the multilingual AI Banking Knowledge Base Agent for the bank. Your name is Alex. Your role is to support potential clients by explaining debit card tariffs, available plans, fees, limits, and related services."},
			{Kind: provider.PartStyle, Text: "Your language is clear, professional, and aligned with standard banking communication."},
			{Kind: provider.PartTask, Text: "Your primary task is to help potential clients understand the bank’s debit card tariffs and related conditions. You guide customers through tariff details and collect their contact information for follow-up by a banking specialist."},
			{Kind: provider.PartState, Title: "SalesSupport", Text: "- Answer questions about products\n- Collect contact info\n- Offer call scheduling if the customer is interested\n- Use FAQ and Knowledge Base when relevant"},
			fieldsPart(
				provider.Field{Name: "HumanFullName", Description: "Full name of the customer", Type: "str"},
				provider.Field{Name: "HumanPhoneNumber", Description: "Phone number of the customer", Type: "str"},
				provider.Field{Name: "InterestInDebitCards", Description: "Indicates whether the customer showed interest in debit card tariffs.", Type: "str"},
				provider.Field{Name: "ConversationStage", Description: "Conversation stage where the customer stopped.", Type: "str"},
			),
		},
		tools: []provider.Tool{{Name: "FinishSession", Description: "ends the session"}},
	}
}

// hub is the second.
func hub(t testing.TB) *talk {
	return &talk{
		t: t, model: shared(),
		index: build([]knowledge.Source{
			{Kind: knowledge.FAQ, Question: "What happens if an event is already full?", Text: "If an event reaches the limit of 100 participants, you can join the waiting list. If a spot becomes available, you will receive an email invitation to register."},
			{Kind: knowledge.FAQ, Question: "What if I register but cannot attend the event?", Text: "If you cannot attend the live session, you will automatically receive a recording of the event by email within 24 hours."},
			{Kind: knowledge.Text, Title: "Upcoming Events", Text: "Upcoming Events\nAI Basics for Beginners\nA beginner-friendly introduction to artificial intelligence and its real-world applications.\nTime Management Masterclass\nPractical strategies for prioritizing tasks and improving daily productivity.\nIntroduction to Data Analytics\nA short overview of how organizations collect, analyze, and use data to make decisions."},
		}),
		system: []provider.Part{
			{Kind: provider.PartIdentity, Text: "You are Ted, a helpful AI assistant for EventHub. EventHub organizes online events such as webinars, workshops, and educational sessions.\nYou help people learn about upcoming events and register for them."},
			{Kind: provider.PartStyle, Text: "Use a friendly and professional tone. Always introduce yourself."},
			{Kind: provider.PartTask, Text: "Your main task is to help customers register for events.\nGuide them through the registration process, ask for the required details, and confirm their registration.\nIf a question is outside event registration, politely redirect the conversation back to the event.\nIn addition to name and email, also ask for the phone, and preferred date of the event."},
			{Kind: provider.PartCore, Text: "EventHub hosts short online learning events such as webinars and workshops.\nEvents usually last 60–90 minutes and are held online via Zoom. Each event has a limited number of seats (100 participants).\nRegistration requires name and email address. After registration, participants receive a confirmation email with the event link.\nParticipation in events is free, but registration is required."},
			fieldsPart(
				provider.Field{Name: "HumanFullName", Description: "Full name", Type: "str"},
				provider.Field{Name: "HumanEmail", Description: "Email address", Type: "str"},
				provider.Field{Name: "HumanPhoneNumber", Description: "Phone", Type: "str"},
				provider.Field{Name: "EventDate", Title: "Preferred date", Description: "Preferred date of the event", Type: "str"},
				provider.Field{Name: "Topic", Description: "What it was about"},
			),
		},
		msgs: []provider.Message{{Role: provider.RoleAssistant, Text: "Hello! I can help you register for our upcoming events. Would you like to see what events are available?"}},
	}
}
