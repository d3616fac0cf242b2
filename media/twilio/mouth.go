package twilio

import (
	"fmt"
	"time"

	"flametree/media/g711"
	"flametree/media/pcm"
	"flametree/media/resample"
)

// mouth is the way from a synthesiser's samples to the wire's rate. It belongs
// to whoever holds the leg's turn.
type mouth struct {
	gen    uint64
	rateHz int
	down   *resample.Resampler // nil at 8 kHz
	staged []int16
}

func (m *mouth) tune(gen uint64, rateHz int) error {
	if m.rateHz != rateHz {
		m.down = nil
		if rateHz != wireHz {
			down, err := resample.New(rateHz, wireHz)
			if err != nil {
				return fmt.Errorf("stream: play generation %d: %w", gen, err)
			}
			m.down = down
			m.staged = make([]int16, 0, down.MaxOut(pcm.Samples(pcm.FrameTime, rateHz)))
		}
		m.rateHz = rateHz
	} else if m.gen != gen && m.down != nil {
		m.down.Reset()
	}
	m.gen = gen
	return nil
}

func (m *mouth) narrow(samples []int16) []int16 {
	if m.down == nil {
		return samples
	}
	m.staged = m.down.Process(m.staged[:0], samples)
	return m.staged
}

// Duck implements actors.Leg. What Twilio holds already, at most 100 ms, keeps
// its level.
func (s *Stream) Duck(db float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gain.Set(db)
}

// filler gives a frame to send while nothing is queued: music, or somebody who
// was joined. The leg's mutex guards it.
type filler struct {
	src    func(frame []int16) bool
	down   *resample.Resampler
	wide   [pcm.EarHz / 50]int16
	narrow []int16
}

// Fill sets what is asked for 20 ms of 16 kHz whenever nothing is queued to be
// played; false is silence, nil ends it. src must not block and must not call
// the leg. When Fill returns no older src is called any more.
func (s *Stream) Fill(src func(frame []int16) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fill = nil
	if src == nil {
		return
	}
	down, err := resample.New(pcm.EarHz, wireHz)
	if err != nil {
		panic("twilio: 16 and 8 kHz are rates: " + err.Error())
	}
	f := &filler{src: src, down: down}
	f.narrow = make([]int16, 0, down.MaxOut(len(f.wide)))
	s.fill = f
}

// filled puts a frame of the filler in the place of silence. It is asked once
// for each frame of time, or music would be played as fast as it is sent.
func (s *Stream) filled() bool {
	f := s.fill
	if f == nil || s.play.sending() != nil && s.play.pending() > 0 && !s.play.paused || !f.src(f.wide[:]) {
		return false
	}
	f.narrow = f.down.Process(f.narrow[:0], f.wide[:])
	clear(s.linear[copy(s.linear[:], f.narrow):])
	g711.MuLaw.Encode(s.frame[:], s.linear[:])
	return true
}

// copies are the frames that were sent and not yet recorded: each is taken when
// the ear comes to it, about. They are kept only for a recorder.
type copies struct {
	frames [][]byte
	n      int
}

func newCopies(on bool) copies {
	if !on {
		return copies{}
	}
	c := copies{frames: make([][]byte, int(window/pcm.FrameTime)+2)}
	for i := range c.frames {
		c.frames[i] = make([]byte, frameBytes)
	}
	return c
}

func (c *copies) push(frame []byte) {
	if c.frames == nil {
		return
	}
	if c.n == len(c.frames) {
		c.shift()
	}
	copy(c.frames[c.n], frame)
	c.n++
}

func (c *copies) pull(dst []byte) bool {
	if c.n == 0 {
		return false
	}
	copy(dst, c.frames[0])
	c.shift()
	return true
}

func (c *copies) shift() {
	first := c.frames[0]
	copy(c.frames, c.frames[1:])
	c.frames[len(c.frames)-1] = first
	c.n--
}

// roundTrip is what a mark took beyond its time: the way there and back, and
// what Twilio's buffer adds.
func roundTrip(now, due time.Time) time.Duration { return max(0, now.Sub(due)) }
