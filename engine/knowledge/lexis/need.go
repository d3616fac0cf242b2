package lexis

import (
	"regexp"
	"strings"
)

// Need is the kind of fact a question asks for.
type Need string

// The kinds of fact. "" is any.
const (
	NeedAny      Need = ""
	NeedMoney    Need = "money"    // how much
	NeedTime     Need = "time"     // when, what time
	NeedDuration Need = "duration" // how long, how soon
	NeedCount    Need = "count"    // how many, what limit
	NeedPlace    Need = "place"    // where, which address
	NeedContact  Need = "contact"  // which number, which address to write to
)

var (
	askMoney    = regexp.MustCompile(`(?i)\bhow (much)\b(?: (?:is|are|does|do|would|will|it|for|to|should)\b|\s*\??$)|\b(what|which)\b[^?]{0,60}\b(price|cost|costs|fees?|rate)\b|\bhow expensive\b`)
	askTime     = regexp.MustCompile(`(?i)\b(what|which) (times?|hours?|days?|date)\b|\bwhen (do|does|is|are|will|can|must|should)\b|\b(opening|closing|business|office) (hours?|times?)\b|\bhow (late|early)\b`)
	askDuration = regexp.MustCompile(`(?i)\bhow (long|soon|quickly)\b|\bhow fast (do|does|can|will|would)\b|\bwhat\b[^?]{0,30}\b(period|duration)\b|\bhow many (days|weeks|months|hours|minutes|years)\b`)
	askCount    = regexp.MustCompile(`(?i)\bhow (many|often)\b`)
	askPlace    = regexp.MustCompile(`(?i)\b(what|which) (is )?(the |your )?(street |postal )?address\b|\bwhere (is|are|exactly are|do|does|can|will)\b`)
	askContact  = regexp.MustCompile(`(?i)\b(phone|telephone|contact|emergency|hotline) number\b|\b(what|which)( is|s)? (the |your )?(\w+ ){0,2}number\b|\b(what|which)\b[^?]{0,15}\be-?mail\b`)
)

// Asks says which kind of fact a question asks for.
func Asks(question string) Need {
	switch {
	case askDuration.MatchString(question):
		return NeedDuration
	case askCount.MatchString(question):
		return NeedCount
	case askMoney.MatchString(question):
		return NeedMoney
	case askContact.MatchString(question):
		return NeedContact
	case askPlace.MatchString(question):
		return NeedPlace
	case askTime.MatchString(question):
		return NeedTime
	}
	return NeedAny
}

// Implied are words a question means without saying them: how much asks for a
// price.
func Implied(n Need, question string) string {
	if n == NeedMoney && strings.Contains(strings.ToLower(question), "how much") {
		return "cost"
	}
	return ""
}

// Names reports whether a stem only names the kind of fact a question asks for,
// so that a text that gives such a fact need not repeat the word.
func Names(stem string, n Need) bool {
	switch n {
	case NeedMoney:
		switch stem {
		case "cost", "price", "fee", "charg", "pay", "rate", "much", "amount":
			return true
		}
	case NeedTime:
		switch stem {
		case "open", "close", "hour", "time", "day", "schedul", "start", "date", "late", "begin":
			return true
		}
	case NeedDuration:
		switch stem {
		case "long", "fast", "quick", "quickli", "soon", "take", "day", "week", "month", "hour":
			return true
		}
	case NeedContact:
		switch stem {
		case "phone", "number", "contact", "call", "email", "address", "reach":
			return true
		}
	case NeedAny, NeedCount, NeedPlace:
	}
	return false
}

// Facts are the kinds of fact a sentence holds, found without expressions and
// more strictly than Gives: what it says is a figure of the kind.
type Facts uint8

const (
	factMoney Facts = 1 << iota
	factTime
	factDuration
	factContact
	factFigure
	factWhen     // a word of time that is no time of day
	factIncluded // it may be that nothing is charged
	factNumber3  // three digits in a row of words: perhaps a short number to call
)

