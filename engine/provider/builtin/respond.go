package builtin

import (
	"slices"
	"strings"

	"flametree/engine/knowledge/lexis"
)

// respond notes what was given, answers what was asked and asks what is next.
func (t *turn) respond() reply {
	var out []string
	ack := t.acknowledge()
	answers, unknown := t.answers(t.gave())
	if len(unknown) > 0 && t.tool(toolReport) && !t.calledNow(toolReport) {
		call := t.called(toolReport, map[string]string{"question": strings.Join(unknown, " ")})
		return reply{call: &call}
	}
	if len(unknown) > 0 && t.tool(toolSearchKB) && !t.calledNow(toolSearchKB) {
		call := t.called(toolSearchKB, map[string]string{"query": strings.Join(unknown, " ")})
		return reply{call: &call}
	}
	if ack != "" {
		out = append(out, ack)
	}
	out = append(out, answers...)
	if len(unknown) > 0 {
		out = append(out, t.decline(unknown, len(answers) > 0))
	}
	_, rest := exchanges(t.state)
	next := t.next(t.steps(rest), len(answers)+len(unknown) > 0)
	if ack == "" && len(answers) == 0 && len(unknown) == 0 {
		out = append(out, t.understood(next))
	} else if ack != "" && len(answers) == 0 && len(unknown) == 0 && next == "" {
		next = "Is there anything else I can help you with?"
	}
	if next != "" {
		out = append(out, next)
	}
	return reply{text: strings.Join(out, " ")}
}

// acknowledge confirms what the last line gave.
func (t *turn) acknowledge() string {
	var got []string
	for _, name := range t.fresh {
		f, _ := t.field(name)
		if t.last.asked != name && f.kind == kindOption || f.kind == kindBool || strings.Contains(normal(f.Name+f.Description), "interest") || t.last.asked != name && t.last.question {
			continue
		}
		got = append(got, t.echoed(f))
	}
	first := func(k kind) bool {
		f, _ := t.field(t.fresh[0])
		return f.kind == k
	}
	switch {
	case len(got) == 0 && t.last.asked != "" && slices.Contains(t.fresh, t.last.asked):
		return "Thank you."
	case len(got) == 0:
		return ""
	case len(got) == 1 && first(kindName):
		return "Thank you, " + got[0] + "."
	}
	return "Thank you. I have noted " + listed(got, "and") + "."
}

// echoed is a result as it is said back: as the customer wrote it, or digit by
// digit, as they said it. What came out in other figures is only named.
func (t *turn) echoed(f field) string {
	v := t.values[f.Name]
	literal := strings.Contains(t.last.text, v)
	switch {
	case literal || !lexis.HasDigit(v):
		return v
	case f.kind == kindPhone || f.kind == kindCode:
		var out []string
		for _, r := range strings.ToUpper(v) {
			out = append(out, digitWord(r))
		}
		return strings.Join(out, " ")
	}
	return "your " + f.label
}

func digitWord(r rune) string {
	if r == '+' {
		return "plus"
	}
	if r < '0' || r > '9' {
		return string(r)
	}
	return [...]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}[r-'0']
}

// gave reports whether the last line was there to give a result: one that was
// asked for, or who the customer is and how to reach them.
func (t *turn) gave() bool {
	return slices.ContainsFunc(t.fresh, func(name string) bool {
		f, _ := t.field(name)
		return name == t.last.asked || f.kind == kindName || f.kind == kindEmail || f.kind == kindPhone
	})
}

// answers answers the questions of the last line; unknown are those nothing is
// known about. A line that only gave results asks nothing.
func (t *turn) answers(gave bool) (out, unknown []string) {
	qs := t.asked()
	if offer, ok := t.offer(); ok && yes(t.last) && len(qs) == 0 && !anythingElse.MatchString(normal(offer)) {
		qs = []ask{{text: offer, question: true}}
		if a := t.answer(qs[0]); a != "" {
			return []string{a}, nil
		}
		return nil, nil
	}
	moved := t.movedNow()
	for _, q := range qs {
		if moved && !q.question {
			continue // the wish that led here is being granted, not looked up
		}
		if gave && !q.question || t.last.asked != "" && !q.question && len(t.fresh) == 0 && len(t.content(q.text)) < 3 {
			continue
		}
		if q.question && len(t.content(q.text)) == 0 && q.before == "" {
			continue // can you tell me, and nothing what
		}
		a := t.answer(q)
		if a == "" && q.question {
			a = t.fromTools(q)
		}
		switch {
		case a != "" && !slices.Contains(out, a):
			out = append(out, a)
		case a == "" && (q.question || !gave && t.matter(q.text)):
			unknown = append(unknown, strings.TrimSpace(q.text))
		}
	}
	return out, unknown
}

