package call_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/caller"
	"flametree/media/sip"
	"flametree/media/wav"
	"flametree/test/house"
)

// A conversation by the project's own telephone, turn by turn: question,
// answer, goodbye; the agent hangs up. Its recording is stereo, the caller on
// the left; its replay is equal, and differs when one timer is set otherwise.
func TestConversationRecordedAndReplayed(t *testing.T) {
	t.Parallel()
	s := serve(t, "harbour")
	phone, err := caller.New(t.Context(), caller.Options{Keep: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, phone.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := phone.Call(ctx, s.Agents[0].SIP, sip.DialOptions{From: "regular", Display: "Regular", Codecs: []string{"PCMU"}})
	require.NoError(t, err)
	since := time.Now().Add(-time.Second)
	mine := []string{"where can i fill the water tank", "when does the harbour office open", "that is all goodbye"}
	for _, text := range mine {
		require.NoError(t, c.WaitQuiet(ctx, since, 800*time.Millisecond), text)
		x, err := c.Say(ctx, utter(t, "rms", text))
		require.NoError(t, err)
		since = x.Last
	}
	select {
	case <-c.Gone():
	case <-time.After(15 * time.Second):
		t.Fatal("the agent did not say goodbye and hang up")
	}
	k := told(t, s, "regular")
	right, all := understood(t, mine, k.heard())
	t.Logf("figure: rms by our own phone: %d of %d words right", right, all)
	require.GreaterOrEqual(t, right*100, all*60)
	require.Contains(t, k.said(t)[1].Text.Text, "blue pier")
	require.Contains(t, k.said(t)[2].Text.Text, "eight")
	require.Equal(t, "completed", k.status(t))
	timed(t, k)
	k.equal(t, s)
	// A turn ends by one of two timers, as it sounded finished or not.
	differs := len(k.replay(t, s, "eot=1500ms").Differences) + len(k.replay(t, s, "eot_finished=1500ms").Differences)
	require.NotZero(t, differs, "another timer, other decisions")
	k.equal(t, s)
	r := house.Command(t, "--data", s.Data, "replay", k.session, "--set", "eto=1s")
	require.NotZero(t, r.Code, "an unknown setting")
	require.Contains(t, r.Err, "eto")

	_, _, lost := c.Totals()
	require.Zero(t, lost)
	heard := c.Audio()
	require.Zero(t, s.Stop(t))
	k.equal(t, s) // without the server too
	recorded(t, s.Data, k, heard)
}

// timed checks the waterfall of each turn that answered something.
func timed(t *testing.T, k story) {
	t.Helper()
	events := k.of("turn.timed.v1")
	require.GreaterOrEqual(t, len(events), 3)
	for _, e := range events {
		var b struct {
			Turn   uint64
			Stages []struct {
				Name string
				Took time.Duration
			}
		}
		e.Into(t, &b)
		if b.Turn == 0 {
			continue
		}
		names := map[string]bool{}
		for _, x := range b.Stages {
			names[x.Name] = true
			require.Positive(t, x.Took, x.Name)
			require.Less(t, x.Took, 20*time.Second, x.Name)
		}
		require.True(t, names["eot"] && names["tts_ttfb"], "stages of turn %d: %v", b.Turn, names)
	}
}

// recorded opens the sealed recording of a folder on which nobody runs and
// compares it with what was said and heard.
func recorded(t *testing.T, data string, k story, heard []int16) {
	t.Helper()
	var b struct {
		Blob   string
		RateHz int
		Length time.Duration
		Cut    bool
	}
	closed := k.of("recording.closed.v1")
	require.Len(t, closed, 1)
	closed[0].Into(t, &b)
	require.False(t, b.Cut)
	require.Equal(t, rateHz, b.RateHz)
	left, err := filepath.Glob(filepath.Join(data, "spool", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
	sound := unseal(t, data, k, b.Blob)
	require.Equal(t, 2, sound.Channels)
	require.InDelta(t, b.Length.Seconds(), float64(len(sound.PCM)/2)/rateHz, 0.1)
	caller, agent := make([]int16, len(sound.PCM)/2), make([]int16, len(sound.PCM)/2)
	for i := range caller {
		caller[i], agent[i] = sound.PCM[2*i], sound.PCM[2*i+1]
	}
	// Each side is where it belongs: the right channel is what the phone heard.
	own, other := alike(heard, agent), alike(heard, caller)
	t.Logf("figure: what the phone heard agrees with the right channel by %.2f, with the left by %.2f", own, other)
	require.Greater(t, own, 0.9)
	require.Less(t, other, 0.4)
	require.Greater(t, level(trim(caller)), 50.0, "the caller is on the left")
}

// unseal opens a recording of a folder on which nobody runs.
func unseal(t *testing.T, data string, k story, name string) wav.Audio {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "blob", "sha256", name[:2], name))
	require.NoError(t, err)
	require.NotContains(t, string(raw), "WAVEfmt", "it is sealed")
	out := filepath.Join(t.TempDir(), "out.wav")
	house.Must(t, "--data", data, "recording", "get", k.session, "--out", out)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	sound, err := wav.Decode(b)
	require.NoError(t, err)
	return sound
}

// alike compares the envelopes of two sounds that begin at about the same time:
// 1 is the same, 0 has nothing in common.
func alike(a, b []int16) float64 {
	x, y := envelope(a), envelope(b)
	best := 0.0
	for shift := -25; shift <= 25; shift++ { // half a second
		var sx, sy, sxx, syy, sxy, n float64
		for i := range x {
			j := i + shift
			if j < 0 || j >= len(y) {
				continue
			}
			n, sx, sy, sxx, syy, sxy = n+1, sx+x[i], sy+y[j], sxx+x[i]*x[i], syy+y[j]*y[j], sxy+x[i]*y[j]
		}
		if d := math.Sqrt((n*sxx - sx*sx) * (n*syy - sy*sy)); d > 0 {
			best = max(best, (n*sxy-sx*sy)/d)
		}
	}
	return best
}

func envelope(pcm []int16) []float64 {
	out := make([]float64, len(pcm)/frameSize)
	for i := range out {
		out[i] = level(pcm[i*frameSize : (i+1)*frameSize])
	}
	return out
}
