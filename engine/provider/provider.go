// Package provider is the contract between a conversation and those who hear,
// think and speak for it: language models, speech recognisers, voices. It
// names no vendor; each vendor is a package below it and passes the suite in
// providertest. Retries, fallbacks and breakers are decorators over these
// contracts, not part of them.
package provider

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// PartKind says what a Part is about, so that a model that reads structure
// need not guess it from prose. A model that reads prose may ignore it.
type PartKind string

// The kinds of Part, in the order in which they are sent.
const (
	PartRules      PartKind = "rules"      // how to behave, always there
	PartIdentity   PartKind = "identity"   // who the agent is
	PartStyle      PartKind = "style"      // how it speaks, and in which language
	PartTask       PartKind = "task"       // what it is to achieve
	PartState      PartKind = "state"      // the current workflow state; Title is its name
	PartCore       PartKind = "core"       // knowledge that is always in the prompt
	PartKnowledge  PartKind = "knowledge"  // one retrieved passage; Title, Source and Score are set
	PartResults    PartKind = "results"    // Text is JSON: {"fields":[Field…]}
	PartSummary    PartKind = "summary"    // what was said before the messages
	PartParameters PartKind = "parameters" // what the customer's side gave at the start
)

// Part is one piece of the system prompt.
type Part struct {
	Kind   PartKind
	Title  string
	Text   string
	Source string  // knowledge only: where the passage stands, e.g. "faq:Limits"
	Score  float64 // knowledge only: 0..1, how well the passage fits the question
}

// Field is one conversation result as PartResults shows it.
type Field struct {
	Name        string   `json:"name"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description"`
	Type        string   `json:"type"` // str int bool date datetime list[str] Literal
	Options     []string `json:"options,omitempty"`
	Value       string   `json:"value,omitempty"` // "" while unknown
}

// Role is who said a Message.
type Role string

// The roles of a Message.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool" // the answer of a tool; CallID is set
)

// Message is one line of the conversation so far.
type Message struct {
	Role        Role
	Text        string
	Calls       []ToolCall // assistant only
	CallID      string     // tool only
	Interrupted bool       // assistant only: Text is what the caller heard before interrupting
}

// Tool is something the model may call. Schema is a JSON Schema of type object.
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage
	Move        bool // a workflow transition: calling it changes the state, the answer continues there
}

// ToolCall is a wish of the model. In a stream Args arrives in fragments that
// share an ID; the consumer joins them. Whole, Args is a JSON object.
type ToolCall struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Args string `json:"args"`
}

// Request asks a model to continue a conversation. The provider must not keep
// or change its slices.
type Request struct {
	Model     string
	System    []Part
	Messages  []Message
	Tools     []Tool
	Schema    json.RawMessage // when set, the whole Text is one JSON value of this schema
	MaxTokens int
	// Temperature is how freely words are chosen, 0 to 2; negative = the vendor's default.
	Temperature float64
	Voice       bool          // the reply will be spoken: short clauses, no markup
	Deadline    time.Duration // for the whole reply; 0 = none besides the context's
}

// Finish says why a reply ended.
type Finish string

// The reasons for which a reply ends.
const (
	FinishStop  Finish = "stop"
	FinishTools Finish = "tools"
	FinishLimit Finish = "limit"
)

// Usage counts tokens; zero where the vendor does not say.
type Usage struct {
	Input, Output     int
	SoundIn, SoundOut int // of these: sound, which has prices of its own
}

// Try is one attempt to get an answer, as the chain of models around a request
// saw it.
type Try struct {
	Provider, Model string
	Took            time.Duration // until its first delta or its failure
	Fault           string        // "" = this one answers
}

// Delta is one piece of a reply. Exactly one field is set, Finish comes last.
// Tries, if any, come first; models themselves send none.
type Delta struct {
	Text   string
	Call   *ToolCall
	Usage  *Usage
	Finish Finish
	Try    *Try
}

