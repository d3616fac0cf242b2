package builtin

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"flametree/engine/knowledge"
	"flametree/engine/knowledge/lexis"
)

// The lines above which a passage answers; see weights in engine/knowledge for
// what they were chosen on.
const (
	answerLine    = 0.43 // a question
	statementLine = 0.46 // something that was not asked: my card is gone
	identityLine  = 0.5  // answered from the agent's own identity
)

// The most words of an answer.
const (
	voiceWords = 45
	textWords  = 80
)

// maxQuestions is how many questions of one message are answered.
const maxQuestions = 3

// ask is one question of the customer with what helps to understand it.
type ask struct {
	text     string
	lead     string // what was told in the same message before it was asked
	before   string // lead, and what the conversation was about
	question bool
}

// asked cuts the customer's line into questions. A statement before a question
// belongs to it.
func (t *turn) asked() []ask {
	var out []ask
	before := t.earlier()
	lead := ""
	for _, s := range parts(t.last.text) {
		norm := social(normal(s))
		if norm == "" || actYes.MatchString(norm) && short(norm, 3) || actNo.MatchString(norm) && short(norm, 3) {
			continue
		}
		question := asks(s) || t.elliptic(s)
		if question || len(out) > 0 && len(t.content(s)) > 1 {
			out = append(out, ask{text: s, lead: lead, before: strings.TrimSpace(lead + " " + before), question: question})
			before, lead = s, ""
			continue
		}
		lead = strings.TrimSpace(lead + " " + s)
	}
	if lead != "" {
		out = append(out, ask{text: lead, before: t.earlier()})
	}
	return out[:min(len(out), maxQuestions)]
}

// elliptic reports whether a line goes on asking without the words of a question:
// and for the small one.
func (t *turn) elliptic(s string) bool {
	return goesOn.MatchString(normal(s)) && short(normal(s), 8) && t.last.asked == "" && t.earlier() != "" ||
		goesOn.MatchString(normal(s)) && strings.HasPrefix(normal(s), "and for ")
}

var goesOn = regexp.MustCompile(`^(and|or|but|for|also)\b`)

// earlier is what the customer talked about before: the last line with words of
// its own.
func (t *turn) earlier() string {
	for i := len(t.lines) - 2; i >= 0 && i >= len(t.lines)-4; i-- {
		l := t.lines[i]
		n := len(t.content(l.text))
		if n > 0 && (l.question || goesOn.MatchString(l.norm) || l.asked == "" && n > 1) {
			return l.text
		}
	}
	return ""
}

// content are the words of a text that say what it is about.
func (t *turn) content(s string) []lexis.Term {
	return without(t.terms(s), func(x lexis.Term) bool { return x.Weight < lexis.Content })
}

var (
	andAsk  = regexp.MustCompile(`(?i)(?:,? (?:and|also|plus|but|so)(?: also| then)?|,) ((?:how|what|when|where|who|why|which|can|could|do|does|is|are|will|would|should|may|am|must)\b)`)
	thenAsk = regexp.MustCompile(`(?i) ((?:what|how|where|when|why) (?:should|shall|do|does|can|could|is|are|will|would|must|happens) )`)
)

// parts cuts a line into sentences, and a sentence of two questions, or of a
// story and its question, in two.
func parts(s string) []string {
	var out []string
	for _, q := range lexis.Sentences(s) {
		from := 0
		cutAt := func(m []int) {
			if head := q[from:max(from, m[0])]; len(strings.Fields(head)) >= 2 {
				out = append(out, head)
				from = m[2]
			}
		}
		if all := andAsk.FindAllStringSubmatchIndex(q, 4); len(all) > 0 {
			for _, m := range all {
				cutAt(m)
			}
		} else if m := thenAsk.FindStringSubmatchIndex(q); m != nil && len(strings.Fields(q[:m[0]])) >= 4 && !asks(q[:m[0]]) {
			cutAt(m)
		}
		out = append(out, q[from:])
	}
	return out
}

// answer finds what the knowledge says to a question, "" for nothing.
func (t *turn) answer(q ask) string {
	query := knowledge.Query{Text: q.text, Before: q.before, Familiar: t.familiar, K: 4}
	line := answerLine
	if !q.question {
		line = statementLine
	}
	hits := t.find(query)
	if len(hits) > 0 && hits[0].Score < line && q.lead != "" {
		// A story and its question may only together be understood.
		both := query
		both.Text, both.Before = q.lead+" "+q.text, ""
		if h := t.find(both); len(h) > 0 && h[0].Score >= line && h[0].ID == hits[0].ID {
			query, hits = both, h
		}
	}
	if len(hits) == 0 || hits[0].Score < line {
		if q.question {
			return t.fromIdentity(query)
		}
		return ""
	}
	for _, h := range hits {
		if l := t.listing(q.text, h); l != "" {
			return l
		}
	}
	return t.compose(query, hits[0])
}

// find ranks the passages of the request. They are few, so a word may look rarer
// than it is; the score they came with, which knows them all, has half a say
// when it was given for this very question.
func (t *turn) find(q knowledge.Query) []knowledge.Hit {
	hits := t.index.Find(q)
	if knowledge.Leans(t.lex, q.Text) {
		return t.stay(hits)
	}
	if len(parts(t.last.text)) > 1 {
		return hits
	}
	for i, h := range hits {
		if n, err := strconv.Atoi(h.ID); err == nil && n < len(t.found) && t.found[n] > 0 {
			hits[i].Score = (h.Score + math.Min(1, t.found[n])) / 2
		}
	}
	slices.SortStableFunc(hits, func(a, b knowledge.Hit) int { return cmp.Compare(b.Score, a.Score) })
	return hits
}

