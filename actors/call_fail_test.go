package actors_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

func TestTheRecogniserDiesAndHearsAllTheSame(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		go c.Say("my name is Ann Lee and I want a card")
		time.Sleep(1300 * time.Millisecond)
		c.h.Trace.Reset()
		c.h.Ears.Die()
		time.Sleep(6 * time.Second)
		c.quiet()
		require.Contains(t, deeds(c.h.Trace.Lines(), "hear"), "hear 5s", "the last five seconds are given to the next one")
		require.Equal(t, "HUMAN: my name is Ann Lee and I want a card", c.lines()[1])
		require.Equal(t, 2, c.h.Ears.Opened())
	})
}

func TestWhatIsSaidWhileARecogniserOpensIsHeard(t *testing.T) {
	slow := func(h *actorstest.House) { h.Ears.Slow = 2 * time.Second }
	inHouse(t, nil, slow, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		c.Line.Up()
		c.Say("what is the fee")
		time.Sleep(3 * time.Second)
		c.quiet()
		require.Greater(t, len(c.lines()), 1, "nothing was heard")
		require.Equal(t, "HUMAN: what is the fee", c.lines()[1])
		c.over()
	})
}

func TestARecogniserThatStaysAwayEndsTheCall(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		c.h.Ears.Fail(1000)
		c.h.Ears.Die()
		begun := time.Now()
		for !c.Closed() {
			time.Sleep(100 * time.Millisecond)
			require.Less(t, time.Since(begun), 15*time.Second, "the caller talks to a wall")
		}
		require.Greater(t, time.Since(begun), 3*time.Second, "given up too early")
		require.Less(t, c.h.Ears.Opened(), 10, "and not asked in a loop")
		time.Sleep(time.Second)
		reason, by, status := c.ended()
		require.Equal(t, []any{"recogniser", "system", event.Failed}, []any{reason, by, status})
	})
}

func TestTheVoiceDiesAndTheReplyIsSaidToItsEnd(t *testing.T) {
	for name, after := range map[string]time.Duration{
		"before its first word": -30 * time.Millisecond, "in the first clause": 300 * time.Millisecond, "in the second": 3 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			inCall(t, nil, func(c *call) {
				t := c.t
				c.h.Model.Reply = says(tale)
				c.h.Voice.First = 200 * time.Millisecond
				c.greeted()
				c.Say("tell me something")
				if after < 0 {
					for len(deeds(c.h.Trace.Lines(), "speak 2/1")) == 0 {
						time.Sleep(10 * time.Millisecond)
					}
				} else {
					c.talking(after)
				}
				c.h.Voice.Die()
				c.quiet()
				require.Greater(t, len(c.lines()), 2, "nothing was said")
				require.Equal(t, "AI: "+tale, c.lines()[2])
				require.Contains(t, c.Heard(2), "had two dogs, and one of them was white as winter snow.")
				require.Equal(t, 2, c.h.Voice.Opened())
				c.Say("and then")
				c.quiet()
				require.Equal(t, "AI: "+tale, c.lines()[4], "the next voice speaks on")
				require.False(t, c.look().State.Ended)
			})
		})
	}
}

func TestAReplyWhoseVoiceDiedIsInterrupted(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.h.Model.Reply = says(tale)
		c.h.Voice.Chunk, c.h.Voice.Every = 100*time.Millisecond, 95*time.Millisecond
		c.twice = true
		c.greeted()
		c.Say("tell me something")
		c.talking(440 * time.Millisecond) // half a second is in the ring; the next voice says it again
		c.h.Voice.Die()
		time.Sleep(900 * time.Millisecond)
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Fine.") })
		c.Say("no no stop")
		c.quiet()
		require.Equal(t, "AI: There was a [interrupted]", c.lines()[2], "what broke off is not told twice")
		require.Contains(t, c.Heard(2), "There was There was a", "although it was heard twice")
	})
}

func TestAVoiceThatStaysAwayEndsTheCall(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		c.greeted()
		c.h.Voice.Fail(1000)
		c.h.Voice.Die()
		time.Sleep(5 * time.Second)
		reason, by, status := c.ended()
		require.Equal(t, []any{"voice", "system", event.Failed}, []any{reason, by, status})
		require.Equal(t, 4, c.h.Voice.Opened(), "the first, and three more")
	})
}

