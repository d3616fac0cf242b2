package agent

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
)

func apply(s *State, events []event.Event) {
	for _, e := range events {
		s.Apply(event.Envelope{Seq: s.Seq + 1, Body: e})
	}
}

func created(t *testing.T) *State {
	s := &State{}
	out, err := s.Create(event.AgentCreated{Name: "Bank", Alias: "bank", TokenHash: TokenHash("secret")})
	require.NoError(t, err)
	apply(s, out)
	return s
}

func TestLifeOfAnAgent(t *testing.T) {
	s := created(t)
	_, err := s.Start()
	require.ErrorIs(t, err, fault.Invalid, "nothing is published")

	out, _, err := s.Save("name: Bank\nalias: bank\n")
	require.NoError(t, err)
	require.Equal(t, []event.Event{event.AgentSaved{Revision: 1, File: "name: Bank\nalias: bank\n"}}, out)
	apply(s, out)
	again, _, err := s.Save("name: Bank\nalias: bank\n")
	require.NoError(t, err)
	require.Empty(t, again, "the same file is no new revision")

	_, _, err = s.Save("name: [")
	require.ErrorIs(t, err, fault.Invalid)
	require.Equal(t, uint64(1), s.Latest(), "the last valid file stays")

	_, err = s.Publish(2)
	require.ErrorIs(t, err, fault.NotFound)
	out, err = s.Publish(1)
	require.NoError(t, err)
	apply(s, out)
	out, err = s.Publish(1)
	require.NoError(t, err)
	require.Empty(t, out)

	out, err = s.Start()
	require.NoError(t, err)
	apply(s, out)
	require.True(t, s.Running)
	out, err = s.Start()
	require.NoError(t, err)
	require.Empty(t, out)

	out, warnings, err := s.Save("name: Bank\nalias: other\nknowledge: {core: c}\ntype: inbound_text\n")
	require.NoError(t, err)
	require.Equal(t, `1:1: the agent keeps the alias "bank" it was created with`, warnings[0].String())
	apply(s, out)
	require.Equal(t, uint64(2), s.Latest())
	require.Equal(t, uint64(1), s.Live, "saved is not yet published")
	file, ok := s.File(1)
	require.True(t, ok, "running sessions may need it")
	require.Contains(t, file, "alias: bank")

	out, err = s.Stop("by hand")
	require.NoError(t, err)
	apply(s, out)
	require.False(t, s.Running)
	require.Equal(t, "by hand", s.Reason)
	out, err = s.Stop("again")
	require.NoError(t, err)
	require.Empty(t, out)
}

func TestCommandsThatMakeNoSense(t *testing.T) {
	var none State
	_, _, err := none.Save("name: x")
	require.ErrorIs(t, err, fault.NotFound)
	_, err = none.Publish(1)
	require.ErrorIs(t, err, fault.NotFound)
	_, err = none.Start()
	require.ErrorIs(t, err, fault.NotFound)
	_, err = none.Stop("")
	require.ErrorIs(t, err, fault.NotFound)
	_, err = none.Create(event.AgentCreated{TokenHash: TokenHash("x")})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = none.Create(event.AgentCreated{Name: "x", TokenHash: []byte("secret")})
	require.ErrorIs(t, err, fault.Invalid, "a token in place of its hash")
	_, err = created(t).Create(event.AgentCreated{Name: "x", TokenHash: TokenHash("x")})
	require.ErrorIs(t, err, fault.Conflict)
}

func TestToken(t *testing.T) {
	s := created(t)
	require.True(t, s.Admits("secret"))
	for _, wrong := range []string{"", "secre", "secret ", "Secret", string(TokenHash("secret"))} {
		require.False(t, s.Admits(wrong), wrong)
	}
	require.False(t, (&State{}).Admits(""), "an agent without a token admits nobody")
}

func TestLiveStateIsReplayedState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live := &State{}
		var journal []event.Envelope
		for range rapid.IntRange(1, 20).Draw(t, "commands") {
			var out []event.Event
			switch rapid.IntRange(0, 4).Draw(t, "command") {
			case 0:
				out, _ = live.Create(event.AgentCreated{Name: "a", TokenHash: TokenHash("t")})
			case 1:
				out, _, _ = live.Save(fmt.Sprintf("name: a%d\n", rapid.IntRange(0, 2).Draw(t, "file")))
			case 2:
				out, _ = live.Publish(rapid.Uint64Range(0, 4).Draw(t, "revision"))
			case 3:
				out, _ = live.Start()
			default:
				out, _ = live.Stop("x")
			}
			for _, e := range out {
				env := event.Envelope{Seq: live.Seq + 1, Body: e}
				journal = append(journal, env)
				live.Apply(env)
			}
		}
		replayed := &State{}
		for _, e := range journal {
			replayed.Apply(e)
		}
		require.Equal(t, live, replayed)
		for i, f := range live.Saved {
			require.Equal(t, uint64(i+1), f.Number)
		}
		require.LessOrEqual(t, live.Live, live.Latest())
	})
}
