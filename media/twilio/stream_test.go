package twilio_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/twilio"
	"flametree/media/twilio/twiliotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is a leg and the caller at its other end.
type call struct {
	t      *testing.T
	leg    *twilio.Stream
	caller *twiliotest.Stream
	served chan error

	mu    sync.Mutex
	facts []actors.Fact
}

var who = twiliotest.StreamOptions{Stream: "MZ01", Account: "AC01", Call: "CA01", Parameters: map[string]string{"call": "k1"}}

// calls begins a call whose frames take delay each way; it must run in a bubble.
func calls(t *testing.T, delay time.Duration, o twiliotest.StreamOptions) *call {
	t.Helper()
	leg, err := twilio.New(twilio.Options{})
	require.NoError(t, err)
	c := &call{t: t, leg: leg}
	c.connect(delay, o)
	leg.Start(func(f actors.Fact) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.facts = append(c.facts, f)
	})
	return c
}

func (c *call) connect(delay time.Duration, o twiliotest.StreamOptions) {
	ours, theirs := twiliotest.Pipe(delay)
	c.caller = twiliotest.Streams(theirs, o)
	c.served = make(chan error, 1)
	c.t.Cleanup(func() { // a test that failed half-way must not tick on
		theirs.Close(1000, "")
		_ = c.caller.Wait()
		_ = c.leg.Close()
	})
	start, err := twilio.Greet(ours)
	require.NoError(c.t, err)
	require.Equal(c.t, o.Call, start.Call)
	go func() { c.served <- c.leg.Serve(ours, start) }()
	synctest.Wait()
}

// over hangs up and looks that nothing was said that is not published.
func (c *call) over() {
	c.t.Helper()
	require.NoError(c.t, c.caller.Stop())
	<-c.served
	require.NoError(c.t, c.leg.Close())
}

func (c *call) of(kinds ...actors.FactKind) []actors.Fact {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []actors.Fact
	for _, f := range c.facts {
		if slices.Contains(kinds, f.Kind) {
			out = append(out, f)
		}
	}
	return out
}

// words is a sound in which each 20 ms can be told apart after µ-law.
func words(length time.Duration) []int16 {
	out := make([]int16, int(length/time.Millisecond)*8)
	for i := range out {
		out[i] = level(i / 160)
	}
	return out
}

func level(n int) int16 {
	var s [1]int16
	g711.MuLaw.Decode(s[:], []byte{byte(0x81 + n%120)})
	return s[0]
}

func TestAReplyIsHeardWholeAndNeverFarAhead(t *testing.T) {
	for _, delay := range []time.Duration{0, 10 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond} {
		t.Run(fmt.Sprintf("%v each way", delay), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := calls(t, delay, who)
				said := words(3 * time.Second)
				require.NoError(t, c.leg.Play(t.Context(), 1, said, 8000))
				c.leg.Mark(1, 7)
				c.leg.End(1)
				time.Sleep(4 * time.Second)
				require.Equal(t, said, c.caller.Heard(), "every sample, in order, once")
				require.Zero(t, c.caller.Holes(), "the reply never ran dry")
				require.LessOrEqual(t, c.caller.MostAhead(), 200*time.Millisecond)
				t.Logf("figure: most ahead with %v each way: %v", delay, c.caller.MostAhead())
				marked := time.Duration(0)
				for _, s := range c.caller.Seen() {
					marked += time.Duration(s.Bytes) * time.Second / 8000
					if s.Event == "mark" {
						marked = 0
					}
					require.LessOrEqual(t, marked, 100*time.Millisecond, "a mark behind each 100 ms")
				}
				require.Zero(t, marked, "and behind the last sound")
				require.Len(t, c.of(actors.FactTalking), 1)
				end := c.of(actors.FactMark, actors.FactDrained)
				require.Len(t, end, 2)
				require.Equal(t, actors.FactMark, end[0].Kind)
				require.Equal(t, uint64(7), end[0].Mark)
				require.Equal(t, 3*time.Second, end[0].Played)
				require.Equal(t, 3*time.Second, end[1].Played)
				require.Equal(t, 3*time.Second, c.leg.Played(1))
				if delay == 0 {
					require.Zero(t, c.leg.Stats().RoundTrip/(100*time.Millisecond))
				}
				c.over()
			})
		})
	}
}

