package workflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

const sales = `- process_name: SalesProcess
  name: SalesSupport
  kind: StateConfig
  init_state: true
  description: |
    - Answer questions about products
    - Collect contact info
  available_tools:
    SingleStatefulOutboundAgent:
      - SendChatMessage
      - FinishSession
    Other: [FinishSession, CheckScore]
  init_skills: [LoadCustomer, {object_name: Greet}]
  state_scenarios:
    - next_state: Offer
      transition_name: to offer!
      description: the human wants an offer
    - {next_state: END, transition_name: FinishSession, description: the human leaves}
- name: Offer
  available_tools: [SendChatMessage]
  sensitive: true
  transitions:
    - name: again
      trigger: customer_input
      next_state: SalesSupport
      description: the human hesitates
    - {name: scored, trigger: tool_result, tool: CheckScore, next_state: END, condition: observations.CheckScore.score > 5}
    - {name: late, trigger: timer, after: 120, next_state: END}
    - {name: help, next_state: Help, description: the human needs help, from_any: true}
- name: Help
`

func TestParseReadsAWorkflow(t *testing.T) {
	f, warnings, err := Parse([]byte(sales))
	require.NoError(t, err)
	require.Equal(t, "SalesSupport", f.Init)
	require.Equal(t, "SalesSupport", f.Start())
	require.Len(t, f.States, 3)
	s, ok := f.State("SalesSupport")
	require.True(t, ok)
	require.Equal(t, "SalesProcess", s.Process)
	require.Equal(t, "- Answer questions about products\n- Collect contact info", s.Description)
	require.Equal(t, []string{"SendChatMessage", "FinishSession", "CheckScore"}, s.Tools, "classes are united")
	require.Equal(t, []Skill{{Name: "LoadCustomer"}, {Name: "Greet"}}, s.Enter)
	offer, _ := f.State("Offer")
	require.True(t, offer.Sensitive)
	require.Equal(t, 2*time.Minute, offer.Transitions[2].After)
	require.Equal(t, "observations.CheckScore.score > 5", offer.Transitions[1].Condition)
	require.Len(t, offer.Transitions, 4)
	require.Equal(t, offer.Transitions[1].Condition, offer.Transitions[1].When.String())
	require.Equal(t, []string{"- Answer questions about products\n- Collect contact info", "the human wants an offer", "the human leaves", "the human hesitates", "the human needs help"}, f.Texts())

	require.Empty(t, warnings)
	require.Equal(t, []string{"SendChatMessage", "FinishSession", "CheckScore"}, f.Tools())
	require.Equal(t, []string{"LoadCustomer", "Greet"}, f.Skills())
}

func TestMovesAreWhatTheModelMayChoose(t *testing.T) {
	f, _, err := Parse([]byte(sales))
	require.NoError(t, err)
	names := func(state string) (out []string) {
		for _, m := range f.Moves(state) {
			out = append(out, m.Tool+"→"+m.Next)
		}
		return out
	}
	require.Equal(t, []string{"to_offer→Offer", "move_FinishSession→END", "help→Help"}, names("SalesSupport"))
	require.Equal(t, []string{"again→SalesSupport", "help→Help"}, names("Offer"))
	require.Empty(t, names("Help"), "no move leads to where one is")
	require.Empty(t, names("Nowhere"))
	require.Empty(t, names(End))
}

func TestNamesOfMovesAreIdentifiersOfTheirOwn(t *testing.T) {
	for name, want := range map[string]string{
		"to_offer": "to_offer", "to offer": "to_offer", " ä ": "move", "": "move", "FinishSession": "move_FinishSession", "2nd": "move_2nd", "-x": "move_-x",
		"перейти к оплате": "move", strings.Repeat("x", 99): strings.Repeat("x", 64),
	} {
		require.Equal(t, want, identifier(name), name)
	}
	moves := named([]Move{{Name: "a b"}, {Name: "a-b"}, {Name: "a_b"}, {Name: "ä"}, {Name: "ö"}, {Name: strings.Repeat("x", 99)}, {Name: strings.Repeat("x", 98)}})
	var got []string
	for _, m := range moves {
		got = append(got, m.Tool)
		require.LessOrEqual(t, len(m.Tool), 64)
	}
	require.Equal(t, []string{"a_b", "a-b", "a_b_2", "move", "move_2", strings.Repeat("x", 64), strings.Repeat("x", 60) + "_2"}, got)
}

func TestParseTellsEveryFaultAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no first state":       {"- name: A\n- name: B\n", []string{"workflow 1:1: one state must have init_state: true"}},
		"two first states":     {"- {name: A, init_state: true}\n- name: B\n  init_state: true\n", []string{"workflow 3:15: only one state may have init_state: true; the first stands on line 1"}},
		"a name twice":         {"- {name: A, init_state: true}\n- name: A\n", []string{`workflow 2:9: state "A" exists already on line 1`}},
		"no such state":        {"- name: Offer\n  init_state: true\n  state_scenarios:\n    - next_state: Ofer\n      transition_name: x\n      description: y\n", []string{`workflow 4:19: there is no state "Ofer", did you mean "Offer"?`}},
		"no name":              {"- init_state: true\n", []string{"workflow 1:3: a state needs a name"}},
		"END as a name":        {"- {name: END, init_state: true}\n", []string{"workflow 1:10: END is the end of a conversation and cannot be a state's name"}},
		"not a list":           {"name: A\n", []string{"workflow 1:1: the workflow must be a list, this is a mapping"}},
		"not a state":          {"- A\n- {name: B, init_state: true}\n", []string{`workflow 1:3: a state must be a mapping, this is "A"`}},
		"wrong kind":           {"- {name: A, init_state: true, kind: Tool}\n", []string{`workflow 1:37: kind must be StateConfig, this is "Tool"`}},
		"no target":            {"- name: A\n  init_state: true\n  transitions: [{name: x, description: y}]\n", []string{"workflow 3:17: a transition needs a next_state"}},
		"no description":       {"- name: A\n  init_state: true\n  transitions: [{name: x, next_state: END}]\n", []string{"workflow 3:17: a transition on customer_input needs a description: the model chooses by it"}},
		"unknown trigger":      {"- name: A\n  init_state: true\n  transitions: [{trigger: timr, next_state: END, description: x}]\n", []string{`workflow 3:27: trigger must be one of customer_input, tool_result, state_entered, results_updated, timer, this is no trigger: "timr", did you mean "timer"?`}},
		"timer without time":   {"- name: A\n  init_state: true\n  transitions: [{trigger: timer, next_state: END}]\n", []string{"workflow 3:17: a transition on timer needs after: the seconds without input"}},
		"tool_result, no tool": {"- name: A\n  init_state: true\n  transitions: [{trigger: tool_result, next_state: END}]\n", []string{"workflow 3:17: a transition on tool_result needs a tool"}},
		"a tab":                {"- name: A\n\tinit_state: true\n", []string{"workflow 2:1: a tab stands here: YAML is indented with blanks, two a level"}},
		"broken condition":     {"- name: A\n  init_state: true\n  transitions: [{trigger: results_updated, next_state: END, condition: 'results.X === 1'}]\n", []string{`workflow 3:85: condition: write "==" in place of "="`}},
		"long condition":       {"- name: A\n  init_state: true\n  transitions: [{trigger: results_updated, next_state: END, condition: " + strings.Repeat("x", 501) + "}]\n", []string{"workflow 3:72: condition has 501 characters; 500 are allowed"}},
		"condition in a block": {"- name: A\n  init_state: true\n  transitions:\n    - trigger: results_updated\n      next_state: END\n      condition: |\n        results.A is set and\n          results.B is nott set\n", []string{`workflow 8:24: condition: after "is" comes "set" or "not set"`}},
		"skill without a name": {"- name: A\n  init_state: true\n  init_skills: [{parameters: {a: 1}}]\n", []string{"workflow 3:17: init_skills: a skill needs an object_name"}},
		"parameters, a list":   {"- name: A\n  init_state: true\n  final_skills: [{object_name: B, parameters: [1]}]\n", []string{"workflow 3:47: parameters must be a mapping, this is a list"}},
		"broken YAML":          {"- name: 'A\n", []string{"workflow 1:9: could not find end character of single-quoted text"}},
		"several at once": {"- name: A\n  init_state: perhaps\n  state_scenarios: [{next_state: B}, {}]\n- name: A\n", []string{
			"workflow 1:1: one state must have init_state: true",
			`workflow 2:15: init_state must be true or false, this is "perhaps"`,
			`workflow 3:34: there is no state "B", did you mean "A"?`,
			"workflow 3:38: a state scenario needs a next_state",
			`workflow 4:9: state "A" exists already on line 1`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse([]byte(c.text))
			require.EqualError(t, err, strings.Join(c.want, "\n"))
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
}

func TestLimitsOfAWorkflow(t *testing.T) {
	states := func(n int) string {
		var b strings.Builder
		b.WriteString("- {name: S0, init_state: true}\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "- name: S%d\n", i)
		}
		return b.String()
	}
	f, _, err := Parse([]byte(states(MaxStates)))
	require.NoError(t, err)
	require.Len(t, f.States, MaxStates)
	_, _, err = Parse([]byte(states(MaxStates + 1)))
	require.EqualError(t, err, "workflow 101:3: more than 100 states")
	_, _, err = Parse([]byte("- {name: A, init_state: true}\n#" + strings.Repeat("x", MaxBytes)))
	require.ErrorContains(t, err, "a workflow has at most 64 KB")
	tools := strings.TrimSuffix(strings.Repeat("T%d,", MaxStateTools+1), ",")
	for i := range MaxStateTools + 1 {
		tools = strings.Replace(tools, "%d", fmt.Sprint(i), 1)
	}
	_, _, err = Parse([]byte("- name: A\n  init_state: true\n  available_tools: [" + tools + "]\n"))
	require.EqualError(t, err, "workflow 3:20: a state has at most 50 tools, this one has 51")
}

func TestUnknownKeysAreWarnings(t *testing.T) {
	_, warnings, err := Parse([]byte("- name: A\n  init_state: true\n  desciption: x\n  colour: red\n"))
	require.NoError(t, err)
	require.Len(t, warnings, 2)
	require.Equal(t, `3:3: unknown key "desciption" in a state is ignored, did you mean "description"?`, warnings[0].String())
	require.Equal(t, `4:3: unknown key "colour" in a state is ignored`, warnings[1].String())
}

func TestNoWorkflowIsAFlowWithoutStates(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "[]", "~"} {
		f, _, err := Parse([]byte(text))
		require.NoError(t, err, text)
		require.Nil(t, f, text)
	}
	var f *Flow
	require.Empty(t, f.Start())
	require.Empty(t, f.Moves("x"))
	require.Empty(t, f.Texts())
	_, ok := f.State("x")
	require.False(t, ok)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sales))
	for _, s := range []string{"- {name: A, init_state: true}", "- name: &a A\n  init_state: yes\n  transitions: [{next_state: *a, description: d}]", "[]", "- ", "- name:", "- {transitions: [[]]}", "- {available_tools: {a: {b: c}}}", "- {init_skills: [{object_name: [x]}]}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		flow, _, err := Parse(b)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "workflow ") {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		if flow == nil {
			return
		}
		if _, ok := flow.State(flow.Init); !ok {
			t.Fatalf("%q begins in the state %q, which is not there", b, flow.Init)
		}
		for _, s := range flow.States {
			for _, m := range flow.Moves(s.Name) {
				if _, ok := flow.State(m.Next); !ok && m.Next != End {
					t.Fatalf("%q leads to the state %q, which is not there", b, m.Next)
				}
			}
		}
	})
}
