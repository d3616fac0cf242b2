// Package api is the documented Chat API: sessions, messages, speech, each
// under /chatbot/{agent}, described once in code and published as OpenAPI. It
// checks form and credentials and refuses to know anything about conversations:
// what happens in one is behind the interfaces below.
package api

import (
	"context"
	"encoding/json"
	"time"

	"flametree/engine/event"
	"flametree/gateway/auth"
)

// Sessions is what the Chat API needs of conversations. The agent has been
// authorised. A session that does not exist, has ended or belongs to another
// agent is fault.NotFound. Methods may be called from any goroutine; what they
// are given is theirs to keep.
type Sessions interface {
	// Create opens a session. The same IdempotencyKey within a day gives the same
	// session again. It fails with fault.Exhausted at a limit of the agent.
	Create(ctx context.Context, a auth.Agent, n NewSession) (Session, error)
	Get(ctx context.Context, a auth.Agent, id string) (Session, error)
	Update(ctx context.Context, a auth.Agent, id string, u Update) (Session, error)
	// End closes a session; status is one of event.Statuses.
	End(ctx context.Context, a auth.Agent, id string, status event.Status) error
	// Run hands over a message and waits for the final reply. The same ClientID
	// gives the same reply again. It fails with fault.Conflict when the session
	// is busy with another message it will not queue behind, with fault.Invalid
	// when the agent does not take the message, and with fault.Unavailable when
	// no reply came in time; the message is not lost then.
	Run(ctx context.Context, a auth.Agent, id string, m Message) (Reply, error)
}

// Speech is what the Chat API needs of recognisers and voices.
type Speech interface {
	Capabilities(ctx context.Context, a auth.Agent) (Capabilities, error)
	// Transcribe hears a whole WAV file. fault.Invalid when it cannot be read.
	Transcribe(ctx context.Context, a auth.Agent, audio []byte) (string, error)
	// Synthesize speaks text as a WAV file. fault.Invalid for an unknown voice.
	Synthesize(ctx context.Context, a auth.Agent, u Utterance) ([]byte, error)
}

// NewSession is what a caller says about the customer when it opens a session.
// Unset strings are "".
type NewSession struct {
	UserID, Name, Email, Phone string
	Type                       string // ext_type: web mobile …
	Language                   string
	Args                       []json.RawMessage
	Kwargs                     map[string]json.RawMessage
	UserInfo                   map[string]json.RawMessage
	IdempotencyKey             string // "" = none
}

// Update changes a session; nil is unchanged, Kwargs replaces values of the same key.
type Update struct {
	Name, Email, Phone, Language *string
	Kwargs                       map[string]json.RawMessage
}

// Session is a session's metadata. Unset strings are "" and become null.
type Session struct {
	ID, ConversationID         string
	Mode                       string // REGULAR OPERATOR COPILOT
	ExtType                    string
	UserID, Name, Email, Phone string
	ChannelID                  string
	Timeout                    time.Duration // 0 = never
	Greeting                   string        // what the agent says first, naming itself
	InboundPhrase, StartPhrase string
	Language, LLMBackend       string
	ShowThoughts               bool
	Results                    map[string]json.RawMessage // conversation_result; nil = none yet
	OperatorID, OperatorName   string
	Created                    time.Time // in the tenant's time zone: its date is shown
	Kwargs                     map[string]json.RawMessage
	Closes                     time.Time // zero = never by itself
	Voice                      string
}

// Message is what a customer wrote.
type Message struct {
	Text        string
	ClientID    string // makes a repeated message harmless; "" = none
	Attachments []Attachment
}

// Attachment is a file of a message; Type was found by looking at Data.
type Attachment struct {
	Name string
	Type string
	Data []byte
}

// Reply is the final answer to a message.
type Reply struct {
	Response  string
	Mode      string
	MessageID string
	Options   []string // buttons the agent offers
}

// Capabilities says what an agent can hear and speak.
type Capabilities struct{ HasSTT, HasTTS bool }

// Utterance is a text to speak. Session is "" outside of one; Voice "" means
// the session's, else the agent's.
type Utterance struct{ Session, Text, Voice string }
