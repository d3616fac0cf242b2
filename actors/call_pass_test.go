package actors_test

import (
	"fmt"
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
)

const desk = `VOICE_TRANSFER_TARGETS: '{"desk":"sip:desk@127.0.0.1","lab":"+441"}'`

// transfers is a reply that puts the caller through.
func transfers(target, summary string) func(provider.Request) []provider.Delta {
	return func(provider.Request) []provider.Delta {
		return []provider.Delta{
			{Text: "I put you through."},
			{Call: &provider.ToolCall{ID: "1", Name: "TransferCall", Args: fmt.Sprintf(`{"target":%q,"summary":%q}`, target, summary)}},
			{Finish: provider.FinishTools},
		}
	}
}

// passing plays a call whose agent is asked for a person.
func passing(t *testing.T, mode string, before func(c *call), story func(c *call)) {
	t.Helper()
	inHouse(t, []string{desk, "VOICE_TRANSFER_MODE: " + mode, "VOICE_RECORD: True"}, nil, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		if before != nil {
			before(c)
		}
		h.Model.Reply = transfers("desk", "wants a new card")
		c.greeted()
		c.Say("a person please")
		c.quiet()
		story(c)
	})
}

// of are the events of a kind on the call's stream.
func of[E event.Event](c *call) []E {
	c.t.Helper()
	var out []E
	for _, e := range c.h.CallEvents(c.t, "s") {
		if b, ok := e.Body.(E); ok {
			out = append(out, b)
		}
	}
	return out
}

func TestABlindTransferEndsTheCallOnlyWhenItSucceeded(t *testing.T) {
	passing(t, "blind", func(c *call) { c.Line.Refers(actorstest.Referral{Takes: 5 * time.Second}) }, func(c *call) {
		t := c.t
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, "I put you through.", c.Heard(2), "what was said first was heard first")
		begun := of[event.TransferBegun](c)
		require.Len(t, begun, 1)
		require.Equal(t, []any{"blind", "desk", "sip:desk@127.0.0.1"}, []any{begun[0].Mode, begun[0].Name, begun[0].Target.Text})
		require.Len(t, of[event.TransferCompleted](c), 1)
		_, _, status := c.ended()
		require.Equal(t, event.Transferred, status)
		require.Equal(t, []string{"transferred"}, c.Line.Ended())
		require.Empty(t, c.h.Exchange.Dialled(), "a blind transfer dials nobody")
	})
}

func TestAFailedTransferIsToldWithinTwoSeconds(t *testing.T) {
	failures := map[string]struct {
		err    error
		reason string
		says   string
	}{
		"busy":           {&actors.NotReached{Status: event.Busy, Reason: "busy", Code: 486}, "busy", "the line is busy"},
		"nobody answers": {&actors.NotReached{Status: event.NoAnswer, Reason: "no_answer", Code: 480}, "no_answer", "nobody could take the call"},
		"declined":       {&actors.NotReached{Status: event.Declined, Reason: "declined", Code: 603}, "declined", "nobody could take the call"},
	}
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			passing(t, "blind", func(c *call) { c.Line.Refers(actorstest.Referral{Takes: 3 * time.Second, Err: f.err}) }, func(c *call) {
				t := c.t
				time.Sleep(5 * time.Second)
				c.quiet()
				failed := of[event.TransferFailed](c)
				require.Len(t, failed, 1)
				require.Equal(t, f.reason, failed[0].Reason)
				lines := strings.Join(c.lines(), "\n")
				require.Contains(t, lines, f.says)
				c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Of course.") })
				c.Say("then do it yourself")
				c.quiet()
				require.Contains(t, strings.Join(c.lines(), "\n"), "AI: Of course.", "the call goes on")
				require.Empty(t, of[event.TransferCompleted](c))
				at := failed[0].Offset
				for _, e := range of[event.CallInputs](c) {
					for _, in := range e.Inputs {
						if in.Kind == "audio_started" && in.Offset > failed[0].Offset && at == failed[0].Offset {
							at = in.Offset
						}
					}
				}
				require.Greater(t, at, failed[0].Offset)
				require.Less(t, at-failed[0].Offset, 2*time.Second)
				c.over()
				_, _, status := c.ended()
				require.Equal(t, event.Completed, status)
			})
		})
	}
}

func TestATransferThatTakesTooLongIsGivenUp(t *testing.T) {
	passing(t, "attended", func(c *call) { c.h.Exchange.Rings = time.Hour }, func(c *call) {
		time.Sleep(40 * time.Second)
		failed := of[event.TransferFailed](c)
		require.Len(c.t, failed, 1)
		require.Contains(c.t, []string{"timeout", "no_answer"}, failed[0].Reason)
		c.over()
	})
}

