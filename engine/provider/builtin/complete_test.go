package builtin

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

func TestEqualRequestsGiveEqualReplies(t *testing.T) {
	k := hub(t)
	k.msgs = append(k.msgs, provider.Message{Role: provider.RoleUser, Text: "is it free and how long is an event?"})
	r := k.request()
	first, _ := collect(t, k.model, r)
	for range 3 {
		again, _ := collect(t, New(), r)
		require.Equal(t, first, again)
	}
}

func TestACancelledRequestEnds(t *testing.T) {
	k := hub(t)
	k.msgs = append(k.msgs, provider.Message{Role: provider.RoleUser, Text: "is it free?"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for d, err := range k.model.Complete(ctx, k.request()) {
		last = err
		if d.Text != "" {
			n++
			cancel()
		}
	}
	require.ErrorIs(t, last, fault.Cancelled)
	assert.Equal(t, 1, n)
}

func TestBreakingOutEndsTheStream(t *testing.T) {
	k := hub(t)
	k.msgs = append(k.msgs, provider.Message{Role: provider.RoleUser, Text: "is it free?"})
	n := 0
	for range k.model.Complete(t.Context(), k.request()) {
		n++
		break
	}
	assert.Equal(t, 1, n)
}

// Whatever parts and messages say, a reply comes, ends and carries JSON where
// JSON is due.
func FuzzComplete(f *testing.F) {
	f.Add("You are Ted.", "Ask for the name. Say \"x\" if asked.", "Human: hi\nAgent: \nAgent: yes", "how much?", "What is your name?", `{"fields":[{"name":"A","type":"int"}]}`, `{"type":"object","properties":{"A":{"type":"integer"}}}`)
	f.Add("", "", "", "", "", "", "")
	f.Add("You are", "If , say \"\".", "Human:\nAgent:", "[digits: ]", "double triple double", `{"fields":[{"name":"","options":[""]}]}`, `{"properties":{"x":{"enum":[null]}}}`)
	f.Add("\xff", "collect contact info if \xff", "# \n- \n1.", "at dot at dot com at", "my name is", `{"fields":null}`, `{"type":["null"]}`)
	f.Add("your your", "Ask whether the customer", "say that", "my  is", "and for the, and what,", `{"fields":[{"name":"HumanEmail"},{"name":"HumanPhoneNumber"},{"name":"Date","type":"date"}]}`, `{"type":"object","properties":{"HumanEmail":{"type":"string"},"Date":{"type":"array"}}}`)
	m := shared()
	f.Fuzz(func(t *testing.T, identity, task, state, user, agent, results, schema string) {
		r := provider.Request{
			System: []provider.Part{
				{Kind: provider.PartIdentity, Text: identity},
				{Kind: provider.PartTask, Text: task},
				{Kind: provider.PartState, Title: agent, Text: state},
				{Kind: provider.PartCore, Text: task},
				{Kind: provider.PartKnowledge, Title: user, Text: state, Source: "faq:x", Score: 2},
				{Kind: provider.PartResults, Text: results},
				{Kind: provider.PartKind(user), Text: user},
			},
			Messages: []provider.Message{
				{Role: provider.RoleUser, Text: agent},
				{Role: provider.RoleAssistant, Text: agent},
				{Role: provider.RoleUser, Text: user},
			},
			Tools: []provider.Tool{{Name: identity, Description: state, Move: true}, {Name: toolFinish}},
			Voice: len(user)%2 == 0,
		}
		_, _ = collect(t, m, r)
		r.Schema = json.RawMessage(schema)
		for d, err := range m.Complete(t.Context(), r) {
			if err != nil {
				require.ErrorIs(t, err, fault.Invalid)
				break
			}
			_ = d
		}
	})
}

// Random words in random places, many more than a fuzzer's seeds have.
func TestWeirdTalkNeverPanics(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields(`yes no name is my the at dot com five double hundred and for what how much ? . : " “ [digits: 12] ### Human: Agent: if say ask
		whether customer's they 12,5 €3 1,000 2026-02-30 thirty first of may bye thanks repeat it a b c van o'neill -- \n ä 日本 goodbye collect email phone`)
	text := func() string {
		var b strings.Builder
		for range rng.IntN(30) {
			b.WriteString(words[rng.IntN(len(words))])
			b.WriteByte(" \n"[rng.IntN(8)/7])
		}
		return b.String()
	}
	m := shared()
	for range 600 {
		r := provider.Request{Voice: rng.IntN(2) == 0, MaxTokens: rng.IntN(3) * 5}
		for _, k := range []provider.PartKind{provider.PartIdentity, provider.PartTask, provider.PartState, provider.PartCore, provider.PartKnowledge} {
			r.System = append(r.System, provider.Part{Kind: k, Title: text(), Text: text(), Source: "faq:" + text()})
		}
		r.System = append(r.System, fieldsPart(provider.Field{Name: "HumanFullName"}, provider.Field{Name: "When", Type: "datetime"}, provider.Field{Name: "Pick", Options: []string{text(), ""}, Description: text()}, provider.Field{Name: "HumanEmail", Value: text()}))
		for i := range rng.IntN(8) {
			r.Messages = append(r.Messages, provider.Message{Role: []provider.Role{provider.RoleUser, provider.RoleAssistant, provider.RoleTool, "?"}[rng.IntN(4)], Text: text(), CallID: "1", Calls: make([]provider.ToolCall, i%2)})
		}
		for range rng.IntN(3) {
			r.Tools = append(r.Tools, provider.Tool{Name: text(), Description: text(), Move: rng.IntN(2) == 0})
		}
		_, _ = collect(t, m, r)
	}
}

// worst is a long conversation of long lines with a long prompt.
func worst(t testing.TB) *talk {
	k := bank(t)
	for range 200 {
		k.msgs = append(k.msgs, provider.Message{Role: provider.RoleAssistant, Text: strings.Repeat("word ", 300)},
			provider.Message{Role: provider.RoleUser, Text: strings.Repeat("how much is my name at dot five ", 300)})
	}
	k.system = append(k.system, provider.Part{Kind: provider.PartCore, Text: strings.Repeat("A sentence about cards. ", 5000)})
	return k
}

func TestCostStaysBounded(t *testing.T) {
	k := worst(t)
	start := time.Now()
	_, _ = collect(t, k.model, k.request())
	assert.Less(t, time.Since(start), 20*time.Second, "on a crowded machine with the race detector")
}

func BenchmarkComplete(b *testing.B) {
	k := bank(b)
	for _, l := range []string{"hello", "how much is the monthly fee of the premium card", "john smith", "and for the basic one"} {
		_, _ = k.hear(l)
	}
	k.msgs = append(k.msgs, provider.Message{Role: provider.RoleUser, Text: "what is the daily limit of the premium card"})
	r := k.request()
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range k.model.Complete(b.Context(), r) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkResults(b *testing.B) {
	k := hub(b)
	for _, l := range []string{"yes please", "is it free", "my name is Anna Lopez", "anna dot lopez at gmail dot com"} {
		_, _ = k.hear(l)
	}
	r := k.request()
	r.Schema = json.RawMessage(`{"type":"object","properties":{"HumanFullName":{"type":"string"},"HumanEmail":{"type":"string"},"HumanPhoneNumber":{"type":"string"},"Topic":{"type":"string"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range k.model.Complete(b.Context(), r) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
