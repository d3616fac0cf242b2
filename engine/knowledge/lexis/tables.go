package lexis

import _ "embed" // for the tables

// The tables hold everyday English only. A word that belongs to one trade does
// not belong here: agents bring their own words with their knowledge.

// emptyWords say nothing about what a question is about.
//
//go:embed words/empty.txt
var emptyWords string

// lightWords say little: asking for them to be in the answer would be asking
// for the wrong thing.
//
//go:embed words/light.txt
var lightWords string

// tellingWords tell something though they share their stem with a light word:
// the basic card is not any card, and a minute is not the least of something.
//
//go:embed words/telling.txt
var tellingWords string

// softWords are everyday verbs, adjectives and nouns of time and family that
// people put in place of others when they tell the same thing in their own
// words. One that stands nowhere in the knowledge says little; a strange noun
// says much.
//
//go:embed words/soft.txt
var softWords string

// irregularForms: the base, then the forms no stemmer reaches.
//
//go:embed words/irregular.txt
var irregularForms string

// sameWords: each line holds words that people use one for the other in nearly
// every sentence a caller says.
//
//go:embed words/same.txt
var sameWords string

// relatedWords: each line holds words a caller may use one for the other now
// and then.
//
//go:embed words/related.txt
var relatedWords string

// kindWords: each line begins with a word for a kind of thing; the others are
// such things. A thing may stand for its kind and the kind for a thing, one
// thing never for another.
//
//go:embed words/kinds.txt
var kindWords string

// partWords: each line begins with a thing; the others are its parts and what
// goes with it. A part points at its thing, the thing not at each part.
//
//go:embed words/parts.txt
var partWords string

// idioms are turns of phrase and what they ask for in plain words.
//
//go:embed words/idioms.txt
var idioms string
