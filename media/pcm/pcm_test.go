package pcm

import (
	"math"
	"testing"
	"time"
)

func sine(n int, hz, amplitude float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/WireHz))
	}
	return out
}

func TestSamplesAndLengthAgree(t *testing.T) {
	tests := map[string]struct {
		d    time.Duration
		rate int
		want int
	}{
		"a frame on the wire":     {FrameTime, WireHz, 160},
		"a frame at the ear":      {FrameTime, EarHz, 320},
		"three seconds of flite":  {3 * time.Second, 16000, 48000},
		"22.05 kHz rounds down":   {time.Millisecond, 22050, 22},
		"nothing lasts no sample": {0, WireHz, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Samples(tc.d, tc.rate); got != tc.want {
				t.Fatalf("Samples(%v, %d) = %d, want %d", tc.d, tc.rate, got, tc.want)
			}
		})
	}
	if got := Length(12000, WireHz); got != 1500*time.Millisecond {
		t.Fatalf("Length(12000) = %v, want 1.5s", got)
	}
}

func TestLevel(t *testing.T) {
	if got := LevelDB(make([]int16, 160)); got != 0 {
		t.Errorf("digital silence is %.1f dB, want 0", got)
	}
	offset := make([]int16, 160)
	for i := range offset {
		offset[i] = 500
	}
	if got := LevelDB(offset); got != 0 {
		t.Errorf("a constant offset is %.1f dB, want 0", got)
	}
	if got := LevelDB(sine(160, 400, 32767)); math.Abs(got-87.3) > 0.2 {
		t.Errorf("a full sine is %.1f dB, want 87.3", got)
	}
	if got := Power(nil); got != 0 {
		t.Errorf("no frame has power %v", got)
	}
}

func TestGainIsThereWithinTheFrame(t *testing.T) {
	var g Gain
	frame := sine(160, 500, 8000)
	before := LevelDB(frame)
	g.Set(-12)
	g.Apply(frame)
	if drop := before - LevelDB(frame); drop < 10 {
		t.Errorf("the frame that carries the duck is %.1f dB quieter, want at least 10", drop)
	}
	frame = sine(160, 500, 8000)
	g.Apply(frame)
	if drop := before - LevelDB(frame); math.Abs(drop-12) > 0.1 {
		t.Errorf("the frame after it is %.1f dB quieter, want 12", drop)
	}
	g.Set(0)
	g.Apply(frame)
	frame = sine(160, 500, 8000)
	g.Apply(frame)
	if drop := before - LevelDB(frame); drop != 0 || !g.Idle() {
		t.Errorf("back at 0 dB the level differs by %.2f dB (idle %v)", drop, g.Idle())
	}
}

func TestGainHasNoStep(t *testing.T) {
	var g Gain
	frame := make([]int16, 160)
	for i := range frame {
		frame[i] = 10000
	}
	g.Set(-12)
	g.Apply(frame)
	last := int16(10000)
	for i, s := range frame {
		if step := last - s; step > 1000 || step < 0 {
			t.Fatalf("sample %d falls by %d at once", i, step)
		}
		last = s
	}
}

func TestClip(t *testing.T) {
	for in, want := range map[float32]int16{40000: 32767, -40000: -32768, 1.6: 2, -1.6: -2, 0: 0} {
		if got := Clip(in); got != want {
			t.Errorf("Clip(%v) = %d, want %d", in, got, want)
		}
	}
}

func TestGainAllocatesNothing(t *testing.T) {
	var g Gain
	frame := sine(160, 500, 8000)
	g.Set(-12)
	if n := testing.AllocsPerRun(100, func() { g.Apply(frame) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
