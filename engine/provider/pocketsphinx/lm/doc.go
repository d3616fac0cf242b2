// Package lm builds the vocabulary and the language model with which the
// built-in recogniser listens to one agent's callers.
//
// It has two sources. One is the agent: its texts, cut into clauses, noun and
// verb phrases that are put into the questions and statements callers make,
// beside what every caller says: greetings, yes and no, digits, amounts, dates,
// names, addresses. The other is the model of general English that comes with
// the recogniser; of it only the words of the vocabulary are taken, so that a
// sentence nobody foresaw is still mostly heard while a decoder stays small.
// Both are mixed into one trigram model, written as ARPA text.
//
// The same hints give the same bytes. The package does no I/O, knows no
// pronunciations and hears nothing.
package lm
