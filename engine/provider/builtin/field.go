package builtin

import (
	"regexp"
	"strings"
	"unicode"

	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

// kind is what a field holds, as far as its words tell.
type kind string

const (
	kindText    kind = "text"
	kindName    kind = "name"
	kindEmail   kind = "email"
	kindPhone   kind = "phone"
	kindDate    kind = "date"
	kindTime    kind = "datetime"
	kindInt     kind = "int"
	kindNumber  kind = "number"
	kindAmount  kind = "amount"
	kindCode    kind = "code" // a number of reference
	kindBool    kind = "bool"
	kindOption  kind = "option"
	kindList    kind = "list"
	kindTopic   kind = "topic"
	kindSummary kind = "summary"
	kindStage   kind = "stage"
)

// field is a conversation result with what its words say.
type field struct {
	provider.Field
	kind  kind
	label string // how a customer is asked for it: policy number
}

var (
	wordEmail   = regexp.MustCompile(`\b(e ?mail|mail address)\b`)
	wordPhone   = regexp.MustCompile(`\b(phone|telephone|mobile|cell|callback number|contact number|number to call)\b`)
	wordName    = regexp.MustCompile(`\b(full ?name|first ?name|last ?name|surname|family name|((human|customer|caller|client|guest|visitor|member|contact|user|person|patient|passenger|holder|traveller|traveler|subscriber|your|participant|applicant|borrower|tenant|lead|child|children)s? )(s )?(full )?name|^name)\b`)
	wordOfName  = regexp.MustCompile(`\bname of (the |a )?(human|customer|caller|client|guest|visitor|member|user|person|patient|passenger|holder|traveller|traveler|subscriber|participant|applicant)\b`)
	wordDate    = regexp.MustCompile(`\b(date|day|birthday|when)\b`)
	wordCode    = regexp.MustCompile(`\b(number|code|reference|ref|id|identifier|iban|postcode|zip|pin)\b`)
	wordAmount  = regexp.MustCompile(`\b(budget|amount|income|salary|price|sum|loan size|deposit)\b`)
	wordCount   = regexp.MustCompile(`\b(number of|how many|count|quantity|age)\b`)
	wordNotAsk  = regexp.MustCompile(`^(human|customer|client|caller|user|guest|visitor|subscriber|lead|contact|the|a|an|your|their|his|her)s? `)
	bareWord    = regexp.MustCompile(`^(number|id|code|type|status|account|reference|age|category|group|level)$`)
	wordWhether = regexp.MustCompile(`(?i)\b(whether|if|indicates? (that|whether)|true when|yes or no)\b`)
)

// newField reads what a field's words say.
func newField(p provider.Field) field {
	f := field{Field: p, label: label(p)}
	name := normal(camel(p.Name) + " " + p.Title)
	all := name + " " + normal(p.Description)
	switch typ := strings.ToLower(strings.TrimSpace(p.Type)); {
	case len(p.Options) > 0:
		f.kind = kindOption
	case typ == "bool" || typ == "boolean":
		f.kind = kindBool
	case typ == "datetime":
		f.kind = kindTime
	case typ == "date":
		f.kind = kindDate
	case typ == "int" || typ == "integer":
		f.kind = kindInt
	case typ == "number" || typ == "float":
		f.kind = kindNumber
	case strings.HasPrefix(typ, "list") || typ == "array":
		f.kind = kindList
	default:
		f.kind = textKind(name, all, p.Description)
	}
	return f
}

// textKind tells kinds of text apart, first by name and title, then by description.
func textKind(name, all, description string) kind {
	switch {
	case strings.Contains(name, "summary"):
		return kindSummary
	case strings.Contains(name, "topic") || strings.Contains(name, "subject"):
		return kindTopic
	case strings.Contains(name, "stage"):
		return kindStage
	}
	for _, s := range []string{name, all} {
		switch {
		case wordEmail.MatchString(s):
			return kindEmail
		case wordPhone.MatchString(s):
			return kindPhone
		case wordName.MatchString(s) || wordOfName.MatchString(s):
			return kindName
		case wordCount.MatchString(s):
			return kindText
		case wordCode.MatchString(s):
			return kindCode
		case wordAmount.MatchString(s):
			return kindAmount
		case wordDate.MatchString(s):
			return kindDate
		}
		if wordWhether.MatchString(description) {
			return kindBool
		}
	}
	return kindText
}

// camel puts spaces into HumanFullName and policy_number.
func camel(s string) string {
	var b strings.Builder
	var before rune
	for _, r := range s {
		switch {
		case r == '_' || r == '-':
			b.WriteByte(' ')
		case unicode.IsUpper(r) && unicode.IsLower(before):
			b.WriteByte(' ')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

// label is the noun by which a customer is asked.
func label(p provider.Field) string {
	l := strings.TrimSpace(p.Title)
	if l == "" || strings.Count(l, " ") > 4 {
		l = camel(p.Name)
	}
	l = strings.ToLower(l)
	for {
		s := wordNotAsk.ReplaceAllString(l, "")
		if s == l || s == "" || bareWord.MatchString(s) {
			return l
		}
		l = s
	}
}

// derived reports whether a field is drawn from the conversation and never asked for.
func (f field) derived() bool {
	return f.kind == kindTopic || f.kind == kindSummary || f.kind == kindStage
}

// cues are the words that mean a field of a kind, whatever it is called.
func (f field) cues() *regexp.Regexp {
	switch f.kind { //nolint:exhaustive // the others have no words of their own
	case kindName:
		return cueName
	case kindEmail:
		return cueEmail
	case kindPhone:
		return cuePhone
	}
	return nil
}

var (
	cueName  = regexp.MustCompile(`\b(names?|what (should|may|can) i call you|speaking (with|to))\b`)
	cueEmail = regexp.MustCompile(`\b(e ?mails?|mail address(es)?)\b`)
	cuePhone = regexp.MustCompile(`\b((tele)?phone|mobile|cell|callback|(contact|phone) number|number (can|should|may|to) .{0,12}(call|reach)|number .{0,20}(call|reach) you)\b`)
)

// mentioned says how well a text speaks of a field, 0..1.
func (t *turn) mentioned(f field, text string) float64 {
	norm := normal(text)
	if c := f.cues(); c != nil {
		if c.MatchString(norm) && !foreignName(f, norm) {
			return 1
		}
		return 0
	}
	words := t.terms(text)
	own := t.terms(f.label)
	if len(own) == 0 {
		own = t.terms(f.Description)
	}
	best := t.whole(own, words)
	if d := t.noun(f.Description); len(d) > 0 {
		best = max(best, 0.95*t.whole(d, words))
	}
	return best
}

// foreignName reports whether a text speaks of the name of something else.
func foreignName(f field, norm string) bool {
	return f.kind == kindName && strings.Contains(norm, "name of the ") && !wordOfName.MatchString(norm) &&
		!strings.Contains(norm, "your name") && !strings.Contains(norm, "full name")
}

// whole is Overlap with light words counted whole: a label has few words.
func (t *turn) whole(own, words []lexis.Term) float64 {
	if len(own) == 0 {
		return 0
	}
	hit := 0.0
	for _, o := range own {
		hit += t.lex.Match(o.Stem, words)
	}
	return hit / float64(len(own))
}

// noun are the terms of a description's first words, where the thing is named.
func (t *turn) noun(description string) []lexis.Term {
	head := description
	if i := strings.IndexAny(head, ".,;(:"); i > 0 {
		head = head[:i]
	}
	terms := t.terms(head)
	terms = without(terms, func(x lexis.Term) bool { return x.Weight < lexis.Content })
	if len(terms) > 4 {
		return nil
	}
	return terms
}

// askedIn finds the field that the agent's text asked for last.
func (t *turn) askedIn(said string) string {
	name, ok := t.requests[said]
	if !ok {
		name = t.findAsked(said)
		t.requests[said] = name
	}
	return name
}

func (t *turn) findAsked(said string) string {
	q := request(said)
	if q == "" {
		return ""
	}
	name, best := "", 0.5
	for _, f := range t.fields {
		if f.derived() {
			continue
		}
		if m := t.mentioned(f, q); m > best {
			name, best = f.Name, m
		}
	}
	return name
}

// request is the last sentence of a text that wants something of the customer.
func request(said string) string {
	if said == "" {
		return ""
	}
	ss := lexis.Sentences(said)
	for i := len(ss) - 1; i >= 0 && i >= len(ss)-3; i-- {
		n := normal(ss[i])
		if strings.HasSuffix(ss[i], "?") || strings.HasPrefix(n, "please ") || actAskMe.MatchString(n) {
			return ss[i]
		}
	}
	return ""
}

var actAskMe = regexp.MustCompile(`^(could|can|may|would|will) (i|you)\b|\b(tell|give|let) me\b|^and (your|what)\b`)

// field finds a field by name.
func (t *turn) field(name string) (field, bool) {
	for _, f := range t.fields {
		if f.Name == name {
			return f, true
		}
	}
	return field{}, false
}
