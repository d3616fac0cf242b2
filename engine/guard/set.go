package guard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
)

// The names under which hits of what is always on are reported.
const (
	AlwaysSecrets = "always:secrets" // keys, and values of secret variables
	AlwaysPrivate = "always:private" // the agent's own instructions, recited
	AlwaysOthers  = "always:others"  // another customer's data
	AlwaysLinks   = "always:links"   // an address that the model made up
	AlwaysData    = "always:data"    // instructions in passages and results
	AlwaysBounded = "always:bounded" // a reply that never comes to a blank
)

const (
	maxHold    = 4096 // bytes that a stream holds back
	maxExcerpt = 80   // characters
)

// Options is what a Set knows besides rules.
type Options struct {
	Lexicon *lexis.Lexicon // nil = a new one, which costs milliseconds
	// Secrets are the values of the agent's secret variables and keys. Values of
	// fewer than six letters and digits are not guarded.
	Secrets []string
	// Private are texts that the model is told and nobody else: the engine's rules
	// and the task. Do not put in what the agent shall say word for word.
	Private []string
}

// Set is the rules of one revision of an agent and what is always on. It does
// not change and is safe for concurrent use.
type Set struct {
	lexicon *lexis.Lexicon
	rules   []guarded
	always  map[Where][]guarded
	secrets *shared
	private *shared
	orders  *orders
}

// check finds hits and knows where a text may still become part of one.
type check interface {
	find(v *view) []span
	// open is the first byte that may, with text to come, be part of a hit;
	// len(v.text) if none may.
	open(v *view) int
}

type guarded struct {
	Rule
	check check // nil for LLM
}

// New compiles rules. An error is fault.Invalid and names the rule; rules that
// Read accepted give none.
func New(rules []Rule, o Options) (*Set, error) {
	s := &Set{lexicon: o.Lexicon, secrets: newSecrets(o.Secrets), private: newPrivate(o.Private), orders: newOrders()}
	if s.lexicon == nil {
		s.lexicon = lexis.New()
	}
	for _, r := range rules {
		c, err := s.check(r)
		if err != nil {
			return nil, fmt.Errorf("guardrail %q: %w", r.Name, err)
		}
		s.rules = append(s.rules, guarded{r, c})
	}
	others := newPersonal(nil)
	others.others = true
	s.always = map[Where][]guarded{
		Output: {
			{Rule{Name: AlwaysSecrets, On: Output, Check: Secrets, Action: Block}, confidential{}},
			{Rule{Name: AlwaysPrivate, On: Output, Check: Secrets, Action: Block}, private{}},
			{Rule{Name: AlwaysOthers, On: Output, Check: PII, Action: Block}, others},
			{Rule{Name: AlwaysLinks, On: Output, Check: Secrets, Action: Mask}, links{}},
		},
		Arguments: {{Rule{Name: AlwaysSecrets, On: Tool, Check: Secrets, Action: Block}, confidential{}}},
		Result:    {{Rule{Name: AlwaysSecrets, On: Tool, Check: Secrets, Action: Mask}, confidential{}}},
		Passage:   {{Rule{Name: AlwaysSecrets, On: Tool, Check: Secrets, Action: Mask}, confidential{}}},
	}
	return s, nil
}

func (s *Set) check(r Rule) (check, error) {
	switch r.Check {
	case Topics:
		return newTopics(s.lexicon, r.Values), nil
	case Regex:
		return newExpressions(r.Values)
	case PII:
		return newPersonal(r.Values), nil
	case Secrets:
		return confidential{}, nil
	case PromptInjection:
		return s.orders, nil
	case Grounding:
		return newGrounds(r.Values), nil
	case Language:
		return tongues(r.Values), nil
	case MaxLength:
		if len(r.Values) == 1 {
			if n, err := strconv.Atoi(r.Values[0]); err == nil && n > 0 {
				return length{n, r.Action == Flag}, nil
			}
		}
		return nil, fmt.Errorf("max_length needs one number: %w", fault.Invalid)
	case LLM:
		return nil, nil
	}
	return nil, fmt.Errorf("unknown check %q: %w", r.Check, fault.Invalid)
}

// on are the checks of one side, what is always on first.
func (s *Set) on(where Where) []guarded {
	out := slices.Clone(s.always[where])
	for _, r := range s.rules {
		if r.On == where || r.On == Tool && (where == Arguments || where == Result) {
			out = append(out, r)
		}
	}
	return out
}

