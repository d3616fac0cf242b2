package ws

import (
	"context"
	"encoding/json"
	"iter"

	"flametree/gateway/auth"
)

// FromNow as a position means: nothing that was, everything that comes.
const FromNow = ^uint64(0)

// Sockets is what the agent's socket needs of a conversation. The agent has
// been authorised. Methods may be called from any goroutine.
type Sockets interface {
	// Attach follows a session: first what it remembers with Seq > after, then
	// what comes, in order, until the session has ended (the iterator ends), the
	// loop breaks or ctx ends. Frames of type chunk are previews: they repeat the
	// Seq of the reply they announce, need not be remembered, and may be missing.
	// All others have growing Seq. The loop may wait a second for a slow peer; a
	// source that has no room left by then ends with fault.Exhausted, and the peer
	// comes back and resumes. fault.NotFound when there is no such session,
	// fault.Unavailable when its agent is stopped.
	Attach(ctx context.Context, a auth.Agent, session string, after uint64) (iter.Seq2[Frame, error], error)
	// Send hands over what the customer did, and returns when it is taken, not
	// when it is answered. Errors are told to the customer: fault.Invalid,
	// Conflict, Exhausted and Unavailable concern this frame, NotFound and Denied
	// end the socket.
	Send(ctx context.Context, a auth.Agent, session string, in In) error
}

// The types of frames that go out.
const (
	TypeMessage = "message" // a final line
	TypeThought = "thought" // an intermediate thought, when the agent shows them
	TypeTimeout = "timeout" // the session was closed by its timeout
	TypeClose   = "close"   // the session has ended
	TypeChunk   = "chunk"   // a piece of a line to come
	TypeState   = "state"   // who speaks for the agent, in Metadata.Mode
	TypeError   = "error"   // Code says what; Text says it to people
)

// Frame is one thing that goes out on an agent's socket. Frames the socket
// makes itself (error, and the state that answers a ping) repeat the last Seq:
// only a greater one is news.
type Frame struct {
	Seq       uint64    `json:"seq"`
	Type      string    `json:"type"`
	Role      string    `json:"role,omitempty"` // HUMAN AI OPERATOR COPILOT
	MessageID string    `json:"message_id,omitempty"`
	ClientID  string    `json:"client_id,omitempty"` // of the customer's own line, or of the frame an error answers
	Text      string    `json:"text,omitempty"`
	Options   []string  `json:"options,omitempty"`
	Metadata  *Metadata `json:"metadata,omitempty"`
	Code      string    `json:"code,omitempty"`
}

// Metadata says who speaks for the agent: REGULAR, OPERATOR or COPILOT.
type Metadata struct {
	Mode string `json:"mode,omitempty"`
}

// The types of frames that come in. Ping and resume are answered by the socket
// and never reach Sockets.
const (
	InMessage = "message"
	InTyping  = "typing"
	InStop    = "stop"
	InPing    = "ping"
	InResume  = "resume"
)

// In is one frame from the customer. Attachments go by run_v2 for now: a frame
// with some is refused.
type In struct {
	Type        string            `json:"type"`
	ClientID    string            `json:"client_id"`
	Text        string            `json:"text"`
	Attachments []json.RawMessage `json:"attachments"`
	LastSeq     uint64            `json:"last_seq"`
}
