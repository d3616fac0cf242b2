// Package workflow reads what an agent does in which situation: a list of
// states, each with instructions for the model and the moves that lead out of
// it. It checks that the states fit together and says where they do not. It
// moves nothing: which move is taken, and when, engine/dialog decides.
package workflow

import (
	"time"

	"flametree/engine/workflow/located"
)

// End is the target that closes the session with status completed. It names no
// state.
const End = "END"

// The limits of a workflow (spec D23).
const (
	MaxStates      = 100
	MaxBytes       = 64 << 10
	MaxStateTools  = 50
	maxName        = 100
	maxDescription = MaxBytes
	maxCondition   = 500
)

// Warning is something in a file that is accepted though hardly meant.
type Warning = located.Note

// Trigger says what makes a Move happen.
type Trigger string

// The triggers (spec D1). CustomerInput is chosen by the model; this build acts
// on no other one.
const (
	CustomerInput  Trigger = "customer_input"
	ToolResult     Trigger = "tool_result"
	EnteredState   Trigger = "state_entered"
	ResultsUpdated Trigger = "results_updated"
	Timer          Trigger = "timer"
)

// Move is a way out of a state.
type Move struct {
	Name        string
	Tool        string // the name under which the model calls it: a valid identifier, unique in its state
	Next        string // a state's name, or End
	Description string // when the model should take it
	Trigger     Trigger
	On          string        // ToolResult: the tool
	After       time.Duration // Timer: without input
	Condition   string        // kept as written; not evaluated yet
	Anywhere    bool          // valid in every state
}

// State is one situation of a conversation.
type State struct {
	Process     string
	Name        string
	Description string
	Init        bool
	Sensitive   bool     // the recording is silent here
	Tools       []string // available_tools, all classes united
	Enter       []string // init_skills
	Exit        []string // final_skills
	Transitions []Move   // as written, state_scenarios included

	moves []Move
}

// Flow is a whole workflow. It never changes once it is made. A nil Flow is a
// conversation without states.
type Flow struct {
	States []State
	Init   string // name of the state in which a session begins
}

// State finds a state by its name.
func (f *Flow) State(name string) (*State, bool) {
	if f == nil {
		return nil, false
	}
	for i := range f.States {
		if f.States[i].Name == name {
			return &f.States[i], true
		}
	}
	return nil, false
}

// Start is the name of the first state, "" without a workflow: what
// session.State.Begin wants.
func (f *Flow) Start() string {
	if f == nil {
		return ""
	}
	return f.Init
}

// Moves are the moves that the model may choose in a state: its own, then those
// of other states that are valid everywhere. The caller must not change them.
func (f *Flow) Moves(state string) []Move {
	s, ok := f.State(state)
	if !ok {
		return nil
	}
	return s.moves
}

// Texts are all texts written for the model, in the order of the file.
func (f *Flow) Texts() []string {
	if f == nil {
		return nil
	}
	var out []string
	for _, s := range f.States {
		if s.Description != "" {
			out = append(out, s.Description)
		}
		for _, m := range s.Transitions {
			if m.Description != "" {
				out = append(out, m.Description)
			}
		}
	}
	return out
}
