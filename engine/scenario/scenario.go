// Package scenario reads files that say how a telephone conversation with an
// agent goes, judges how one really went, and draws it. A scenario is what the
// caller says and when, over which line, and what is expected then: words,
// delays, states, results, tools. The package is told what was heard at the
// caller's ear and what the journal holds, each with its time, and refuses to
// know where that comes from: it places no call, hears no sound and reads no
// clock. It never says that something is as expected when nobody could look.
package scenario

import "time"

// The limits of a scenario.
const (
	MaxBytes = 1 << 20
	MaxSteps = 200
	maxText  = 2000 // characters of a line or an expectation
	maxName  = 255
	longest  = 10 * time.Minute // of a call, a pause, a delay
)

// Scenario is one conversation. It does not change once it is read, except that
// its owner may name its file and give another seed.
type Scenario struct {
	File    string // what messages call it; "" = scenario
	Name    string // "" = the file's
	Agent   string // an agent file (it ends in .yaml or .yml), or the id or alias of an agent that is served
	Voice   string // of the caller; "" = the runner's choice
	Line    Line
	Noise   Noise
	Seed    uint64        // of the noise and of what happens to packets
	Timeout time.Duration // of the whole call; it fails then
	Quiet   time.Duration // an answer is over when nothing was heard for so long
	Right   float64       // share of an expected phrase's words that must be recognised, 0 to 1
	Steps   []Step        // at least one
	End     Expect        // of the whole call, after it ended
}

// Line is the telephone line.
type Line struct {
	Codec     string // PCMU PCMA G722 opus; "" = what both sides prefer
	Transport string // of SIP: udp tcp
	Loss      float64
	Reorder   float64 // shares of packets, both ways, 0 to 1
	Delay     time.Duration
	Jitter    time.Duration
}

// Noise is what is heard behind the caller all the time.
type Noise struct {
	Kind string  // white pink hum babble, or a WAV file; "" = none
	SNR  float64 // of the speech above it, dB
}

// Act is what the caller does.
type Act uint8

// The acts.
const (
	Listen Act = iota // nothing: only expectations
	Say               // a text, in a voice
	Play              // a WAV file
	Sound             // a built-in sound that is no word
	Press             // keys
	Wait              // let time pass
	Await             // wait until the agent hangs up
	HangUp
)

// Step is one thing the caller does and what is expected until the next.
type Step struct {
	Place  Place
	Act    Act
	Text   string // of Say; the file of Play, the kind of Sound, the keys of Press
	Voice  string // "" = that of the scenario
	For    time.Duration
	When   When
	Expect Expect
}

// Place is where something stands in the file, from 1.
type Place struct {
	Line int `json:"line"`
	Col  int `json:"col"`
}

// Trigger is what a step waits for.
type Trigger uint8

// The triggers.
const (
	AfterAnswer  Trigger = iota // the agent has spoken, and is quiet: its greeting at first
	WhileSpeaks                 // the agent has been speaking for Of
	AfterSilence                // nobody has spoken for Of
	At                          // Of since the call was answered
	AtOnce                      // right after the step before
)

// When is when a step begins.
type When struct {
	Trigger Trigger
	Of      time.Duration
}

// Expect is what must be true between the beginning of a step and that of the
// next. What is left out is not checked; durations of 0 are left out.
type Expect struct {
	Says    []Text // each is recognised in what the agent is heard to say
	SaysAny []Text // one of them is
	SaysNot []Text // none is
	// Understood are words of the caller that the agent's recogniser must have had.
	Understood  []Text
	Answers     Limit // the agent is heard at most so long after the caller's last sound
	Silences    Limit // and is silent at most so long after the caller's first
	GoesOn      Limit // and goes on speaking at least so long after the caller's last sound
	NoAnswer    Limit // and says nothing new for at least so long after it
	State       Text
	Results     []Field
	Calls       []Call
	NoCalls     *Text // set: no tool may be called
	Interrupted *Flag // whether an answer of the agent was broken off
	// Of the whole call only.
	Status    Text
	Recording *Flag
	Every     Limit // each answer of the call comes so soon
	Lasts     Limit // the call is over by then
}

// Text is a piece of the file.
type Text struct {
	Place Place
	Text  string
}

// Limit is a duration that is allowed or wanted; 0 = not checked.
type Limit struct {
	Place Place
	Of    time.Duration
}

// Flag is a yes or a no.
type Flag struct {
	Place Place
	On    bool
}

// Field is a value that a result must have; "" = it must have none, and *
// stands for anything in it.
type Field struct {
	Place       Place
	Name, Value string
}

// Call is a tool that must be called.
type Call struct {
	Place  Place
	Name   string
	Times  int  // exactly; -1 = at least once
	Failed bool // it must have failed; otherwise one that failed does not count
}

// Defaults of what a file leaves out.
const (
	defaultTimeout = 90 * time.Second
	defaultQuiet   = 900 * time.Millisecond
	defaultRight   = 0.7
)