// stay prefers the passage that the agent has just answered from: a follow-up
// mostly asks for more of the same.
func (t *turn) stay(hits []knowledge.Hit) []knowledge.Hit {
	said := ""
	if ss := lexis.Sentences(t.last.prev); len(ss) > 0 {
		said = ss[0]
	}
	if _, after, ok := strings.Cut(said, ": "); ok {
		said = after // the heading it was said under
	}
	if len(strings.Fields(said)) < 3 {
		return hits
	}
	for i, h := range hits {
		if t.contained(said, h.Text) >= 0.9 {
			hits[i].Score = math.Min(1, h.Score*1.25)
		}
	}
	slices.SortStableFunc(hits, func(a, b knowledge.Hit) int { return cmp.Compare(b.Score, a.Score) })
	return hits
}

// compose says what a passage says to a question.
func (t *turn) compose(q knowledge.Query, h knowledge.Hit) string {
	limit := textWords
	if t.voice {
		limit = voiceWords
	}
	var b strings.Builder
	head := ""
	picked := t.index.Pick(q, h, limit)
	for i, s := range picked {
		text := plain(s.Text)
		if s.Heading != "" && s.Heading != head && t.named(q, h, s, picked) {
			text = strings.TrimRight(s.Heading, ":") + ": " + text
		}
		head = s.Heading
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(point(text))
	}
	return b.String()
}

// named reports whether a sentence must be said with its heading: when it does
// not name its subject itself and the passage has several.
func (t *turn) named(q knowledge.Query, h knowledge.Hit, s knowledge.Sentence, picked []knowledge.Sentence) bool {
	heading := t.content(s.Heading)
	if len(heading) == 0 || t.whole(heading, t.terms(s.Text)) >= 0.99 {
		return false
	}
	for _, p := range picked {
		if p.Heading != s.Heading {
			return true
		}
	}
	return h.Kind != knowledge.FAQ && t.whole(heading, t.terms(q.Text+" "+q.Before)) > 0
}

var listAsk = regexp.MustCompile(`\b((which|what) (kinds? of |sorts? of |types? of |other |different |upcoming )?\w+ ?\w* (do you (have|offer|sell|organi[sz]e|run)|are (there|available|offered|coming|planned|upcoming)|can i (choose|get|join|book|have)|exist)|list (of|all|the|your)|what (is|are) available|what are (your|the) \w+|what do you (offer|have|sell)|(see|know|hear) (what|which))\b`)

// listing answers what is there with the headings of a passage that lists it.
func (t *turn) listing(q string, h knowledge.Hit) string {
	if h.Kind == knowledge.FAQ || !listAsk.MatchString(normal(q)) {
		return ""
	}
	var heads []string
	first := ""
	for i, s := range lexis.Sections(h.Text) {
		if i == 0 && s.Heading == "" && len(s.Sentences) > 0 {
			first = s.Sentences[0]
		}
		if s.Heading != "" && len(s.Sentences) > 0 && !strings.EqualFold(s.Heading, h.Title) && !aside(s.Heading) {
			heads = append(heads, strings.TrimRight(s.Heading, ":"))
		}
	}
	topic := t.content(h.Title + " " + first)
	if len(heads) < 2 || len(heads) > 8 || t.whole(t.content(q), topic) < 0.5 {
		return ""
	}
	list := listed(heads, "and")
	if first != "" && t.whole(t.content(q), t.terms(first)) >= 0.5 {
		return point(plain(first)) + " There are " + list + "."
	}
	return "There are " + list + "."
}

// aside reports whether a heading stands over remarks, not over a thing.
func aside(heading string) bool {
	switch strings.ToLower(strings.Trim(heading, ": ")) {
	case "notes", "note", "remarks", "general", "important", "please note", "faq", "contact", "terms":
		return true
	}
	return false
}

var labelled = regexp.MustCompile(`^(?:The )?([A-Z][a-z]+(?: [a-z]+){0,3}): ([^:]+)$`)

// plain makes a sentence of a line of a table: Monthly fee: €12.90.
func plain(s string) string {
	s = strings.TrimSpace(strings.NewReplacer("**", "", "__", "", "`", "").Replace(s))
	if m := labelled.FindStringSubmatch(s); m != nil && strings.IndexFunc(m[2], isDigitRune) >= 0 && len(strings.Fields(m[2])) <= 6 {
		return "The " + lowerFirst(m[1]) + " is " + m[2]
	}
	return s
}

func isDigitRune(r rune) bool { return r >= '0' && r <= '9' }

// point ends a sentence.
func point(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return strings.TrimRight(s, ",;: ") + "."
}

// fromIdentity answers what somebody or something is that the identity names.
func (t *turn) fromIdentity(q knowledge.Query) string {
	if !whatIs.MatchString(normal(q.Text)) {
		return ""
	}
	x := knowledge.BuildWith(t.lex, []knowledge.Source{{Kind: knowledge.Core, Text: t.identity}})
	q.Familiar, q.K = "", 1
	hits := x.Find(q)
	if len(hits) == 0 || hits[0].Score < identityLine {
		return ""
	}
	s := x.Pick(q, hits[0], voiceWords)
	if len(s) == 0 {
		return ""
	}
	return point(firstPerson(s[0].Text))
}

var whatIs = regexp.MustCompile(`^(so |and |ok |okay )*(what|who) (is|are|does) \w+( \w+)?( do)?$`)
