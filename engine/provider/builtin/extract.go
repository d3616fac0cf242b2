package builtin

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"flametree/engine/knowledge/lexis"
)

// notice reads the results from what was said. A later line corrects an earlier
// one; what the request already knows stays unless a line says otherwise.
func (t *turn) notice() {
	heard := make(map[string]string, len(t.fields))
	for i, l := range t.lines {
		for _, f := range t.fields {
			if f.derived() {
				continue
			}
			v := t.value(f, l)
			if v == "" || v == heard[f.Name] || usable(f, v) != nil {
				continue
			}
			if f.kind == kindList {
				v = joinList(heard[f.Name], v)
			}
			heard[f.Name] = v
			if i == len(t.lines)-1 {
				t.fresh = append(t.fresh, f.Name)
			}
		}
	}
	for _, f := range t.fields {
		if v := heard[f.Name]; v != "" {
			t.values[f.Name] = v
		} else if f.Value != "" {
			t.values[f.Name] = f.Value
		}
	}
}

func joinList(old, more string) string {
	out := old
	for part := range strings.SplitSeq(more, listSeparator) {
		if !slices.ContainsFunc(strings.Split(out, listSeparator), func(s string) bool { return strings.EqualFold(s, part) }) {
			out = strings.TrimPrefix(out+listSeparator+part, listSeparator)
		}
	}
	return out
}

// listSeparator parts the items of a list in a value.
const listSeparator = ", "

// value is what a line says about a field, "" for nothing.
func (t *turn) value(f field, l line) string {
	asked := l.asked == f.Name
	other := l.asked != "" && !asked
	switch f.kind {
	case kindName:
		if other && !strings.Contains(l.norm, "name") {
			return ""
		}
		return t.name(l, asked)
	case kindEmail:
		return email(l, asked)
	case kindPhone:
		if other && !cuePhone.MatchString(l.norm) {
			return ""
		}
		return phone(l, asked)
	case kindDate, kindTime:
		return t.when(f, l, asked)
	case kindInt, kindNumber:
		return t.count(f, l, asked)
	case kindAmount:
		return t.amount(f, l, asked)
	case kindCode:
		return t.code(f, l, asked)
	case kindBool:
		return t.truth(f, l, asked)
	case kindOption:
		return t.option(f, l, asked)
	case kindList:
		return t.list(f, l, asked)
	case kindText:
		return t.free(f, l, asked)
	case kindTopic, kindSummary, kindStage:
	}
	return ""
}

// when reads a date; a text field keeps the words when they are no whole date.
func (t *turn) when(f field, l line, asked bool) string {
	if !asked && (l.asked != "" || t.rivals(f) && t.mentioned(f, l.text) < 0.5) {
		return ""
	}
	base, based := t.base()
	d, ok := date(l.text, base, based)
	typ := strings.ToLower(f.Type)
	if f.kind == kindTime {
		clock, has := timeOfDay(l.text)
		if !ok || !has {
			return ""
		}
		return d.Format(time.DateOnly) + " " + clock
	}
	if ok {
		return d.Format(time.DateOnly)
	}
	if asked && typ != "date" {
		return t.free(f, l, asked)
	}
	return ""
}

// rivals reports whether another field has the same kind.
func (t *turn) rivals(f field) bool {
	return slices.ContainsFunc(t.fields, func(o field) bool { return o.kind == f.kind && o.Name != f.Name })
}

func (t *turn) count(f field, l line, asked bool) string {
	words := lexis.Words(l.text)
	for _, n := range numbers(words) {
		if !asked && (l.asked != "" || !t.nearby(f, words, n)) {
			continue
		}
		if f.kind == kindNumber {
			return strings.ReplaceAll(n.text, ",", ".")
		}
		return strconv.Itoa(n.value)
	}
	return ""
}

// nearby reports whether the words around a number speak of the field.
func (t *turn) nearby(f field, words []lexis.Word, n figure) bool {
	from, to := max(0, n.from-4), min(len(words), n.to+3)
	var around []lexis.Term
	for _, w := range words[from:to] {
		if t.lex.Weight(w.Text) == lexis.Content {
			around = append(around, lexis.Term{Stem: t.lex.Stem(w.Text), Weight: 1})
		}
	}
	own := without(t.terms(f.label), func(x lexis.Term) bool { return x.Stem == "number" || x.Weight < lexis.Content })
	return len(own) > 0 && t.whole(own, around) >= 0.5
}

