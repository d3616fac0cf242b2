package eot

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// reading is what the rules gather from a text in one pass.
type reading struct {
	tongue
	lead
	words      int
	prev, last string
	prev2      string // the word before prev
	first      string
	digits     int  // words that are numbers, the digits of figures counted one by one
	tail       bool // the last word is a number or a single letter
	letters    int  // single letters
	single     bool // the last word is one
	spelled    bool // and so is the one before
	linked     bool // a clause within a sentence began before the last word: which, what, how
	answered   bool // every word may stand in a short answer
	core       bool // and one of them is an answer by itself
	parted     bool // thanks or goodbye is among them
	agreed     bool // begins with yes or no
	asking     bool // begins like a question
	calls      bool // every word is one that asks for attention
	mail       mail
}

// mail is how far an address of mail has come.
type mail struct {
	at, dot, signs int
	whole          bool // written as one word
}

// read takes text in; more says that another text follows it.
func (r *reading) read(text string, more bool) {
	for word, rest := nextWord(text); word != ""; word, rest = nextWord(rest) {
		if r.hesitates.has(word) && (more || hasWord(rest)) { // within a sentence it says nothing
			continue
		}
		if r.words == 0 {
			r.first = word
			r.asking, r.agreed = r.opens.has(word), r.agrees.has(word)
		}
		core := r.agrees.has(word) || r.answers.has(word) || r.parts.has(word)
		r.core, r.parted = r.core || core, r.parted || r.parts.has(word)
		r.answered = r.answered && (core || r.joins.has(word))
		r.calls = (r.calls || r.words == 0) && r.tongue.calls.has(word)
		r.linked = r.linked || r.links.has(r.last)
		single := utf8.RuneCountInString(word) == 1 && !isDigit(word)
		r.spelled = single && r.single
		r.single = single
		r.tail = single || r.number.has(word) || isDigit(word)
		switch {
		case isDigit(word):
			r.digits += count(word)
		case r.number.has(word):
			r.digits++
		case single:
			r.letters++
		}
		r.mail.read(&r.tongue, word, r.words)
		r.lead.read(&r.tongue, word, r.agrees.has(word))
		r.prev2, r.prev, r.last = r.prev, r.last, word
		r.words++
	}
}

func (m *mail) read(t *tongue, word string, n int) {
	switch {
	case strings.Contains(word, "@"):
		m.at, m.signs = n+1, m.signs+1
		_, domain, _ := strings.Cut(word, "@")
		m.whole = strings.Contains(domain, ".")
	case t.at.has(word):
		m.at, m.dot, m.signs = n+1, 0, m.signs+1
	case t.dot.has(word):
		m.dot, m.signs = n+1, m.signs+1
	}
}

// judge weighs what was read against what was asked for.
func (r *reading) judge(e Expect, digits int) Verdict {
	switch {
	case r.hesitates.has(r.last):
		return Unfinished
	case r.copula.has(r.last) && wantsValue(e):
		return Unfinished
	}
	switch e {
	case ExpectNumber:
		return r.figures(digits)
	case ExpectSpelling:
		if r.letters > 0 && r.tail || r.words <= 2 {
			return Open
		}
	case ExpectMail:
		return r.address()
	default:
	}
	if r.leaves(r.prev, r.last) && !r.spelled && (!r.linked || r.asking && r.words < 4) {
		return Unfinished
	}
	if e != ExpectYesNo && r.words > 2 && !r.linked && r.halts(r.prev, r.last) {
		return Open
	}
	return r.whole(e)
}

// wantsValue reports whether an answer may begin with "it is".
func wantsValue(e Expect) bool {
	switch e {
	case ExpectNumber, ExpectSpelling, ExpectMail, ExpectName, ExpectDate:
		return true
	default:
		return false
	}
}

// figures judges an answer to a question for a number.
func (r *reading) figures(digits int) Verdict {
	switch {
	case r.digits == 0 && r.leaves(r.prev, r.last):
		return Unfinished
	case r.digits == 0 && r.words <= 2 && r.answered:
		return Open // "sure", and then the number
	case r.digits == 0 || !r.tail:
		return Unknown
	case digits == 0:
		return Open
	case r.digits < digits:
		return Unfinished
	}
	return Finished
}

// address judges an address of mail.
func (r *reading) address() Verdict {
	m := r.mail
	switch {
	case m.signs == 0 && r.leaves(r.prev, r.last):
		return Unfinished
	case m.signs == 0 && r.words <= 3: // the name at its beginning
		return Open
	case m.signs == 0, m.whole, m.dot <= m.at && m.at > 0 && r.words-m.at > 3: // "at the moment I have none"
		return Unknown
	case m.at == 0, m.at == r.words, m.dot == r.words, m.dot <= m.at:
		return Unfinished
	}
	return Unknown
}

// whole judges what has no loose end.
func (r *reading) whole(e Expect) Verdict {
	switch {
	case e == ExpectYesNo && r.agreed && r.words <= 3 && r.answered:
		return Finished
	case e == ExpectMore && (!r.parted || r.words < 3) && r.words <= 4: // who wants nothing more says thanks as well, and goodbye
		return Open
	case r.words <= 3 && r.calls:
		return Open
	case r.parted && r.answered && !r.thanks.has(r.last): // "for your help" may follow
		return Finished
	case r.parted && r.answered, e == ExpectAny && r.agreed && r.words <= 4: // a yes or no that nobody asked for begins an objection
		return Open
	case r.answered && r.core && r.words <= 4 && e != ExpectStory:
		return Finished
	case e == ExpectStory && r.words <= shortStory, e == ExpectName && (r.words == 1 || r.copula.has(r.prev)), e == ExpectDate && r.tail:
		return Open
	case r.asking && r.words >= longQuestion && !r.tail:
		return Finished
	}
	return Unknown
}

// shortStory is how many words of a story only begin it; longQuestion how many
// of a question seldom leave more than a time or a place to be added.
const (
	shortStory   = 9
	longQuestion = 6
)

// nextWord is cutWord in lower case. It allocates only to change the case.
func nextWord(text string) (word, rest string) {
	word, rest = cutWord(text)
	return strings.ToLower(word), rest
}

// cutWord cuts the first word off text, without the punctuation around it. It
// is "" when there is none.
func cutWord(text string) (word, rest string) {
	for i, r := range text {
		if !letter(r) {
			continue
		}
		text = text[i:]
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		return strings.TrimRightFunc(text[:end], func(r rune) bool { return !letter(r) }), text[end:]
	}
	return "", ""
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

func hasWord(text string) bool { return strings.IndexFunc(text, letter) >= 0 }

func isDigit(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return unicode.IsDigit(r)
}

// count counts the digits of figures such as 0157-33.
func count(word string) int {
	n := 0
	for _, r := range word {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}
