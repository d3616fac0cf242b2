package g722

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// foreign runs ffmpeg, an implementation that shares nothing with ours.
func foreign(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "ffmpeg", append([]string{"-hide_banner", "-loglevel", "error", "-nostdin"}, args...)...)
	c.Stdin = bytes.NewReader(in)
	var out, told bytes.Buffer
	c.Stdout, c.Stderr = &out, &told
	if err := c.Run(); err != nil {
		t.Fatalf("ffmpeg (Debian package ffmpeg): %v: %s", err, told.String())
	}
	return out.Bytes()
}

func encodeThere(t *testing.T, s []int16) []byte {
	return foreign(t, raw(s), "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "pipe:0", "-c:a", "g722", "-f", "g722", "pipe:1")
}

func decodeThere(t *testing.T, b []byte) []int16 {
	out := foreign(t, b, "-f", "g722", "-i", "pipe:0", "-f", "s16le", "-c:a", "pcm_s16le", "pipe:1")
	s := make([]int16, len(out)/2)
	for i := range s {
		s[i] = int16(binary.LittleEndian.Uint16(out[2*i:]))
	}
	return s
}

func raw(s []int16) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, v := range s {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func encode(s []int16) []byte {
	b := make([]byte, len(s)/2)
	NewEncoder().Encode(b, s)
	return b
}

func decode(b []byte) []int16 {
	s := make([]int16, 2*len(b))
	NewDecoder().Decode(s, b)
	return s
}

func sine(n int, hz, amplitude float64) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/RateHz))
	}
	return s
}

// sounds are streams from soft to overdriven.
func sounds() map[string][]int16 {
	r := rand.New(rand.NewPCG(1, 2))
	noise, square, sweep, steps := make([]int16, 32000), make([]int16, 32000), make([]int16, 32000), make([]int16, 32000)
	for i := range noise {
		noise[i] = int16(r.IntN(65536) - 32768)
		square[i] = math.MaxInt16
		if i/37%2 == 1 {
			square[i] = math.MinInt16
		}
		at := float64(i) / RateHz
		sweep[i] = int16(20000 * math.Sin(2*math.Pi*(100+1700*at)*at))
		steps[i] = int16(r.IntN(200) << (i / 4000))
	}
	return map[string][]int16{
		"a voice's pitch":       sine(32000, 180, 9000),
		"a sweep to 7 kHz":      sweep,
		"a hum near nothing":    sine(32000, 300, 12),
		"a full sine":           sine(32000, 3100, 32767),
		"white noise at most":   noise,
		"a square wave at most": square,
		"noise that swells":     steps,
		"silence":               make([]int16, 32000),
	}
}

func TestEncodesBitForBitAsTheForeignCoder(t *testing.T) {
	for name, s := range sounds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, want := encode(s), encodeThere(t, s)
			want = want[:min(len(want), len(got))]
			if len(want) < len(got)-1 {
				t.Fatalf("the foreign coder gave %d bytes of %d", len(want), len(got))
			}
			if at := slices.Index(differ(got[:len(want)], want), true); at >= 0 {
				t.Errorf("byte %d of %d is %#x, want %#x", at, len(want), got[at], want[at])
			}
		})
	}
}

func TestDecodesBitForBitAsTheForeignDecoder(t *testing.T) {
	streams := map[string][]byte{}
	for name, s := range sounds() {
		streams[name] = encode(s)
	}
	r := rand.New(rand.NewPCG(3, 4))
	any := make([]byte, 16000)
	for i := range any {
		any[i] = byte(r.UintN(256))
	}
	streams["bytes that no coder made"] = any
	for name, b := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, want := decode(b), decodeThere(t, b)
			if len(want) != len(got) {
				t.Fatalf("the foreign decoder gave %d samples of %d", len(want), len(got))
			}
			if at := slices.Index(differ(got, want), true); at >= 0 {
				t.Errorf("sample %d of %d is %d, want %d", at, len(want), got[at], want[at])
			}
		})
	}
}

func differ[T comparable](a, b []T) []bool {
	out := make([]bool, len(a))
	for i := range a {
		out[i] = a[i] != b[i]
	}
	return out
}

// snr compares what came out with what went in, 22 samples before: the delay of
// the two filters.
func snr(in, out []int16) float64 {
	const delay = 22
	var signal, noise float64
	for i := 1600; i+delay < len(out); i++ {
		d := float64(out[i+delay]) - float64(in[i])
		signal += float64(in[i]) * float64(in[i])
		noise += d * d
	}
	return 10 * math.Log10(signal/noise)
}

func TestRoundTripIsClear(t *testing.T) {
	for name, tc := range map[string]struct {
		hz, least float64
	}{
		"a voice's pitch":          {200, 35},
		"the middle of speech":     {1000, 35},
		"the end of the telephone": {3300, 25},
		"an s":                     {6000, 12},
	} {
		t.Run(name, func(t *testing.T) {
			in := sine(32000, tc.hz, 8000)
			got := snr(in, decode(encode(in)))
			t.Logf("figure: G.722 at %.0f Hz: %.1f dB", tc.hz, got)
			if got < tc.least {
				t.Errorf("%.1f dB over its noise, want %.0f", got, tc.least)
			}
		})
	}
}

func TestAStreamMayBeEnteredAnywhere(t *testing.T) {
	in := sine(32000, 500, 8000)
	b := encode(in)
	late := decode(b[8000:])
	if got := snr(in[16000:], late); got < 30 {
		t.Errorf("%.1f dB over its noise after entering in the middle, want 30", got)
	}
}

func TestFramesMakeNoDifference(t *testing.T) {
	in := sine(3200, 700, 8000)
	whole := encode(in)
	e, pieces := NewEncoder(), make([]byte, 0, 1600)
	for at := 0; at < len(in); at += 320 {
		var b [160]byte
		pieces = append(pieces, b[:e.Encode(b[:], in[at:at+320])]...)
	}
	if !bytes.Equal(whole, pieces) {
		t.Error("ten frames give other bytes than the whole")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 255, 128, 3})
	f.Add(encode(sine(320, 400, 30000)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := make([]int16, 2*len(b))
		if n := NewDecoder().Decode(s, b); n != 2*len(b) {
			t.Fatalf("%d samples of %d bytes", n, len(b))
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	e, d, s, b := NewEncoder(), NewDecoder(), sine(320, 400, 8000), make([]byte, 160)
	if n := testing.AllocsPerRun(100, func() { e.Encode(b, s); d.Decode(s, b) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	e, s, out := NewEncoder(), sine(320, 400, 8000), make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		e.Encode(out, s)
	}
}

func BenchmarkDecode(b *testing.B) {
	d, s := NewDecoder(), make([]int16, 320)
	in := encode(sine(320, 400, 8000))
	b.ReportAllocs()
	for b.Loop() {
		d.Decode(s, in)
	}
}
