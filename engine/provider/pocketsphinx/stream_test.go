package pocketsphinx

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

func phone(t testing.TB) provider.Format {
	return provider.Format{RateHz: sampleRate, BandHz: 8000, Hints: hints(t, "debit")}
}

// chord is music: four triads with harmonics, each fading.
func chord(seconds float64) []int16 {
	notes := [4][3]float64{{262, 330, 392}, {294, 370, 440}, {196, 247, 294}, {220, 262, 330}}
	out := quiet(seconds)
	for i := range out {
		v := 0.0
		for _, f := range notes[i/8000%4] {
			for h := 1.0; h < 6; h++ {
				v += math.Sin(2*math.Pi*f*h*float64(i)/sampleRate) / h
			}
		}
		out[i] = int16(1200 * v * math.Exp(-1.5*float64(i%8000)/8000))
	}
	return out
}

// coughs are three bursts of dull noise.
func coughs() []int16 {
	r := random(3)
	var out []int16
	for range 3 {
		burst, y := quiet(0.35), 0.0
		for i := range burst {
			y = 0.7*y + r.gauss()
			burst[i] = int16(4000 * y * math.Exp(-float64(i)/1500))
		}
		out = join(out, burst, quiet(0.2))
	}
	return out
}

func clicks(seconds float64) []int16 {
	out := quiet(seconds)
	for i := 2000; i+60 < len(out); i += 5000 {
		for k := range 60 {
			out[i+k] = int16(15000 * math.Exp(-float64(k)/12) * float64(1-2*(k%2)))
		}
	}
	return out
}

func keys(seconds float64) []int16 {
	out := quiet(seconds)
	for i := range out {
		if i/3200%2 == 0 {
			out[i] = int16(5000 * (math.Sin(2*math.Pi*770*float64(i)/sampleRate) + math.Sin(2*math.Pi*1336*float64(i)/sampleRate)))
		}
	}
	return out
}

func TestWhatIsNoSpeechHoldsNoWords(t *testing.T) {
	tr := ears(t)
	for name, pcm := range map[string][]int16{
		"15 s of silence":         quiet(15),
		"15 s of low noise":       hiss(15, 30),
		"noise that sets in":      hiss(6, 400),
		"bursts of noise":         join(hiss(0.3, 2000), quiet(0.3), hiss(0.5, 3000), quiet(0.3)),
		"coughs":                  coughs(),
		"clicks":                  clicks(4),
		"music":                   chord(6),
		"digits pressed in band":  keys(3),
		"a single sample at full": join(quiet(1), []int16{32767}, quiet(1)),
	} {
		t.Run(name, func(t *testing.T) {
			finals, partials := hear(t, tr, phone(t), telephone(join(quiet(0.3), pcm, quiet(0.3))))
			require.Len(t, finals, 1)
			require.Empty(t, finals[0].Text)
			require.Empty(t, finals[0].Words)
			require.Zero(t, partials, "partials")
		})
	}
}

func TestNoiseBeforeSpeechDoesNotSpoilIt(t *testing.T) {
	tr := ears(t)
	s, err := tr.Open(t.Context(), phone(t))
	require.NoError(t, err)
	for _, pcm := range [][]int16{hiss(3, 500), coughs(), join(quiet(0.3), say(t, "rms", "how do i block my card"), quiet(0.3))} {
		require.NoError(t, s.Write(telephone(pcm)))
		require.NoError(t, s.Finalize())
	}
	require.NoError(t, s.CloseSend())
	var got []string
	for h, err := range s.Heard() {
		require.NoError(t, err)
		if h.Final {
			got = append(got, h.Text)
		}
	}
	require.Equal(t, []string{"", "", "how do i block my card"}, got)
}

func TestWordsAreTimedFromTheStartOfTheStream(t *testing.T) {
	tr := ears(t)
	const lead = 2.0
	clip := say(t, "rms", "my card was stolen")
	finals, partials := hear(t, tr, phone(t), telephone(join(quiet(lead), clip, quiet(0.5))))
	require.Equal(t, "my card was stolen", text(finals))
	require.Positive(t, partials)
	words := finals[0].Words
	require.Len(t, words, 4)
	end := time.Duration(0)
	for _, w := range words {
		require.GreaterOrEqual(t, w.Start, end-50*time.Millisecond)
		require.Greater(t, w.End, w.Start)
		end = w.End
	}
	length := time.Duration(len(clip)) * time.Second / sampleRate
	begin := time.Duration(lead * float64(time.Second))
	require.InDelta(t, (begin + 200*time.Millisecond).Seconds(), words[0].Start.Seconds(), 0.25)
	require.InDelta(t, (begin + length - 200*time.Millisecond).Seconds(), end.Seconds(), 0.3)
}

func TestAPauseDoesNotShiftTheWordsBehindIt(t *testing.T) {
	tr := ears(t)
	a, b := say(t, "rms", "my card was stolen"), say(t, "rms", "please block it")
	finals, _ := hear(t, tr, phone(t), telephone(join(quiet(0.3), a, quiet(3), b, quiet(0.5))))
	require.Len(t, finals, 1)
	last := finals[0].Words[len(finals[0].Words)-1]
	whole := 0.3 + 3 + float64(len(a)+len(b))/sampleRate
	require.InDelta(t, whole-0.25, last.End.Seconds(), 0.3, "%v", finals[0].Words)
}

