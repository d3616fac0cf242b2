package demo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent"
	"flametree/engine/agent/demo"
)

func TestDemoAgentsAreWithoutFault(t *testing.T) {
	type facts struct {
		alias  string
		kind   agent.Type
		states int
		faqs   int
	}
	want := map[string]facts{
		"debit-card": {"bank", agent.InboundVoice, 2, 20},
		"eventhub":   {"eventhub", agent.InboundText, 3, 2},
	}
	require.Len(t, demo.Files(), len(want))
	for _, f := range demo.Files() {
		r, warnings, err := agent.Compile(f.Name, 1, f.Text)
		require.NoError(t, err, f.Name)
		require.Empty(t, warnings, f.Name)
		w := want[f.Name]
		require.Equal(t, w.alias, r.Spec.Alias)
		require.Equal(t, w.kind, r.Spec.Type)
		require.Len(t, r.Flow.States, w.states)
		require.GreaterOrEqual(t, len(r.Spec.FAQs), w.faqs)
		require.NotEmpty(t, r.Greeting())
		for _, name := range []string{"HumanFullName", "Topic", "ConversationSummary"} {
			field, ok := r.Spec.Result(name)
			require.True(t, ok, name)
			require.NotEmpty(t, field.Title)
			require.NotEmpty(t, field.Description)
		}
		for _, s := range r.Flow.States {
			ends := false
			for _, m := range r.Flow.Moves(s.Name) {
				ends = ends || m.Next == "END"
			}
			require.True(t, ends, "%s: no way out of %s", f.Name, s.Name)
		}
	}
}

func TestTheBankHasAnAnswerThatCanBeInterrupted(t *testing.T) {
	longest := 0
	r, _, err := agent.Compile("bank", 1, demo.Files()[0].Text)
	require.NoError(t, err)
	for _, f := range r.Spec.FAQs {
		longest = max(longest, len(f.Answer))
	}
	require.Greater(t, longest, 400, "about 25 seconds of speech")
	require.True(t, r.Settings.Record)
}

func TestFilesAreTheCallersOwn(t *testing.T) {
	demo.Files()[0].Text[0] = 'X'
	require.NotEqual(t, byte('X'), demo.Files()[0].Text[0])
}
