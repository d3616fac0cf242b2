package actors

import (
	"context"
	"encoding/json"
	"time"

	"flametree/engine/agent"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
	"flametree/engine/tenant"
	"flametree/engine/tool"
)

// FactKind says what a Fact is about.
type FactKind uint8

// What a leg or a line can notice.
const (
	FactNone         FactKind = iota
	FactRawOn                 // the undebounced VAD says speech (first voiced frame after unvoiced)
	FactRawOff                // the undebounced VAD says no speech
	FactVoiceOn               // debounced: speech for VAD_START_MS
	FactVoiceOff              // debounced: no speech for VAD_STOP_MS
	FactPackets               // packets arrive: the first ever, or again after FactNoPackets
	FactNoPackets             // none arrived for 400 ms
	FactDigit                 // Digit was pressed (RFC 4733 or SIP INFO); Length is how long
	FactTalking               // the first packet of generation Gen went out; Wait is what it waited for the pacer's slot
	FactMark                  // playout reached Mark of generation Gen; Played is the position in Gen
	FactDrained               // all that was queued for Gen has been sent; Played is its length
	FactLineUp                // the dialog is confirmed (ACK)
	FactLineHeld              // the peer put us on hold
	FactLineResumed           // the peer took us off hold
	FactLineEnded             // the peer or the network ended the call; Reason says how
	FactLineEarly             // the callee sends sound before it answers (183 with SDP): it can be heard
	FactLineReplaced          // another call takes the place of this one (RFC 3891); FactLineEnded follows
)

// Fact is something a leg or a line noticed. Facts of one source keep their order.
type Fact struct {
	Kind   FactKind
	At     time.Time     // when it happened (arrival of the packet that decided it), monotonic
	Gen    uint64        // FactTalking, FactMark, FactDrained
	Mark   uint64        // FactMark
	Played time.Duration // FactMark, FactDrained: position from the start of Gen's audio
	Wait   time.Duration // FactTalking
	Length time.Duration // FactDigit
	Digit  byte          // FactDigit: 0-9 * # A-D
	Reason string        // FactLineEnded: hangup canceled failed media_lost
}

// Leg is the media of one party of a call. Methods may be called from any
// goroutine and none but Play blocks. Times of playout count from the first
// sample of a generation.
type Leg interface {
	// Tune sets how long speech and silence must last before FactVoiceOn and
	// FactVoiceOff, for the agent that is called; 0 keeps what is set.
	Tune(start, stop time.Duration)
	// Start begins to send and to listen. Facts go to sink, in order, from the
	// leg's own goroutines; sink must not block.
	Start(sink func(Fact))
	// Hear sets where 16 kHz mono frames from behind the jitter buffer go, every
	// 20 ms, silence included. Frames that passed within the last replay are
	// given first. dst must not block and must not keep the slice; nil stops.
	Hear(dst func(frame []int16), replay time.Duration)
	// Play appends PCM of generation gen to the playout ring. It blocks while
	// the ring holds over 2 s, and fails with fault.Cancelled when gen was
	// flushed or ctx ended. A higher gen than the last starts at position 0.
	Play(ctx context.Context, gen uint64, pcm []int16, rateHz int) error
	// Mark asks for a FactMark when all that was played for gen so far is sent.
	Mark(gen, mark uint64)
	// End says that nothing more comes for gen: FactDrained follows.
	End(gen uint64)
	// Duck changes the level of what is sent, in dB (0 = as rendered), within one frame.
	Duck(db float64)
	// Pause stops sending gen's audio at the next frame and keeps it.
	Pause(gen uint64)
	// Resume goes on with gen from the given position, at most 3 s before where it paused.
	Resume(gen uint64, from time.Duration)
	// Flush drops all audio of generations up to gen and reports how much of
	// the newest of them has been sent.
	Flush(gen uint64) (played time.Duration)
	// Played reports how much of gen has been sent.
	Played(gen uint64) time.Duration
	// Record starts to give both sides to r, 20 ms each, at the wire's own rate.
	Record(r Recorder)
	// Stats reports counters since Start.
	Stats() LegStats
	// Close stops everything and waits for the leg's goroutines. It may be called twice.
	Close() error
}

// LegStats counts what passed through a leg.
type LegStats struct {
	Codec                string // PCMU PCMA
	RateHz               int    // of the wire
	Received, Lost, Late uint64 // packets in
	Sent                 uint64 // packets out
	Concealed            uint64 // frames invented for lost packets
	Refused              uint64 // packets that were not RTP, not of this call, or from a stranger
	Jitter               time.Duration
	RoundTrip            time.Duration // by RTCP; 0 while unknown
	Late99               time.Duration // pacing error of this leg's packets, p99
}

// Recorder takes both sides of a call. Frame is called every 20 ms by the
// pacer and must not block or keep the slices; either may be nil for silence.
type Recorder interface {
	Frame(left, right []int16)
	// Pause records silence on both sides from the next Frame on, until it is
	// called with false: time goes on. It may be called from any goroutine.
	Pause(on bool)
	// Close finishes the file and reports what it holds.
	Close() (Recording, error)
}

// Recording describes a finished recording.
type Recording struct {
	Path    string   // of the spooled file
	SHA256  [32]byte // of that file
	Bytes   int64    // of the WAV file it stands for
	RateHz  int
	Length  time.Duration
	Cut     bool          // the process ended before the call did
	Dropped int           // frames lost because the disk was too slow
	Paused  time.Duration // of Length: silent because nothing was to be recorded
	Peaks   *Peaks        // nil: none
}

// Peaks is the outline of a recording, for drawing it: the loudest sample of
// each side in every Step, from 0 to 255 for full scale. It is not changed once made.
type Peaks struct {
	Step        time.Duration
	Left, Right []byte
}

// Line is the signalling of one party of a call.
type Line interface {
	// Start delivers FactLine… to sink, in order; sink must not block.
	Start(sink func(Fact))
	// Hangup ends the call once; reason is a session status such as completed.
	Hangup(reason string)
}

// Retriever searches an agent's knowledge. It is safe for concurrent use and
// fast enough to be called inside an actor.
type Retriever interface {
	// Find yields the passages that fit best, best first.
	Find(q knowledge.Query) []knowledge.Hit
}

// Cast is all that plays a part in conversations with one revision of an
// agent. It is shared by its sessions and never changes.
type Cast struct {
	Revision  *agent.Revision
	Knowledge Retriever
	Thinks    provider.Completer
	Hears     provider.Transcriber // nil: no voice in
	Speaks    provider.Synthesizer // nil: no voice out
	Hints     provider.Hints
	Hands     Hands // nil: no tools besides the engine's own
	Goods     Goods // nil: no products
}

// Hands carry out the tools and skills of an agent's groups and servers. They
// are safe for concurrent use and end within the tool's own time.
type Hands interface {
	Run(ctx context.Context, c tool.Call) (tool.Outcome, error)
}

// Goods answer calls of SearchProducts and GetProduct with text for the model.
// They are safe for concurrent use and fast enough to be called inside an actor.
type Goods interface {
	Ask(name string, args json.RawMessage) (string, error)
}

// Casting finds the cast of a revision; 0 is the published one. It may take as
// long as building a language model does the first time.
type Casting interface {
	Cast(ctx context.Context, t tenant.ID, agentID string, revision uint64) (*Cast, error)
}

// Census knows which sessions are open; agents ask it once, when they start.
type Census interface {
	Open(t tenant.ID, agentID string) []string
	Begun(t tenant.ID, agentID string, since time.Time) int
}
