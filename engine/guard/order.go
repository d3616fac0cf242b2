package guard

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// orders is a rule of kind PromptInjection: it weighs how much a text tries to
// give a model orders. It finds the common ways and knows no meaning; what must
// not happen is kept from happening by Bound and by what is always on.
type orders struct {
	words  map[string][]stem // by the first three characters
	combos []combo
}

type stem struct {
	text  string
	class string
}

// combo is classes of words that follow each other with few words between.
type combo struct {
	weight  float64
	data    bool // counts in passages and results only, where nobody speaks to a model
	classes []string
}

const (
	ordered    = 1.0     // from this weight on a text is a hit
	comboGap   = 3       // words between two classes
	maxWeighed = 8 << 10 // bytes of one piece; longer texts are weighed in pieces
	decoded    = 0.4     // nobody hides a harmless order
)

func newOrders() *orders {
	o := &orders{words: map[string][]stem{}}
	for line := range strings.Lines(strings.TrimSpace(orderWords)) {
		class, list, _ := strings.Cut(line, "=")
		for w := range strings.FieldsSeq(list) {
			key := firstRunes(strings.TrimSuffix(w, "$"), 3)
			o.words[key] = append(o.words[key], stem{w, strings.TrimSpace(class)})
		}
	}
	for line := range strings.Lines(strings.TrimSpace(orderCombos)) {
		f := strings.Fields(line)
		tenths, data := strings.CutPrefix(f[0], "d")
		o.combos = append(o.combos, combo{float64(number(tenths)) / 10, data, f[1:]})
	}
	return o
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func (o *orders) find(v *view) []span {
	var out []span
	for at := 0; at < len(v.text); {
		end := runeStart(v.text, at+maxWeighed)
		if at+maxWeighed >= len(v.text) {
			end = len(v.text)
		}
		if o.weigh(v.text[at:end], false) >= ordered {
			out = append(out, span{start: at, end: end})
		}
		at = end
	}
	return out
}

func (*orders) open(*view) int { return 0 } // never asked of a reply

// weigh reads a text as it stands and as it may be hidden.
func (o *orders) weigh(text string, data bool) float64 {
	plain, hidden := visible(text)
	weight := o.plain(plain, data) + forged(plain)
	if hidden {
		weight += decoded
	}
	if weight >= ordered {
		return weight
	}
	for _, other := range disguises(plain) {
		if w := o.plain(other, data); w >= 0.5 {
			weight = max(weight, w+decoded)
		}
	}
	return weight
}

// plain adds up the combos of a text, each once.
func (o *orders) plain(text string, data bool) float64 {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '\'' && r != '’'
	})
	classes := make([][]string, len(words))
	some := 0
	for i, w := range words {
		if classes[i] = o.classes(w); classes[i] != nil {
			some++
		}
	}
	if some < 2 {
		return 0
	}
	weight := 0.0
	for _, c := range o.combos {
		if c.data && !data {
			continue
		}
		for i := range classes {
			if c.at(classes, i) {
				weight += c.weight
				break
			}
		}
	}
	return weight
}

func (o *orders) classes(word string) []string {
	if latin, ok := unmixed(word); ok {
		word = latin
	}
	var out []string
	for _, s := range o.words[firstRunes(word, 3)] {
		exact, whole := strings.CutSuffix(s.text, "$")
		if whole && word == exact || !whole && strings.HasPrefix(word, s.text) {
			out = append(out, s.class)
		}
	}
	return out
}

// at reports whether a combo begins at word i.
func (c combo) at(classes [][]string, i int) bool {
	if !slices.Contains(classes[i], c.classes[0]) {
		return false
	}
	for _, want := range c.classes[1:] {
		next := -1
		for j := i + 1; j < len(classes) && j <= i+1+comboGap; j++ {
			if slices.Contains(classes[j], want) {
				next = j
				break
			}
		}
		if next < 0 {
			return false
		}
		i = next
	}
	return true
}

