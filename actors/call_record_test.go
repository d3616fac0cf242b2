package actors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/provider"
)

// calling is a reply that calls a tool without arguments and says something.
func calling(tool, text string) func(provider.Request) []provider.Delta {
	return func(provider.Request) []provider.Delta {
		return []provider.Delta{
			{Text: text}, {Call: &provider.ToolCall{ID: "1", Name: tool, Args: `{}`}}, {Finish: provider.FinishTools},
		}
	}
}

func TestTheAgentPausesTheRecordingForACard(t *testing.T) {
	inCall(t, []string{"VOICE_RECORD: True"}, func(c *call) {
		c.Line.Up()
		c.quiet()
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = calling("PauseRecording", "Please enter your card.") })
		c.Say("i want to pay")
		c.quiet()
		require.Equal(t, []event.RecordingPaused{{Reason: "asked", Offset: of[event.RecordingPaused](c)[0].Offset}}, of[event.RecordingPaused](c))
		require.True(t, c.h.Tapes.Paused(), "nothing is recorded while the card is entered")
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = calling("ResumeRecording", "Thank you.") })
		c.Keys("4111#")
		c.quiet()
		require.Len(t, of[event.RecordingResumed](c), 1)
		require.False(t, c.h.Tapes.Paused())
		c.over()
		closed := of[event.RecordingClosed](c)
		require.Len(t, closed, 1)
		require.Greater(t, closed[0].Paused, time.Second)
		require.Less(t, closed[0].Paused, closed[0].Length)
		between := of[event.RecordingResumed](c)[0].Offset - of[event.RecordingPaused](c)[0].Offset
		require.InDelta(t, between.Seconds(), closed[0].Paused.Seconds(), 0.05, "it is as long as the events say")
	})
}

func TestAPauseIsOfferedOnlyWhereSomethingIsRecorded(t *testing.T) {
	for name, env := range map[string][]string{"recorded": {"VOICE_RECORD: True"}, "not recorded": nil} {
		t.Run(name, func(t *testing.T) {
			inCall(t, env, func(c *call) {
				c.Line.Up()
				c.quiet()
				offered := false
				c.h.Model.Set(func(m *actorstest.Model) {
					m.Reply = func(r provider.Request) []provider.Delta {
						for _, tool := range r.Tools {
							offered = offered || tool.Name == "PauseRecording"
						}
						return says("Yes.")(r)
					}
				})
				c.Say("hello")
				c.quiet()
				require.Equal(t, env != nil, offered)
				c.over()
			})
		})
	}
}

func TestTheCallerIsRecordedOnlyOnceTheNoticeIsSpoken(t *testing.T) {
	notice := []string{"VOICE_RECORD: True", "VOICE_RECORD_NOTICE: This call is recorded."}
	t.Run("before the greeting", func(t *testing.T) {
		inCall(t, notice, func(c *call) {
			time.Sleep(2 * time.Second)
			require.True(t, c.h.Tapes.Paused(), "the line is not up: nobody was told yet")
			c.Line.Up()
			c.quiet()
			require.Equal(t, []string{"AI: This call is recorded. " + greeting}, c.lines())
			require.False(t, c.h.Tapes.Paused())
			c.over()
			closed := of[event.RecordingClosed](c)[0]
			require.Greater(t, closed.Paused, 1900*time.Millisecond)
			require.Less(t, closed.Paused, closed.Length)
			require.Empty(t, of[event.RecordingPaused](c), "that is no pause for a secret")
		})
	})
	t.Run("also where the greeting was never heard", func(t *testing.T) {
		inCall(t, notice, func(c *call) {
			c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("It is free.") })
			c.Say("what is the fee")
			time.Sleep(3 * time.Second)
			require.True(t, c.h.Tapes.Paused())
			c.Line.Up()
			c.quiet()
			require.Contains(t, c.lines(), "AI: This call is recorded. It is free.")
			require.False(t, c.h.Tapes.Paused())
		})
	})
	t.Run("without a notice at once", func(t *testing.T) {
		inCall(t, notice[:1], func(c *call) {
			require.False(t, c.h.Tapes.Paused())
			c.Line.Up()
			c.over()
		})
	})
	t.Run("on a call that is placed", func(t *testing.T) {
		s := new(screener)
		outbound(t, notice, screenedBy(s), func(c *call) {
			c.answered()
			c.Say("hello")
			time.Sleep(time.Second)
			require.True(t, c.h.Tapes.Paused())
			s.find(actors.Screened{Verdict: "human", Why: "greeting", Took: time.Second})
			c.quiet()
			require.Equal(t, []string{"AI: This call is recorded. " + greeting}, c.lines())
			require.False(t, c.h.Tapes.Paused())
			c.over()
		})
	})
	t.Run("with the first words when a menu took the greeting", func(t *testing.T) {
		s := new(screener)
		outbound(t, notice, screenedBy(s), func(c *call) {
			c.answered()
			c.Say("for sales press one")
			c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Hello there.") })
			time.Sleep(2 * time.Second)
			s.find(actors.Screened{Verdict: "menu", Why: "words", Took: time.Second})
			c.quiet()
			require.Contains(t, c.lines(), "AI: This call is recorded. Hello there.")
			require.False(t, c.h.Tapes.Paused())
			c.over()
		})
	})
}

// vault is an agent that begins in a state of which nothing is recorded.
const vaultFlow = `workflow:
  - process_name: Pay
    name: Card
    kind: StateConfig
    init_state: true
    sensitive: true
    description: Take the number of the card.
    state_scenarios:
      - {next_state: Done, transition_name: taken, description: the number is there}
  - process_name: Pay
    name: Done
    kind: StateConfig
    description: Say that it worked.
    state_scenarios:
      - {next_state: END, transition_name: bye, description: the human says goodbye}
`

func TestASensitiveStateIsSilentFromItsFirstMoment(t *testing.T) {
	sensitive := func(h *actorstest.House) {
		h.Agent(t, actorstest.VoiceFile("VOICE_RECORD: True", "VOICE_SPECULATE: False")+vaultFlow)
	}
	inHouse(t, nil, sensitive, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		require.True(t, h.Tapes.Paused(), "it begins in the sensitive state")
		c.greeted()
		// The agent cannot let the recording in again while the state forbids it.
		h.Model.Set(func(m *actorstest.Model) { m.Reply = calling("ResumeRecording", "Go on.") })
		c.Keys("4111#")
		c.quiet()
		require.True(t, h.Tapes.Paused())
		require.Empty(t, of[event.RecordingResumed](c))
		h.Model.Set(func(m *actorstest.Model) { m.Reply = calling("taken", "Thank you.") })
		c.Keys("1111#")
		c.quiet()
		require.False(t, h.Tapes.Paused())
		require.Equal(t, "sensitive", of[event.RecordingPaused](c)[0].Reason)
		require.Len(t, of[event.RecordingResumed](c), 1)
		c.over()
	})
}