// Has reports whether a fact of the kind is among f.
func (f Facts) Has(n Need) bool {
	switch n {
	case NeedMoney:
		return f&factMoney != 0
	case NeedTime:
		return f&factTime != 0
	case NeedDuration:
		return f&factDuration != 0
	case NeedContact:
		return f&factContact != 0
	case NeedCount:
		return f&factFigure != 0
	case NeedAny, NeedPlace:
	}
	return false
}

// May is Has with doubt in the text's favour: it may hold a fact of the kind.
func (f Facts) May(n Need) bool {
	switch n {
	case NeedTime:
		return f&(factTime|factFigure|factWhen) != 0
	case NeedDuration:
		return f&(factDuration|factWhen) != 0
	case NeedContact:
		return f&(factContact|factNumber3) != 0
	case NeedMoney:
		return f&(factMoney|factIncluded) != 0
	case NeedCount:
		return f.Has(n)
	case NeedAny, NeedPlace:
	}
	return true
}

// FactsOf reads a sentence.
func FactsOf(sentence string) Facts {
	var f Facts
	if strings.ContainsAny(sentence, "€$£¥") {
		f |= factMoney
	}
	if strings.Contains(sentence, "@") {
		f |= factContact
	}
	digits, figure, no := 0, false, 0
	for w := range strings.FieldsFuncSeq(sentence, between) {
		w = strings.ToLower(w)
		if no--; w == "no" || w == "without" {
			no = 2 // no fee, no monthly fee
		} else if no >= 0 && (strings.HasPrefix(w, "charge") || strings.HasPrefix(w, "cost") || strings.HasPrefix(w, "fee")) {
			f |= factMoney
		}
		n := countDigits(w)
		digits += n
		if n > 0 || numeral(w) && len(w) > 2 {
			f |= factFigure
		}
		if n == 0 && w != "one" && w != "two" {
			digits = keepRun(digits)
			f |= unit(w, figure)
		}
		if digits >= 6 {
			f |= factContact
		}
		if digits >= 3 {
			f |= factNumber3
		}
		if figure = n > 0 || numeral(w) || figure && n == 0 && adjective(w); n > 0 && strings.Contains(w, ":") {
			f |= factTime
		}
	}
	return f
}

func between(r rune) bool { return strings.ContainsRune(" \t\n,;()!?/\"", r) }

func countDigits(w string) int {
	n := 0
	for i := range len(w) {
		if w[i] >= '0' && w[i] <= '9' {
			n++
		}
	}
	return n
}

// keepRun ends a run of digits at a word, unless it is long enough to have counted.
func keepRun(n int) int {
	if n >= 6 {
		return n
	}
	return 0
}

func numeral(w string) bool {
	switch w {
	case "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fourteen", "twenty", "thirty", "half", "a", "an", "few", "several":
		return true
	}
	return false
}

func adjective(w string) bool {
	switch w {
	case "working", "business", "full", "calendar", "more":
		return true
	}
	return false
}

// unit is the fact a word makes of a figure before it, or is by itself.
func unit(w string, figure bool) Facts {
	switch strings.TrimRight(w, ".:") {
	case "euro", "euros", "dollar", "dollars", "pound", "pounds", "cents", "pence", "percent":
		return factMoney
	case "free", "complimentary":
		return factMoney
	case "included", "includes", "nothing":
		return factIncluded
	case "am", "pm", "a.m", "p.m", "noon", "midnight", "o'clock", "daily",
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
		"mondays", "tuesdays", "wednesdays", "thursdays", "fridays", "saturdays", "sundays", "weekdays", "weekends",
		"january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december":
		return factTime
	case "second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months", "year", "years":
		if figure {
			return factDuration
		}
	case "immediately", "instantly", "overnight":
		return factDuration | factWhen
	case "until", "before", "after", "once", "every", "morning", "afternoon", "evening", "night", "always", "anytime", "unlimited", "permanent", "permanently", "straight", "soon":
		return factWhen
	}
	return 0
}

// Figure reports whether a fact of the kind is a figure that FactsOf finds.
func (n Need) Figure() bool { return n != NeedAny && n != NeedPlace }
