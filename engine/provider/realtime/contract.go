package realtime

import (
	"context"
	"iter"
	"time"

	"flametree/engine/provider"
)

// The rates of samples: as they are given to a Line, and as a Line gives them.
const (
	HearHz  = 16000
	SoundHz = 24000
)

// Brief is what a model is told besides the conversation.
type Brief struct {
	System    string
	Tools     []provider.Tool
	MaxTokens int // 0 = the vendor's default
	// Temperature, negative = the vendor's default; vendors without it leave it out.
	Temperature float64
}

// Seed is what a connection begins with: nothing else is known to the vendor.
type Seed struct {
	Brief    Brief
	Messages []provider.Message
	Language string // BCP 47 of the caller, "" = not known
}

// Abilities say what a vendor's memory can have done to it while a connection
// lasts. What it cannot is done by a new connection.
type Abilities struct {
	Update   bool // another Brief
	Truncate bool // a reply cut where it was interrupted
	Forget   bool // a reply taken out
}

// Model opens connections to one model. It is safe for concurrent use.
type Model interface {
	// Open connects and waits until the vendor has taken the seed's brief. ctx ends
	// the connection, too. Errors wrap a fault.Kind and hold neither key nor words.
	Open(ctx context.Context, s Seed) (Line, error)
	// About is the vendor's name and the model's, as they stand in the journal.
	About() (vendor, model string)
	// Can tells what its connections can do.
	Can() Abilities
}

// Line is one connection. Do is called by one goroutine, Events by another.
type Line interface {
	// Do sends one command, in order. An error means that the line is over.
	Do(c Command) error
	// Events yields what the vendor says about the newest Respond and about what
	// was heard; an error is the last element. The line is closed afterwards.
	Events() iter.Seq2[Event, error]
	// Close ends the line at once. It may be called twice, by anybody.
	Close()
}

// Command is one of the types below.
//
//sumtype:decl
type Command interface{ command() }

// The commands of a Line.
type (
	// Hear is a stretch of the caller's voice at HearHz; the line may keep it.
	Hear struct{ PCM []int16 }
	// Commit says that the caller paused: one Settled event follows for each.
	Commit struct{}
	// Update changes the brief.
	Update struct{ Brief Brief }
	// Tell adds a message to the vendor's memory.
	Tell struct{ Message provider.Message }
	// Forget takes an item of the vendor's own out of its memory.
	Forget struct{ Item string }
	// Truncate cuts a reply where the caller stopped hearing it.
	Truncate struct {
		Item string
		At   time.Duration
	}
	// Respond asks for a reply. Knowledge is what is known for this one besides the
	// brief, already marked as data; "" = nothing new.
	Respond struct{ Knowledge string }
	// Cancel ends the reply that is being made; no event of it follows.
	Cancel struct{}
)

func (Hear) command()     {}
func (Commit) command()   {}
func (Update) command()   {}
func (Tell) command()     {}
func (Forget) command()   {}
func (Truncate) command() {}
func (Respond) command()  {}
func (Cancel) command()   {}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of Event.
const (
	Heard   EventKind = iota + 1 // Text is all that was understood since the last Settled
	Settled                      // Text is the whole of what the oldest Commit ended; "" = nothing
	Text                         // a piece of the words that are spoken, of Item
	Sound                        // a stretch of speech at SoundHz, of Item
	Wish                         // Call is a whole wish for a tool
	Done                         // the reply is complete; Usage may be set
	Leaving                      // the vendor will close the connection soon
)

// Event is something a vendor said. The consumer owns what is in it.
type Event struct {
	Kind  EventKind
	Item  string
	Text  string
	PCM   []int16
	Call  provider.ToolCall
	Usage provider.Usage
	Limit bool // Done: because the reply became too long
}
