package api

import (
	"context"
	"encoding/json"
	"net/http"

	"flametree/gateway/auth"
)

// Traces tells how an agent came to what it said.
type Traces interface {
	// Trace fails with fault.NotFound for a session that is not the agent's. It
	// works for closed sessions as well.
	Trace(ctx context.Context, a auth.Agent, id string) (Trace, error)
}

// Trace is what every turn of a session was made of.
type Trace struct {
	SessionID string       `json:"session_id"`
	State     string       `json:"state" doc:"Of the workflow, now; empty without one."`
	Results   []TracePair  `json:"results"`
	Turns     []TracedTurn `json:"turns"`
}

// TracePair is a name and its value.
type TracePair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// TracedTurn is one line of the customer and what followed from it. Turn 0 is
// the greeting.
type TracedTurn struct {
	Turn       uint64           `json:"turn"`
	State      string           `json:"state" doc:"After the turn."`
	Calls      []TracedCall     `json:"calls"`
	Skills     []TracedSkill    `json:"skills,omitempty"`
	Passages   []TracedPassage  `json:"passages"`
	Models     []TracedModel    `json:"models"`
	Guards     []TracedGuard    `json:"guards,omitempty"`
	Unanswered []string         `json:"unanswered,omitempty"`
	Parts      []TracedPartSize `json:"parts" doc:"Of the prompt of the last step."`
}

// TracedCall is a call of a tool or a move of the workflow.
type TracedCall struct {
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args,omitempty"`
	Refused string          `json:"refused,omitempty"`
	Result  string          `json:"result,omitempty"`
	Fault   string          `json:"fault,omitempty"`
	Move    bool            `json:"move,omitempty" doc:"It was a move of the workflow."`
	TookMS  float64         `json:"took_ms"`
}

// TracedSkill is a skill that the workflow ran.
type TracedSkill struct {
	Name   string  `json:"name"`
	Moment string  `json:"moment"`
	Fault  string  `json:"fault,omitempty"`
	TookMS float64 `json:"took_ms"`
}

// TracedPassage is a passage of knowledge that the model was shown.
type TracedPassage struct {
	Source string  `json:"source"`
	Title  string  `json:"title"`
	Score  float64 `json:"score"`
}

// TracedModel is one answer of a model.
type TracedModel struct {
	Provider string          `json:"provider"`
	Name     string          `json:"name"`
	Input    uint32          `json:"input" doc:"Tokens."`
	Output   uint32          `json:"output" doc:"Tokens."`
	FirstMS  float64         `json:"first_ms"`
	WholeMS  float64         `json:"whole_ms"`
	Cost     float64         `json:"cost,omitempty" doc:"By the prices of the agent's file, in their currency."`
	Fault    string          `json:"fault,omitempty"`
	Offered  []string        `json:"offered" doc:"Tools and moves that could be called."`
	Attempts []TracedAttempt `json:"attempts,omitempty"`
}

// TracedAttempt is one try of a chain of models.
type TracedAttempt struct {
	Provider string  `json:"provider"`
	Model    string  `json:"model"`
	TookMS   float64 `json:"took_ms"`
	Fault    string  `json:"fault,omitempty"`
}

// TracedGuard is a guardrail that stepped in.
type TracedGuard struct {
	Rule   string `json:"rule"`
	Where  string `json:"where"`
	Action string `json:"action"`
}

// TracedPartSize is one part of a prompt.
type TracedPartSize struct {
	Kind   string `json:"kind"`
	Title  string `json:"title,omitempty"`
	Tokens uint32 `json:"tokens"`
}

type traceOut struct{ Body Trace }

func (c *chat) traces() {
	op := c.operation("trace-session", http.MethodGet, "/session/{session}/trace", "See how the agent came to its replies")
	op.Tags = []string{"Sessions"}
	op.Description = "States, calls with arguments and results, passages with scores, models with tokens and times, turn by turn."
	register(c, op, func(ctx context.Context, in *InSession) (*traceOut, error) {
		t, err := c.o.Traces.Trace(ctx, agentOf(ctx), in.Session)
		if err != nil {
			return nil, err
		}
		return &traceOut{Body: t}, nil
	})
}
