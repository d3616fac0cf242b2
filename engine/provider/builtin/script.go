package builtin

import (
	"regexp"
	"slices"
	"strings"

	"flametree/engine/knowledge/lexis"
)

// exchange is one answer of an example dialogue with what leads to it.
type exchange struct {
	opening string   // what the agent said before, "" at the beginning
	earlier []string // and what it said before that
	human   string   // "" when the agent speaks first
	agent   string
}

var (
	exampleLine = regexp.MustCompile(`(?i)^[-*•\s]*(?:\*\*)?(human|customer|client|caller|user|guest|subscriber|visitor|agent|assistant|ai|bot|operator)(?:\*\*)?\s*:\s*(?:\*\*)?(.*)$`)
	humanWord   = regexp.MustCompile(`(?i)^(human|customer|client|caller|user|guest|subscriber|visitor)$`)
	headLine    = regexp.MustCompile(`^\s*(#+|---|\*\*[^*]+\*\*\s*$)`)
	quoted      = regexp.MustCompile(`[“"]([^”"]{2,300})[”"]`)
)

// exchanges reads the example dialogues of a description and returns the rest.
func exchanges(description string) (out []exchange, rest string) {
	var other []string
	cur, mine := exchange{}, false // mine: the agent spoke last
	for l := range strings.SplitSeq(description, "\n") {
		m := exampleLine.FindStringSubmatch(l)
		if m == nil {
			if headLine.MatchString(l) || strings.TrimSpace(l) == "" && mine {
				cur, mine = exchange{}, false
			}
			if !headLine.MatchString(l) {
				other = append(other, l)
			}
			continue
		}
		text := strings.Trim(strings.TrimSpace(m[2]), `"“”`)
		if humanWord.MatchString(m[1]) {
			cur.human, mine = text, false
			continue
		}
		if mine && cur.agent != "" {
			cur.agent += " " + text
		} else {
			cur.agent = text
		}
		if text != "" {
			out = append(out, cur)
		}
		before := cur.earlier
		if cur.opening != "" {
			before = append(slices.Clone(before), cur.opening)
		}
		cur = exchange{opening: text, earlier: before}
		mine = true
	}
	return out, strings.Join(other, "\n")
}

// resemblance says how alike two short lines are, word by word, everyday words
// included: 1 the same words.
func (t *turn) resemblance(a, b string) float64 {
	wa, wb := lexis.Words(a), lexis.Words(b)
	if len(wa) == 0 || len(wb) == 0 || len(wa) > 200 || len(wb) > 200 {
		return 0
	}
	hit := 0
	for _, x := range wa {
		for _, y := range wb {
			if x.Text == y.Text || lexis.Alike(t.lex.Stem(x.Text), t.lex.Stem(y.Text)) {
				hit++
				break
			}
		}
	}
	back := 0
	for _, y := range wb {
		for _, x := range wa {
			if x.Text == y.Text || lexis.Alike(t.lex.Stem(x.Text), t.lex.Stem(y.Text)) {
				back++
				break
			}
		}
	}
	return float64(hit+back) / float64(len(wa)+len(wb))
}

// example finds the agent's line for what the customer said. A short line (yes)
// only counts after the line that leads to it in the example.
func (t *turn) example(examples []exchange) string {
	best, line := 0.74, ""
	for _, e := range examples {
		if e.human == "" {
			continue
		}
		s := t.resemblance(t.last.text, e.human)
		if e.opening != "" {
			led := t.resemblance(t.last.prev, e.opening)
			if agreed := asLine(e.human); short(agreed.norm, 3) && (yes(agreed) || no(agreed)) {
				// Yes and No may be written one after the other for one question.
				for _, o := range e.earlier {
					led = max(led, t.resemblance(t.last.prev, o))
				}
			}
			if len(lexis.Words(e.human)) <= 3 && led < 0.6 {
				continue
			}
			s += 0.2 * led
			if led >= 0.6 && (yes(t.last) && yes(asLine(e.human)) || no(t.last) && no(asLine(e.human))) && short(t.last.norm, 4) {
				s = max(s, 0.9)
			}
		} else if len(lexis.Words(e.human)) == 1 && s < 1 {
			continue
		}
		if s > best {
			best, line = s, t.personal(e)
		}
	}
	return line
}

func asLine(s string) line { return line{text: s, norm: normal(s), question: asks(s)} }

// personal puts the customer's own name in the place of the example's.
func (t *turn) personal(e exchange) string {
	theirs := t.name(asLine(e.human), true)
	mine := t.name(t.last, true)
	if theirs == "" || mine == "" {
		return e.agent
	}
	out := strings.ReplaceAll(e.agent, theirs, mine)
	first, _, _ := strings.Cut(theirs, " ")
	own, _, _ := strings.Cut(mine, " ")
	if !strings.Contains(out, mine) {
		out = strings.ReplaceAll(out, first, own)
	}
	return out
}

// step is one instruction of a description.
type step struct {
	ask       bool
	text      string // what to say
	when      string // condition in its own words, "" for always
	unknown   bool   // to be said when the answer is not known
	farewell  bool   // to be said at the end
	collected bool   // only once the results are there
}

