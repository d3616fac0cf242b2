package actors_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// wants has somebody else ask for the place of who is on the call.
func (c *call) wants(p *actorstest.Phone) error {
	_, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), &actors.Replace{
		Leg: p, Line: p.Line, From: "sip:bea@example.net", SIPCallID: "second", Transport: "udp",
	})
	return err
}

// inHands plays a story on a call that is recorded and changes hands, and proves
// at its end that it is decided again as it was.
func inHands(t *testing.T, before func(h *actorstest.House), story func(c *call)) {
	t.Helper()
	inHouse(t, []string{"VOICE_RECORD: True", desk}, before, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h, twice: true}
		defer func() { c.hangUp() }()
		story(c)
		c.over()
	})
}

// The one who is on the call is another from one moment to the next: the
// conversation and its recording go on, and the journal says so.
func TestSomebodyElseTakesTheCall(t *testing.T) {
	for name, leaves := range map[string]func(old, next *actorstest.Line){
		"as the line says":       func(old, next *actorstest.Line) { old.Replaced(); next.Up() },
		"when he is up":          func(old, next *actorstest.Line) { next.Up(); old.Replaced() },
		"the old one hangs up":   func(old, next *actorstest.Line) { old.End("hangup"); next.Up() },
		"the old one held first": func(old, next *actorstest.Line) { old.Hold(); old.Replaced(); next.Up() },
	} {
		t.Run(name, func(t *testing.T) {
			inHands(t, nil, func(c *call) {
				t, h, old := c.t, c.h, c.Phone
				require.Equal(t, h.Call("s"), old.Line.Owner())
				c.greeted()
				next := actorstest.NewPhone(h.Trace)
				require.NoError(t, c.wants(next))
				require.Equal(t, h.Call("s"), next.Line.Owner())
				synctest.Wait()
				require.False(t, old.Closed(), "nothing changes before the line says so")
				require.Zero(t, next.Stats().Received)
				leaves(old.Line, next.Line)
				time.Sleep(100 * time.Millisecond)
				require.True(t, old.Closed())
				require.Equal(t, []string{"transferred"}, old.Line.Ended())
				require.Positive(t, next.Stats().Received, "he is heard at once")
				c.Phone = next
				h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Of course, Bea.") })
				c.Say("this is Bea now")
				c.quiet()
				require.Contains(t, strings.Join(c.lines(), "\n"), "HUMAN: this is Bea now\nAI: Of course, Bea.")
				told := of[event.CallReplaced](c)
				require.Len(t, told, 1)
				require.Positive(t, told[0].Offset)
				require.Equal(t, event.CallReplaced{
					How: "replaces", From: event.P("sip:bea@example.net"), SIPCallID: "second", Transport: "udp", Codec: "PCMU", BandHz: 8000,
					Offset: told[0].Offset,
				}, told[0])
				c.over()
				reason, by, status := c.ended()
				require.Equal(t, []any{"hangup", "peer", event.Completed}, []any{reason, by, status})
				end := of[event.CallEnded](c)[0]
				require.InDelta(t, float64(old.Stats().Received+next.Stats().Received), float64(end.Received), 1, "packets of both count")
				rec := of[event.RecordingClosed](c)
				require.Len(t, rec, 1)
				require.InDelta(t, float64(end.Received), float64(rec[0].Length/actorstest.FrameTime), 5, "it is recorded to the end")
			})
		})
	}
}

// What the agent says to one is not said on to the other, and what the one asked
// is not answered to the other.
func TestWhoComesHearsNothingThatWasForAnother(t *testing.T) {
	for name, before := range map[string]func(c *call){
		"mid-sentence": func(c *call) { c.talking(600 * time.Millisecond) },
		"mid-question": func(*call) {},
		"mid-thought":  func(*call) { time.Sleep(700 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			inHands(t, func(h *actorstest.House) {
				h.Model.Reply = says("One is for the first of the two, and two is for the first of them also.")
			}, func(c *call) {
				t, old := c.t, c.Phone
				c.greeted()
				c.Say("what is one")
				before(c)
				next := actorstest.NewPhone(c.h.Trace)
				require.NoError(t, c.wants(next))
				old.Line.Replaced()
				next.Line.Up()
				c.Phone = next
				time.Sleep(5 * time.Second)
				require.Zero(t, len(next.Sent()))
				sent := len(old.Sent())
				c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Good day.") })
				c.Say("hello")
				c.quiet()
				require.Contains(t, strings.Join(c.lines(), "\n"), "AI: Good day.")
				require.NotContains(t, strings.Join(c.lines(), "\n"), "first of them also")
				require.Equal(t, sent, len(old.Sent()))
			})
		})
	}
}