func TestOnYieldClearIsTheNextFrameAndNoSoundFollows(t *testing.T) {
	for _, delay := range []time.Duration{0, 40 * time.Millisecond} {
		t.Run(fmt.Sprintf("%v each way", delay), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := calls(t, delay, who)
				said := words(2 * time.Second)
				require.NoError(t, c.leg.Play(t.Context(), 1, said, 8000))
				time.Sleep(1003 * time.Millisecond)
				before := len(c.caller.Seen())
				heard := c.leg.Flush(1)
				atYield := time.Now()
				time.Sleep(500 * time.Millisecond)
				after := c.caller.Seen()[before:]
				for len(after) > 0 && after[0].Event != "clear" && after[0].At.Before(atYield.Add(delay)) {
					after = after[1:] // was on its way before
				}
				require.NotEmpty(t, after)
				require.Equal(t, "clear", after[0].Event)
				require.Len(t, after, 1, "nothing follows the clear")
				ear := time.Duration(len(c.caller.Heard())) * time.Second / 8000
				require.LessOrEqual(t, heard, ear, "what was not heard is not told as heard")
				require.Less(t, ear-heard, 60*time.Millisecond+3*delay)
				require.Equal(t, heard, c.leg.Played(1), "marks that come back after the clear tell nothing")
				t.Logf("figure: heard %v, told %v with %v each way", ear, heard, delay)

				require.ErrorIs(t, c.leg.Play(t.Context(), 1, said, 8000), fault.Cancelled, "the generation is over")
				require.NoError(t, c.leg.Play(t.Context(), 2, words(100*time.Millisecond), 8000))
				c.leg.End(2)
				time.Sleep(300 * time.Millisecond)
				require.Equal(t, "media", c.caller.Seen()[before+len(c.caller.Seen()[before:])-2].Event)
				drained := c.of(actors.FactDrained)
				require.Len(t, drained, 1)
				require.Equal(t, uint64(2), drained[0].Gen)
				c.over()
			})
		})
	}
}

func TestAPauseIsSilentAtOnceAndGoesOnWhereItWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 0, who)
		said := words(time.Second)
		require.NoError(t, c.leg.Play(t.Context(), 1, said, 8000))
		c.leg.End(1)
		time.Sleep(405 * time.Millisecond)
		c.leg.Pause(1)
		synctest.Wait()
		paused := len(c.caller.Heard())
		time.Sleep(time.Second)
		require.Len(t, c.caller.Heard(), paused, "not even what Twilio held")
		at := c.leg.Played(1)
		require.LessOrEqual(t, at, time.Duration(paused)*time.Second/8000, "marks that come back because they were cleared tell nothing")
		c.leg.Resume(1, at)
		time.Sleep(2 * time.Second)
		heard := c.caller.Heard()
		require.Equal(t, said[:paused], heard[:paused])
		require.Equal(t, said[int(at.Milliseconds())*8:], heard[paused:])
		require.Equal(t, time.Second, c.of(actors.FactDrained)[0].Played)

		// A yield in a pause says clear again.
		require.NoError(t, c.leg.Play(t.Context(), 2, said, 8000))
		time.Sleep(200 * time.Millisecond)
		c.leg.Pause(2)
		before := len(c.caller.Seen())
		c.leg.Flush(2)
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, "clear", c.caller.Seen()[before+1].Event, "one of the pause, one of the yield")
		require.Equal(t, "clear", c.caller.Seen()[before].Event)
		c.over()
	})
}

func TestTheCallersVoiceIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 5*time.Millisecond, who)
		var mu sync.Mutex
		var frames, loud int
		c.leg.Hear(func(f []int16) {
			mu.Lock()
			defer mu.Unlock()
			frames++
			require.Len(t, f, 320, "20 ms at 16 kHz")
			if slices.Max(f) > 3000 {
				loud++
			}
		}, 0)
		time.Sleep(500 * time.Millisecond)
		c.caller.Say(tone(600 * time.Millisecond))
		time.Sleep(1500 * time.Millisecond)
		mu.Lock()
		require.InDelta(t, 100, frames, 2, "every 20 ms, silence included")
		require.InDelta(t, 30, loud, 2)
		mu.Unlock()
		require.Len(t, c.of(actors.FactVoiceOn), 1)
		require.Len(t, c.of(actors.FactVoiceOff), 1)
		require.Len(t, c.of(actors.FactPackets), 1)
		require.Empty(t, c.of(actors.FactNoPackets))

		// What passed in the last two seconds is given again, and live frames follow.
		again := 0
		c.leg.Hear(func(f []int16) {
			if slices.Max(f) > 3000 {
				again++
			}
		}, 2*time.Second)
		require.InDelta(t, 30, again, 2)
		c.leg.Hear(nil, 0)

		c.caller.Press("5")
		c.caller.Press("#")
		time.Sleep(100 * time.Millisecond)
		digits := c.of(actors.FactDigit)
		require.Len(t, digits, 2)
		require.Equal(t, byte('5'), digits[0].Digit)
		require.Equal(t, byte('#'), digits[1].Digit)
		stats := c.leg.Stats()
		require.Zero(t, stats.Lost+stats.Refused)
		require.Equal(t, "PCMU", stats.Codec)
		c.over()
	})
}

func tone(length time.Duration) []int16 {
	out := make([]int16, int(length/time.Millisecond)*8)
	for i := range out {
		out[i] = int16(8000 * float64((i*440/8000)%2*2-1))
		if (i/10)%2 == 0 {
			out[i] = 8000
		} else {
			out[i] = -8000
		}
	}
	return out
}

func TestFramesThatAreMissingOrJunkHarmNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 0, who)
		time.Sleep(100 * time.Millisecond)
		c.caller.Skip(4)
		time.Sleep(100 * time.Millisecond)
		require.EqualValues(t, 4, c.leg.Stats().Lost)
		require.EqualValues(t, 4, c.leg.Stats().Concealed, "stood in for by their time")
		for _, junk := range []string{
			``, `{`, `[]`, `{"event":"media"}`, `{"event":7}`,
			`{"event":"media","media":{"track":"inbound","chunk":"9999","timestamp":"1","payload":"!!!"}}`,
			`{"event":"media","media":{"track":"outbound","chunk":"9999","timestamp":"1","payload":"AAAA"}}`,
			`{"event":"media","media":{"track":"inbound","chunk":"-1","timestamp":"1","payload":"AAAA"}}`,
			`{"event":"media","media":{"track":"inbound","chunk":"1","timestamp":"1","payload":"AAAA"}}`, // was there
			`{"event":"dtmf","dtmf":{"digit":"x"}}`, `{"event":"mark","mark":{"name":""}}`,
			`{"event":"connected"}`, `{"event":"media","sequenceNumber":"1","media":{"track":"inbound","chunk":"99999","timestamp":"1","payload":"AAAA"}}`,
		} {
			c.caller.Raw(junk)
		}
		c.caller.Raw(`{"event":"mark","mark":{"name":"99999"}}`) // nobody's
		c.caller.Raw(`{"event":"weather","weather":{"rain":true}}`)
		time.Sleep(100 * time.Millisecond)
		require.EqualValues(t, 13, c.leg.Stats().Refused)
		require.NoError(t, c.leg.Play(t.Context(), 1, words(200*time.Millisecond), 8000))
		time.Sleep(400 * time.Millisecond)
		require.Len(t, c.caller.Heard(), 1600, "the call goes on")
		for range 300 { // sound may come in between, and counts anew
			c.caller.Raw("junk")
		}
		require.ErrorIs(t, <-c.served, fault.Invalid, "nothing but junk ends the socket")
		require.NoError(t, c.caller.Wait())
		require.NoError(t, c.leg.Close())
	})
}

func TestSilenceOfTheStreamIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 0, who)
		c.caller.Say(tone(300 * time.Millisecond))
		time.Sleep(300 * time.Millisecond)
		require.NoError(t, c.caller.Stop())
		require.NoError(t, <-c.served, "stop is an orderly end")
		time.Sleep(600 * time.Millisecond)
		require.Len(t, c.of(actors.FactNoPackets), 1)
		require.Len(t, c.of(actors.FactVoiceOff), 1, "speech does not outlive its packets")
		require.NoError(t, c.leg.Close())
	})
}

func TestAStreamBeginsWithConnectedAndStart(t *testing.T) {
	start := `{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{"streamSid":"MZ1","accountSid":"AC1","callSid":"CA1","tracks":["inbound"],"customParameters":{"a":"b"},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`
	connected := `{"event":"connected","protocol":"Call","version":"1.0.0"}`
	sound := `{"event":"media","sequenceNumber":"2","streamSid":"MZ1","media":{"track":"inbound","chunk":"1","timestamp":"0","payload":"` + base64.StdEncoding.EncodeToString(make([]byte, 160)) + `"}}`
	for name, tt := range map[string]struct {
		frames []string
		ok     bool
	}{
		"as published":                {[]string{connected, start}, true},
		"something new in between":    {[]string{connected, `{"event":"novelty"}`, start}, true},
		"media before start":          {[]string{connected, sound, start}, false},
		"media before anything":       {[]string{sound}, false},
		"start before connected":      {[]string{start}, false},
		"connected twice":             {[]string{connected, connected, start}, false},
		"no JSON":                     {[]string{"hello"}, false},
		"another rate":                {[]string{connected, strings.Replace(start, "8000", "16000", 1)}, false},
		"an identifier with a quote":  {[]string{connected, strings.ReplaceAll(start, "MZ1", `MZ\"1`)}, false},
		"a parameter of a megabyte":   {[]string{connected, strings.Replace(start, `"b"`, `"`+strings.Repeat("x", 1<<20)+`"`, 1)}, false},
		"stop at once":                {[]string{connected, `{"event":"stop"}`}, false},
		"the caller left before that": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := twiliotest.Pipe(0)
				for _, f := range tt.frames {
					require.NoError(t, theirs.Write([]byte(f)))
				}
				if tt.frames == nil {
					theirs.Close(1000, "")
				}
				got, err := twilio.Greet(ours)
				if !tt.ok {
					require.Error(t, err)
					require.Error(t, theirs.Write([]byte("x")), "the socket is closed")
					return
				}
				require.NoError(t, err)
				require.Equal(t, twilio.Started{Stream: "MZ1", Account: "AC1", Call: "CA1", Parameters: map[string]string{"a": "b"}}, got)
			})
		})
	}
	t.Run("who says nothing is not waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ours, _ := twiliotest.Pipe(0)
			began := time.Now()
			_, err := twilio.Greet(ours)
			require.Error(t, err)
			require.Equal(t, 10*time.Second, time.Since(began))
		})
	})
}

func TestMarksThatNeverComeBackEndTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := who
		deaf.Deaf = true
		c := calls(t, 0, deaf)
		require.NoError(t, c.leg.Play(t.Context(), 1, words(time.Second), 8000))
		time.Sleep(4 * time.Second)
		require.Equal(t, 200*time.Millisecond, c.caller.MostAhead(), "not one frame beyond what may be unmarked")
		require.Zero(t, c.leg.Played(1), "nothing is known to have been heard")
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, <-c.served, fault.Unavailable)
		require.NoError(t, c.caller.Wait())
		require.NoError(t, c.leg.Close())
	})
}

func TestALegOutlivesItsSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 0, who)
		said := words(time.Second)
		require.NoError(t, c.leg.Play(t.Context(), 1, said, 8000))
		c.leg.End(1)
		time.Sleep(505 * time.Millisecond) // between two marks: none is under way
		synctest.Wait()
		at := c.leg.Played(1)
		require.NoError(t, c.caller.Stop())
		require.NoError(t, <-c.served)
		time.Sleep(3 * time.Second)
		require.Equal(t, at, c.leg.Played(1), "nothing is heard without a socket")
		other := who
		other.Stream = "MZ02"
		c.connect(0, other)
		time.Sleep(time.Second)
		require.Equal(t, said[int(at.Milliseconds())*8:], c.caller.Heard(), "it goes on where the ear was")
		c.over()
	})
}

func TestPlayWaitsForRoomAndLetsGoOnFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 0, who)
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- c.leg.Play(t.Context(), 1, make([]int16, 24000*10), 24000) }()
		time.Sleep(time.Second)
		c.leg.Flush(1)
		require.ErrorIs(t, <-done, fault.Cancelled)
		require.Equal(t, time.Second, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.leg.Play(ctx, 2, make([]int16, 8000*10), 8000), fault.Cancelled)
		require.ErrorIs(t, c.leg.Play(t.Context(), 3, nil, -1), fault.Invalid)
		c.over()
		require.ErrorIs(t, c.leg.Play(t.Context(), 4, nil, 8000), fault.Cancelled)
		require.NoError(t, c.leg.Close(), "twice is once")
	})
}

// tape records what it is given.
type tape struct {
	frames      int
	left, right []int16
}

func (r *tape) Frame(left, right []int16) {
	pad := func(to, frame []int16) []int16 {
		if frame == nil {
			frame = make([]int16, 160)
		}
		return append(to, frame...)
	}
	r.left, r.right = pad(r.left, left), pad(r.right, right)
	r.frames++
}
func (r *tape) Pause(bool)                       {}
func (r *tape) Close() (actors.Recording, error) { return actors.Recording{}, nil }

func TestBothSidesAreRecordedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 0, who)
		r := new(tape)
		c.leg.Record(r)
		time.Sleep(500 * time.Millisecond)
		c.caller.Say(tone(200 * time.Millisecond))
		said := words(400 * time.Millisecond)
		require.NoError(t, c.leg.Play(t.Context(), 1, said, 8000))
		c.leg.End(1)
		time.Sleep(1500 * time.Millisecond)
		c.leg.Record(nil)
		require.InDelta(t, 100, r.frames, 1)
		first := slices.IndexFunc(r.right, func(s int16) bool { return s != 0 })
		require.InDelta(t, 4000, first, 320, "the reply stands where it was heard")
		require.Equal(t, said, r.right[first/160*160:][:len(said)])
		voice := slices.IndexFunc(r.left, func(s int16) bool { return s > 3000 })
		require.InDelta(t, 4000, voice, 800)
		c.over()
	})
}

func TestMusicGoesOutInRealTimeAndStopsForAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := calls(t, 0, who)
		asked := 0
		c.leg.Fill(func(f []int16) bool { asked++; return true })
		time.Sleep(2 * time.Second)
		c.leg.Fill(nil)
		require.InDelta(t, 105, asked, 3, "two seconds and what is ahead")
		require.LessOrEqual(t, c.caller.MostAhead(), 200*time.Millisecond)
		c.leg.Duck(-12)
		require.NoError(t, c.leg.Play(t.Context(), 1, tone(time.Second), 8000))
		time.Sleep(1200 * time.Millisecond)
		heard := c.caller.Heard()
		require.InDelta(t, 2000, int(slices.Max(heard[len(heard)-800:])), 100, "12 dB less")
		c.over()
	})
}
