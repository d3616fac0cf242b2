package record

import (
	"encoding/binary"
	"time"

	"flametree/actors"
	"flametree/media/pcm"
)

// An outline begins with a point for each 40 ms. When it has mostPoints, pairs
// of points become one: memory stays bounded, and a long call is drawn as
// finely as a short one.
const (
	framesAPoint = 2
	mostPoints   = 16 << 10
)

// meter draws the outline of a recording while it is written. The zero value is
// ready. It belongs to one goroutine.
type meter struct {
	left, right []byte
	step        int // frames a point; 0 before the first
	seen        int // frames of the point that is being measured
	now         [channels]byte
}

// frame takes one stereo frame.
func (m *meter) frame(b []byte) {
	var most [channels]int
	for i := 0; i+2*channels <= len(b); i += 2 * channels {
		for side := range most {
			v := int(int16(binary.LittleEndian.Uint16(b[i+2*side:])))
			most[side] = max(most[side], v, -v)
		}
	}
	for side := range most {
		m.now[side] = max(m.now[side], byte(min(most[side]>>7, 255)))
	}
	m.tick()
}

// silence takes so many frames in which there was nothing.
func (m *meter) silence(frames int64) {
	for range frames {
		m.tick()
	}
}

func (m *meter) tick() {
	if m.step == 0 {
		m.step = framesAPoint
	}
	if m.seen++; m.seen == m.step {
		m.point()
	}
}

func (m *meter) point() {
	m.left, m.right = append(m.left, m.now[0]), append(m.right, m.now[1])
	m.now, m.seen = [channels]byte{}, 0
	if len(m.left) == mostPoints {
		m.left, m.right = halve(m.left), halve(m.right)
		m.step *= 2
	}
}

func halve(in []byte) []byte {
	for i := range len(in) / 2 {
		in[i] = max(in[2*i], in[2*i+1])
	}
	return in[:len(in)/2]
}

// finish gives the outline away.
func (m *meter) finish() *actors.Peaks {
	if m.seen > 0 {
		m.point()
	}
	return &actors.Peaks{Step: pcm.FrameTime * time.Duration(max(m.step, framesAPoint)), Left: m.left, Right: m.right}
}
