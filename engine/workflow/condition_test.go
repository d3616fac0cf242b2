package workflow

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
)

func scene() Env {
	vienna := time.FixedZone("CET", 3600)
	return Env{
		Results: map[string]string{
			"Name": "Ann", "Budget": "500", "Agreed": "true", "Tags": `["vip","new"]`, "Due": "2026-11-25", "At": "2026-11-22 14:30", "Zip": "01010", "Empty": "", "Größe": "3",
		},
		Observations: map[string]json.RawMessage{
			"CheckScore": json.RawMessage(`{"score":600,"ok":true,"note":"fine","tags":["a","b"],"deep":{"er":[{"x":1.5}]},"none":null,"text":"600","big":12345678901234567890,"when":"2026-11-22T13:00:00Z"}`),
			"Plain":      json.RawMessage(`"done"`), "Broken": json.RawMessage(`{"a":`), "With-Dash": json.RawMessage(`[1,2]`),
		},
		Params:  map[string]json.RawMessage{"segment": json.RawMessage(`"gold"`), "age": json.RawMessage(`42`), "_k": json.RawMessage(`1`), "any name": json.RawMessage(`true`)},
		Channel: "sip", Mode: "REGULAR", Turns: 3, Digits: "12", Now: time.Date(2026, 11, 22, 14, 30, 0, 0, vienna),
	}
}

func TestConditions(t *testing.T) {
	for condition, want := range map[string]bool{
		// Equality, by type.
		`results.Name == "Ann"`: true, `results.Name == 'Ann'`: true, `results.Name == "ann"`: false, `results.Name != "Bob"`: true, `results.Name != "Ann"`: false,
		`results.Budget == 500`: true, `results.Budget == 500.0`: true, `results.Budget == "500"`: true, `results.Budget != 400`: true,
		`results.Agreed == true`: true, `results.Agreed == false`: false, `results.Agreed`: true, `not results.Agreed`: false, `results.Agreed == "true"`: true,
		`observations.CheckScore.ok`: true, `observations.CheckScore.ok == True`: true, `observations.CheckScore.note == "fine"`: true,
		`observations.CheckScore.tags == ["a", "b"]`: true, `observations.CheckScore.tags == ["a"]`: false, `observations.Plain == "done"`: true,
		// Order.
		`observations.CheckScore.score >= 600`: true, `observations.CheckScore.score > 600`: false, `observations.CheckScore.score <= 600`: true, `observations.CheckScore.score < 601.5`: true,
		`results.Budget >= 500 and results.Budget < 501`: true, `turns > 2`: true, `turns == 3`: true, `params.age > -1`: true,
		`observations.CheckScore.big == 12345678901234567890`: true, `observations.CheckScore.big == 12345678901234567891`: false, `observations.CheckScore.big < 12345678901234567891`: true,
		`1.5 == observations.CheckScore.deep.er[0].x`: true, `observations.CheckScore.deep.er.0.x == 1.5`: true, `observations.CheckScore.deep["er"][0]["x"] == 1.5`: true,
		`observations.With-Dash[1] == 2`: true, `observations.With-Dash.0 == 1`: true,
		// Dates and now.
		`results.Due > now`: true, `now < results.Due`: true, `results.Due >= "2026-11-25"`: true, `results.Due < "2026-11-25"`: false, `"2026-11-22" == now`: true, `"2026-11-22" < now`: false,
		`results.At == now`: true, `results.At < "2026-11-22 15:00"`: true, `observations.CheckScore.when < now`: true, `observations.CheckScore.when >= "2026-11-22"`: true, `now >= "2026-11-22T14:30:00+01:00"`: true,
		`now > "soon"`: false, `now > 5`: false,
		// Lists and parts.
		`results.Name in ["Ann", "Bob"]`: true, `results.Name in ["Bob"]`: false, `results.Name not in ["Bob"]`: true, `results.Budget in [400, 500]`: true, `results.Tags contains "vip"`: true,
		`"new" in results.Tags`: true, `"old" in results.Tags`: false, `observations.CheckScore.tags contains "b"`: true, `results.Name contains "nn"`: true, `results.Name contains "x"`: false,
		`"a" in observations.CheckScore.tags`: true, `observations.CheckScore.tags not contains "z"`: true, `1 in []`: false, `digits contains 2`: true, `results.Name in [results.Name]`: true,
		// Set and not set.
		`results.Name is set`: true, `results.Empty is set`: false, `results.Empty is not set`: true, `results.Nope is not set`: true, `observations.CheckScore.none is set`: false,
		`observations.CheckScore.deep is set`: true, `observations.Nope.x is not set`: true, `digits is set`: true, `params["any name"] is set`: true, `now is set`: true,
		// Words of the session.
		`channel == "sip" and mode == "REGULAR"`: true, `digits == 12`: true, `digits == "12"`: true, `params.segment == "gold"`: true, `params._k == 1`: true, `results.Größe == 3`: true,
		// A code with a leading zero is no number.
		`results.Zip == 1010`: false, `results.Zip == "01010"`: true, `results.Zip > 5`: false,
		// Missing or of the wrong type: false, however it is asked.
		`results.Nope == ""`: false, `results.Nope != ""`: false, `results.Nope < 1`: false, `not results.Nope == 1`: true, `observations.CheckScore.text == 600`: false, `observations.CheckScore.text > 5`: false,
		`observations.CheckScore.score == "600"`: false, `observations.CheckScore.score != "600"`: false, `observations.CheckScore.note > 1`: false, `observations.CheckScore.score.deeper == 1`: false,
		`observations.CheckScore.tags[7] is set`: false, `observations.CheckScore.tags.x is set`: false, `observations.Broken.a is set`: false, `observations.CheckScore.deep == 1`: false, `channel > 1`: false,
		`results.Name`: false, `turns`: false, `observations.CheckScore.deep == observations.CheckScore.deep`: false, `"b" in "abc"`: true, `5 contains 5`: false,
		// How words bind.
		`true or false and false`: true, `(true or false) and false`: false, `not true or true`: true, `not (true or true)`: false, `not not true`: true, `true AND NOT false OR false`: true,
		`(results.Budget >= 500) == true`: true,
	} {
		c, err := ParseCondition(condition)
		require.NoError(t, err, condition)
		require.Equal(t, want, c.Eval(scene()), condition)
		require.Equal(t, condition, c.String())
	}
	var none *Condition
	require.True(t, none.Eval(Env{}))
	none, err := ParseCondition("  ")
	require.NoError(t, err)
	require.Nil(t, none)
}