var (
	bullet    = regexp.MustCompile(`^\s*(?:[-*•]|\d+[.)])\s*`)
	sayVerb   = regexp.MustCompile(`(?i)^(?:(?:then|first|next|finally|always|please|and|now)[, ]+)*(say|tell|inform|reply|respond|answer|explain|let|greet|welcome|apologi[sz]e|thank|end|close|finish)\b`)
	askVerb   = regexp.MustCompile(`(?i)^(?:(?:then|first|next|finally|always|please|and|now|politely)[, ]+)*(ask|offer|propose|suggest)\b`)
	condition = regexp.MustCompile(`(?i)^(if|when|once|after|unless|in case)\b([^,:]{3,120})[,:]\s*(.+)$`)
	condTail  = regexp.MustCompile(`(?i)\s\b(if|when|once|after|unless|in case)\b (.{3,120})$`)
	notKnown  = regexp.MustCompile(`(?i)\b(do not know|don't know|cannot answer|can't answer|not in the knowledge|no answer|no information|not covered|unknown|not sure|outside|cannot help|unable to)\b`)
	atTheEnd  = regexp.MustCompile(`(?i)\b(goodbye|good bye|ends?|bye|leave|finish(es|ed)?|no (more|further|other) questions?|nothing else)\b`)
	allGiven  = regexp.MustCompile(`(?i)\b(collected|provided|given|gives|provides|received|known|have (it|them|all|everything|both)|noted|registered)\b`)
	negative  = regexp.MustCompile(`(?i)\b(do not|don't|never|avoid|must not|without asking|no need to|not ask)\b`)
)

// steps reads the instructions of a description, sentence by sentence.
func (t *turn) steps(description string) []step {
	var out []step
	for l := range strings.SplitSeq(description, "\n") {
		l = bullet.ReplaceAllString(l, "")
		for _, s := range instructions(l) {
			if st, ok := t.step(s); ok && len(out) < 40 {
				out = append(out, st)
			}
		}
	}
	return out
}

// instructions cuts a line into sentences but leaves quotations whole.
func instructions(l string) []string {
	marks := quoted.FindAllStringIndex(l, -1)
	safe := []byte(l)
	for _, m := range marks {
		end := m[1] - 2 // the last mark inside may end the sentence
		for i := m[0]; i < end; i++ {
			if safe[i] == '.' || safe[i] == '!' || safe[i] == '?' || safe[i] == ';' {
				safe[i] = 0
			}
		}
	}
	var out []string
	at := 0
	for _, s := range lexis.Sentences(string(safe)) {
		i := strings.Index(string(safe[at:]), s)
		if i < 0 {
			continue
		}
		out = append(out, l[at+i:at+i+len(s)])
		at += i + len(s)
	}
	return out
}

// step reads one instruction. What it does not understand is none.
func (t *turn) step(s string) (step, bool) {
	s = strings.TrimSpace(s)
	st := step{}
	if m := condition.FindStringSubmatch(s); m != nil {
		st.when, s = strings.TrimSpace(m[2]), m[3]
	} else if q := quoted.FindStringIndex(s); q == nil {
		if m := condTail.FindStringSubmatchIndex(s); m != nil && !strings.HasPrefix(strings.ToLower(s), "ask if") && !strings.Contains(strings.ToLower(s[:m[0]+1]), "ask ") {
			st.when, s = s[m[4]:m[5]], s[:m[0]]
		}
	} else if m := condTail.FindStringSubmatch(s[q[1]:]); m != nil {
		st.when = m[2]
	}
	st.unknown = notKnown.MatchString(st.when)
	st.farewell = atTheEnd.MatchString(st.when) && !allGiven.MatchString(st.when)
	st.collected = allGiven.MatchString(st.when)
	if negative.MatchString(s) {
		return step{}, false
	}
	switch {
	case askVerb.MatchString(s):
		return t.askStep(st, s)
	case sayVerb.MatchString(s):
		return t.sayStep(st, s)
	}
	return step{}, false
}

var (
	askPlain = regexp.MustCompile(`(?i)^.*?\bask\b(?: (?:the |your |a )?(?:human|customer|client|caller|user|guest|subscriber|visitor|them|him|her|person))?\s+(whether|if|what|which|when|where|how|who|why)\b\s*(.+)$`)
	askFor   = regexp.MustCompile(`(?i)^.*?\bask\b(?: (?:the |your |a )?(?:human|customer|client|caller|user|guest|subscriber|visitor|them|him|her|person))?(?: politely)?\s+(?:for|about)\s+(?:the |their |his |her |a |an )?(?:(?:human|customer|client|caller|user|guest|subscriber|visitor)'s )?(.+)$`)
	offerIt  = regexp.MustCompile(`(?i)^.*?\b(?:offer|propose|suggest)\b(?: (?:the |your |a )?(?:human|customer|client|caller|user|guest|subscriber|visitor|them|him|her))?\s+(?:to )?(.+)$`)
	sayThat  = regexp.MustCompile(`(?i)^.*?\b(?:say|tell|inform|reply|respond|answer|explain|let)\b(?: (?:to )?(?:the |your |a )?(?:human|customer|client|caller|user|guest|subscriber|visitor|them|him|her|person))?(?: know)?\s+(?:that|why|how)\s+(.+)$`)
)