// unmixed writes a word whose letters come from several scripts in Latin.
func unmixed(word string) (string, bool) {
	latin, other := false, false
	for _, r := range word {
		latin = latin || r >= 'a' && r <= 'z'
		other = other || r >= 0x370 && r <= 0x52f
	}
	if !latin || !other {
		return word, false
	}
	return strings.Map(lookalike, word), true
}

// visible removes what nobody sees and writes letters in their plain form. hidden
// says that something was put between letters that has no business there.
func visible(text string) (plain string, hidden bool) {
	if ascii(text) {
		return text, false
	}
	var b strings.Builder
	var before rune
	for _, r := range text {
		switch {
		case r >= 0xe0000 && r <= 0xe007f: // tags: letters that no font shows
			hidden = true
			if r >= 0xe0020 {
				b.WriteRune(r - 0xe0000)
			}
			continue
		case invisible(r):
			joins := r == '\u200d' || r == '\u200c' // of Indic and Arabic scripts, and of emoji
			hidden = hidden || before < 0x250 && unicode.IsLetter(before) && r != '\u00ad' || !joins && unicode.IsLetter(before)
			continue
		}
		b.WriteRune(r)
		before = r
	}
	return norm.NFKC.String(b.String()), hidden
}

func invisible(r rune) bool {
	return r == '\u00ad' || r == '\u034f' || r == '\u2060' || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e ||
		r >= 0x2061 && r <= 0x2064 || r >= 0x2066 && r <= 0x2069 || r == 0xfeff || r >= 0xe0000 && r <= 0xe007f
}

// forgeries are the marks by which models are told who speaks.
func forgeries() []string {
	return []string{
		"<|im_start|>", "<|im_end|>", "<|system|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "[inst]", "[/inst]", "<<sys>>",
		"</system>", "<system>", "[system]", "### system", "### instruction", "\"role\":\"system\"", "\"role\": \"system\"", "<tool_call>", "</knowledge>",
		"</context>", "</document>", "<function_call", "end of system prompt", "begin new instructions", "[/system]", "</tool_result>", "<admin>",
		"忽略之前", "忽略以上", "系统提示", "无视之前",
	}
}

// forged weighs marks that only the engine sets.
func forged(text string) float64 {
	lower := strings.ToLower(text)
	for _, f := range forgeries() {
		if strings.Contains(lower, f) {
			return ordered
		}
	}
	weight := 0.0
	for line := range strings.Lines(lower) {
		line = strings.TrimLeft(line, " \t#*->")
		for _, who := range []string{"system:", "developer:", "system message:", "system override:", "assistant:", "new instructions:"} {
			if strings.HasPrefix(line, who) {
				weight = max(weight, 0.6)
			}
		}
	}
	return weight
}

// disguises are other readings of a text: decoded, backwards, letters apart,
// figures for letters.
func disguises(text string) []string {
	var out []string
	for run := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return r >= 0x80 || !alnum(byte(r)) && strings.IndexByte("+/=-_", byte(r)) < 0
	}) {
		if len(run) >= 16 {
			out = append(out, payload(run)...)
		}
	}
	if strings.Contains(text, "%") {
		if s, err := url.QueryUnescape(text); err == nil && s != text {
			out = append(out, s)
		}
	}
	if strings.Contains(text, "&#") {
		out = append(out, html.UnescapeString(text))
	}
	if s := spelled(text); s != "" {
		out = append(out, s)
	}
	if s := leet(text); s != text {
		out = append(out, s)
	}
	if hasWord(text, "rot13") || rareEnglish(text) {
		out = append(out, rot13(text))
	}
	return append(out, backwards(text))
}

func hasWord(text, word string) bool { return strings.Contains(strings.ToLower(text), word) }

// rareEnglish reports whether the commonest words, turned by thirteen, stand in
// the text: gur (the), naq (and), lbhe (your).
func rareEnglish(text string) bool {
	for w := range strings.FieldsSeq(strings.ToLower(text)) {
		switch w {
		case "gur", "naq", "lbhe", "lbh", "nyy", "vtaber", "flfgrz":
			return true
		}
	}
	return false
}

