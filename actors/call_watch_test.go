package actors_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
)

// asks asks the call and gives what it answers.
func asks[A any](c *call, m any) A {
	c.t.Helper()
	got, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), m)
	require.NoError(c.t, err)
	a, ok := got.(A)
	require.True(c.t, ok, "%T", got)
	return a
}

// observed is who saw the call, as its journal tells it.
func observed(c *call) []string {
	c.t.Helper()
	var out []string
	for _, b := range of[event.CallObserved](c) {
		out = append(out, fmt.Sprintf("%s %s %v", b.By, b.What, b.On))
	}
	return out
}

func operator(to string) actors.Dialling { return actors.Dialling{Agent: "echo", To: to, Owner: true} }

func TestWhoListensHearsBothSidesUntilTheCallEnds(t *testing.T) {
	inCall(t, []string{"VOICE_RECORD: True"}, func(c *call) {
		t := c.t
		c.greeted()
		var anna, bert actorstest.Overheard
		var gone atomic.Int32
		first := asks[*actors.Listening](c, &actors.Listen{By: "anna", Sink: anna.Take, Gone: func() { gone.Add(1) }})
		require.Equal(t, 8000, first.RateHz)
		second := asks[*actors.Listening](c, &actors.Listen{By: "bert", Sink: bert.Take, Gone: func() { gone.Add(10) }})
		c.Say("one two three")
		c.quiet()
		frames, left, right := anna.Count()
		require.Greater(t, frames, 200, "a frame every 20 ms, silence included")
		require.Greater(t, left, 10, "the customer is heard")
		require.Greater(t, right, 10, "the agent is heard")
		_, err := c.h.Dir.Ask(t.Context(), c.h.Call("s"), &actors.Unlisten{ID: second.ID})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, int32(10), gone.Load())
		bert.Count()
		c.Say("four five")
		c.quiet()
		frames, _, _ = bert.Count()
		require.Zero(t, frames, "who went away hears nothing")
		c.hangUp()
		require.Equal(t, int32(11), gone.Load(), "each is told once")
		require.Equal(t, []string{"anna listen true", "bert listen true", "bert listen false", "anna listen false"}, observed(c))
	})
}

func TestACallThatIsNotRecordedFeedsTheTeeOnlyWhileSomebodyListens(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		require.False(c.t, c.Recorded(), "nobody wants the sound")
		var anna actorstest.Overheard
		on := asks[*actors.Listening](c, &actors.Listen{By: "anna", Sink: anna.Take})
		require.True(c.t, c.Recorded())
		_, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), &actors.Unlisten{ID: on.ID})
		require.NoError(c.t, err)
		require.False(c.t, c.Recorded())
	})
}

func TestNobodyHearsOrCapturesWhatIsNotToBeRecorded(t *testing.T) {
	for _, record := range []string{"True", "False"} {
		t.Run("recorded "+record, func(t *testing.T) {
			inCall(t, []string{"VOICE_RECORD: " + record}, func(c *call) {
				t := c.t
				c.greeted()
				var anna actorstest.Overheard
				asks[*actors.Listening](c, &actors.Listen{By: "anna", Sink: anna.Take})
				var packets atomic.Int32
				asks[*actors.Capturing](c, &actors.Capture{
					By: "bert", For: time.Minute, Kept: time.Hour, Take: func(actors.Packet) { packets.Add(1) }, Done: func([]actors.Signal) {},
				})
				require.NoError(t, c.h.Dir.Send(c.h.Call("s"), &actors.Sensitive{On: true}))
				synctest.Wait()
				anna.Count()
				packets.Store(0)
				c.Say("four one one one")
				frames, left, right := anna.Count()
				require.Positive(t, frames, "time goes on")
				require.Zero(t, left+right, "the card's number is heard by nobody")
				require.Zero(t, packets.Load(), "nor captured")
				require.NoError(t, c.h.Dir.Send(c.h.Call("s"), &actors.Sensitive{}))
				c.quiet()
				c.Say("thank you")
				_, left, _ = anna.Count()
				require.Positive(t, left)
				require.Positive(t, packets.Load())
			})
		})
	}
}

