package script

import (
	"encoding/json"
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
	Turns   []turnWire                 `json:"turns"`
	Results map[string]json.RawMessage `json:"results"` // of a session that has ended, where the server gives them
}

type turnWire struct {
	Turn     uint64        `json:"turn"`
	State    string        `json:"state"`
	Calls    []callWire    `json:"calls"`
	Passages []passageWire `json:"passages"`
	Model    *modelWire    `json:"model"`
	Parts    []partWire    `json:"parts"`
}

type callWire struct {
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args"` // an object, or a text that holds one
	Refused string          `json:"refused"`
	Result  json.RawMessage `json:"result"`
	Move    bool            `json:"move"`
	Took    float64         `json:"took_ms"`
}

type passageWire struct {
	Source string  `json:"source"`
	Title  string  `json:"title"`
	Score  float64 `json:"score"`
}

type modelWire struct {
	Name   string  `json:"name"`
	Input  int     `json:"input"`
	Output int     `json:"output"`
	First  float64 `json:"first_ms"`
	Whole  float64 `json:"whole_ms"`
}

type partWire struct {
	Kind   string `json:"kind"`
	Title  string `json:"title"`
	Tokens int    `json:"tokens"`
}

// into adds a turn of the trace to what the conversation shows.
func (w turnWire) into(t *Turn) {
	for _, c := range w.Calls {
		t.Calls = append(t.Calls, Call{
			Name: c.Name, Args: bare(c.Args), Refused: strings.TrimSpace(c.Refused), Result: bare(c.Result),
			Move: c.Move, Took: milliseconds(c.Took),
		})
	}
	for _, p := range w.Passages {
		t.Trace.Passages = append(t.Trace.Passages, Passage(p))
	}
	for _, p := range w.Parts {
		t.Trace.Parts = append(t.Trace.Parts, Part(p))
	}
	if m := w.Model; m != nil {
		t.Trace.Model = Model{
			Name: m.Name, Input: m.Input, Output: m.Output,
			First: milliseconds(m.First), Whole: milliseconds(m.Whole),
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
