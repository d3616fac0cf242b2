package leg

import (
	"cmp"
	"fmt"
	"time"

	"flametree/media/codec"
	"flametree/media/g711"
	"flametree/media/jitter"
	"flametree/media/pcm"
	"flametree/media/plc"
)

// scale is the rate inside a leg: so many times 8 kHz, 1 for G.711 and 2 for
// everything wider.
func scale(c codec.Codec) int { return c.RateHz / g711.RateHz }

// ringLaw is how samples are kept: as they are on the wire in G.711, in
// µ-law otherwise.
func ringLaw(c codec.Codec) g711.Law {
	law, _ := c.Law()
	return law
}

// intake is the way from packets to frames for one codec. It has no lock.
type intake struct {
	codec   codec.Codec
	law     g711.Law
	plain   bool            // G.711: no decoder, and what is kept are its own bytes
	scout   codec.Decoder   // hears each packet when it arrives, for the VAD
	behind  codec.Decoder   // hears them in order, behind the jitter buffer; of packets only from the first gap on
	ahead   previews        // of packets
	line    *jitter.Buffer  // for codecs of bytes
	packets *jitter.Packets // for the others
	plc     *plc.Concealer  // nil where the decoder conceals
	heard   []int16         // a packet, as the scout hears it; room for the longest yet
	whole   []int16         // the packet that is being given, for packets only
	length  int             // samples of it
	id      uint64          // and whose it is
	latest  uint16          // sequence number the scout heard last
	scouted bool            // latest is meaningful
	runs    []run           // of packets, of which the frame that next gave is made
	made    bool            // and of nothing else
	missing bool            // nothing of it came
}

func newIntake(c codec.Codec, opt jitter.Options) (intake, error) {
	law, plain := c.Law()
	n := intake{codec: c, law: law, plain: plain}
	opt.Frame = pcm.FrameTime
	var err error
	if c.Bytes {
		opt.RateHz = c.ClockHz
		n.line, err = jitter.New(opt)
	} else {
		// A copy of what is lost lies in the next packet: it must be there.
		opt.Min = cmp.Or(opt.Min, 2*pcm.FrameTime)
		n.packets, err = jitter.NewPackets(opt, c.ClockHz)
	}
	if err != nil {
		return intake{}, err
	}
	if !c.Conceals {
		n.plc = plc.New(c.RateHz)
	}
	if plain {
		return n, nil
	}
	n.runs = make([]run, 0, jitter.Units)
	if n.scout, err = c.NewDecoder(); err != nil {
		return intake{}, err
	}
	n.heard = make([]int16, frameBytes*scale(c))
	if !c.Bytes {
		n.ahead.begin()
		return n, nil
	}
	if n.behind, err = c.NewDecoder(); err != nil {
		return intake{}, err
	}
	return n, nil
}

func (n *intake) reset() {
	if n.line != nil {
		n.line.Reset()
	} else {
		n.packets.Reset()
		n.ahead.begin()
		n.ahead.warm = n.behind != nil
	}
	n.scouted = false
}

func (n *intake) late() uint64 {
	if n.line != nil {
		return n.line.Stats().Late
	}
	return n.packets.Stats().Late
}

// push gives a packet to the jitter buffer and says whether it was new.
func (n *intake) push(at time.Time, seq uint16, stamp uint32, payload []byte) (bool, error) {
	if n.line != nil {
		return n.line.Push(at, seq, stamp, payload) != jitter.Duplicate, nil
	}
	ticks, err := n.codec.Ticks(payload)
	if err != nil {
		return false, fmt.Errorf("leg: %w", err)
	}
	fate := n.packets.Push(at, seq, stamp, payload, ticks)
	n.ahead.newID = 0
	if fate == jitter.Taken {
		n.ahead.newID = n.packets.Newest()
	}
	return fate != jitter.Duplicate, nil
}

// preview decodes a packet as it arrives. One that is older than what was heard
// already gives nothing: it would confuse the decoder.
func (n *intake) preview(seq uint16, payload []byte) ([]int16, error) {
	if n.scouted && overtaken(seq, n.latest) {
		return nil, nil
	}
	next := !n.scouted || seq == n.latest+1
	n.latest, n.scouted = seq, true
	if more := n.codec.Samples(payload); more > len(n.heard) {
		n.heard = make([]int16, more)
	}
	count, err := n.scout.Decode(n.heard, payload)
	n.ahead.keep(n.heard[:count], next && err == nil)
	return n.heard[:count], err
}

// next fills frame with the next 20 ms of a codec that is not plain. Invented
// says that it was lost and nobody knows what it was.
func (n *intake) next(now time.Time, frame []int16) (status jitter.Status, invented bool) {
	n.runs, n.made, n.missing = n.runs[:0], false, false
	if n.packets != nil {
		status = n.packets.Pop(now)
		if status == jitter.Empty {
			return status, false
		}
		return status, n.pieces(frame)
	}
	payload, status := n.line.Pop(now)
	if status != jitter.Frame {
		return status, status == jitter.Lost
	}
	if _, err := n.behind.Decode(frame, payload); err != nil {
		panic("leg: 20 ms of a codec of bytes do not decode: " + err.Error())
	}
	n.runs, n.made = append(n.runs, run{packet: payload, units: jitter.Units}), true
	return status, false
}

// pieces puts a frame together from the packets that lie in it and conceals
// what is missing between them.
func (n *intake) pieces(frame []int16) (invented bool) {
	size := len(frame) / jitter.Units
	n.made = true
	for u := 0; u < jitter.Units; {
		if p, ok := n.packets.Piece(u); ok {
			if s := n.piece(p, size); s != nil {
				copy(frame[u*size:], s)
				n.note(p)
				u++
				continue
			}
		}
		// A packet after the gap may tell what was in it.
		n.made = false
		end := u + 1
		var after jitter.Piece
		known := false
		for ; end <= jitter.Units; end++ {
			if after, known = n.packets.Piece(end); known {
				break
			}
		}
		end = min(end, jitter.Units)
		if after.Into != 0 {
			after.Payload = nil // its beginning is missing too
		}
		if !n.conceal(frame[u*size:end*size], after.Payload) {
			invented = true
		}
		u = end
	}
	n.missing = len(n.runs) == 0
	return invented
}

// note remembers that a piece was given.
func (n *intake) note(p jitter.Piece) {
	if last := len(n.runs) - 1; last >= 0 && n.runs[last].id == p.ID && n.runs[last].into+n.runs[last].units == p.Into {
		n.runs[last].units++
		return
	}
	n.runs = append(n.runs, run{p.ID, p.Payload, p.Into, 1})
}

// piece gives the samples of a piece, nil when its packet is damaged.
func (n *intake) piece(p jitter.Piece, size int) []int16 {
	at := p.Into * size
	sound, known := n.ahead.find(p.ID)
	if p.ID != n.id {
		n.length = 0
		if !known {
			if d, err := n.second(); err == nil {
				n.length, _ = d.Decode(n.whole, p.Payload)
			}
		}
		n.id = p.ID
		if n.ahead.gave(p.ID, !known) {
			n.behind, n.whole = nil, nil
		}
	}
	if !known {
		sound = n.whole[:n.length]
	}
	if at+size > len(sound) {
		return nil
	}
	return sound[at : at+size]
}
