package actors_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/provider"
)

// story is a reply of two clauses, 8 and 9 words.
const tale = "There was a man who had two dogs, and one of them was white as winter snow."

// deeds are those of the trace that begin with one of the prefixes, in order.
func deeds(trace []string, prefixes ...string) []string {
	var out []string
	for _, line := range trace {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				out = append(out, line)
			}
		}
	}
	return out
}

func TestTheFloorIsYieldedFromTheEarInwards(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says(tale + " It ran all day long and slept all night.")
		c.h.Model.Pace = 200 * time.Millisecond // the model is still at work when the caller speaks
		// Results are still being read, too: that goes on.
		reading := make(chan error, 8)
		c.h.Model.Read = func(ctx context.Context, _ provider.Request) string {
			select {
			case <-time.After(4 * time.Second):
			case <-ctx.Done():
			}
			reading <- ctx.Err()
			return `{"HumanFullName":"Ann Lee"}`
		}
		c.greeted()
		c.Say("tell me something")
		c.talking(900 * time.Millisecond)
		c.h.Trace.Reset()
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply, m.Pace = says("Fine."), 0 })
		c.Say("stop it now please")
		require.Equal(t, []string{"pause 2", "flush 2", "cancel voice 2", "cancel model"},
			deeds(c.h.Trace.Lines(), "pause", "flush", "cancel"), "the speaker falls silent first, the model last, all at once")
		c.quiet()
		require.NoError(t, <-reading, "the reading of results outlives the reply")
		require.Equal(t, []string{
			"AI: " + greeting, "HUMAN: tell me something", "AI: There was a [interrupted]", "HUMAN: stop it now please", "AI: Fine.",
		}, c.lines())
		require.Equal(t, "Fine.", c.Heard(3))
		require.Equal(t, "Ann Lee", c.look().State.Value("HumanFullName"))
	})
}

func TestWhatWasHeardIsCutAtAWord(t *testing.T) {
	tales := map[string]struct {
		env   []string
		after time.Duration
		voice func(v *actorstest.Voice)
		heard string
	}{
		"in the first clause":    {after: 1300 * time.Millisecond, heard: "There was a man who"},
		"in the second clause":   {after: 3500 * time.Millisecond, heard: "There was a man who had two dogs, and one of them"},
		"a whole clause at once": {after: 3500 * time.Millisecond, voice: func(v *actorstest.Voice) { v.Chunk = 0 }, heard: "There was a man who had two dogs, and one of them"},
		"a voice without timings": {
			after: 3500 * time.Millisecond, voice: func(v *actorstest.Voice) { v.Mute = true }, heard: "There was a man who had two dogs, and one of them was",
		},
	}
	for name, tt := range tales {
		t.Run(name, func(t *testing.T) {
			inCall(t, tt.env, func(c *call) {
				c.h.Model.Reply = says(tale)
				if tt.voice != nil {
					tt.voice(c.h.Voice)
					c.deceit = 1
				}
				c.greeted()
				c.Say("tell me something")
				c.talking(tt.after)
				c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Fine.") })
				c.Say("no no stop")
				c.quiet()
				require.Equal(c.t, "AI: "+tt.heard+" [interrupted]", c.lines()[2])
				require.Equal(c.t, "Fine.", c.Heard(3))
				asked := c.h.Model.Asked[len(c.h.Model.Asked)-1].Messages
				require.Contains(c.t, asked, provider.Message{Role: provider.RoleAssistant, Text: tt.heard, Interrupted: true},
					"the model is told what was heard, and no more")
			})
		})
	}
}

func TestACoughPausesAndResumesFromAWord(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(1100 * time.Millisecond)
		c.h.Trace.Reset()
		c.Noise(400 * time.Millisecond)
		c.quiet()
		require.Equal(t, []string{"duck -12", "pause 2", "duck 0", "duck 0", "resume 2 from 1.2s"}, deeds(c.h.Trace.Lines(), "duck", "pause", "resume", "flush"))
		require.Equal(t, "AI: "+tale, c.lines()[2], "nothing of it is lost")
		require.Equal(t, 1, c.h.Model.Requests(), "a cough asks nothing")
		resumed := 0
		for _, s := range c.Sent() {
			if s.Gen == 2 {
				resumed++
			}
		}
		require.Greater(t, resumed, 17*15, "the word that was being said is said again")
	})
}

