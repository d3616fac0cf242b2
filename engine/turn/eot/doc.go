// Package eot judges whether what somebody has said so far is a whole turn: by
// the words, by what was asked for, and in the language that is spoken. The
// turn machine waits short, long or as the caller's own habits suggest by what
// it says.
//
// Rules is the model that is built in. It knows endings: what no sentence stops
// with (conjunctions, articles, most prepositions, hesitations), what answers by
// itself (yes to a question for it, thanks, goodbye, a question), and what has an
// end that only silence tells (dictated figures and letters, a story that was
// asked for). Of grammar it knows clauses that have only begun, and only in
// English (clauses.go). A wrong "unfinished" costs the caller two seconds of
// silence and a wrong "finished" an interruption, so in doubt it says Unknown.
//
// The rules have editions. What an edition says of a text never changes, because
// recorded calls name it; what is learned later makes the next one.
//
// Another model of text implements Model and gets a name in Named: the name is
// recorded with each call, so that a replay asks the same one. A model of sound,
// or one that runs elsewhere, cannot be asked again in a replay; what it says
// comes to the machine as an input (turn.EndOfTurnHint) and is recorded there.
//
// It hears no sound, keeps nothing between two questions, and never decides
// when a turn ends: that is the machine's.
package eot
