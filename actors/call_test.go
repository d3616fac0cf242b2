package actors_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/provider"
	"flametree/engine/replay"
	"flametree/persist/journal/journaltest"
)

// call is a call in virtual time.
type call struct {
	*actorstest.Phone
	t      *testing.T
	h      *actorstest.House
	deceit int  // words by which the transcript may say more than was sent: 1 for a voice without timings
	twice  bool // a broken voice's words were said again by the next one
}

// greeting is what the agent of these tests says first: 4 words, 1.2 s.
const greeting = "Hello, this is Echo."

// inCall plays a story on a call and then proves what holds for every call:
// its inputs decide the same again, the session is what its journal says, and
// the end is in order.
func inCall(t *testing.T, env []string, story func(c *call)) {
	t.Helper()
	inHouse(t, env, nil, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp() // also when the story fails: nothing may be left in the bubble
		story(c)
		c.over()
	})
}

// inHouse makes a house in a bubble.
func inHouse(t *testing.T, env []string, before func(h *actorstest.House), story func(t *testing.T, h *actorstest.House)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second) // protoactor counts dead letters a little longer
		h := actorstest.On(t, journaltest.NewMemory(), time.Hour)
		if !strings.Contains(strings.Join(env, "\n"), "VOICE_SPECULATE") {
			env = append([]string{"VOICE_SPECULATE: False"}, env...)
		}
		h.Agent(t, actorstest.VoiceFile(env...))
		if before != nil {
			before(h)
		}
		story(t, h)
	})
}

// greeted has the line come up and the greeting heard.
func (c *call) greeted() {
	c.Line.Up()
	c.quiet()
}

// quiet waits until nothing has been sent for two seconds.
func (c *call) quiet() {
	c.t.Helper()
	for range 1000 {
		n := len(c.Sent())
		time.Sleep(2 * time.Second)
		if len(c.Sent()) == n {
			return
		}
	}
	c.t.Fatal("the agent never stops talking")
}

// talking waits until the agent has talked for d in what it says next.
func (c *call) talking(d time.Duration) {
	c.t.Helper()
	n := len(c.Sent())
	for range 3000 {
		if len(c.Sent()) > n {
			time.Sleep(d)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatal("the agent never talks")
}

// look is the session as it lives.
func (c *call) look() *actors.View {
	c.t.Helper()
	return look(c.t, c.h, "s")
}

// lines are the spoken lines of the conversation.
func (c *call) lines() []string {
	c.t.Helper()
	var out []string
	for _, l := range c.look().State.Lines {
		text := l.Role + ": " + l.Text
		if l.Interrupted {
			text += " [interrupted]"
		}
		out = append(out, text)
	}
	return out
}

// hangUp ends the call at the caller's wish, if nobody has.
func (c *call) hangUp() {
	c.Line.End("hangup")
	time.Sleep(time.Second)
	synctest.Wait()
}

// over hangs up, if nobody has, and proves what holds for every call.
func (c *call) over() {
	t := c.t
	t.Helper()
	c.hangUp()
	events := c.h.CallEvents(t, "s")
	require.Equal(t, event.Kind("call.offered.v1"), events[0].Body.Kind())
	require.Equal(t, event.Kind("call.ended.v1"), events[len(events)-1].Body.Kind(), "the end of a call is its last event")
	report, err := replay.Call(events, nil)
	require.NoError(t, err)
	require.Empty(t, report.Differences, "the call decides otherwise when it is played again")
	require.Positive(t, report.Inputs)

	session := c.h.Events(t, "s")
	live := c.look().State
	require.Equal(t, live, replay.State(session), "live state and replayed state")
	require.Empty(t, replay.Session(session, c.h.Cast.Revision).Differences)
	require.True(t, live.Ended)
	require.Nil(t, live.Open, "a reply was left open")
	require.True(t, c.Closed(), "the leg was left open")
	require.Len(t, c.Line.Ended(), 1, "hung up once")
	c.truthful(session)
	c.silentAfterFlush()
}

// truthful compares what the journal says was heard with what was sent: never
// more than that, and at most three words less (one under way to the ear, one
// begun, one cut by the pause before the yield).
func (c *call) truthful(session []event.Envelope) {
	c.t.Helper()
	if c.twice {
		return
	}
	var spoken []string
	for _, e := range session {
		if b, ok := e.Body.(event.ReplySpoken); ok && b.Text.Text != "" {
			spoken = append(spoken, b.Text.Text)
		}
	}
	var sent []string
	gens := []uint64{}
	for _, s := range c.Sent() {
		if !slices.Contains(gens, s.Gen) {
			gens = append(gens, s.Gen)
			if text := c.Heard(s.Gen); text != "" {
				sent = append(sent, text)
			}
		}
	}
	for _, text := range spoken {
		told := strings.Fields(text)
		text = strings.Join(told[:max(0, len(told)-c.deceit)], " ")
		for len(sent) > 0 && !strings.HasPrefix(sent[0], text) && len(strings.Fields(sent[0])) <= 3 {
			sent = sent[1:] // too little of it arrived to be told
		}
		require.NotEmpty(c.t, sent, "%q is said to be heard and was never sent", text)
		require.True(c.t, strings.HasPrefix(sent[0], text), "said to be heard: %q, sent: %q", text, sent[0])
		require.LessOrEqual(c.t, len(strings.Fields(sent[0]))-len(told), 3, "heard %q of %q", text, sent[0])
		sent = sent[1:]
	}
}

// silentAfterFlush proves that nothing of a yielded generation is played after.
func (c *call) silentAfterFlush() {
	c.t.Helper()
	newest := uint64(0)
	for _, s := range c.Sent() {
		require.GreaterOrEqual(c.t, s.Gen, newest, "an older generation is heard again")
		newest = s.Gen
	}
}

// ended is the reason and the author of the call's end, and the session's status.
func (c *call) ended() (reason, by string, status event.Status) {
	c.t.Helper()
	for _, e := range c.h.CallEvents(c.t, "s") {
		if b, ok := e.Body.(event.CallEnded); ok {
			reason, by = b.Reason, b.By
		}
	}
	return reason, by, c.look().State.Status
}

func says(text string) func(provider.Request) []provider.Delta {
	return func(provider.Request) []provider.Delta { return actorstest.Says(text) }
}

func TestTheGreetingIsSpokenWhenTheLineIsUp(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		time.Sleep(8 * time.Second) // the ACK was lost several times
		require.Empty(t, c.Sent(), "spoken before the line was up")
		c.greeted()
		require.Equal(t, greeting, c.Heard(1))
		require.Equal(t, []string{"AI: " + greeting}, c.lines())
	})
}

func TestAReplyIsSpokenClauseByClause(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says("There are two cards, the small one and the big one. Which of them shall I explain?")
		c.h.Model.Pace = 150 * time.Millisecond
		c.greeted()
		c.h.Trace.Reset()
		c.Say("what cards do you have")
		c.talking(0)
		first := c.h.Trace.Lines()
		require.Contains(t, first, "speak 2/1 There are two cards,", "the first clause is spoken at once")
		require.NotContains(t, strings.Join(first, "\n"), "speak 2/2", "while the rest is still being thought")
		c.quiet()
		require.Equal(t, []string{
			"AI: " + greeting, "HUMAN: what cards do you have",
			"AI: There are two cards, the small one and the big one. Which of them shall I explain?",
		}, c.lines())
	})
}