func TestEveryFinalizeGivesAFinal(t *testing.T) {
	tr := ears(t)
	s, err := tr.Open(t.Context(), phone(t))
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, s.Finalize())
	}
	require.NoError(t, s.Write(quiet(0.1)))
	require.NoError(t, s.CloseSend())
	n := 0
	for h, err := range s.Heard() {
		require.NoError(t, err)
		require.True(t, h.Final)
		n++
	}
	require.Equal(t, 4, n, "three asked for, one for what was left")
}

func TestAClosedStreamRefuses(t *testing.T) {
	tr := ears(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := tr.Open(ctx, phone(t))
	require.NoError(t, err)
	cancel()
	for range s.Heard() {
		t.Fatal("heard something")
	}
	require.ErrorIs(t, s.Write(quiet(0.02)), fault.Cancelled)
	require.ErrorIs(t, s.Finalize(), fault.Cancelled)
	_, err = tr.Open(ctx, phone(t))
	require.ErrorIs(t, err, fault.Cancelled)
}

func TestDecodersAreBoundedAndReused(t *testing.T) {
	tr := New(Options{Dir: filepath.Join(os.TempDir(), "flametree-stt-test"), Streams: 2, Idle: 1})
	defer tr.Close()
	ctx, cancel := context.WithCancel(t.Context())
	a, err := tr.Open(ctx, phone(t))
	require.NoError(t, err)
	b, err := tr.Open(ctx, phone(t))
	require.NoError(t, err)
	_, err = tr.Open(ctx, phone(t))
	require.ErrorIs(t, err, fault.Exhausted)
	cancel()
	for _, s := range []provider.Transcription{a, b} {
		for range s.Heard() {
			continue
		}
	}
	require.Len(t, tr.resting, 1)
	kept := tr.resting[0].e
	finals, _ := hear(t, tr, phone(t), telephone(join(quiet(0.3), say(t, "rms", "how do i block my card"), quiet(0.3))))
	require.Equal(t, "how do i block my card", text(finals))
	require.Same(t, kept, tr.resting[0].e)
	tr.mu.Lock()
	tr.thin(time.Now().Add(time.Hour))
	tr.mu.Unlock()
	require.Empty(t, tr.resting, "idle decoders are freed")
}

func TestStreamsRunBesideEachOther(t *testing.T) {
	tr := ears(t)
	pcm := telephone(join(quiet(0.3), say(t, "rms", "what is the monthly fee"), quiet(0.3)))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := tr.Open(t.Context(), phone(t))
			if err != nil {
				t.Error(err)
				return
			}
			if s.Write(pcm) != nil || s.CloseSend() != nil {
				t.Error("refused")
			}
			for h := range s.Heard() {
				if h.Final && h.Text != "what is the monthly fee" {
					t.Errorf("heard %q", h.Text)
				}
			}
		})
	}
	wg.Wait()
}

func TestBadOptionsAreNamed(t *testing.T) {
	tr := New(Options{Dir: t.TempDir(), ModelDir: t.TempDir()})
	_, err := tr.Open(t.Context(), phone(t))
	require.ErrorIs(t, err, fault.Unavailable)
	require.ErrorContains(t, err, "apt-get install pocketsphinx-en-us")
	_, err = New(Options{}).Open(t.Context(), provider.Format{RateHz: 8000})
	require.ErrorIs(t, err, fault.Invalid)
}

func TestWordsNobodyWroteDownAreSpelledOut(t *testing.T) {
	d, err := readDictionary("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict")
	require.NoError(t, err)
	require.Equal(t, []string{"K AA R D"}, d.pronounce("card", false))
	require.Len(t, d.pronounce("the", false), 2)
	require.Equal(t, "V IY AY P IY", d.pronounce("vip", true)[0])
	for _, w := range []string{"flametree", "okonkwo", "eventhub"} {
		p := d.pronounce(w, false)
		require.Len(t, p, 1, w)
		for phone := range strings.FieldsSeq(p[0]) {
			require.Contains(t, " AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH ", " "+phone+" ", w)
		}
	}
	require.Empty(t, d.pronounce("日本", false))
	require.Empty(t, d.pronounce("", false))
}

func TestALateDecoderLosesTheOldestAudio(t *testing.T) {
	r := newRing(1000)
	require.True(t, r.put(make([]int16, 900)))
	require.True(t, r.put([]int16{1, 2, 3}))
	require.True(t, r.mark())
	require.True(t, r.put(make([]int16, 400)))
	require.Equal(t, uint64(303), r.lost())
	buf := make([]int16, 2000)
	s := r.take(buf)
	require.Equal(t, step{n: 600, at: 303}, s)
	require.Equal(t, []int16{1, 2, 3}, buf[597:600])
	require.True(t, r.take(buf).mark)
	require.Equal(t, step{at: 903}, r.take(buf), "fewer than asked for, and more may come")
	require.Equal(t, step{n: 300, at: 903}, r.take(buf[:300]))
	r.end()
	require.Equal(t, step{n: 100, at: 1203}, r.take(buf))
	require.True(t, r.take(buf).over)
	require.False(t, r.put([]int16{1}))
	require.False(t, r.mark())
}

func BenchmarkWrite(b *testing.B) {
	r, pcm, buf := newRing(ringSamples), make([]int16, chunk), make([]int16, chunk)
	b.ReportAllocs()
	for b.Loop() {
		r.put(pcm)
		r.take(buf)
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	r, pcm, buf := newRing(ringSamples), make([]int16, chunk), make([]int16, chunk)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		r.put(pcm)
		r.take(buf)
	}))
}