func TestOnlookersAreBounded(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		var o actorstest.Overheard
		for range 16 {
			asks[*actors.Listening](c, &actors.Listen{By: "anna", Sink: o.Take})
		}
		_, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), &actors.Listen{By: "anna", Sink: o.Take})
		require.ErrorIs(c.t, err, fault.Exhausted)
		_, err = c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), &actors.Listen{Sink: o.Take})
		require.ErrorIs(c.t, err, fault.Invalid, "who listens has a name")
	})
}

func TestAnOperatorListensOnHisTelephone(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		asks[*actors.Listening](c, &actors.ListenIn{By: "anna", Dial: operator("sip:anna@127.0.0.1")})
		phone := c.h.Exchange.Phone(0)
		c.Say("hello there")
		c.quiet()
		frames, left, right := phone.Overheard().Count()
		require.Greater(t, frames, 100)
		require.Positive(t, left)
		require.Positive(t, right)
		require.NotContains(t, c.h.Trace.Lines(), "join", "he is not heard")
		phone.Line.End("hangup")
		synctest.Wait()
		require.Equal(t, []string{"anna listen true", "anna listen false"}, observed(c))
		require.Contains(t, c.h.Trace.Lines(), "monitor ends")
		c.Say("still here")
		c.quiet()
		require.Contains(t, c.lines(), "AI: You said: still here", "the call goes on")
	})
}

func TestACaptureEndsAndIsInTheJournal(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.Line.Signalled(actors.Signal{At: time.Now(), Text: "INVITE"})
		c.greeted()
		var packets atomic.Int32
		done := make(chan []actors.Signal, 2)
		ask := &actors.Capture{
			By: "anna", For: 10 * time.Second, Kept: time.Hour, Take: func(actors.Packet) { packets.Add(1) },
			Done: func(all []actors.Signal) { done <- all },
		}
		asks[*actors.Capturing](c, ask)
		_, err := c.h.Dir.Ask(t.Context(), c.h.Call("s"), ask)
		require.ErrorIs(t, err, fault.Conflict, "one at a time")
		time.Sleep(11 * time.Second)
		n := packets.Load()
		require.InDelta(t, 500, n, 5)
		require.Len(t, <-done, 1)
		time.Sleep(5 * time.Second)
		require.Equal(t, n, packets.Load(), "its time is over")
		seen := of[event.CallObserved](c)
		require.Len(t, seen, 2)
		require.Equal(t, time.Hour, seen[0].Kept)
		require.InDelta(t, 10, (seen[1].Offset - seen[0].Offset).Seconds(), 0.1)
		// One that outlives the call ends with it.
		asks[*actors.Capturing](c, ask)
		c.Line.Signalled(actors.Signal{At: time.Now(), Text: "BYE"})
		c.hangUp()
		require.Len(t, <-done, 2)
	})
}

func TestTheSignallingOfACallIsKeptBeforeItsEnd(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		now := time.Now()
		c.Line.Signalled(actors.Signal{At: now.Add(3 * time.Second), Text: "BYE"}, actors.Signal{At: now, Text: "INVITE <sip:desk>"})
		c.greeted()
		v := asks[*actors.CallView](c, &actors.LookCall{})
		require.Len(t, v.Signals, 2, "also while the call runs")
		require.InDelta(t, 4.2, v.Quality, 0.01)
		c.hangUp()
		events := c.h.CallEvents(t, "s")
		traced, ok := events[len(events)-2].Body.(event.CallTraced)
		require.True(t, ok, "before the end")
		require.Equal(t, uint32(2), traced.Messages)
		var ladder []actors.Signal
		require.NoError(t, json.Unmarshal([]byte(traced.Signals.Text), &ladder))
		require.Equal(t, []string{"INVITE <sip:desk>", "BYE"}, []string{ladder[0].Text, ladder[1].Text}, "in order of time")
		require.Contains(t, traced.Signals.Text, "<sip:", "as people read it")
		require.Empty(t, traced.Blob)
		require.Nil(t, c.h.Archive.Kept("call-s"), "it fits into the journal")
		require.InDelta(t, 4.2, of[event.CallEnded](c)[0].Quality, 0.01)
	})
}