func TestABackchannelIsNoTurn(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(time.Second)
		c.Say("mhm")
		c.quiet()
		require.Equal(c.t, []string{"AI: " + greeting, "HUMAN: tell me something", "AI: " + tale}, c.lines())
	})
}

func TestASecondUtteranceWhileTheAgentThinks(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Wait = make(chan struct{})
		c.greeted()
		c.Say("what is the fee")
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, c.h.Model.Requests())
		c.h.Trace.Reset()
		c.Say("of the small card")
		time.Sleep(2 * time.Second)
		require.Contains(t, c.h.Trace.Lines(), "cancel model", "the first thought is given up")
		c.h.Model.Wait <- struct{}{}
		c.quiet()
		require.Equal(t, []string{
			"AI: " + greeting, "HUMAN: what is the fee", "AI:  [interrupted]", "HUMAN: of the small card", "AI: You said: of the small card",
		}, c.lines())
	})
}

func TestDigitsAreAnUtterance(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(time.Second)
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Thank you.") })
		c.Keys("407#")
		c.quiet()
		v := c.look()
		require.Equal(t, "HUMAN: 407", c.lines()[3])
		require.True(t, v.State.Lines[3].Digits)
		require.True(t, v.State.Lines[2].Interrupted, "a digit may interrupt")
		require.Equal(t, "[digits: 407]", c.h.Model.Asked[len(c.h.Model.Asked)-1].Messages[3].Text)
		pressed := ""
		for _, e := range c.h.CallEvents(t, "s") {
			if d, ok := e.Body.(event.CallDigit); ok {
				pressed += d.Digit.Text
			}
		}
		require.Equal(t, "407#", pressed)
	})
}

func TestHoldKeepsWhatIsLeftToSay(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(time.Second)
		c.Line.Hold()
		time.Sleep(time.Second)
		n := len(c.Sent())
		c.Say("music on hold has words too")
		time.Sleep(30 * time.Second) // longer than a silent caller is waited for
		require.Len(t, c.Sent(), n, "nobody speaks to the music")
		c.Line.Unhold()
		c.quiet()
		require.Equal(t, []string{"AI: " + greeting, "HUMAN: tell me something", "AI: " + tale}, c.lines())
		var kinds []event.Kind
		for _, e := range c.h.CallEvents(t, "s") {
			switch e.Body.(type) {
			case event.CallHeld, event.CallResumed:
				kinds = append(kinds, e.Body.Kind())
			default:
			}
		}
		require.Equal(t, []event.Kind{"call.held.v1", "call.resumed.v1"}, kinds)
	})
}

func TestAnUnheardUtteranceIsAskedForAgain(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		c.Noise(1500 * time.Millisecond)
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{"AI: " + greeting, "HUMAN: ", "AI: Please say that again."}, c.lines())
		require.Zero(t, c.h.Model.Requests(), "no model is needed for that")
	})
}

func TestTheGreetingMayBeInterrupted(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.Line.Up()
		c.talking(500 * time.Millisecond)
		c.Say("what is the fee")
		c.quiet()
		require.Equal(c.t, []string{"AI: Hello, this [interrupted]", "HUMAN: what is the fee", "AI: You said: what is the fee"}, c.lines())
	})
}

func TestACallerWhoSpeaksBeforeTheLineIsUp(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.Say("what is the fee")
		time.Sleep(2 * time.Second)
		require.Empty(c.t, c.Sent())
		c.Line.Up()
		c.quiet()
		require.Equal(c.t, []string{"HUMAN: what is the fee", "AI: You said: what is the fee"}, c.lines())
	})
}

func TestFillersAreSpokenOnlyWhereTheyAreEnabled(t *testing.T) {
	for name, env := range map[string][]string{"enabled": {"ENABLE_FILLER_PHRASES: True"}, "not enabled": nil} {
		t.Run(name, func(t *testing.T) {
			inCall(t, env, func(c *call) {
				c.h.Model.Wait = make(chan struct{})
				c.greeted()
				c.Say("what is the fee")
				time.Sleep(4 * time.Second)
				c.h.Model.Wait <- struct{}{}
				c.quiet()
				last := c.lines()[2]
				require.Equal(c.t, env == nil, last == "AI: You said: what is the fee", last)
				require.True(c.t, strings.HasSuffix(last, "You said: what is the fee"), last)
			})
		})
	}
}
