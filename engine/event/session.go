package event

import "time"

// SessionCreated opens a conversation. It is followed, in the same batch, by
// StateEntered for the initial workflow state.
type SessionCreated struct {
	Agent          string // agent id
	Revision       uint64 // of the agent; the session keeps it to its end
	Conversation   string
	Channel        string // ext_type: web sip …
	Call           string // call id when the session was born with a call
	UserID         Private
	Name           Private
	Email          Private
	Phone          Private
	Language       string
	Args           []Private
	Kwargs         []PrivatePair // value is JSON; keys starting with "_" reach no model and no log
	UserInfo       []PrivatePair
	Greeting       string        // what the agent says first, "" = waits
	Buttons        []string      // under a written greeting
	Timeout        time.Duration // without customer input → user_timeout; 0 = never
	MaxDuration    time.Duration // → timeout; 0 = never
	IdempotencyKey string
}

// SessionUpdated changes who the customer is or what is known at the start. A
// nil field is unchanged.
type SessionUpdated struct {
	Name     *Private
	Email    *Private
	Phone    *Private
	Language *string
	Kwargs   []PrivatePair // replaces values of the same key
}

// SessionHandedOver moves the session between the AI and people. Mode is
// REGULAR, OPERATOR or COPILOT.
type SessionHandedOver struct {
	Mode    string
	Reason  string
	Summary Private
}

// SessionEnded closes the conversation; nothing but late facts of its call, late
// results and what became of mailing them follows.
type SessionEnded struct{ Status Status }

// MessageReceived says that the customer wrote. It opens turn Turn.
type MessageReceived struct {
	Turn       uint64
	Message    string // our id, a ULID
	ExternalID string // the client's or network's id, for deduplication
	Text       Private
}

// UtteranceHeard says that the caller finished an utterance, spoken or as
// digits. It opens turn Turn.
type UtteranceHeard struct {
	Turn    uint64
	Message string
	Text    Private
	Digits  bool
	Offset  time.Duration // of the end of speech, since the call was answered
	Unheard bool          // there was voice, but the recogniser gave no words (rule d)
}

// ReplyStarted is durable before the first chunk or frame of the reply to Turn.
type ReplyStarted struct {
	Turn     uint64
	Message  string
	Revision uint64
	Voice    string
}

// ModelAnswered records what the model returned for one step of Turn: a fact
// from outside from which the following decisions are recomputed.
type ModelAnswered struct {
	Turn      uint64
	Step      uint32 // 0 first; each round of tools adds one
	Provider  string
	Model     string
	Text      Private
	Calls     []ToolCall
	Input     uint32 // tokens
	Output    uint32
	FirstByte time.Duration // since the request
	Whole     time.Duration
	Passages  []Passage
	Fault     string // kind and message when it failed; Text holds what came before

	// How the request was made up, for the trace of the turn.
	State    string // of the workflow
	Parts    []TracedPart
	Messages uint32
	Offered  []string // tools: any other call is refused
	Attempts []Attempt
	Cost     uint64 // millionths of the currency the connector is priced in; 0 = unknown
}

// ToolCall is a call the model asked for. Args is a JSON object.
type ToolCall struct {
	ID   string
	Name string
	Args Private
}

// Passage is one retrieved piece of knowledge, as it was shown to the model.
type Passage struct {
	Source string
	Title  string
	Score  float64
}

// ResultsExtracted records what a model read out of the conversation: Values is
// a JSON object by field name. ResultSet decisions follow.
type ResultsExtracted struct {
	Turn   uint64
	Values Private
	Fault  string
}

// ResultSet says that a conversation result got a valid value.
type ResultSet struct {
	Field string
	Value Private // canonical form of its type; list[str] as JSON
}

// StateEntered moves the workflow. Move names the transition, "" at the start.
type StateEntered struct {
	State string
	Move  string
}

// ToolCalled is durable before the tool runs. Refused says why it does not run.
type ToolCalled struct {
	Turn    uint64
	Call    ToolCall
	Refused string
}

// ToolAnswered records a tool's result.
type ToolAnswered struct {
	Turn   uint64
	CallID string
	Result Private // text, or JSON of at most 64 KB; a model is shown its beginning
	Took   time.Duration
	Fault  string
	Tool   string        // "" = the engine itself answered
	Sets   []PrivatePair // conversation results that the tool's code set, not yet checked
}

// ReplySent is the agent's (or an operator's) written line, durable before the
// final message goes out.
type ReplySent struct {
	Turn    uint64
	Message string
	Role    string // AI OPERATOR
	Text    Private
	Options []string
}

// ReplySpoken is the agent's spoken line as the caller heard it.
type ReplySpoken struct {
	Turn        uint64
	Message     string
	Text        Private // what was heard
	Full        Private // what was to be said; equal to Text unless Interrupted
	Interrupted bool
	Played      time.Duration // audio of this reply that reached the wire
}

// ReplyLost closes a reply that was started and of which nobody can say whether it arrived.
type ReplyLost struct {
	Turn    uint64
	Message string
	Reason  string // crash superseded
}

// TurnTimed gives the stage times of a turn, for the waterfall.
type TurnTimed struct {
	Turn   uint64
	Stages []Stage
	Waited string // why the agent waited longest before it spoke
}

// Stage is one stretch of a turn. Names: vad_stop eot stt_final queue llm_ttft
// llm_first_clause tts_ttfb pacer engine.
type Stage struct {
	Name string
	Took time.Duration
}

// Kind implements Event.
func (SessionCreated) Kind() Kind { return "session.created.v1" }

// Kind implements Event.
func (SessionUpdated) Kind() Kind { return "session.updated.v1" }

// Kind implements Event.
func (SessionHandedOver) Kind() Kind { return "session.handed_over.v1" }

// Kind implements Event.
func (SessionEnded) Kind() Kind { return "session.ended.v1" }

// Kind implements Event.
func (MessageReceived) Kind() Kind { return "message.received.v1" }

// Kind implements Event.
func (UtteranceHeard) Kind() Kind { return "utterance.heard.v1" }

// Kind implements Event.
func (ReplyStarted) Kind() Kind { return "reply.started.v1" }

// Kind implements Event.
func (ModelAnswered) Kind() Kind { return "model.answered.v1" }

// Kind implements Event.
func (ResultsExtracted) Kind() Kind { return "results.extracted.v1" }

// Kind implements Event.
func (ResultSet) Kind() Kind { return "result.set.v1" }

// Kind implements Event.
func (StateEntered) Kind() Kind { return "state.entered.v1" }

// Kind implements Event.
func (ToolCalled) Kind() Kind { return "tool.called.v1" }

// Kind implements Event.
func (ToolAnswered) Kind() Kind { return "tool.answered.v1" }

// Kind implements Event.
func (ReplySent) Kind() Kind { return "reply.sent.v1" }

// Kind implements Event.
func (ReplySpoken) Kind() Kind { return "reply.spoken.v1" }

// Kind implements Event.
func (ReplyLost) Kind() Kind { return "reply.lost.v1" }

// Kind implements Event.
func (TurnTimed) Kind() Kind { return "turn.timed.v1" }
