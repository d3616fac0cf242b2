package voicescript

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/cluster/voicescript/example"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/scenario"
	"flametree/media/caller"
	"flametree/media/pcm"
	"flametree/media/wav"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hum is a voice of a kind: a tone that lasts 100 ms a letter.
func hum(_ context.Context, voice, text string) ([]int16, error) {
	if voice == "nobody" {
		return nil, fmt.Errorf("no voice of that name: %w", fault.Invalid)
	}
	out := make([]int16, 800*len(text))
	for i := range out {
		out[i] = int16(6000 * math.Sin(float64(i)/3))
	}
	return append(append(make([]int16, 1600), out...), make([]int16, 1600)...), nil
}

func studio() *Studio {
	return &Studio{Render: hum, Load: func(string) ([]int16, error) { return make([]int16, 100), nil }}
}

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, _, err := scenario.Parse([]byte(text))
	require.NoError(t, err)
	return s
}

func TestTheExampleIsAScenarioWithoutWarnings(t *testing.T) {
	_, notes, err := scenario.Parse([]byte(example.Text()))
	require.NoError(t, err)
	require.Empty(t, notes)
}

func TestSpeechIsCutToWhatIsHeardAndHasItsPauses(t *testing.T) {
	s, err := studio().sounds(t.Context(), parse(t, "agent: a\nsteps:\n- say: 'ab [600ms] cd'\n- digits: 1\n- sound: cough\n"), "")
	require.NoError(t, err)
	said := s.steps[0]
	require.InDelta(t, float64(2*800*3+4800), float64(len(said)), 400, "two tones and a pause, no silence around")
	require.Less(t, pcm.LevelDB(said[len(said)/2-800:len(said)/2+800]), 1.0, "the pause is silent")
	require.Nil(t, s.steps[1])
	require.InDelta(t, 0.4, float64(len(s.steps[2]))/caller.RateHz, 0.02, "a cough")
	require.Greater(t, loudness(s.steps[2]), 500.0)
}

func TestNoiseIsAsLoudAsItsSNRSays(t *testing.T) {
	for _, kind := range []string{"white", "pink", "hum", "babble"} {
		for _, snr := range []float64{0, 10, 20, 30} {
			text := fmt.Sprintf("agent: a\nseed: 3\nnoise: {kind: %s, snr: %vdB}\nsteps:\n- say: hello\n", kind, snr)
			s, err := studio().sounds(t.Context(), parse(t, text), "")
			require.NoError(t, err)
			got := 20 * math.Log10(loudness(s.steps...)/math.Sqrt(pcm.Power(s.noise)))
			require.InDelta(t, snr, got, 0.6, "%s at %v dB", kind, snr)
			again, err := studio().sounds(t.Context(), parse(t, text), "")
			require.NoError(t, err)
			require.Equal(t, s.noise, again.noise, "the same seed is the same noise")
		}
	}
}

func TestWhatCannotBeSaidIsToldWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"- say: hello\n  voice: nobody\n": "step 1 (line 3), hello: no voice of that name",
		"- wav: silent.wav\n":             "step 1 (line 3), [silent.wav]: there is no sound in it",
	} {
		_, err := studio().sounds(t.Context(), parse(t, "agent: a\nsteps:\n"+text), "")
		require.ErrorContains(t, err, want)
		require.True(t, errors.Is(err, fault.Invalid))
	}
}

// TestStretchesCoverAllSpeech: whatever is loud is in one of them, none is longer
// than a recogniser takes, and they do not overlap.
func TestStretchesCoverAllSpeech(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var heard []int16
		chance := rand.New(rand.NewPCG(1, 1))
		for _, ms := range rapid.SliceOfN(rapid.IntRange(20, 6000), 0, 8).Draw(r, "ms") {
			loud := 3000 * float64(ms%2)
			for range samples(time.Duration(ms)*time.Millisecond) / frame * frame {
				heard = append(heard, int16(loud*chance.NormFloat64()/3))
			}
		}
		last := 0
		for _, x := range stretches(heard) {
			if x.from < last || x.to > len(heard) || x.to-x.from > samples(longest)+frame {
				r.Fatalf("stretch %+v after %d", x, last)
			}
			for i := last; i+frame <= x.from; i += frame {
				if pcm.LevelDB(heard[i:i+frame]) >= caller.Voiced {
					r.Fatalf("speech at %d is left out", i)
				}
			}
			last = x.to
		}
	})
}

