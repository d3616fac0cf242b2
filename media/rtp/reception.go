package rtp

import (
	"time"

	"github.com/pion/rtcp"
)

// The bounds of RFC 3550 A.1.
const (
	maxDropout  = 3000
	maxMisorder = 100
	seqMod      = 1 << 16
)

// reception counts one source's packets as RFC 3550 A.1, A.3 and A.8 say.
type reception struct {
	rateHz         int
	begun          bool
	ssrc           uint32
	highest        uint16
	cycles, base   uint32
	bad            uint32 // the sequence number that would prove a restart
	received       uint32 // with duplicates, as RFC 3550 A.3 wants it
	duplicates     uint32
	seen           uint64 // bit n: highest-n was received
	expectedBefore uint32 // at the last report
	receivedBefore uint32
	transit        int64
	timed          bool // transit is known
	jitter         float64
	epoch          time.Time
	lastSR         uint32 // middle of the sender report's NTP time
	lastSRAt       time.Time
	gone           counters // of sources before this one
}

// counters are for people: a duplicate does not make up for a loss.
type counters struct{ received, lost uint64 }

// push counts a packet. Timed says that its timestamp marks when it was made,
// which a telephone event's does not.
func (r *reception) push(p *Packet, timed bool) {
	if !r.begun || p.SSRC != r.ssrc {
		r.restart(p.SSRC, p.Sequence)
	}
	before := r.highest
	if !r.sequence(p.Sequence) {
		return
	}
	r.received++
	r.recognise(before, p.Sequence)
	if !timed {
		return
	}
	if r.epoch.IsZero() {
		r.epoch = p.At
	}
	arrival := int64(p.At.Sub(r.epoch)) * int64(r.rateHz) / int64(time.Second)
	transit := int64(int32(uint32(arrival) - p.Timestamp))
	if r.timed {
		d := transit - r.transit
		if d < 0 {
			d = -d
		}
		r.jitter += (float64(d) - r.jitter) / 16
	}
	r.transit, r.timed = transit, true
}

// restart begins to count another source, or the same one that started over.
func (r *reception) restart(ssrc uint32, seq uint16) {
	total := r.total()
	*r = reception{
		rateHz: r.rateHz, begun: true, ssrc: ssrc, highest: seq, base: uint32(seq),
		bad: seqMod + 1, jitter: r.jitter, epoch: r.epoch, gone: total,
	}
}

// sequence follows RFC 3550 A.1 and says whether the packet counts.
func (r *reception) sequence(seq uint16) bool {
	delta := uint32(seq - r.highest)
	switch {
	case delta < maxDropout:
		if seq < r.highest {
			r.cycles += seqMod
		}
		r.highest = seq
	case delta <= seqMod-maxMisorder:
		if uint32(seq) != r.bad {
			r.bad = uint32(seq+1) & (seqMod - 1)
			return false
		}
		r.restart(r.ssrc, seq)
	}
	return true
}

// recognise counts duplicates among the last 64 sequence numbers; before was
// the highest one before this packet.
func (r *reception) recognise(before, seq uint16) {
	if ahead := seq - before; ahead < maxDropout {
		r.seen <<= min(ahead, 64)
	}
	behind := r.highest - seq
	if behind >= 64 {
		return
	}
	bit := uint64(1) << behind
	if r.seen&bit != 0 {
		r.duplicates++
	}
	r.seen |= bit
}

func (r *reception) expected() uint32 {
	if !r.begun {
		return 0
	}
	return r.cycles + uint32(r.highest) - r.base + 1
}

// lost is what the reports say. It may be negative in RFC 3550, when duplicates
// outweigh losses; here it stops at zero.
func (r *reception) lost() uint32 {
	if e := r.expected(); e > r.received {
		return e - r.received
	}
	return 0
}

func (r *reception) total() counters {
	own := r.received - r.duplicates
	lost := uint32(0)
	if e := r.expected(); e > own {
		lost = e - own
	}
	return counters{r.gone.received + uint64(r.received), r.gone.lost + uint64(lost)}
}

func (r *reception) jitterTime() time.Duration {
	return time.Duration(r.jitter * float64(time.Second) / float64(r.rateHz))
}

// report is the block for this source (RFC 3550 6.4.1), counting from the last.
func (r *reception) report(now time.Time) rtcp.ReceptionReport {
	expected := r.expected()
	interval, got := expected-r.expectedBefore, r.received-r.receivedBefore
	r.expectedBefore, r.receivedBefore = expected, r.received
	fraction := uint32(0)
	if interval > 0 && interval > got {
		fraction = min((interval-got)<<8/interval, 255)
	}
	out := rtcp.ReceptionReport{
		SSRC:               r.ssrc,
		FractionLost:       uint8(fraction),
		TotalLost:          min(r.lost(), 0x7FFFFF),
		LastSequenceNumber: r.cycles + uint32(r.highest),
		Jitter:             uint32(r.jitter),
		LastSenderReport:   r.lastSR,
	}
	if r.lastSR != 0 {
		out.Delay = uint32(now.Sub(r.lastSRAt).Seconds() * 65536)
	}
	return out
}
