package actors_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/replay"
)

// farewell is a reply that ends the session.
func farewell(text string) func(provider.Request) []provider.Delta {
	return func(provider.Request) []provider.Delta {
		return []provider.Delta{
			{Call: &provider.ToolCall{ID: "1", Name: "FinishSession", Args: fmt.Sprintf(`{"last_message":%q}`, text)}},
			{Finish: provider.FinishTools},
		}
	}
}

func TestThePeerHangsUp(t *testing.T) {
	states := map[string]struct {
		before func(c *call)
		lines  []string // after the greeting, where it was heard
	}{
		"before the line is up": {func(*call) {}, []string{"AI:  [interrupted]"}},
		"while the greeting is spoken": {func(c *call) {
			c.Line.Up()
			c.talking(700 * time.Millisecond)
		}, []string{"AI: Hello, this [interrupted]"}},
		"while both are silent": {func(c *call) { c.greeted() }, []string{"AI: " + greeting}},
		"while the caller speaks": {func(c *call) {
			c.greeted()
			c.Say("what is the")
			time.Sleep(50 * time.Millisecond)
		}, []string{"AI: " + greeting, "HUMAN: what is the", "AI:  [interrupted]"}},
		"while the agent thinks": {func(c *call) {
			c.h.Model.Wait = make(chan struct{})
			c.greeted()
			c.Say("what is the fee")
			time.Sleep(2 * time.Second)
		}, []string{"AI: " + greeting, "HUMAN: what is the fee", "AI:  [interrupted]"}},
		"while the agent speaks": {func(c *call) {
			c.h.Model.Reply = says(tale)
			c.greeted()
			c.Say("tell me something")
			c.talking(1300 * time.Millisecond)
		}, []string{"AI: " + greeting, "HUMAN: tell me something", "AI: There was a man [interrupted]"}},
		"while the agent is paused": {func(c *call) {
			c.h.Model.Reply = says(tale)
			c.greeted()
			c.Say("tell me something")
			c.talking(1300 * time.Millisecond)
			c.Noise(300 * time.Millisecond)
			time.Sleep(500 * time.Millisecond)
		}, []string{"AI: " + greeting, "HUMAN: tell me something", "AI: There was a man who [interrupted]"}},
		"while the line is held": {func(c *call) {
			c.greeted()
			c.Line.Hold()
			time.Sleep(time.Minute)
		}, []string{"AI: " + greeting}},
	}
	for name, tt := range states {
		t.Run(name, func(t *testing.T) {
			inCall(t, []string{"VOICE_RECORD: True"}, func(c *call) {
				t := c.t
				tt.before(c)
				c.hangUp()
				require.Equal(t, tt.lines, c.lines())
				reason, by, status := c.ended()
				require.Equal(t, "hangup", reason)
				require.Equal(t, "peer", by)
				require.Equal(t, event.Completed, status)
				events := c.h.CallEvents(t, "s")
				require.Equal(t, event.Kind("recording.closed.v1"), events[len(events)-2].Body.Kind(), "the recording is closed before the end")
				require.Equal(t, []string{"s"}, c.h.Tapes.Kept())
				require.NotContains(t, kinds(c.h.Events(t, "s")), event.Kind("reply.lost.v1"), "nothing was lost: it was not heard")
			})
		})
	}
}

func TestTheLineDecidesTheStatus(t *testing.T) {
	for reason, want := range map[string]event.Status{
		"hangup": event.Completed, "canceled": event.Canceled, "failed": event.Failed, "media_lost": event.Failed,
	} {
		t.Run(reason, func(t *testing.T) {
			inCall(t, nil, func(c *call) {
				c.greeted()
				c.Line.End(reason)
				time.Sleep(time.Second)
				got, by, status := c.ended()
				require.Equal(c.t, []any{reason, "peer", want}, []any{got, by, status})
			})
		})
	}
}

func TestAFarewellEndsTheCallWhenItWasHeard(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = farewell("Goodbye and thank you for your call.")
		c.greeted()
		c.Say("that is all")
		c.quiet()
		require.Equal(t, "Goodbye and thank you for your call.", c.Heard(2), "heard to its end")
		require.Equal(t, []string{"completed"}, c.Line.Ended())
		_, by, status := c.ended()
		require.Equal(t, "agent", by)
		require.Equal(t, event.Completed, status)
	})
}

func TestAnInterruptedFarewellEndsNothing(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = farewell("Goodbye and thank you for your call.")
		c.greeted()
		c.Say("that is all")
		c.talking(800 * time.Millisecond)
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Of course.") })
		c.Say("wait one more thing")
		c.quiet()
		require.Empty(t, c.Line.Ended())
		require.False(t, c.look().State.Ended)
		require.Equal(t, "Of course.", c.Heard(3))
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = farewell("Goodbye.") })
		c.Say("now that is all")
		c.quiet()
		require.Equal(t, []string{"completed"}, c.Line.Ended())
	})
}

func TestNobodyIsThere(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		time.Sleep(2 * time.Minute)
		const prompt = "AI: Are you still there?"
		require.Equal(t, []string{"AI: " + greeting, prompt, prompt, prompt}, c.lines())
		reason, _, status := c.ended()
		require.Equal(t, "no_input", reason)
		require.Equal(t, event.UserTimeout, status)
		for _, e := range c.h.Events(t, "s") {
			if timed, ok := e.Body.(event.TurnTimed); ok {
				for _, s := range timed.Stages {
					require.NotEqual(t, "response", s.Name, "nobody waited for a prompt")
				}
			}
		}
	})
}

