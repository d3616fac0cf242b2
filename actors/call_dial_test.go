package actors_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/provider"
)

// outbound plays a story on a call that the agent places.
func outbound(t *testing.T, env []string, before func(h *actorstest.House), story func(c *call)) {
	t.Helper()
	inHouse(t, env, before, func(t *testing.T, h *actorstest.House) {
		h.Placed(t, "s", "sip:ann@127.0.0.1")
		c := &call{t: t, h: h}
		defer func() {
			if c.Phone != nil {
				c.hangUp()
			}
		}()
		story(c)
	})
}

// answered waits for the phone that picks up.
func (c *call) answered() {
	c.t.Helper()
	for range 6000 {
		if p := c.h.Exchange.Phone(0); p != nil {
			c.Phone = p
			p.Line.Up()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatal("nobody answers")
}

func TestACallThatIsNotAnsweredEndsWithItsStatus(t *testing.T) {
	outcomes := map[string]struct {
		err  error
		want event.Status
	}{
		"busy":     {&actors.NotReached{Status: event.Busy, Reason: "busy", Code: 486}, event.Busy},
		"declined": {&actors.NotReached{Status: event.Declined, Reason: "declined", Code: 603}, event.Declined},
		"failed":   {&actors.NotReached{Status: event.Failed, Reason: "failed", Code: 500}, event.Failed},
	}
	for name, o := range outcomes {
		t.Run(name, func(t *testing.T) {
			outbound(t, nil, func(h *actorstest.House) { h.Exchange.Fails = o.err }, func(c *call) {
				time.Sleep(time.Second)
				_, _, status := c.ended()
				require.Equal(t, o.want, status)
				events := c.h.CallEvents(t, "s")
				offered := events[0].Body.(event.CallOffered)
				require.Equal(t, "outbound", offered.Direction)
				require.Equal(t, event.Kind("call.ended.v1"), events[len(events)-1].Body.Kind())
				require.NotEmpty(t, of[event.CallProgressed](c))
			})
		})
	}
	t.Run("nobody picks up", func(t *testing.T) {
		outbound(t, []string{"VOICE_RING_TIMEOUT: 20"}, func(h *actorstest.House) { h.Exchange.Rings = time.Hour }, func(c *call) {
			time.Sleep(19 * time.Second)
			require.Empty(t, of[event.CallEnded](c))
			time.Sleep(2 * time.Second)
			_, _, status := c.ended()
			require.Equal(t, event.NoAnswer, status)
		})
	})
	t.Run("taken back", func(t *testing.T) {
		outbound(t, nil, func(h *actorstest.House) { h.Exchange.Rings = time.Hour }, func(c *call) {
			time.Sleep(2 * time.Second)
			_, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), &actors.HangUp{Status: event.Canceled})
			require.NoError(t, err)
			time.Sleep(time.Second)
			_, _, status := c.ended()
			require.Equal(t, event.Canceled, status)
			require.Contains(t, c.h.Trace.Lines(), "cancel sip:ann@127.0.0.1")
		})
	})
}

func TestAnAnsweredCallIsGreeted(t *testing.T) {
	outbound(t, []string{"VOICE_AMD: False"}, func(h *actorstest.House) { h.Exchange.Rings = 3 * time.Second }, func(c *call) {
		c.answered()
		c.quiet()
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("It is free.") })
		c.Say("what is the fee")
		c.quiet()
		require.Equal(t, []string{"AI: " + greeting, "HUMAN: what is the fee", "AI: It is free."}, c.lines())
		c.over()
	})
}

// screener says what it is told to.
type screener struct {
	mu sync.Mutex
	v  actors.Screened
}

func (s *screener) Frame([]int16) actors.Screened {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v
}

func (s *screener) Words(string) actors.Screened { return s.Frame(nil) }

func (s *screener) find(v actors.Screened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v = v
}

