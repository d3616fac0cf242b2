package wire_test

import (
	"time"

	"flametree/engine/event"
)

// samples has one event of every kind with every field set.
func samples() []event.Event {
	ms := time.Millisecond
	p := event.P
	name, email, phone, language := p("Aruzhan Bek"), p("a.bek@example.org"), p("+7 701 000 00 00"), "kk"
	call := event.ToolCall{ID: "c1", Name: "card_status", Args: p(`{"last4":"4417"}`)}
	return []event.Event{
		event.TenantCreated{Name: "Steppe Bank", Timezone: "Asia/Almaty"},
		event.AgentCreated{Name: "Debit cards", Alias: "cards", TokenHash: []byte{1, 2, 3, 4}},
		event.AgentSaved{Revision: 3, File: p("name: Debit cards\n"), Pins: []event.Pair{{Key: "group/crm", Value: "ab12"}}},
		event.AgentPublished{Revision: 3},
		event.AgentStarted{},
		event.AgentStopped{Reason: "daily limit"},
		event.CallOffered{
			Session: "s1", Agent: "a1", Direction: "inbound", From: p("sip:bob@127.0.0.1"), To: p("sip:cards@127.0.0.1"),
			SIPCallID: "9f3@host", Transport: "udp",
		},
		event.CallAnswered{Codec: "PCMU", BandHz: 8000, Machine: []event.Pair{{Key: "eot", Value: "600ms"}, {Key: "duck", Value: "60ms"}}, Seed: 77, Began: 1700000000000000005},
		event.CallHeld{Offset: 1500 * ms},
		event.CallResumed{Offset: 2500 * ms},
		event.CallDigit{Digit: p("5"), Offset: 3210 * ms},
		event.CallEnded{Reason: "hangup", By: "peer", Received: 500, Lost: 2, Sent: 498, Jitter: 3 * ms, Talked: 10 * time.Second, Quality: 4.1},
		event.CallInputs{Inputs: []event.TurnInput{
			{
				Offset: 700 * ms, Kind: "final", Gen: 2, Turn: 1, Text: p("how much does it cost"), Words: 5, Final: true,
				Played: 120 * ms, Extra: "x=1", Decisions: []string{"duck", "yield"},
			},
			{Offset: 720 * ms, Kind: "tick", Decisions: []string{"none"}},
		}},
		event.RecordingClosed{Blob: "ab12", RateHz: 8000, Length: 11 * time.Second, Bytes: 352044, Cut: true, Peaks: "ef56", Paused: 2 * time.Second},
		event.SessionCreated{
			Agent: "a1", Revision: 3, Conversation: "conv", Channel: "web", Call: "call1", UserID: p("u-1"),
			Name: name, Email: email, Phone: phone, Language: "ru", Args: []event.Private{p("first"), p("second")},
			Kwargs:   []event.PrivatePair{{Key: "plan", Value: p(`"gold"`)}, {Key: "_secret", Value: p(`"x"`)}},
			UserInfo: []event.PrivatePair{{Key: "city", Value: p(`"Almaty"`)}},
			Greeting: "Hello!", Timeout: 72 * time.Hour, MaxDuration: time.Hour, IdempotencyKey: "idem-1", Buttons: []string{"Yes", "No"},
		},
		event.SessionUpdated{
			Name: &name, Email: &email, Phone: &phone, Language: &language,
			Kwargs: []event.PrivatePair{{Key: "plan", Value: p(`"basic"`)}},
		},
		event.SessionHandedOver{Mode: "OPERATOR", Reason: "asked", Summary: p("wants a new card")},
		event.SessionEnded{Status: event.Completed},
		event.MessageReceived{Turn: 1, Message: "01ARYZ6S410000000000000000", ExternalID: "tg-55", Text: p("hi")},
		event.UtteranceHeard{Turn: 2, Message: "m2", Text: p("one two"), Digits: true, Offset: 4 * time.Second, Unheard: true},
		event.ReplyStarted{Turn: 2, Message: "m3", Revision: 3, Voice: "slt"},
		event.ModelAnswered{
			Turn: 2, Step: 1, Provider: "builtin", Model: "retrieval", Text: p("It is free."), Calls: []event.ToolCall{call},
			Input: 812, Output: 14, FirstByte: 3 * ms, Whole: 9 * ms,
			Passages: []event.Passage{{Source: "faq", Title: "Fees", Score: 0.75}}, Fault: "unavailable: cut",
			State: "Offer", Parts: []event.TracedPart{{Kind: "task", Title: "Task", Tokens: 40}}, Messages: 7, Offered: []string{"FinishSession"},
			Attempts: []event.Attempt{{Provider: "openai", Model: "m", Took: 9 * ms, Fault: "unavailable"}}, Cost: 1200,
		},
		event.ResultsExtracted{Turn: 2, Values: p(`{"name":"Aruzhan"}`), Fault: "invalid: age"},
		event.ResultSet{Field: "name", Value: p("Aruzhan")},
		event.StateEntered{State: "ask_name", Move: "greeted"},
		event.ToolCalled{Turn: 2, Call: call, Refused: "not in this state"},
		event.ToolAnswered{Turn: 2, CallID: "c1", Result: p(`{"status":"active"}`), Took: 31 * ms, Fault: "unavailable", Tool: "card_status", Sets: []event.PrivatePair{{Key: "name", Value: p("Aruzhan")}}},
		event.ReplySent{Turn: 2, Message: "m3", Role: "AI", Text: p("It is free."), Options: []string{"Yes", "No"}},
		event.ReplySpoken{
			Turn: 2, Message: "m3", Text: p("It is"), Full: p("It is free of charge."), Interrupted: true, Played: 640 * ms,
		},
		event.ReplyLost{Turn: 2, Message: "m3", Reason: "crash"},
		event.TurnTimed{Turn: 2, Stages: []event.Stage{{Name: "eot", Took: 600 * ms}, {Name: "llm_ttft", Took: 4 * ms}}, Waited: "endpointing"},
		event.SkillRan{
			Skill: "LoadCustomer", Moment: "state_enter", State: "Offer",
			Values: []event.PrivatePair{{Key: "plan", Value: p("gold card")}}, Took: 5 * ms, Fault: "invalid: no such plan",
		},
		event.QuestionUnanswered{Turn: 3, Question: p("do you sell boats"), By: "engine"},
		event.CustomerVerified{Tool: "CheckPIN", Customer: p("customer-17")},
		event.GuardHit{Turn: 3, Rule: "no_advice", Where: "output", Action: "replace", Excerpt: p("buy this fund")},
		event.HistorySummarised{Upto: 40, Text: p("asked about limits")},
		event.SuggestionMade{Turn: 3, Text: p("say it is free")},
		event.AgentDrafted{File: p("name: ["), Fault: "file 1:7: not closed"},
		event.SourceCreated{Type: "website", Title: "Help pages", Origin: "https://example.org", Mode: "vector", Owner: "a1"},
		event.SourceSaved{Revision: 2, Title: "Help pages", Origin: "https://example.org", Blob: "ab12", Bytes: 17, Name: "help.html"},
		event.SourceIndexing{Run: 4, Revision: 2},
		event.SourceIndexed{Run: 4, Revision: 2, Blob: "cd34", Entries: 9, Chunks: 40, Warnings: []string{"page 3 is empty"}, Took: 3 * time.Second},
		event.SourceFailed{Run: 5, Reason: "the address does not answer"},
		event.SourceStopped{Run: 6},
		event.SourceConnected{Agent: "a1"},
		event.SourceDisconnected{Agent: "a1"},
		event.SourceRemoved{},
		event.QuestionResolved{Question: p("do you sell boats"), How: "answered", Source: "src1"},
		event.CallProgressed{Stage: "ringing", Code: 180, Offset: 700 * ms},
		event.CallScreened{Verdict: "machine", Why: "words", Heard: p("leave a message"), Took: 2400 * ms, Beep: 5 * time.Second},
		event.CallSpeechChanged{Role: "stt", From: "deepgram", To: "azure", Fault: "denied: deepgram: 401", Offset: 7 * time.Second},
		event.CallReplaced{How: "replaces", From: p("sip:bob@example.net"), SIPCallID: "9@x", Transport: "udp", Codec: "PCMA", BandHz: 8000, Offset: 8 * time.Second},
		event.VoicemailLeft{Text: p("please call us back"), Beep: true, Whole: true, Offset: 9 * time.Second},
		event.TransferBegun{Mode: "warm", Name: "desk", Target: p("sip:desk@127.0.0.1"), Summary: p("wants a new card"), Offset: 40 * time.Second},
		event.TransferFailed{Reason: "busy", Code: 486, Offset: 41 * time.Second},
		event.TransferCompleted{Mode: "warm", Name: "desk", Joined: true, Offset: 60 * time.Second},
		event.RecordingPaused{Reason: "sensitive", Offset: 12 * time.Second},
		event.RecordingResumed{Offset: 20 * time.Second},
		event.RecordingDeleted{Blob: "ab12", Reason: "retention"},
		event.CallObserved{By: "anna", What: "capture", On: true, Offset: 3 * time.Second, Kept: time.Hour},
		event.CallTraced{Blob: "0a1b", Messages: 9, Signals: event.P(`[{"text":"INVITE"}]`)},
		event.OperatorWhispered{By: "anna", Text: p("offer the second month for free")},
		event.ConnectionCreated{Type: "sip", Name: "Head office"},
		event.ConnectionSaved{
			Revision: 2, Name: "Head office", Description: "the PBX of the branch", Settings: []event.Pair{{Key: "domain", Value: "pbx.example.org"}},
			Secrets: []event.PrivatePair{{Key: "password", Value: p("wonder")}},
		},
		event.ConnectionStarted{},
		event.ConnectionStopped{Reason: "maintenance"},
		event.ConnectionReported{State: "failed", Detail: "the registrar refuses the password", Code: 403},
		event.ConnectionAttached{Agent: "a1", Inbound: true},
		event.ConnectionDetached{Agent: "a1"},
		event.ConnectionRemoved{},
		event.CatalogCreated{Name: "Chandlery", Description: "what sailors need", Currency: "EUR", Language: "en"},
		event.CatalogChanged{Name: "Chandlery of the harbour", Description: "what sailors need", Currency: "EUR", Language: "en"},
		event.ProductsPut{By: "inv1", Products: []event.Product{{
			SKU: "L-1", Title: "Life jacket", Description: "150 newtons", Category: "Safety", Brand: "Baltic", Priced: true, Price: 895000,
			Currency: "EUR", Availability: "in_stock", ImageURL: "https://shop.example/l-1.png", ProductURL: "https://shop.example/l-1",
			Attributes: []event.Pair{{Key: "colour", Value: "blue"}}, Tags: []string{"new"}, Active: true,
		}}},
		event.ProductsRemoved{SKUs: []string{"L-1"}, By: "inv1"},
		event.CatalogConnected{Agent: "a1"},
		event.CatalogDisconnected{Agent: "a1"},
		event.CatalogInvited{Invitation: "inv1", TokenHash: []byte{1, 2, 3}, Life: 168 * time.Hour},
		event.InvitationsReset{},
		event.CatalogRemoved{},
		event.ResultsMailed{MessageID: "results.s1@bank.example", Taken: 2, Given: 1, Attempts: 3, Fault: "denied: it answers 550"},
	}
}