func TestACallerWhoAnswersAPromptIsAskedAnew(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		time.Sleep(35 * time.Second) // two prompts
		c.Say("yes I am here")
		c.quiet()
		time.Sleep(40 * time.Second) // two more
		require.False(t, c.look().State.Ended)
	})
}

func TestACallIsNeverLongerThanAllowed(t *testing.T) {
	inCall(t, []string{"VOICE_MAX_CALL_SECONDS: 20"}, func(c *call) {
		c.greeted()
		c.Say("hello again")
		time.Sleep(25 * time.Second)
		reason, _, status := c.ended()
		require.Equal(c.t, "max_call", reason)
		require.Equal(c.t, event.Timeout, status)
	})
}

func TestPacketsStop(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		c.Cut(true)
		time.Sleep(5 * time.Second)
		c.Cut(false)
		c.Say("can you hear me")
		c.quiet()
		require.Equal(t, "HUMAN: can you hear me", c.lines()[1], "a gap ends nothing")
		c.Cut(true)
		time.Sleep(20 * time.Second)
		reason, _, status := c.ended()
		require.Equal(t, "media_lost", reason)
		require.Equal(t, event.Failed, status)
	})
}

func TestTheSessionIsEndedFromOutside(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(time.Second)
		_, err := c.h.Dir.Ask(t.Context(), c.h.Session("s"), &actors.End{Status: event.ResolvedByOperator})
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, []string{"resolved_by_operator"}, c.Line.Ended())
	})
}

func TestOurSideHangsUp(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		_, err := c.h.Dir.Ask(t.Context(), c.h.Call("s"), &actors.HangUp{Status: event.NetworkError})
		require.NoError(t, err)
		time.Sleep(time.Second)
		_, by, status := c.ended()
		require.Equal(t, "agent", by)
		require.Equal(t, event.NetworkError, status)
		_, err = c.h.Dir.Ask(t.Context(), c.h.Call("s"), &actors.HangUp{Status: event.NetworkError})
		require.ErrorIs(t, err, fault.NotFound, "whoever asks a call that is over is answered")
	})
}

func TestACallIsRefused(t *testing.T) {
	noTape := func(h *actorstest.House) { h.Tapes.Refuse = fmt.Errorf("disk full: %w", fault.Unavailable) }
	inHouse(t, []string{"VOICE_RECORD: True"}, noTape, func(t *testing.T, h *actorstest.House) {
		p := actorstest.NewPhone(nil)
		_, err := h.Dir.Ask(t.Context(), h.Call("s"), h.Offer("s", p))
		require.ErrorIs(t, err, fault.Unavailable)
		time.Sleep(time.Second)
		require.True(t, p.Closed(), "the call closes the leg of a call that it refuses")
		require.Equal(t, event.Failed, look(t, h, "s").State.Status, "a session that had begun is ended")
		events := h.CallEvents(t, "s")
		require.Equal(t, event.Kind("call.ended.v1"), events[len(events)-1].Body.Kind())
		require.Zero(t, h.Ears.Opened()-h.Voice.Opened())
	})
	inHouse(t, nil, nil, func(t *testing.T, h *actorstest.House) {
		h.Begin(t, "s") // somebody has the session's name
		_, err := h.Dir.Ask(t.Context(), h.Call("s"), h.Offer("s", actorstest.NewPhone(nil)))
		require.ErrorIs(t, err, fault.Conflict)
		time.Sleep(time.Second)
		require.False(t, look(t, h, "s").State.Ended, "the session of somebody else goes on")
	})
}

func TestACallIsOfferedOnce(t *testing.T) {
	inCall(t, nil, func(c *call) {
		_, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), c.h.Offer("s", actorstest.NewPhone(nil)))
		require.ErrorIs(c.t, err, fault.Conflict)
		c.greeted()
	})
}

func TestACallThatDoesNotExist(t *testing.T) {
	inHouse(t, nil, nil, func(t *testing.T, h *actorstest.House) {
		_, err := h.Dir.Ask(t.Context(), h.Call("never"), &actors.HangUp{Status: event.Failed})
		require.ErrorIs(t, err, fault.NotFound)
		time.Sleep(time.Second)
		require.Zero(t, h.Dir.Live(), "it leaves at once")
	})
}

// TestAnotherTimerDecidesOtherwise: a replay is a computation, not a comparison
// of a record with itself.
func TestAnotherTimerDecidesOtherwise(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(time.Second)
		c.Noise(400 * time.Millisecond)
		c.quiet()
		c.hangUp()
		events := c.h.CallEvents(t, "s")
		for _, set := range []event.Pair{{Key: "eot_cap", Value: "300ms"}, {Key: "pause", Value: "600ms"}, {Key: "false_interruption", Value: "2s"}} {
			report, err := replay.Call(events, []event.Pair{set})
			require.NoError(t, err)
			require.NotEmpty(t, report.Differences, "%s=%s changes nothing", set.Key, set.Value)
		}
		_, err := replay.Call(events, []event.Pair{{Key: "end_of_turn", Value: "1s"}})
		require.True(t, errors.Is(err, fault.Invalid), err)
	})
}
