package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Report is what one bench measured.
type Report struct {
	Name    string
	Params  Values
	Machine Machine
	Metrics Values
	Gates   []Gate
	Checks  []Check
	Plots   []Plot
	Notes   []string // for people: what a figure includes and what it does not
}

// Value is one named parameter or metric. Of is a Dist, Values, or a number,
// string or bool.
type Value struct {
	Name string
	Of   any
}

// Values keep their order, in the table as in JSON.
type Values []Value

// Add appends a value.
func (v *Values) Add(name string, of any) { *v = append(*v, Value{name, of}) }

// MarshalJSON writes an object with the names in their order.
func (v Values) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(one.Name)
		if err != nil {
			return nil, err
		}
		of := one.Of
		if f, ok := of.(float64); ok {
			of = Round(f)
		}
		value, err := json.Marshal(of)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", one.Name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Gate is a figure that was promised, beside the one that was measured.
type Gate struct {
	Name    string  `json:"name"`
	Want    float64 `json:"want"`
	Got     float64 `json:"got"`
	Unit    string  `json:"unit"`
	AtLeast bool    `json:"at_least"` // false: at most
	Last    string  `json:"-"`        // what the run before measured, see Beside
}

// Met reports whether the promise is kept.
func (g Gate) Met() bool {
	if g.AtLeast {
		return g.Got >= g.Want
	}
	return g.Got <= g.Want
}

// Tolerance is by how much of the larger side the sides of a Check may differ.
const Tolerance = 0.01

// Check is a sum that must come out: what one side says it did, and what the
// other says it saw.
type Check struct {
	Name        string
	Left, Right float64
}

// Off is the difference as a share of the larger side.
func (c Check) Off() float64 {
	most := max(math.Abs(c.Left), math.Abs(c.Right))
	if most == 0 {
		return 0
	}
	return math.Abs(c.Left-c.Right) / most
}

// Holds reports whether the sum comes out.
func (c Check) Holds() bool { return c.Off() <= Tolerance }

// Failed names the checks that do not hold, nil when all do.
func (r Report) Failed() error {
	var bad []string
	for _, c := range r.Checks {
		if !c.Holds() {
			bad = append(bad, fmt.Sprintf("%s: %v against %v (%.1f %% apart)", c.Name, c.Left, c.Right, 100*c.Off()))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("bench %s: sums do not come out: %v", r.Name, bad)
}

// MarshalJSON writes the object that every bench prints: name, params, machine,
// metrics. Gates and checks are metrics as well.
func (r Report) MarshalJSON() ([]byte, error) {
	metrics := append(Values(nil), r.Metrics...)
	if len(r.Checks) > 0 {
		var sums Values
		for _, c := range r.Checks {
			sums.Add(c.Name, Values{{"left", c.Left}, {"right", c.Right}, {"off_percent", 100 * c.Off()}, {"holds", c.Holds()}})
		}
		metrics.Add("sums", sums)
	}
	if len(r.Gates) > 0 {
		var gates Values
		for _, g := range r.Gates {
			bound := "at_most"
			if g.AtLeast {
				bound = "at_least"
			}
			gates.Add(g.Name, Values{{bound, g.Want}, {"got", g.Got}, {"unit", g.Unit}, {"met", g.Met()}})
		}
		metrics.Add("gates", gates)
	}
	if metrics == nil {
		metrics = Values{}
	}
	return json.Marshal(struct {
		Name    string  `json:"name"`
		Params  Values  `json:"params"`
		Machine Machine `json:"machine"`
		Metrics Values  `json:"metrics"`
	}{r.Name, r.Params, r.Machine, metrics})
}

// JSON writes the report as one line.
func (r Report) JSON(w io.Writer) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("bench %s: %w", r.Name, err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