func TestConditionsSayWhereAFaultIs(t *testing.T) {
	for text, want := range map[string]string{
		`results.A = 1`:                     `1:11: condition: write "==" in place of "="`,
		`a && b`:                            `1:1: condition: unknown name "a": a text stands in quotes, a result is results.a`,
		`true && true`:                      `1:6: condition: write "and" in place of "&&"`,
		`true || true`:                      `1:6: condition: write "or" in place of "||"`,
		`!true`:                             `1:1: condition: write "not" in place of "!"`,
		`result.A == 1`:                     `1:1: condition: unknown name "result", did you mean "results"?`,
		`len(results.A) > 1`:                `1:1: condition: a condition calls no functions`,
		`now() > 1`:                         `1:4: condition: a condition calls no functions`,
		`results.A.upper()`:                 `1:16: condition: a condition calls no functions`,
		`results.A.b == 1`:                  `1:1: condition: a conversation result has nothing below it: results.A`,
		`results == 1`:                      `1:1: condition: results needs a name, such as results.Name`,
		`channel.x == 1`:                    `1:8: condition: channel has nothing below it`,
		`results.A ==`:                      `1:13: condition: something is missing at the end`,
		`results.A == 1 results.B`:          `1:16: condition: "results" is not expected here`,
		`1 < turns < 3`:                     `1:11: condition: two comparisons in a row: join them with and`,
		`(true`:                             `1:1: condition: the bracket is not closed`,
		`[1, 2`:                             `1:1: condition: the bracket is not closed`,
		`true)`:                             `1:5: condition: ")" is not expected here`,
		`results.A == "x`:                   `1:14: condition: the quotation mark " is not closed`,
		`results.A is st`:                   `1:14: condition: after "is" comes "set" or "not set"`,
		`results.A == null`:                 `1:14: condition: write "is set" or "is not set"`,
		`turns > 1.2.3`:                     `1:9: condition: "1.2.3" is no number`,
		`turns > $5`:                        `1:9: condition: "$" means nothing here`,
		`and true`:                          `1:1: condition: "and" is not expected here`,
		`results.A not 5`:                   `1:15: condition: "5" is not expected here`,
		`results.[0]`:                       `1:9: condition: "[" is not expected here`,
		`observations.A[x]`:                 `1:16: condition: "x" is not expected here`,
		"true and\n  flase":                 `1:1: condition: unknown name "flase": a text stands in quotes, a result is results.flase`,
		strings.Repeat("x", MaxCondition+1): `1:1: condition has 501 characters; 500 are allowed`,
	} {
		_, err := ParseCondition(text)
		require.EqualError(t, err, "condition "+want, text)
		require.ErrorIs(t, err, fault.Invalid)
	}
}

