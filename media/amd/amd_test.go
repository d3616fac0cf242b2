package amd_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/media/amd"
	"flametree/media/g711"
)

const rate = 16000

// sound is what a telephone gives: pieces one after the other, with the noise
// of a line and the steps of µ-law.
type sound struct {
	pcm    []int16
	chance *rand.Rand
}

func newSound() *sound { return &sound{chance: rand.New(rand.NewPCG(1, 2))} }

func (s *sound) add(d time.Duration, at func(t float64) float64) *sound {
	n := int(d * rate / time.Second)
	law := g711.MuLaw
	for i := range n {
		v := at(float64(i)/rate) + 6*s.chance.NormFloat64()
		var b [1]byte
		var back [1]int16
		law.Encode(b[:], []int16{int16(max(-32000, min(32000, v)))})
		law.Decode(back[:], b[:])
		s.pcm = append(s.pcm, back[0])
	}
	return s
}

func (s *sound) quiet(d time.Duration) *sound {
	return s.add(d, func(float64) float64 { return 0 })
}

// talk is voiced sound with syllables: harmonics of a pitch that moves.
func (s *sound) talk(d time.Duration) *sound {
	pitch := 110 + 40*s.chance.Float64()
	return s.add(d, func(t float64) float64 {
		f := pitch * (1 + 0.08*math.Sin(2*math.Pi*1.3*t))
		syllable := 0.55 + 0.45*math.Sin(2*math.Pi*4.1*t)
		var v float64
		for h := 1; h <= 12; h++ {
			formant := math.Exp(-math.Pow((float64(h)*f-550)/300, 2)) + 0.6*math.Exp(-math.Pow((float64(h)*f-1500)/400, 2)) + 0.05
			v += formant * math.Sin(2*math.Pi*float64(h)*f*t)
		}
		return 2500 * syllable * v
	})
}

func (s *sound) beep(d time.Duration, hz ...float64) *sound {
	return s.add(d, func(t float64) float64 {
		var v float64
		for _, f := range hz {
			v += math.Sin(2 * math.Pi * f * t)
		}
		return 5000 * v / float64(len(hz))
	})
}

// heard plays a sound to a machine and reports its verdict, and when it says
// that a message may begin.
func heard(t *testing.T, s *sound) (v actors.Screened, speak time.Duration) {
	t.Helper()
	m, err := amd.New(amd.Options{})
	require.NoError(t, err)
	for i := 0; i+320 <= len(s.pcm); i += 320 {
		v = m.Frame(s.pcm[i : i+320])
		if v.Speak && speak == 0 {
			speak = time.Duration(i/320+1) * 20 * time.Millisecond
		}
	}
	return v, speak
}

const ms = time.Millisecond

func TestWhoPicksUp(t *testing.T) {
	tests := map[string]struct {
		sound *sound
		want  string
		by    time.Duration // at the latest
	}{
		"hello":                      {newSound().quiet(600 * ms).talk(500 * ms).quiet(9000 * ms), "human", 1900 * ms},
		"hello at once":              {newSound().talk(600 * ms).quiet(9000 * ms), "human", 1400 * ms},
		"a name and a firm":          {newSound().quiet(400 * ms).talk(1900 * ms).quiet(9000 * ms), "human", 3700 * ms},
		"hello, a breath, who is it": {newSound().quiet(400 * ms).talk(500 * ms).quiet(400 * ms).talk(700 * ms).quiet(9000 * ms), "human", 3300 * ms},
		"a long greeting":            {newSound().quiet(300 * ms).talk(9000 * ms).quiet(3000 * ms), "machine", 3200 * ms},
		"sentences with pauses":      {newSound().quiet(500 * ms).talk(1600 * ms).quiet(600 * ms).talk(2500 * ms).quiet(4000 * ms), "machine", 4000 * ms},
		"a short first sentence":     {newSound().quiet(500 * ms).talk(800 * ms).quiet(500 * ms).talk(2600 * ms).quiet(4000 * ms), "machine", 4000 * ms},
		"only a beep":                {newSound().quiet(1000*ms).beep(500*ms, 1000).quiet(5000 * ms), "machine", 1700 * ms},
		"nothing":                    {newSound().quiet(12000 * ms), "unknown", 8100 * ms},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, _ := heard(t, tt.sound)
			require.Equal(t, tt.want, v.Verdict, "because of %s after %v", v.Why, v.Took)
			require.LessOrEqual(t, v.Took, tt.by)
		})
	}
}

func TestTheMessageBeginsBehindTheBeep(t *testing.T) {
	for name, beep := range map[string][]float64{"1 kHz": {1000}, "440 Hz": {440}, "2 kHz": {2000}, "two tones": {480, 1200}, "1400 Hz": {1400}} {
		for _, length := range []time.Duration{200 * ms, 500 * ms, 1200 * ms} {
			t.Run(name+" "+length.String(), func(t *testing.T) {
				s := newSound().quiet(400*ms).talk(6000*ms).quiet(700*ms).beep(length, beep...)
				end := time.Duration(len(s.pcm)) * time.Second / rate
				v, speak := heard(t, s.quiet(5000*ms))
				require.Equal(t, "machine", v.Verdict)
				require.NotZero(t, v.Beep, "the beep was not heard")
				require.Greater(t, speak, end+100*ms)
				require.Less(t, speak, end+600*ms)
			})
		}
	}
}

func TestAMachineWithoutABeepIsSpokenToAfterAWhile(t *testing.T) {
	v, speak := heard(t, newSound().talk(6000*ms).quiet(5000*ms))
	require.Equal(t, "machine", v.Verdict)
	require.Zero(t, v.Beep)
	require.InDelta(t, 9.1, speak.Seconds(), 0.5)
}

func TestTalkIsNoBeep(t *testing.T) {
	for seed := range uint64(8) {
		s := newSound()
		s.chance = rand.New(rand.NewPCG(seed, 7))
		for range 10 {
			s.talk(900 * ms).quiet(200 * ms)
		}
		v, _ := heard(t, s)
		require.Zero(t, v.Beep, "seed %d", seed)
	}
}

func TestWordsDecideAtOnce(t *testing.T) {
	for text, want := range map[string]string{
		"please leave a message after the tone":             "machine",
		"you've reached anna please":                        "machine",
		"thank you for calling press one for sales":         "menu",
		"hi if you record your name and reason for calling": "screening",
		"hello":                        "",
		"hello did you get my message": "",
		"this is the sales department how can i help you": "",
		"yes i am available":                              "",
	} {
		m, err := amd.New(amd.Options{})
		require.NoError(t, err)
		require.Equal(t, want, m.Words(text).Verdict, text)
	}
	m, err := amd.New(amd.Options{Language: "de-AT"})
	require.NoError(t, err)
	require.Equal(t, "machine", m.Words("bitte hinterlassen Sie eine Nachricht nach dem Signalton").Verdict)
}

func BenchmarkFrame(b *testing.B) {
	s := newSound().talk(2000 * ms)
	m, err := amd.New(amd.Options{})
	require.NoError(b, err)
	b.ReportAllocs()
	for i := range b.N {
		at := i % (len(s.pcm) / 320) * 320
		m.Frame(s.pcm[at : at+320])
	}
}
