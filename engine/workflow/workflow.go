// Package workflow reads what an agent does in which situation: a list of
// states, each with instructions for the model and the moves that lead out of
// it. It checks that the states fit together and says where they do not, and it
// says which moves are open in a given situation. It moves nothing and runs
// nothing: which move is taken, and when, engine/dialog decides.
package workflow

import (
	"encoding/json"
	"slices"
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
	// MaxMoves is how many moves may follow one another in one turn (spec D1).
	MaxMoves = 8
)

// Warning is something in a file that is accepted though hardly meant.
type Warning = located.Note

// Trigger says what makes a Move happen.
type Trigger string

// The triggers (spec D1). CustomerInput is chosen by the model, the others need
// none: see Automatic.
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
	Condition   string        // as written
	When        *Condition    // what Condition means; nil = always
	Anywhere    bool          // valid in every state
}

// State is one situation of a conversation.
type State struct {
	Process     string
	Name        string
	Description string
	Init        bool
	Sensitive   bool     // the recording is silent here
	Verified    bool     // entered only by a customer whose identity is proven
	Tools       []string // available_tools, all classes united
	Enter       []Skill  // init_skills
	Exit        []Skill  // final_skills
	Transitions []Move   // as written, state_scenarios included

	moves     []Move // for the model
	automatic []Move // without it
}

// Skill is a skill that a state runs.
type Skill struct {
	Name       string
	Parameters json.RawMessage // a JSON object, nil = none given
}

// Flow is a whole workflow. It never changes once it is made. A nil Flow is a
// conversation without states.
type Flow struct {
	States []State
	Init   string // name of the state in which a session begins

	refs []reference
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

// Offered are those of Moves that may be taken now: their condition holds, and
// what they lead to is open to this customer.
func (f *Flow) Offered(state string, e Env) []Move {
	var out []Move
	for _, m := range f.Moves(state) {
		if f.open(m, &e) {
			out = append(out, m)
		}
	}
	return out
}

// Automatic finds the move that a trigger other than CustomerInput makes: the
// first in the order of the file, the state's own before those valid
// everywhere, whose condition holds. tool is the one that answered, for
// ToolResult; a Timer move is due once Env.Idle has reached its After. The
// caller counts: at most MaxMoves may follow one another in a turn.
func (f *Flow) Automatic(state string, t Trigger, tool string, e Env) (Move, bool) {
	s, ok := f.State(state)
	if !ok {
		return Move{}, false
	}
	for _, m := range s.automatic {
		due := m.Trigger == t && (t != ToolResult || m.On == tool) && (t != Timer || e.Idle >= m.After)
		if due && f.open(m, &e) {
			return m, true
		}
	}
	return Move{}, false
}

// Timers are the times without input after which something may happen in a
// state, ascending, once each.
func (f *Flow) Timers(state string) []time.Duration {
	s, ok := f.State(state)
	if !ok {
		return nil
	}
	var out []time.Duration
	for _, m := range s.automatic {
		if m.Trigger == Timer {
			out = append(out, m.After)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// open says whether a move may be taken.
func (f *Flow) open(m Move, e *Env) bool {
	to, ok := f.State(m.Next)
	return (!ok || !to.Verified || e.Verified) && m.When.Eval(*e)
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

// Tools are the names of all tools that states list and transitions wait for,
// once each, in the order of the file.
func (f *Flow) Tools() []string {
	var out []string
	add := func(name string) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if f == nil {
		return nil
	}
	for _, s := range f.States {
		for _, t := range s.Tools {
			add(t)
		}
		for _, m := range s.Transitions {
			add(m.On)
		}
	}
	return out
}

// Skills are the names of all skills of states, once each.
func (f *Flow) Skills() []string {
	if f == nil {
		return nil
	}
	var out []string
	for _, s := range f.States {
		for _, k := range slices.Concat(s.Enter, s.Exit) {
			if !slices.Contains(out, k.Name) {
				out = append(out, k.Name)
			}
		}
	}
	return out
}
