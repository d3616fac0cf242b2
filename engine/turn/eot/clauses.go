package eot

import "unicode/utf8"

// This file holds what the second edition of the rules knows besides: clauses
// that have only begun, numbers and addresses that cannot be whole yet, and
// answers that people seldom leave at that. It is asked before the first edition
// and may have nothing to say.

// grammar is what it knows of one language; an empty list knows nothing.
type grammar struct {
	denies    list // of tongue.agrees, those that say no
	bound     list // joined to what must follow: it's, the
	starts    list // goes before a clause: if, well
	joins     list // of those, the ones that add one to another: and, but
	adds      list // of those, the ones after which "i was" is no end: and
	dawdles   list // says, by itself, that something comes: well
	hails     list // greets, or asks to be heard
	attends   list // the same in the middle of a call: sorry, hold on
	pauses    list // of tongue.calls, the ends of those that ask for time: moment
	persons   list // does something: i, somebody
	copulas   list // is, was
	helps     list // helps a verb, and begins questions: do, can
	objects   list // verbs of which it must be said what: need, took
	possesses list // those of them that answer by themselves: have
	refuses   list // the negated of them: can't
	adverbs   list // stands between somebody and what is done: still
	says      list // leads to a clause: says, because
	articles  list // before a thing: the, my
	nots      list // "not" itself, after points: it ends "it's not", and "that's not" hardly
	points    list
	thinks    list // leads to what is thought: think, hope
	announces list // says that a reason comes: calling
	wishes    list // want in "want to know", with to and tells
	to, tells list
	lets      list // let in "let me see", with me and sees
	me, sees  list
	signs     list // between the parts of an address: underscore
	days      list // yesterday, monday
	months    list
	ago       list // "ago" itself
	single    list // of tongue.number, those of one digit
	total     list // makes "all i wanted to know" of a beginning an end
	negates   list
}

// lead follows how the words before a clause pass by, and what stands in it.
type lead struct {
	words     int  // so many words say only that something comes: hello, no, and
	over      bool // and then the clause began
	hailed    bool // all of them greet
	total     bool // all, everything: what follows tells what of
	negated   bool
	something bool // a word such as "the" went by, so that a thing was named
	compound  bool // a number of more than one digit went by: twelve
}

func (l *lead) read(t *tongue, word string, agrees bool) {
	g := &t.grammar
	l.total = l.total || g.total.has(word)
	l.negated = l.negated || g.negates.has(word)
	l.something = l.something || g.bound.has(word)
	l.compound = l.compound || t.number.has(word) && !g.single.has(word)
	switch hails := g.hails.has(word); {
	case l.over:
	case hails || agrees || g.starts.has(word) || g.attends.has(word):
		l.hailed = hails && (l.hailed || l.words == 0)
		l.words++
	default:
		l.over = true
	}
}

// second judges by the second edition; false = it has nothing to say.
func (r *reading) second(h Heard) (Verdict, bool) {
	switch {
	case r.hesitates.has(r.last), r.spelled:
		return Unknown, false
	case r.grammar.bound.has(r.last), r.asksOnly(), r.tellsOnly(h.Expect), r.objectless(h.Expect), r.verbless():
		return Unfinished, true
	case wantsValue(h.Expect) && r.calls && r.grammar.pauses.has(r.last) && (r.words > 1 || !r.number.has(r.last)):
		return Unfinished, true // "one moment", and then the number
	case r.relative(), r.wordOfQuestion():
		return Open, true
	case r.asking && r.words == 3 && r.links.has(r.first) && r.grammar.copulas.has(r.prev) && r.grammar.persons.has(r.last):
		return Unknown, true // "who are you"
	}
	switch h.Expect {
	case ExpectYesNo: // who denies often goes on to say what is right instead
		return Open, r.words == 1 && r.grammar.denies.has(r.last)
	case ExpectStory:
		return Unfinished, r.storyOnlyBegun()
	case ExpectDate:
		return r.date()
	case ExpectNumber:
		return Unfinished, r.tail && !r.compound && r.digits > 0 && r.digits < h.Fewest && h.Digits == 0
	case ExpectMail:
		return r.domain()
	default:
		return Unknown, false
	}
}

// clause is how many words there are after those that only lead to one.
func (r *reading) clause() int { return r.words - r.lead.words }

// asksOnly reports whether a question has come no further than its verb: "what
// is", "how much does". "Who they are" and "what the fee is" are whole.
func (r *reading) asksOnly() bool {
	g := &r.grammar
	if !r.asking || !g.copulas.has(r.last) && !g.helps.has(r.last) {
		return false
	}
	return r.words == 2 || r.words <= 4 && !g.persons.has(r.prev) && !r.lead.something
}

// tellsOnly reports whether a clause has not come to what it is about: "i'd like
// to know", "and it was", "let me see".
func (r *reading) tellsOnly(e Expect) bool {
	g := &r.grammar
	person := g.persons.has(r.prev)
	switch {
	case r.linked:
		return false
	case g.tells.has(r.last) && g.to.has(r.prev) && g.wishes.has(r.prev2):
		return !r.lead.total && !r.lead.negated
	case g.sees.has(r.last) && g.me.has(r.prev) && g.lets.has(r.prev2):
		return true
	case person && g.thinks.has(r.last): // at other places it ends what was said: "on monday i think"
		return r.clause() == 2 && e != ExpectYesNo && !r.agreed
	case person && g.copulas.has(r.last):
		opened := r.clause() == 2 && r.lead.words > 0 && (r.lead.hailed || g.starts.has(r.prev2))
		return e != ExpectYesNo && (opened || g.adds.has(r.prev2))
	case g.announces.has(r.last):
		verb := func(w string) bool { return g.bound.has(w) || g.copulas.has(w) } // "i'm"
		return r.clause() <= 4 && (verb(r.prev) || verb(r.prev2))
	}
	return false
}

