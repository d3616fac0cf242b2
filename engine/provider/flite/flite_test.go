package flite

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, v provider.Voice) provider.Speech {
	t.Helper()
	s, err := New(Options{})
	require.NoError(t, err)
	p, err := s.Open(t.Context(), v)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// hear collects the audio of n clauses.
func hear(t testing.TB, p provider.Speech, n int) []provider.Audio {
	t.Helper()
	out := make([]provider.Audio, 0, n)
	fresh := true
	for a, err := range p.Audio() {
		require.NoError(t, err)
		if fresh {
			out = append(out, a)
		} else {
			last := &out[len(out)-1]
			require.Equal(t, last.ID, a.ID, "clauses are mixed")
			last.PCM = append(last.PCM, a.PCM...)
		}
		fresh = a.Last
		if a.Last && len(out) == n {
			break
		}
	}
	return out
}

func length(a provider.Audio) time.Duration {
	return time.Duration(len(a.PCM)) * time.Second / time.Duration(a.RateHz)
}

func loudness(pcm []int16) float64 {
	var e float64
	for _, v := range pcm {
		e += float64(v) * float64(v)
	}
	return math.Sqrt(e / float64(len(pcm)+1))
}

func TestEveryVoiceSpeaks(t *testing.T) {
	for _, name := range Voices() {
		t.Run(name, func(t *testing.T) {
			p := open(t, provider.Voice{Name: name})
			require.NoError(t, p.Speak("your card is blocked", 1, 7))
			a := hear(t, p, 1)[0]
			require.Equal(t, uint64(7), a.ID)
			require.Greater(t, length(a), 700*time.Millisecond)
			require.Less(t, length(a), 3*time.Second)
			require.Greater(t, loudness(a.PCM), 500.0)
			var words []string
			end := time.Duration(0)
			for _, w := range a.Words {
				words = append(words, w.Text)
				require.GreaterOrEqual(t, w.Start, end-time.Millisecond, "words follow each other")
				require.Greater(t, w.End, w.Start)
				end = w.End
			}
			require.Equal(t, "your card is blocked", strings.Join(words, " "))
			require.LessOrEqual(t, end, length(a))
		})
	}
}

func TestClausesComeInOrder(t *testing.T) {
	p := open(t, provider.Voice{})
	for i := range 4 {
		require.NoError(t, p.Speak(fmt.Sprint("number ", []string{"one", "two", "three", "four"}[i]), 1, uint64(i+1)))
	}
	for i, a := range hear(t, p, 4) {
		require.Equal(t, uint64(i+1), a.ID)
	}
}

func TestCancelStopsAtOnceAndKeepsTheVoice(t *testing.T) {
	p := open(t, provider.Voice{})
	long := strings.Repeat("this is a very long sentence that nobody wants to hear to its end and ", 12)
	require.NoError(t, p.Speak(long, 1, 1))
	require.NoError(t, p.Speak("and this neither", 1, 2))
	got := 0
	for a, err := range p.Audio() {
		require.NoError(t, err)
		if a.Gen == 1 {
			if got++; got == 1 {
				p.Cancel(1)
				require.NoError(t, p.Speak("but this", 2, 3))
			}
			require.LessOrEqual(t, got, 2, "audio of a cancelled generation goes on")
			continue
		}
		require.Equal(t, uint64(3), a.ID)
		if a.Last {
			break
		}
	}
}

func TestBadInput(t *testing.T) {
	s, err := New(Options{})
	require.NoError(t, err)
	_, err = s.Open(t.Context(), provider.Voice{Name: "nobody"})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = s.Open(t.Context(), provider.Voice{Rate: 100})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = New(Options{Voice: "nobody"})
	require.ErrorIs(t, err, fault.Invalid)
	p := open(t, provider.Voice{})
	for i, text := range []string{"", "   ", "?!...", "\x00\x01", "日本語", strings.Repeat("a", 500), "\"'<>&"} {
		require.NoError(t, p.Speak(text, 1, uint64(i+1)))
		a := hear(t, p, 1)[0]
		require.Equal(t, uint64(i+1), a.ID, "%q", text)
	}
}

func TestCloseEndsASpeechInTheMiddle(t *testing.T) {
	s, err := New(Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	p, err := s.Open(ctx, provider.Voice{})
	require.NoError(t, err)
	require.NoError(t, p.Speak("one two three four five six seven", 1, 1))
	cancel()
	for range p.Audio() {
	}
	require.NoError(t, p.Close())
	require.ErrorIs(t, p.Speak("more", 1, 2), fault.Cancelled)
}

func TestManySpeakAtOnce(t *testing.T) {
	s, err := New(Options{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	want := 0
	for i := range 12 {
		wg.Go(func() {
			p, err := s.Open(t.Context(), provider.Voice{Name: []string{"slt", "rms", "awb"}[i%3]})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = p.Close() }()
			_ = p.Speak("the same words in many calls", 1, 1)
			n := 0
			for a := range p.Audio() {
				n += len(a.PCM)
				if a.Last {
					break
				}
			}
			if n == 0 {
				t.Error("silence")
			}
		})
	}
	wg.Wait()
	_ = want
	runtime.GC()
}

func TestARateStretches(t *testing.T) {
	slow, fast := open(t, provider.Voice{Rate: 0.5}), open(t, provider.Voice{Rate: 2})
	require.NoError(t, slow.Speak("one two three", 1, 1))
	require.NoError(t, fast.Speak("one two three", 1, 1))
	require.Greater(t, length(hear(t, slow, 1)[0]), 2*length(hear(t, fast, 1)[0]))
}

func BenchmarkFirstAudio(b *testing.B) {
	p := open(b, provider.Voice{})
	for i := 0; b.Loop(); i++ {
		if err := p.Speak("I have blocked your card.", 1, uint64(i)+1); err != nil {
			b.Fatal(err)
		}
		begun, first := time.Now(), true
		for a := range p.Audio() {
			if first {
				b.ReportMetric(float64(time.Since(begun).Microseconds())/1000, "ms/first")
				first = false
			}
			if a.Last {
				break
			}
		}
	}
}
