package builtin

import (
	"regexp"
	"strings"
	"unicode"

	"flametree/engine/knowledge/lexis"
)

var (
	nameStrong = regexp.MustCompile(`(?i)\b(?:my (?:full |first |last )?name(?: is|'s|’s|s)?|names? is|the name is|name:)\s+(?:is\s+)?(.+)`)
	nameWeak   = regexp.MustCompile(`(?i)\b(?:call me|this is|i am|i'm|i’m|im|it's|it’s|it is|here is|speaking is)\s+(.+)`)
	nameAnd    = regexp.MustCompile(`(?i)\b([\p{L}'’-]+(?: [\p{L}'’-]+)?) (?:speaking|on the (?:phone|line))\b`)
	speaking   = regexp.MustCompile(`(?i)\b(?:speaking|talking) (?:with|to) ((?:\p{Lu}[\p{L}'’-]+ ?){1,3})`)

	mailWritten = regexp.MustCompile(`(?i)[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}`)
	mailWhole   = regexp.MustCompile(`^[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}$`)
	phoneRun    = regexp.MustCompile(`\+?\(?\d[\d\s().\-/]{4,}\d`)
	keyed       = regexp.MustCompile(`\[digits: ([0-9*#A-D]+)\]`)
)

// name finds the customer's name in a line.
func (t *turn) name(l line, asked bool) string {
	if m := nameStrong.FindStringSubmatch(l.text); m != nil {
		if n := t.nameFrom(m[1], true); n != "" {
			return n
		}
	}
	if m := speaking.FindStringSubmatch(l.prev); m != nil && yes(l) {
		return strings.TrimSpace(m[1])
	}
	for _, m := range nameWeak.FindAllStringSubmatch(l.text, 4) {
		if n := t.nameFrom(m[1], false); n != "" && t.namelike(n, m[1], asked) {
			return n
		}
	}
	if m := nameAnd.FindStringSubmatch(l.text); m != nil {
		if n := t.nameFrom(m[1], false); n != "" && t.stranger(n) {
			return n
		}
	}
	if !asked || l.question || no(l) || actRefuse.MatchString(l.norm) || actDunno.MatchString(l.norm) {
		return ""
	}
	rest := fill(l.text)
	n := t.nameFrom(rest, false)
	if n == "" || len(strings.Fields(rest)) > 6 || !t.namelike(n, rest, true) {
		return ""
	}
	return n
}

// fill takes the small words off the beginning of an answer.
func fill(s string) string {
	s = strings.TrimSpace(s)
	for range 6 {
		m := fillWords.FindString(strings.ToLower(s))
		if m == "" || len(m) >= len(s) {
			return s
		}
		s = s[len(m):]
	}
	return s
}

// nameFrom takes up to four words of a name off the beginning of a text.
func (t *turn) nameFrom(s string, strong bool) string {
	var out []string
	letters := ""
	words := strings.Fields(s)
	for i, w := range words {
		bare := strings.Trim(w, ".,!?;:\"()")
		low := strings.ToLower(bare)
		if bare == "" || len(out) == 4 || !nameWord(bare) {
			break
		}
		if spelled := letters != "" || i+1 < len(words) && len(words[i+1]) == 1; len(bare) == 1 && spelled && !strings.HasSuffix(w, ".") {
			letters += low
			continue
		}
		if t.lex.Weight(low) < lexis.Content && !particle(low) && !(strong && i == 0 && !article(low)) && !capital(bare) || low == "speaking" || low == "calling" || low == "here" || low == "and" || low == "i" {
			break
		}
		out = append(out, low)
		if strings.ContainsAny(w[len(w)-1:], ".,!?;:") {
			break
		}
	}
	if len(letters) > 1 && (len(out) == 0 || out[len(out)-1] != letters) && len(out) < 3 {
		out = append(out, letters)
	}
	for len(out) > 0 && particle(out[len(out)-1]) {
		out = out[:len(out)-1]
	}
	for i := range out {
		out[i] = titled(out[i], s)
	}
	return strings.Join(out, " ")
}

func nameWord(w string) bool {
	return strings.IndexFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' && r != '-' }) < 0
}

func article(w string) bool {
	switch w {
	case "a", "an", "the", "not", "on", "in", "of", "for", "it", "is", "and", "i", "to", "at", "with", "my", "your", "spelled", "please":
		return true
	}
	return false
}

func particle(w string) bool {
	switch w {
	case "van", "von", "de", "der", "den", "da", "di", "del", "la", "le", "du", "bin", "al", "el", "dos", "ter", "mc", "st":
		return true
	}
	return false
}

func capital(w string) bool {
	r := []rune(w)
	return len(r) > 1 && unicode.IsUpper(r[0]) && unicode.IsLower(r[1])
}

// titled writes a part of a name: as it was written, when it was, else with a
// capital at each beginning.
func titled(low, original string) string {
	for w := range strings.FieldsSeq(original) {
		w = strings.Trim(w, ".,!?;:\"()")
		if strings.ToLower(w) == low && capital(w) {
			return w
		}
	}
	if particle(low) {
		return low
	}
	r := []rune(low)
	for i := range r {
		if i == 0 || r[i-1] == '-' || r[i-1] == '\'' && i == 2 {
			r[i] = unicode.ToUpper(r[i])
		}
	}
	return string(r)
}

