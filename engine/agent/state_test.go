package agent

import (
	"fmt"
	"strings"
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
	require.Equal(t, []event.Event{event.AgentSaved{Revision: 1, File: event.P("name: Bank\nalias: bank\n")}}, out)
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

func TestRevisionsAreComparedAndRestored(t *testing.T) {
	s := created(t)
	pins := []event.Pair{{Key: "group/CRM", Value: "aa"}, {Key: "document/a.pdf", Value: "bb"}}
	one := "name: Bank\nalias: bank\ntask: One.\nworkflow: |\n  - name: Talk\n    init_state: true\n    description: Old.\n"
	two := strings.Replace(one, "Old.", "New.\n    sensitive: true", 1)
	save := func(file string, pins []event.Pair) {
		out, _, err := s.Keep(file, pins)
		require.NoError(t, err)
		require.Len(t, out, 1)
		apply(s, out)
	}
	save(one, pins)
	require.Equal(t, "document/a.pdf", s.Saved[0].Pins[0].Key, "pins are kept in order")
	same, _, err := s.Keep(one, []event.Pair{pins[1], pins[0]})
	require.NoError(t, err)
	require.Empty(t, same)
	save(one, []event.Pair{{Key: "group/CRM", Value: "cc"}}) // the tools' code changed
	save(two, nil)

	hunks, err := s.Diff(1, 3)
	require.NoError(t, err)
	require.Equal(t, []Hunk{{Line: 4, Section: "workflow", Lines: []string{
		" workflow: |", "   - name: Talk", "     init_state: true", "-    description: Old.", "+    description: New.", "+    sensitive: true",
	}}}, hunks)
	hunks, err = s.Diff(1, 2)
	require.NoError(t, err)
	require.Empty(t, hunks, "the files are equal")
	hunks, err = s.Diff(0, 1)
	require.NoError(t, err)
	require.Len(t, hunks, 1)
	_, err = s.Diff(1, 9)
	require.ErrorIs(t, err, fault.NotFound)

	out, _, err := s.Restore(1)
	require.NoError(t, err)
	require.Equal(t, []event.Event{event.AgentSaved{Revision: 4, File: event.P(one), Pins: []event.Pair{pins[1], pins[0]}}}, out, "the old text and the old code, as a new revision")
	_, _, err = s.Restore(9)
	require.ErrorIs(t, err, fault.NotFound)
	r, ok := s.Revision(3)
	require.True(t, ok)
	require.Equal(t, two, r.File)
}

func TestDiffShowsNoSecret(t *testing.T) {
	s := created(t)
	for _, secret := range []string{"hunter22", "hunter33"} {
		out, _, err := s.Save("name: Bank\nalias: bank\nenv: {A_KEY: {value: " + secret + ", secret: true}}\n")
		require.NoError(t, err)
		apply(s, out)
	}
	for from := range uint64(2) {
		hunks, err := s.Diff(from, 2)
		require.NoError(t, err)
		require.Len(t, hunks, 1)
		require.NotContains(t, strings.Join(hunks[0].Lines, ""), "hunter")
	}
}

func TestAFaultyFileIsKeptAndReplacesNothing(t *testing.T) {
	s := created(t)
	good := "name: Bank\nalias: bank\n"
	out, _, err := s.KeepLive(good, nil)
	require.NoError(t, err)
	require.Equal(t, []event.Event{event.AgentSaved{Revision: 1, File: event.P(good)}, event.AgentPublished{Revision: 1}}, out)
	apply(s, out)

	bad := "name: Bank\ntype: nonsense\n"
	_, _, err = s.KeepLive(bad, nil)
	require.ErrorIs(t, err, fault.Invalid)
	out, err = s.Drafted(bad)
	require.NoError(t, err)
	apply(s, out)
	require.Equal(t, bad, s.Draft.File)
	require.Contains(t, s.Draft.Fault, "file 2:7: type must be one of")
	require.Equal(t, uint64(1), s.Live)
	require.Equal(t, uint64(1), s.Latest())
	again, err := s.Drafted(bad)
	require.NoError(t, err)
	require.Empty(t, again)

	_, err = s.Drafted(good)
	require.ErrorIs(t, err, fault.Invalid, "what can be saved is no draft")
	_, err = s.Drafted(strings.Repeat("x", MaxBytes+1))
	require.ErrorIs(t, err, fault.Exhausted)

	out, _, err = s.KeepLive(good, nil)
	require.NoError(t, err)
	require.Len(t, out, 2, "the draft is given up")
	apply(s, out)
	require.Equal(t, Draft{}, s.Draft)
	require.Equal(t, uint64(2), s.Live)
}

func TestRequirePublishKeepsSavingAndPublishingApart(t *testing.T) {
	s := created(t)
	out, _, err := s.KeepLive("name: Bank\nalias: bank\nrequire_publish: true\n", nil)
	require.NoError(t, err)
	require.Len(t, out, 1)
	apply(s, out)
	require.Zero(t, s.Live)
	out, err = s.Publish(1)
	require.NoError(t, err)
	apply(s, out)
	out, _, err = s.KeepLive("name: Bank\nalias: bank\n", nil)
	require.NoError(t, err)
	require.Equal(t, event.AgentPublished{Revision: 2}, out[1])
}
