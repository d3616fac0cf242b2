package scenario_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/scenario"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func words(at int, text string) (out []scenario.Word) {
	for i, w := range strings.Fields(text) {
		out = append(out, scenario.Word{At: ms(at + 200*i), Text: w})
	}
	return out
}

// call is a conversation: a greeting, a question and its answer, and an
// interruption 700 ms into another.
func call() *scenario.Observed {
	voice := []scenario.Span{
		{From: ms(200), To: ms(1000)}, // the greeting, with a breath in it
		{From: ms(1100), To: ms(2000)},
		{From: ms(5800), To: ms(9000)}, // 800 ms after the question
		{From: ms(9900), To: ms(11_150)},
		{From: ms(13_000), To: ms(14_000)},
	}
	var all []scenario.Word
	for i, text := range []string{"hello this is the bank", "it costs five euro a month", "and there are", "goodbye"} {
		all = append(all, words([]int{200, 5800, 9900, 13_000}[i], text)...)
	}
	return &scenario.Observed{
		Steps: []scenario.Done{{}, {First: ms(3000), Last: ms(5000)}, {First: ms(11_000), Last: ms(12_000)}},
		Voice: voice, Words: all, Ended: ms(15_000), By: "hangup",
		Facts: &scenario.Facts{
			Session: "S", Status: "completed", Recording: true,
			States:  []scenario.Fact{{At: ms(-10), Text: "Advice"}, {At: ms(12_500), Text: "END"}},
			Results: []scenario.Fact{{At: ms(5500), Name: "Topic", Text: "fees"}, {At: ms(12_500), Name: "Topic", Text: "cards"}},
			Calls:   []scenario.Fact{{At: ms(5600), Name: "Search"}, {At: ms(5650), Name: "Search", Fault: "failed: away"}, {At: ms(12_600), Name: "Close"}},
			Said:    []scenario.Fact{{At: ms(11_300), Text: "and there", Fault: "interrupted"}},
			Heard:   []scenario.Fact{{At: ms(5300), Text: "what does it cost"}},
		},
	}
}

// judged judges one expectation of the step with the question, of the step with
// the interruption, or of the end.
func judged(t *testing.T, where, expect string, o *scenario.Observed) scenario.Verdict {
	t.Helper()
	text := "agent: a\nsteps:\n- expect: {calls: []}\n- say: one\n- say: two\n  when: while the agent speaks\n"
	switch where {
	case "question":
		text = strings.Replace(text, "- say: one\n", "- say: one\n  expect: "+expect+"\n", 1)
	case "interruption":
		text += "  expect: " + expect + "\n"
	case "end":
		text += "end: " + expect + "\n"
	case "greeting":
		text = strings.Replace(text, "{calls: []}", expect, 1)
	}
	s, _, err := scenario.Parse([]byte(text))
	require.NoError(t, err, text)
	for _, v := range scenario.Judge(s, o).Verdicts {
		if where == "greeting" || v.Place.Line != 3 {
			return v
		}
	}
	t.Fatal("nothing was judged")
	return scenario.Verdict{}
}

