package opus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os/exec"
	"testing"
	"time"

	"flametree/engine/fault"
)

func tone(n int, hz, amplitude float64) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/RateHz))
	}
	return s
}

func strength(s []int16, hz, rateHz float64) float64 {
	var re, im float64
	for i, v := range s {
		a := 2 * math.Pi * hz * float64(i) / rateHz
		re += float64(v) * math.Cos(a)
		im += float64(v) * math.Sin(a)
	}
	return 2 * math.Hypot(re, im) / float64(len(s))
}

func packets(t testing.TB, s []int16, w Wishes) [][]byte {
	t.Helper()
	e, err := NewEncoder(w)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for at := 0; at+320 <= len(s); at += 320 {
		b := make([]byte, MaxBytes)
		out = append(out, b[:e.Encode(b, s[at:at+320])])
	}
	return out
}

func decode(t testing.TB, in [][]byte) []int16 {
	t.Helper()
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	var out []int16
	buf := make([]int16, MaxSamples)
	for _, p := range in {
		n, err := d.Decode(buf, p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, buf[:n]...)
	}
	return out
}

// TestRoundTripIsClear looks at the tone and at what is beside it.
func TestRoundTripIsClear(t *testing.T) {
	for name, tc := range map[string]struct {
		hz, least float64
	}{"a voice's pitch": {220, 18}, "the middle of speech": {1000, 15}, "an s": {6000, 10}} {
		t.Run(name, func(t *testing.T) {
			out := decode(t, packets(t, tone(32000, tc.hz, 8000), Wishes{FEC: true}))[8000:]
			own := strength(out, tc.hz, RateHz)
			var power float64
			for _, v := range out {
				power += float64(v) * float64(v)
			}
			rest := power/float64(len(out)) - own*own/2
			got := 10 * math.Log10(own*own/2/max(rest, 1))
			t.Logf("figure: Opus at %.0f Hz: %.1f dB", tc.hz, got)
			if got < tc.least || math.Abs(20*math.Log10(own/8000)) > 2 {
				t.Errorf("the tone has %.0f of 8000 and is %.1f dB over the rest, want %.0f", own, got, tc.least)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	for name, tc := range map[string]struct {
		packet []byte
		want   int
	}{
		"SILK, 10 ms":                  {[]byte{8 << 3, 0}, 480},
		"SILK, 60 ms":                  {[]byte{11 << 3, 0}, 2880},
		"hybrid, 20 ms":                {[]byte{15 << 3, 0}, 960},
		"CELT, 2.5 ms":                 {[]byte{16 << 3, 0}, 120},
		"CELT, 20 ms, two of one size": {[]byte{31<<3 | 1, 0, 0}, 1920},
		"CELT, 20 ms, three":           {[]byte{31<<3 | 3, 3, 0}, 2880},
		"nothing but what kind it is":  {[]byte{9 << 3}, 960},
		"nothing":                      {nil, 0},
		"no count":                     {[]byte{3}, 0},
		"no frames":                    {[]byte{3, 0}, 0},
		"180 ms":                       {[]byte{11<<3 | 3, 3}, 0},
	} {
		got, err := Ticks(tc.packet)
		if got != tc.want || (err == nil) != (tc.want > 0) || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %d, %v; want %d", name, got, err, tc.want)
		}
	}
}

func TestWishes(t *testing.T) {
	for name, tc := range map[string]struct {
		format string
		want   Wishes
	}{
		"nothing":           {"", Wishes{}},
		"a browser's":       {"minptime=10;useinbandfec=1", Wishes{FEC: true}},
		"spaces and case":   {" UseInbandFEC = 1 ; usedtx=1; cbr=1", Wishes{FEC: true, DTX: true, Steady: true}},
		"a narrow line":     {"maxplaybackrate=8000;maxaveragebitrate=12000", Wishes{Play: 8000, Bitrate: 12000}},
		"beyond all bounds": {"maxplaybackrate=7;maxaveragebitrate=99999999999999999999;usedtx=yes", Wishes{}},
	} {
		if got := ParseWishes(tc.format); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestWishesAreFollowed(t *testing.T) {
	size := func(p [][]byte) (n int) {
		for _, b := range p {
			n += len(b)
		}
		return n
	}
	sound := tone(64000, 300, 8000)
	for i := range sound { // syllables, or FEC sees no speech
		sound[i] = int16(float64(sound[i]) * (0.6 + 0.4*math.Sin(float64(i)/800)))
	}
	plain, low := packets(t, sound, Wishes{}), packets(t, sound, Wishes{Bitrate: 10000})
	if size(low) > size(plain)*2/3 {
		t.Errorf("at most 10 kbit/s were wished for: %d bytes, without it %d", size(low), size(plain))
	}
	for name, tc := range map[string]struct {
		packets [][]byte
		want    bool
	}{"wished for": {packets(t, sound, Wishes{FEC: true}), true}, "not wished for": {plain, false}} {
		n := 0
		for _, p := range tc.packets {
			if HasFEC(p) {
				n++
			}
		}
		if tc.want != (n > len(tc.packets)/2) || !tc.want && n > 0 {
			t.Errorf("copies against loss %s: in %d of %d packets", name, n, len(tc.packets))
		}
	}
	steady := packets(t, sound, Wishes{Steady: true})
	for _, p := range steady[1:] {
		if len(p) != len(steady[1]) {
			t.Errorf("one size was wished for: %d and %d bytes", len(steady[1]), len(p))
			break
		}
	}
	paused := 0
	for _, p := range packets(t, make([]int16, 32000), Wishes{DTX: true}) {
		if len(p) <= 2 {
			paused++
		}
	}
	if paused < 70 {
		t.Errorf("with DTX only %d of 100 packets of silence need not be sent", paused)
	}
}

func TestAPacketThatIsNoneChangesNothing(t *testing.T) {
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]int16, MaxSamples)
	for name, p := range map[string][]byte{"empty": {}, "no count": {3}, "sizes past the end": {9<<3 | 3, 0x82, 200, 1}} {
		if n, err := d.Decode(buf, p); n != 0 || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if d.Conceal(buf[:320], []byte{3}) {
		t.Error("a packet that is none told what was lost")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{9 << 3, 1, 2, 3})
	f.Add([]byte{11<<3 | 3, 0xC2, 255, 3, 0, 0, 0})
	f.Add([]byte{31<<3 | 2, 252, 1, 0})
	for _, p := range packets(f, tone(960, 500, 8000), Wishes{FEC: true}) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		d, err := NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]int16, MaxSamples)
		n, err := d.Decode(buf, p)
		ticks, _ := Ticks(p)
		if err == nil && n != ticks/3 {
			t.Fatalf("%d samples of a packet that says %d ticks", n, ticks)
		}
		d.Conceal(buf[:320], p)
	})
}

