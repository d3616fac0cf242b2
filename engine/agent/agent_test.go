package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/turn"
)

const full = `name: Bank
alias: bank
type: Inbound Voice
identity: You are Alex.
speech_style: Clear.
task: Explain.
welcome_message: Hello!
workflow: |
  - name: Talk
    init_state: true
    description: Talk about cards.
conversation_result: |
  - field_name: HumanFullName
    kind: FormInfoField
  - field_name: Budget
    field_description: how much
    field_type: Literal['500', '1000']  # a fixed set
knowledge:
  core: We have cards.
  faqs:
    - question: How much?
      answer: Nothing.
  texts:
    - title: Cards
      text: |
        One.
        Two.
models:
  llm:
    provider: openai_compatible
    base_url: https://llm.example.com/v1
    model: large
    key_env: LLM_KEY
    fallback: {provider: builtin}
  stt: pocketsphinx
env:
  HISTORY_MAX_MESSAGES: 10
  LLM_TIMEOUT_MS: 1500
  LLM_TEMPERATURE: 0.7
  START_PHRASE_APPENDIX: How can I help?
  ENABLE_FILLER_PHRASES: True
  VOICE_RECORD: "true"
  VOICE_RECORD_NOTICE: This call is recorded.
  VOICE_EOT_MS: 400
  VOICE_LANGUAGE: en
limits:
  open_sessions: 3
  daily: 100
`

func TestCompileReadsAWholeFile(t *testing.T) {
	r, warnings, err := Compile("a1", 7, []byte(full))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, "a1", r.Agent)
	require.Equal(t, uint64(7), r.Number)
	s := r.Spec
	require.Equal(t, "bank", s.Alias)
	require.Equal(t, InboundVoice, s.Type)
	require.Equal(t, "Talk", r.Flow.Start())
	require.Equal(t, []Field{
		{Name: "HumanFullName", Title: "Full name", Description: "The full name of the human", Type: Str},
		{Name: "Budget", Description: "how much", Type: Literal, Options: []string{"500", "1000"}},
	}, s.Results)
	require.Equal(t, Model{
		Provider: "openai_compatible", BaseURL: "https://llm.example.com/v1", Model: "large", KeyEnv: "LLM_KEY",
		Fallback: []Model{{Provider: "builtin"}},
	}, s.LLM)
	require.Equal(t, Model{Provider: "pocketsphinx"}, s.STT)
	require.Equal(t, Limits{OpenSessions: 3, Daily: 100}, s.Limits)
	require.Equal(t, 10, r.Settings.History)
	require.Equal(t, 1500*time.Millisecond, r.Settings.ModelTimeout)
	require.InDelta(t, 0.7, r.Settings.Temperature, 0)
	require.True(t, r.Settings.Fillers)
	require.True(t, r.Settings.Record)
	require.Equal(t, []event.Pair{{Key: "LLM_TIMEOUT_MS", Value: "1500"}, {Key: "ENABLE_FILLER_PHRASES", Value: "True"}, {Key: "VOICE_EOT_MS", Value: "400"}, {Key: "VOICE_LANGUAGE", Value: "en"}}, r.Settings.Voice, "for the turn machine")
	c := turn.Default()
	for _, p := range r.Settings.Voice {
		require.NoError(t, c.Set(p.Key, p.Value))
	}
	require.Equal(t, "en", r.Settings.Language)
	require.Len(t, s.Env, 9)
	require.Equal(t, "Hello! How can I help?", r.Greeting())
	require.Equal(t, "This call is recorded. Hello! How can I help?", r.SpokenGreeting())
	require.Equal(t, []knowledge.Source{
		{ID: "core", Kind: knowledge.Core, Title: "Core", Text: "We have cards."},
		{ID: "faq/1", Kind: knowledge.FAQ, Question: "How much?", Text: "Nothing."},
		{ID: "text/1", Kind: knowledge.Text, Title: "Cards", Text: "One.\nTwo."},
	}, s.Sources())

	h := r.Hints()
	require.Equal(t, "a1@7", h.Key)
	for _, text := range []string{"Bank", "Hello! How can I help?", "We have cards.", "How much?", "Nothing.", "Cards", "One.\nTwo.", "Talk about cards.", "Full name", "500"} {
		require.Contains(t, h.Texts, text)
	}
	require.Len(t, h.Fields, 2)
	again, _, err := Compile("a1", 7, []byte(full))
	require.NoError(t, err)
	require.Equal(t, r, again, "the same bytes give the same revision")
}

