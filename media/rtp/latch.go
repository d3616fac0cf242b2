package rtp

import (
	"net/netip"
	"time"
)

// probation is how long after the first packet the announced address may still
// take the stream over from whoever was quicker, and how long after a change
// of address packets on their way from the old one are not latched onto.
const probation = time.Second

// latch decides whom to hear and where to send (symmetric RTP, RFC 4961): the
// announced address until a packet comes, afterwards the address packets
// really come from, whatever NAT lies between. After that a stranger is refused
// until signalling re-arms the latch.
type latch struct {
	announced netip.AddrPort // by SDP; may be invalid
	bound     netip.AddrPort // where packets come from; invalid before the first
	former    netip.AddrPort // bound before the announced address changed
	armed     bool
	at        time.Time // of arming, then of binding
}

// arm lets the next source in. Where the announced address is the same, what
// is known of the way there is kept meanwhile.
func (l *latch) arm(now time.Time, announced netip.AddrPort) {
	if announced != l.announced {
		l.former, l.bound = l.bound, netip.AddrPort{}
	}
	l.announced, l.armed, l.at = announced, true, now
}

// accept says whether a valid packet from src belongs to the call.
func (l *latch) accept(now time.Time, src netip.AddrPort) bool {
	young := now.Sub(l.at) < probation
	switch {
	case l.armed:
		if src == l.former && src != l.announced && young {
			return false
		}
		l.bound, l.armed, l.at = src, false, now
		return true
	case src == l.bound:
		return true
	case src == l.announced && young:
		l.bound = src
		return true
	}
	return false
}

// hint says where a peer that has proved who it is was reached; packets go
// there until its own decide.
func (l *latch) hint(src netip.AddrPort) {
	if l.armed && !l.bound.IsValid() {
		l.bound = src
	}
}

// target is where to send; it may be invalid.
func (l *latch) target() netip.AddrPort {
	if l.bound.IsValid() {
		return l.bound
	}
	return l.announced
}

// knows says whether RTCP from this address can be the peer's: the port is
// another one, the host is not.
func (l *latch) knows(src netip.Addr) bool {
	return l.bound.IsValid() && src == l.bound.Addr() || l.announced.IsValid() && src == l.announced.Addr()
}
