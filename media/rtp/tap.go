package rtp

import (
	"net/netip"
	"time"
)

// Way is the direction of a packet, seen from us.
type Way uint8

// The ways.
const (
	In Way = iota
	Out
)

// Tap sees every datagram of a call as it is on the wire, sealed if the call
// is: RTP, RTCP and DTLS, those that are refused too. Peer is the other end's
// address. Raw is valid until it returns; it must not block, and is called
// from several goroutines.
type Tap func(way Way, at time.Time, peer netip.AddrPort, raw []byte)

// Tap switches a tap on, or with nil off. While it is off it costs nothing. A
// tap that was switched off may be called once more.
func (c *Conn) Tap(t Tap) {
	if t == nil {
		c.tap.Store(nil)
		return
	}
	c.tap.Store(&t)
}
