package sip

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flametree/engine/fault"
)

// Outcome is how a call we placed came to nothing.
type Outcome string

// The outcomes.
const (
	Busy     Outcome = "busy"      // 486, 600
	NoAnswer Outcome = "no_answer" // it rang for too long; 408, 480
	Declined Outcome = "declined"  // 403, 603
	Canceled Outcome = "canceled"  // we gave up
	Failed   Outcome = "failed"    // anything else
)

// DialError is the error of every Dial that did not become a call.
type DialError struct {
	Outcome Outcome
	Err     error // why; a *Refused when the other side said so
}

// Error implements error.
func (d *DialError) Error() string { return fmt.Sprintf("%s: %v", d.Outcome, d.Err) }

// Unwrap gives the reason.
func (d *DialError) Unwrap() error { return d.Err }

// errRang is what a call is given up with when nobody picks up.
var errRang = fmt.Errorf("nobody picked up: %w", fault.Unavailable)

// errHungUp is what a call is given up with when its own line was hung up.
var errHungUp = fmt.Errorf("hung up before the answer: %w", fault.Cancelled)

func dialError(err error) *DialError {
	d := &DialError{Outcome: Failed, Err: err}
	if r, ok := errors.AsType[*Refused](err); ok {
		d.Outcome = outcomeOf(r.Code)
		return d
	}
	switch {
	case errors.Is(err, errRang), errors.Is(err, context.DeadlineExceeded):
		d.Outcome = NoAnswer
	case errors.Is(err, fault.Cancelled), errors.Is(err, context.Canceled):
		d.Outcome = Canceled
	}
	return d
}

func outcomeOf(code int) Outcome {
	switch code {
	case 486, 600:
		return Busy
	case 408, 480:
		return NoAnswer
	case 403, 603:
		return Declined
	case 487:
		return Canceled
	}
	return Failed
}

// ProgressKind says what a Progress is about.
type ProgressKind string

// The kinds of progress, in the order they usually come.
const (
	Trying     ProgressKind = "trying"     // 100: a hop has the INVITE
	Ringing    ProgressKind = "ringing"    // 180 and the like: the callee is told
	Early      ProgressKind = "early"      // sound of the callee can be heard
	Redirected ProgressKind = "redirected" // another contact is tried
	Answered   ProgressKind = "answered"   // 2xx
)

// Progress is one step of a call on its way out.
type Progress struct {
	Kind ProgressKind
	At   time.Time
	Code int // of the response
	// Call is the call that is dialled. Its leg can be started and its line hung
	// up from here on; all else must wait for the answer.
	Call *Call
}
