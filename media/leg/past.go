package leg

import (
	"encoding/binary"

	"flametree/media/codec"
	"flametree/media/g711"
	"flametree/media/jitter"
)

const (
	inputFrames = 300 // 6 s kept for replay
	// primed is how many frames a decoder hears before the first that is wanted of
	// it. In a pause libopus tells of the room every 20 frames.
	primed     = 25
	pastFrames = inputFrames + primed
	// wideFrame is the most a frame takes: what it takes in µ-law, and its head.
	wideFrame = 2*frameBytes + 1
	// ahead is how much more than that a packet may take that lasts for more than
	// a frame.
	ahead   = 2000
	runHead = 4
)

// What a frame of the past was. With muted set nobody is to hear it.
const (
	nothing = iota // no stream
	missed         // nothing came: the decoder concealed it
	sampled        // its samples follow, in µ-law, and packets for the decoder
	packed         // its packets follow
	muted   = 1 << 7
)

// run is a part of a packet that was heard, in units of the jitter buffer.
type run struct {
	id          uint64 // of the packet, 0 where each is given once
	packet      []byte
	into, units int
}

// heard is a frame that was heard.
type heard struct {
	kind  byte // of the above
	muted bool
	frame []int16
	runs  []run // the packets it was made of
}

// past is what was heard lately in one codec. Of G.711 it has the bytes of the
// wire. Of the others it has the packets, a quarter of what their samples in µ-law
// would take; a frame that is no sound of packets alone, or whose packets are
// larger than that, it has in µ-law.
type past struct {
	codec       codec.Codec
	law         g711.Law
	scale       int
	first, next int64  // numbers of the first frame in this codec and of the next
	ring        []byte // of G.711
	reel        reel   // of the others: one frame behind the other
	sizes       []uint16
	begin, end  int64  // places in the reel
	last        uint64 // packet that was put in last
	shaky       int    // frames until a decoder that hears them again has found its way
	debt        int    // bytes by which packets came to more than their frames may take
}

func newPast(c codec.Codec, first int64) *past {
	p := &past{codec: c, law: ringLaw(c), scale: scale(c), first: first, next: first}
	if _, plain := c.Law(); plain {
		p.ring = make([]byte, inputFrames*frameBytes)
		return p
	}
	p.reel, p.sizes = newReel(pastFrames*wideFrame+ahead), make([]uint16, pastFrames)
	return p
}

// oldest is the number of the first frame that is kept.
func (p *past) oldest() int64 {
	if p.ring != nil {
		return max(p.first, p.next-inputFrames)
	}
	return max(p.first, p.next-pastFrames)
}

// slot is where a frame of G.711 lies.
func (p *past) slot(n int64) []byte {
	return p.ring[int(n%inputFrames)*frameBytes:][:frameBytes]
}

// put takes the next frame of a codec that is not G.711.
func (p *past) put(f heard) {
	size := &p.sizes[p.next%pastFrames]
	if p.next-p.first >= pastFrames {
		p.begin += int64(*size)
		p.reel.forget(p.begin)
	}
	p.judge(&f)
	begin := p.end
	kind := f.kind
	if f.muted {
		kind |= muted
	}
	p.add([]byte{kind})
	if f.kind == sampled {
		for rest := f.frame; len(rest) > 0; {
			room := p.reel.room(p.end, len(rest))
			p.law.Encode(room, rest[:len(room)])
			rest, p.end = rest[len(room):], p.end+int64(len(room))
		}
	}
	for _, r := range f.runs {
		p.run(r)
	}
	if len(f.runs) == 0 {
		p.last = 0
	}
	*size = uint16(p.end - begin)
	p.debt = max(p.debt+int(*size)-wideFrame, 0)
	p.next++
}

// judge decides whether the packets of a frame are enough. They are not when they
// are too large, nor for a while after such: the decoder has to find its way.
func (p *past) judge(f *heard) {
	if f.kind == packed && p.shaky > 0 {
		f.kind = sampled
		p.shaky--
	}
	size := p.cost(f.runs)
	if f.kind == sampled {
		size += len(f.frame)
	}
	if len(f.runs) > 0 && size-wideFrame > ahead-p.debt {
		f.kind, f.runs, p.shaky = sampled, nil, settled
	}
}

func (p *past) add(b []byte) {
	p.reel.write(p.end, b)
	p.end += int64(len(b))
}

func (p *past) run(r run) {
	if r.id != 0 && r.id == p.last {
		r.packet = nil
	} else {
		p.last = r.id
	}
	var head [runHead]byte
	head[0], head[1] = byte(r.into), byte(r.units)
	binary.BigEndian.PutUint16(head[2:], uint16(len(r.packet)))
	p.add(head[:])
	p.add(r.packet)
}

// unit is how many samples a unit of the jitter buffer lasts.
func (p *past) unit() int { return frameBytes * p.scale / jitter.Units }

// cost is what a frame of these packets takes.
func (p *past) cost(runs []run) int {
	n := 1
	for _, r := range runs {
		n += runHead
		if r.id == 0 || r.id != p.last {
			n += len(r.packet)
		}
	}
	return n
}

// record appends what is kept of a frame to dst.
func (p *past) record(dst []byte, n int64) []byte {
	if p.ring != nil {
		return append(dst, p.slot(n)...)
	}
	at := p.begin
	for i := p.oldest(); i < n; i++ {
		at += int64(p.sizes[i%pastFrames])
	}
	size := int(p.sizes[n%pastFrames])
	for size > 0 {
		b := p.reel.bytes(at, size)
		dst, at, size = append(dst, b...), at+int64(len(b)), size-len(b)
	}
	return dst
}