var currency = regexp.MustCompile(`(?i)[€$£]|\b(euros?|dollars?|pounds?|francs?|percent)\b`)

func (t *turn) amount(f field, l line, asked bool) string {
	words := lexis.Words(l.text)
	for _, n := range numbers(words) {
		if !asked && (l.asked != "" || !t.nearby(f, words, n)) {
			continue
		}
		c := currency.FindString(l.text[words[n.from].Start:])
		if c == "" {
			c = currency.FindString(l.text)
		}
		switch c = strings.ToLower(c); c {
		case "":
			return n.text
		case "€", "$", "£":
			return c + n.text
		}
		return n.text + " " + c
	}
	return ""
}

// code reads a number of reference: the letters and digits of the answer, or of
// what follows its name.
func (t *turn) code(f field, l line, asked bool) string {
	text := l.text
	if m := keyed.FindStringSubmatch(text); m != nil {
		if asked {
			return strings.Trim(m[1], "*#")
		}
		return ""
	}
	if tail := after(text, f.label); tail != "" {
		text = tail
	} else if !asked || asks(text) {
		return ""
	}
	out, figures := "", 0
	words := lexis.Words(text)
	for i := 0; i < len(words); i++ {
		w := words[i].Text
		if d, next := digits(words, i); d != "" {
			out, figures, i = out+d, figures+len(d), next-1
			continue
		}
		one := len([]rune(w)) == 1
		switch {
		case one && w != "a" || one && i+1 < len(words) && len(words[i+1].Text) == 1 || lexis.HasDigit(w):
			out += strings.ToUpper(w)
			figures++
		case strings.ToUpper(w) == text[words[i].Start:words[i].End] && len(w) <= 5:
			out += strings.ToUpper(w)
		case out != "" && w != "dash":
			i = len(words)
		}
	}
	if figures < 2 {
		return ""
	}
	return out
}

// after is what follows "my <label> is" in a text.
func after(text, label string) string {
	low := strings.ToLower(text)
	if len(low) != len(text) || label == "" {
		return ""
	}
	i := strings.Index(low, label)
	if i < 0 {
		return ""
	}
	rest := text[i+len(label):]
	for _, lead := range []string{" is ", " are ", ": ", " would be ", " will be ", " "} {
		if strings.HasPrefix(strings.ToLower(rest), lead) {
			return strings.TrimSpace(rest[len(lead):])
		}
	}
	return ""
}

// truth reads yes or no. Interest is also shown by asking.
func (t *turn) truth(f field, l line, asked bool) string {
	switch {
	case asked && yes(l):
		return "true"
	case asked && no(l):
		return "false"
	}
	if !strings.Contains(normal(f.Name+" "+f.Description), "interest") {
		return t.stated(f, l)
	}
	own := without(t.terms(f.label), func(x lexis.Term) bool { return strings.HasPrefix(x.Stem, "interest") })
	if len(own) == 0 || t.whole(own, t.terms(l.text)) < 0.5 {
		return ""
	}
	if strings.Contains(l.norm, "not interested") || strings.Contains(l.norm, "no interest") || strings.Contains(l.norm, "dont want") {
		return "false"
	}
	if l.question || actWant.MatchString(l.norm) {
		return "true"
	}
	return ""
}

// stated reads a statement that repeats the field's own words.
func (t *turn) stated(f field, l line) string {
	own := t.terms(f.label)
	if len(own) == 0 || l.question || t.whole(own, t.terms(l.text)) < 0.99 {
		return ""
	}
	if negated.MatchString(l.norm) {
		return "false"
	}
	return "true"
}

var negated = regexp.MustCompile(`\b(not|no|dont|doesnt|didnt|havent|hasnt|isnt|arent|wasnt|never|without|cant|wont|neither|none)\b`)

// option finds the one option a line names. An option is never stored when the
// line names two as well, unless the later one corrects the first.
func (t *turn) option(f field, l line, asked bool) string {
	if no(l) && asked && short(l.norm, 3) {
		return pick(f.Options, "no")
	}
	if yes(l) && asked && short(l.norm, 3) {
		if o := pick(f.Options, "yes"); o != "" {
			return o
		}
	}
	words := figured(lexis.Words(l.text))
	best, score, at := "", 0.0, -1
	for _, o := range f.Options {
		s, pos := t.chosen(o, words, asked)
		if s > score+1e-9 || s > 0 && s > score-1e-9 && pos > at {
			best, score, at = o, s, pos
		} else if s > 0 && s >= score-1e-9 && pos == at {
			best = "" // two options by the same word: nothing was chosen
		}
	}
	least := 0.99
	if asked {
		least = 0.5
	}
	if score < least {
		return ""
	}
	return best
}

