package builtin

import (
	"regexp"
	"slices"
	"strings"

	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

// The most a customer is asked for one thing.
const maxAsks = 3

var (
	collectVerb  = regexp.MustCompile(`(?i)\b(ask|asks|asking|collect|collects|collecting|request|requests|gather|gathers|obtain|take|takes|taking|find out|record|note|get|gets|capture|need|needs|require|requires|required|confirm|verify|write down)\b`)
	contactWords = regexp.MustCompile(`(?i)\b(contact|personal|registration|customer'?s?) (info|information|details?|data)\b|\brequired details\b|\bhow to (reach|contact) them\b`)
)

// want is a field that a description wants to be asked for.
type want struct {
	field field
	when  string // condition in its own words, "" for always
}

// wanted are the fields to ask for here, in the order in which state and task
// name them. A state that collects decides alone; the task speaks for a state
// that is the only one, or for none.
func (t *turn) wanted() []want {
	if !t.wantsSet {
		t.wants, t.wantsSet = t.findWanted(), true
	}
	return t.wants
}

func (t *turn) findWanted() []want {
	_, rest := exchanges(t.state)
	if out := t.wantedBy(rest); len(out) > 0 {
		return out
	}
	if t.hasState && t.moves() {
		return nil
	}
	return t.wantedBy(t.task)
}

func (t *turn) moves() bool {
	return slices.ContainsFunc(t.tools, func(o provider.Tool) bool { return o.Move })
}

// wantedBy reads the clauses of a description.
func (t *turn) wantedBy(description string) []want {
	var out []want
	for l := range strings.SplitSeq(description, "\n") {
		l = bullet.ReplaceAllString(l, "")
		for _, s := range instructions(l) {
			if sayVerb.MatchString(s) {
				continue
			}
			s = quoted.ReplaceAllString(s, " ")
			when := ""
			if m := condition.FindStringSubmatch(s); m != nil {
				when, s = m[2], m[3]
			} else if m := condTail.FindStringSubmatchIndex(s); m != nil {
				when, s = s[m[4]:m[5]], s[:m[0]]
			}
			if !collectVerb.MatchString(s) || negative.MatchString(s) || atTheEnd.MatchString(when) {
				continue
			}
			for _, f := range t.fieldsIn(s) {
				if !slices.ContainsFunc(out, func(w want) bool { return w.field.Name == f.Name }) {
					out = append(out, want{f, when})
				}
			}
		}
	}
	return out
}

// fieldsIn finds the fields that a clause speaks of, in its order.
func (t *turn) fieldsIn(s string) []field {
	type found struct {
		field field
		at    int
	}
	var out []found
	contact := contactWords.MatchString(s)
	for _, f := range t.fields {
		if f.derived() {
			continue
		}
		person := f.kind == kindName || f.kind == kindEmail || f.kind == kindPhone
		switch {
		case contact && person:
			out = append(out, found{f, len(out)})
		case t.mentioned(f, s) >= 0.6 || strings.Contains(s, f.Name):
			out = append(out, found{f, 1000 + t.position(f, s)})
		}
	}
	slices.SortStableFunc(out, func(a, b found) int { return a.at - b.at })
	fields := make([]field, len(out))
	for i, o := range out {
		fields[i] = o.field
	}
	return fields
}

// position is where a clause first speaks of a field.
func (t *turn) position(f field, s string) int {
	if c := f.cues(); c != nil {
		if m := c.FindStringIndex(normal(s)); m != nil {
			return m[0]
		}
	}
	own := t.terms(f.label + " " + f.Description)
	for _, w := range lexis.Words(s) {
		stem := t.lex.Stem(w.Text)
		if t.lex.Weight(w.Text) == lexis.Content && slices.ContainsFunc(own, func(x lexis.Term) bool { return x.Stem == stem }) {
			return w.Start
		}
	}
	return len(s)
}

// due is the next field to ask for, if any. What was asked for and refused, or
// asked for too often, is left.
func (t *turn) due() (field, bool) {
	for _, w := range t.wanted() {
		if t.values[w.field.Name] != "" || t.refused(w.field) || t.asks(w.field) >= maxAsks || !t.holds(w.when) {
			continue
		}
		return w.field, true
	}
	return field{}, false
}

// settled reports whether every field in want here is known or given up.
func (t *turn) settled() bool {
	w := t.wanted()
	_, open := t.due()
	return len(w) > 0 && !open
}

// asks counts how often the agent asked for a field; saying it again for who did
// not hear is not asking again.
func (t *turn) asks(f field) int {
	n := 0
	for i, s := range t.said {
		if t.askedIn(s) == f.Name && !slices.Contains(t.said[:i], s) {
			n++
		}
	}
	return n
}

// put words the question for a field: anew when an answer to it was of no use,
// in passing when it was passed over.
func (t *turn) put(f field) string {
	tried := 0
	for _, l := range t.lines {
		if l.asked == f.Name && !l.question && !actWant.MatchString(l.norm) && !actRepeat.MatchString(l.norm) {
			tried++
		}
	}
	if tried == 0 && t.asks(f) > 0 {
		return "And " + lowerFirst(f.question(0))
	}
	return f.question(tried)
}

func (t *turn) refused(f field) bool {
	return slices.ContainsFunc(t.lines, func(l line) bool {
		return l.asked == f.Name && (actRefuse.MatchString(l.norm) || no(l) && short(l.norm, 5) && f.kind != kindBool)
	})
}

// holds reports whether a condition on the customer fits what was said: its
// words fall, or it speaks of wish and the customer wished or agreed.
func (t *turn) holds(when string) bool {
	if when == "" {
		return true
	}
	if allGiven.MatchString(when) {
		return t.given(when)
	}
	own := t.terms(when)
	own = without(own, func(x lexis.Term) bool { return x.Weight < lexis.Content })
	wish := regexpWish.MatchString(when)
	for i, l := range t.lines {
		if len(own) > 0 && t.whole(own, t.terms(l.text)) >= 0.5 && (!wish || !l.question || actWant.MatchString(l.norm)) {
			return true
		}
		if wish && (yes(l) && l.asked == "" && i > 0 || strings.Contains(l.norm, "interested") && !strings.Contains(l.norm, "not interested")) {
			return true
		}
	}
	return false
}

var regexpWish = regexp.MustCompile(`(?i)\b(interest(ed)?|wants?|would like|wish(es)?|agrees?|accepts?|ready|decides?|confirms?|says yes)\b`)

// given reports whether the fields that a condition names, or all in want, are known.
func (t *turn) given(when string) bool {
	named := t.fieldsIn(when)
	if len(named) == 0 {
		for _, w := range t.wanted() {
			named = append(named, w.field)
		}
	}
	for _, f := range named {
		if t.values[f.Name] == "" {
			return false
		}
	}
	return len(named) > 0
}

// question words how a field is asked for; again is how often it was before.
func (f field) question(again int) string {
	if again > 0 {
		return f.again(again)
	}
	switch f.kind { //nolint:exhaustive // the others are asked alike
	case kindName:
		return "May I have your " + nameLabel(f.label) + ", please?"
	case kindEmail:
		return "What is your e-mail address?"
	case kindPhone:
		return "What is the best phone number to reach you?"
	case kindBool:
		if m := wordWhether.FindStringIndex(f.Description); m != nil {
			if q := towards(trimEnd(f.Description[m[1]:])); strings.HasPrefix(strings.TrimSpace(q), "you ") {
				return inverted(strings.TrimSpace(q))
			}
		}
		return "Is it yes or no for you: " + f.label + "?"
	case kindOption:
		if len(f.Options) <= 6 {
			return "What is your " + f.label + ": " + either(f.Options) + "?"
		}
	case kindInt, kindNumber:
		if strings.HasPrefix(f.label, "number of ") {
			return "What is the " + f.label + "?"
		}
	}
	return "What is your " + f.label + "?"
}

// again asks in other words.
func (f field) again(n int) string {
	switch f.kind { //nolint:exhaustive // the others are asked alike
	case kindName:
		if n == 1 {
			return "Could you tell me your name once more, first and last name?"
		}
		return "I did not get your name. How do you spell it, your first and last name?"
	case kindEmail:
		if n == 1 {
			return "Could you say your e-mail address again, like name at example dot com?"
		}
		return "I did not get it. Could you spell your e-mail address for me?"
	case kindPhone:
		if n == 1 {
			return "Could you tell me your phone number again, digit by digit?"
		}
		return "I did not get it. Which phone number may we call?"
	case kindDate, kindTime:
		return "Could you tell me your " + f.label + " with day, month and year?"
	case kindOption:
		return "Please choose your " + f.label + ": " + either(f.Options[:min(6, len(f.Options))]) + "."
	case kindBool:
		return "Please say yes or no: " + lowerFirst(f.question(0))
	}
	if n == 1 {
		return "Could you tell me your " + f.label + " again, please?"
	}
	return "I did not get it. Please tell me once more, what is your " + f.label + "?"
}

func nameLabel(label string) string {
	if strings.Contains(label, "name") {
		return label
	}
	return "name"
}

// either joins options: A, B or C.
func either(options []string) string { return listed(options, "or") }

func listed(items []string, word string) string {
	switch len(items) {
	case 0:
		return ""
	case 1:
		return items[0]
	}
	return strings.Join(items[:len(items)-1], ", ") + " " + word + " " + items[len(items)-1]
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