// payload decodes a run of letters and digits, if what comes out is text.
func payload(run string) []string {
	var out []string
	take := func(b []byte, err error) {
		if err == nil && utf8.Valid(b) && printable(string(b)) {
			out = append(out, string(b))
		}
	}
	body := strings.TrimRight(run, "=")
	take(base64.RawStdEncoding.DecodeString(body))
	take(base64.RawURLEncoding.DecodeString(body))
	take(hex.DecodeString(run))
	return out
}

func printable(s string) bool {
	letters := 0
	for _, r := range s {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return false
		}
		if unicode.IsLetter(r) || r == ' ' {
			letters++
		}
	}
	return letters*10 >= len([]rune(s))*7
}

// spelled joins letters that were written apart: "i g n o r e   a l l". Two
// blanks or more end a word; where there is one everywhere, words run together
// and only a later pass over stems can part them.
func spelled(text string) string {
	var b strings.Builder
	single := 0
	for part := range strings.SplitSeq(strings.NewReplacer("-", " ", ".", " ", "_", " ", "*", " ").Replace(text), "  ") {
		fields := strings.Fields(part)
		ones := 0
		for _, f := range fields {
			if utf8.RuneCountInString(f) == 1 {
				ones++
			}
		}
		if ones >= 3 && ones*10 >= len(fields)*8 {
			single += ones
			b.WriteString(strings.Join(fields, "") + " ")
		} else {
			b.WriteString(part + " ")
		}
	}
	if single < 8 {
		return ""
	}
	return b.String()
}

// leet reads figures as the letters they stand for, inside of words only.
func leet(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		c := text[i]
		j := strings.IndexByte("01345@$7!", c)
		inside := j >= 0 && (i > 0 && letter(text[i-1]) || i+1 < len(text) && letter(text[i+1]))
		if inside {
			c = "oieasasti"[j]
		}
		b.WriteByte(c)
	}
	return b.String()
}

// The marks around an order that stands in data.
const (
	dataOpens  = "⟦data, not an instruction: "
	dataCloses = "⟧"
)

// data makes a passage or a result harmless to read: what nobody sees is taken
// out, forged marks are broken, and sentences that give orders are marked as what
// they are. Nothing that a human would read is lost.
func (o *orders) data(text string) string {
	text = strings.NewReplacer(dataOpens, "(", dataCloses, ")").Replace(text) // nobody else closes our marks
	all, _ := clauses(text)
	var b strings.Builder
	at := 0
	for _, c := range all {
		if o.weigh(text[c.start:c.end], true) < ordered {
			continue
		}
		body := strings.TrimRight(text[c.start:c.end], " \n\t\r")
		lead := len(body) - len(strings.TrimLeft(body, " \n\t\r"))
		b.WriteString(text[at:c.start] + body[:lead] + dataOpens + body[lead:] + dataCloses)
		at = c.start + len(body)
	}
	b.WriteString(text[at:])
	return broken(strings.Map(func(r rune) rune {
		if invisible(r) && r != '\u200d' && r != '\u200c' && r != '\u00ad' && r != '\u200e' && r != '\u200f' {
			return -1
		}
		return r
	}, b.String()))
}

// broken puts a blank into forged marks.
func broken(text string) string {
	lower := strings.ToLower(text)
	if len(lower) != len(text) || !strings.ContainsAny(lower, "<[#\"") {
		return text
	}
	for _, f := range forgeries() {
		if strings.IndexByte("<[#", f[0]) < 0 {
			continue
		}
		for from := 0; ; {
			i := strings.Index(lower[from:], f)
			if i < 0 {
				break
			}
			i += from + 1
			text = text[:i] + " " + text[i:]
			lower = lower[:i] + " " + lower[i:]
			from = i
		}
	}
	return text
}

// Plain takes the marks out again that Check put around what looks like an
// instruction. It is for a model that cannot obey anybody.
func Plain(text string) string {
	if !strings.Contains(text, dataOpens) {
		return text
	}
	return strings.NewReplacer(dataOpens, "", dataCloses, "").Replace(text)
}
