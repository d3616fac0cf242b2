package api

import (
	"context"
	"net/http"
	"time"

	"flametree/gateway/auth"
)

// Calls tells how the calls of an agent went, also while they run. Sessions that
// are not the agent's, or have no call, are fault.NotFound.
type Calls interface {
	Call(ctx context.Context, a auth.Agent, id string) (Call, error)
	Ladder(ctx context.Context, a auth.Agent, id string) (Ladder, error)
}

// Call is how a call went.
type Call struct {
	SessionID string        `json:"session_id"`
	CallID    string        `json:"call_id"`
	Direction string        `json:"direction" doc:"inbound or outbound"`
	Status    string        `json:"status" doc:"Of the session; empty while it runs."`
	Over      bool          `json:"over"`
	Codec     string        `json:"codec"`
	BandHz    uint32        `json:"band_hz"`
	Quality   float64       `json:"quality" doc:"Estimated mean opinion score of what was received, 1 to 4.5; 0 = nothing to judge by."`
	Received  uint64        `json:"received" doc:"Packets."`
	Lost      uint64        `json:"lost" doc:"Packets."`
	Story     []CallMoment  `json:"story"`
	Turns     []CallTurnBar `json:"turns"`
}

// CallMoment is one thing that happened on a call.
type CallMoment struct {
	AtMS float64 `json:"at_ms" doc:"Since the call was offered or placed."`
	What string  `json:"what"`
}

// CallTurnBar is a turn as the stages that its caller waited for.
type CallTurnBar struct {
	Turn    uint64      `json:"turn"`
	Heard   string      `json:"heard"`
	Said    string      `json:"said"`
	WholeMS float64     `json:"whole_ms" doc:"From the end of the caller's speech to the first packet of the reply."`
	Waited  string      `json:"waited" doc:"Why it took longest."`
	Stages  []CallStage `json:"stages"`
}

// CallStage is one stretch of a turn.
type CallStage struct {
	Name   string  `json:"name"`
	TookMS float64 `json:"took_ms"`
}

// Ladder is the signalling of a call, credentials masked.
type Ladder struct {
	SessionID string   `json:"session_id"`
	Live      bool     `json:"live" doc:"The call runs: more may come."`
	Messages  []Signal `json:"messages"`
}

// Signal is one SIP message.
type Signal struct {
	At        time.Time `json:"at"`
	Out       bool      `json:"out" doc:"We sent it."`
	Transport string    `json:"transport"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	Text      string    `json:"text"`
	Dropped   int       `json:"dropped,omitempty" doc:"That many before it were not kept."`
}

type (
	callOut   struct{ Body Call }
	ladderOut struct{ Body Ladder }
)

func (c *chat) calls() {
	op := c.operation("get-call", http.MethodGet, "/session/{session}/call", "See how the call of a session went")
	op.Tags = []string{"Sessions"}
	op.Description = "What happened, how it sounded, and what each turn waited for; of a running call so far."
	register(c, op, func(ctx context.Context, in *InSession) (*callOut, error) {
		v, err := c.o.Calls.Call(ctx, agentOf(ctx), in.Session)
		if err != nil {
			return nil, err
		}
		return &callOut{Body: v}, nil
	})
	op = c.operation("get-call-ladder", http.MethodGet, "/session/{session}/call/ladder", "See the SIP messages of a call")
	op.Tags = []string{"Sessions"}
	op.Description = "At most 200 messages a party; of more the middle is dropped. Credentials, keys and pressed digits are masked."
	register(c, op, func(ctx context.Context, in *InSession) (*ladderOut, error) {
		v, err := c.o.Calls.Ladder(ctx, agentOf(ctx), in.Session)
		if err != nil {
			return nil, err
		}
		return &ladderOut{Body: v}, nil
	})
}
