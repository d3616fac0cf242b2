// Package agent says what an agent is: the file that describes it, the settings
// in that file, the revision a session runs on, and the history of all of them.
// It opens no file, reaches no network and builds no index: it reads bytes it is
// given and says line and column of what is wrong with them.
package agent

import (
	"slices"
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

	MaxOperations = 50  // of one OpenAPI document (spec D6)
	MaxListed     = 200 // entries of any one list of files, sites, groups, servers
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

// Spec is an agent file, read. It does not change once it is made. It holds the
// values of secret variables: it is never logged.
type Spec struct {
	Name        string
	Alias       string // second SIP user name, "" = none
	Type        Type
	Identity    string
	SpeechStyle string
	Task        string
	Welcome     string
	Handoff     Handoff
	Flow        *workflow.Flow // nil = a conversation without states
	Results     []Field
	Core        string // knowledge that is always in the prompt
	FAQs        []FAQ
	FAQMode     FAQMode
	Texts       []Text
	Files       []string // paths as written; nobody has opened them
	Websites    []Website
	YouTube     []string // addresses of videos and channels
	Library     []string // "sources": names of the tenant's sources
	Catalogs    []Catalog
	ShowSources bool         // show_rag_sources: answers end with what they are taken from
	Guardrails  located.Node // as written, Absent = none: engine/guard reads it
	ToolGroups  []ToolGroup
	MCP         []MCPServer
	OpenAPI     []OpenAPI
	Verifier    string // verification.tool: proves who the customer is, "" = none
	LLM         Model
	STT         Model
	TTS         Model
	Embedder    Model
	Realtime    Model        // speech.realtime: hears, thinks and speaks in calls; the others stand by. No Provider = none
	Languages   []string     // speech.languages: those it may change to in a conversation; none = one language
	Env         []event.Pair // as written, in the order of the file, secrets too
	Secrets     []string     // the keys of Env whose values nobody may read
	Settings    Settings     // what Env means
	Limits      Limits

	RequirePublish bool     // saving does not publish
	Operators      []string // default_operators: who gets sessions first
	Copilot        []Hours  // copilot_hours in the tenant's time; none: never
	Push           Push
}

// Handoff says whether and when a person takes over.
type Handoff struct {
	Allow      bool
	Conditions string // for the model
}

// FAQMode says where questions and answers go.
type FAQMode string

// The modes of FAQs. FAQAuto is FAQPrompt for few of them, FAQVector for many.
const (
	FAQAuto   FAQMode = "auto"
	FAQPrompt FAQMode = "prompt"
	FAQVector FAQMode = "vector"
)

// Website is a site to read. Depth counts links from URL; 0 in Depth or Pages
// means the crawler's own limit.
type Website struct {
	URL          string
	Depth, Pages int
}

// Catalog is a product catalogue: one of the tenant's by name, or a file.
type Catalog struct{ Name, Path string }

// ToolGroup is a plugin: one of the tenant's by name, or a YAML file. Env adds
// to the agent's variables for this group alone; Secrets are keys of Env.
type ToolGroup struct {
	Name, Path string
	Env        []event.Pair
	Secrets    []string
}

// MCPServer is a server of tools (spec 4). Endpoint is an http or https
// address, for the transport stdio a command line.
type MCPServer struct {
	Name, Description string
	Code              string // letters and digits, unique in the agent: it names the tools' space
	Endpoint          string
	Transport         string // http_sse streamable_http stdio
	Auth              Auth
	Rename            Rename
	Include, Exclude  []string // names of the server's tools
}

// Auth says how a server knows us. The value itself stands in a variable.
type Auth struct {
	Kind     string // "" = none, bearer, basic, header
	Header   string // header: its name
	ValueEnv string // name of the variable; basic: user:password
}

// Rename changes the names of a server's tools: Replace in order, then Prefix
// and Suffix.
type Rename struct {
	Prefix, Suffix string
	Replace        []Replacement
}

// Replacement puts To in place of each From.
type Replacement struct{ From, To string }

// OpenAPI makes tools of the operations of a document (spec D6).
type OpenAPI struct {
	Name       string
	Document   string   // path or address
	Operations []string // operationIds, empty = all, at most MaxOperations
	Auth       Auth
	BaseURL    string // in place of the document's own, "" = that one
}

// Push is where events of the agent's sessions are sent (spec D19).
type Push struct {
	URL       string
	SecretEnv string // name of the variable that holds the signing secret
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
	Price    Price   // for the cost of a turn; zero = not known
	Fallback []Model // tried in this order
	Speech   Speech  // of those that hear or speak
}

// Price is what a million tokens cost, in whatever currency the writer counts.
type Price struct {
	Input, Output           float64
	AudioInput, AudioOutput float64 // of models that hear and speak; zero = as text
}

// Limits bound how much an agent does; 0 = no limit.
type Limits struct {
	OpenSessions int // for voice: parallel calls; a call shares the place of the page it comes from
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

// knows reports whether the file names any source of knowledge.
func (s *Spec) knows() bool {
	return s.Core != "" || len(s.FAQs)+len(s.Texts)+len(s.Files)+len(s.Websites)+len(s.YouTube)+len(s.Library)+len(s.Catalogs) > 0
}

// Secret reports whether a variable's value may be read by nobody.
func (s *Spec) Secret(key string) bool { return slices.Contains(s.Secrets, key) }

// Tools lists, once each and in the order of the file, every tool that the
// file names: those of the workflow, and the one that verifies customers.
func (s *Spec) Tools() []string {
	out := s.Flow.Tools()
	if s.Verifier != "" && !slices.Contains(out, s.Verifier) {
		out = append(out, s.Verifier)
	}
	return out
}

// Skills lists every skill that the workflow names, once each.
func (s *Spec) Skills() []string { return s.Flow.Skills() }

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
