package dialog

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
)

func TestExtractedKeepsValidChangesOnly(t *testing.T) {
	for name, c := range map[string]struct {
		values string
		want   []string
	}{
		"nothing":              {`{}`, []string{}},
		"all types":            {`{"HumanFullName":" Eva Berg ","Budget":1200,"Colour":"RED","Wishes":["bell","light"],"Ready":true,"Day":"March 3, 2026"}`, []string{"result HumanFullName=Eva Berg", "result Budget=1200", "result Colour=red", `result Wishes=["bell","light"]`, "result Ready=true", "result Day=2026-03-03"}},
		"texts for all types":  {`{"Budget":"1,200","Ready":"yes","Wishes":"bell, light"}`, []string{"result Budget=1200", `result Wishes=["bell","light"]`, "result Ready=true"}},
		"null is no value":     {`{"HumanFullName":null,"Budget":null,"Colour":null}`, []string{}},
		"placeholders are not": {`{"HumanFullName":"Not provided","Budget":"unknown","Wishes":["a"]}`, []string{`result Wishes=["a"]`}},
		"wrong types":          {`{"Budget":12.5,"Colour":"green","Ready":"perhaps","Day":"02/03/2026","HumanFullName":{"a":1},"Wishes":[1]}`, []string{}},
		"unknown names":        {`{"Nobody":"x"}`, []string{}},
		"no JSON":              {`the name is Eva`, []string{}},
		"wrapped in a fence":   {"```json\n{\"Budget\": 7}\n```", []string{"result Budget=7"}},
		"no object":            {`[1]`, []string{}},
		"erased":               {``, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			k := begin(t, shop, "")
			x := event.ResultsExtracted{Turn: 1, Values: event.P(c.values)}
			got := Extracted(&k.State, k.rev, x)
			require.Equal(t, x, got[0], "the fact comes first")
			require.Equal(t, c.want, kinds(got[1:]))
			k.apply(got)
			require.Len(t, Extracted(&k.State, k.rev, x), 1, "told again it changes nothing")
		})
	}
}

func TestResultsAreCorrectedAndListsGrow(t *testing.T) {
	k := begin(t, shop, "")
	k.apply(Extracted(&k.State, k.rev, event.ResultsExtracted{Values: event.P(`{"Budget":500,"Wishes":["bell"]}`)}))
	require.Equal(t, []string{"result Budget=700", `result Wishes=["bell","light"]`},
		kinds(Extracted(&k.State, k.rev, event.ResultsExtracted{Values: event.P(`{"Budget":700,"Wishes":["light","Bell"]}`)})[1:]))
}

func TestExtractionIsDueWhenThereIsSomethingToRead(t *testing.T) {
	k := begin(t, shop, "")
	_, ok := Extraction(&k.State, k.rev)
	require.False(t, ok, "nobody has said anything")
	k.says("I am Eva and I have 500 euros")
	k.answers("", call("1", "to_offer", ""))
	k.answers("Nice.")
	x, ok := Extraction(&k.State, k.rev)
	require.True(t, ok)
	golden(t, "extraction", x)

	none := begin(t, "name: x\n", "")
	none.says("hello")
	_, ok = Extraction(&none.State, none.rev)
	require.False(t, ok, "the agent wants no results")
}

func TestExtractedNeverKeepsWhatDoesNotFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.MapOf(
			rapid.SampledFrom([]string{"HumanFullName", "Budget", "Colour", "Wishes", "Ready", "Day", "Other"}),
			rapid.OneOf(rapid.Just[any](nil), rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "s") }),
				rapid.Custom(func(t *rapid.T) any { return rapid.Float64().Draw(t, "f") }),
				rapid.Custom(func(t *rapid.T) any { return rapid.SliceOf(rapid.String()).Draw(t, "l") })),
		).Draw(t, "values")
		b, err := json.Marshal(values)
		require.NoError(t, err)
		k := begin(t, shop, "")
		events := Extracted(&k.State, k.rev, event.ResultsExtracted{Values: event.P(string(b))})
		require.Equal(t, events, Extracted(&k.State, k.rev, event.ResultsExtracted{Values: event.P(string(b))}))
		for _, e := range events[1:] {
			r := e.(event.ResultSet)
			f, ok := k.rev.Spec.Result(r.Field)
			require.True(t, ok)
			again, err := f.Parse(r.Value.Text)
			require.NoError(t, err)
			require.Equal(t, r.Value.Text, again)
		}
	})
}
