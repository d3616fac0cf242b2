package actors_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
)

// stable is longer than a word lasts, so that only the last words of an
// utterance are guessed on.
var stable = []string{"VOICE_SPECULATE: True", "VOICE_SPECULATE_STABLE_MS: 400"}

func TestAGuessThatWasRightIsNotAskedAgain(t *testing.T) {
	inCall(t, stable, func(c *call) {
		t := c.t
		c.greeted()
		before := len(c.h.Events(t, "s"))
		c.h.Model.Wait = make(chan struct{})
		c.Say("the blue card please")
		time.Sleep(450 * time.Millisecond)
		require.Equal(t, 1, c.h.Model.Requests(), "the reply is prepared before the turn is closed")
		require.Len(t, c.h.Events(t, "s"), before, "and nothing of it is to be seen")
		close(c.h.Model.Wait)
		time.Sleep(50 * time.Millisecond)
		require.Len(t, c.h.Events(t, "s"), before, "also when it is ready")
		require.Equal(t, greeting, c.Heard(1))
		c.quiet()
		require.Equal(t, 1, c.h.Model.Requests(), "asked once")
		require.Equal(t, []string{"AI: " + greeting, "HUMAN: the blue card please", "AI: You said: the blue card please"}, c.lines())
	})
}

func TestAGuessThatWasWrongIsDropped(t *testing.T) {
	tests := map[string]struct {
		meanwhile func(c *call)
		want      string
	}{
		"the caller goes on": {func(c *call) {
			c.Say("of the bank")
		}, "the blue card please of the bank"},
		"the state has changed": {func(c *call) {
			name := event.P("Ann")
			_, err := c.h.Dir.Ask(c.t.Context(), c.h.Session("s"), &actors.Amend{Change: event.SessionUpdated{Name: &name}})
			require.NoError(c.t, err)
		}, "the blue card please"},
		"its model failed": {func(c *call) {
			c.h.Model.Set(func(m *actorstest.Model) { m.Fail = nil })
		}, "the blue card please"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inCall(t, stable, func(c *call) {
				t := c.t
				c.greeted()
				if name == "its model failed" {
					c.h.Model.Fail = fmt.Errorf("model: %w", fault.Exhausted)
					c.h.Model.Reply = says("")
				} else {
					c.h.Model.Pace = 100 * time.Millisecond
				}
				c.Say("the blue card please")
				time.Sleep(450 * time.Millisecond)
				require.Equal(t, 1, c.h.Model.Requests())
				c.h.Model.Set(func(m *actorstest.Model) { m.Reply = nil })
				tt.meanwhile(c)
				c.quiet()
				require.Greater(t, c.h.Model.Requests(), 1, "asked anew")
				require.Equal(t, "HUMAN: "+tt.want, c.lines()[1])
				require.Equal(t, "AI: You said: "+tt.want, c.lines()[2])
			})
		})
	}
}

func TestAGuessDisturbsNoReadingOfResults(t *testing.T) {
	inCall(t, stable, func(c *call) {
		t := c.t
		c.h.Model.Read = func(ctx context.Context, _ provider.Request) string {
			select {
			case <-time.After(3600 * time.Millisecond):
			case <-ctx.Done():
			}
			return `{"HumanFullName":"Ann Lee"}`
		}
		c.greeted()
		c.Say("my name is Ann Lee")
		for v := c.look(); v.State.Turn == 0 || v.State.Open != nil; v = c.look() {
			time.Sleep(20 * time.Millisecond)
		}
		require.Empty(t, c.look().State.Results, "the results are still being read")
		c.Say("the blue card please")
		time.Sleep(450 * time.Millisecond)
		require.Equal(t, 2, c.h.Model.Requests(), "while the next reply is prepared")
		c.h.Model.Set(func(m *actorstest.Model) { m.Read = nil })
		c.quiet()
		c.quiet()
		require.Equal(t, "Ann Lee", c.look().State.Value("HumanFullName"))
	})
}

func TestACallerWhoHangsUpEndsTheGuess(t *testing.T) {
	inCall(t, stable, func(c *call) {
		t := c.t
		c.greeted()
		c.h.Model.Wait = make(chan struct{})
		c.Say("the blue card please")
		time.Sleep(450 * time.Millisecond)
		c.hangUp()
		require.Contains(t, c.h.Trace.Lines(), "cancel model")
	})
}