func TestWordsAreSpreadOverTheirStretch(t *testing.T) {
	got := spread("a longer b", time.Second, 1100*time.Millisecond)
	require.Equal(t, []scenario.Word{{At: time.Second, Text: "a"}, {At: 1200 * time.Millisecond, Text: "longer"}, {At: 1900 * time.Millisecond, Text: "b"}}, got)
	require.Empty(t, spread(" ", 0, 0))
}

// book is a journal of a test: some lines, of which those of a call are written
// while somebody follows.
type book struct {
	before int
	lines  []string
}

func (b *book) at(ctx context.Context, path string) (io.ReadCloser, error) {
	query, _ := strings.CutPrefix(path, "/journal?from=")
	number, follow := strings.CutSuffix(query, "&follow=1")
	from, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	if !follow {
		text := ""
		for i := from; i <= b.before; i++ {
			text += fmt.Sprintf("{\"pos\":%d}\n", i)
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}
	if from != b.before+1 {
		return nil, fmt.Errorf("it follows from %d, the last line is %d", from, b.before)
	}
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(io.EOF) })
	go func() {
		for _, l := range b.lines {
			if _, err := io.WriteString(w, l+"\n"); err != nil {
				return
			}
		}
	}()
	return r, nil
}

func TestThePositionIsFoundWithoutReadingAll(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 7, 8, 1000, 1023, 1025} {
		b := &book{before: n}
		s := &Studio{Journal: b.at}
		at, err := s.position(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(n), at)
	}
	s := &Studio{Journal: func(context.Context, string) (io.ReadCloser, error) {
		return nil, fmt.Errorf("nobody there: %w", fault.Unavailable)
	}}
	_, err := s.position(t.Context())
	require.True(t, errors.Is(err, fault.Unavailable))
}

// TestTheFactsAreThoseOfTheCall: two calls go on, the session of ours is written
// before its call, and what belongs to the other is left out.
func TestTheFactsAreThoseOfTheCall(t *testing.T) {
	zero := time.Unix(1000, 0).UTC()
	line := func(stream string, ms int, e event.Event) string {
		body, err := json.Marshal(e)
		require.NoError(t, err)
		all, err := json.Marshal(map[string]any{"stream": stream, "kind": e.Kind(), "time": zero.Add(time.Duration(ms) * time.Millisecond), "body": json.RawMessage(body)})
		require.NoError(t, err)
		return string(all)
	}
	b := &book{before: 12, lines: []string{
		line("session/ours", 5, event.StateEntered{State: "Advice"}),
		line("session/other", 5, event.StateEntered{State: "Elsewhere"}),
		line("call/2", 6, event.CallOffered{Session: "other", SIPCallID: "their-id"}),
		line("call/1", 6, event.CallOffered{Session: "ours", SIPCallID: "our-id"}),
		line("session/ours", 900, event.UtteranceHeard{Text: event.P("what does it cost")}),
		line("session/other", 950, event.ResultSet{Field: "Topic", Value: event.P("theirs")}),
		line("session/ours", 1000, event.ToolCalled{Call: event.ToolCall{ID: "a", Name: "Search"}}),
		line("session/ours", 1001, event.ToolCalled{Call: event.ToolCall{ID: "b", Name: "Open"}, Refused: "not now"}),
		line("session/ours", 1100, event.ToolAnswered{CallID: "a", Fault: "away"}),
		line("session/ours", 1200, event.ReplySpoken{Text: event.P("it costs"), Interrupted: true}),
		"{cut off",
		line("session/ours", 1300, event.ResultSet{Field: "Topic", Value: event.P("fees")}),
		line("session/ours", 1400, event.SessionEnded{Status: event.Completed}),
		line("call/1", 1400, event.CallEnded{}),
		line("call/1", 1500, event.RecordingClosed{}),
	}}
	p := &player{studio: &Studio{}, scenario: &scenario.Scenario{}, zero: zero}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &witness{player: p, id: "our-id", cancel: cancel, lines: make(chan journalLine), hungUp: make(chan bool, 1), done: make(chan struct{}), tools: map[string]int{}}
	go func() {
		defer close(w.lines)
		follow(ctx, b.at, 13, w.lines)
	}()
	go w.collect()
	f := w.end(true)
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	require.Equal(t, &scenario.Facts{
		Session: "ours", Status: "completed", Recording: true,
		States:  []scenario.Fact{{At: ms(5), Text: "Advice"}},
		Heard:   []scenario.Fact{{At: ms(900), Text: "what does it cost"}},
		Calls:   []scenario.Fact{{At: ms(1000), Name: "Search", Fault: "failed: away"}, {At: ms(1001), Name: "Open", Fault: "refused: not now"}},
		Said:    []scenario.Fact{{At: ms(1200), Text: "it costs", Fault: "interrupted"}},
		Results: []scenario.Fact{{At: ms(1300), Name: "Topic", Text: "fees"}},
	}, f)
}

