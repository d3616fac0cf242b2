package leg

import (
	"math"
	"testing"
)

// A recording that began on a leg of another codec goes on at its own rate.
func TestARecordingGoesOnAnotherLeg(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b := h.call(nil)
	for _, s := range []*side{a, b} {
		if err := s.Renegotiate(Terms{Codec: "G722", DTMFType: 101}); err != nil {
			t.Fatal(err)
		}
	}
	tape := &sides{grown: make(chan struct{}, 1000)}
	b.RecordAt(tape, 8000)
	if err := b.Play(t.Context(), 1, tone(1500*ms, 1400, 16000, 8000), 16000); err != nil {
		t.Fatal(err)
	}
	tape.wait(t, 70)
	b.Record(nil)
	b.out.mu.Lock()
	defer b.out.mu.Unlock()
	if tape.most > 161 {
		t.Errorf("a frame of %d samples in a recording of 8 kHz", tape.most)
	}
	late := clearest(tape.right[30*160:], 1400, 8000)
	if off := db(strength(late, 1400, 8000) / 8000); math.Abs(off) > 1.5 {
		t.Errorf("its tone is %.1f dB off", off)
	}
}
