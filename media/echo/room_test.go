package echo

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/media/codec"
	"flametree/media/g711"
	"flametree/media/resample"
	"flametree/media/vad"
)

const frame = 160

// stop is what callers say who speak over the agent.
const stop = "Stop please. I would like to book a double room for two nights."

// answers are other things that agents say.
func answers() []string {
	return []string{
		"With premium debit you can spend up to five thousand euros a day. If you like, I can offer you that a specialist calls back.",
		"Your claim was received on the third of March and is being looked at. You will hear from us within five working days, by letter or by mail.",
		"I am sorry, I did not understand that. Could you say it in other words, please? You may also press zero, and somebody will help you.",
	}
}

// rendered are the sentences of these tests by voice. Voices have chance in them,
// which goes on from one sentence to the next: so all are rendered once, in an
// order that does not change with that of the tests.
var rendered = sync.OnceValues(func() (map[[2]string][]int16, error) {
	out := map[[2]string][]int16{}
	for _, voice := range []string{"slt", "rms", "awb"} {
		for _, text := range []string{speech, stop} {
			pcm, err := render(voice, text)
			if err != nil {
				return nil, err
			}
			out[[2]string{voice, text}] = pcm
		}
	}
	for _, voice := range []string{"slt", "rms"} {
		for _, text := range answers() {
			pcm, err := render(voice, text)
			if err != nil {
				return nil, err
			}
			out[[2]string{voice, text}] = pcm
		}
	}
	return out, nil
})

// say is a sentence at 8 kHz, as loud as a caller speaks: -20 dB of full scale.
func say(t testing.TB, voice, text string) []int16 {
	t.Helper()
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	pcm := all[[2]string{voice, text}]
	if pcm == nil {
		t.Fatalf("%s does not say %q here", voice, text)
	}
	return slices.Clone(pcm)
}

func render(voice, text string) ([]int16, error) {
	s, err := flite.New(flite.Options{Voice: voice})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	speech, err := s.Open(ctx, provider.Voice{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = speech.Close() }()
	if err := speech.Speak(text, 1, 1); err != nil {
		return nil, err
	}
	var pcm []int16
	for a, err := range speech.Audio() {
		if err != nil {
			return nil, err
		}
		if pcm = append(pcm, a.PCM...); a.Last {
			if pcm, err = resample.All(pcm, a.RateHz, 8000); err != nil {
				return nil, err
			}
			break
		}
	}
	return level(pcm, -20), nil
}

func rms(s []int16) float64 {
	sum, n := 0.0, 0
	for _, v := range s {
		if v > 200 || v < -200 { // while somebody speaks
			sum, n = sum+float64(v)*float64(v), n+1
		}
	}
	return math.Sqrt(sum / float64(max(n, 1)))
}

func level(s []int16, dbfs float64) []int16 { return scaled(s, 32768*math.Pow(10, dbfs/20)/rms(s)) }

func scaled(s []int16, by float64) []int16 {
	out := make([]int16, len(s))
	for i, v := range s {
		out[i] = int16(max(-32768, min(32767, float64(v)*by)))
	}
	return out
}

func mix(parts ...[]int16) []int16 {
	n := 0
	for _, p := range parts {
		n = max(n, len(p))
	}
	out := make([]int16, n)
	for _, p := range parts {
		for i, v := range p {
			out[i] = int16(max(-32768, min(32767, int(out[i])+int(v))))
		}
	}
	return out
}

func later(s []int16, by time.Duration) []int16 {
	return append(make([]int16, int(by.Seconds()*8000)), s...)
}

// room is what comes back of a sound: late, through the band of a telephone and
// a small room with its reflections, at so many dB.
func room(s []int16, delay time.Duration, db float64, seed uint64) []int16 {
	chance := rand.New(rand.NewPCG(seed, 1))
	taps := map[int]float64{0: 1}
	for range 12 {
		at := 8 + chance.IntN(400) // up to 50 ms
		taps[at] += (chance.Float64() - 0.5) * math.Exp(-float64(at)/120)
	}
	wet := make([]float64, len(s)+408)
	for at, g := range taps {
		for i, v := range s {
			wet[i+at] += g * float64(v)
		}
	}
	var low, high, prev float64 // 300 to 3400 Hz
	out := make([]int16, len(wet))
	for i, v := range wet {
		high = 0.79 * (high + v - prev)
		prev = v
		low += 0.85 * (high - low)
		out[i] = int16(max(-32768, min(32767, low)))
	}
	return later(scaled(out, rms(s)/max(rms(out), 1)*math.Pow(10, db/20)), delay)
}

func hiss(n int, seed uint64) []int16 {
	chance := rand.New(rand.NewPCG(seed, 2))
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(chance.NormFloat64() * 20) // -64 dB
	}
	return out
}