func TestExpectationsAreJudged(t *testing.T) {
	for _, c := range []struct {
		where, expect string
		met           bool
		got           string
	}{
		{"greeting", "{says: this is the bank}", true, "100 %"},
		{"greeting", "{says: five euros}", false, "0 %"},
		{"question", "{says: '€5 a month'}", true, "75 % in “it costs five euro a month and there are”"}, // euros was heard as euro
		{"question", "{says: this is the bank}", false, "in “it costs five euro a month and there are”"},
		{"question", "{says_any: [elephants, it costs]}", true, "100 %"},
		{"question", "{says_not: elephants}", true, "0 %"},
		{"question", "{says_not: it costs}", false, "100 %"},
		{"question", "{answers_within: 800ms}", true, "800 ms"},
		{"question", "{answers_within: 799ms}", false, "800 ms"},
		{"question", "{understood: does it cost}", true, "100 %"},
		{"question", "{understood: my name is}", false, "0 %"},
		{"question", "{state: Advice}", true, "Advice"},
		{"question", "{results: {Topic: Fees}}", true, "“fees”"},
		{"question", "{results: {Topic: f*s}}", true, "“fees”"},
		{"question", "{results: {Topic: '*x*'}}", false, "“fees”"},
		{"question", "{results: {Name: '*'}}", false, "unset"},
		{"question", "{results: {Name: ~}}", true, "unset"},
		{"question", "{calls: Search}", true, "Search, Search (failed: away)"},
		{"question", "{calls: {name: Search, times: 1}}", true, ""},
		{"question", "{calls: {name: Search, times: 2}}", false, ""},
		{"question", "{calls: {name: Search, failed: true}}", true, ""},
		{"question", "{calls: Close}", false, ""},
		{"question", "{calls: []}", false, "Search"},
		{"question", "{interrupted: no}", true, "no"},
		{"question", "{silent_within: 1s}", false, "the agent was not speaking"},
		{"interruption", "{silent_within: 150ms}", true, "150 ms"},
		{"interruption", "{silent_within: 149ms}", false, "150 ms"},
		{"interruption", "{goes_on_for: 100ms}", false, "broke off"},
		{"interruption", "{interrupted: yes}", true, "yes"},
		{"interruption", "{answers_within: 1s}", true, "1000 ms"},
		{"interruption", "{no_answer_for: 900ms}", true, "1000 ms"},
		{"interruption", "{no_answer_for: 1100ms}", false, "1000 ms"},
		{"interruption", "{state: END}", true, "END"},
		{"end", "{status: completed}", true, "completed"},
		{"end", "{status: user_timeout}", false, "completed"},
		{"end", "{recording: no}", false, "yes"},
		{"end", "{every_answer_within: 1s}", true, "the slowest took 1000 ms, to step 3"},
		{"end", "{every_answer_within: 900ms}", false, "1000 ms"},
		{"end", "{lasts_at_most: 14s}", false, "15.0 s"},
		{"end", "{results: {Topic: cards}}", true, "“cards”"},
	} {
		v := judged(t, c.where, c.expect, call())
		require.Equal(t, c.met, v.Met, "%s %s: %s", c.where, c.expect, v)
		require.Contains(t, v.Got, c.got, c.expect)
	}
}

func TestWhoOnlyHesitatesGoesOn(t *testing.T) {
	o := call()
	o.Facts.Said = nil
	o.Voice = []scenario.Span{{From: ms(9900), To: ms(11_150)}, {From: ms(12_700), To: ms(15_000)}} // it resumes after a cough
	require.True(t, judged(t, "interruption", "{goes_on_for: 3s}", o).Met)
	require.False(t, judged(t, "interruption", "{goes_on_for: 3001ms}", o).Met)
	o.Voice[1].From = ms(13_200)
	require.False(t, judged(t, "interruption", "{goes_on_for: 1s}", o).Met, "after two seconds it is another answer")
}

func TestWhatNobodySawIsNeverAsExpected(t *testing.T) {
	for _, expect := range []string{"{state: Advice}", "{results: {Name: ~}}", "{calls: []}", "{understood: cost}", "{interrupted: no}"} {
		o := call()
		o.Facts, o.Blind = nil, "the window was closed"
		v := judged(t, "question", expect, o)
		require.False(t, v.Met, expect)
		require.Contains(t, v.Got, "not known: the window was closed")
		o = call()
		o.Steps = o.Steps[:1] // the question was never asked
		v = judged(t, "question", expect, o)
		require.False(t, v.Met, expect)
		require.Equal(t, "the call did not come to this step", v.Got)
	}
	o := call()
	o.Facts.Status = ""
	require.Equal(t, "open", judged(t, "end", "{status: completed}", o).Got)
}

func TestAFaultIsNoPass(t *testing.T) {
	s, _, err := scenario.Parse([]byte("agent: a\nsteps:\n- say: x\n"))
	require.NoError(t, err)
	o := &scenario.Observed{Steps: []scenario.Done{{First: 1, Last: 2}}, Ended: ms(100)}
	require.True(t, scenario.Judge(s, o).Passed)
	o.Fault = "the line fell silent"
	require.False(t, scenario.Judge(s, o).Passed)
}

