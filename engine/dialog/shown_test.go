package dialog

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/guard"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
	"flametree/engine/tool"
)

// rows is a JSON list of n accounts.
func rows(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"account":"account %d, of a customer","amount":%d}`, i, i*7))
	}
	return "[" + strings.Join(out, ",") + "]"
}

// parts splits what is shown at the line about what is left out.
func parts(t *testing.T, text string) (head, note, tail string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "[left out: ") {
			return strings.Join(lines[:i], "\n"), l, strings.Join(lines[i+1:], "\n")
		}
	}
	t.Fatalf("nothing says that something is left out: %.200s", text)
	return "", "", ""
}

func TestALongResultKeepsItsStartAndItsEnd(t *testing.T) {
	text := "first words " + strings.Repeat("and so on ", 2000) + "last words"
	got := excerpted(text, "call_1")
	head, note, tail := parts(t, got)
	require.LessOrEqual(t, utf8.RuneCountInString(got), tool.MaxShown)
	require.Greater(t, utf8.RuneCountInString(got), tool.MaxShown*9/10, "what there is room for is shown")
	require.True(t, strings.HasPrefix(head, "first words "))
	require.True(t, strings.HasSuffix(tail, "last words"))
	require.Contains(t, note, fmt.Sprintf("of %d characters", len(text)))
	require.Contains(t, note, `ReadResult shows them: {"result":"call_1","from":`)
	require.Equal(t, "short", excerpted("short", "1"))
}

func TestAListIsCutBetweenItsElements(t *testing.T) {
	for name, text := range map[string]string{
		"a list":                  rows(400),
		"a list in an object":     `{"customer":"Eva","accounts":` + rows(400) + `,"more":false}`,
		"a list in a list":        `[` + rows(400) + `]`,
		"a list with brackets in": `["]\"[",` + strings.TrimPrefix(rows(400), "["),
		"a list on many lines":    strings.ReplaceAll(rows(400), "},", "},\n  "),
	} {
		t.Run(name, func(t *testing.T) {
			got := excerpted(text, "c")
			require.LessOrEqual(t, utf8.RuneCountInString(got), tool.MaxShown)
			head, note, tail := parts(t, got)
			require.Regexp(t, `^\[left out: \d+ of \d+ elements, \d+ of \d+ characters; `, note)
			require.True(t, json.Valid([]byte(head+tail)), "without the line it is JSON: %s…%s", head[:60], tail[len(tail)-60:])
			require.Contains(t, head, "account 0,")
			require.Contains(t, tail, "account 399,")
		})
	}
}

func TestOneLongTextInAListIsCutAsAText(t *testing.T) {
	text := `["` + strings.Repeat("x", 9000) + `","` + strings.Repeat("y", 9000) + `"]`
	head, note, tail := parts(t, excerpted(text, "c"))
	require.NotContains(t, note, "elements")
	require.True(t, strings.HasPrefix(head, `["xxx`))
	require.True(t, strings.HasSuffix(tail, `yyy"]`))
}

// Whatever a tool gives: what is shown fits, begins and ends as the result does,
// and what is left out can be read to the last character.
func TestNothingOfAResultIsOutOfReach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.StringMatching(`[a-zа-я€😀"\[\]{},: \n\\]{1,40}`).Draw(t, "piece")
		text := strings.Repeat(piece, rapid.IntRange(1, 2000).Draw(t, "times"))
		if rapid.Bool().Draw(t, "json") {
			b, err := json.Marshal(strings.SplitAfter(text, rapid.SampledFrom([]string{" ", ",", "a"}).Draw(t, "at")))
			require.NoError(t, err)
			text = string(b)
		}
		got := excerpted(text, "id")
		require.LessOrEqual(t, utf8.RuneCountInString(got), tool.MaxShown)
		require.True(t, utf8.ValidString(got))
		if !long(text) {
			require.Equal(t, text, got)
			return
		}
		require.Equal(t, text[:1], got[:1])
		require.Equal(t, text[len(text)-1:], got[len(got)-1:])
		var all strings.Builder
		for n := 0; n < utf8.RuneCountInString(text); {
			page := stretch(text, "id", n)
			require.LessOrEqual(t, utf8.RuneCountInString(page), tool.MaxShown)
			_, body, ok := strings.Cut(page, "]\n")
			require.True(t, ok)
			all.WriteString(body)
			n += utf8.RuneCountInString(body)
		}
		require.Equal(t, text, all.String())
	})
}

