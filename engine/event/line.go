package event

import "time"

// CallProgressed says how the dialling of an outbound call goes on. Offsets of
// what comes before call.answered count from call.offered.
type CallProgressed struct {
	Stage  string // trying ringing early
	Code   uint32 // of SIP, 0 where there is none
	Offset time.Duration
}

// CallScreened says who answered an outbound call.
type CallScreened struct {
	Verdict string        // human machine menu screening unknown
	Why     string        // greeting words beep silence cap
	Heard   Private       // what was said meanwhile, as far as it was understood
	Took    time.Duration // since call.answered
	Beep    time.Duration // where the beep ended, 0 = none was heard
}

// VoicemailLeft says that a message was said to an answering machine.
type VoicemailLeft struct {
	Text   Private
	Beep   bool // it began behind a beep
	Whole  bool // to its end
	Offset time.Duration
}

// TransferBegun is durable before anybody is asked to take the call over.
type TransferBegun struct {
	Mode    string // blind attended warm; referred: the other end asked us to call somebody in its place
	Name    string // of the target, as the agent knows it; "" when referred
	Target  Private
	Summary Private // what a warm transfer tells the person
	Offset  time.Duration
}

// TransferFailed says that the agent goes on with the call.
type TransferFailed struct {
	Reason string // busy no_answer declined refused failed hung_up timeout
	Code   uint32 // of SIP, 0 where there is none
	Offset time.Duration
}

// TransferCompleted says that somebody else has the caller now.
type TransferCompleted struct {
	Mode   string
	Name   string
	Joined bool // through us: the call goes on, and its stream with it
	Offset time.Duration
}

// RecordingPaused says that nothing is recorded from here on.
type RecordingPaused struct {
	Reason string // sensitive asked
	Offset time.Duration
}

// RecordingResumed ends a pause.
type RecordingResumed struct{ Offset time.Duration }

// RecordingDeleted says that the recording of a call, and its outline, are gone.
type RecordingDeleted struct {
	Blob   string // as RecordingClosed named it
	Reason string // retention asked
}

// CallObserved says who listened to a call, spoke into it or captured its
// packets, and when that began or ended.
type CallObserved struct {
	By     string // operator, as the caller of the command names himself
	What   string // listen whisper barge_in capture
	On     bool
	Offset time.Duration
	Kept   time.Duration // capture: how long until it is deleted
}

// CallTraced tells the signalling of a call that ended: in itself, or, where
// there was very much of it, by the name of a blob.
type CallTraced struct {
	Blob     string // sha256 of the sealed ladder, hex; "" = it is in Signals
	Messages uint32
	Signals  Private // the ladder, JSON
}

// OperatorWhispered says that somebody of the team gave the agent guidance the
// customer does not see. It is of the session's stream.
type OperatorWhispered struct {
	By   string // operator, as the caller of the command names himself
	Text Private
}

// Kind implements Event.
func (CallProgressed) Kind() Kind { return "call.progressed.v1" }

// Kind implements Event.
func (CallScreened) Kind() Kind { return "call.screened.v1" }

// Kind implements Event.
func (VoicemailLeft) Kind() Kind { return "voicemail.left.v1" }

// Kind implements Event.
func (TransferBegun) Kind() Kind { return "transfer.begun.v1" }

// Kind implements Event.
func (TransferFailed) Kind() Kind { return "transfer.failed.v1" }

// Kind implements Event.
func (TransferCompleted) Kind() Kind { return "transfer.completed.v1" }

// Kind implements Event.
func (RecordingPaused) Kind() Kind { return "recording.paused.v1" }

// Kind implements Event.
func (RecordingResumed) Kind() Kind { return "recording.resumed.v1" }

// Kind implements Event.
func (RecordingDeleted) Kind() Kind { return "recording.deleted.v1" }

// Kind implements Event.
func (CallObserved) Kind() Kind { return "call.observed.v1" }

// Kind implements Event.
func (CallTraced) Kind() Kind { return "call.traced.v1" }

// Kind implements Event.
func (OperatorWhispered) Kind() Kind { return "operator.whispered.v1" }
