package scenario_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/scenario"
)

const whole = `
name: All there is
agent: bank.yaml
voice: slt
line: {codec: pcma, transport: TCP, loss: 3%, reorder: 0.01, delay: 40ms, jitter: 20ms}
noise: {kind: babble, snr: 20 dB}
seed: 7
timeout: 1m
quiet: 700ms
words_right: 80%
steps:
  - expect: {says: hello}
  - say: What does it cost?
    voice: awb
    when: after 1.5s of silence
    expect:
      answers_within: 2500ms
      says: [five euros, "€5"]
      says_any: [a, b]
      says_not: [no idea]
      understood: cost
      state: Advice
      results: {Topic: cost, Name: ~}
      calls: [Search, {name: Send, times: 2, failed: true}]
      interrupted: no
  - sound: cough
    when: while the agent speaks, after 700ms
    expect: {goes_on_for: 2s}
  - wav: angry.wav
    when: "while the agent speaks: after 1s"
    expect: {silent_within: 900ms}
  - digits: 12 34#
    when: at 12.5s
    expect: {calls: [], no_answer_for: 1s}
  - wait: 2s
  - wait: until the agent hangs up
  - hang_up
end: {status: completed, recording: yes, every_answer_within: 3s, lasts_at_most: 50s, state: END}
`

func TestAWholeScenarioIsRead(t *testing.T) {
	s, notes, err := scenario.Parse([]byte(whole))
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Equal(t, scenario.Line{Codec: "PCMA", Transport: "tcp", Loss: 0.03, Reorder: 0.01, Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond}, s.Line)
	require.Equal(t, scenario.Noise{Kind: "babble", SNR: 20}, s.Noise)
	require.Equal(t, []any{uint64(7), time.Minute, 700 * time.Millisecond, 0.8}, []any{s.Seed, s.Timeout, s.Quiet, s.Right})
	acts := make([]scenario.Act, len(s.Steps))
	for i, step := range s.Steps {
		acts[i] = step.Act
	}
	require.Equal(t, []scenario.Act{
		scenario.Listen, scenario.Say, scenario.Sound, scenario.Play, scenario.Press, scenario.Wait, scenario.Await, scenario.HangUp,
	}, acts)
	say := s.Steps[1]
	require.Equal(t, scenario.When{Trigger: scenario.AfterSilence, Of: 1500 * time.Millisecond}, say.When)
	require.Equal(t, scenario.Place{Line: 13, Col: 5}, say.Place)
	require.Equal(t, 2500*time.Millisecond, say.Expect.Answers.Of)
	require.Len(t, say.Expect.Says, 2)
	require.Equal(t, []scenario.Field{{Place: scenario.Place{Line: 23, Col: 17}, Name: "Topic", Value: "cost"}, {Place: scenario.Place{Line: 23, Col: 30}, Name: "Name"}}, say.Expect.Results)
	require.Equal(t, "Send", say.Expect.Calls[1].Name)
	require.Equal(t, 2, say.Expect.Calls[1].Times)
	require.True(t, say.Expect.Calls[1].Failed)
	require.Equal(t, -1, say.Expect.Calls[0].Times, "at least once")
	require.False(t, say.Expect.Interrupted.On)
	require.Equal(t, scenario.When{Trigger: scenario.WhileSpeaks, Of: time.Second}, s.Steps[3].When)
	require.Equal(t, "1234#", s.Steps[4].Text)
	require.NotNil(t, s.Steps[4].Expect.NoCalls)
	require.Equal(t, scenario.AtOnce, s.Steps[5].When.Trigger, "who waits does so at once")
	require.Equal(t, "completed", s.End.Status.Text)
	require.True(t, s.End.Recording.On)
}

func TestTheEnglishOfWhen(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for text, want := range map[string]scenario.When{
		"after greeting":                        {Trigger: scenario.AfterAnswer},
		"After the greeting":                    {Trigger: scenario.AfterAnswer},
		"after the agent's answer":              {Trigger: scenario.AfterAnswer},
		"at 2.3s":                               {Trigger: scenario.At, Of: ms(2300)},
		"at once":                               {Trigger: scenario.AtOnce},
		"after silence 1s":                      {Trigger: scenario.AfterSilence, Of: ms(1000)},
		"after 1s of silence":                   {Trigger: scenario.AfterSilence, Of: ms(1000)},
		"while the agent speaks":                {Trigger: scenario.WhileSpeaks, Of: ms(500)},
		"while the agent is speaking, after 2s": {Trigger: scenario.WhileSpeaks, Of: ms(2000)},
		"700ms into the answer":                 {Trigger: scenario.WhileSpeaks, Of: ms(700)},
	} {
		s, _, err := scenario.Parse([]byte("agent: a\nsteps:\n- say: x\n  when: " + text + "\n"))
		require.NoError(t, err, text)
		require.Equal(t, want, s.Steps[0].When, text)
	}
	for _, text := range []string{"soon", "after", "at", "at once 3s", "after -1s of silence", "at 11m", "while the agent sleeps", "at 1s 2s"} {
		_, _, err := scenario.Parse([]byte("agent: a\nsteps:\n- say: x\n  when: " + text + "\n"))
		require.ErrorContains(t, err, "4:9: when", text)
	}
}

