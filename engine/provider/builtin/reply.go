package builtin

import (
	"regexp"
	"slices"
	"strings"

	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

// The tools the model knows by name; spec section 4.
const (
	toolFinish   = "FinishSession"
	toolHuman    = "TransferToHuman"
	toolReport   = "ReportUnansweredQuestion"
	toolSearchKB = "TriggerKBSearch"
)

// plan decides what to say and to call.
func (t *turn) plan() reply {
	r := t.decide()
	r.text = t.grounded(speakable(r.text))
	return r
}

func (t *turn) decide() reply {
	switch {
	case !t.have:
		return reply{text: t.opening()}
	case unheard(t.last):
		return reply{text: t.pardon()}
	}
	if r, ok := t.returned(); ok {
		return r
	}
	moved := t.movedNow()
	examples, _ := exchanges(t.state + "\n" + t.task)
	scripted := ""
	if !moved {
		if scripted = t.example(examples); scripted != "" && t.alreadySaid(scripted) {
			scripted = ""
		}
	}
	if call, ok := t.move(); ok {
		return reply{text: scripted, call: &call}
	}
	if scripted != "" {
		if actBye.MatchString(t.last.norm) || ending(scripted) {
			return t.finish(scripted)
		}
		return reply{text: scripted}
	}
	if r, ok := t.social(); ok {
		return r
	}
	return t.respond()
}

// movedNow reports whether a transition was made since the customer spoke.
func (t *turn) movedNow() bool {
	return slices.ContainsFunc(t.after, func(m provider.Message) bool { return len(m.Calls) > 0 })
}

var lastWord = regexp.MustCompile(`(?i)\b(have a (nice|good|great) (day|evening|one)|good ?bye)[.!]*$`)

func ending(s string) bool { return lastWord.MatchString(s) }

// opening is the agent's first line: the example's, the script's, or a greeting.
func (t *turn) opening() string {
	examples, rest := exchanges(t.state)
	for _, e := range examples {
		if e.human == "" && e.opening == "" && !t.alreadySaid(e.agent) {
			return e.agent
		}
	}
	if s := t.next(t.steps(rest), false); s != "" && len(t.said) > 0 {
		return s
	}
	return "Hello. " + t.introduction() + " How can I help you?"
}

// pardon asks to say it again, in other words each time.
func (t *turn) pardon() string {
	n := 0
	for i := len(t.lines) - 2; i >= 0 && unheard(t.lines[i]); i-- {
		n++
	}
	return variant(n, "I am sorry, I did not hear that. Could you say it again, please?",
		"I still could not hear you. Could you repeat that, a little slower?",
		"I am afraid the line is bad. Please say it once more.")
}

func variant(n int, s ...string) string { return s[n%len(s)] }

// alreadySaid reports whether the agent has said a line in this conversation.
func (t *turn) alreadySaid(s string) bool {
	return slices.ContainsFunc(t.said, func(o string) bool {
		return len(o) > 0 && (strings.Contains(o, s) || t.contained(s, o) >= 0.8)
	})
}

// contained is the share of a's words that b has.
func (t *turn) contained(a, b string) float64 {
	wa := lexis.Words(a)
	if len(wa) == 0 {
		return 0
	}
	in := make(map[string]bool)
	for _, w := range lexis.Words(b) {
		in[w.Text] = true
	}
	hit := 0
	for _, w := range wa {
		if in[w.Text] {
			hit++
		}
	}
	return float64(hit) / float64(len(wa))
}

// social answers what is not about the matter.
func (t *turn) social() (reply, bool) {
	n := t.last.norm
	rest := social(n)
	switch {
	case t.leaving() && !t.movedNow() || t.movedNow() && t.leaving() && t.tool(toolFinish):
		return t.finish(""), true
	case actHuman.MatchString(n):
		return t.human(), true
	case actWho.MatchString(n):
		return reply{text: t.who()}, true
	case actHow.MatchString(n):
		return reply{text: "I am fine, thank you. How can I help you?"}, true
	case actCan.MatchString(rest):
		return reply{text: t.scope()}, true
	case actRepeat.MatchString(n) && short(n, 12) && len(t.content(repeatWords.ReplaceAllString(n, ""))) == 0:
		return reply{text: t.repeat()}, true
	case actWait.MatchString(n):
		return reply{text: "Of course, take your time."}, true
	case actWrong.MatchString(n):
		return reply{text: "I am sorry that I misunderstood you. Could you ask it in other words?"}, true
	case rest != "":
		return reply{}, false
	case actThanks.MatchString(n):
		return t.welcome(), true
	}
	return t.greet(), true
}

var repeatWords = regexp.MustCompile(`\b(repeat|pardon|hear|understand|catch|again|sorry|excuse|say|said|please|last|part|answer)\b`)

// welcome answers thanks, and goes on with what is still to be asked.
func (t *turn) welcome() reply {
	if f, ok := t.due(); ok && t.asks(f) > 0 {
		return reply{text: "You are welcome. " + t.put(f)}
	}
	return reply{text: "You are welcome. Is there anything else I can help you with?"}
}

func (t *turn) greet() reply {
	_, rest := exchanges(t.state)
	// Only a state of a real workflow asks before the customer has said why.
	if s := t.next(t.steps(rest), false); s != "" && t.moves() {
		return reply{text: "Hello. " + s}
	}
	if len(t.said) == 0 || strings.Contains(strings.ToLower(t.style), "introduce yourself") && t.agentName() != "" && !t.alreadySaid(t.agentName()) {
		return reply{text: "Hello. " + t.introduction() + " How can I help you?"}
	}
	return reply{text: "Hello. How can I help you?"}
}

// finish ends the conversation with the agent's own last words, when it has some.
func (t *turn) finish(text string) reply {
	if text == "" {
		text = t.farewell()
	}
	if !t.tool(toolFinish) {
		return reply{text: text}
	}
	call := t.called(toolFinish, map[string]string{"last_message": t.grounded(speakable(text))})
	return reply{call: &call}
}

func (t *turn) farewell() string {
	_, rest := exchanges(t.state)
	for _, s := range append(t.steps(rest), t.steps(t.task)...) {
		if s.farewell && !s.ask {
			return s.text
		}
	}
	for _, s := range t.steps(rest) {
		if s.when == "" && !s.ask && ending(s.text) {
			return s.text
		}
	}
	name := ""
	for _, f := range t.fields {
		if f.kind == kindName && t.values[f.Name] != "" {
			name = ", " + t.values[f.Name]
			break
		}
	}
	return "Thank you for talking to us" + name + ". Goodbye!"
}

// human brings in a person, or says what can be done instead.
func (t *turn) human() reply {
	if t.tool(toolHuman) {
		call := t.called(toolHuman, map[string]string{"reason": "the customer asked for a person", "summary": t.summary()})
		return reply{call: &call}
	}
	text := "I am sorry, I cannot put you through to a person."
	if f, ok := t.due(); ok {
		return reply{text: text + " But I can note your details so that somebody gets back to you. " + t.put(f)}
	}
	return reply{text: text + " What can I help you with?"}
}

func (t *turn) who() string {
	s := t.self(3)
	if s == "" {
		s = t.introduction()
	}
	if actRobot.MatchString(t.last.norm) {
		return "I am a virtual assistant, not a person. " + s
	}
	return s
}

// scope says what the agent is there for.
func (t *turn) scope() string {
	for _, s := range lexis.Sentences(strings.ReplaceAll(t.identity+" "+t.task, "\n", " ")) {
		if i := helpTo.FindStringIndex(s); i != nil && len(strings.Fields(s)) <= 45 {
			return point(sentence(firstPerson(s)))
		}
	}
	return t.introduction() + " Please ask me your question."
}

var helpTo = regexp.MustCompile(`(?i)\b(you help|you answer|you support|you assist|your (main |primary )?(task|role|job) is)\b`)

// repeat says the last thing again: from the beginning, when it was cut off.
func (t *turn) repeat() string {
	for i := len(t.lines) - 2; i >= 0; i-- {
		l := t.lines[i]
		if actRepeat.MatchString(l.norm) && short(l.norm, 12) || unheard(l) {
			continue
		}
		again := *t
		again.lines, again.last = t.lines[:i+1], l
		for _, q := range again.asked() {
			if a := again.answer(q); a != "" {
				return "I said: " + a
			}
		}
		break
	}
	if t.last.prev != "" {
		return t.last.prev
	}
	if n := len(t.said); n > 0 {
		return t.said[n-1]
	}
	return "How can I help you?"
}
