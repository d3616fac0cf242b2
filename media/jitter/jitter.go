// Package jitter puts packets back in order and in time. A Buffer is a line of
// bytes addressed by RTP timestamp, for codecs of one byte a tick (G.711, G.722):
// so packets of 10, 20, 30 or 60 ms, and a sender that changes its mind, need
// no special case. Packets does the same for those whose packets are whole or
// nothing (Opus). Neither decodes or conceals anything, and neither has a clock.
//
// The delay begins at 40 ms and lives between 20 and 80 ms. It grows when the
// line runs dry (the next packet is late, so a frame is put in), and shrinks by
// a frame when for a whole second the network needed less.
package jitter

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"flametree/engine/fault"
)

// Status says what Pop found.
type Status uint8

// What Pop can find.
const (
	Empty Status = iota // nothing flows: before the first packet, or after the stream stopped
	Frame               // a whole frame
	Lost                // a frame is missing in a stream that flows: conceal it
)

// Fate says what Push did with a packet.
type Fate uint8

// The fates of a packet.
const (
	Taken Fate = iota
	Duplicate
	Late    // its time to be played is over
	Strange // far from where the stream is; a second such packet in a row moves the stream there
)

// Options shape a Buffer. The zero value suits G.711 on a telephone call.
type Options struct {
	RateHz int           // timestamp units, and bytes, a second; default 8000
	Frame  time.Duration // what Pop gives; default 20 ms
	Min    time.Duration // least delay; default 20 ms
	Start  time.Duration // delay before anything is known; default 40 ms
	Max    time.Duration // most delay; default 80 ms
}

// Stats counts since the last New; Reset keeps them.
type Stats struct {
	Taken, Late, Duplicates, Reordered uint64 // packets
	Lost                               uint64 // frames that Pop gave as Lost
	Shrunk                             uint64 // frames left out to shorten the delay
	Restarts                           uint64 // times the stream began again elsewhere
}

const (
	size       = 4096            // bytes of the line: 512 ms at 8 kHz, a power of two
	words      = size / 64       // of the map of what is there
	quiet      = 3               // frames without anything before the stream counts as stopped
	persistent = 10              // old packets after a pause that mean the sender set its clock back
	settle     = time.Second     // of Pops over which the delay is judged
	farApart   = 5               // seconds beyond which a packet is strange
	history    = 64              // sequence numbers remembered against duplicates
	cool       = 2 * time.Second // in which half of a peak of jitter is forgotten
)

// Buffer is the state for one stream. It is not safe for concurrent use.
type Buffer struct {
	opt              Options
	frame            int64 // bytes
	least, most      int64
	start            int64
	line             [size]byte
	there            [words]uint64
	out              []byte
	stats            Stats
	begun, playing   bool
	stopped          bool  // nothing came for a while; next says how far it had been given
	stale            int   // packets from before that, in a row
	next             int64 // timestamp of the next frame to give, extended
	end              int64 // timestamp after the newest byte, extended
	given            int64 // timestamp of the frame that Pop found
	placed           bool  // given is meaningful: the line went on
	firstAt          time.Time
	highest          int64  // sequence number, extended
	seen             uint64 // bit n: highest-n was received
	strange          uint32 // timestamp a strange stream would go on with
	strangeSet       bool
	dry              int
	deepest, before  int64 // most that lay in the line before a Pop, in this window and the last
	pops, settlePops int
	packet           int64   // length of the newest packet
	known            bool    // a whole window has been seen
	peak             float64 // of arrival jitter, in bytes
	transit          float64 // of the fastest packet
	transitSet       bool
	lastArrival      time.Time
	epoch            time.Time
}

// New returns a Buffer, or fault.Invalid naming every option that is wrong.
func New(opt Options) (*Buffer, error) {
	opt.RateHz = cmp.Or(opt.RateHz, 8000)
	opt.Frame = cmp.Or(opt.Frame, 20*time.Millisecond)
	opt.Min = cmp.Or(opt.Min, 20*time.Millisecond)
	opt.Start = cmp.Or(opt.Start, 40*time.Millisecond)
	opt.Max = cmp.Or(opt.Max, 80*time.Millisecond)
	var errs []error
	if opt.Min < opt.Frame {
		errs = append(errs, fmt.Errorf("min %v is under one frame (%v)", opt.Min, opt.Frame))
	}
	if opt.Start < opt.Min || opt.Max < opt.Start {
		errs = append(errs, fmt.Errorf("start %v does not lie between min %v and max %v", opt.Start, opt.Min, opt.Max))
	}
	if opt.RateHz < 0 || units(opt.Max+2*opt.Frame, opt.RateHz) > size/2 {
		errs = append(errs, fmt.Errorf("max %v at %d Hz does not fit the line of %d bytes", opt.Max, opt.RateHz, size))
	}
	if opt.Frame <= 0 || opt.RateHz > 0 && units(opt.Frame, opt.RateHz) == 0 {
		errs = append(errs, fmt.Errorf("frame %v holds nothing at %d Hz", opt.Frame, opt.RateHz))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("jitter: %w: %w", fault.Invalid, err)
	}
	b := &Buffer{
		opt:        opt,
		frame:      units(opt.Frame, opt.RateHz),
		least:      units(opt.Min, opt.RateHz),
		most:       units(opt.Max, opt.RateHz),
		start:      units(opt.Start, opt.RateHz),
		settlePops: max(1, int(settle/opt.Frame)),
	}
	b.out = make([]byte, b.frame)
	return b, nil
}

func units(d time.Duration, rateHz int) int64 {
	return int64(d) * int64(rateHz) / int64(time.Second)
}