func TestMuchSignallingIsAFileOfItsOwn(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		for range 200 {
			c.Line.Signalled(actors.Signal{At: time.Now(), Text: strings.Repeat("UPDATE ", 100)})
		}
		c.hangUp()
		events := c.h.CallEvents(t, "s")
		require.Equal(t, event.CallTraced{Blob: "kept/call-s", Messages: 200}, events[len(events)-2].Body)
		var ladder []actors.Signal
		require.NoError(t, json.Unmarshal(c.h.Archive.Kept("call-s"), &ladder))
		require.Len(t, ladder, 200)
	})
}

func TestAWhisperGuidesTheAgentAndIsSaidToNobody(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		n := len(c.Sent())
		for i := range 6 {
			_, err := c.h.Dir.Ask(t.Context(), c.h.Session("s"), &actors.Whisper{By: "anna", Text: fmt.Sprintf("offer %d months", i)})
			require.NoError(t, err)
		}
		c.quiet()
		require.Len(t, c.Sent(), n, "the customer hears nothing of it")
		c.Say("what does it cost")
		c.quiet()
		c.h.Model.Set(func(m *actorstest.Model) {
			prompt := ""
			for _, r := range m.Asked {
				if r.Schema != nil { // results are read beside the reply
					continue
				}
				prompt = ""
				for _, p := range r.System {
					prompt += p.Text + "\n"
				}
			}
			require.Contains(t, prompt, "offer 5 months")
			require.Contains(t, prompt, "offer 1 months")
			require.NotContains(t, prompt, "offer 0 months", "the newest five")
		})
		require.NotContains(t, strings.Join(c.lines(), "\n"), "months")
	})
}

func TestABargeInPutsTheOperatorInTheAgentsPlace(t *testing.T) {
	inCall(t, []string{"VOICE_RECORD: True"}, func(c *call) {
		t := c.t
		c.h.Exchange.Rings = 5 * time.Second
		c.greeted()
		answered := make(chan any, 1)
		go func() {
			got, err := c.h.Dir.Ask(t.Context(), c.h.Call("s"), &actors.Barge{By: "anna", Dial: operator("sip:anna@127.0.0.1")})
			if err != nil {
				got = err
			}
			answered <- got
		}()
		c.Say("hello")
		c.quiet()
		require.Contains(t, c.lines(), "AI: You said: hello", "while he is called the agent goes on")
		require.IsType(t, &actors.Barged{}, <-answered)
		asked := c.h.Model.Requests()
		require.Equal(t, session.ModeOperator, c.look().State.Mode)
		require.Contains(t, c.h.Trace.Lines(), "join")
		sent := len(c.Sent())
		c.Say("who are you")
		c.Keys("12")
		c.Line.Hold()
		c.Line.Unhold()
		time.Sleep(2 * time.Minute)
		require.Len(t, c.Sent(), sent, "the agent is silent")
		require.Equal(t, asked, c.h.Model.Requests(), "and deaf")
		c.h.Exchange.Phone(0).Line.End("hangup")
		time.Sleep(time.Second)
		require.Contains(t, c.h.Trace.Lines(), "part")
		require.Equal(t, session.ModeRegular, c.look().State.Mode)
		c.Say("and now")
		c.quiet()
		require.Contains(t, c.lines(), "AI: You said: and now", "the agent goes on")
		require.NotContains(t, strings.Join(c.lines(), "\n"), "who are you", "and does not know what was said meanwhile")
		require.Equal(t, []string{"anna barge_in true", "anna barge_in false"}, observed(c))
		c.hangUp()
		require.Equal(t, []string{"s"}, c.h.Tapes.Kept(), "recorded to the end")
	})
}

func TestABargeInCutsWhatTheAgentSays(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.Line.Up()
		c.talking(600 * time.Millisecond)
		asks[*actors.Barged](c, &actors.Barge{By: "anna", Dial: operator("sip:anna@127.0.0.1")})
		sent := len(c.Sent())
		time.Sleep(10 * time.Second)
		require.InDelta(t, sent, len(c.Sent()), 1)
		require.Contains(t, c.lines()[0], "[interrupted]")
		c.h.Exchange.Phone(0).Line.End("hangup")
		c.quiet()
		require.InDelta(t, sent, len(c.Sent()), 1, "what was cut is not said later")
		c.Say("tell me more")
		c.quiet()
		require.Contains(t, c.lines(), "AI: You said: tell me more")
	})
}

