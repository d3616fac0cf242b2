package turns

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/media/pcm"
	"flametree/media/resample"
)

// studio renders what callers say, each stretch once. It is safe for concurrent
// use.
type studio struct {
	voices *flite.Synthesizer

	mu     sync.Mutex
	shelf  map[string]take // by voice and text
	coughs [8][]int16
}

// sound is a rendered stretch of speech at rateHz, without silence at its ends.
type sound struct {
	pcm   []int16
	words []mark
}

// mark is one word and the sample at which it ends.
type mark struct {
	text string
	end  int
}

func newStudio() (*studio, error) {
	voices, err := flite.New(flite.Options{})
	if err != nil {
		return nil, err
	}
	s := &studio{voices: voices, shelf: map[string]take{}}
	for i := range s.coughs {
		s.coughs[i] = cough(rand.New(rand.NewPCG(7, uint64(i))))
	}
	return s, nil
}

// loudest is the peak that all speech is brought to.
const loudest = 9000

// take is a stretch of speech as the voice rendered it.
type take struct {
	raw   []int16
	timed []provider.Word
	hz    int
}

// say renders a text in a caller's voice.
func (s *studio) say(ctx context.Context, c caller, text string) (sound, error) {
	key := c.voice + " " + text
	s.mu.Lock()
	t, ok := s.shelf[key]
	s.mu.Unlock()
	if !ok {
		var err error
		if t, err = s.render(ctx, c.voice, text); err != nil {
			return sound{}, fmt.Errorf("render %q: %w", text, err)
		}
		s.mu.Lock()
		s.shelf[key] = t
		s.mu.Unlock()
	}
	out, err := t.cut(c.speed)
	if err != nil {
		return sound{}, fmt.Errorf("render %q: %w", text, err)
	}
	if len(out.words) != len(strings.Fields(text)) {
		out.words = spread(text, len(out.pcm))
	}
	return out, nil
}

func (s *studio) render(ctx context.Context, voice, text string) (t take, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v, err := s.voices.Open(ctx, provider.Voice{Name: voice})
	if err != nil {
		return t, err
	}
	defer func() { _ = v.Close() }()
	if err := v.Speak(text, 1, 1); err != nil {
		return t, err
	}
	for a, err := range v.Audio() {
		if err != nil {
			return t, err
		}
		t.raw, t.hz = append(t.raw, a.PCM...), a.RateHz
		if len(a.Words) > 0 {
			t.timed = a.Words
		}
		if a.Last {
			return t, nil
		}
	}
	return t, fmt.Errorf("the voice stopped: %w: %w", fault.Unavailable, context.Cause(ctx))
}

// cut takes the silence off both ends and brings speech to the callers' rate,
// level and speed.
func (t take) cut(speed int) (sound, error) {
	loud := func(v int16) bool { return v > 250 || v < -250 }
	a, b := 0, len(t.raw)
	for a < b && !loud(t.raw[a]) {
		a++
	}
	for b > a && !loud(t.raw[b-1]) {
		b--
	}
	played := t.hz * speed / 100 // as if it had been recorded at this rate
	pcm8, err := resample.All(t.raw[a:b], played, rateHz)
	if err != nil {
		return sound{}, err
	}
	peak := 1
	for _, v := range pcm8 {
		peak = max(peak, int(v), -int(v))
	}
	for i, v := range pcm8 {
		pcm8[i] = int16(int(v) * loudest / peak)
	}
	out := sound{pcm: pcm8}
	for _, w := range t.timed {
		end := (pcm.Samples(w.End, t.hz) - a) * rateHz / played
		out.words = append(out.words, mark{text: strings.ToLower(w.Text), end: max(0, min(end, len(pcm8)))})
	}
	return out, nil
}

// spread times words by their share of letters.
func spread(text string, length int) []mark {
	words := strings.Fields(text)
	letters, sum := 0, 0
	for _, w := range words {
		letters += len(w)
	}
	out := make([]mark, len(words))
	for i, w := range words {
		sum += len(w)
		out[i] = mark{text: strings.ToLower(w), end: length * sum / letters}
	}
	return out
}

// cough is one burst or two of noise without a voice, of 120 to 300 ms each.
func cough(chance *rand.Rand) []int16 {
	var out []int16
	for n := range 1 + chance.IntN(2) {
		if n > 0 {
			out = append(out, make([]int16, pcm.Samples(time.Duration(80+chance.IntN(120))*time.Millisecond, rateHz))...)
		}
		length := pcm.Samples(time.Duration(120+chance.IntN(180))*time.Millisecond, rateHz)
		low := 0.0
		for i := range length {
			low += 0.5 * (chance.NormFloat64() - low)
			envelope := math.Exp(-4*float64(i)/float64(length)) * min(1, float64(i)/80)
			out = append(out, pcm.Clip(float32(9000*low*envelope)))
		}
	}
	return out
}

// hiss is four seconds of the noise of a room, so many decibels under speech.
func hiss(seed uint64, snrDB float64) []int16 {
	chance := rand.New(rand.NewPCG(11, seed))
	level := loudest / 4 * math.Pow(10, -snrDB/20) // speech is some 12 dB under its peak
	out := make([]int16, 4*rateHz)
	low := 0.0
	for i := range out {
		low += 0.4 * (chance.NormFloat64() - low)
		out[i] = pcm.Clip(float32(2 * level * low)) // the filter takes half of it
	}
	return out
}

// rehearse renders all that will be said before anybody waits for it.
func (s *studio) rehearse(ctx context.Context, opt Options) error {
	for n := range opt.N {
		d := write(opt.Seed, n)
		for _, text := range d.texts() {
			if _, err := s.say(ctx, d.caller, text); err != nil {
				return err
			}
		}
	}
	return nil
}
