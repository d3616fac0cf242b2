package eot

import (
	"cmp"
	"strings"
)

// Verdict says whether a turn sounds finished.
type Verdict uint8

// The verdicts.
const (
	Unknown    Verdict = iota
	Finished           // nothing is missing, and seldom does more follow
	Unfinished         // more must follow
	Open               // more may well follow: dictation, the beginning of a story
)

// Heard is what a model is asked about.
type Heard struct {
	Language string // BCP 47; "" means English
	Expect   Expect // what the agent asked for, see Asks
	Digits   int    // how many of them, for ExpectNumber; 0 = any number
	Fewest   int    // fewer than these are not the whole number, see Fewest
	Before   string // what the caller has said in this turn up to Text
	Text     string
}

// Model judges turns. Judge is pure, total and safe for concurrent use: equal
// questions have equal answers, for ever, because recorded calls are decided
// again by it. A model that changes gets another name.
type Model interface {
	Judge(h Heard) Verdict
}

// The names that an agent can choose, and recordings hold.
const (
	NameRules      = "rules-2" // Rules
	NameFirstRules = "rules"   // their first edition, which the first recordings hold
	NameNone       = "none"    // no model: every turn is Unknown
)

// Named gives the model of a name; false when there is none.
func Named(name string) (Model, bool) {
	switch name {
	case NameRules:
		return Rules{}, true
	case NameFirstRules:
		return firstRules{}, true
	case NameNone:
		return none{}, true
	}
	return nil, false
}

// none knows nothing.
type none struct{}

// Judge implements Model.
func (none) Judge(Heard) Verdict { return Unknown }

// Rules is the model that is built in, for English, German, Spanish, French,
// Russian, Arabic and Hindi. Of other languages it knows the question mark. It
// allocates nothing for text in lower case.
type Rules struct{}

// Judge implements Model.
func (Rules) Judge(h Heard) Verdict { return judge(h, true) }

// firstRules is Rules without what clauses.go knows.
type firstRules struct{}

// Judge implements Model.
func (firstRules) Judge(h Heard) Verdict { return judge(h, false) }

func judge(h Heard, second bool) Verdict {
	if strings.HasSuffix(cmp.Or(h.Text, h.Before), "?") {
		return Finished
	}
	t, ok := tongueOf(h.Language)
	if !ok {
		return Unknown
	}
	if t.halts == nil {
		t.halts = never
	}
	r := reading{tongue: t, answered: true}
	r.read(h.Before, hasWord(h.Text))
	r.read(h.Text, false)
	if r.words == 0 {
		return Unknown
	}
	if second {
		if v, ok := r.second(h); ok {
			return v
		}
	}
	return r.judge(h.Expect, h.Digits)
}

// tongue is what the rules know of one language. Words come in lower case.
type tongue struct {
	hesitates list                         // says nothing and asks for time
	leaves    func(prev, word string) bool // no turn ends with word after prev
	copula    list                         // leads to a value: "the number is"
	agrees    list                         // yes, no
	answers   list                         // may be a whole answer
	joins     list                         // may stand beside one
	halts     func(prev, word string) bool // few turns end with word after prev
	parts     list                         // thanks, goodbye
	thanks    list                         // of those, the ones that say what for
	calls     list                         // asks for attention before something is said: sorry, hold on, hello
	opens     list                         // begins a question
	links     list                         // begins a clause within a sentence: which, what, how
	number    list
	at, dot   list // in an address of mail
	asking    asking
	grammar   grammar
}

// list is words with a space between them. It is no map, because those are
// variables, and short enough to be searched.
type list string

func (l list) has(word string) bool {
	for rest := string(l); rest != ""; {
		one, after, _ := strings.Cut(rest, " ")
		if one == word {
			return true
		}
		rest = after
	}
	return false
}

func never(_, _ string) bool { return false }

func tongueOf(language string) (tongue, bool) {
	base, _, _ := strings.Cut(language, "-")
	switch strings.ToLower(base) {
	case "", "en":
		return english(), true
	case "de":
		return german(), true
	case "es":
		return spanish(), true
	case "fr":
		return french(), true
	case "ru":
		return russian(), true
	case "ar":
		return arabic(), true
	case "hi":
		return hindi(), true
	}
	return tongue{}, false
}