func TestParseSaysWhereEveryFaultIs(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":                        {"", "file 1:1: the file is empty: an agent needs at least a name"},
		"a list":                       {"- a\n", "file 1:1: the agent file must be a mapping, this is a list"},
		"no name":                      {"type: inbound_text\n", "file 1:1: the agent needs a name"},
		"broken YAML":                  {"name: x\n\ttask: y\n", "file 2:1: a tab stands here: YAML is indented with blanks, two a level"},
		"unknown type":                 {"name: x\ntype: inbound_vioce\n", `file 2:7: type must be one of inbound_text, outbound_text, inbound_voice, outbound_voice, call_analytics, this is "inbound_vioce", did you mean "inbound_voice"?`},
		"alias with a blank":           {"name: x\nalias: my bank\n", `file 2:8: alias "my bank" cannot be a SIP user: letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; only`},
		"alias with @":                 {"name: x\nalias: a@b\n", `file 2:8: alias "a@b" cannot be a SIP user: letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; only`},
		"alias too long":               {"name: x\nalias: " + strings.Repeat("a", 65) + "\n", "file 2:8: alias has 65 characters; 64 are allowed"},
		"text too long":                {"name: x\ntask: " + strings.Repeat("a", MaxText+1) + "\n", "file 2:7: task has 50001 characters; 50000 are allowed"},
		"title too long":               {"name: x\nknowledge:\n  texts:\n    - {title: " + strings.Repeat("a", 256) + ", text: b}\n", "file 4:15: title has 256 characters; 255 are allowed"},
		"text of a source too long":    {"name: x\nknowledge:\n  texts:\n    - title: a\n      text: " + strings.Repeat("ä", MaxText+1) + "\n", "file 5:13: text has 50001 characters; 50000 are allowed\nfile 4:7: the text \"a\" is empty"},
		"FAQ without answer":           {"name: x\nknowledge:\n  faqs:\n    - question: Why?\n", `file 4:7: the question "Why?" needs an answer`},
		"FAQ without question":         {"name: x\nknowledge: {faqs: [{answer: Yes}]}\n", "file 2:20: a FAQ needs a question"},
		"FAQ that is a text":           {"name: x\nknowledge: {faqs: [Why]}\n", `file 2:20: a FAQ must be a mapping, this is "Why"`},
		"workflow inside a block":      {"name: x\nworkflow: |\n  - name: A\n    init_state: true\n    state_scenarios:\n      - next_state: B\n", `file 6:21: there is no state "B", did you mean "A"?`},
		"workflow as a list":           {"name: x\nworkflow:\n  - name: A\n", "file 3:3: one state must have init_state: true"},
		"broken YAML inside a block":   {"name: x\nworkflow: |\n  - name: A\n    name: B\n", `file 4:5: mapping key "name" already defined at [1:3]`},
		"result without a name":        {"name: x\nconversation_result:\n  - kind: FormInfoField\n", "file 3:5: a conversation result needs a field_name"},
		"result twice":                 {"name: x\nconversation_result:\n  - {field_name: A, field_description: d}\n  - {field_name: A, field_description: d}\n", `file 4:18: conversation result "A" exists already`},
		"result of the wrong kind":     {"name: x\nconversation_result:\n  - {field_name: A, field_description: d, kind: Form}\n", `file 3:49: kind must be FormInfoField, this is "Form"`},
		"unknown field_type":           {"name: x\nconversation_result:\n  - field_name: A\n    field_type: float\n", `file 4:17: field_type must be one of str, int, bool, date, datetime, list[str], Literal['a', 'b'], this is "float"`},
		"broken Literal":               {"name: x\nconversation_result:\n  - field_name: A\n    field_type: Literal['a', 'a']\n", `file 4:17: Literal needs different options in quotes between commas, like Literal['a', 'b']; this is "Literal['a', 'a']"`},
		"env that is no mapping":       {"name: x\nenv: [A]\n", "file 2:6: env must be a mapping from variable to value, this is a list"},
		"variable that is a list":      {"name: x\nenv:\n  A: [1]\n", "file 3:6: A must be a text, this is a list"},
		"variable of the wrong type":   {"name: x\nenv:\n  HISTORY_MAX_MESSAGES: many\n", `file 3:25: HISTORY_MAX_MESSAGES must be a whole number from 1 to 1000, this is "many"`},
		"variable out of bounds":       {"name: x\nenv:\n  RAG_MIN_SCORE: 2\n", `file 3:18: RAG_MIN_SCORE must be a number from 0 to 1, this is "2"`},
		"variable that is not a bool":  {"name: x\nenv:\n  SHOW_THOUGHTS: maybe\n", `file 3:18: SHOW_THOUGHTS must be True or False, this is "maybe"`},
		"variable that is no choice":   {"name: x\nenv:\n  VOICE_TRANSFER_MODE: fast\n", `file 3:24: VOICE_TRANSFER_MODE must be one of blind, attended, warm, this is "fast"`},
		"variable that is no JSON":     {"name: x\nenv:\n  VOICE_TRANSFER_TARGETS: \"{\"\n", `file 3:27: VOICE_TRANSFER_TARGETS must be JSON, an object of names to numbers or SIP addresses`},
		"turn timer that is none":      {"name: x\nenv:\n  VOICE_EOT_MS: soon\n", `file 3:17: set VOICE_EOT_MS to "soon": invalid: allowed is a duration from 0s to 1m0s, such as 300ms, or a number of milliseconds`},
		"base_url that is none":        {"name: x\nmodels: {llm: {provider: p, base_url: llm.example.com}}\n", `file 2:39: base_url must be an http or https address, this is "llm.example.com"`},
		"key in place of its name":     {"name: x\nmodels: {llm: {provider: p, key_env: sk-123}}\n", "file 2:38: key_env must name an environment variable: letters, digits and _ only; the key itself does not belong into the file"},
		"model without provider":       {"name: x\nmodels: {llm: {model: m}}\n", "file 2:15: llm needs a provider"},
		"limit that is too small":      {"name: x\nlimits: {open_sessions: 0}\n", `file 2:25: open_sessions must be a whole number from 1 to 1000000, this is "0"`},
		"several faults are all told":  {"alias: \"?\"\nlimits: {daily: x}\n", "file 1:1: the agent needs a name\nfile 1:8: alias \"?\" cannot be a SIP user: letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; only\nfile 2:17: daily must be a whole number from 0 to 1000000, this is \"x\""},
		"knowledge that is a text":     {"name: x\nknowledge: much\n", `file 2:12: knowledge must be a mapping, this is "much"`},
		"a key whose value is missing": {"name:\ntask: x\n", "file 1:1: the agent needs a name"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := Parse([]byte(c.text))
			require.Nil(t, s)
			require.ErrorIs(t, err, fault.Invalid)
			want := strings.Split(c.want, "\n")
			require.ElementsMatch(t, want, strings.Split(err.Error(), "\n"))
		})
	}
}

