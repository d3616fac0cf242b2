package jitter

import (
	"fmt"
	"time"

	"flametree/engine/fault"
)

const (
	// unitHz is what Packets counts in: 2.5 ms, the shortest piece of a codec.
	unitHz  = 400
	kept    = 32      // packets
	largest = 1500    // bytes of a packet
	arena   = 8 << 10 // bytes of all of them: speech takes 80 a packet, music 320
)

// Units are the pieces of 2.5 ms in a frame of 20 ms.
const Units = unitHz / 50

// Packets is a Buffer for codecs whose packets cannot be cut: they are kept
// whole, and the line of the Buffer says when each piece of them is due. So
// packets of 10 to 120 ms, reordered or doubled, give frames of 20 ms all the
// same. It is not safe for concurrent use.
type Packets struct {
	line    *Buffer
	tick    int64 // of RTP's clock in a unit
	origin  int64 // timestamp of the first packet, extended
	newest  int64 // timestamp of the last packet that came, extended
	begun   bool
	entries [kept]entry
	count   uint64 // packets ever kept
	bytes   []byte
	at      int
	// blank stands for what lies in the line, whose bytes are never looked at.
	blank [unitHz * 120 / 1000]byte
}

type entry struct {
	id          uint64 // 0: none
	from        uint32 // in units
	units       int
	offset, len int // in bytes
}

// Piece is where 2.5 ms of sound lie.
type Piece struct {
	ID      uint64 // of the packet, never 0 and never used again
	Payload []byte // of the whole packet; valid until the next Push
	Into    int    // units of the packet before this one
}

// NewPackets returns Packets whose timestamps count at clockHz, a multiple of
// 400, or fault.Invalid naming every option that is wrong.
func NewPackets(opt Options, clockHz int) (*Packets, error) {
	if clockHz <= 0 || clockHz%unitHz != 0 {
		return nil, fmt.Errorf("jitter: a clock of %d Hz: %w", clockHz, fault.Invalid)
	}
	opt.RateHz, opt.Frame = unitHz, time.Second*Units/unitHz
	line, err := New(opt)
	if err != nil {
		return nil, err
	}
	return &Packets{line: line, tick: int64(clockHz / unitHz), bytes: make([]byte, arena)}, nil
}

// Reset begins a new stream, as Buffer.Reset does.
func (p *Packets) Reset() {
	p.line.Reset()
	p.begun = false
	p.entries = [kept]entry{}
}

// Stats returns the counters.
func (p *Packets) Stats() Stats { return p.line.Stats() }

// Delay is how much is to be held now.
func (p *Packets) Delay() time.Duration { return p.line.Delay() }

// Push takes a packet that lasts so many ticks of its clock. The payload is
// copied.
func (p *Packets) Push(now time.Time, seq uint16, stamp uint32, payload []byte, ticks int) Fate {
	units := ticks / int(p.tick)
	if units <= 0 || units > len(p.blank) || len(payload) == 0 || len(payload) > largest {
		return Strange
	}
	if !p.begun {
		p.begun, p.origin, p.newest = true, int64(stamp), int64(stamp)
	}
	p.newest += int64(int32(stamp - uint32(p.newest)))
	from := uint32(floor(p.newest-p.origin+p.tick/2, p.tick))
	fate := p.line.Push(now, seq, from, p.blank[:units])
	if fate == Taken {
		p.keep(from, units, payload)
	}
	return fate
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// keep copies a packet over the oldest.
func (p *Packets) keep(from uint32, units int, payload []byte) {
	if p.at+len(payload) > len(p.bytes) {
		p.at = 0
	}
	for i := range p.entries {
		if e := &p.entries[i]; e.id != 0 && e.offset < p.at+len(payload) && p.at < e.offset+e.len {
			e.id = 0
		}
	}
	p.entries[p.count%kept] = entry{p.count + 1, from, units, p.at, len(payload)}
	p.count++
	p.at += copy(p.bytes[p.at:], payload)
}

// Newest is the ID of the packet that was taken last, 0 before the first.
func (p *Packets) Newest() uint64 { return p.count }

// Find gives a packet by its ID while it is kept. It is valid until the next Push.
func (p *Packets) Find(id uint64) (payload []byte, ok bool) {
	if id == 0 || p.entries[(id-1)%kept].id != id {
		return nil, false
	}
	e := &p.entries[(id-1)%kept]
	return p.bytes[e.offset:][:e.len], true
}

// Pop moves on to the next frame; the owner calls it once a frame. Where a frame
// is Lost some of its pieces may still be there.
func (p *Packets) Pop(now time.Time) Status {
	_, status := p.line.Pop(now)
	return status
}

// Piece finds the n-th unit from the beginning of the frame that Pop gave;
// Units is the first after it. Unless the frame is Placed nothing is found.
func (p *Packets) Piece(n int) (piece Piece, ok bool) {
	if !p.line.placed {
		return Piece{}, false
	}
	at := uint32(p.line.given) + uint32(n)
	for i := range p.entries {
		e := &p.entries[i]
		if into := int32(at - e.from); e.id != 0 && into >= 0 && int(into) < e.units {
			return Piece{e.id, p.bytes[e.offset:][:e.len], int(into)}, true
		}
	}
	return Piece{}, false
}

// Placed says that the frame which Pop gave has its place in the stream, with
// packets after it; false while nothing more has come.
func (p *Packets) Placed() bool { return p.line.placed }