// askStep words a question: quoted as it stands, of a result as results are
// asked for, otherwise turned towards the customer.
func (t *turn) askStep(st step, s string) (step, bool) {
	st.ask = true
	if q := quoted.FindStringSubmatch(s); q != nil {
		st.text = q[1]
		return st, true
	}
	if m := askFor.FindStringSubmatch(s); m != nil {
		if len(t.fieldsIn(s)) > 0 || contactWords.MatchString(s) {
			return step{}, false // collect.go asks for results
		}
		st.text = "Could you tell me your " + trimEnd(m[1]) + ", please?"
		return st, true
	}
	if m := askPlain.FindStringSubmatch(s); m != nil {
		word, rest := strings.ToLower(m[1]), towards(trimEnd(m[2]))
		switch {
		case word != "whether" && word != "if":
			st.text = "May I ask " + word + " " + rest + "?"
		case strings.HasPrefix(rest, "you want to "):
			st.text = "Would you like to " + rest[len("you want to "):] + "?"
		case strings.HasPrefix(rest, "you would like "):
			st.text = "Would you like " + rest[len("you would like "):] + "?"
		default:
			st.text = inverted(rest)
		}
		return st, true
	}
	if m := offerIt.FindStringSubmatch(s); m != nil {
		st.text = "If you like, I can offer you " + towards(trimEnd(m[1])) + "."
		return st, true
	}
	return step{}, false
}

// sayStep words a saying: quoted, or what follows that.
func (t *turn) sayStep(st step, s string) (step, bool) {
	if q := quoted.FindStringSubmatch(s); q != nil {
		st.text = q[1]
	} else if m := sayThat.FindStringSubmatch(s); m != nil {
		st.text = sentence(towards(trimEnd(m[1])))
	} else {
		return step{}, false
	}
	low := strings.ToLower(s)
	if strings.HasPrefix(low, "end ") || strings.HasPrefix(low, "close ") || strings.HasPrefix(low, "finish ") {
		st.farewell = true
	}
	return st, true
}

var (
	third    = regexp.MustCompile(`(?i)\b(?:the|this|a) (?:human|customer|client|caller|user|guest|subscriber|visitor|person)s?\b(?: (\w+))?|\b(?:they|he|she)\b(?: (\w+))?`)
	whose    = regexp.MustCompile(`(?i)\b(?:the|this) (?:human|customer|client|caller|user|guest|subscriber|visitor|person)'s\b|\b(?:their|his|her)\b`)
	them     = regexp.MustCompile(`(?i)\b(?:them|him)\b`)
	myThings = regexp.MustCompile(`(?i)\bthe agent\b`)
)

// towards turns words about the customer into words to the customer.
func towards(s string) string {
	s = whose.ReplaceAllString(s, "your")
	s = myThings.ReplaceAllString(s, "I")
	s = third.ReplaceAllStringFunc(s, func(m string) string {
		f := strings.Fields(m)
		verb := ""
		switch n := strings.ToLower(f[0]); {
		case n == "they" || n == "he" || n == "she":
			if len(f) > 1 {
				verb = f[1]
			}
		case len(f) > 2:
			verb = f[2]
		}
		if verb == "" {
			return "you"
		}
		return "you " + second(verb)
	})
	return them.ReplaceAllString(s, "you")
}

// second is a verb of the third person in the second.
func second(v string) string {
	switch low := strings.ToLower(v); {
	case low == "is":
		return "are"
	case low == "was":
		return "were"
	case low == "has":
		return "have"
	case low == "does":
		return "do"
	case strings.HasSuffix(low, "ss") || len(low) < 4:
		return v
	case strings.HasSuffix(low, "ies"):
		return low[:len(low)-3] + "y"
	case strings.HasSuffix(low, "shes") || strings.HasSuffix(low, "ches") || strings.HasSuffix(low, "sses"):
		return low[:len(low)-2]
	case strings.HasSuffix(low, "s"):
		return low[:len(low)-1]
	}
	return v
}

// inverted makes a question of "you have a member card".
func inverted(rest string) string {
	f := strings.Fields(rest)
	if len(f) > 1 && f[0] == "you" {
		switch f[1] {
		case "are", "were", "can", "could", "will", "would", "should", "have":
			if f[1] != "have" {
				return sentence(f[1]+" you "+strings.Join(f[2:], " ")) + "?"
			}
			return "Do " + rest + "?"
		}
		return "Do " + rest + "?"
	}
	return "May I ask whether " + rest + "?"
}

func trimEnd(s string) string { return strings.TrimRight(strings.TrimSpace(s), ".,;:!") }

// sentence begins with a capital and ends with a point unless it ends already.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	return s
}
