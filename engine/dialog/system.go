package dialog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/provider"
	"flametree/engine/session"
)

// The system tools besides session.FinishTool and session.SendTool (spec 4).
const (
	buttonsTool  = "ProvideOptionButtons"
	suggestTool  = "SuggestChatMessage"
	searchTool   = "TriggerKBSearch"
	reportTool   = "ReportUnansweredQuestion"
	toolsTool    = "SearchTool"
	handoffTool  = "TransferToHuman"
	productsTool = "SearchProducts"
	productTool  = "GetProduct"
	widgetTool   = "SendWidgetEvent"
	transferTool = session.TransferTool
	digitsTool   = session.DigitsTool
	pauseTool    = session.PauseTool
	resumeTool   = session.ResumeTool
	readTool     = "ReadResult"
	languageTool = "SwitchLanguage"
)

// alias finds the name of today for one of an older agent.
func alias(name string) string {
	switch name {
	case "SearchInKnowledgeBase", "SingleSearchFAQ":
		return searchTool
	case "NoKBAnswer":
		return reportTool
	case session.ForwardTool:
		return session.SendTool
	}
	return name
}

// systemTool is one system tool.
type systemTool struct {
	provider.Tool
	when func(s *session.State, r *agent.Revision) bool // nil = where a state lists it
	// asks: the model needs the answer to go on. The others are carried out beside its words.
	asks bool
}

func systems() []systemTool {
	text := func(name, what string) string {
		return fmt.Sprintf(`{%q:{"type":"string","description":%q}}`, name, what)
	}
	always := func(*session.State, *agent.Revision) bool { return true }
	sells := func(_ *session.State, r *agent.Revision) bool { return len(r.Spec.Catalogs) > 0 }
	return []systemTool{
		{Tool: provider.Tool{Name: searchTool, Description: "Searches all knowledge for a question. Use it when the passages you were given do not answer.", Schema: schemaOf(text("query", "what to search for"), `["query"]`)}, asks: true},
		{Tool: provider.Tool{Name: reportTool, Description: "Notes a question that the knowledge does not answer, so that people can add the answer. Say to the human that you do not know as well.", Schema: schemaOf(text("question", "the question, complete in itself"), `["question"]`)}, when: always},
		{Tool: provider.Tool{Name: toolsTool, Description: "Searches the tools of this conversation for one that can do something.", Schema: schemaOf(text("query", "what is to be done"), `["query"]`)}, asks: true},
		{Tool: provider.Tool{Name: suggestTool, Description: "Drafts a message for the person who talks with the human.", Schema: schemaOf(text("text", "the draft"), `["text"]`)}, when: func(s *session.State, _ *agent.Revision) bool { return s.Mode == session.ModeCopilot }},
		{Tool: provider.Tool{Name: handoffTool, Schema: schemaOf(`{"reason":{"type":"string"},"summary":{"type":"string","description":"what the human wants and what was said so far"}}`, `["reason","summary"]`)}, when: func(s *session.State, r *agent.Revision) bool {
			return r.Spec.Handoff.Allow && s.Mode == session.ModeRegular
		}},
		{Tool: provider.Tool{Name: productsTool, Description: "Finds products of the catalogue, with prices and links.", Schema: schemaOf(`{"query":{"type":"string"},"category":{"type":"string"},"price_min":{"type":"number"},"price_max":{"type":"number"},"limit":{"type":"integer","minimum":1,"maximum":5}}`, `["query"]`)}, when: sells, asks: true},
		{Tool: provider.Tool{Name: productTool, Description: "Shows all that is known of one product.", Schema: schemaOf(text("sku", "of the product"), `["sku"]`)}, when: sells, asks: true},
		{Tool: provider.Tool{Name: readTool, Description: "Reads on in a result of a tool that you were shown only a part of. The tool is not run again.", Schema: schemaOf(`{"result":{"type":"string","description":"as the line about what was left out names it"},"from":{"type":"integer","minimum":0,"description":"the character to read from"}}`, `["result","from"]`)}, when: cutShort, asks: true},
		{Tool: provider.Tool{Name: transferTool, Description: "Puts the caller through to somebody else. Say so in the same answer; the conversation goes on only if nobody takes the call.", Schema: schemaOf(`{"target":{"type":"string"},"summary":{"type":"string","description":"what the person who takes the call has to know"}}`, `["target"]`)}, when: passes},
		{Tool: provider.Tool{Name: digitsTool, Description: "Presses keys on the telephone, for menus of machines. w waits half a second.", Schema: schemaOf(text("digits", "0-9 * # w"), `["digits"]`)}, when: keypad},
		{Tool: provider.Tool{Name: pauseTool, Description: "Stops the recording of this call before the caller says or presses what must not be kept, such as the number of a card. Ask for it in the same answer.", Schema: schemaOf(text("reason", "in a few words"), `[]`)}, when: recorded(pauseTool)},
		{Tool: provider.Tool{Name: resumeTool, Description: "Goes on with the recording of this call once what must not be kept was said or pressed.", Schema: schemaOf(`{}`, `[]`)}, when: recorded(resumeTool)},
		{Tool: provider.Tool{Name: languageTool, Description: "Goes on in another language: the human is heard and answered in it from here on. Call it, before you answer, as soon as the human speaks another language or asks for one.", Schema: schemaOf(text("language", "the language"), `["language"]`)}, when: multilingual, asks: true},
		{Tool: provider.Tool{Name: widgetTool, Description: "Raises an event in the web page around the chat.", Schema: schemaOf(`{"name":{"type":"string"},"data":{"type":"object"}}`, `["name"]`)}},
	}
}