func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no type":           {"name: x\nknowledge: {core: c}\n", "1:1: no type is given: taken for inbound_text"},
		"no knowledge":      {"name: x\ntype: inbound_text\n", "1:1: the agent knows nothing: it needs at least one source of knowledge to answer questions"},
		"unknown key":       {"name: x\ntype: inbound_text\nknowledge: {core: c}\nwelcome_mesage: hi\n", `4:1: unknown key "welcome_mesage" in the agent file is ignored, did you mean "welcome_message"?`},
		"unknown inner key": {"name: x\ntype: inbound_text\nknowledge: {core: c, faq: []}\n", `3:22: unknown key "faq" in knowledge is ignored, did you mean "faqs"?`},
		"masked secret":     {"name: x\ntype: inbound_text\nknowledge: {core: c}\nenv: {LLM_TIMEOUT_MS: '**********'}\n", "4:7: the value of LLM_TIMEOUT_MS was taken out: enter it again"},
		"channel variable":  {"name: x\ntype: inbound_text\nknowledge: {core: c}\nenv: {IMAP_MAILBOX: a}\n", "4:7: IMAP_MAILBOX is read by the email account: set it there"},
		"no hand-over":      {"name: x\ntype: inbound_text\nknowledge: {core: c}\nhandoff: {conditions: always}\n", "4:10: handoff has conditions, but allow is not true: nobody is handed over"},
		"no such result":    {"name: x\ntype: inbound_text\nknowledge: {core: c}\nconversation_result: [{field_name: Budget, field_description: d}]\nworkflow:\n  - name: A\n    init_state: true\n    transitions:\n      - trigger: results_updated\n        condition: results.Budgt is set\n        next_state: END\n", `10:20: the condition asks about results.Budgt, which is no conversation result of this agent, did you mean "Budget"?`},
		"unknown variable":  {"name: x\ntype: inbound_text\nknowledge: {core: c}\nenv: {RAG_TOPK: 3}\n", `4:7: unknown variable RAG_TOPK is kept and changes nothing, did you mean "RAG_TOP_K"?`},
		"unknown timer":     {"name: x\ntype: inbound_text\nknowledge: {core: c}\nenv: {VOICE_EOT: 3}\n", `4:7: unknown variable VOICE_EOT is kept and changes nothing, did you mean "VOICE_EOT_MS"?`},
		"analytics":         {"name: x\ntype: Call Analytics\n", "2:7: this build does not analyse recorded calls yet"},
		"guessed field":     {"name: x\ntype: inbound_text\nknowledge: {core: c}\nconversation_result: [{field_name: A}]\n", "4:23: without a field_description the model can only guess what A is"},
		"untitled text":     {"name: x\ntype: inbound_text\nknowledge: {texts: [{text: c}]}\n", "3:21: a text without a title is harder to find"},
	} {
		t.Run(name, func(t *testing.T) {
			s, warnings, err := Parse([]byte(c.text))
			require.NoError(t, err)
			require.NotNil(t, s)
			var got []string
			for _, w := range warnings {
				got = append(got, w.String())
			}
			require.Equal(t, []string{c.want}, got)
		})
	}
}