// parrot understands every stretch as the same words, but the last one.
type parrot struct{ fails bool }

func (p parrot) Open(context.Context, provider.Format) (provider.Transcription, error) {
	return &parroted{parrot: p, finals: make(chan provider.Hearing, 8)}, nil
}

type parroted struct {
	parrot
	finals chan provider.Hearing
}

func (*parroted) Write([]int16) error { return nil }

func (p *parroted) Finalize() error {
	if p.fails {
		return fmt.Errorf("it went away: %w", fault.Unavailable)
	}
	p.finals <- provider.Hearing{Text: "hello there", Final: true}
	return nil
}

func (p *parroted) CloseSend() error { close(p.finals); return nil }

func (p *parroted) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		if p.fails {
			return
		}
		for h := range p.finals {
			if !yield(h, nil) {
				return
			}
		}
	}
}

func TestEveryStretchIsUnderstoodInItsPlace(t *testing.T) {
	heard, _ := hum(t.Context(), "", "ab")
	heard = append(heard, make([]int16, 8000)...)
	more, _ := hum(t.Context(), "", "cd")
	heard = append(heard, more...)
	s := &Studio{Ears: parrot{}}
	got, err := s.recognise(t.Context(), heard, 3*time.Second, provider.Hints{})
	require.NoError(t, err)
	require.Len(t, got, 4)
	require.InDelta(t, 3.2, got[0].At.Seconds(), 0.03)
	require.InDelta(t, 4.8, got[2].At.Seconds(), 0.03)
	none, err := s.recognise(t.Context(), make([]int16, 8000), 0, provider.Hints{})
	require.NoError(t, err)
	require.Empty(t, none)
	s.Ears = parrot{fails: true}
	_, err = s.recognise(t.Context(), heard, 0, provider.Hints{})
	require.ErrorContains(t, err, "recognise what the agent said: it went away")
}

func TestARunIsKeptUnderANameThatIsOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	o := Outcome{
		Report: scenario.Report{Scenario: "<script>alert(1)</script>", Length: time.Second, Verdicts: []scenario.Verdict{{Key: "says", Got: "<b>"}}},
		Stereo: stereo([]int16{1, 2, 3}, []int16{9}),
	}
	page, err := Write(dir, "../../a b", o)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a-b.html"), page)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.NotContains(t, string(text), "<script>")
	require.NotContains(t, string(text), "<b>")
	sound, err := os.ReadFile(filepath.Join(dir, "a-b.wav"))
	require.NoError(t, err)
	a, err := wav.Decode(sound)
	require.NoError(t, err)
	require.Equal(t, []int16{1, 9, 2, 0, 3, 0}, a.PCM)
	require.Equal(t, []int16{0, 0, 0, 0, 0, 0, 0, 0, 5}, placed([]int16{5}, time.Millisecond))
	require.Equal(t, []int16{6}, placed([]int16{1, 1, 1, 1, 1, 1, 1, 1, 6}, -time.Millisecond))
}
