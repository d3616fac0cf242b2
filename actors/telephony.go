package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/tenant"
)

// Dialler places calls.
type Dialler interface {
	// Dial places a call and returns when it was answered; the call is the
	// caller's then, who closes Leg and Line. progress is told how it goes on, in
	// order, and must not block. A call that did not come about is *NotReached.
	// When ctx ends first the call is cancelled.
	Dial(ctx context.Context, d Dialling, progress func(DialProgress)) (Leg, Line, error)
}

// Dialling says whom to call.
type Dialling struct {
	Tenant     tenant.ID
	Agent      string // whose connections may be used
	Connection string // "" = the agent's own, or the server itself
	To         string // SIP URI, or a number that the connection completes
	From       string // caller id; "" = the connection's
	Display    string
	Parameters string        // transport=udp;timeout=30
	Ring       time.Duration // how long it may ring; 0 = until ctx ends
	CallID     string        // "" = chosen by the line
	Owner      bool          // asked for by the owner of the server: any SIP address will do
	Referral   *Referral     // the other end of a call asked for it; nil = we want it
}

// Referral is what the other end of a call said beside whom it wants called.
type Referral struct {
	Replaces string // the call whose place is to be taken (RFC 3891); "" = none
	By       string // of RFC 3892; may be empty
}

// DialProgress is what is heard of a call that is being placed.
type DialProgress struct {
	Stage string // trying ringing early
	Code  int
}

// NotReached is why a call that was placed did not come about.
type NotReached struct {
	Status event.Status // busy noanswer declined failed canceled
	Reason string       // busy no_answer declined refused failed canceled forbidden, for events
	Code   int          // of SIP, 0 = none
	Err    error
}

// Error implements error.
func (n *NotReached) Error() string {
	if n.Code > 0 {
		return fmt.Sprintf("not reached: %s (%d)", n.Reason, n.Code)
	}
	return "not reached: " + n.Reason
}

// Unwrap gives the cause.
func (n *NotReached) Unwrap() error {
	if n.Err != nil {
		return n.Err
	}
	return fault.Unavailable
}

// notReached reads any error of a Dialler.
func notReached(err error) *NotReached {
	if n, ok := errors.AsType[*NotReached](err); ok {
		return n
	}
	if fault.KindOf(err) == fault.Cancelled {
		return &NotReached{Status: event.Canceled, Reason: "canceled", Err: err}
	}
	return &NotReached{Status: event.Failed, Reason: "failed", Err: err}
}

// Referrer is a Line whose other end can be asked to call somebody else
// (RFC 3515). Progress is told the codes the other end reports; nil error means
// that it reached them, and our line may be given up.
type Referrer interface {
	Refer(ctx context.Context, target string, progress func(code int)) error
	// ReferTo has the other end take the place of ours in other (RFC 3891).
	ReferTo(ctx context.Context, other Line, progress func(code int)) error
}

// Conversing is a Leg that brings speech of its own: what hears and speaks is at
// the other end of its line, in place of the agent's.
type Conversing interface {
	Hears() provider.Transcriber
	Speaks() provider.Synthesizer
}

// Studio does with legs what needs their sound.
type Studio interface {
	// Music plays music on hold to a leg until stop is called; stop may be called twice.
	Music(leg Leg) (stop func())
	// Join lets two legs hear each other until part is called, with at most a
	// few frames of delay. Music and Join of a leg end each other.
	Join(a, b Leg) (part func())
}

// Screener tells people from machines by what is heard after an answer. Its
// methods may be called from any goroutine and do not block.
type Screener interface {
	// Frame takes 20 ms of 16 kHz mono; what it found last is returned.
	Frame(frame []int16) Screened
	// Words takes what was understood so far of what is said.
	Words(text string) Screened
}

// Screened is what a Screener found. The zero value is nothing yet.
type Screened struct {
	Verdict string        // human machine menu screening unknown
	Why     string        // greeting words beep silence cap
	Took    time.Duration // since the answer
	Beep    time.Duration // where the last beep ended, 0 = none
	Speak   bool          // machine: now is the time for a message
}

// Screening makes a Screener for a call; nil screens nothing.
type Screening func(human, limit time.Duration, language string) Screener

type (
	// Place asks for an outbound call → *Accepted when its session is in the
	// journal and dialling begins, or why not.
	Place struct {
		Born    event.SessionCreated // of the session to be made; Call is set
		Session string
		Dial    Dialling
	}
	// Transfer asks a call to pass its caller on, once what the agent says was heard.
	Transfer struct{ Name, Target, Mode, Summary string }
	// Press has a call press keys; w waits half a second.
	Press struct{ Digits string }
	// Sensitive says that what is said and pressed from now on is not to be
	// recorded, or that it is again: because of the conversation's state, or
	// because the agent Asked. It is recorded when neither forbids it.
	Sensitive struct{ On, Asked bool }
	// PassFailed tells the session that the agent goes on with the caller. It is
	// said as Gen, with 0 at the start of the next reply.
	PassFailed struct {
		Gen    uint64
		Reason string
	}
)
