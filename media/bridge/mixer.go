package bridge

import (
	"flametree/media/pcm"
	"flametree/media/resample"
)

// mixer adds both sides of a call and brings them to 16 kHz. It belongs to the
// leg that is listened to.
type mixer struct {
	up    *resample.Resampler // nil at 16 kHz
	sum   []int16
	wide  []int16
	rest  []int16
	ring  Ring
	frame func(left, right []int16)
}

func newMixer(rateHz int) *mixer {
	m := &mixer{sum: make([]int16, 0, rateHz/50)}
	m.frame = m.add
	if rateHz == pcm.EarHz {
		return m
	}
	up, err := resample.New(rateHz, pcm.EarHz)
	if err != nil {
		return nil
	}
	m.up = up
	m.wide = make([]int16, 0, up.MaxOut(rateHz/50))
	return m
}

func (m *mixer) add(left, right []int16) {
	n := max(len(left), len(right))
	if n == 0 {
		return
	}
	m.sum = m.sum[:0]
	for i := range n {
		var v int32
		if i < len(left) {
			v += int32(left[i])
		}
		if i < len(right) {
			v += int32(right[i])
		}
		m.sum = append(m.sum, int16(max(-32768, min(32767, v))))
	}
	out := m.sum
	if m.up != nil {
		m.wide = m.up.Process(m.wide[:0], m.sum)
		out = m.wide
	}
	m.rest = append(m.rest, out...)
	for len(m.rest) >= frameSize {
		m.ring.Put(m.rest[:frameSize])
		m.rest = append(m.rest[:0], m.rest[frameSize:]...)
	}
}
