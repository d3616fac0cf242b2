package leg

import (
	"testing"
	"time"

	"flametree/actors"
)

// Whoever said that he is mute is not missed, whatever had been missed before,
// and is once he said that he is not.
func TestWhoIsMuteIsNotMissed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	p.say(make([]int16, 160))
	s.wait(t, actors.FactPackets)
	s.wait(t, actors.FactNoPackets)
	s.Mute(true)
	s.wait(t, actors.FactPackets)
	select {
	case f := <-s.facts:
		t.Errorf("a mute caller was missed: %+v", f)
	case <-time.After(3 * silentAfter):
	}
	s.Mute(false)
	if f := s.wait(t, actors.FactNoPackets); f.At.IsZero() {
		t.Error("nobody knows when")
	}
}
