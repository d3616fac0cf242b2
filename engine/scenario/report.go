package scenario

import (
	"encoding/json"
	"time"
)

// Observed is what became of a scenario. Times are since the call was answered,
// measured at the caller's socket.
type Observed struct {
	Steps []Done // of the steps in their order, those that began
	Voice []Span // when the agent was heard, in order
	Words []Word // what it was recognised to say, in order
	Ended time.Duration
	By    string // how the call ended
	Fault string // why the scenario did not come to its end, "" = it did
	Facts *Facts // nil = nobody could look inside
	Blind string // why nobody could
}

// Done is a step that began. First and Last are of the caller's sound or keys;
// they are equal for what makes none.
type Done struct{ First, Last time.Duration }

// Span is a stretch of time.
type Span struct {
	From time.Duration
	To   time.Duration
	Text string
}

// Word is a recognised word and where it begins.
type Word struct {
	At   time.Duration
	Text string
}

// Facts are what the journal says of the session. Times are those of its events.
type Facts struct {
	Session   string
	Status    string // "" = it has not ended
	Recording bool
	States    []Fact // entered
	Results   []Fact // set; Name is the field
	Calls     []Fact // of tools that ran or were refused; Fault tells those that did not succeed
	Said      []Fact // by the agent, as the engine knows it; Fault = interrupted
	Heard     []Fact // of the caller, as the agent's recogniser had it
}

// Fact is one of them.
type Fact struct {
	At                time.Duration
	Name, Text, Fault string
}

// Verdict is an expectation as it was judged.
type Verdict struct {
	Step  int    `json:"step"` // from 1; 0 = the whole call
	Place Place  `json:"place"`
	Key   string `json:"expectation"`
	Want  string `json:"want"`
	Got   string `json:"got"`
	Met   bool   `json:"met"`
}

// Report is what became of one run.
type Report struct {
	Scenario string
	File     string
	Seed     uint64
	Agent    string
	Passed   bool
	Fault    string // why it did not come to its end
	Session  string
	Status   string
	Ended    string // how the call ended
	Length   time.Duration
	Answers  []Answer
	Verdicts []Verdict
	Caller   []Span // what the caller did
	Speaks   []Span // when the agent spoke, with the words recognised in it
	Breaks   []time.Duration
	Facts    *Facts
	Packets  Packets
}

// Answer is how long the caller waited for one.
type Answer struct {
	Step int           // from 1
	From time.Duration // the caller's last sound
	Took time.Duration
}

// Packets are counted at the caller's socket, and on the road where it is bad.
type Packets struct {
	Sent      int `json:"sent"`
	Heard     int `json:"heard"`
	Missing   int `json:"missing"`
	RoadSeen  int `json:"road_seen,omitempty"`
	RoadLost  int `json:"road_lost,omitempty"`
	Overtaken int `json:"overtaken,omitempty"`
}

// millis writes a time as whole milliseconds.
func millis(d time.Duration) int64 { return d.Milliseconds() }

// MarshalJSON writes times as milliseconds since the answer.
func (s Span) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		From int64  `json:"from_ms"`
		To   int64  `json:"to_ms"`
		Text string `json:"text,omitempty"`
	}{millis(s.From), millis(s.To), s.Text})
}

// MarshalJSON writes times as milliseconds since the answer.
func (f Fact) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At    int64  `json:"at_ms"`
		Name  string `json:"name,omitempty"`
		Text  string `json:"text,omitempty"`
		Fault string `json:"fault,omitempty"`
	}{millis(f.At), f.Name, f.Text, f.Fault})
}

// MarshalJSON writes the delay in milliseconds.
func (a Answer) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Step int   `json:"step"`
		Took int64 `json:"took_ms"`
	}{a.Step, millis(a.Took)})
}

// MarshalJSON writes the report as `scenario run --json` prints it.
func (r Report) MarshalJSON() ([]byte, error) {
	breaks := make([]int64, len(r.Breaks))
	for i, b := range r.Breaks {
		breaks[i] = millis(b)
	}
	out := struct {
		Scenario string    `json:"scenario"`
		File     string    `json:"file"`
		Agent    string    `json:"agent"`
		Seed     uint64    `json:"seed"`
		Passed   bool      `json:"passed"`
		Fault    string    `json:"fault,omitempty"`
		Session  string    `json:"session,omitempty"`
		Status   string    `json:"status,omitempty"`
		Ended    string    `json:"ended"`
		Length   int64     `json:"length_ms"`
		Answers  []Answer  `json:"answers"`
		Verdicts []Verdict `json:"expectations"`
		Caller   []Span    `json:"caller"`
		Speaks   []Span    `json:"agent_heard"`
		Breaks   []int64   `json:"interruptions_ms"`
		Heard    []Fact    `json:"understood,omitempty"`
		States   []Fact    `json:"states,omitempty"`
		Results  []Fact    `json:"results,omitempty"`
		Calls    []Fact    `json:"calls,omitempty"`
		Packets  Packets   `json:"packets"`
	}{
		Scenario: r.Scenario, File: r.File, Agent: r.Agent, Seed: r.Seed, Passed: r.Passed, Fault: r.Fault, Session: r.Session,
		Status: r.Status, Ended: r.Ended, Length: millis(r.Length), Answers: full(r.Answers), Verdicts: full(r.Verdicts),
		Caller: full(r.Caller), Speaks: full(r.Speaks), Breaks: breaks, Packets: r.Packets,
	}
	if f := r.Facts; f != nil {
		out.Heard, out.States, out.Results, out.Calls = f.Heard, f.States, f.Results, f.Calls
	}
	return json.Marshal(out)
}

// full is a list that JSON writes as [] when it is empty.
func full[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
