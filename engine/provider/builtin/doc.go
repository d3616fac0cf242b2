// Package builtin is a language model that needs no key, no network and no
// weights: it reads the parts of a request and answers from them. It knows how
// conversations go (greeting, asking back, collecting, confirming, ending) and
// knows nothing else: every fact it says stands in the agent's texts or was said
// by the customer, and it would rather say that it does not know. It refuses to
// learn, to guess and to speak languages other than English.
//
// How it decides, in this order: what a tool has just answered; a line of the
// example dialogues in the state's description; a workflow transition that
// fits; goodbye, thanks, greetings, who are you, say that again, a person
// please; then the customer's questions, each from the passage that covers it
// (package knowledge), and last what the state or the task wants to be said or
// asked next, one thing at a time.
//
// It keeps nothing between requests. What was asked, answered and noted is read
// from the messages each time, so equal requests give equal replies.
package builtin
