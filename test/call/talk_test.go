package call_test

import (
	"time"
)

// packet is one RTP packet as it was seen on the wire.
type packet struct {
	at      time.Time
	payload uint8
	marker  bool
	seq     uint16
	stamp   uint32
	ssrc    uint32
	data    []byte
	pcm     []int16
	level   float64
}

// side is what one end of a call sent.
type side []packet

// parse reads an RTP packet (RFC 3550 5.1).
func parseRTP(at time.Time, b []byte, laws map[uint8]*law) (packet, bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return packet{}, false
	}
	p := packet{
		at: at, payload: b[1] & 0x7f, marker: b[1]&0x80 != 0, seq: uint16(b[2])<<8 | uint16(b[3]),
		stamp: be32(b[4:]), ssrc: be32(b[8:]), data: append([]byte(nil), b[12:]...),
	}
	if l := laws[p.payload]; l != nil {
		p.pcm = l.decode(p.data)
		p.level = level(p.pcm)
	}
	return p, true
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// laws are both tables by payload type.
func laws() map[uint8]*law { return map[uint8]*law{0: muLaw(), 8: aLaw()} }

// spurt is a stretch of speech: gaps of less than a given time belong to it.
type spurt struct {
	first, last time.Time // arrival of its first and last voiced packet
	pcm         []int16
}

// lasts is how long the spurt is heard.
func (s spurt) lasts() time.Duration { return s.last.Sub(s.first) + 20*time.Millisecond }

// spurts finds the stretches of speech.
func (s side) spurts(gap time.Duration) []spurt {
	var out []spurt
	var held []int16 // unvoiced, perhaps within a spurt
	for _, p := range s {
		if p.pcm == nil {
			continue
		}
		n := len(out)
		inside := n > 0 && p.at.Sub(out[n-1].last) < gap
		switch {
		case p.level >= voiced && inside:
			out[n-1].pcm = append(append(out[n-1].pcm, held...), p.pcm...)
			out[n-1].last, held = p.at, nil
		case p.level >= voiced:
			out, held = append(out, spurt{first: p.at, last: p.at, pcm: append([]int16(nil), p.pcm...)}), nil
		case inside:
			held = append(held, p.pcm...)
		}
	}
	return out
}

// since are the packets that came from then on.
func (s side) since(at time.Time) side {
	for i, p := range s {
		if !p.at.Before(at) {
			return s[i:]
		}
	}
	return nil
}

// until are the packets that came before.
func (s side) until(at time.Time) side {
	for i, p := range s {
		if !p.at.Before(at) {
			return s[:i]
		}
	}
	return s
}

// loudness is the mean power of what was sent, in dB; packets that were not
// sent count as silence over a given time.
func (s side) loudness(over time.Duration) float64 {
	sum := 0.0
	for _, p := range s {
		for _, v := range p.pcm {
			sum += float64(v) * float64(v)
		}
	}
	return powerDB(sum / (over.Seconds() * rateHz))
}

// lost counts the packets that are missing between the first and the last.
func (s side) lost() int {
	if len(s) == 0 {
		return 0
	}
	seen := map[uint16]bool{}
	for _, p := range s {
		seen[p.seq] = true
	}
	return int(s[len(s)-1].seq-s[0].seq) + 1 - len(seen)
}
