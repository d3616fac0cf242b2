package script

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// sessionWire is as much of a session as a conversation needs.
type sessionWire struct {
	ID       string                     `json:"session_id"`
	Greeting *string                    `json:"start_phrase"`
	Results  map[string]json.RawMessage `json:"conversation_result"`
}

// traceWire is GET …/session/{id}/trace.
type traceWire struct {
	Turns   []turnWire `json:"turns"`
	Results []pairWire `json:"results"`
}

type pairWire struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type turnWire struct {
	Turn     uint64        `json:"turn"`
	State    string        `json:"state"`
	Calls    []callWire    `json:"calls"`
	Passages []passageWire `json:"passages"`
	Models   []modelWire   `json:"models"`
	Parts    []partWire    `json:"parts"`
}

type callWire struct {
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args"`
	Refused string          `json:"refused"`
	Fault   string          `json:"fault"`
	Result  string          `json:"result"`
	Move    bool            `json:"move"`
	Took    float64         `json:"took_ms"`
}

type passageWire struct {
	Source string  `json:"source"`
	Title  string  `json:"title"`
	Score  float64 `json:"score"`
}

type modelWire struct {
	Provider string  `json:"provider"`
	Name     string  `json:"name"`
	Input    int     `json:"input"`
	Output   int     `json:"output"`
	First    float64 `json:"first_ms"`
	Whole    float64 `json:"whole_ms"`
}

type partWire struct {
	Kind   string `json:"kind"`
	Title  string `json:"title"`
	Tokens int    `json:"tokens"`
}

// into adds a turn of the trace to what the conversation shows.
func (w turnWire) into(t *Turn, moves []string) {
	for _, c := range w.Calls {
		t.Calls = append(t.Calls, Call{
			Name: c.Name, Args: bare(c.Args), Refused: strings.TrimSpace(c.Refused), Fault: strings.TrimSpace(c.Fault),
			Result: c.Result, Move: c.Move || slices.Contains(moves, c.Name), Took: milliseconds(c.Took),
		})
	}
	for _, p := range w.Passages {
		t.Trace.Passages = append(t.Trace.Passages, Passage(p))
	}
	for _, p := range w.Parts {
		t.Trace.Parts = append(t.Trace.Parts, Part(p))
	}
	for i, m := range w.Models {
		sum := &t.Trace.Model
		sum.Name = cmp.Or(m.Name, m.Provider)
		sum.Input, sum.Output = sum.Input+m.Input, sum.Output+m.Output
		if sum.Whole += milliseconds(m.Whole); i == 0 {
			sum.First = milliseconds(m.First)
		}
	}
}

func milliseconds(ms float64) time.Duration {
	const most = float64(24 * time.Hour / time.Millisecond)
	if !(ms >= 0 && ms <= most) { // what cannot be a duration, NaN among it
		return 0
	}
	return time.Duration(ms * float64(time.Millisecond))
}
