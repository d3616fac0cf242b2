package leg

import (
	"encoding/binary"

	"flametree/media/codec"
	"flametree/media/jitter"
	"flametree/media/resample"
)

// recall hears the past once more, frame by frame. Its decoder is not the one that
// heard it first, and comes near to that one in the frames before those that are
// wanted. What that one guessed is guessed once more: no worse, but otherwise.
type recall struct {
	past    *past
	next    int64 // frame
	decoder codec.Decoder
	record  []byte // of the next frame
	after   []byte // of the one behind it, where that tells what was lost
	frame   []int16
	packet  []int16 // decoded last
	length  int     // samples of it
	other   *resample.Resampler
	out     []int16
}

// newRecall goes back so that frame n comes out right, at the rate of a scale.
func newRecall(p *past, n int64, to int) *recall {
	r := &recall{past: p, next: n, frame: make([]int16, frameBytes*p.scale)}
	if p.ring == nil {
		r.next = max(n-primed, p.oldest())
		r.packet = make([]int16, codec.MaxSamples)
		r.decoder, _ = p.codec.NewDecoder() // without one it is silent
	}
	if to != p.scale {
		r.other = converter(p.scale, to)
	}
	return r
}

// fetch copies what is kept of the next frame.
func (r *recall) fetch() {
	p := r.past
	r.record, r.after = p.record(r.record[:0], r.next), r.after[:0]
	if p.ring == nil && r.record[0]&^muted <= sampled && r.next+1 < p.next {
		r.after = p.record(r.after, r.next+1)
	}
}

// play gives the frame that was fetched and goes on to the next.
func (r *recall) play(dst []int16) {
	r.next++
	if r.past.ring != nil {
		r.past.law.Decode(r.frame, r.record)
	} else {
		r.decode(r.record[0]&^muted, r.record[1:])
		if r.record[0]&muted != 0 {
			clear(r.frame)
		}
	}
	out := r.frame
	if r.other != nil {
		r.out = r.other.Process(r.out[:0], r.frame)
		out = r.out
	}
	clear(dst[copy(dst, out):])
}

func (r *recall) decode(kind byte, b []byte) {
	switch {
	case r.decoder == nil || kind == nothing:
		clear(r.frame)
	case kind == missed:
		r.decoder.Conceal(r.frame, r.known())
		r.length = 0
	case kind == sampled:
		if n := len(r.frame); len(b) > n {
			r.runs(b[n:])
		} else {
			r.decoder.Conceal(r.packet[:n], r.known())
			r.length = 0
		}
		r.past.law.Decode(r.frame, b[:len(r.frame)])
	default:
		r.runs(b)
	}
}

// known is the packet behind a frame that was lost: it may tell the decoder what
// was in it.
func (r *recall) known() []byte {
	if len(r.after) <= 1+runHead || r.after[0]&^muted != packed || r.after[1] != 0 {
		return nil
	}
	return r.after[1+runHead:][:binary.BigEndian.Uint16(r.after[3:])]
}

func (r *recall) runs(b []byte) {
	unit := r.past.unit()
	for at := 0; len(b) >= runHead && at < jitter.Units; {
		into, units, size := int(b[0]), int(b[1]), int(binary.BigEndian.Uint16(b[2:]))
		if size > 0 {
			r.length, _ = r.decoder.Decode(r.packet, b[runHead:][:size])
		}
		b = b[runHead+size:]
		part := r.frame[at*unit:][:units*unit]
		if (into+units)*unit <= r.length {
			copy(part, r.packet[into*unit:])
		} else {
			r.decoder.Conceal(part, nil)
		}
		at += units
	}
}