// TestMoreToleranceNeverFailsMore: what is met at some share of words is met at
// any lower one, and a phrase stands wholly in a text that contains it.
func TestMoreToleranceNeverFailsMore(t *testing.T) {
	word := rapid.SampledFrom([]string{"card", "limit", "euros", "five", "goodbye", "the"})
	rapid.Check(t, func(r *rapid.T) {
		phrase := strings.Join(rapid.SliceOfN(word, 1, 6).Draw(r, "phrase"), " ")
		said := rapid.SliceOfN(word, 0, 12).Draw(r, "said")
		o := call()
		o.Steps, o.Words = o.Steps[1:2], words(6000, strings.Join(said, " "))
		met := func(share string) bool {
			s, _, err := scenario.Parse([]byte("agent: a\nwords_right: " + share + "\nsteps:\n- say: x\n  expect: {says: " + phrase + "}\n"))
			if err != nil {
				r.Fatal(err)
			}
			return scenario.Judge(s, o).Verdicts[0].Met
		}
		last := true
		for _, share := range []string{"1%", "40%", "70%", "100%"} {
			now := met(share)
			if now && !last {
				r.Fatalf("%q in %q is met at %s and not below", phrase, said, share)
			}
			last = now
		}
		if strings.Contains(" "+strings.Join(said, " ")+" ", " "+phrase+" ") && !last {
			r.Fatalf("%q stands in %q", phrase, said)
		}
	})
}

func TestThePictureShowsWhoSpokeWhen(t *testing.T) {
	s, _, err := scenario.Parse([]byte("agent: a\nname: A <picture> & more\nsteps:\n- expect: {says: hello}\n- say: one\n- say: two\n  when: while the agent speaks\n"))
	require.NoError(t, err)
	r := scenario.Judge(s, call())
	require.Equal(t, []time.Duration{ms(11_150)}, r.Breaks)
	lines := strings.Split(r.Timeline(), "\n")
	caller, agent := strings.TrimPrefix(lines[1], "  caller  "), strings.TrimPrefix(lines[2], "  agent   ")
	require.Equal(t, strings.Repeat("·", 15)+strings.Repeat("█", 10)+strings.Repeat("·", 30)+strings.Repeat("█", 5)+strings.Repeat("·", 15), caller)
	require.Equal(t, 'X', []rune(agent)[55])
	require.Equal(t, '█', []rune(agent)[54])
	require.Equal(t, '·', []rune(agent)[56])
	story := strings.Join(r.Story(), "\n")
	require.Less(t, strings.Index(story, "caller  one"), strings.Index(story, "agent   “it costs"))
	require.Contains(t, story, "the agent falls silent for the caller")

	svg := r.SVG()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if err == io.EOF { //nolint:errorlint // the decoder gives it bare
			break
		}
		require.NoError(t, err, svg)
	}
	require.Contains(t, svg, "A &lt;picture&gt; &amp; more")
	require.Contains(t, svg, "800 ms")
}

func TestAReportIsJSONInMilliseconds(t *testing.T) {
	s, _, err := scenario.Parse([]byte("agent: a\nsteps:\n- expect: {says: hello}\n- say: one\n- say: two\n  when: while the agent speaks\n"))
	require.NoError(t, err)
	b, err := json.Marshal(scenario.Judge(s, call()))
	require.NoError(t, err)
	require.Contains(t, string(b), `"caller":[{"from_ms":3000,"to_ms":5000,"text":"one"}`)
	require.Contains(t, string(b), `"answers":[{"step":2,"took_ms":800},{"step":3,"took_ms":1000}]`)
	require.Contains(t, string(b), `"interruptions_ms":[11150]`)
	empty, err := json.Marshal(scenario.Report{})
	require.NoError(t, err)
	require.NotContains(t, string(empty), "null")
}
