package turn

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Verdict says whether text, spoken in language (BCP 47, "" = English), sounds
// like a finished turn. It is a small rule model of endings, good enough to
// shorten or lengthen a wait and no more: in doubt, and in languages it does
// not know, it says HintUnknown.
func Verdict(language, text string, expect Expect) Hint {
	if strings.HasSuffix(text, "?") {
		return HintFinished
	}
	if !english(language) {
		return HintUnknown
	}
	e := ending{}
	e.read(text)
	switch {
	case e.words == 0:
		return HintUnknown
	case e.unfinished():
		return HintUnfinished
	case e.words <= 4 && e.answers && e.core,
		expect == ExpectYesNo && e.words <= 3 && e.yesNo,
		expect == ExpectNumber && e.words <= 2 && e.numbers,
		e.words >= 4 && e.asks:
		return HintFinished
	}
	return HintUnknown
}

func english(language string) bool {
	return language == "" || language == "en" || strings.HasPrefix(language, "en-")
}

// ending is what the rules need to know of a text.
type ending struct {
	words      int
	prev, last string
	answers    bool // every word may stand in a short answer
	core       bool // and one of them is an answer by itself
	yesNo      bool // begins with yes or no
	numbers    bool // every word is a number
	asks       bool // begins like a question
}

func (e *ending) read(text string) {
	e.answers, e.numbers = true, true
	for word, rest := nextWord(text); word != ""; word, rest = nextWord(rest) {
		word = strings.ToLower(word)
		if e.words == 0 {
			e.asks, e.yesNo = opensQuestion(word), isYesNo(word)
		}
		core := isYesNo(word) || isAnswer(word)
		e.core = e.core || core
		e.answers = e.answers && (core || joinsAnswer(word))
		e.numbers = e.numbers && isNumber(word)
		e.prev, e.last = e.last, word
		e.words++
	}
}

// unfinished reports whether the last words ask for more: a conjunction, a
// preposition, a determiner, a hesitation, "my name is", "tell me".
func (e *ending) unfinished() bool {
	switch e.last {
	case "is":
		switch e.prev {
		case "name", "number", "address", "email", "code", "date", "birthday", "pin", "surname", "what", "that":
			return true
		}
	case "in", "on", "up", "out", "off": // "log in" is whole, "a card in" is not
		switch e.prev {
		case "log", "sign", "check", "turn", "opt", "logged", "signed", "checked", "turned", "hang":
			return false
		}
		return true
	case "me", "us", "him", "her", "them":
		switch e.prev {
		case "tell", "give", "show", "ask", "let", "help":
			return true
		}
		return e.last == "her" && e.words > 1
	case "like", "so":
		return e.words > 1 && e.prev != "think" && e.prev != "hope"
	}
	return wantsMore(e.last)
}

func wantsMore(word string) bool {
	switch word {
	case "and", "or", "but", "because", "if", "when", "while", "which", "although", "unless", "until", "than", "nor",
		"to", "of", "at", "for", "from", "with", "by", "about", "into", "onto", "over", "under", "between", "without", "during", "via",
		"the", "a", "an", "my", "your", "his", "its", "our", "their", "every", "some",
		"i", "i'm", "i'd", "i'll", "we're", "it's", "there's", "what's", "can", "could", "would", "should", "will", "want", "wanna", "need",
		"um", "uh", "er", "erm", "hmm", "well", "also", "maybe", "actually", "basically":
		return true
	}
	return false
}

func isYesNo(word string) bool {
	switch word {
	case "yes", "no", "yeah", "yep", "yup", "nope", "nah":
		return true
	}
	return false
}

// isAnswer holds for a word that can be a whole answer.
func isAnswer(word string) bool {
	switch word {
	case "ok", "okay", "sure", "thanks", "thank", "correct", "right", "exactly", "absolutely", "bye", "goodbye",
		"perfect", "great", "nothing", "none", "all", "enough", "stop", "cancel", "continue", "repeat":
		return true
	}
	return false
}

// joinsAnswer holds for a word that may stand beside one.
func joinsAnswer(word string) bool {
	switch word {
	case "you", "please", "that's", "that", "is", "it", "it's", "very", "much", "fine", "not", "of", "course", "for", "now", "else", "good":
		return true
	}
	return false
}

func opensQuestion(word string) bool {
	switch word {
	case "what", "how", "when", "where", "why", "who", "which", "whose", "can", "could", "do", "does", "did", "is", "are", "will", "would", "should", "may", "am", "have", "has":
		return true
	}
	return false
}

func isNumber(word string) bool {
	if word[0] >= '0' && word[0] <= '9' {
		return true
	}
	switch word {
	case "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
		"thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty",
		"fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million", "double", "first", "second", "third":
		return true
	}
	return false
}

func countWords(text string) int {
	n := 0
	for word, rest := nextWord(text); word != ""; word, rest = nextWord(rest) {
		n++
	}
	return n
}

// containsWord reports whether word stands in text, whatever its case.
func containsWord(text, word string) bool {
	for w, rest := nextWord(text); w != ""; w, rest = nextWord(rest) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// nextWord cuts the first word off text, without the punctuation around it. It
// is "" when there is none. It does not allocate.
func nextWord(text string) (word, rest string) {
	for i, r := range text {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			text = text[i:]
			end := strings.IndexFunc(text, unicode.IsSpace)
			if end < 0 {
				end = len(text)
			}
			return trimEnd(text[:end]), text[end:]
		}
	}
	return "", ""
}

func trimEnd(word string) string {
	for len(word) > 0 {
		r, n := utf8.DecodeLastRuneInString(word)
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			break
		}
		word = word[:len(word)-n]
	}
	return word
}
