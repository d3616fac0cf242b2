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
	"flametree/engine/tool"
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

// An argument bound to a parameter for code only is filled in where the call is
// run: what is decided, recorded and shown to the model is without it.
func TestConcealedArgumentsStandInNoRecord(t *testing.T) {
	spec := tool.Spec{Name: "pay", Bind: []tool.Binding{{Arg: "token", From: "params._token"}, {Arg: "city", From: "params.city"}}}
	require.JSONEq(t, `{"amount":5,"city":"Ulm"}`, string(open(spec, []byte(`{"amount":5,"city":"Ulm","token":"stork-Dz9yP13vCx"}`))))
	require.True(t, Concealed(spec.Bind[0]))
	require.False(t, Concealed(spec.Bind[1]))
	plain := tool.Spec{Name: "pay", Bind: spec.Bind[1:]}
	require.Equal(t, `{ "city":"Ulm" }`, string(open(plain, []byte(`{ "city":"Ulm" }`))), "others stay as they are")
}
