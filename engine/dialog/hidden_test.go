package dialog

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/guard"
	"flametree/engine/provider"
	"flametree/engine/session"
)

func TestHiddenParametersAreFoundAtAnyDepth(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	require.Equal(t, []string{"17", "deep", "list", "not JSON", "plain"}, Hidden(map[string]json.RawMessage{
		"_token":   raw(`"plain"`),
		"_broken":  raw(`not JSON`),
		"profile":  raw(`{"_pin":{"value":"deep"},"plan":"gold","pets":[{"_chip":17},"dog"]}`),
		"_several": raw(`["list",true,null,""]`),
		"city":     raw(`"Ulm"`),
	}))
	require.Empty(t, Hidden(nil))
}

// What a tool gives back of a parameter for code only goes to no model.
func TestResultsGoToTheModelWithoutHiddenParameters(t *testing.T) {
	rev, _, err := agent.Compile("a", 1, []byte("name: A\ntype: inbound_text\ntask: Serve.\n"))
	require.NoError(t, err)
	set, err := guard.New(nil, guard.Options{})
	require.NoError(t, err)
	rev = rev.Guarded(set)
	s := &session.State{Born: event.SessionCreated{Kwargs: []event.PrivatePair{
		{Key: "_token", Value: event.P(`"stork-Dz9yP13vCx"`)}, {Key: "profile", Value: event.P(`{"_pin":"raven-Gs2nJ57hWq"}`)},
	}}}
	out := shield(s, rev, []provider.Message{{Role: provider.RoleTool, Text: `{"a":"stork-Dz9yP13vCx","b":"raven-Gs2nJ57hWq","c":"fine"}`}})
	require.NotContains(t, out[0].Text, "Dz9yP13vCx")
	require.NotContains(t, out[0].Text, "Gs2nJ57hWq")
	require.Contains(t, out[0].Text, "fine")
}
