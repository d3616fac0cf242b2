package actors

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/session"
)

// Messages are pointers to structs, immutable once sent. Those that are asked
// are answered with the type named behind the arrow, or with an error.
type (
	// Begin makes a session → *View. The message is idempotent by
	// Born.IdempotencyKey: a session that exists answers with its View.
	Begin struct{ Born event.SessionCreated }
	// Block records a session that may not begin, because of Status → *View.
	Block struct {
		Born   event.SessionCreated
		Status event.Status
	}
	// Look asks for a session as it is → *View.
	Look struct{}
	// Amend changes what is known about the customer → *View.
	Amend struct{ Change event.SessionUpdated }
	// End closes a session → *View.
	End struct{ Status event.Status }
	// Write is a message of the customer → *Answered when the reply is final,
	// or, with Early, when the message is durable (Answered.Text is then empty).
	// ClientID, when set, makes it idempotent.
	Write struct {
		ClientID, Text string
		Early          bool
	}
	// Watch sends the session's frames to Sink from now on, after those with
	// Seq > After. Sink must not block; false ends the watch → *Watching.
	Watch struct {
		After uint64
		Sink  func(Frame) bool
	}
	// Unwatch ends a watch.
	Unwatch struct{ ID uint64 }
	// StopReply ends the reply that is being made.
	StopReply struct{}

	// Spoke says that the caller finished an utterance. The reply will speak as
	// Gen, the machine's own count.
	Spoke struct {
		Gen     uint64
		Text    string
		Digits  bool
		Unheard bool
		Offset  time.Duration
	}
	// Guess is what the caller will probably have said: the reply may be
	// prepared, nothing of it is committed or leaves the session. An empty Text
	// ends it.
	Guess struct{ Text string }
	// Nudge has the agent say Text unasked, as Gen.
	Nudge struct {
		Gen  uint64
		Text string
	}
	// Played says what the caller heard of a reply; it closes the turn. Timed
	// goes with it.
	Played struct {
		Turn        uint64
		Text, Full  string
		Interrupted bool
		Played      time.Duration
		Timed       event.TurnTimed
	}
	// LegGone says that the call of the session is over.
	LegGone struct{ Status event.Status }

	// TimerDue says that a durable timer ran out.
	TimerDue struct {
		ID   string
		Kind string
		Data []byte
	}
	// Recover wakes a session or call after a crash so that it closes what was open.
	Recover struct{}
)

// What a session tells its call.
type (
	// Opened says that the reply that speaks as Gen (0 for the greeting) is
	// committed as the one to turn Turn and is being thought about.
	Opened struct{ Gen, Turn uint64 }
	// Say is one finished clause of the reply to Turn.
	Say struct {
		Turn   uint64
		Clause uint64 // from 1
		Text   string
		Notice bool // it tells that the call is recorded
	}
	// Said ends the reply to Turn: no further clause. Close says that the call
	// is to be ended once it was heard; Timing is what the session knows of the stages.
	Said struct {
		Turn   uint64
		Close  bool
		Failed bool
		Stages []event.Stage
	}
	// Over says that the session has ended.
	Over struct{ Status event.Status }
)

// View is a session as the outside sees it. It shares nothing with the actor.
type View struct {
	ID     string
	Born   event.SessionCreated
	State  session.State
	Latest uint64 // Seq
}

// Answered is the reply to a Write.
type Answered struct {
	Turn    uint64
	Message string
	Text    string
	Options []string
	Mode    string
	Ended   bool
}

// Watching confirms a Watch.
type Watching struct{ ID uint64 }

// Frame is what a socket shows of a session. Frames with Seq > 0 are facts and
// come again after a reconnect; chunks are previews, sent at most once.
type Frame struct {
	Seq     uint64
	Type    string // message thought timeout close chunk state error
	Role    string
	Message string
	Text    string
	Options []string
	Mode    string
	Status  event.Status
	Code    string // error
	Client  string // the client's id of its own line
}
