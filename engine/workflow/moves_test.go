package workflow

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const loan = `- name: Talk
  init_state: true
  available_tools: [SendChatMessage, CheckScore, CheckScoer]
  init_skills:
    - {object_name: LoadCustomer, parameters: {id: 7, code: "7", deep: [true, x]}}
  final_skills: Bye
  transitions:
    - name: to_offer
      condition: observations.CheckScore.score >= 600 and results.HumanEmail is set
      next_state: Offer
      description: the human asks for an offer
    - {name: account, next_state: Account, description: the human asks for the balance}
    - {trigger: tool_result, tool: CheckScore, condition: observations.CheckScore.score < 300, next_state: END}
    - {trigger: tool_result, tool: CheckScore, next_state: Offer}
    - {trigger: timer, after: 120, condition: turns > 0, next_state: Remind}
    - {trigger: timer, after: 300, next_state: END}
- name: Offer
  transitions:
    - {trigger: state_entered, condition: results.Budget is not set, next_state: Talk}
    - {trigger: results_updated, condition: results.Agreed == true, next_state: END}
    - {trigger: results_updated, condition: digits == 0, next_state: Help, from_any: true}
    - {name: help, next_state: Help, description: the human needs help, from_any: true, condition: mode != "OPERATOR"}
- name: Remind
- name: Help
- name: Account
  verified: true
  available_tools:
    SingleStatefulOutboundAgent: GetBalance
`

func flow(t *testing.T, text string) *Flow {
	f, warnings, err := Parse([]byte(text))
	require.NoError(t, err)
	require.Empty(t, warnings)
	return f
}

func score(n string) map[string]json.RawMessage {
	return map[string]json.RawMessage{"CheckScore": json.RawMessage(`{"score":` + n + `}`)}
}

func TestOnlyMovesWhoseConditionHoldsAreOffered(t *testing.T) {
	f := flow(t, loan)
	names := func(e Env) (out []string) {
		for _, m := range f.Offered("Talk", e) {
			out = append(out, m.Tool)
		}
		return out
	}
	require.Len(t, f.Moves("Talk"), 3)
	require.Empty(t, names(Env{}), "nothing is known, and nobody is verified")
	require.Equal(t, []string{"help"}, names(Env{Mode: "REGULAR"}))
	full := Env{Mode: "REGULAR", Observations: score("600"), Results: map[string]string{"HumanEmail": "a@b.example"}, Verified: true}
	require.Equal(t, []string{"to_offer", "account", "help"}, names(full))
	full.Observations = score("599")
	require.Equal(t, []string{"account", "help"}, names(full))
	full.Verified = false
	require.Equal(t, []string{"help"}, names(full), "a state for verified customers is closed to others")
	require.Nil(t, (*Flow)(nil).Offered("x", full))
}

func TestTheFirstAutomaticMoveWhoseConditionHoldsIsMade(t *testing.T) {
	f := flow(t, loan)
	for name, c := range map[string]struct {
		state   string
		trigger Trigger
		tool    string
		env     Env
		want    string
	}{
		"a low score":                  {"Talk", ToolResult, "CheckScore", Env{Observations: score("1")}, End},
		"another score":                {"Talk", ToolResult, "CheckScore", Env{Observations: score("500")}, "Offer"},
		"another tool":                 {"Talk", ToolResult, "Other", Env{}, ""},
		"no tool has answered":         {"Talk", ToolResult, "", Env{}, ""},
		"entered without a budget":     {"Offer", EnteredState, "", Env{}, "Talk"},
		"entered with one":             {"Offer", EnteredState, "", Env{Results: map[string]string{"Budget": "1"}}, ""},
		"a result that was hoped for":  {"Offer", ResultsUpdated, "", Env{Results: map[string]string{"Agreed": "true"}}, End},
		"valid in every state":         {"Remind", ResultsUpdated, "", Env{Digits: "0"}, "Help"},
		"but not to where one is":      {"Help", ResultsUpdated, "", Env{Digits: "0"}, ""},
		"too early for the timer":      {"Talk", Timer, "", Env{Turns: 1, Idle: 119 * time.Second}, ""},
		"in time":                      {"Talk", Timer, "", Env{Turns: 1, Idle: 120 * time.Second}, "Remind"},
		"in time, but nobody spoke":    {"Talk", Timer, "", Env{Idle: 299 * time.Second}, ""},
		"the later timer":              {"Talk", Timer, "", Env{Idle: 300 * time.Second}, End},
		"what the model chooses is no": {"Talk", CustomerInput, "", Env{Observations: score("900"), Results: map[string]string{"HumanEmail": "a"}}, ""},
		"no such state":                {"Nowhere", Timer, "", Env{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := f.Automatic(c.state, c.trigger, c.tool, c.env)
			require.Equal(t, c.want != "", ok)
			require.Equal(t, c.want, m.Next)
		})
	}
	require.Equal(t, []time.Duration{2 * time.Minute, 5 * time.Minute}, f.Timers("Talk"))
	require.Empty(t, f.Timers("Offer"))
	_, ok := (*Flow)(nil).Automatic("x", Timer, "", Env{})
	require.False(t, ok)
}

func TestSkillsCarryParameters(t *testing.T) {
	s, _ := flow(t, loan).State("Talk")
	require.Equal(t, []Skill{{Name: "LoadCustomer", Parameters: json.RawMessage(`{"id":7,"code":"7","deep":[true,"x"]}`)}}, s.Enter)
	require.Equal(t, []Skill{{Name: "Bye"}}, s.Exit)
}

func TestCheckNamesWhatNobodyOffers(t *testing.T) {
	f := flow(t, loan)
	var got []string
	for _, n := range f.Check([]string{"CheckScore"}) {
		got = append(got, n.String())
	}
	const format = ": neither a system tool nor one of this agent's tool groups, MCP servers and OpenAPI documents"
	require.Equal(t, []string{
		`3:50: there is no tool "CheckScoer"` + format + `, did you mean "CheckScore"?`,
		`28:34: there is no tool "GetBalance"` + format,
	}, got)
	require.Empty(t, f.Check([]string{"CheckScore", "CheckScoer", "GetBalance"}))
	require.Equal(t, "5:21: there is no skill \"LoadCustomer\" in this agent's tool groups", f.CheckSkills([]string{"Bye"})[0].String())
	require.Equal(t, `9:18: the condition asks about results.HumanEmail, which is no conversation result of this agent`, f.CheckResults([]string{"Budget", "Agreed"})[0].String())
	require.Empty(t, (*Flow)(nil).Check(nil))
}

// The fragments of the documentation, indented as YAML must be.
func TestTheDocumentsWorkflowIsRead(t *testing.T) {
	f := flow(t, `- process_name: SalesProcess
  name: SalesSupport
  kind: StateConfig
  init_state: true
  description: |
    - Answer questions about products
    - Collect contact info
    - Offer call scheduling if the customer is interested
    - Use FAQ and Knowledge Base when relevant
  available_tools:
    SingleStatefulOutboundAgent:
      - SendChatMessage
      - FinishSession
`)
	require.Equal(t, "SalesSupport", f.Start())
	require.Empty(t, f.Check(nil))

	_, _, err := Parse([]byte("agent:\n  name: Sales Assistant\n  workflow:\n    init_state: true\n    steps:\n      - name: greet\n"))
	require.EqualError(t, err, "workflow 1:1: the workflow must be a list, this is a mapping", "the primer shows syntax, not a schema")
}