// offers reports whether a system tool may be called now. A state that lists
// tools has only those, besides what is built into every conversation.
func (y systemTool) offers(s *session.State, r *agent.Revision) bool {
	if y.when != nil {
		return y.when(s, r)
	}
	return listed(s, r, y.Name)
}

// listed reports whether the current state names a tool. An agent without
// workflow, and a state without a list, have the system tools all the same.
func listed(s *session.State, r *agent.Revision, name string) bool {
	st, ok := r.Flow.State(s.Flow)
	if !ok {
		return r.Flow == nil
	}
	return slices.ContainsFunc(st.Tools, func(t string) bool { return t == name || alias(t) == name })
}

// describeHandoff tells the model when a person takes over.
func describeHandoff(r *agent.Revision) string {
	d := "Hands the conversation over to a person of the team. Tell the human so."
	if c := strings.TrimSpace(r.Spec.Handoff.Conditions); c != "" {
		d += " Call it when: " + c
	}
	return d
}

// carry carries out a granted call of a system tool that the engine answers by
// itself, and returns what the model is told. ok is false for tools of others.
func (d *decision) carry(c event.ToolCall) (told string, ok bool) {
	switch alias(c.Name) {
	case session.FinishTool:
		d.last, _ = lastMessage(c.Args.Text)
		return finishedText, true
	case session.SendTool:
		d.spoken = strings.TrimSpace(d.spoken + " " + session.Message(c))
		return "Your message is sent.", true
	case buttonsTool:
		return shownText, true
	case reportTool:
		d.tell(event.QuestionUnanswered{Turn: d.Open.Turn, Question: event.P(argument(c, "question")), By: "model"})
		return "It is noted.", true
	case suggestTool:
		d.draft = argument(c, "text")
		return "The draft is shown.", true
	case toolsTool:
		return d.findTools(argument(c, "query")), true
	case handoffTool:
		d.tell(event.SessionHandedOver{Mode: session.ModeOperator, Reason: argument(c, "reason"), Summary: event.P(argument(c, "summary"))})
		return "A person takes over.", true
	case widgetTool:
		return "The page was told.", true
	case transferTool:
		return "The caller is put through as soon as your words were heard.", true
	case digitsTool:
		return "The keys are pressed.", true
	case pauseTool:
		return "Nothing is recorded from here on.", true
	case resumeTool:
		return "The recording goes on.", true
	case readTool:
		return reading(&d.State, c), true
	case languageTool:
		return d.switchLanguage(argument(c, "language")), true
	}
	return "", false
}

// argument is one text argument, "" if there is none.
func argument(c event.ToolCall, name string) string {
	var args map[string]any
	if json.Unmarshal([]byte(c.Args.Text), &args) != nil {
		return ""
	}
	text, _ := args[name].(string)
	return strings.TrimSpace(text)
}

// findTools lists the tools whose description shares words with what is to be done.
func (d *decision) findTools(query string) string {
	words := plainWords(query)
	type found struct {
		line  string
		score int
	}
	var all []found
	for _, t := range tools(&d.State, d.rev) {
		if !d.has(t.Name) { // it came after the request: a replay knows it, this conversation does not yet
			continue
		}
		score := 0
		for _, w := range plainWords(t.Name + " " + t.Description) {
			if len(w) > 2 && slices.Contains(words, w) {
				score++
			}
		}
		if score > 0 {
			all = append(all, found{line: t.Name + ": " + t.Description, score: score})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return b.score - a.score })
	if len(all) == 0 {
		return "No tool fits."
	}
	var lines []string
	for _, f := range all[:min(len(all), 5)] {
		lines = append(lines, f.line)
	}
	return strings.Join(lines, "\n")
}
