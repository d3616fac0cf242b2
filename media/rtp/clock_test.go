package rtp

import (
	"testing"
	"time"
)

// Jitter, loss and the sender's clock are right at the clock of Opus too, and
// stay right when a call changes from one clock to another.
func TestReportsAtAnyClock(t *testing.T) {
	c := open(t)
	c.Expect(0, 0)
	r := &c.reception
	seq, stamp, at := uint16(65000), uint32(0xFFFFFF00), start
	stream := func(packets int, ticks uint32) {
		for range packets {
			shift := time.Duration(seq%2) * 10 * time.Millisecond
			if seq%10 != 3 { // each tenth is lost
				r.push(&Packet{SSRC: 5, Sequence: seq, Timestamp: stamp, At: at.Add(shift)}, true)
			}
			seq++
			stamp += ticks
			at = at.Add(20 * time.Millisecond)
		}
	}
	check := func(what string, hz int) {
		t.Helper()
		if got := r.jitterTime(); got < 8*time.Millisecond || got > 11*time.Millisecond {
			t.Errorf("%s: jitter %v, want about 9 ms", what, got)
		}
		block := r.report(at)
		if in := time.Duration(block.Jitter) * time.Second / time.Duration(hz); in < 8*time.Millisecond || in > 11*time.Millisecond {
			t.Errorf("%s: the report says %d units of jitter, which is %v", what, block.Jitter, in)
		}
		if block.FractionLost < 20 || block.FractionLost > 30 { // of 256
			t.Errorf("%s: the report says that %d of 256 are lost, want about 26", what, block.FractionLost)
		}
	}
	stream(1000, 160)
	check("at 8 kHz", 8000)
	c.SetClock(48000)
	if got := r.jitterTime(); got < 8*time.Millisecond || got > 11*time.Millisecond {
		t.Errorf("right after the change the jitter is %v", got)
	}
	stream(1000, 960)
	check("at 48 kHz", 48000)

	s := &sending{ssrc: 1, packets: 10, stamp: 5000, stampAt: start}
	raw, err := compound(start.Add(100*time.Millisecond), s, r, "x@y", false)
	if err != nil {
		t.Fatal(err)
	}
	if got := uint32(raw[16])<<24 | uint32(raw[17])<<16 | uint32(raw[18])<<8 | uint32(raw[19]); got != 9800 {
		t.Errorf("RTP time %d, want 9800: 100 ms after the last packet at 48 kHz", got)
	}
	c.SetClock(0)
	if r.rateHz != 48000 {
		t.Error("a clock of 0 was believed")
	}
}

func TestAnAdmittedTypeIsLetInUntilTheNextExpect(t *testing.T) {
	c := open(t)
	c.Expect(0, 101)
	c.Admit(118)
	if !c.types[118] || !c.types[101] {
		t.Error("it is not let in")
	}
	c.Expect(0, 101)
	if c.types[118] {
		t.Error("it is still let in after other terms")
	}
}