func TestAnAttendedTransferDialsFirst(t *testing.T) {
	passing(t, "attended", func(c *call) { c.Line.Refers(actorstest.Referral{Takes: time.Second}) }, func(c *call) {
		t := c.t
		time.Sleep(3 * time.Second)
		require.Len(t, c.h.Exchange.Dialled(), 1)
		require.Equal(t, "sip:desk@127.0.0.1", c.h.Exchange.Dialled()[0].To)
		require.Contains(t, c.h.Trace.Lines(), "refer to the other call")
		_, _, status := c.ended()
		require.Equal(t, event.Transferred, status)
		require.Len(t, c.h.Exchange.Phone(0).Line.Ended(), 1, "our line to the person is given up")
	})
}

func TestAWarmTransferBriefsThenJoins(t *testing.T) {
	passing(t, "warm", nil, func(c *call) {
		t := c.t
		person := c.h.Exchange.Phone(0)
		require.NotNil(t, person)
		person.Line.Up()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Contains(t, person.Heard(1), "wants a new card", "the person is told what it is about")
		trace := c.h.Trace.Lines()
		require.Less(t, slices.Index(trace, "music"), slices.Index(trace, "join"))
		require.Less(t, slices.Index(trace, "music ends"), slices.Index(trace, "join"))
		require.Equal(t, event.Transferred, c.look().State.Status, "the session is over")
		done := of[event.TransferCompleted](c)
		require.Len(t, done, 1)
		require.True(t, done[0].Joined)
		require.Empty(t, of[event.CallEnded](c), "the call goes on through us")
		time.Sleep(5 * time.Minute)
		require.Empty(t, of[event.CallEnded](c))
		person.Line.End("hangup")
		time.Sleep(time.Second)
		require.Len(t, of[event.CallEnded](c), 1)
		require.Equal(t, []string{"s"}, c.h.Tapes.Kept(), "recorded to the end")
		require.NotEmpty(t, c.Line.Ended())
		report, err := replay.Call(c.h.CallEvents(t, "s"), nil)
		require.NoError(t, err)
		require.Empty(t, report.Differences)
	})
}

func TestACallerWhoHangsUpEndsBothCalls(t *testing.T) {
	passing(t, "warm", nil, func(c *call) {
		c.h.Exchange.Phone(0).Line.Up()
		time.Sleep(20 * time.Second)
		require.Len(c.t, of[event.TransferCompleted](c), 1)
		c.Line.End("hangup")
		time.Sleep(2 * time.Second)
		require.Len(c.t, c.h.Exchange.Phone(0).Line.Ended(), 1, "nobody is left on a dead line")
		require.True(c.t, c.h.Exchange.Phone(0).Closed())
		require.Contains(c.t, c.h.Trace.Lines(), "part")
		require.Len(c.t, of[event.CallEnded](c), 1)
	})
}

func TestAPersonWhoHangsUpDuringTheBriefingTakesNothing(t *testing.T) {
	passing(t, "warm", func(c *call) { c.h.Exchange.Rings = 5 * time.Second }, func(c *call) {
		t := c.t
		for c.h.Exchange.Phone(0) == nil {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(500 * time.Millisecond)
		c.h.Exchange.Phone(0).Line.End("hangup")
		time.Sleep(5 * time.Second)
		failed := of[event.TransferFailed](c)
		require.Len(t, failed, 1)
		require.Equal(t, "hung_up", failed[0].Reason)
		c.over()
	})
}

func TestACallerWhoHangsUpDuringATransferLeavesNothingBehind(t *testing.T) {
	for _, mode := range []string{"blind", "attended", "warm"} {
		t.Run(mode, func(t *testing.T) {
			passing(t, mode, func(c *call) { c.h.Exchange.Rings = time.Minute }, func(c *call) {
				time.Sleep(2 * time.Second)
				c.Line.End("hangup")
				time.Sleep(2 * time.Second)
				require.Contains(c.t, c.h.Trace.Lines(), "cancel sip:desk@127.0.0.1")
				_, _, status := c.ended()
				require.Equal(c.t, event.Completed, status)
			})
		})
	}
}

func TestOnlyNamedTargetsAreCalled(t *testing.T) {
	passing(t, "blind", func(c *call) { c.h.Model.Reply = nil }, func(*call) {})
	inHouse(t, []string{desk}, nil, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		h.Model.Reply = transfers("sip:premium@10.0.0.1", "")
		c.greeted()
		c.Say("call that number")
		c.quiet()
		require.Empty(t, of[event.TransferBegun](c))
		require.Empty(t, h.Exchange.Dialled())
		var refused []string
		for _, e := range h.Events(t, "s") {
			if b, ok := e.Body.(event.ToolCalled); ok && b.Call.Name == "TransferCall" {
				refused = append(refused, b.Refused)
			}
		}
		require.NotEmpty(t, refused)
		require.Contains(t, refused[0], "target must be one of: desk, lab")
		c.over()
	})
}
