package g711

import (
	"bytes"
	"math"
	"testing"
)

var laws = []Law{MuLaw, ALaw}

// The corner values stand in G.711 tables 1a and 2a, times 16 (A-law, 13 bits)
// and times 4 (µ-law, 14 bits), at the values the decoder puts out.
func TestDecodeMatchesTheTablesOfTheStandard(t *testing.T) {
	tests := map[string]struct {
		law  Law
		code byte
		want int16
	}{
		"µ-law, loudest positive":   {MuLaw, 0x80, 8031 * 4},
		"µ-law, loudest negative":   {MuLaw, 0x00, -8031 * 4},
		"µ-law, end of segment 7":   {MuLaw, 0x8F, 4191 * 4},
		"µ-law, end of segment 6":   {MuLaw, 0x9F, 2079 * 4},
		"µ-law, end of segment 1":   {MuLaw, 0xEF, 33 * 4},
		"µ-law, smallest":           {MuLaw, 0xFE, 2 * 4},
		"µ-law, positive zero":      {MuLaw, 0xFF, 0},
		"µ-law, negative zero":      {MuLaw, 0x7F, 0},
		"A-law, loudest positive":   {ALaw, 0xFF ^ 0x55, 4032 * 8},
		"A-law, loudest negative":   {ALaw, 0x7F ^ 0x55, -4032 * 8},
		"A-law, segment 7 begins":   {ALaw, 0xF0 ^ 0x55, 2112 * 8},
		"A-law, smallest positive":  {ALaw, 0xD5, 8},
		"A-law, smallest negative":  {ALaw, 0x55, -8},
		"A-law, end of first chord": {ALaw, 0x9F ^ 0x55, 504},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got [1]int16
			tc.law.Decode(got[:], []byte{tc.code})
			if got[0] != tc.want {
				t.Fatalf("code %#02x decodes to %d, want %d", tc.code, got[0], tc.want)
			}
		})
	}
}

func TestEveryCodeSurvivesDecodingAndEncoding(t *testing.T) {
	for _, law := range laws {
		for code := range 256 {
			var s [1]int16
			var back [1]byte
			law.Decode(s[:], []byte{byte(code)})
			law.Encode(back[:], s[:])
			if law == MuLaw && code == 0x7F {
				continue // negative zero comes back as the positive one
			}
			if back[0] != byte(code) {
				t.Errorf("%s code %#02x became %#02x by way of %d", law.Name(), code, back[0], s[0])
			}
		}
	}
}

// The encoder must choose a code whose value is as near as the step allows:
// the step doubles from segment to segment.
func TestEverySampleIsWithinHalfAStep(t *testing.T) {
	for _, law := range laws {
		for v := math.MinInt16; v <= math.MaxInt16; v++ {
			var code [1]byte
			var got [1]int16
			law.Encode(code[:], []int16{int16(v)})
			law.Decode(got[:], code[:])
			magnitude := math.Abs(float64(v))
			half := 4.0
			bias, first := 132.0, 256.0
			if law == ALaw {
				half, bias, first = 8, 0, 512
			}
			for top := first; top < magnitude+bias+8; top *= 2 {
				half *= 2
			}
			if magnitude > 32124 {
				continue // clipped
			}
			if diff := math.Abs(float64(v) - float64(got[0])); diff > half {
				t.Fatalf("%s: %d became %d, %v away, half a step is %v", law.Name(), v, got[0], diff, half)
			}
		}
	}
}

func TestEncodingRisesWithTheSample(t *testing.T) {
	for _, law := range laws {
		last := int16(math.MinInt16)
		for v := math.MinInt16; v <= math.MaxInt16; v++ {
			var code [1]byte
			var got [1]int16
			law.Encode(code[:], []int16{int16(v)})
			law.Decode(got[:], code[:])
			if got[0] < last {
				t.Fatalf("%s: %d decodes to %d, below its neighbour's %d", law.Name(), v, got[0], last)
			}
			last = got[0]
		}
	}
}

func TestConvertEqualsDecodingAndEncoding(t *testing.T) {
	for _, law := range laws {
		other := law ^ 1
		in := make([]byte, 256)
		for i := range in {
			in[i] = byte(i)
		}
		linear := make([]int16, 256)
		want := make([]byte, 256)
		law.Decode(linear, in)
		other.Encode(want, linear)
		law.Convert(in, other)
		if !bytes.Equal(in, want) {
			t.Errorf("%s to %s differs from the long way", law.Name(), other.Name())
		}
		same := []byte{1, 2, 3}
		law.Convert(same, law)
		if !bytes.Equal(same, []byte{1, 2, 3}) {
			t.Errorf("%s to itself changed the bytes", law.Name())
		}
	}
}

func TestIdleLineIsQuiet(t *testing.T) {
	for _, law := range laws {
		var s [1]int16
		law.Decode(s[:], []byte{law.Idle()})
		if s[0] < -8 || s[0] > 8 {
			t.Errorf("%s idle decodes to %d", law.Name(), s[0])
		}
	}
}

func TestNames(t *testing.T) {
	for _, law := range laws {
		if got, ok := Parse(law.Name()); !ok || got != law {
			t.Errorf("Parse(%q) = %v, %v", law.Name(), got, ok)
		}
	}
	if _, ok := Parse("opus"); ok {
		t.Error("opus is not G.711")
	}
	if MuLaw.PayloadType() != 0 || ALaw.PayloadType() != 8 {
		t.Error("static payload types are 0 and 8 (RFC 3551)")
	}
}

func TestNoAllocation(t *testing.T) {
	pcm, line := make([]int16, 160), make([]byte, 160)
	for _, law := range laws {
		if n := testing.AllocsPerRun(100, func() {
			law.Encode(line, pcm)
			law.Decode(pcm, line)
			law.Convert(line, law^1)
		}); n != 0 {
			t.Errorf("%s: %v allocations a frame", law.Name(), n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	pcm, line := make([]int16, 160), make([]byte, 160)
	for i := range pcm {
		pcm[i] = int16(i * 397)
	}
	b.ReportAllocs()
	for b.Loop() {
		MuLaw.Encode(line, pcm)
	}
}

func BenchmarkDecode(b *testing.B) {
	pcm, line := make([]int16, 160), make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		MuLaw.Decode(pcm, line)
	}
}