// namelike reports whether what follows I am can be a name: written with
// capitals, or two strange words, or one when the name was asked for.
func (t *turn) namelike(n, rest string, asked bool) bool {
	first := strings.Trim(strings.Fields(rest)[0], ".,!?;:")
	parts := strings.Fields(n)
	if capital(first) && (asked || t.stranger(n)) {
		return true
	}
	// A family name may be an everyday word (Baker, Winter), a first name seldom.
	given := parts[:1]
	if particle(strings.ToLower(given[0])) {
		given = parts
	}
	tail := strings.Fields(strings.ToLower(rest))
	named := len(tail) > len(parts) && (tail[len(parts)] == "speaking" || tail[len(parts)] == "calling" || tail[len(parts)] == "here")
	return t.stranger(strings.Join(given, " ")) && (asked || len(parts) >= 2 || named)
}

// stranger reports whether no word of n is one of everyday language or of the
// agent's own texts.
func (t *turn) stranger(n string) bool {
	for w := range strings.FieldsSeq(strings.ToLower(n)) {
		if particle(w) {
			continue
		}
		stem := t.lex.Stem(w)
		if t.lex.Weight(w) < lexis.Content || len(t.lex.Related(stem)) > 0 || strings.HasSuffix(w, "ing") || t.index.Knows(stem) {
			return false
		}
		if _, ok := small(w); ok {
			return false
		}
	}
	return true
}

// email finds an address, written or spoken: john dot smith at example dot com.
func email(l line, asked bool) string {
	if m := mailWritten.FindString(l.text); m != "" {
		return strings.ToLower(m)
	}
	words := strings.Fields(strings.NewReplacer("full stop", "dot", "period", "dot", "minus", "dash", "hyphen", "dash", ",", " ", "?", " ", "!", " ", ". ", " ").Replace(strings.ToLower(l.text) + " "))
	for i, w := range words {
		if w != "at" || i == 0 || i+1 >= len(words) {
			continue
		}
		host := domain(words[i+1:])
		if host == "" {
			continue
		}
		if m := local(words[:i], asked) + "@" + host; mailWhole.MatchString(m) {
			return m
		}
	}
	return ""
}

// domain joins the words behind at up to the last that a dot connects.
func domain(words []string) string {
	out, dot := "", false
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "dot":
			if out == "" || strings.HasSuffix(out, ".") {
				return ""
			}
			out += "."
			dot = true
		case w == "dash":
			out += "-"
		case out == "" || strings.HasSuffix(out, ".") || strings.HasSuffix(out, "-") || len(w) == 1 && !dot:
			out += strings.Trim(w, ".")
		case !dot && i < 3 && len(words) > i+1 && words[i+1] == "dot":
			out += w // two words of one host
		default:
			i = len(words)
		}
	}
	if !strings.Contains(out, ".") {
		return ""
	}
	return strings.TrimRight(out, ".-")
}

// local joins the words before at, back to the one that leads in.
func local(words []string, asked bool) string {
	out, joined, taken := "", true, 0
	for i := len(words) - 1; i >= 0; i-- {
		w := words[i]
		sign := map[string]string{"dot": ".", "dash": "-", "underscore": "_", "plus": "+"}[w]
		if sign != "" {
			out, joined = sign+out, true
			continue
		}
		switch w {
		case "is", "it's", "its", "email", "e-mail", "mail", "address", "to", "me", "my", "and", "use", "on", "under", "yes", "sure", "it", "uh", "um", "that's", "name", "write", "so", "okay":
			i = 0
			continue
		}
		d, number := digit(w)
		if number {
			w = d
		}
		if !joined && len(w) > 1 && (taken >= 3 || !asked && taken >= 2) {
			break
		}
		out, joined = w+out, false
		taken++
	}
	return strings.Trim(out, ".-_+")
}

// phone finds a telephone number of 7 to 15 digits, or of 5 when it was asked for.
func phone(l line, asked bool) string {
	least := 7
	if asked {
		least = 5
	}
	if m := keyed.FindStringSubmatch(l.text); m != nil {
		if d := strings.Trim(m[1], "*#ABCD"); asked && len(d) >= least && len(d) <= 15 {
			return d
		}
		return ""
	}
	text := isoDate.ReplaceAllString(l.text, " ")
	text = slashDate.ReplaceAllString(text, " ")
	for _, m := range phoneRun.FindAllString(text, 5) {
		d := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '+' {
				return r
			}
			return -1
		}, m)
		if n := len(strings.TrimPrefix(d, "+")); n >= least && n <= 15 {
			return d
		}
	}
	words := lexis.Words(text)
	for i := 0; i < len(words); i++ {
		d, next := digits(words, i)
		if n := len(d); n >= least && n <= 15 {
			if i > 0 && words[i-1].Text == "plus" {
				d = "+" + d
			}
			return d
		}
		i = max(i, next-1)
	}
	return ""
}
