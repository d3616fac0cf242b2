// Package script plays recorded dialogues against an agent and lets people
// chat with one in a terminal. A script is a YAML list of what the human says
// and what is expected of the agent then: its words, the tools it calls, the
// state it is in, the results it has read. The package knows a conversation
// through three methods and refuses to know what is behind them: it starts no
// server, judges no answer by taste, and never says that something is as
// expected when it could not look.
package script

import (
	"time"
)

// The limits of a script.
const (
	MaxBytes = 1 << 20
	MaxSteps = 1000
	maxHuman = 50_000 // characters of a line; what an agent takes is less
	maxText  = 4000   // characters of an expectation
	maxName  = 255
)

// Script is a dialogue with expectations. It does not change once it is made,
// except that its owner may name it.
type Script struct {
	File  string // what messages call it; "" = script
	Steps []Step // at least one
}

// Step is one line of the human and what is expected of the answer.
type Step struct {
	Line   int    // in the file, from 1
	Human  string // "" = the greeting; the first step only
	Expect Expect
}

// Expect is what must be true after a step. What is left out is not checked.
type Expect struct {
	Says    []Text     // each stands in what the agent says; case and runs of blanks do not matter
	SaysNot []Text     // none stands there
	Calls   *Calls     // nil = not checked
	State   Text       // "" = not checked; END is the end of the workflow
	Results []Expected // of the fields named here
}

// Text is a piece of the file and the line it stands on.
type Text struct {
	Line int
	Text string
}

// Calls are all tool calls of one turn, in their order. What only speaks or
// moves on (SendChatMessage, ForwardSpeech, a move of the workflow) need not be
// named; it is checked where it is.
type Calls struct {
	Line int
	List []CallWanted // empty = none may happen
}

// CallWanted is one expected call. A call that was refused did not happen: it
// meets only an expectation that says refused. One that was carried out and
// failed meets only an expectation that says failed.
type CallWanted struct {
	Line    int
	Name    string
	Args    []Expected // some of its arguments; a value is compared as text
	Refused bool
	Failed  bool
}

// Expected is a value that a field must have; "" = it must have none.
type Expected struct {
	Line        int
	Name, Value string
}

// Turn is what the agent did after one line of the human. It belongs to who
// gets it.
type Turn struct {
	Says    []string          // its messages, in order
	Options []string          // buttons it offers
	Calls   []Call            // in their order; means nothing while Trace is nil
	State   string            // at the end of the turn, "" without a workflow; means nothing while Trace is nil
	Results map[string]string // all results so far, as they are kept; nil = not known
	Ended   bool              // the conversation is over
	Took    time.Duration     // from the line to the whole answer
	Trace   *Trace            // nil = nobody could look inside
}

// Call is one tool call of the model.
type Call struct {
	Name    string
	Args    string // a JSON object
	Refused string // why it was not carried out, "" = it was
	Fault   string // why it failed, "" = it did not
	Result  string
	Move    bool // a move of the workflow, not a tool
	Took    time.Duration
}

// Trace is what a turn was made of.
type Trace struct {
	Passages []Passage
	Model    Model
	Parts    []Part
}

// Passage is a piece of knowledge that was found.
type Passage struct {
	Source, Title string
	Score         float64 // 0 to 1
}

// Model is who answered, with tokens and times; a reply of several steps is
// one sum.
type Model struct {
	Name          string
	Input, Output int
	First, Whole  time.Duration
}

// Part is one piece of the prompt.
type Part struct {
	Kind, Title string
	Tokens      int
}
