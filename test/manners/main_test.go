// Package manners_test calls the real program as people do who have no headset:
// over a speaker-phone that gives the agent its own voice back, with keys
// instead of words, or not at all. What the agent does then is read from what
// came back and from the journal.
package manners_test

import (
	"context"
	"flag"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/media/caller"
	"flametree/media/resample"
	"flametree/media/sip"
	"flametree/test/house"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Calls wait for sound most of the time; more of them at once would be heard late.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(house.Main(m))
}

const ms = time.Millisecond

func serve(t *testing.T) *house.Server {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "hotel.yaml"))
	require.NoError(t, err)
	return house.Serve(t, house.Options{Agents: []string{path}})
}

// ring calls the agent.
func ring(t *testing.T, s *house.Server) *caller.Call {
	t.Helper()
	phone, err := caller.New(context.Background(), caller.Options{Keep: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = phone.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := phone.Call(ctx, s.Agents[0].SIP, sip.DialOptions{From: "guest"})
	require.NoError(t, err)
	t.Cleanup(c.Hangup)
	return c
}

// words are a sentence of somebody else's voice at 8 kHz.
func words(t *testing.T, text string) []int16 {
	t.Helper()
	s, err := flite.New(flite.Options{Voice: "rms"})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p, err := s.Open(ctx, provider.Voice{})
	require.NoError(t, err)
	defer func() { _ = p.Close() }()
	require.NoError(t, p.Speak(text, 1, 1))
	var pcm []int16
	for a, err := range p.Audio() {
		require.NoError(t, err)
		if pcm = append(pcm, a.PCM...); a.Last {
			pcm, err = resample.All(pcm, a.RateHz, 8000)
			require.NoError(t, err)
			break
		}
	}
	return pcm
}

// room is a speaker-phone: what the agent says comes back through a table and a
// small room, so many dB quieter and some time later, mixed with what is said
// in front of it.
type room struct {
	call *caller.Call
	gain float64

	mu   sync.Mutex
	say  []int16
	work sync.WaitGroup
	stop context.CancelFunc
}

func speakerphone(t *testing.T, c *caller.Call, db float64) *room {
	r := &room{call: c, gain: math.Pow(10, db/20)}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	t.Cleanup(r.close)
	r.work.Go(func() { r.run(ctx) })
	return r
}

func (r *room) close() {
	r.stop()
	r.work.Wait()
}

func (r *room) speak(pcm []int16) {
	r.mu.Lock()
	r.say = append(r.say, pcm...)
	r.mu.Unlock()
}

// run sends a tenth of a second whenever that much has come.
func (r *room) run(ctx context.Context) {
	const part = 800
	send := func(pcm []int16) {
		r.work.Go(func() { _, _ = r.call.Say(ctx, pcm) }) // it returns when all is said, or the test is over
	}
	send(make([]int16, part)) // what is late later must not tear holes
	tick := time.NewTicker(20 * ms)
	defer tick.Stop()
	for done := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-r.call.Gone():
			return
		case <-tick.C:
		}
		for heard := r.call.Audio(); done+part <= len(heard); done += part {
			out := make([]int16, part)
			for i := range out {
				v := 0.0
				for back, share := range map[int]float64{0: 1, 31: -0.4, 67: 0.25, 140: 0.15, 260: -0.1} { // the table and the walls
					if at := done + i - back; at >= 0 {
						v += share * float64(heard[at])
					}
				}
				out[i] = int16(max(-32768, min(32767, v*r.gain)))
			}
			r.mu.Lock()
			n := min(part, len(r.say))
			for i, v := range r.say[:n] {
				out[i] = int16(max(-32768, min(32767, int(out[i])+int(v))))
			}
			r.say = r.say[n:]
			r.mu.Unlock()
			send(out)
		}
	}
}

// said is one line of the agent as the caller heard it.
type said struct {
	Text, Full  struct{ Text string }
	Interrupted bool
	Played      time.Duration
}

// story is what the journal tells once a call has ended.
type story struct {
	spoken []said
	heard  []string
	status string
	events []house.Event
}

func told(t *testing.T, s *house.Server) story {
	t.Helper()
	var k story
	s.Until(t, "the end of the call", 20*time.Second, func(e house.Event) bool {
		k.events = append(k.events, e)
		switch e.Kind {
		case "reply.spoken.v1":
			var b said
			e.Into(t, &b)
			k.spoken = append(k.spoken, b)
		case "utterance.heard.v1":
			k.heard = append(k.heard, e.Text)
		case "session.ended.v1":
			var b struct{ Status string }
			e.Into(t, &b)
			k.status = b.Status
		}
		return e.Kind == "call.ended.v1"
	})
	return k
}
