package jitter

import (
	"math/bits"
	"time"
)

// Pop gives the next frame; the owner calls it once a frame. The bytes are
// valid until the next call and nil unless the status is Frame.
func (b *Buffer) Pop(now time.Time) ([]byte, Status) {
	b.placed = false
	if !b.begun || b.stopped || !b.playing && !b.ready(now) {
		return nil, Empty
	}
	b.playing = true
	held := b.end - b.next
	if held > b.most+b.frame {
		// Far too much: the network let go of what it had held back.
		// Whole frames go, so that what is left stays in step.
		over := (held - b.target()) / b.frame
		b.stats.Shrunk += uint64(over)
		b.skip(b.next + over*b.frame)
		held = b.end - b.next
	}
	if held < b.frame {
		return nil, b.starve(held)
	}
	b.dry = 0
	b.judge(held)
	b.given, b.placed = b.next, true
	if b.count(b.next, b.next+b.frame) < int(b.frame) {
		b.skip(b.next + b.frame)
		b.stats.Lost++
		return nil, Lost
	}
	for i := range b.out {
		b.out[i] = b.line[(b.next+int64(i))&(size-1)]
	}
	b.skip(b.next + b.frame)
	return b.out, Frame
}

// ready says whether a beginning stream holds enough to be played.
func (b *Buffer) ready(now time.Time) bool {
	waited := units(now.Sub(b.firstAt), b.opt.RateHz)
	return b.end-b.next >= b.target() || waited >= b.target()
}

// starve is a Pop that finds less than a frame. Standing still makes the delay
// longer by a frame, which is wanted up to the most; beyond that the frame's
// time is over. After three in a row the stream has stopped.
func (b *Buffer) starve(held int64) Status {
	b.dry++
	if b.dry > quiet {
		b.halt()
		return Empty
	}
	b.stats.Lost++
	if max(b.deepest, b.before)+int64(b.dry)*b.frame > b.most {
		b.skip(b.next + b.frame)
		b.end = max(b.end, b.next)
	} else if held <= 0 {
		b.pops = 0 // the window before says nothing about the longer delay
	}
	return Lost
}

// judge watches the depth over a second, and leaves a frame out when even the
// packet that came last would have come in time without it.
func (b *Buffer) judge(held int64) {
	b.deepest = max(b.deepest, held)
	b.pops++
	if b.pops < b.settlePops {
		return
	}
	b.known = true
	if b.deepest-b.frame >= b.target() {
		b.skip(b.next + b.frame)
		b.stats.Shrunk++
		b.deepest -= b.frame
	}
	b.before, b.deepest, b.pops = b.deepest, 0, 0
}

// skip moves the line on to a timestamp and forgets what lay before.
func (b *Buffer) skip(to int64) {
	if to-b.next >= size {
		b.there = [words]uint64{}
	} else {
		b.mark(b.next, to, false)
	}
	b.next = to
}

// mark notes whether the bytes of a span are there. Spans are under one line.
func (b *Buffer) mark(from, to int64, there bool) {
	for from < to {
		word, mask, n := span(from, to)
		if there {
			b.there[word] |= mask
		} else {
			b.there[word] &^= mask
		}
		from += n
	}
}

// count says how many bytes of a span are there.
func (b *Buffer) count(from, to int64) int {
	total := 0
	for from < to {
		word, mask, n := span(from, to)
		total += bits.OnesCount64(b.there[word] & mask)
		from += n
	}
	return total
}

// span is the part of a span that lies in one word of the map.
func span(from, to int64) (word int, mask uint64, n int64) {
	at := from & (size - 1)
	bit := at & 63
	n = min(64-bit, to-from)
	return int(at >> 6), (^uint64(0) >> uint64(64-n)) << uint64(bit), n
}