// matter reports whether a statement is about something, so that not answering
// it must be said.
func (t *turn) matter(s string) bool {
	n := normal(s)
	return t.last.asked == "" && len(t.content(s)) >= 2 && actWant.MatchString(n) && !t.pursued(s)
}

// pursued reports whether a wish is what the task or the state is there for.
func (t *turn) pursued(s string) bool {
	words := t.content(s)
	return len(words) > 0 && t.whole(words, t.terms(t.task+" "+t.state)) >= 0.5
}

// decline says that something is not known and what can be done about it.
func (t *turn) decline(unknown []string, partly bool) string {
	if s := t.ownDecline(); s != "" {
		return s
	}
	n := 0
	for _, s := range t.said {
		if strings.Contains(s, "I do not have") || strings.Contains(s, "I do not know") {
			n++
		}
	}
	text := variant(n, "I am sorry, I do not have any information about that.",
		"I am sorry, I do not know that.",
		"I am afraid I do not have an answer to that either.")
	if partly {
		text = "On your other question I am sorry, I do not have any information."
	}
	switch {
	case t.tool(toolHuman):
		return text + " Would you like to talk to a colleague?"
	case t.calledNow(toolReport):
		return text + " I have noted your question."
	}
	if _, ok := t.due(); !ok && !partly && n == 0 {
		return text + " Can I help you with something else?"
	}
	return text
}

// ownDecline is what the agent's texts want to be said when nothing is known.
func (t *turn) ownDecline() string {
	_, rest := exchanges(t.state)
	for _, s := range append(t.steps(rest), t.steps(t.task)...) {
		if s.unknown && !s.ask {
			return point(s.text)
		}
	}
	return ""
}

// next is what the state or the task wants to be said or asked now. Sayings that
// are due come together, questions one at a time. A question that the customer has
// just passed over with another one waits a turn: the agent does not nag.
func (t *turn) next(steps []step, answered bool) string {
	var out []string
	open, isOpen := t.due()
	for _, s := range steps {
		if s.unknown || s.farewell || t.done(s) || s.when != "" && !t.holds(s.when) {
			continue
		}
		if !s.ask {
			out = append(out, point(s.text))
			continue
		}
		if isOpen && t.asks(open) > 0 {
			break // the question that is open goes first
		}
		return strings.Join(append(out, s.text), " ")
	}
	if isOpen && !(answered && t.last.asked == open.Name) {
		out = append(out, t.put(open))
	}
	return strings.Join(out, " ")
}

// done reports whether an instruction was carried out, or its result is known.
func (t *turn) done(s step) bool {
	if t.alreadySaid(s.text) {
		return true
	}
	if !s.ask {
		return false
	}
	name := t.askedIn(s.text)
	return name != "" && t.values[name] != ""
}

// understood answers a line in which there was neither a question nor a result:
// short when something follows that goes on.
func (t *turn) understood(next string) string {
	goesOn := next != ""
	wish := actWant.MatchString(t.last.norm) && t.pursued(t.last.text)
	switch {
	case wish && goesOn:
		return "I will gladly help you with that."
	case t.last.asked != "" && !yes(t.last) && !no(t.last):
		if goesOn {
			return "I am sorry, I did not understand that."
		}
		return "All right. Is there anything else I can help you with?"
	case yes(t.last), no(t.last):
		switch {
		case goesOn:
			return "All right."
		case anythingElse.MatchString(normal(t.last.prev)) && yes(t.last):
			return "What would you like to know?"
		}
		return "All right. Is there anything else I can help you with?"
	case len(t.content(t.last.text)) == 0:
		if goesOn {
			return ""
		}
		return "How can I help you?"
	case goesOn && (t.pursued(t.last.text) || t.movedNow()):
		return "I will gladly help you with that."
	}
	return variant(len(t.said), "I am not sure that I understood you. Could you put it as a question?",
		"I am sorry, I did not understand. What would you like to know?")
}

// grounded drops each sentence with a figure that stands in no text and that
// the customer did not say. Nothing above makes one; this is the lock on the door.
func (t *turn) grounded(text string) string {
	if !lexis.HasDigit(text) {
		return text
	}
	have := make(map[string]bool)
	for _, w := range lexis.Words(t.ground) {
		if lexis.HasDigit(w.Text) {
			have[w.Text] = true
		}
	}
	var out []string
	for _, s := range lexis.Sentences(text) {
		ok := true
		for _, w := range lexis.Words(s) {
			ok = ok && (!lexis.HasDigit(w.Text) || have[w.Text])
		}
		if ok {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return "I am sorry, I do not have any information about that."
	}
	return strings.Join(out, " ")
}

// speakable takes markup and line ends out of a text.
func speakable(s string) string {
	s = strings.NewReplacer("**", "", "__", "", "`", "", "\r", "", "\n- ", " ", "\n* ", " ", "\n", " ", "• ", "").Replace(s)
	s = strings.TrimLeft(s, "#-* ")
	return strings.Join(strings.Fields(s), " ")
}