// verbless reports whether somebody or something was named of whom nothing was
// said yet: "whether you still", "it says the password", "no that's not".
func (r *reading) verbless() bool {
	g := &r.grammar
	switch {
	case g.dawdles.has(r.last):
		return r.words == 1
	case g.persons.has(r.prev) && g.adverbs.has(r.last):
		return true
	case g.articles.has(r.prev) && g.says.has(r.prev2):
		return true
	}
	return g.nots.has(r.last) && g.points.has(r.prev)
}

// storyOnlyBegun reports whether a story has not come further than a greeting, "the
// driver" or "i can't".
func (r *reading) storyOnlyBegun() bool {
	g := &r.grammar
	if r.lead.words == r.words {
		return r.lead.hailed
	}
	verb := g.persons.has(r.prev) && (g.copulas.has(r.last) || g.helps.has(r.last) || g.refuses.has(r.last))
	opened := r.clause() == 2 && (verb || g.articles.has(r.prev))
	return !r.linked && (opened || verb && g.adds.has(r.prev2))
}

// wordOfQuestion reports whether a question may have come no further than what
// is asked for: "what time".
func (r *reading) wordOfQuestion() bool {
	return r.asking && r.words == 2 && r.links.has(r.prev)
}

// date judges a day by whether it can be told apart: one of the week may well
// be followed by its hour or its date, one of the calendar seldom by anything.
func (r *reading) date() (Verdict, bool) {
	switch {
	case r.grammar.days.has(r.last):
		return Open, true
	case r.grammar.ago.has(r.last):
		return Finished, true
	}
	number := func(w string) bool { return r.number.has(w) || isDigit(w) }
	return Finished, r.grammar.months.has(r.last) && (number(r.prev) || number(r.prev2)) // "the third of may"
}

// objectless reports whether a verb is without what it must be said of:
// "somebody took", "do you have".
func (r *reading) objectless(e Expect) bool {
	g := &r.grammar
	answers := g.possesses.has(r.last)
	switch {
	case r.linked || !g.persons.has(r.prev) || !answers && !g.objects.has(r.last):
		return false
	case g.helps.has(r.prev2): // "can i get"
		return true
	case answers && (e == ExpectYesNo || r.agreed):
		return false
	}
	return r.clause() == 2 || g.joins.has(r.prev2)
}

// relative reports whether such a verb may be said of what was named before it:
// "the card i lost".
func (r *reading) relative() bool {
	g := &r.grammar
	return !r.linked && g.persons.has(r.prev) && g.objects.has(r.last)
}

// domain judges an address of mail by how it ends: the last label of a domain is
// one of few, or short.
func (r *reading) domain() (Verdict, bool) {
	m := r.mail
	switch {
	case r.grammar.signs.has(r.last):
		return Unfinished, true
	case m.at == 0 || m.dot <= m.at || m.dot != r.words-1:
		return Unknown, false
	case r.last == "co": // of a country that is still to come
		return Open, true
	case domains.has(r.last) || utf8.RuneCountInString(r.last) <= 3:
		return Finished, true
	}
	return Unfinished, true
}

// domains are the usual last labels of more than three letters.
const domains list = "info name mobi online store shop site cloud email tech club group world blog agency museum"

func englishGrammar() grammar {
	return grammar{
		denies: "no nope nah",
		bound: "it's that's i'm he's she's we're you're they're there's here's what's who's where's i've we've you've they've i'd we'd you'd he'd she'd they'd " +
			"i'll we'll you'll he'll she'll they'll it'll let's the an my your our their its every and or because if although unless whether than",
		starts:    "and but because so then well also oh if when since while",
		joins:     "and but because",
		adds:      "and",
		dawdles:   "well",
		hails:     "hello hi hey good morning evening afternoon excuse me listen",
		attends:   "sorry pardon wait hold hang on okay ok look",
		pauses:    "moment minute second sec wait on",
		persons:   "i it he she we they you that this there somebody someone nobody everybody anybody anyone everyone",
		copulas:   "is are was were am",
		helps:     "do does did can could will would should may has have had",
		objects:   "need want lost sent bought ordered booked received took got made put gave brought found meant used get give sell offer buy find bring mean",
		possesses: "have has had",
		refuses:   "can't don't didn't won't doesn't couldn't isn't wasn't haven't hasn't wouldn't aren't weren't",
		adverbs:   "still never always just only even ever nearly almost",
		says:      "says said because",
		articles:  "the my your our their his an a this",
		nots:      "not",
		points:    "that's there's",
		days:      "monday tuesday wednesday thursday friday saturday sunday yesterday today tomorrow",
		months:    "january february march april may june july august september october november december",
		ago:       "ago",
		thinks:    "think guess believe suppose thought hope heard wonder",
		announces: "calling phoning ringing wondering",
		wishes:    "like want wanted love need have hoping hoped",
		to:        "to",
		tells:     "know ask say tell report find",
		lets:      "let",
		me:        "me us",
		sees:      "see check look think",
		signs:     "underscore dash hyphen minus plus slash",
		single:    "zero oh one two three four five six seven eight nine",
		total:     "all everything anything nothing only",
		negates:   "not don't didn't doesn't can't won't cannot never",
	}
}
