package guard

import (
	"slices"
	"strconv"
	"strings"

	"flametree/engine/workflow/located"
)

// The limits of rules.
const (
	MaxRules   = 100
	MaxValues  = 100
	MaxValue   = 500 // characters of a value, expressions included
	maxName    = 64
	maxMessage = 1000
)

// Rule is one GuardrailConfig, read and valid. It does not change.
type Rule struct {
	Name    string // unique in its agent
	On      Where  // Input, Output or Tool
	Check   Kind
	Values  []string
	Action  Action // never Pass
	Message string // what the human is told; "" = the caller's own words
}

// Read reads the rules of an agent's file, a list or a block scalar that holds
// one. What is wrong goes to r, with its place; then the rules are not usable.
func Read(n located.Node, r *located.Report) []Rule {
	n = located.Unfold(n, r)
	p := reader{Report: r}
	p.Each("guardrails", p.rule)(n)
	if len(n.Items) > MaxRules {
		r.Fault(n.Items[MaxRules], "more than %d guardrails", MaxRules)
	}
	return p.rules
}

type reader struct {
	*located.Report
	rules []Rule
}

func (p *reader) rule(n located.Node) {
	if n.Kind != located.Map {
		p.Fault(n, "a guardrail must be a mapping, this is %s", located.Describe(n))
		return
	}
	rule := Rule{On: Output, Action: Block}
	var kind, on, check, action string
	p.Map(n, "a guardrail",
		located.Key{Name: "name", Read: p.String("name", maxName, &rule.Name)},
		located.Key{Name: "kind", Read: p.String("kind", maxName, &kind)},
		located.Key{Name: "applies_to", Read: p.String("applies_to", maxName, &on)},
		located.Key{Name: "check", Read: p.String("check", maxName, &check)},
		located.Key{Name: "values", Read: p.Strings("values", MaxValue, &rule.Values)},
		located.Key{Name: "action", Read: p.String("action", maxName, &action)},
		located.Key{Name: "message", Read: p.String("message", maxMessage, &rule.Message)},
	)
	if kind != "" && kind != "GuardrailConfig" {
		p.Fault(n.Get("kind"), "kind must be GuardrailConfig, this is %q", kind)
	}
	switch {
	case rule.Name == "":
		p.Fault(n, "a guardrail needs a name")
	case slices.ContainsFunc(p.rules, func(o Rule) bool { return o.Name == rule.Name }):
		p.Fault(n.Get("name"), "guardrail %q exists already", rule.Name)
	}
	ok := p.one(n, "applies_to", on, []string{"input", "output", "tool"}, func(s string) { rule.On = Where(s) })
	ok = p.one(n, "action", action, []string{"block", "redact", "replace", "handoff", "flag", "confirm"}, func(s string) { rule.Action = Action(s) }) && ok
	if check == "" {
		p.Fault(n, "guardrail %q needs a check", rule.Name)
	}
	ok = p.one(n, "check", check, kinds(), func(s string) { rule.Check = Kind(s) }) && ok && check != ""
	if ok {
		p.fits(n, rule)
		p.values(n, rule)
	}
	p.rules = append(p.rules, rule)
}

func kinds() []string {
	return []string{
		string(Topics), string(Regex), string(PII), string(Secrets), string(PromptInjection), string(Grounding),
		string(Language), string(MaxLength), string(LLM),
	}
}

// one reads a word out of a list; an absent one leaves the default.
func (p *reader) one(n located.Node, key, value string, known []string, set func(string)) bool {
	if value == "" {
		return true
	}
	if !slices.Contains(known, value) {
		p.Fault(n.Get(key), "%s must be one of %s, this is %q%s", key, strings.Join(known, ", "), value, located.Suggest(value, known))
		return false
	}
	set(value)
	return true
}

// fits looks at what of a rule contradicts the rest of it.
func (p *reader) fits(n located.Node, r Rule) {
	at := func(key string) located.Node {
		if v := n.Get(key); v.Line > 0 {
			return v
		}
		return n
	}
	switch {
	case r.Action == Confirm && r.On != Tool:
		p.Fault(at("action"), "confirm is for applies_to: tool; only a call can wait for the human's yes")
	case r.Action == Replace && r.Message == "":
		p.Fault(at("action"), "replace needs a message that is said instead")
	case r.Action == Replace && r.On == Tool:
		p.Fault(at("action"), "replace is for input and output; a call has no words to replace")
	case r.Action == Mask && slices.Contains([]Kind{Topics, Language, LLM, PromptInjection}, r.Check) && r.On != Tool:
		p.Fault(at("action"), "%s cannot be redacted: the hit is a whole sentence; use replace or block", r.Check)
	case r.Check == PromptInjection && r.On == Output:
		p.Fault(at("applies_to"), "prompt_injection looks at input and tool, not at the agent's own words")
	case (r.Check == Grounding || r.Check == Language) && r.On != Output:
		p.Fault(at("applies_to"), "%s looks at output only", r.Check)
	}
}

// values checks what a kind of check wants to be told.
func (p *reader) values(n located.Node, r Rule) {
	at := n.Get("values")
	if at.Line == 0 {
		at = n
	}
	place := func(i int) located.Node {
		if i < len(at.Items) {
			return at.Items[i]
		}
		return at
	}
	if len(r.Values) > MaxValues {
		p.Fault(place(MaxValues), "more than %d values", MaxValues)
		return
	}
	switch r.Check {
	case Topics, Regex, LLM, MaxLength:
		if len(r.Values) == 0 {
			p.Fault(at, "%s needs values", r.Check)
			return
		}
	case PII, Secrets, PromptInjection, Grounding, Language:
	}
	for i, v := range r.Values {
		p.value(place(i), r.Check, v, i)
	}
}

// value checks the i-th value.
func (p *reader) value(at located.Node, check Kind, v string, i int) {
	switch check {
	case Regex:
		if _, err := compile(v); err != nil {
			p.Fault(at, "%s", err)
		}
	case PII:
		p.known(at, v, []string{labelCard, labelIBAN, labelID, labelEmail, labelPhone})
	case Grounding:
		p.known(at, v, []string{"figures", "dates", "prices", "names"})
	case MaxLength:
		if size, err := strconv.Atoi(v); err != nil || size < 1 || i > 0 {
			p.Fault(at, "max_length needs one number of characters, this is %q", v)
		}
	case Language:
		if code := tongue(v); len(code) < 2 || len(code) > 3 {
			p.Fault(at, "a language is written as en, de or pt-BR, this is %q", v)
		}
	case Topics:
		if len(strings.Fields(v)) > maxTopicWords {
			p.Fault(at, "a topic has at most %d words", maxTopicWords)
		}
	case Secrets, PromptInjection:
		p.Warn(at, "%s needs no values; %q is ignored", check, v)
	case LLM:
	}
}

func (p *reader) known(at located.Node, v string, names []string) {
	if !slices.Contains(names, v) {
		p.Fault(at, "value must be one of %s, this is %q%s", strings.Join(names, ", "), v, located.Suggest(v, names))
	}
}
