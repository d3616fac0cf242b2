package leg

import (
	"flametree/media/g711"
	"flametree/media/pcm"
	"flametree/media/resample"
)

// filler gives a frame to send while nothing is queued: music, or somebody who
// was joined. It is guarded by the leg's mutex.
type filler struct {
	src    func(frame []int16) bool
	down   *resample.Resampler // to the ring's rate; nil at 16 kHz
	wide   [pcm.EarHz / 50]int16
	narrow []int16
}

// Fill sets what is asked for 20 ms of 16 kHz whenever nothing is queued to be
// played; false is silence, nil ends it. src must not block and must not call
// the leg. What is played goes first, and Duck, Pause and Played know nothing of
// it. Meanwhile no sound of the party is taken for an echo: people hear it. When Fill returns no older src is called any more.
func (l *Leg) Fill(src func(frame []int16) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.filled.Store(src != nil)
	if src == nil {
		l.fill = nil
		return
	}
	l.fill = &filler{src: src}
	l.fill.fit(int(l.play.scale))
}

// fit readies the filter to a ring of this scale.
func (f *filler) fit(scale int) {
	f.down, f.narrow = nil, nil
	if scale*g711.RateHz == pcm.EarHz {
		return
	}
	f.down = converter(pcm.EarHz/g711.RateHz, scale)
	f.narrow = make([]int16, 0, f.down.MaxOut(len(f.wide)))
}

// filled puts a frame of the filler in the place of silence.
func (l *Leg) filled() bool {
	f := l.fill
	if f == nil || !f.src(f.wide[:]) {
		return false
	}
	out := f.wide[:]
	if f.down != nil {
		f.narrow = f.down.Process(f.narrow[:0], f.wide[:])
		out = f.narrow
	}
	s := &l.sender
	n := copy(s.linear, out)
	clear(s.linear[n:])
	l.play.law.Encode(s.frame, s.linear)
	return true
}
