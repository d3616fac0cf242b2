package echo

import "math/bits"

// signs are whether the newest samples of a stream rose or fell, one bit each:
// at half the rate, and weighed so that no part of the spectrum outweighs the
// others.
type signs struct {
	words [history]uint64
	count int64 // signs ever pushed
	last  int32
}

// flatten is how much of a sample's forerunner is taken from it, in 1/16.
const flatten = 14

// push takes a frame at 8 kHz.
func (s *signs) push(frame []int16) {
	for i := 0; i+1 < len(frame); i += 2 {
		now := int32(frame[i]) + int32(frame[i+1])
		rises := uint64(0)
		if 16*now > flatten*s.last {
			rises = 1
		}
		s.last = now
		bit := s.count & 63
		word := &s.words[s.count>>6&(history-1)]
		*word = *word&^(1<<bit) | rises<<bit
		s.count++
	}
}

// skip goes on by n signs that nobody knows, and has those of filling instead.
func (s *signs) skip(n int, filling uint64) {
	for range n {
		bit := uint64(1) << (s.count & 63)
		word := &s.words[s.count>>6&(history-1)]
		*word = *word&^bit | filling&bit
		s.count++
	}
	s.last = 0
}

// at gives the 64 signs from one on.
func (s *signs) at(from int64) uint64 {
	w, shift := from>>6, uint(from&63)
	return s.words[w&(history-1)]>>shift | s.words[(w+1)&(history-1)]<<(64-shift)
}

// differ counts the signs from one on that are not those given.
func (s *signs) differ(from int64, theirs []uint64) int {
	w, shift := from>>6, uint(from&63)
	n := 0
	low := s.words[w&(history-1)]
	for i, t := range theirs {
		high := s.words[(w+int64(i)+1)&(history-1)]
		n += bits.OnesCount64((low>>shift | high<<(64-shift)) ^ t)
		low = high
	}
	return n
}
