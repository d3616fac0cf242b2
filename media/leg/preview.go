package leg

import "flametree/media/codec"

// A decoder of packets hears each one when it arrives, for the VAD. What comes
// in order needs no second decoding behind the jitter buffer: the samples are
// kept until they are due. Only where something is missing a second decoder is
// made, which goes through the gap in the order of the sound. What has not come
// yet when it is due the first decoder conceals itself: it stands where the sound
// does, as long as it has heard nothing later.

const (
	previewed = 12 // packets kept: 240 ms, more than a jitter buffer holds on a usual road
	// settled is after how many packets in a row a decoder that missed one sounds
	// like one that concealed it (RFC 6716 4.4: states converge).
	settled = 5
	// warming is how many packets before a gap the second decoder is to know.
	warming = 3
	// enough is after how many packets without a gap the second decoder is let go
	// of: 10 s.
	enough = 500
)

// preview is a packet as the scout heard it.
type preview struct {
	id    uint64 // of the packet in the jitter buffer, 0 for none
	count int
	sound [frameBytes * 2]int16
}

// previews are the scout's, and who hears what it cannot tell.
type previews struct {
	kept  []preview
	row   int             // packets the scout heard without a gap
	newID uint64          // of the packet that is about to be heard
	last  uint64          // packet the scout heard last, 0 for one that came too late
	given [warming]uint64 // packets given last, the newest last
	warm  bool            // the second decoder has heard the last of them
	since int             // samples the scout concealed after them
	clean int             // packets given since the second decoder heard one
}

// begin begins a stream. Room is made for the first alone: a peer may change its
// source with every packet.
func (v *previews) begin() {
	kept := v.kept
	if kept == nil {
		kept = make([]preview, previewed)
	}
	clear(kept)
	*v = previews{kept: kept, row: settled}
}

// keep takes what the scout made of the newest packet; next says that it follows
// the one before.
func (v *previews) keep(sound []int16, next bool) {
	v.last = v.newID
	if v.kept == nil || v.newID == 0 {
		return
	}
	v.row++
	if !next {
		v.row = 0
	}
	p := &v.kept[v.newID%previewed]
	p.id = 0
	if v.row >= settled && len(sound) <= len(p.sound) {
		p.id, p.count = v.newID, copy(p.sound[:], sound)
	}
}

// find gives the sound of a packet that was heard without a gap before it.
func (v *previews) find(id uint64) ([]int16, bool) {
	if v.kept == nil || v.kept[id%previewed].id != id {
		return nil, false
	}
	p := &v.kept[id%previewed]
	return p.sound[:p.count], true
}

// gave notes which packet was given, and whether the second decoder heard it. It
// says that it was not needed for long.
func (v *previews) gave(id uint64, warm bool) (unused bool) {
	copy(v.given[:], v.given[1:])
	v.given[warming-1], v.warm, v.since = id, warm, 0
	v.clean++
	if warm {
		v.clean = 0
	}
	return v.clean == enough
}

// level says that the scout stands where the sound does: it heard what was given
// last without a gap, and nothing after it.
func (v *previews) level() bool {
	return !v.warm && v.last != 0 && v.last == v.given[warming-1]
}

// second is the decoder that goes through gaps, made when it is first needed and
// told of the packets before.
func (n *intake) second() (codec.Decoder, error) {
	if n.behind == nil {
		d, err := n.codec.NewDecoder()
		if err != nil {
			return nil, err
		}
		n.behind, n.whole = d, make([]int16, codec.MaxSamples)
	}
	if n.packets == nil || n.ahead.warm {
		return n.behind, nil
	}
	for _, id := range n.ahead.given {
		if payload, ok := n.packets.Find(id); ok {
			_, _ = n.behind.Decode(n.whole, payload) // what is damaged was damaged before
		}
	}
	n.behind.Conceal(n.whole[:min(n.ahead.since, len(n.whole))], nil)
	n.ahead.warm = true
	return n.behind, nil
}

// conceal fills dst with what was lost before next and reports whether next told
// what it was.
func (n *intake) conceal(dst []int16, next []byte) bool {
	if next == nil && n.ahead.level() {
		n.ahead.since += len(dst)
		return n.scout.Conceal(dst, nil)
	}
	d, err := n.second()
	if err != nil {
		clear(dst)
		return false
	}
	return d.Conceal(dst, next)
}

// rest fills a frame in a pause of a coder that sends nothing. Whoever heard the
// last packet knows how the room sounds.
func (n *intake) rest(frame []int16) {
	if n.behind != nil && n.ahead.warm {
		n.behind.Conceal(frame, nil)
		return
	}
	n.scout.Conceal(frame, nil)
}