func TestAModelThatFailsIsARequestToRephrase(t *testing.T) {
	for name, change := range map[string]func(m *actorstest.Model){
		"at once":        func(m *actorstest.Model) { m.Reply = says("") },
		"after its time": func(m *actorstest.Model) { m.Wait = make(chan struct{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inCall(t, []string{"LLM_TIMEOUT_MS: 3000"}, func(c *call) {
				t := c.t
				c.h.Model.Fail = fmt.Errorf("model: %w", fault.Unavailable)
				change(c.h.Model)
				c.greeted()
				c.Say("what is the fee")
				time.Sleep(5 * time.Second)
				c.quiet()
				require.Equal(t, "AI: Please say that again.", c.lines()[2])
				c.h.Model.Set(func(m *actorstest.Model) { m.Fail, m.Reply, m.Wait = nil, nil, nil })
				c.Say("what is the fee")
				c.quiet()
				require.Equal(t, "AI: You said: what is the fee", c.lines()[4])
			})
		})
	}
}

// trap panics once.
type trap struct {
	actors.Retriever
	set *bool
}

func (r trap) Find(q knowledge.Query) []knowledge.Hit {
	if *r.set {
		*r.set = false
		panic("a bug in the search")
	}
	return r.Retriever.Find(q)
}

func TestASessionThatPanicsLosesOneReply(t *testing.T) {
	inCall(t, nil, func(c *call) {
		t := c.t
		set := true
		c.h.Cast.Knowledge = trap{c.h.Cast.Knowledge, &set}
		c.greeted()
		c.Say("what is the fee")
		c.quiet()
		require.Equal(t, []string{"AI: " + greeting, "HUMAN: what is the fee", "AI:  [interrupted]", "AI: Please say that again."}, c.lines())
		c.Say("what is the fee")
		c.quiet()
		require.Equal(t, "AI: You said: what is the fee", c.lines()[5])
		require.False(t, c.look().State.Ended)
	})
}

// disk is a journal that can be slow, stand still or fail. Its doors are for
// appends only.
type disk struct {
	journal.Journal
	mu   sync.Mutex
	slow time.Duration
	shut chan struct{} // closed when it moves again
	fail error
	only event.StreamKind // what fails or stands still; "" = everything
	done []event.Kind     // durable, in order
	late func(event.Kind) // told when one is
}

func (d *disk) Append(ctx context.Context, b journal.Batch) ([]event.Envelope, error) {
	d.mu.Lock()
	slow, shut, fail, only := d.slow, d.shut, d.fail, d.only
	if d.only != "" && d.only != b.Stream.Kind {
		fail = nil
	}
	d.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow)
	}
	if shut != nil && (only == "" || only == b.Stream.Kind) {
		<-shut
	}
	if fail != nil {
		return nil, fail
	}
	out, err := d.Journal.Append(ctx, b)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range out {
		d.done = append(d.done, e.Body.Kind())
		if d.late != nil {
			d.late(e.Body.Kind())
		}
	}
	return out, err
}

func (d *disk) set(change func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// onDisk plays a story on a journal that the story can break.
func onDisk(t *testing.T, story func(c *call, d *disk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second)
		d := &disk{Journal: journaltest.NewMemory()}
		h := actorstest.On(t, d, time.Hour)
		h.Agent(t, actorstest.VoiceFile("VOICE_SPECULATE: False"))
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		story(c, d)
	})
}

// Whoever calls is told that his call is taken, and whoever is called is rung, when
// the journal knows of the call; where it cannot, nobody is.
func TestNobodyIsToldOrRungBeforeTheJournalKnows(t *testing.T) {
	for name, out := range map[string]bool{"who calls": false, "who is called": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(time.Second)
				moves := make(chan struct{})
				d := &disk{Journal: journaltest.NewMemory(), shut: moves, only: event.CallStream}
				h := actorstest.On(t, d, time.Hour)
				h.Agent(t, actorstest.VoiceFile("VOICE_SPECULATE: False"))
				told := make(chan error, 2)
				begin := func(name string) {
					_, err := h.Dir.Ask(t.Context(), h.Call(name), beginning(h, name, out))
					told <- err
				}
				go begin("s")
				time.Sleep(4 * time.Second)
				require.Empty(t, told, "the journal stands still")
				require.Empty(t, h.Exchange.Dialled())
				d.set(func(d *disk) { d.shut = nil })
				close(moves)
				synctest.Wait()
				require.NoError(t, <-told)
				if out {
					require.Len(t, h.Exchange.Dialled(), 1)
				}
				_, err := h.Dir.Ask(t.Context(), h.Call("s"), &actors.HangUp{Status: event.Completed})
				require.NoError(t, err)
				d.set(func(d *disk) { d.fail = fault.Unavailable })
				begin("u")
				require.ErrorIs(t, <-told, fault.Unavailable)
				require.Len(t, h.Exchange.Dialled(), map[bool]int{true: 1}[out], "nobody more")
			})
		})
	}
}

