package guard

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flametree/engine/knowledge/lexis"
)

// grounds is a rule of kind Grounding: what a reply states must stand in the
// knowledge, the conversation or the result of a tool. It looks at figures,
// dates, prices and names only; sums and reasoning are beyond it.
type grounds struct{ figures, dates, prices, names bool }

func newGrounds(values []string) grounds {
	has := func(v string) bool { return len(values) == 0 || slices.Contains(values, v) }
	return grounds{figures: has("figures"), dates: has("dates"), prices: has("prices"), names: has("names")}
}

// facts are the figures and words of everything that may be stated.
type facts struct {
	numbers map[string]bool
	words   map[string]bool
}

func (s *scene) grounds() *facts {
	if s.facts != nil {
		return s.facts
	}
	f := &facts{numbers: map[string]bool{}, words: map[string]bool{}}
	for _, t := range slices.Concat(s.Knowledge, s.Said, s.Own, s.Results) {
		for _, w := range pieces(t) {
			f.learn(t[w.start:w.end])
		}
	}
	s.facts = f
	return f
}

func (f *facts) learn(word string) {
	lower := strings.ToLower(word)
	f.words[lower] = true
	f.words[strings.TrimSuffix(strings.TrimSuffix(lower, "'s"), "’s")] = true
	for _, n := range readings(lower) {
		f.numbers[n] = true
	}
	if n := numeral(lower); n != "" {
		f.numbers[n] = true
	}
	if len(word) >= 10 && word[4] == '-' && word[7] == '-' { // a date of a machine
		for _, part := range []string{word[:4], word[5:7], word[8:10]} {
			f.numbers[strings.TrimLeft(part, "0")] = true
		}
		if m := strings.TrimLeft(word[5:7], "0"); m != "" {
			f.words[monthName(m)] = true
		}
	}
}

// pieces cuts a text at blanks and takes punctuation off the ends.
func pieces(text string) []span {
	const edge = ".,;:!?()[]{}\"'“”‘’«»*_…`"
	var out []span
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if blank(r) || r == '/' || r == '–' || r == '—' {
			i += n
			continue
		}
		j := i
		for j < len(text) {
			r, n = utf8.DecodeRuneInString(text[j:])
			if blank(r) || r == '/' || r == '–' || r == '—' {
				break
			}
			j += n
		}
		word := strings.TrimRight(text[i:j], edge)
		start := i + len(word) - len(strings.TrimLeft(word, edge))
		if end := i + len(word); end > start {
			out = append(out, span{start: start, end: end})
		}
		i = j
	}
	return out
}

// readings are the numbers a word may mean: 1.000 is a thousand or one.
func readings(word string) []string {
	word = strings.TrimFunc(word, func(r rune) bool { return !unicode.IsDigit(r) })
	if word == "" {
		return nil
	}
	if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsDigit(r) && !strings.ContainsRune(".,'’", r) }) {
		return []string{word}
	}
	joined := strings.Map(func(r rune) rune {
		if v, ok := digit(r); ok {
			return rune(v)
		}
		return -1
	}, word)
	out := []string{plainNumber(joined)}
	if i := strings.LastIndexAny(word, ".,"); i >= 0 {
		head := strings.NewReplacer(".", "", ",", "", "'", "", "’", "").Replace(word[:i])
		decimal := plainNumber(head) + "." + word[i+1:]
		decimal = strings.TrimSuffix(strings.TrimRight(decimal, "0"), ".")
		if len(word)-i-1 != 3 {
			return []string{decimal} // 12.90 is never 1290
		}
		out = append(out, decimal)
	}
	return out
}

func plainNumber(digits string) string {
	if out := strings.TrimLeft(digits, "0"); out != "" {
		return out
	}
	return "0"
}

func numeral(word string) string {
	if len(word) < 3 || len(word) > 9 {
		return ""
	}
	const words = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
	i := 0
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return itoa(i)
		}
		i++
	}
	return ""
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

const months = "january february march april may june july august september october november december"

func monthName(number string) string {
	i := 1
	for m := range strings.FieldsSeq(months) {
		if itoa(i) == number {
			return m
		}
		i++
	}
	return ""
}

func isMonth(lower string) bool {
	switch lower {
	case "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december":
		return true
	}
	return false
}

func isWeekday(lower string) bool {
	switch lower {
	case "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday":
		return true
	}
	return false
}

func (g grounds) find(v *view) []span {
	var out []span
	known := v.scene.grounds()
	all, _ := clauses(v.text)
	for _, c := range all {
		words := pieces(v.text[c.start:c.end])
		for i, w := range words {
			words[i] = span{start: w.start + c.start, end: w.end + c.start}
		}
		for i, w := range words {
			if g.invented(v, known, words, i) {
				out = append(out, w)
			}
		}
	}
	return out
}

func (grounds) open(v *view) int { return openClause(v.text) }

// invented reports whether word i states something that stands nowhere.
func (g grounds) invented(v *view, known *facts, words []span, i int) bool {
	word := v.text[words[i].start:words[i].end]
	lower := strings.ToLower(word)
	switch numbers := readings(lower); {
	case len(numbers) > 0:
		price := strings.ContainsAny(word, "€$£¥₽₹₸%")
		if !price && i+1 < len(words) {
			price = currency(strings.ToLower(v.text[words[i+1].start:words[i+1].end]))
		}
		listed := i == 0 && len(word) < 3 // 1. of a list
		if listed || price && !g.prices || !price && !g.figures && !(g.dates && nearMonth(v, words, i)) {
			return false
		}
		if known.words[lower] {
			return false
		}
		return !slices.ContainsFunc(numbers, func(n string) bool { return known.numbers[n] })
	case isMonth(lower) && lower != "may" && lower != "march", isWeekday(lower):
		return g.dates && !known.words[lower]
	}
	return g.names && i > 0 && properName(v, words, i) && !known.words[strings.TrimSuffix(strings.TrimSuffix(lower, "'s"), "’s")]
}

func nearMonth(v *view, words []span, i int) bool {
	for j := max(0, i-2); j < min(len(words), i+3); j++ {
		if isMonth(strings.ToLower(v.text[words[j].start:words[j].end])) {
			return true
		}
	}
	return false
}

func currency(word string) bool {
	return slices.Contains([]string{"euro", "euros", "eur", "dollar", "dollars", "usd", "pound", "pounds", "gbp", "percent", "tenge", "rubles", "cents", "€", "$", "£"}, word)
}

// properName reports whether a word inside a sentence is written like a name. It
// is asked of languages only that write other nouns small.
func properName(v *view, words []span, i int) bool {
	if tongue(v.scene.Language) == "de" {
		return false
	}
	word := v.text[words[i].start:words[i].end]
	first, n := utf8.DecodeRuneInString(word)
	second, _ := utf8.DecodeRuneInString(word[n:])
	if !unicode.IsUpper(first) || !unicode.IsLower(second) {
		return false
	}
	between := v.text[words[i-1].end:words[i].start]
	if strings.ContainsAny(between, ".!?:;\"“«-•*") || strings.ContainsRune("\n", []rune(between + " ")[0]) {
		return false // a sentence or a quotation begins
	}
	lower := strings.ToLower(word)
	return !slices.Contains(strings.Fields("i i'm i'll i'd i've mr mrs ms dr english german french spanish russian euro euros internet god"), lower) &&
		len(lexis.Words(word)) > 0
}
