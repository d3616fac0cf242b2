package actorstest

import (
	"strings"
	"sync"
	"time"
)

// Sound here is coded, not acoustic: a frame of speech says which part of which
// word it is. So a recogniser can understand it, also a replayed one, and what
// reached the caller's ear can be read back from what was sent.
const (
	FrameTime = 20 * time.Millisecond
	WordTime  = 300 * time.Millisecond // every word lasts as long, whoever says it
	rateHz    = 8000
	frameSize = rateHz / 50
	wordLen   = int(WordTime / FrameTime)
	voiced    = 0x5eed // first sample of a frame that is not silence
)

// sound is one frame: part i of the n parts of a word. n = 0 is silence, a
// word without letters is noise.
type sound struct {
	word string
	i, n int
}

// encode writes the frame to at least frameSize samples.
func (s sound) encode(dst []int16) {
	clear(dst)
	if s.n == 0 {
		return
	}
	dst[0], dst[1], dst[2], dst[3] = voiced, int16(s.i), int16(s.n), int16(len(s.word))
	for i := range len(s.word) {
		dst[4+i] = int16(s.word[i])
	}
}

func decode(frame []int16) sound {
	if len(frame) < 4 || frame[0] != voiced {
		return sound{}
	}
	b := make([]byte, frame[3])
	for i := range b {
		b[i] = byte(frame[4+i])
	}
	return sound{word: string(b), i: int(frame[1]), n: int(frame[2])}
}

// uttered is what saying text sounds like.
func uttered(text string) []sound {
	var out []sound
	for w := range strings.FieldsSeq(text) {
		for i := range wordLen {
			out = append(out, sound{word: w, i: i, n: wordLen})
		}
	}
	return out
}

// noise lasts for d.
func noise(d time.Duration) []sound {
	out := make([]sound, d/FrameTime)
	for i := range out {
		out[i] = sound{n: len(out), i: i}
	}
	return out
}

// Trace is what was done, in order, by whoever notes it.
type Trace struct {
	mu    sync.Mutex
	lines []string
}

// Add notes one deed.
func (t *Trace) Add(line string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
}

// Lines is a copy of all deeds.
func (t *Trace) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}

// Reset forgets all deeds.
func (t *Trace) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = nil
}
