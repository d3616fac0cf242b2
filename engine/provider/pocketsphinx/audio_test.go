package pocketsphinx

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
	"flametree/engine/provider/flite"
)

// say renders text in a voice of flite or, as "espeak", in that of another
// program, at 16 kHz.
func say(t testing.TB, voice, text string) []int16 {
	t.Helper()
	if voice == "espeak" {
		wav, err := exec.CommandContext(t.Context(), "espeak-ng", "-v", "en-us", "--stdout", text).Output()
		require.NoError(t, err, "espeak-ng is needed: apt-get install espeak-ng")
		rate := int(binary.LittleEndian.Uint32(wav[24:]))
		_, data, ok := bytes.Cut(wav, []byte("data"))
		require.True(t, ok)
		return resample(samples(data[4:]), rate, sampleRate)
	}
	s, err := flite.New(flite.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := s.Open(ctx, provider.Voice{Name: voice})
	require.NoError(t, err)
	defer func() { _ = p.Close() }()
	require.NoError(t, p.Speak(text, 1, 1))
	var pcm []int16
	for a, err := range p.Audio() {
		require.NoError(t, err)
		require.Equal(t, sampleRate, a.RateHz)
		pcm = append(pcm, a.PCM...)
		if a.Last {
			break
		}
	}
	return pcm
}

func samples(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}

// resample interpolates with a windowed sinc of 24 zero crossings a side.
func resample(in []int16, from, to int) []int16 {
	const crossings = 24
	cut := min(1, float64(to)/float64(from)) * 0.96
	out := make([]int16, len(in)*to/from)
	for i := range out {
		at := float64(i) * float64(from) / float64(to)
		sum, half := 0.0, crossings/cut
		for k := int(at - half); k <= int(at+half); k++ {
			if k < 0 || k >= len(in) {
				continue
			}
			x := (float64(k) - at) * cut
			w := 0.5 + 0.5*math.Cos(math.Pi*x/crossings)
			if x != 0 {
				w *= math.Sin(math.Pi*x) / (math.Pi * x)
			}
			sum += float64(in[k]) * w * cut
		}
		out[i] = int16(max(math.MinInt16, min(math.MaxInt16, math.Round(sum))))
	}
	return out
}

// telephone sends speech through 8 kHz and µ-law (ITU-T G.711) and back.
func telephone(pcm []int16) []int16 {
	line := resample(pcm, sampleRate, 8000)
	for i, v := range line {
		line[i] = muLaw(v)
	}
	return resample(line, 8000, sampleRate)
}

// muLaw rounds a sample to the nearest of the 255 levels.
func muLaw(v int16) int16 {
	const bias, clip = 132, 32635
	sign, x := int16(1), int(v)
	if x < 0 {
		sign, x = -1, -x
	}
	x = min(x, clip) + bias
	exp := 7
	for mask := 0x4000; exp > 0 && x&mask == 0; mask >>= 1 {
		exp--
	}
	mantissa := x >> (exp + 3) & 0xf
	return sign * int16((mantissa<<3+bias)<<exp-bias)
}

func quiet(seconds float64) []int16 { return make([]int16, int(seconds*sampleRate)) }

func join(parts ...[]int16) []int16 {
	var out []int16
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// random is a repeatable noise source for tests.
type random uint32

func (r *random) gauss() float64 {
	sum := 0.0
	for range 6 {
		*r = *r*1664525 + 1013904223
		sum += float64(*r)/(1<<32) - 0.5
	}
	return sum * math.Sqrt2
}

func hiss(seconds, rms float64) []int16 {
	out, r := quiet(seconds), random(7)
	for i := range out {
		out[i] = int16(r.gauss() * rms)
	}
	return out
}
