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

// speakerphone has what the agent says come back through a table and a small
// room, so many dB quieter and some time later, with what is said in front of it.
func speakerphone(c *caller.Call, db float64) {
	c.Stand(caller.Room{
		Gain: math.Pow(10, db/20), Delay: 160 * ms,
		Paths: []caller.Path{{Share: 1}, {Samples: 31, Share: -0.4}, {Samples: 67, Share: 0.25}, {Samples: 140, Share: 0.15}, {Samples: 260, Share: -0.1}},
	})
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