func TestTypesByTheirDocumentedTitles(t *testing.T) {
	for title, want := range map[string]Type{
		"inbound_text": InboundText, "Inbound Text": InboundText, "Inbound Text Agent": InboundText, "outbound-voice": OutboundVoice, "Call Analytics": CallAnalytics,
	} {
		s, _, err := Parse([]byte("name: x\ntype: " + title))
		require.NoError(t, err)
		require.Equal(t, want, s.Type)
	}
}

func TestFilesArePathsForWhoeverLoadsTheAgent(t *testing.T) {
	s, _, err := Parse([]byte("name: x\nknowledge: {files: [a.txt, sub/b.md]}\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"a.txt", "sub/b.md"}, s.Files)
}

func TestAtMostSixtyResults(t *testing.T) {
	file := func(n int) []byte {
		var b strings.Builder
		b.WriteString("name: x\nconversation_result:\n")
		for i := range n {
			fmt.Fprintf(&b, "  - {field_name: F%d, field_description: d}\n", i)
		}
		return []byte(b.String())
	}
	_, _, err := Parse(file(MaxResults))
	require.NoError(t, err)
	_, _, err = Parse(file(MaxResults + 1))
	require.EqualError(t, err, "file 3:3: at most 60 conversation results are allowed, this file has 61")
}

func TestAFileHasASize(t *testing.T) {
	_, _, err := Parse([]byte("name: x\n#" + strings.Repeat("x", MaxBytes)))
	require.ErrorContains(t, err, "an agent file has at most 8 MB")
}

func TestEverySettingHasAValidDefaultAndAMeaning(t *testing.T) {
	seen := map[string]bool{}
	d := Defaults()
	for _, s := range Table() {
		require.False(t, seen[s.Key], s.Key)
		seen[s.Key] = true
		require.NotEmpty(t, s.Meaning, s.Key)
		require.NoError(t, d.Set(s.Key, s.Default), s.Key)
	}
	require.Equal(t, Defaults(), d)
	require.Equal(t, 72*time.Hour, d.SessionTimeout)
	require.Equal(t, 5, d.ToolsPerTurn)
	require.Equal(t, 50, d.ToolsPerSession)
	require.Equal(t, 60, d.History)
	require.Equal(t, 6, d.TopK)
	require.InDelta(t, 0.25, d.MinScore, 0)
	require.Equal(t, 2500*time.Millisecond, d.FirstToken)
	require.False(t, d.Record)

	c := turn.Default()
	for _, s := range Table() { // variables of both tables have one default
		if slices.ContainsFunc(turn.Timers(), func(p turn.Timer) bool { return p.Env == s.Key }) {
			require.NoError(t, c.Set(s.Key, s.Default))
		}
	}
	require.Equal(t, turn.Default(), c)
	require.ErrorIs(t, d.Set("NOPE", "1"), fault.NotFound)
	require.ErrorIs(t, d.Set("RAG_MIN_SCORE", "NaN"), fault.Invalid)
	require.ErrorIs(t, d.Set("SESSION_TIMEOUT", "-1"), fault.Invalid)
	require.ErrorIs(t, d.Set("START_PHRASE", strings.Repeat("x", MaxText+1)), fault.Invalid)
	require.NoError(t, d.Set("REPHRASING_IT_TEXT", ""))
	require.NotEmpty(t, d.Rephrase, "a reply of last resort always has words")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(connected))
	for _, s := range []string{"name: x", "name: [", "env: {A: 1}", "workflow: |\n  - {", "models: {llm: {fallback: [[]]}}", "conversation_result: [{field_type: \"Literal['\"}]", "knowledge: {faqs: [~]}", "limits: ~", "name: &a x\nalias: *a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _, err := Compile("a", 1, b)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "file ") {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		if r.Spec.Name == "" {
			t.Fatalf("%q has no name", b)
		}
		r.Hints()
		r.Spec.Sources()
		r.Spec.Tools()
		if masked, _, err := Mask(string(b), true); err == nil {
			if again, _, err := Mask(masked, true); err != nil || again != masked {
				t.Fatalf("%q masked twice: %q %v", b, again, err)
			}
		} else if fault.KindOf(err) != fault.Invalid {
			t.Fatal(err)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	var text strings.Builder
	text.WriteString(full)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Compile("a", 1, []byte(full)); err != nil {
			b.Fatal(err)
		}
	}
}
