// Package tool is the contract between a conversation and what it may do in
// the world: tools, which a model calls, and skills, which the workflow runs by
// itself. It names no language and no protocol; python, mcp and openapi below
// it are edges that keep the contract and pass the suite in tooltest. Whether a
// call may happen at all is decided in engine/dialog, not here.
package tool

import (
	"context"
	"encoding/json"
	"time"

	"flametree/engine/tenant"
)

// The limits of tools (spec D6, D23).
const (
	DefaultTimeout = 2 * time.Second
	MaxTimeout     = 30 * time.Second
	MaxResult      = 64 << 10 // bytes of a result, as JSON
	MaxShown       = 4000     // characters of a result that a model is shown
	MaxPerState    = 50
	MaxName        = 64
)

// Spec is one tool as its group declares it. It does not change.
type Spec struct {
	Name        string          // as available_tools and models call it: letters, digits, _ and -
	Description string          // when and why to call it, for the model
	Schema      json.RawMessage // JSON Schema of type object; what Bind names is not in it
	Group       string          // who runs it
	Timeout     time.Duration   // 1 ms to MaxTimeout
	SideEffect  bool            // it changes something: the key of a call makes it happen once, and it is never tried again blindly
	Confirm     bool            // the human's yes comes first
	Verified    bool            // only for a customer whose identity is proven in this session
	Verifies    bool            // a result with "verified": true proves the customer's identity
	Bind        []Binding       // arguments the server fills in, never the model
	Amount      string          // name of the argument that is an amount, "" = none
	Limit       float64         // most of Amount; 0 = no limit
}

// Binding takes an argument from the session: From is "session.id",
// "session.user", "session.phone", "session.email", "customer.id" (what a
// verifying tool gave as customer_id), "params.NAME" or "results.NAME".
type Binding struct{ Arg, From string }

// Moment is when the workflow runs a skill.
type Moment string

// The moments.
const (
	SessionStart Moment = "session_start"
	StateEnter   Moment = "state_enter"
	StateExit    Moment = "state_exit"
	SessionEnd   Moment = "session_end"
)

// Skill is something the workflow runs by itself. A mapping it returns fills
// {name} in prompts; the model does not see it as an answer.
type Skill struct {
	Name        string // as init_skills and final_skills call it
	Description string
	Group       string
	Moment      Moment // "" = only where a state names it
	Timeout     time.Duration
}

// Call is one run of a tool or skill.
type Call struct {
	Tenant tenant.ID
	Key    string          // idempotency: the same for the same decision, also after a crash
	Name   string          // Spec.Name or Skill.Name
	Args   json.RawMessage // a JSON object that Schema allows, bindings filled in; "{}" for skills
	Scene  Scene
}

// Scene is what code sees of the conversation (spec D6, ctx). Secrets are in
// it; it is never logged.
type Scene struct {
	Session, Conversation, Agent    string
	Channel, Mode, Language         string
	User, Name, Email, Phone, State string
	Parameters                      map[string]json.RawMessage // of the start of the session, keys with "_" included
	Results                         map[string]string          // canonical values
	Observations                    map[string]json.RawMessage // the last result of each tool
	Env                             map[string]string          // the agent's variables, secrets included
	Now                             time.Time
	Seed                            uint64 // of the run's random numbers
}

// Outcome is what a run gave.
type Outcome struct {
	Value   json.RawMessage   // any JSON, at most MaxResult
	Results map[string]string // conversation results the code set, not yet checked against their types
	Logs    []string          // lines, at most 100 of 1,000 characters, secrets replaced by "***"
	Took    time.Duration
}

// Runner runs the tools and skills of one group. It is safe for concurrent use.
type Runner interface {
	Tools() []Spec
	Skills() []Skill
	// Run ends within the tool's timeout, and with ctx. An error wraps a
	// fault.Kind; its text may be shown to a model and holds no secret.
	Run(ctx context.Context, c Call) (Outcome, error)
	// Close ends what the group has started. Runs in progress fail.
	Close() error
}
