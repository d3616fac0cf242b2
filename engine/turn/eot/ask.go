package eot

import (
	"strconv"
	"strings"
)

// Expect is the kind of answer that was asked for.
type Expect uint8

// The kinds of answers.
const (
	ExpectAny      Expect = iota
	ExpectYesNo           // "Is that correct?"
	ExpectNumber          // "What is your order number?"
	ExpectSpelling        // "How do you spell that?"
	ExpectMail            // an address of mail
	ExpectName            // of a person
	ExpectDate
	ExpectStory // "How can I help you?"
	ExpectMore  // "Is there anything else?"
)

// Asks reports what a clause of the agent asks for, and how many digits if it
// says so; 0 = any number. A clause that asks for nothing is ExpectAny.
func Asks(language, clause string) (want Expect, digits int) {
	t, ok := tongueOf(language)
	if !ok || clause == "" {
		return ExpectAny, 0
	}
	return t.asking.want(lastSentence(clause))
}

// fewestOfLong is how many digits the number of an order, a customer or a
// telephone has at least.
const fewestOfLong = 4

// Fewest is how many digits the number that a clause asks for has at least; 0 =
// that is not known.
func Fewest(language, clause string) int {
	t, ok := tongueOf(language)
	if !ok || clause == "" {
		return 0
	}
	last := lastSentence(clause)
	if want, _ := t.asking.want(last); want != ExpectNumber || !t.asking.long.in(last) || t.asking.quantity.in(last) {
		return 0
	}
	return fewestOfLong
}

// lastSentence is what is still in the ear when somebody answers.
func lastSentence(text string) string {
	trimmed := strings.TrimRight(text, ".!? \n\u061f\u0964")
	if i := strings.LastIndexAny(trimmed, ".!?\u061f\u0964"); i >= 0 {
		return text[i+1:]
	}
	return text
}

// pieces are parts of words, with "|" between them.
type pieces string

// in reports whether one of the pieces stands in text, whatever its case.
func (p pieces) in(text string) bool {
	for rest := string(p); rest != ""; {
		one, after, _ := strings.Cut(rest, "|")
		for i := 0; i+len(one) <= len(text); i++ {
			if strings.EqualFold(text[i:i+len(one)], one) {
				return true
			}
		}
		rest = after
	}
	return false
}

// asking is how a language asks.
type asking struct {
	more, story, spelling, mail, number, date, name pieces
	request                                         pieces // asks though it is no question: "please tell me"
	yesNo                                           list   // first words of questions for yes or no
	figures                                         pieces // "digit"
	counts                                          list   // two, three, four, …
	long                                            pieces // numbers that are never short: "order number"
	quantity                                        pieces // and what makes one that may be: "how many"
}

func (a *asking) want(text string) (want Expect, digits int) {
	question := strings.ContainsAny(text, "?\u061f")
	if !question && !a.request.in(text) {
		return ExpectAny, 0
	}
	first, _ := cutWord(text)
	switch {
	case a.more.in(text):
		return ExpectMore, 0
	case a.story.in(text):
		return ExpectStory, 0
	case a.spelling.in(text):
		return ExpectSpelling, 0
	case question && a.yesNo.hasFold(first):
		return ExpectYesNo, 0
	case a.mail.in(text):
		return ExpectMail, 0
	case a.number.in(text):
		return ExpectNumber, a.count(text)
	case a.date.in(text):
		return ExpectDate, 0
	case a.name.in(text):
		return ExpectName, 0
	}
	return ExpectAny, 0
}

// count finds "the last four digits", "six-digit".
func (a *asking) count(text string) int {
	if !a.figures.in(text) {
		return 0
	}
	for word, rest := cutWord(text); word != ""; word, rest = cutWord(rest) {
		head, _, _ := strings.Cut(word, "-")
		if n := a.counts.small(head); n > 0 {
			return n
		}
	}
	return 0
}

// hasFold is has, whatever the case of the word.
func (l list) hasFold(word string) bool {
	for rest := string(l); rest != ""; {
		one, after, _ := strings.Cut(rest, " ")
		if strings.EqualFold(one, word) {
			return true
		}
		rest = after
	}
	return false
}

// small reads the names of the numbers from two on, and figures.
func (l list) small(word string) int {
	n := 2
	for rest := string(l); rest != ""; n++ {
		one, after, _ := strings.Cut(rest, " ")
		if strings.EqualFold(one, word) {
			return n
		}
		rest = after
	}
	if len(word) > 2 || word == "" || strings.Trim(word, "0123456789") != "" {
		return 0
	}
	n, err := strconv.Atoi(word)
	if err != nil {
		return 0
	}
	return n
}
