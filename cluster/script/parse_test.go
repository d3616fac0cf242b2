package script

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	s, notes, err := Parse([]byte(`# a comment
- expect:
    says: Hello
- human: I want a call.
  expect:
    says: [thank you, tomorrow]
    says_not:
      - sorry
    calls:
      - PostLeadToCRM
      - name: Rest
        args: {n: 1, of: ~}
        refused: true
    state: Contact
    results:
      HumanFullName: John
      Topics: [a, "b \"c\""]
      Budget: ~
- human: Bye
  expect: {calls: []}
- human: Nothing is expected of this.
`))
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Equal(t, []Step{
		{Line: 2, Expect: Expect{Says: []Text{{3, "Hello"}}}},
		{Line: 4, Human: "I want a call.", Expect: Expect{
			Says:    []Text{{6, "thank you"}, {6, "tomorrow"}},
			SaysNot: []Text{{8, "sorry"}},
			Calls: &Calls{Line: 10, List: []CallWanted{
				{Line: 10, Name: "PostLeadToCRM"},
				{Line: 11, Name: "Rest", Args: []Expected{{12, "n", "1"}, {12, "of", ""}}, Refused: true},
			}},
			State:   Text{14, "Contact"},
			Results: []Expected{{16, "HumanFullName", "John"}, {17, "Topics", `["a","b \"c\""]`}, {18, "Budget", ""}},
		}},
		{Line: 19, Human: "Bye", Expect: Expect{Calls: &Calls{Line: 20}}},
		{Line: 21, Human: "Nothing is expected of this."},
	}, s.Steps)
}

// What is misspelt or checks nothing must not pass silently.
func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                     {"", "script 1:1: the script is empty: it needs at least one step, such as - human: Hello"},
		"an empty list":               {"[]", "script 1:1: the script is empty: it needs at least one step, such as - human: Hello"},
		"no list":                     {"human: hello", "script 1:1: a script must be a list of steps, this is a mapping"},
		"a text for a step":           {"- hello", `script 1:3: a step must be a mapping, this is "hello"`},
		"nothing for a step":          {"- human: a\n-\n", "script 2:3: a step must be a mapping, this is nothing"},
		"a misspelt expectation":      {"- human: hi\n  expect: {say: [x]}", `script 2:12: unknown key "say" in expect, did you mean "says"?; there are says, says_not, calls, state, results`},
		"a misspelt step":             {"- humn: hi", `script 1:3: unknown key "humn" in a step, did you mean "human"?; there are human, expect` + "\nscript 1:3: the step neither says nor expects anything"},
		"an empty expect":             {"- human: hi\n  expect: {}", "script 2:11: expect is empty: it checks nothing"},
		"expect without a value":      {"- human: hi\n  expect:\n", "script 2:11: expect must be a mapping, this is nothing"},
		"empty says":                  {"- human: hi\n  expect: {says: []}", "script 2:18: says is empty: it checks nothing"},
		"an empty text in says":       {"- human: hi\n  expect: {says: [' ']}", "script 2:19: says is empty"},
		"calls without a value":       {"- human: hi\n  expect:\n    calls:\n", "script 3:12: calls is empty: write [] where no call may happen"},
		"a call without a name":       {"- human: hi\n  expect: {calls: [{args: {a: 1}}]}", "script 2:20: a call needs a name"},
		"an unknown key of a call":    {"- human: hi\n  expect: {calls: [{name: A, arg: {a: 1}}]}", `script 2:30: unknown key "arg" in a call, did you mean "args"?; there are name, args, refused, failed`},
		"a call refused and failed":   {"- human: hi\n  expect: {calls: [{name: A, refused: true, failed: true}]}", "script 2:20: a call that is refused is not carried out: it cannot fail as well"},
		"an empty state":              {"- human: hi\n  expect: {state: ''}", "script 2:19: state is empty"},
		"empty results":               {"- human: hi\n  expect: {results: {}}", "script 2:21: results is empty: it checks nothing"},
		"results as a list":           {"- human: hi\n  expect: {results: [a]}", "script 2:21: results must be a mapping from name to value, this is a list"},
		"a mapping as a result":       {"- human: hi\n  expect: {results: {a: {b: c}}}", "script 2:25: a must be a text or a list of texts, this is a mapping"},
		"a contradiction":             {"- human: hi\n  expect: {says: [Yes  please], says_not: [yes please]}", `script 2:1: "yes please" stands in says and in says_not`},
		"a greeting in the middle":    {"- human: hi\n- expect: {says: [x]}", "script 2:3: the step says nothing: it needs human; only the first step may do without, it looks at the greeting"},
		"an empty line of the human":  {"- human: ' '", "script 1:10: human is empty"},
		"a key twice":                 {"- human: a\n  human: b", `script 2:3: mapping key "human" already defined at [1:3]`},
		"more steps than are allowed": {strings.Repeat("- human: a\n", MaxSteps+1), "script 1001:3: more than 1000 steps"},
		"a file that is too large":    {strings.Repeat("#", MaxBytes+1), "script 1:1: a script has at most 1024 KB, this one has 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := Parse([]byte(c.text))
			require.Nil(t, s)
			require.EqualError(t, err, c.want)
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
}

// What is wrong with the YAML itself is told by its reader, with its place.
func TestParseLocatesWhatIsNoYAML(t *testing.T) {
	_, _, err := Parse([]byte("- human: hi\n  expect:\n\t  state: A"))
	require.ErrorContains(t, err, "script 3:1: ")
	require.ErrorIs(t, err, fault.Invalid)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"- human: a\n  expect: {says: [b], says_not: [c], calls: [], state: D, results: {e: f}}",
		"- expect: {calls: [A, {name: B, args: {c: [1]}, refused: yes}]}", "- human: |\n    a\n    b", "-", "[{}]", "- &a {human: x}\n- *a", "- human: x\n  expect: {says: {a: b}}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, err := Parse(b)
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		require.NotEmpty(t, s.Steps)
		for i, step := range s.Steps {
			require.True(t, step.Human != "" || i == 0, "only a greeting comes without a line")
			require.Positive(t, step.Line)
			// Whatever was read can be judged, and told on one line.
			for _, turn := range []Turn{{}, {Trace: &Trace{}, Results: map[string]string{}}, {Says: []string{"x"}, Calls: []Call{{Name: "A"}}, Trace: &Trace{}}} {
				if u := step.Expect.check(turn); u != nil {
					require.NotContains(t, u.Error(), "\n")
				}
			}
		}
	})
}
