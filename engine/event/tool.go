package event

import "time"

// SkillRan records what a skill gave: the workflow ran it, no model asked.
type SkillRan struct {
	Skill  string
	Moment string // session_start state_enter state_exit session_end
	State  string
	Values []PrivatePair // fill {name} in prompts; value is text
	Took   time.Duration
	Fault  string
}

// QuestionUnanswered says that the agent could not answer what it was asked.
type QuestionUnanswered struct {
	Turn     uint64
	Question Private
	By       string // model (it said so by a tool) engine (nothing fitting was found)
}

// CustomerVerified says that a tool proved who the customer is.
type CustomerVerified struct {
	Tool     string
	Customer Private // the id that the tool gave
}

// GuardHit records that a guardrail stepped in.
type GuardHit struct {
	Turn    uint64
	Rule    string
	Where   string // input output tool
	Action  string // block redact replace handoff flag confirm
	Excerpt Private
}

// HistorySummarised replaces the lines up to turn Upto by a summary in what
// the model is shown. The lines themselves stay.
type HistorySummarised struct {
	Upto uint64
	Text Private
}

// TracedPart is one part of the prompt with its size.
type TracedPart struct {
	Kind   string
	Title  string
	Tokens uint32 // estimated where the vendor does not say
}

// Attempt is one try to get an answer out of a model.
type Attempt struct {
	Provider string
	Model    string
	Took     time.Duration
	Fault    string // "" = this one answered
}

// SuggestionMade is a draft for a person, in Copilot mode.
type SuggestionMade struct {
	Turn uint64
	Text Private
}

// AgentDrafted keeps an agent file that cannot be saved as a revision, so that
// its writer finds it again.
type AgentDrafted struct {
	File  Private
	Fault string // with line and column
}

// Kind implements Event.
func (SkillRan) Kind() Kind { return "skill.ran.v1" }

// Kind implements Event.
func (QuestionUnanswered) Kind() Kind { return "question.unanswered.v1" }

// Kind implements Event.
func (CustomerVerified) Kind() Kind { return "customer.verified.v1" }

// Kind implements Event.
func (GuardHit) Kind() Kind { return "guard.hit.v1" }

// Kind implements Event.
func (HistorySummarised) Kind() Kind { return "history.summarised.v1" }

// Kind implements Event.
func (SuggestionMade) Kind() Kind { return "suggestion.made.v1" }

// Kind implements Event.
func (AgentDrafted) Kind() Kind { return "agent.drafted.v1" }