func TestABargeInThatReachesNobodyChangesNothing(t *testing.T) {
	failures := map[string]func(x *actorstest.Exchange){
		"busy": func(x *actorstest.Exchange) {
			x.Fails = &actors.NotReached{Status: event.Busy, Reason: "busy", Code: 486}
		},
		"nobody answers": func(x *actorstest.Exchange) { x.Rings = time.Hour },
	}
	for name, fails := range failures {
		t.Run(name, func(t *testing.T) {
			inCall(t, nil, func(c *call) {
				t := c.t
				fails(c.h.Exchange)
				c.greeted()
				done := make(chan error, 1)
				go func() {
					_, err := c.h.Dir.Ask(t.Context(), c.h.Call("s"), &actors.Barge{By: "anna", Dial: operator("sip:anna@127.0.0.1")})
					done <- err
				}()
				c.Say("are you there")
				c.quiet()
				time.Sleep(time.Minute)
				require.ErrorIs(t, <-done, fault.Unavailable)
				require.Contains(t, c.lines(), "AI: You said: are you there")
				require.Equal(t, session.ModeRegular, c.look().State.Mode)
				require.Empty(t, observed(c))
				require.NotContains(t, c.h.Trace.Lines(), "join")
			})
		})
	}
}

func TestABargeInEndsWithTheCustomer(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		asks[*actors.Barged](c, &actors.Barge{By: "anna", Dial: operator("sip:anna@127.0.0.1")})
		c.hangUp()
		require.Len(c.t, c.h.Exchange.Phone(0).Line.Ended(), 1, "the operator is hung up")
		require.True(c.t, c.h.Exchange.Phone(0).Closed())
		require.Equal(c.t, []string{"anna barge_in true", "anna barge_in false"}, observed(c))
	})
}

func TestWithKeepTheCallEndsWithTheOperator(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		asks[*actors.Barged](c, &actors.Barge{By: "anna", Dial: operator("sip:anna@127.0.0.1"), Keep: true})
		c.h.Exchange.Phone(0).Line.End("hangup")
		time.Sleep(time.Second)
		require.Equal(c.t, event.Transferred, c.look().State.Status)
		require.Equal(c.t, "operator", of[event.CallEnded](c)[0].By)
	})
}

func TestACustomerWhoHangsUpWhileTheOperatorIsCalledLeavesNothing(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.h.Exchange.Rings = time.Minute
		c.greeted()
		done := make(chan error, 1)
		go func() {
			_, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), &actors.Barge{By: "anna", Dial: operator("sip:anna@127.0.0.1")})
			done <- err
		}()
		time.Sleep(2 * time.Second)
		c.hangUp()
		require.ErrorIs(c.t, <-done, fault.Cancelled)
		require.True(c.t, slices.Contains(c.h.Trace.Lines(), "cancel sip:anna@127.0.0.1"))
	})
}

func TestTwoOperatorsDoNotBargeInAtOnce(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		asks[*actors.Barged](c, &actors.Barge{By: "anna", Dial: operator("sip:anna@127.0.0.1")})
		_, err := c.h.Dir.Ask(c.t.Context(), c.h.Call("s"), &actors.Barge{By: "bert", Dial: operator("sip:bert@127.0.0.1")})
		require.ErrorIs(c.t, err, fault.Conflict)
		require.ErrorContains(c.t, err, "anna")
		require.Len(c.t, c.h.Exchange.Dialled(), 1)
	})
}

func TestAWhisperGuidesAChatToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second)
		h := actorstest.New(t, time.Hour)
		h.Begin(t, "c")
		_, err := h.Dir.Ask(t.Context(), h.Session("c"), &actors.Whisper{By: "anna", Text: "be brief"})
		require.NoError(t, err)
		_, err = h.Dir.Ask(t.Context(), h.Session("c"), &actors.Write{Text: "hello"})
		require.NoError(t, err)
		h.Model.Set(func(m *actorstest.Model) {
			found := false
			for _, r := range m.Asked {
				for _, p := range r.System {
					found = found || strings.Contains(p.Text, "be brief")
				}
			}
			require.True(t, found)
		})
		_, err = h.Dir.Ask(t.Context(), h.Session("c"), &actors.End{Status: event.Completed})
		require.NoError(t, err)
	})
}