// Reset begins a new stream, as after a change of SSRC. What is known of the
// network's jitter is kept: it is the same network.
func (b *Buffer) Reset() {
	b.begun, b.strangeSet = false, false
	b.halt()
	b.stopped = false
}

// halt is the end of a stretch of packets.
func (b *Buffer) halt() {
	b.playing, b.stopped, b.transitSet = false, true, false
	b.there = [words]uint64{}
	b.dry, b.stale, b.deepest, b.before, b.pops = 0, 0, 0, 0, 0
}

// Stats returns the counters.
func (b *Buffer) Stats() Stats { return b.stats }

// Delay is how much the buffer aims to hold now.
func (b *Buffer) Delay() time.Duration {
	return time.Duration(b.target()) * time.Second / time.Duration(b.opt.RateHz)
}

// target is one packet, or frame if that is longer, and the peak of jitter, in
// bytes.
func (b *Buffer) target() int64 {
	if !b.known {
		return b.start
	}
	return min(max(max(b.frame, b.packet)+int64(b.peak), b.least), b.most)
}

// Push takes a packet as it arrives. The payload is copied.
func (b *Buffer) Push(now time.Time, seq uint16, stamp uint32, payload []byte) Fate {
	if len(payload) == 0 || len(payload) > size/2 {
		return Strange
	}
	if !b.begun {
		b.begin(now, seq, stamp)
	}
	from := b.extend(stamp)
	if b.elsewhere(from, stamp, len(payload)) {
		if b.strangeSet {
			return Strange
		}
		b.Reset()
		b.stats.Restarts++
		b.begin(now, seq, stamp)
		from = b.extend(stamp)
	}
	if b.repeated(seq) {
		b.stats.Duplicates++
		return Duplicate
	}
	b.measure(now, from)
	b.packet = int64(len(payload))
	to := from + int64(len(payload))
	if (b.playing || b.stopped) && to <= b.next {
		b.stats.Late++
		if b.stopped {
			b.stale++
		}
		return Late
	}
	if b.stopped {
		b.stopped, b.firstAt = false, now
		b.next = max(b.next, from)
		b.end = b.next
	}
	if !b.store(from, to, payload) {
		b.stats.Late++
		return Late
	}
	b.stats.Taken++
	return Taken
}

// elsewhere says that a packet is not of the stream as it is known. While
// strangeSet, it may be a stray; afterwards it has begun a new stream, because
// two packets in a row agree (RFC 3550 A.1) or because after a pause nothing
// but old timestamps came: then the sender has set its clock back.
func (b *Buffer) elsewhere(from int64, stamp uint32, length int) bool {
	expected := b.strangeSet && stamp == b.strange
	b.strangeSet = false
	if d, far := from-b.end, int64(farApart*b.opt.RateHz); d <= far && d >= -far {
		return b.stopped && b.stale >= persistent
	}
	if !expected {
		b.strange, b.strangeSet = stamp+uint32(length), true
	}
	return true
}

// begin anchors the line at a first packet.
func (b *Buffer) begin(now time.Time, seq uint16, stamp uint32) {
	b.begun, b.playing, b.firstAt = true, false, now
	// Far from zero, so that a packet from before the first has a place too.
	b.next = int64(stamp) + 1<<32
	b.end = b.next
	b.highest, b.seen = int64(seq)+1<<16, 0
	b.dry = 0
	if b.epoch.IsZero() {
		b.epoch = now
	}
}

// extend gives a timestamp its place on the endless line.
func (b *Buffer) extend(stamp uint32) int64 {
	return b.end + int64(int32(stamp-uint32(b.end)))
}

// repeated notes a sequence number and says whether it was there before.
func (b *Buffer) repeated(seq uint16) bool {
	n := b.highest + int64(int16(seq-uint16(b.highest)))
	if n > b.highest {
		b.seen <<= uint64(min(n-b.highest, history))
		b.highest = n
	} else if n < b.highest {
		b.stats.Reordered++
	}
	behind := b.highest - n
	if behind >= history {
		return false
	}
	bit := uint64(1) << uint64(behind)
	was := b.seen&bit != 0
	b.seen |= bit
	return was
}

// measure follows how much later than the fastest packet this one came. The
// fastest itself is let drift, for two clocks never agree.
func (b *Buffer) measure(now time.Time, from int64) {
	transit := float64(units(now.Sub(b.epoch), b.opt.RateHz) - from)
	if !b.transitSet || transit < b.transit {
		b.transit, b.transitSet = transit, true
	}
	behind := transit - b.transit
	if passed := now.Sub(b.lastArrival); !b.lastArrival.IsZero() && passed > 0 {
		share := min(float64(passed)/float64(cool), 1)
		b.peak -= b.peak * share / 2
		b.transit += behind * share / 8
	}
	b.lastArrival = now
	b.peak = min(max(b.peak, behind), float64(b.most))
}

// store copies the part that is still to be played. A packet that would
// overrun the line pushes the oldest audio out. It reports whether any was.
func (b *Buffer) store(from, to int64, payload []byte) bool {
	if !b.playing && from < b.next {
		// The stream's first packets came out of order, and nothing was given yet.
		if b.end-from <= size/2 {
			b.next = from
		}
	}
	if to <= b.next {
		return false
	}
	if from < b.next {
		payload = payload[b.next-from:]
		from = b.next
	}
	if to-b.next > size {
		over := (to - b.next - size/2 + b.frame - 1) / b.frame
		b.skip(b.next + over*b.frame)
		from = max(from, b.next)
		payload = payload[int64(len(payload))-(to-from):]
	}
	for i := range payload {
		b.line[(from+int64(i))&(size-1)] = payload[i]
	}
	b.mark(from, to, true)
	b.end = max(b.end, to)
	return true
}