func FuzzParseWishes(f *testing.F) {
	f.Add("useinbandfec=1;usedtx=1;maxaveragebitrate=20000")
	f.Add(";;=;=1;cbr")
	f.Fuzz(func(t *testing.T, s string) {
		w := ParseWishes(s)
		if w.Bitrate != 0 && (w.Bitrate < 6000 || w.Bitrate > 510000) || w.Play != 0 && (w.Play < 8000 || w.Play > 48000) {
			t.Fatalf("%+v", w)
		}
	})
}

// foreign runs ffmpeg, whose own decoder and encoder of Opus share nothing with
// libopus.
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

func samples(b []byte) []int16 {
	s := make([]int16, len(b)/2)
	for i := range s {
		s[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
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

func TestAForeignDecoderHearsUs(t *testing.T) {
	ours := packets(t, tone(48000, 700, 8000), Wishes{FEC: true})
	out := samples(foreign(t, ogg(ours), "-c:a", "opus", "-i", "pipe:0", "-f", "s16le", "-ac", "1", "-ar", "48000", "pipe:1"))
	if len(out) < 2*48000 {
		t.Fatalf("%d samples of three seconds", len(out))
	}
	if got := strength(out[48000:96000], 700, 48000); math.Abs(20*math.Log10(got/8000)) > 1.5 {
		t.Errorf("its tone has %.0f of 8000", got)
	}
}

func TestWeHearAForeignEncoder(t *testing.T) {
	in := raw(tone(48000, 700, 8000))
	for name, args := range map[string][]string{
		"its own coder, CELT":          {"-c:a", "opus", "-strict", "-2", "-ar", "48000", "-ac", "1", "-b:a", "48000"},
		"stereo at full band":          {"-af", "pan=stereo|c0=c0|c1=c0", "-c:a", "libopus", "-ar", "48000", "-b:a", "96000"},
		"packets of 60 ms, voip":       {"-c:a", "libopus", "-application", "voip", "-ac", "1", "-b:a", "16000", "-frame_duration", "60"},
		"packets of 10 ms":             {"-c:a", "libopus", "-ac", "1", "-b:a", "32000", "-frame_duration", "10"},
		"packets of 40 ms, narrowband": {"-c:a", "libopus", "-application", "voip", "-ac", "1", "-b:a", "9000", "-frame_duration", "40"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full := append([]string{"-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "pipe:0"}, args...)
			theirs := unogg(t, foreign(t, in, append(full, "-f", "ogg", "pipe:1")...))
			out := decode(t, theirs)
			if len(out) < 2*RateHz {
				t.Fatalf("%d samples of three seconds", len(out))
			}
			if got := strength(out[RateHz:2*RateHz], 700, RateHz); math.Abs(20*math.Log10(got/8000)) > 1.5 {
				t.Errorf("the tone has %.0f of 8000", got)
			}
		})
	}
}

func TestNothingIsAllocated(t *testing.T) {
	e, err := NewEncoder(Wishes{FEC: true})
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	frame, b, out := tone(320, 400, 8000), make([]byte, MaxBytes), make([]int16, MaxSamples)
	if n := testing.AllocsPerRun(100, func() {
		size := e.Encode(b, frame)
		e.Expect(0.2)
		_, _ = d.Decode(out, b[:size])
		d.Conceal(out[:320], b[:size])
		_, _ = d.Decode(out, b[:0])
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
