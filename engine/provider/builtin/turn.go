package builtin

import (
	"encoding/json"
	"strconv"
	"strings"

	"flametree/engine/guard"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

// The sizes a request is read to. What lies beyond is left out, not refused.
const (
	maxMessages = 80
	maxLine     = 4000   // bytes of one message
	maxPart     = 60_000 // bytes of one part
	maxFields   = 60     // spec D23
)

// turn is a request, read.
type turn struct {
	lex *lexis.Lexicon

	identity, style, task, params string
	state, stateName              string
	hasState                      bool
	fields                        []field
	index                         *knowledge.Index
	found                         []float64 // scores the passages came with, by source id; 0 for none
	familiar                      string    // the identity: its names are no strangers
	tools                         []provider.Tool
	voice                         bool

	lines  []line   // what the customer said
	said   []string // what the agent said, in order
	last   line     // the customer's last line
	have   bool     // whether there is one
	after  []provider.Message
	values map[string]string // results known by now, by field name
	fresh  []string          // names of those the last line gave
	ground string            // all texts a figure may come from

	// What would be worked out more than once.
	requests map[string]string // field asked for, by saying
	read     map[string][]lexis.Term
	wants    []want
	wantsSet bool
}

// line is one thing the customer said and what it may have answered.
type line struct {
	text  string
	norm  string // see normal
	prev  string // what the agent had said before
	asked string // name of the field the agent asked for, "" for none

	question bool
}

// read takes a request apart.
func read(lex *lexis.Lexicon, r provider.Request) *turn { return readWith(lex, r, nil) }

// readWith is read with other fields than the request's, unless nil.
func readWith(lex *lexis.Lexicon, r provider.Request, fields []field) *turn {
	t := &turn{lex: lex, tools: r.Tools, voice: r.Voice, values: map[string]string{}, requests: map[string]string{}, read: map[string][]lexis.Term{}, fields: fields}
	var ground strings.Builder
	var sources []knowledge.Source
	for _, p := range r.System {
		text := cut(strings.ToValidUTF8(p.Text, ""), maxPart)
		switch p.Kind {
		case provider.PartIdentity:
			t.identity += text + "\n"
		case provider.PartStyle:
			t.style += text + "\n"
		case provider.PartTask:
			t.task += text + "\n"
		case provider.PartState:
			t.state, t.stateName, t.hasState = t.state+text+"\n", p.Title, true
		case provider.PartCore, provider.PartKnowledge:
			sources = append(sources, t.source(p, text)...)
		case provider.PartResults:
			if fields == nil {
				t.fields = append(t.fields, readFields(text)...)
			}
		case provider.PartSummary: // nothing is asked in it, but it may be said again
		case provider.PartParameters:
			t.params += text + "\n"
		case provider.PartRules:
			t.params += text + "\n" // the day's date may stand there
		}
		ground.WriteString(text + "\n" + p.Title + "\n")
	}
	t.familiar = t.identity
	t.index = knowledge.BuildWith(lex, sources)
	t.messages(r.Messages, &ground)
	t.ground = ground.String()
	t.notice()
	return t
}

// messages sorts the conversation into lines, sayings and what followed the
// customer's last line.
func (t *turn) messages(msgs []provider.Message, ground *strings.Builder) {
	if len(msgs) > maxMessages {
		msgs = msgs[len(msgs)-maxMessages:]
	}
	prev := ""
	for _, m := range msgs {
		text := cut(strings.ToValidUTF8(m.Text, ""), maxLine)
		ground.WriteString(text + "\n")
		switch m.Role {
		case provider.RoleUser:
			l := line{text: strings.TrimSpace(text), prev: prev}
			l.norm, l.question = normal(l.text), asks(l.text)
			l.asked = t.askedIn(prev)
			t.lines = append(t.lines, l)
			t.last, t.have, t.after, prev = l, true, nil, ""
		case provider.RoleAssistant:
			if text != "" {
				t.said = append(t.said, text)
				prev = strings.TrimSpace(prev + " " + text)
			}
			t.after = append(t.after, m)
		case provider.RoleTool:
			t.after = append(t.after, m)
		}
	}
}

// source makes knowledge of a part. A FAQ may come as its answer with the
// question as title, or with both in the text.
func (t *turn) source(p provider.Part, text string) []knowledge.Source {
	text = guard.Plain(text)
	id := strconv.Itoa(len(t.found))
	score := 0.0
	if p.Kind == provider.PartKnowledge {
		score = p.Score
	}
	t.found = append(t.found, score)
	pairs, rest := questions(text)
	var out []knowledge.Source
	for _, q := range pairs {
		out = append(out, knowledge.Source{ID: id, Kind: knowledge.FAQ, Question: q[0], Text: q[1]})
	}
	collection, _, _ := strings.Cut(p.Source, ":")
	switch {
	case strings.TrimSpace(rest) == "":
	case strings.EqualFold(collection, string(knowledge.FAQ)) && p.Title != "":
		out = append(out, knowledge.Source{ID: id, Kind: knowledge.FAQ, Question: p.Title, Text: rest})
	default:
		out = append(out, knowledge.Source{ID: id, Kind: knowledge.Text, Title: p.Title, Text: rest})
	}
	return out
}

// questions takes pairs written as Question: … Answer: … out of a text.
func questions(text string) (pairs [][2]string, rest string) {
	var other []string
	q, a, in := "", "", 0
	flush := func() {
		if q != "" && a != "" {
			pairs = append(pairs, [2]string{q, strings.TrimSpace(a)})
		} else if q != "" {
			other = append(other, q)
		}
		q, a, in = "", "", 0
	}
	for l := range strings.SplitSeq(text, "\n") {
		head, tail, ok := strings.Cut(strings.TrimSpace(l), ":")
		switch h := strings.ToLower(strings.TrimLeft(head, "-*• ")); {
		case ok && (h == "question" || h == "q"):
			flush()
			q, in = strings.TrimSpace(tail), 1
		case ok && (h == "answer" || h == "a") && q != "":
			a, in = tail, 2
		case in == 2 && strings.TrimSpace(l) != "":
			a += "\n" + l
		default:
			flush()
			other = append(other, l)
		}
	}
	flush()
	return pairs, strings.Join(other, "\n")
}

// readFields reads {"fields":[Field…]}. What is not that is no field.
func readFields(text string) []field {
	var in struct {
		Fields []provider.Field `json:"fields"`
	}
	if json.Unmarshal([]byte(text), &in) != nil {
		return nil
	}
	var out []field
	for _, f := range in.Fields {
		if f.Name != "" && len(out) < maxFields {
			out = append(out, newField(f))
		}
	}
	return out
}

// terms are the terms of a text; the caller must not change them.
func (t *turn) terms(text string) []lexis.Term {
	out, ok := t.read[text]
	if !ok {
		out = t.lex.Terms(text)
		t.read[text] = out
	}
	return out
}

// without is a copy of terms without some.
func without(terms []lexis.Term, drop func(lexis.Term) bool) []lexis.Term {
	out := make([]lexis.Term, 0, len(terms))
	for _, x := range terms {
		if !drop(x) {
			out = append(out, x)
		}
	}
	return out
}

// tool finds an offered tool by name.
func (t *turn) tool(name string) bool {
	for _, o := range t.tools {
		if o.Name == name {
			return true
		}
	}
	return false
}

// cut shortens a text to n bytes at a rune's beginning.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// normal is a text as the patterns of acts.go see it: lower case, apostrophes
// gone, everything else that is no letter or digit one space.
func normal(s string) string {
	var b strings.Builder
	space := true
	for _, r := range strings.ToLower(s) {
		switch {
		case r == '\'' || r == '’':
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > 127:
			b.WriteRune(r)
			space = false
		case !space:
			b.WriteByte(' ')
			space = true
		}
	}
	return strings.TrimSpace(b.String())
}
