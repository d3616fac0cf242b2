package guard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/workflow/located"
)

func read(t *testing.T, text string) ([]Rule, *located.Report) {
	t.Helper()
	r := located.NewReport("guardrails")
	return Read(located.Parse([]byte(text), r), r), r
}

func TestReadTakesTheRuleOfTheSpecification(t *testing.T) {
	rules, r := read(t, `
- name: no_advice
  kind: GuardrailConfig
  applies_to: output
  check: topics
  values: [investment advice, legal advice]
  action: replace
  message: I cannot advise on that.
- name: orders
  applies_to: tool
  check: prompt_injection
  action: confirm
`)
	require.NoError(t, r.Err())
	require.Empty(t, r.Warnings())
	require.Equal(t, []Rule{
		{Name: "no_advice", On: Output, Check: Topics, Values: []string{"investment advice", "legal advice"}, Action: Replace, Message: "I cannot advise on that."},
		{Name: "orders", On: Tool, Check: PromptInjection, Action: Confirm},
	}, rules)
	s, err := New(rules, Options{})
	require.NoError(t, err)
	v := s.Check(Output, "Sure. My legal advice is to wait.", Scene{})
	require.Equal(t, Replace, v.Action)
	require.Equal(t, "I cannot advise on that.", v.Text)
}

func TestReadSaysWhereAFaultIs(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no list":                {"a: b", "guardrails 1:1: guardrails must be a list, this is a mapping"},
		"no name":                {"- check: pii", "guardrails 1:3: a guardrail needs a name"},
		"no check":               {"- name: a", `guardrails 1:3: guardrail "a" needs a check`},
		"unknown check":          {"- name: a\n  check: topic\n  values: [x]", `guardrails 2:10: check must be one of topics, regex, pii, secrets, prompt_injection, grounding, language, max_length, llm, this is "topic", did you mean "topics"?`},
		"unknown action":         {"- name: a\n  check: pii\n  action: stop", `guardrails 3:11: action must be one of block, redact, replace, handoff, flag, confirm, this is "stop"`},
		"twice":                  {"- name: a\n  check: pii\n- name: a\n  check: pii", `guardrails 3:9: guardrail "a" exists already`},
		"another kind":           {"- name: a\n  kind: StateConfig\n  check: pii", `guardrails 2:9: kind must be GuardrailConfig, this is "StateConfig"`},
		"confirm without a call": {"- name: a\n  check: pii\n  action: confirm", "guardrails 3:11: confirm is for applies_to: tool; only a call can wait for the human's yes"},
		"replace by nothing":     {"- name: a\n  check: pii\n  action: replace", "guardrails 3:11: replace needs a message that is said instead"},
		"a subject taken out":    {"- name: a\n  check: topics\n  values: [x]\n  action: redact", "guardrails 4:11: topics cannot be redacted: the hit is a whole sentence; use replace or block"},
		"orders of the agent":    {"- name: a\n  check: prompt_injection", "guardrails 1:3: prompt_injection looks at input and tool, not at the agent's own words"},
		"bad expression":         {"- name: a\n  check: regex\n  values:\n    - 'ok'\n    - '(a'", "guardrails 5:7: expression \"(a\": missing closing ): `(a`: invalid"},
		"matches everything":     {"- name: a\n  check: regex\n  values: ['x*']", `guardrails 3:12: expression "x*" matches an empty text and so everything: invalid`},
		"grows beyond measure":   {"- name: a\n  check: regex\n  values: ['((a{1,100}){1,100}){1,10}b']", "invalid"},
		"no number":              {"- name: a\n  check: max_length\n  values: [many]", `guardrails 3:12: max_length needs one number of characters, this is "many"`},
		"no values":              {"- name: a\n  check: llm", "guardrails 1:3: llm needs values"},
		"unknown data":           {"- name: a\n  check: pii\n  values: [emial]", `guardrails 3:12: value must be one of card, iban, id, email, phone, this is "emial"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := read(t, c.text)
			require.ErrorIs(t, r.Err(), fault.Invalid)
			require.Contains(t, r.Err().Error(), c.want)
		})
	}
}

func TestUnknownKeysAreWarnings(t *testing.T) {
	_, r := read(t, "- name: a\n  check: pii\n  actoin: block\n")
	require.NoError(t, r.Err())
	require.Len(t, r.Warnings(), 1)
	require.Contains(t, r.Warnings()[0].String(), `3:3: unknown key "actoin"`)
}

func TestNewRefusesWhatReadWould(t *testing.T) {
	for _, r := range []Rule{{Name: "a", Check: "odd"}, {Name: "a", Check: Regex, Values: []string{"("}}, {Name: "a", Check: MaxLength}} {
		_, err := New([]Rule{r}, Options{})
		require.ErrorIs(t, err, fault.Invalid)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("- name: a\n  check: regex\n  values: ['a{2,3}b|c+$']\n  action: redact\n")
	f.Add("- name: a\n  check: topics\n  values: [legal advice]\n  action: replace\n  message: no\n")
	f.Add("- {name: x, check: max_length, values: [3]}\n")
	words := lexis.New()
	f.Fuzz(func(t *testing.T, text string) {
		r := located.NewReport("guardrails")
		rules := Read(located.Parse([]byte(text), r), r)
		if r.Err() != nil {
			return
		}
		s, err := New(rules, Options{Lexicon: words})
		if err != nil {
			t.Fatalf("read accepts what New refuses: %v", err)
		}
		s.Check(Output, text, Scene{})
		st := s.Stream(Scene{})
		for _, p := range strings.SplitAfter(text, " ") {
			st.Push(p)
		}
		st.Close()
	})
}