func TestFaultsStandWhereTheyAre(t *testing.T) {
	head := "agent: a\nsteps:\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                       {"", "a scenario must be a mapping"},
		"a list":                        {"- say: x", "1:1: a scenario must be a mapping"},
		"no YAML":                       {"agent: [", "scenario 1"},
		"no agent":                      {"steps:\n- say: x", "agent is missing"},
		"no steps":                      {"agent: a", "steps are missing"},
		"steps that are none":           {"agent: a\nsteps: hello", "2:8: steps must be a list"},
		"a step that does nothing":      {head + "- when: at 1s", "3:3: the step neither does nor expects anything"},
		"a step that does two things":   {head + "- say: x\n  digits: 1", "4:11: a step does one thing"},
		"expect alone in the middle":    {head + "- say: x\n- expect: {says: y}", "expect belongs to the step before"},
		"after the end":                 {head + "- hang_up\n- say: x", "4:3: the call is over"},
		"a misspelt expectation":        {head + "- say: x\n  expect: {say: y}", `4:12: nobody knows the expectation "say", did you mean "says"`},
		"an end among the steps":        {head + "- say: x\n  expect: {status: completed}", `4:12: nobody knows the expectation "status"`},
		"a duration without unit":       {head + "- say: x\n  expect: {answers_within: 3}", "4:28: answers_within must be a duration"},
		"a delay before anybody spoke":  {head + "- expect: {answers_within: 3s}", "nobody has said anything yet"},
		"an expectation without words":  {head + "- say: x\n  expect: {says: ['...']}", "4:19: \"...\" has no words"},
		"said and not said":             {head + "- say: x\n  expect: {says: [Five], says_not: ['five!']}", "stands in says and in says_not"},
		"calls of nothing":              {head + "- say: x\n  expect:\n    calls:\n    state: A", "calls is empty"},
		"more than all packets":         {"agent: a\nline: {loss: 300%}\nsteps:\n- say: x", "2:14: loss must be a share"},
		"NaN packets":                   {"agent: a\nline: {loss: NaN}\nsteps:\n- say: x", "2:14: loss must be a share"},
		"an unknown codec":              {"agent: a\nline: {codec: g729}\nsteps:\n- say: x", "2:15: codec must be one of PCMU"},
		"a road of minutes":             {"agent: a\nline: {delay: 1m}\nsteps:\n- say: x", "at most 5s"},
		"an unknown noise":              {"agent: a\nnoise: {kind: punk}\nsteps:\n- say: x", `2:15: the kind of noise must be one of white, pink, hum, babble or a .wav file, did you mean "pink"`},
		"a noise that is a list":        {"agent: a\nnoise: [pink]\nsteps:\n- say: x", "2:8: noise must be a mapping"},
		"a seed below 0":                {"agent: a\nseed: -1\nsteps:\n- say: x", "2:7: seed must be a whole number"},
		"a key that is none":            {head + "- digits: 12x", `3:11: "x" is not a key`},
		"a wait that is none":           {head + "- wait: for it", "3:9: wait must be a duration"},
		"no share of words":             {"agent: a\nwords_right: 0\nsteps:\n- say: x", "2:14: words_right of 0 checks nothing"},
		"no time":                       {"agent: a\ntimeout: 0s\nsteps:\n- say: x", "2:10: timeout must be longer"},
		"hanging up not":                {head + "- hang_up: false", "3:12: hang_up: false does nothing"},
		"a result that is a list":       {head + "- say: x\n  expect: {results: [a]}", "4:21: results must be a mapping"},
		"a call without name":           {head + "- say: x\n  expect: {calls: [{times: 2}]}", "4:20: a call needs the name"},
		"more steps than anybody reads": {head + strings.Repeat("- say: x\n", scenario.MaxSteps+1), "more than 200 steps"},
		"more bytes than anybody reads": {strings.Repeat("#", scenario.MaxBytes+1), "at most 1024 KB"},
	} {
		_, _, err := scenario.Parse([]byte(c.text))
		require.ErrorContains(t, err, c.want, name)
		require.True(t, errors.Is(err, fault.Invalid), name)
	}
}

func TestAnUnknownKeyIsAWarning(t *testing.T) {
	_, notes, err := scenario.Parse([]byte("agent: a\ncolor: red\nsteps:\n- say: x\n  whenn: at 1s\n- sound: cough\n  voice: slt\n"))
	require.NoError(t, err)
	require.Len(t, notes, 3)
	require.Contains(t, notes[0].String(), "2:1")
	require.Contains(t, notes[1].String(), `did you mean "when"`)
	require.Contains(t, notes[2].String(), "voice changes nothing here")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("agent: a\nsteps:\n- {say: x, when: {while the agent speaks: after 1s}}\n"))
	f.Add([]byte("steps: [hang_up]\nend: {calls: [{}]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, _, err := scenario.Parse(text)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if s.Agent == "" || len(s.Steps) == 0 || s.Right <= 0 || s.Right > 1 || s.Timeout <= 0 {
			t.Fatalf("a scenario that cannot be played: %+v", s)
		}
		r := scenario.Judge(s, &scenario.Observed{Ended: time.Second})
		_, _ = r.Timeline(), r.SVG()
	})
}