// beginning is what begins a call, in or out.
func beginning(h *actorstest.House, name string, out bool) any {
	o := h.Offer(name, actorstest.NewPhone(h.Trace))
	if !out {
		return o
	}
	return &actors.Place{Born: o.Born, Session: name, Dial: actors.Dialling{Tenant: h.Tenant, Agent: "echo", To: "+4420", From: "+100"}}
}

func TestNothingIsSaidBeforeItIsDurable(t *testing.T) {
	onDisk(t, func(c *call, d *disk) {
		c.greeted()
		c.h.Trace.Reset()
		d.set(func(d *disk) {
			d.slow = 700 * time.Millisecond
			d.late = func(k event.Kind) { c.h.Trace.Add("durable " + string(k)) }
		})
		c.Say("what is the fee")
		c.quiet()
		c.quiet()
		got := c.h.Trace.Lines()
		durable, asked, spoken := slices.Index(got, "durable reply.started.v1"), slices.Index(got, "ask model"), slices.Index(got, "speak 2/1 You said: what is the fee")
		require.NotEqual(t, -1, spoken, got)
		require.Less(t, durable, asked)
		require.Less(t, asked, spoken)
		d.set(func(d *disk) { d.slow, d.late = 0, nil })
		c.over()
	})
}

// TestACallDoesNotWaitForTheJournal: with a disk that stands still the agent
// still falls silent, and a cough still resumes it.
func TestACallDoesNotWaitForTheJournal(t *testing.T) {
	onDisk(t, func(c *call, d *disk) {
		c.h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(500 * time.Millisecond)
		moves := make(chan struct{})
		d.set(func(d *disk) { d.shut = moves })
		c.h.Trace.Reset()
		c.Noise(400 * time.Millisecond)
		time.Sleep(2 * time.Second)
		require.Len(t, deeds(c.h.Trace.Lines(), "pause", "resume"), 2, "a cough pauses and resumes")
		c.Say("no no stop it")
		time.Sleep(300 * time.Millisecond)
		require.Equal(t, []string{"flush 2", "cancel voice 2"}, deeds(c.h.Trace.Lines(), "flush", "cancel voice"))
		n := len(c.Sent())
		time.Sleep(10 * time.Second)
		require.Len(t, c.Sent(), n, "and nothing is begun that is not durable")
		d.set(func(d *disk) { d.shut = nil })
		close(moves)
		c.h.Model.Set(func(m *actorstest.Model) { m.Reply = says("Fine.") })
		c.quiet()
		require.Equal(t, "HUMAN: no no stop it", c.lines()[3], "when the disk moves again nothing is missing")
		c.over()
	})
}

func TestAJournalThatFailsEndsTheCall(t *testing.T) {
	for _, only := range []event.StreamKind{"", event.CallStream, event.SessionStream} {
		t.Run("of "+string(only), func(t *testing.T) {
			onDisk(t, func(c *call, d *disk) {
				c.h.Model.Reply = says(tale)
				c.greeted()
				c.Say("tell me something")
				c.talking(500 * time.Millisecond)
				d.set(func(d *disk) { d.fail, d.only = fmt.Errorf("write: %w", fault.Unavailable), only })
				c.Say("no no stop it")
				time.Sleep(3 * time.Second)
				require.True(t, c.Closed(), "the leg is closed")
				require.Equal(t, []string{"failed"}, c.Line.Ended(), "the line is hung up")
				n := len(c.Sent())
				d.set(func(d *disk) { d.fail = nil })
				time.Sleep(3 * time.Second)
				require.Len(t, c.Sent(), n)
			})
		})
	}
}