// Completer continues a conversation. It is safe for concurrent use.
type Completer interface {
	// Complete yields the reply as it is generated. Breaking out of the loop
	// cancels the request; an error is the last element and wraps a fault.Kind.
	Complete(ctx context.Context, r Request) iter.Seq2[Delta, error]
}

// Embedder places texts in a space in which likeness is nearness. It is safe
// for concurrent use.
type Embedder interface {
	// Embed gives one vector of length 1 and Dim numbers for each text.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	Dim() int
}

// Hints help a recogniser with words it would otherwise not expect.
type Hints struct {
	// Key names the vocabulary (agent id and revision); equal keys mean equal texts.
	Key string
	// Texts are raw texts from the agent: questions, answers, passages, state
	// descriptions, options of results. A recogniser takes from them what it can.
	Texts []string
	// Fields are the results the agent wants; they suggest names, dates, amounts.
	Fields []Field
}

// Format describes the audio a Transcription will be given.
type Format struct {
	RateHz   int // of the samples written: 16000
	BandHz   int // of the line they came through: 8000 for G.711, 16000 wide band
	Language string
	Hints    Hints
}

// Word is one recognised or spoken word, timed from the start of its stream or clause.
type Word struct {
	Text       string
	Start, End time.Duration
}

// Hearing is a hypothesis about what was said since the last final.
type Hearing struct {
	Text      string // words in lower case, single spaces; "" = nothing recognised
	Final     bool   // no later Hearing changes it; the next starts afresh
	Words     []Word
	EndOfTurn bool // the vendor's own end-pointing says the turn is over
}

// Transcriber turns speech into words. It is safe for concurrent use.
type Transcriber interface {
	// Open starts a stream. It ends when ctx does, and then Heard returns.
	Open(ctx context.Context, f Format) (Transcription, error)
}

// Preparer is a Transcriber that makes something of an agent's hints once. Told
// before the first call, it lets no caller wait. It is safe for concurrent use.
type Preparer interface {
	Prepare(h Hints) error
}

// Transcription is one open stream. Write, Finalize and Heard may run
// concurrently with each other, not with themselves.
type Transcription interface {
	// Write takes any number of samples and must not keep pcm.
	Write(pcm []int16) error
	// Finalize says that the speaker paused: a Final Hearing follows, perhaps
	// empty, for all that was written so far.
	Finalize() error
	// Heard yields partials and finals; an error is the last element.
	Heard() iter.Seq2[Hearing, error]
	// CloseSend says that no more audio comes; Heard drains and ends.
	CloseSend() error
}

// Voice chooses how an agent sounds. The zero Voice is the provider's default.
type Voice struct {
	Name     string
	Language string
	Rate     float64 // 1 = the voice's own; 0 means 1
}

// Synthesizer turns words into speech. It is safe for concurrent use.
type Synthesizer interface {
	// Open starts a voice for one call. It ends when ctx does.
	Open(ctx context.Context, v Voice) (Speech, error)
}

// Speech is one open voice. Speak and Cancel may run concurrently with Audio.
type Speech interface {
	// Speak queues one clause, already written as words (package spoken). Clauses
	// are rendered in order. id comes back in Audio.
	Speak(text string, gen, id uint64) error
	// Cancel drops what is queued or being rendered for generations up to gen.
	// No Audio of them follows, except what is already in the consumer's hands.
	Cancel(gen uint64)
	// Audio yields what is rendered; an error is the last element.
	Audio() iter.Seq2[Audio, error]
	Close() error
}

// Audio is a stretch of rendered speech. The consumer owns PCM.
type Audio struct {
	Gen    uint64
	ID     uint64 // of the clause
	PCM    []int16
	RateHz int
	Words  []Word // of the whole clause, timed from its first sample; a later, longer list takes the place of an earlier
	Last   bool   // the clause is complete with this Audio
}