// screenedBy gives a house a screener.
func screenedBy(s *screener) func(h *actorstest.House) {
	return func(h *actorstest.House) {
		h.Screen = func(time.Duration, time.Duration, string) actors.Screener { return s }
	}
}

func TestAPersonIsGreetedAtOnceAndNotBefore(t *testing.T) {
	s := new(screener)
	outbound(t, nil, screenedBy(s), func(c *call) {
		c.answered()
		c.Say("hello")
		time.Sleep(3 * time.Second)
		require.Empty(t, c.Sent(), "nothing is said before it is known who answered")
		s.find(actors.Screened{Verdict: "human", Why: "greeting", Took: 3 * time.Second})
		time.Sleep(300 * time.Millisecond)
		require.NotEmpty(t, c.Sent(), "a person is spoken to at once")
		c.quiet()
		require.Equal(t, []string{"AI: " + greeting}, c.lines())
		require.Equal(t, "human", of[event.CallScreened](c)[0].Verdict)
		require.Equal(t, "hello", of[event.CallScreened](c)[0].Heard.Text)
		c.over()
	})
}

func TestAMachineGetsNothingOrItsMessage(t *testing.T) {
	t.Run("hang up", func(t *testing.T) {
		s := new(screener)
		outbound(t, nil, screenedBy(s), func(c *call) {
			c.answered()
			time.Sleep(2 * time.Second)
			s.find(actors.Screened{Verdict: "machine", Why: "words", Took: 2 * time.Second})
			time.Sleep(time.Second)
			require.Empty(t, c.Sent())
			_, _, status := c.ended()
			require.Equal(t, event.NoAnswer, status)
			require.Empty(t, of[event.VoicemailLeft](c))
		})
	})
	t.Run("message after the beep", func(t *testing.T) {
		s := new(screener)
		env := []string{"VOICE_VOICEMAIL_ACTION: message", "VOICE_VOICEMAIL_MESSAGE: Please call us back."}
		outbound(t, env, screenedBy(s), func(c *call) {
			c.answered()
			time.Sleep(2 * time.Second)
			s.find(actors.Screened{Verdict: "machine", Why: "words", Took: 2 * time.Second})
			time.Sleep(20 * time.Second)
			require.Empty(t, c.Sent(), "the beep is awaited, however long the greeting is")
			s.find(actors.Screened{Verdict: "machine", Why: "words", Took: 2 * time.Second, Beep: 22 * time.Second, Speak: true})
			time.Sleep(30 * time.Second)
			require.Equal(t, "Please call us back.", c.Heard(1))
			left := of[event.VoicemailLeft](c)
			require.Len(t, left, 1)
			require.True(t, left[0].Beep)
			require.True(t, left[0].Whole)
			_, _, status := c.ended()
			require.Equal(t, event.NoAnswer, status)
		})
	})
}

func TestAMenuIsAnsweredWithKeys(t *testing.T) {
	s := new(screener)
	calls := func(h *actorstest.House) {
		screenedBy(s)(h)
		h.Agent(t, strings.Replace(actorstest.VoiceFile("VOICE_SPECULATE: False"), "inbound_voice", "outbound_voice", 1))
	}
	outbound(t, nil, calls, func(c *call) {
		c.answered()
		c.h.Model.Reply = presses("1w2")
		c.Say("for sales press one")
		time.Sleep(3 * time.Second)
		s.find(actors.Screened{Verdict: "menu", Why: "words", Took: 3 * time.Second})
		time.Sleep(6 * time.Second)
		require.Equal(t, "12", c.Pressed())
		require.Contains(t, c.lines(), "HUMAN: for sales press one")
		c.over()
	})
}

// presses is a reply that presses keys and says nothing.
func presses(keys string) func(provider.Request) []provider.Delta {
	return func(provider.Request) []provider.Delta {
		return []provider.Delta{
			{Call: &provider.ToolCall{ID: "1", Name: "SendDigits", Args: `{"digits":"` + keys + `"}`}},
			{Finish: provider.FinishTools},
		}
	}
}
