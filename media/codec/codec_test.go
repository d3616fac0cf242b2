package codec

import (
	"errors"
	"math"
	"syscall"
	"testing"
	"time"

	"flametree/engine/fault"
)

func tone(c Codec, n int, hz, amplitude float64) []int16 {
	s := make([]int16, n*c.RateHz/50)
	for i := range s {
		s[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(c.RateHz)))
	}
	return s
}

func pair(t testing.TB, c Codec) (Encoder, Decoder) {
	t.Helper()
	e, err := c.NewEncoder("useinbandfec=1")
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return e, d
}

func TestTheListIsWideFirst(t *testing.T) {
	before := 1 << 30
	types := map[uint8]bool{}
	for _, c := range List() {
		if c.RateHz > before {
			t.Errorf("%s at %d Hz comes after one of %d", c.Name, c.RateHz, before)
		}
		before = c.RateHz
		if types[c.PayloadType] {
			t.Errorf("%s: payload type %d stands for two", c.Name, c.PayloadType)
		}
		types[c.PayloadType] = true
	}
	for name, want := range map[string]string{"OPUS": "opus", "g722": "G722", "pcma": "PCMA", "PCMU": "PCMU"} {
		if c, err := Find(name); err != nil || c.Name != want {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := Find("speex"); !errors.Is(err, fault.Invalid) {
		t.Errorf("speex: %v, want fault.Invalid", err)
	}
}

// Every codec keeps the contract: a frame gives a packet that lasts 20 ms on
// its clock and comes back as a frame that sounds the same.
func TestEveryCodecKeepsTheContract(t *testing.T) {
	for _, c := range List() {
		t.Run(c.Name, func(t *testing.T) {
			e, d := pair(t, c)
			sound := tone(c, 100, 800, 8000)
			frame := c.RateHz / 50
			packet, out := make([]byte, MaxBytes), make([]int16, MaxSamples)
			var heard []int16
			for n := range 100 {
				size := e.Encode(packet, sound[n*frame:][:frame])
				if ticks, err := c.Ticks(packet[:size]); err != nil || ticks != c.ClockHz/50 {
					t.Fatalf("a frame lasts %d ticks, %v", ticks, err)
				}
				got, err := d.Decode(out, packet[:size])
				if err != nil || got != frame {
					t.Fatalf("%d samples, %v", got, err)
				}
				heard = append(heard, out[:got]...)
			}
			var re, im, power float64
			tail := heard[len(heard)/2:]
			for i, v := range tail {
				a := 2 * math.Pi * 800 * float64(i) / float64(c.RateHz)
				re, im = re+float64(v)*math.Cos(a), im+float64(v)*math.Sin(a)
				power += float64(v) * float64(v)
			}
			own := 2 * math.Hypot(re, im) / float64(len(tail))
			snr := 10 * math.Log10(own*own/2/max(power/float64(len(tail))-own*own/2, 1))
			t.Logf("figure: %s: %.1f dB over its noise", c.Name, snr)
			if snr < 20 || math.Abs(20*math.Log10(own/8000)) > 2 {
				t.Errorf("%.1f dB over its noise, at %.0f of 8000", snr, own)
			}
			if _, err := d.Decode(out, make([]byte, 5000)); !errors.Is(err, fault.Invalid) {
				t.Errorf("5000 bytes: %v, want fault.Invalid", err)
			}
			if d.Conceal(out[:frame], nil) {
				t.Error("nothing told what was lost")
			}
			if n := testing.AllocsPerRun(100, func() {
				size := e.Encode(packet, sound[:frame])
				_, _ = d.Decode(out, packet[:size])
				d.Conceal(out[:frame], packet[:size])
				e.Expect(0.1)
			}); n != 0 {
				t.Errorf("%v allocations a frame", n)
			}
		})
	}
}

func TestAnEntryThatIsNoneHasNoHalves(t *testing.T) {
	var c Codec
	if _, err := c.NewEncoder(""); !errors.Is(err, fault.Invalid) {
		t.Error(err)
	}
	if _, err := c.NewDecoder(); !errors.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range List() {
		b.Run(c.Name, func(b *testing.B) {
			e, _ := pair(b, c)
			sound, packet := tone(c, 10, 800, 8000), make([]byte, MaxBytes)
			frame, n := c.RateHz/50, 0
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				e.Encode(packet, sound[n%10*frame:][:frame])
				n++
			}
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/frame")
		})
	}
}

// cpu is what this process has used: the clock on the wall tells more of its
// neighbours.
func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range List() {
		b.Run(c.Name, func(b *testing.B) {
			e, d := pair(b, c)
			packet, out := make([]byte, MaxBytes), make([]int16, MaxSamples)
			size := e.Encode(packet, tone(c, 1, 800, 8000))
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				_, _ = d.Decode(out, packet[:size])
			}
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/frame")
		})
	}
}
