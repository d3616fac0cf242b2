// Package guard decides what may pass between a human, a model, tools and
// knowledge (spec D21). It looks at texts and at the arguments of calls and says
// what is wrong with them; it believes neither the model nor a document.
//
//	Read, New      rules of an agent's file become a Set
//	Set.Check      one whole text: what a human says, an argument, a result, a passage
//	Set.Stream     a reply while it is being generated
//	Bound          the arguments of a call: what the session decides, amounts, consent
//	Agrees         whether a human said yes
//	Redact         a line for a log or a trace
//	Contradictions warnings to the writer of an agent
//
// It refuses to act: it calls no model (a question for one is an Ask), writes no
// log, ends no session and keeps no state between turns. It does not try to tell
// good arguments of a model from bad ones by reading minds: what must not happen
// is bound, limited or confirmed, whatever was said.
package guard

// Where says on which side of the agent a text stands.
type Where string

// The sides. A rule names Input, Output or Tool; Tool covers Arguments and
// Result.
const (
	Input     Where = "input"     // what the human said
	Output    Where = "output"    // what the human will read or hear
	Tool      Where = "tool"      // rules only
	Arguments Where = "arguments" // of a call, as JSON
	Result    Where = "result"    // of a call, as the model will see it
	Passage   Where = "passage"   // retrieved knowledge, as the model will see it
)

// Kind is what a rule looks for.
type Kind string

// The kinds of check.
const (
	Topics          Kind = "topics"           // subjects, by stems and phrases
	Regex           Kind = "regex"            // RE2 expressions
	PII             Kind = "pii"              // card iban id email phone
	Secrets         Kind = "secrets"          // keys by their shape, and values of secret variables
	PromptInjection Kind = "prompt_injection" // instructions that come from where none may come from
	Grounding       Kind = "grounding"        // figures, dates and names that stand nowhere
	Language        Kind = "language"         // a reply in another language
	MaxLength       Kind = "max_length"       // characters
	LLM             Kind = "llm"              // a question for a classifier, see Ask
)

// Action is what follows from a hit.
type Action string

// The actions, from the mildest to the strictest. The strictest one of several
// hits decides.
const (
	Pass    Action = ""
	Flag    Action = "flag"    // note it
	Mask    Action = "redact"  // the hit is replaced in the text
	Confirm Action = "confirm" // the human's yes comes first; calls only
	Replace Action = "replace" // the message is said instead
	Handoff Action = "handoff" // an operator takes over
	Block   Action = "block"   // the text does not pass
)

// stricter orders actions.
func (a Action) stricter(b Action) bool { return a.rank() > b.rank() }

func (a Action) rank() int {
	switch a {
	case Pass:
		return 0
	case Flag:
		return 1
	case Mask:
		return 2
	case Confirm:
		return 3
	case Replace:
		return 4
	case Handoff:
		return 5
	case Block:
	}
	return 6
}

// stops reports whether nothing of the text passes.
func (a Action) stops() bool { return a == Replace || a == Handoff || a == Block }