func pick(options []string, word string) string {
	for _, o := range options {
		if strings.EqualFold(o, word) {
			return o
		}
	}
	return ""
}

// chosen says how much of an option's words a line has, and where the last of
// them stands. A word after not does not count.
func (t *turn) chosen(option string, words []lexis.Word, asked bool) (score float64, at int) {
	ow := figured(lexis.Words(option))
	if len(ow) == 0 {
		return 0, -1
	}
	hit, sum := 0.0, 0.0
	at = -1
	for _, o := range ow {
		weight := 0.3 + t.lex.Weight(o.Text)
		sum += weight
		stem := t.lex.Stem(o.Text)
		best := 0.0
		for i, w := range words {
			m := t.same(stem, w.Text, asked)
			if m > best && !denied(words, i) {
				best, at = m, max(at, i)
			}
		}
		hit += weight * best
	}
	return hit / sum, at
}

// same compares an option's stem with a word: the same, the same number, when
// asked also spelled alike or related.
func (t *turn) same(stem, word string, asked bool) float64 {
	s := t.lex.Stem(word)
	if s == stem {
		return 1
	}
	if asked && lexis.Alike(s, stem) {
		return 0.9
	}
	return 0
}

func denied(words []lexis.Word, i int) bool {
	for j := max(0, i-3); j < i; j++ {
		switch words[j].Text {
		case "not", "dont", "no", "without", "never", "isnt":
			return true
		}
	}
	return false
}

// list reads the items of an answer.
func (t *turn) list(f field, l line, asked bool) string {
	if !asked {
		return ""
	}
	text := t.free(f, l, true)
	if text == "" {
		return ""
	}
	var out []string
	for part := range strings.SplitSeq(strings.NewReplacer(" and ", ",", ";", ",", " plus ", ",").Replace(text), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, listSeparator)
}

// free reads an answer as it was said: when the field was asked for, or what
// follows "my <label> is".
func (t *turn) free(f field, l line, asked bool) string {
	if tail := after(l.text, "my "+f.label); tail != "" {
		return clean(tail, 12)
	}
	if !asked || l.question || no(l) && short(l.norm, 4) || actRefuse.MatchString(l.norm) || actDunno.MatchString(l.norm) || unheard(l) || actRepeat.MatchString(l.norm) || actHuman.MatchString(l.norm) {
		return ""
	}
	if social(l.norm) == "" {
		return ""
	}
	rest := fill(l.text)
	if rest == "" || len(strings.Fields(rest)) > 25 || yes(asLine(rest)) && short(normal(rest), 3) {
		return ""
	}
	return clean(rest, 25)
}

// clean cuts an answer to its first sentence of at most so many words.
func clean(s string, words int) string {
	if ss := lexis.Sentences(s); len(ss) > 0 {
		s = ss[0]
	}
	f := strings.Fields(s)
	if len(f) > words {
		f = f[:words]
	}
	s = strings.Trim(strings.Join(f, " "), " .,!?;:")
	for _, end := range []string{" please", " thanks", " thank you"} {
		s = strings.TrimSuffix(s, end)
	}
	return strings.Trim(s, " .,!?;:")
}

// usable reports whether a value may be stored for a field; it guards what the
// readers above promise.
func usable(f field, v string) error {
	switch f.kind {
	case kindEmail:
		if !mailWhole.MatchString(v) {
			return fmt.Errorf("%q is no e-mail address", v)
		}
	case kindOption:
		if !slices.Contains(f.Options, v) {
			return fmt.Errorf("%q is none of the options", v)
		}
	case kindInt:
		if _, err := strconv.Atoi(v); err != nil {
			return fmt.Errorf("%q is no whole number", v)
		}
	case kindPhone:
		if n := len(strings.TrimPrefix(v, "+")); n < 5 || n > 15 {
			return fmt.Errorf("%q is no telephone number", v)
		}
	case kindText, kindName, kindDate, kindTime, kindNumber, kindAmount, kindCode, kindBool, kindList, kindTopic, kindSummary, kindStage:
	}
	return nil
}
