// Package agent says what an agent is: the file that describes it, the settings
// in that file, the revision a session runs on, and the history of all of them.
// It opens no file, reaches no network and builds no index: it reads bytes it is
// given and says line and column of what is wrong with them.
package agent

import (
	"strconv"

	"flametree/engine/event"
	"flametree/engine/knowledge"
	"flametree/engine/workflow"
	"flametree/engine/workflow/located"
)

// The limits of an agent file.
const (
	MaxBytes   = 8 << 20
	MaxText    = 50_000 // characters of any one text
	MaxTitle   = 255    // characters of titles and names
	MaxResults = 60     // conversation results (spec D23)
	MaxAlias   = 64     // characters
)

// Warning is something in an agent file that is accepted though hardly meant.
type Warning = located.Note

// Type says who opens the conversation and how it is held.
type Type string

// The types of agent.
const (
	InboundText   Type = "inbound_text"
	OutboundText  Type = "outbound_text"
	InboundVoice  Type = "inbound_voice"
	OutboundVoice Type = "outbound_voice"
	CallAnalytics Type = "call_analytics"
)

// Spec is an agent file, read. It does not change once it is made.
type Spec struct {
	Name        string
	Alias       string // second SIP user name, "" = none
	Type        Type
	Identity    string
	SpeechStyle string
	Task        string
	Welcome     string
	Flow        *workflow.Flow // nil = a conversation without states
	Results     []Field
	Core        string // knowledge that is always in the prompt
	FAQs        []FAQ
	Texts       []Text
	Files       []string // paths as written; nobody has opened them
	Websites    []string // not read by this build
	ToolGroups  []string // not run by this build
	LLM         Model
	STT         Model
	TTS         Model
	Env         []event.Pair // as written, in the order of the file
	Settings    Settings     // what Env means
	Limits      Limits
}

// FAQ is a question with its answer.
type FAQ struct{ Question, Answer string }

// Text is a longer piece of knowledge.
type Text struct{ Title, Text string }

// Model names a model and where it is reached. All fields may be empty: the
// built-in provider.
type Model struct {
	Provider string
	BaseURL  string
	Model    string
	KeyEnv   string  // the environment variable that holds the key
	Fallback []Model // tried in this order
}

// Limits bound how much an agent does; 0 = no limit.
type Limits struct {
	OpenSessions int // for voice: parallel calls
	Daily        int // sessions a day
}

// Sources is what the agent knows, for knowledge.Build. IDs tell where in the
// file an entry stands: "core", "faq/1", "text/1".
func (s *Spec) Sources() []knowledge.Source {
	var out []knowledge.Source
	if s.Core != "" {
		out = append(out, knowledge.Source{ID: "core", Kind: knowledge.Core, Title: "Core", Text: s.Core})
	}
	for i, f := range s.FAQs {
		out = append(out, knowledge.Source{ID: numbered("faq/", i), Kind: knowledge.FAQ, Question: f.Question, Text: f.Answer})
	}
	for i, t := range s.Texts {
		out = append(out, knowledge.Source{ID: numbered("text/", i), Kind: knowledge.Text, Title: t.Title, Text: t.Text})
	}
	return out
}

func numbered(prefix string, i int) string { return prefix + strconv.Itoa(i+1) }

// Result finds a conversation result by its name.
func (s *Spec) Result(name string) (Field, bool) {
	for _, f := range s.Results {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}