// Hit is one rule that spoke. Its excerpt holds no secret and nobody's data.
type Hit struct {
	Rule    string
	Check   Kind
	Action  Action
	Excerpt string
}

// Verdict is what may happen with a text.
type Verdict struct {
	Action  Action // the strictest of Hits
	Rule    string // which called for it
	Message string // what the human is told when the text does not pass, "" = the caller's own words
	Text    string // what passes: redacted, replaced; "" when nothing does
	Excerpt string
	Hits    []Hit
	// Asks are questions that a classifier must answer before Text passes; their
	// answers go to Judged.
	Asks []Ask
}

// add takes a hit into the verdict.
func (v *Verdict) add(r Rule, excerpt string) {
	h := Hit{Rule: r.Name, Check: r.Check, Action: r.Action, Excerpt: excerpt}
	if slices.Contains(v.Hits, h) {
		return
	}
	v.Hits = append(v.Hits, h)
	if r.Action.stricter(v.Action) {
		v.Action, v.Rule, v.Message, v.Excerpt = r.Action, r.Name, r.Message, excerpt
	}
}

// finish empties the text of a verdict that lets nothing pass.
func (v *Verdict) finish() {
	if !v.Action.stops() {
		return
	}
	v.Text, v.Asks = "", nil
	if v.Action == Replace {
		v.Text = v.Message
	}
}

// Check looks at one whole text. Text of a Result or a Passage is written for a
// model: injected instructions stand in it, marked as data; it is no longer JSON.
func (s *Set) Check(where Where, text string, of Scene) Verdict {
	v := view{text: text, scene: s.scene(of)}
	out := Verdict{Text: text}
	var masked []span
	for _, r := range s.on(where) {
		if r.check == nil {
			out.Asks = append(out.Asks, ask(r.Rule, text))
			continue
		}
		for _, h := range r.check.find(&v) {
			out.add(r.Rule, excerpt(&v, h))
			if r.Action == Mask {
				masked = append(masked, h)
			}
		}
	}
	if len(masked) > 0 {
		out.Text = mask(text, masked)
	}
	switch where {
	case Arguments:
		if out.Text != text && json.Valid([]byte(text)) && !json.Valid([]byte(out.Text)) {
			out.Action = Block // what is hit is part of the call itself
		}
	case Result, Passage:
		data := s.orders.data(out.Text)
		if data != out.Text {
			out.add(Rule{Name: AlwaysData, Check: PromptInjection, Action: Mask}, "")
			out.Text = data
		}
	case Input, Output, Tool:
	}
	out.finish()
	return out
}

// excerpt shows a hit to people, without what must not be shown.
func excerpt(v *view, h span) string {
	if h.label != "" {
		return "[" + h.label + "]"
	}
	text := v.text[h.start:h.end]
	inner := &view{text: text, scene: v.scene}
	hide := confidential{}.find(inner)
	hide = append(hide, newPersonal(nil).find(inner)...)
	hide = append(hide, private{}.find(inner)...)
	text = strings.Join(strings.Fields(mask(text, hide)), " ")
	if utf8.RuneCountInString(text) > maxExcerpt {
		text = string([]rune(text)[:maxExcerpt]) + "…"
	}
	return text
}

// mask writes "[label]" in place of spans; those that overlap become one.
func mask(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	var b strings.Builder
	at := 0
	for _, s := range spans {
		if s.end <= at {
			continue
		}
		if s.start >= at {
			b.WriteString(text[at:s.start])
			switch {
			case s.rest:
			case s.label == "":
				b.WriteString("[removed]")
			default:
				b.WriteString("[" + s.label + "]")
			}
		}
		at = s.end
	}
	b.WriteString(text[at:])
	return b.String()
}

// Redact takes cards, IBANs, national id numbers and keys out of a line that
// goes to a log or a trace. It needs no Set; secrets that have no shape are not
// seen by it.
func Redact(text string) string {
	return mask(text, append(identifiers(text), keys(text)...))
}

// length is a rule of kind MaxLength.
type length struct {
	most int
	note bool // the text is not cut
}

func (l length) find(v *view) []span {
	n := v.before
	for i := range v.text {
		if n == l.most {
			if l.note {
				return []span{{start: i, end: i + 1}}
			}
			return []span{{start: i, end: len(v.text), rest: true}}
		}
		n++
	}
	return nil
}

func (length) open(v *view) int { return len(v.text) }