// line carries samples in µ-law.
func line(s []int16) []int16 {
	b := make([]byte, len(s))
	out := make([]int16, len(s))
	g711.MuLaw.Encode(b, s)
	g711.MuLaw.Decode(out, b)
	return out
}

// wide is a sound that went over Opus, as a leg's ears have it: at 8 kHz again.
func wide(t testing.TB, s []int16) []int16 {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	opus, err := codec.Find("opus")
	must(err)
	coder, err := opus.NewEncoder("")
	must(err)
	decoder, err := opus.NewDecoder()
	must(err)
	s, err = resample.All(s, 8000, opus.RateHz)
	must(err)
	packet, sound := make([]byte, codec.MaxBytes), make([]int16, codec.MaxSamples)
	var out []int16
	for size := opus.RateHz / 50; len(s) >= size; s = s[size:] {
		if n := coder.Encode(packet, s[:size]); n > 2 {
			_, err = decoder.Decode(sound, packet[:n])
			must(err)
		} else {
			decoder.Conceal(sound[:size], nil)
		}
		for i := 0; i+1 < size; i += 2 {
			out = append(out, int16((int(sound[i])+int(sound[i+1]))/2))
		}
	}
	return out
}

// heard is what a leg's VAD says of what comes in while something goes out.
type heard struct {
	on    []int // frames at which the voice began
	raw   int   // frames that count as speech
	spans int   // longest row of them
}

// listen runs a call; guard nil is a call without one.
func listen(t testing.TB, g *Guard, out, in []int16) heard {
	t.Helper()
	return listenThrough(t, g, out, in, holes{})
}

// holes are the frames that were never sent, and those that never came. What the
// guard is not told it takes for frames one after the other.
type holes struct {
	sent, came map[int]bool
	untold     bool
}

func listenThrough(t testing.TB, g *Guard, out, in []int16, gone holes) heard {
	t.Helper()
	v, err := vad.New(vad.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var h heard
	var row int
	push := func(n int, f []int16) {
		r := v.Push(f)
		if r.On {
			h.on = append(h.on, n)
		}
		if row++; !r.Voiced {
			row = 0
		} else {
			h.raw++
		}
		h.spans = max(h.spans, row)
	}
	var held [][]int16
	n := max(len(in), len(out)) / frame
	at := func(s []int16, n int) []int16 {
		if (n+1)*frame <= len(s) {
			return s[n*frame : (n+1)*frame]
		}
		return make([]int16, frame)
	}
	for n := range n {
		f := at(in, n)
		verdict := Clear
		switch {
		case g == nil:
		case !gone.sent[n]:
			g.Sent(at(out, n))
		case !gone.untold:
			g.SentNone(1)
		}
		switch {
		case gone.came[n]:
			if g != nil && !gone.untold {
				g.Missed(1)
			}
			continue
		case g != nil:
			verdict = g.Judge(f)
		}
		switch verdict {
		case Held:
			held = append(held, f)
		case Echo:
			for range len(held) + 1 {
				if r := v.Skip(frame); r.On {
					h.on = append(h.on, n)
				}
				row = 0
			}
			held = nil
		default:
			for _, f := range append(held, f) {
				push(n, f)
			}
			held = nil
		}
	}
	return h
}

const speech = "Welcome to the harbour hotel. We have rooms with a view of the sea, and breakfast is served from seven until ten in the morning. How may I help you today?"
