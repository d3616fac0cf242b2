package dtmf

import "time"

// silent is how long after its last packet an event counts as ended when every
// end packet was lost: six packets at the usual 20 ms, more than a jitter
// buffer's worth.
const silent = 120 * time.Millisecond

// stale is how long a packet with an older timestamp is taken for a late one of
// an earlier key; after that the sender has started its clock afresh.
const stale = 2 * time.Second

// segment is the duration at which a sender must start a new timestamp for a
// key that is still down (RFC 4733 2.5.1.3).
const segment = 0xFFFF

// Decoder turns event packets into digits. A digit is told once: at its first
// end packet, or when the next key's packets come, or when nothing came for
// 120 ms. It is not safe for concurrent use.
type Decoder struct {
	rateHz int
	down   bool   // a key is down
	known  bool   // last is meaningful
	code   uint8  // of the key that is down, or was last
	stamp  uint32 // timestamp of its present segment
	long   uint32 // longest duration seen in this segment
	before uint64 // duration of its earlier segments
	last   time.Time
}

// NewDecoder returns a Decoder for events stamped at rateHz.
func NewDecoder(rateHz int) *Decoder { return &Decoder{rateHz: rateHz} }

// Reset forgets the key that is down, as for a new stream.
func (d *Decoder) Reset() { *d = Decoder{rateHz: d.rateHz} }

// Push takes a packet in order of arrival. Digits that this packet completed
// are appended to dst; there may be two, when it is the end of a new key and
// all ends of the old one were lost. A payload that is no key is refused.
func (d *Decoder) Push(now time.Time, stamp uint32, marker bool, payload []byte, dst []Digit) ([]Digit, error) {
	e, err := Parse(payload)
	if err != nil {
		return dst, err
	}
	if Key(e.Code) == 0 {
		return dst, nil // flash and the tones of RFC 4733 3.3 are nobody's digits
	}
	switch {
	case d.known && d.same(stamp, marker, e):
	case d.known && int32(stamp-d.stamp) < 0 && !marker && now.Sub(d.last) < stale:
		return dst, nil // a late packet of an event already told
	default:
		dst = d.release(dst)
		*d = Decoder{rateHz: d.rateHz, down: true, known: true, code: e.Code, stamp: stamp}
	}
	if !d.down {
		return dst, nil // a repeated end
	}
	d.last = now
	d.long = max(d.long, uint32(e.Duration)) // a reordered packet must not shorten it
	if e.End {
		dst = d.release(dst)
	}
	return dst, nil
}

// same says whether a packet belongs to the event at hand, moving on to its
// next segment where the sender did.
func (d *Decoder) same(stamp uint32, marker bool, e Event) bool {
	if e.Code != d.code {
		return false
	}
	if stamp == d.stamp {
		return true
	}
	if !d.down || marker {
		return false
	}
	if stamp == d.stamp+segment {
		d.before += segment
		d.stamp, d.long = stamp, 0
		return true
	}
	// Some gateways move the timestamp with each packet. Their duration goes
	// on rising; that of a new press starts over.
	if int32(stamp-d.stamp) > 0 && uint32(e.Duration) > d.long && stamp-d.stamp <= uint32(e.Duration) {
		d.stamp = stamp
		return true
	}
	return false
}

// Tick tells a key whose end packets were lost. The owner calls it now and
// then, 20 ms apart is enough.
func (d *Decoder) Tick(now time.Time, dst []Digit) []Digit {
	if d.down && now.Sub(d.last) >= silent {
		return d.release(dst)
	}
	return dst
}

func (d *Decoder) release(dst []Digit) []Digit {
	if !d.down {
		return dst
	}
	d.down = false
	units := d.before + uint64(d.long)
	length := time.Duration(units) * time.Second / time.Duration(d.rateHz)
	return append(dst, Digit{Key: Key(d.code), Length: length})
}