// One who gives up before he is answered changes nothing.
func TestWhoGivesUpTakesNothing(t *testing.T) {
	inHands(t, nil, func(c *call) {
		c.greeted()
		next := actorstest.NewPhone(c.h.Trace)
		require.NoError(t, c.wants(next))
		require.ErrorIs(c.t, c.wants(actorstest.NewPhone(c.h.Trace)), fault.Conflict, "one at a time")
		next.Line.End("canceled")
		synctest.Wait()
		require.True(c.t, next.Closed())
		require.False(c.t, c.Closed())
		require.Empty(c.t, of[event.CallReplaced](c))
		again := actorstest.NewPhone(c.h.Trace)
		require.NoError(c.t, c.wants(again), "the next one may")
		c.hangUp()
		require.True(c.t, again.Closed() == (c.Phone == again), "who had the call then has it")
		c.Phone = again
	})
}

// What is under way with somebody else keeps others from taking the call.
func TestACallThatIsBusyIsNotTakenOver(t *testing.T) {
	t.Run("not answered yet", func(t *testing.T) {
		outbound(t, nil, func(h *actorstest.House) { h.Exchange.Rings = time.Minute }, func(c *call) {
			time.Sleep(time.Second)
			t := c.t
			require.ErrorIs(t, c.wants(actorstest.NewPhone(c.h.Trace)), fault.Conflict)
			_, err := c.h.Dir.Ask(t.Context(), c.h.Call("s"), &actors.HangUp{Status: event.Canceled})
			require.NoError(t, err)
			time.Sleep(time.Second)
		})
	})
	t.Run("being passed on", func(t *testing.T) {
		passing(t, "warm", nil, func(c *call) {
			require.ErrorIs(c.t, c.wants(actorstest.NewPhone(c.h.Trace)), fault.Conflict)
			require.ErrorIs(c.t, c.refers(nil), fault.Conflict)
		})
	})
	t.Run("over", func(t *testing.T) {
		inCall(t, nil, func(c *call) {
			c.greeted()
			c.hangUp()
			require.ErrorIs(c.t, c.wants(actorstest.NewPhone(c.h.Trace)), fault.NotFound)
		})
	})
}

// refers has the other end ask for somebody else in its place; report may be nil.
func (c *call) refers(report func(code int)) error {
	if report == nil {
		report = func(int) {}
	}
	_, err := c.h.Dir.Ask(context.WithoutCancel(c.t.Context()), c.h.Call("s"), &actors.Referred{
		Dial:   actors.Dialling{Tenant: c.h.Tenant, Connection: "pbx", To: "sip:bea@127.0.0.1", Referral: &actors.Referral{By: "<sip:ann@x>"}},
		Report: report,
	})
	return err
}

// reports collects what the other end is told.
func (c *call) reports() (codes *[]int, report func(int)) {
	codes = new([]int)
	return codes, func(code int) { *codes = append(*codes, code) }
}

// The other end asks for somebody: he is called once the journal knows, the
// conversation goes on with him, and who asked has 2 s to hang up by himself.
func TestTheOtherEndHasItsPlaceTaken(t *testing.T) {
	for name, bye := range map[string]bool{"and hangs up": true, "and does not hang up": false} {
		t.Run(name, func(t *testing.T) {
			inHands(t, func(h *actorstest.House) { h.Exchange.Rings = 10 * time.Second }, func(c *call) {
				t, h, old := c.t, c.h, c.Phone
				c.greeted()
				codes, report := c.reports()
				require.NoError(t, c.refers(report))
				require.ErrorIs(t, c.refers(nil), fault.Conflict, "one at a time")
				h.Model.Set(func(m *actorstest.Model) { m.Reply = says("I wait with you.") })
				c.Say("one moment")
				c.quiet()
				require.Contains(t, strings.Join(c.lines(), "\n"), "AI: I wait with you.", "the call goes on meanwhile")
				for h.Exchange.Phone(0) == nil {
					time.Sleep(20 * time.Millisecond)
				}
				d := h.Exchange.Dialled()
				require.Len(t, d, 1)
				require.Equal(t, []string{"pbx", "echo", "sip:bea@127.0.0.1", "<sip:ann@x>"}, []string{d[0].Connection, d[0].Agent, d[0].To, d[0].Referral.By})
				begun := of[event.TransferBegun](c)
				require.Len(t, begun, 1)
				require.Equal(t, "referred", begun[0].Mode)
				next := h.Exchange.Phone(0)
				next.Line.Up()
				synctest.Wait()
				require.Equal(t, []int{180, 200}, *codes)
				require.True(t, old.Closed(), "the sound is with who came")
				require.Empty(t, old.Line.Ended(), "who asked may say goodbye by himself")
				if bye {
					old.Line.End("hangup")
				}
				c.Phone = next
				h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Good day, Bea.") })
				time.Sleep(1900 * time.Millisecond)
				require.Empty(t, old.Line.Ended())
				time.Sleep(200 * time.Millisecond)
				require.Equal(t, []string{"transferred"}, old.Line.Ended())
				c.Say("this is Bea")
				c.quiet()
				require.Contains(t, strings.Join(c.lines(), "\n"), "HUMAN: this is Bea\nAI: Good day, Bea.")
				require.Equal(t, "refer", of[event.CallReplaced](c)[0].How)
				require.Empty(t, of[event.TransferFailed](c))
			})
		})
	}
}