func FuzzExcerpted(f *testing.F) {
	for _, seed := range []string{rows(300), `[[[["a"]]]]`, `{"a":[1,2,3],"b":"]"}`, `["\\","\"",[],{}]`, "plain", "[1,"} {
		f.Add(seed, 200)
	}
	f.Fuzz(func(t *testing.T, text string, times int) {
		text = strings.ToValidUTF8(text, "?")
		for _, long := range []string{strings.Repeat(text, min(max(times, 1), 50)), "[" + strings.TrimSuffix(strings.Repeat(text+",", min(max(times, 1), 50)), ",") + "]"} {
			if n := utf8.RuneCountInString(excerpted(long, "i")); n > tool.MaxShown {
				t.Fatalf("%d characters are shown", n)
			}
		}
	})
}

func TestTheModelReadsOnInALongResult(t *testing.T) {
	k := inBank(t)
	k.says("balance")
	require.NotContains(t, names(&k.State, k.rev), readTool, "there is nothing to read")
	k.answers("", call("1", "GetBalance", `{}`))
	whole := rows(400)
	k.gives("1", "GetBalance", whole)
	require.Contains(t, names(&k.State, k.rev), readTool)
	v, _ := k.Observed("GetBalance")
	require.Equal(t, whole, v, "the journal, conditions and code have all of it")

	k.answers("", call("2", "ReadResult", `{"result":"1","from":9000}`))
	require.Empty(t, Due(&k.State), "no tool is run again")
	require.True(t, Next(&k.State, k.rev), "the model goes on with what it read")
	got := k.Lines[len(k.Lines)-1]
	require.Contains(t, got.Text, fmt.Sprintf("[characters 9000 to %d of %d; ReadResult shows what follows: ", 9000+utf8.RuneCountInString(got.Text[strings.Index(got.Text, "]\n")+2:]), len(whole)))
	require.Contains(t, got.Text, whole[9000:12000])

	k.answers("", call("3", "ReadResult", `{"result":"9","from":0}`))
	require.Equal(t, "There is no such result in this conversation.", k.Lines[len(k.Lines)-1].Text)
	k.answers("", call("4", "ReadResult", `{"result":"1","from":-1}`))
	require.Contains(t, k.Lines[len(k.Lines)-1].Text, "Refused: the arguments do not fit")
}

// The line about what is left out must not be taken for an order that a
// stranger has hidden in a result, and what is hidden in one still is.
func TestTheLineAboutWhatIsLeftOutPassesTheGuards(t *testing.T) {
	set, err := guard.New(nil, guard.Options{Lexicon: lexis.New()})
	require.NoError(t, err)
	k := inBank(t)
	k.rev = k.rev.Guarded(set)
	k.says("balance")
	k.answers("", call("1", "GetBalance", `{}`))
	k.gives("1", "GetBalance", rows(400))
	want := messages(&k.State, 100)
	got := shield(&k.State, k.rev, messages(&k.State, 100))
	require.Equal(t, want, got)
	require.Equal(t, provider.RoleTool, got[len(got)-1].Role)

	page := stretch(rows(400), "1", 100)
	require.Equal(t, page, safe(k.rev, guard.Result, page, guard.Scene{}))
}

// Which tools there are changes while a conversation runs. What its journal says
// is decided again in the same way, whatever is there then.
func TestADecisionDoesNotDependOnWhatIsThereLater(t *testing.T) {
	k := inBank(t)
	k.says("balance")
	before := k.State
	answer := event.ModelAnswered{
		Turn: k.Turn, Text: event.P("Let me see."), Calls: []event.ToolCall{call("1", "WEATHER_forecast", `{}`)},
		Offered: []string{"GetBalance", "ReadResult"},
	}
	away := Answer(&before, k.rev, answer)
	there := Answer(&before, k.rev.With(append(bankTools(), tool.Spec{Name: "WEATHER_forecast"}), nil), answer)
	require.Equal(t, away, there)
	require.Equal(t, away, Answer(&before, k.rev.With(nil, nil), answer))

	k.answers("Let me see.", call("2", "GetBalance", `{}`))
	before = k.State
	told := event.ToolAnswered{Turn: k.Turn, CallID: "2", Tool: "GetBalance", Result: event.P(`{"amount":7}`)}
	require.Equal(t, Told(&before, k.rev, told), Told(&before, k.rev.With(nil, nil), told))
	k.apply(Told(&before, k.rev, told))
	require.True(t, Next(&k.State, k.rev))
	require.True(t, Next(&k.State, k.rev.With(nil, nil)), "the model goes on with the outcome, also where nobody knows the tool")
}