func TestTheResultsAConditionAsksAbout(t *testing.T) {
	c, err := ParseCondition(`results.A is set and (results.B == 1 or not results.A == observations.results.C)`)
	require.NoError(t, err)
	require.Equal(t, []string{"A", "B"}, c.Results())
}

// Any condition of the grammar, in any scene, has an answer; and its opposite
// the other one.
func TestEvalIsTotal(t *testing.T) {
	operand := rapid.OneOf(
		rapid.SampledFrom([]string{"results.A", "results.B", "observations.T", "observations.T.x", "observations.T[0].y", "params.P", "channel", "mode", "turns", "digits", "now", "true", "false", "[]", `["a", 1]`, "[results.A, [1]]", `""`, `"2026-01-01"`, "-1", "0.5", "99999999999999999999999"}),
		rapid.Map(rapid.StringMatching(`[a-zA-Z0-9 \[\]{}:-]{0,12}`), func(s string) string { return `"` + s + `"` }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) string { return fmt.Sprintf("%.3f", f) }),
	)
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"5", "-5", "05", "1e999", "true", "[1]", "[", "2026-01-01", "null", `{"a":1}`}))
	raw := rapid.Map(rapid.OneOf(rapid.SampledFrom([]string{"null", "1", "1e999", "-0", `"x"`, `{"x":[1,{"y":2}]}`, `[{"y":1}]`, "[[[[1]]]]", "{", "", "tru", `{"x":"2026-01-01"}`}), rapid.String()), func(s string) json.RawMessage { return json.RawMessage(s) })
	rapid.Check(t, func(t *rapid.T) {
		var write func(depth int) string
		write = func(depth int) string {
			a := operand.Draw(t, "a")
			if depth == 0 {
				return a
			}
			switch rapid.IntRange(0, 4).Draw(t, "form") {
			case 0:
				return "not " + write(depth-1)
			case 1:
				return "(" + write(depth-1) + " and " + write(depth-1) + ")"
			case 2:
				return "(" + write(depth-1) + " or " + write(depth-1) + ")"
			case 3:
				return a + " is set"
			}
			return "(" + a + rapid.SampledFrom([]string{" == ", " != ", " < ", " <= ", " > ", " >= ", " in ", " contains ", " not in "}).Draw(t, "op") + operand.Draw(t, "b") + ")"
		}
		c, err := ParseCondition(write(3))
		if err != nil {
			if strings.Contains(err.Error(), "characters") {
				return
			}
			t.Fatal(err)
		}
		e := Env{
			Results: map[string]string{"A": text.Draw(t, "A"), "B": text.Draw(t, "B")}, Observations: map[string]json.RawMessage{"T": raw.Draw(t, "T")},
			Params: map[string]json.RawMessage{"P": raw.Draw(t, "P")}, Channel: text.Draw(t, "channel"), Digits: text.Draw(t, "digits"), Turns: rapid.Int().Draw(t, "turns"),
			Now: time.Unix(rapid.Int64Range(-math.MaxInt32, math.MaxInt32).Draw(t, "now"), 0),
		}
		got := c.Eval(e)
		opposite, err := ParseCondition("not (" + c.String() + ")")
		if err == nil && opposite.Eval(e) == got {
			t.Fatalf("%s and its opposite are both %v", c, got)
		}
		if c.Eval(e) != got {
			t.Fatal("two answers")
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{
		`observations.CheckScore.score >= 600 and results.HumanEmail is set`, `not (a.b[0]["x"] in [1, "y"])`, `results.A.0.1 == -5.`, `((((`, `"\`, `now() < 1`, "results.\u00e4 contains 'x'", `observations.T.0.`, `[[[]]]`,
	} {
		f.Add(s)
	}
	e := scene()
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCondition(s)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "condition ") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		c.Eval(e)
		c.Eval(Env{})
		c.Results()
	})
}

func BenchmarkEval(b *testing.B) {
	c, err := ParseCondition(`observations.CheckScore.score >= 600 and results.Name is set and channel in ["sip", "web"]`)
	if err != nil {
		b.Fatal(err)
	}
	e := scene()
	for b.Loop() {
		if !c.Eval(e) {
			b.Fatal("false")
		}
	}
}