// When nobody takes the call it goes on with who asked, who is told why.
func TestAReferralThatFailsLeavesTheCall(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		reason string
		code   int
	}{
		"busy":        {&actors.NotReached{Reason: "busy", Code: 486}, "busy", 486},
		"not allowed": {&actors.NotReached{Reason: "forbidden", Err: fault.Denied}, "forbidden", 403},
		"no answer":   {&actors.NotReached{Reason: "no_answer"}, "no_answer", 408},
		"no way":      {fault.Unavailable, "failed", 503},
	} {
		t.Run(name, func(t *testing.T) {
			inHands(t, func(h *actorstest.House) { h.Exchange.Fails = test.err }, func(c *call) {
				t := c.t
				c.greeted()
				codes, report := c.reports()
				require.NoError(t, c.refers(report))
				time.Sleep(time.Second)
				synctest.Wait()
				require.Equal(t, test.code, (*codes)[len(*codes)-1])
				failed := of[event.TransferFailed](c)
				require.Len(t, failed, 1)
				require.Equal(t, test.reason, failed[0].Reason)
				require.Equal(t, uint32(test.code), failed[0].Code)
				require.False(t, c.Closed())
				c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Still here.") })
				c.Say("nobody there")
				c.quiet()
				require.Contains(t, strings.Join(c.lines(), "\n"), "AI: Still here.")
				c.h.Exchange.Fails = nil
				require.NoError(t, c.refers(report), "he may ask again")
				time.Sleep(time.Second)
				c.Phone = c.h.Exchange.Phone(0)
			})
		})
	}
}

// Telephones hang up as soon as they have asked: the call waits for who is being
// called, and is over when he does not come.
func TestWhoAskedDoesNotWait(t *testing.T) {
	for name, fails := range map[string]error{"he comes": nil, "he does not": &actors.NotReached{Reason: "busy", Code: 486}} {
		t.Run(name, func(t *testing.T) {
			inHands(t, func(h *actorstest.House) { h.Exchange.Rings, h.Exchange.Fails = 5*time.Second, fails }, func(c *call) {
				t, old := c.t, c.Phone
				c.greeted()
				require.NoError(t, c.refers(nil))
				time.Sleep(time.Second)
				old.Line.End("hangup")
				time.Sleep(time.Second)
				require.ErrorIs(t, c.wants(actorstest.NewPhone(c.h.Trace)), fault.Conflict)
				time.Sleep(4 * time.Second)
				if fails != nil {
					reason, by, status := c.ended()
					require.Equal(t, []any{"hangup", "peer", event.Completed}, []any{reason, by, status})
					return
				}
				c.Phone = c.h.Exchange.Phone(0)
				c.Line.Up()
				c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Good day, Bea.") })
				c.Say("this is Bea")
				c.quiet()
				require.Contains(t, strings.Join(c.lines(), "\n"), "AI: Good day, Bea.")
			})
		})
	}
}

// A call that ends takes who is being called with it, and whoever asked is told.
func TestACallThatEndsCallsNobody(t *testing.T) {
	for name, answers := range map[string]bool{"while it rings": false, "when he has answered": true} {
		t.Run(name, func(t *testing.T) {
			inHands(t, func(h *actorstest.House) { h.Exchange.Rings = 5 * time.Second }, func(c *call) {
				t := c.t
				c.greeted()
				codes, report := c.reports()
				require.NoError(t, c.refers(report))
				time.Sleep(time.Second)
				if answers {
					time.Sleep(5 * time.Second)
				}
				_, err := c.h.Dir.Ask(t.Context(), c.h.Call("s"), &actors.HangUp{Status: event.Completed})
				require.NoError(t, err)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if !answers {
					require.Equal(t, []int{180, 487}, *codes)
					require.Nil(t, c.h.Exchange.Phone(0), "it rings no more")
					return
				}
				require.Equal(t, []string{"transferred"}, c.Line.Ended(), "who asked is not left behind")
				c.Phone = c.h.Exchange.Phone(0)
			})
		})
	}
}
