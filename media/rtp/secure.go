package rtp

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/media/srtp"
)

// handshake is the DTLS of a Conn, guarded by its mutex.
type handshake struct {
	association *srtp.Association
	terms       Shake
	announced   netip.AddrPort // whom terms were agreed with
	from        netip.AddrPort // where the peer's DTLS comes from
	reading     bool           // the sockets are read
	begun       bool
	failed      bool
	closed      bool
	stop        context.CancelFunc
	running     sync.WaitGroup
}

// Shake says how DTLS-SRTP is agreed on with this peer.
type Shake struct {
	Terms srtp.Terms
	// Done, when set, is told once how the handshake ended: nil, fault.Denied
	// for another certificate than the peer's SDP names, fault.Unavailable when
	// nothing came. It must not call Close.
	Done func(error)
}

// Sealed says whether the call is sealed.
func (c *Conn) Sealed() bool { return c.seal.Load() != nil }

// Ready says whether packets can be sent: the call is plain, or has its key, or
// its carrier has a way.
func (c *Conn) Ready() bool {
	if c.carrier != nil {
		_, _, open := c.carrier.Way()
		return open
	}
	seal := c.seal.Load()
	return seal == nil || seal.CanSeal()
}

// secure makes the call sealed, without keys as yet: nothing is sent, nothing
// is let in.
func (c *Conn) secure() *srtp.Session {
	c.seal.CompareAndSwap(nil, new(srtp.Session))
	return c.seal.Load()
}

// Seal makes the call sealed with keys that signalling agreed on (SDES), or
// changes them. A key that is not valid leaves its direction as it is: a peer's
// key may come with a late answer. From the first call on nothing plain is
// sent or let in. The Conn owns the keys from here on and wipes them. Two equal
// keys fail with fault.Invalid, and the call stays as it is, but sealed.
func (c *Conn) Seal(our, peer srtp.Key) error {
	c.secure()
	c.writing.Lock()
	c.mu.Lock()
	err := c.rekey(our, peer)
	c.mu.Unlock()
	c.writing.Unlock()
	if err != nil {
		return fmt.Errorf("rtp: %w", err)
	}
	c.endShake()
	return nil
}

// rekey changes the keys. Both mutexes are held. With a new key of ours comes a
// new source, if our sequence numbers have begun anew: the peer may be another
// one now, which has not counted how often and could open nothing.
func (c *Conn) rekey(our, peer srtp.Key) error {
	session := c.seal.Load()
	before := session.Keys()
	if err := session.Rekey(our, peer, time.Now()); err != nil {
		return err
	}
	if session.Keys() == before || !c.rolled {
		return nil
	}
	c.rolled = false
	c.header.SSRC, c.header.SequenceNumber = mathrand.Uint32(), uint16(mathrand.Uint32())&0x7FFF
	c.sending = sending{ssrc: c.header.SSRC, stamp: c.sending.stamp, stampAt: c.sending.stampAt, roundTrip: c.sending.roundTrip}
	return nil
}

// Shake makes the call sealed with keys of a DTLS handshake on the RTP socket.
// Without the peer's fingerprint it only waits for it, keeping what the peer
// sends meanwhile. The same terms with the same announced address again change
// nothing; others begin a new handshake, and the keys before are used until it
// is over. SetRemote comes before.
func (c *Conn) Shake(s Shake) error {
	if s.Terms.Identity == nil {
		return fmt.Errorf("rtp: DTLS without a certificate of our own: %w", fault.Invalid)
	}
	c.secure()
	if former := c.agree(s); former != nil {
		former.Close(true)
	}
	return nil
}

// agree takes the terms over and gives the association they make needless.
func (c *Conn) agree(s Shake) (former *srtp.Association) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &c.handshake
	if h.closed {
		return nil
	}
	if h.begun && !h.failed && h.terms.Terms == s.Terms && h.announced == c.latch.announced {
		return nil
	}
	if h.begun {
		former = h.drop()
	}
	if h.association == nil {
		h.association = srtp.NewAssociation(c.sendHandshake)
	}
	h.terms, h.announced = s, c.latch.announced
	c.shake()
	return former
}

// shake begins the handshake when all it needs is there. The mutex is held.
func (c *Conn) shake() {
	h := &c.handshake
	if h.begun || h.closed || !h.reading || h.association == nil || !h.terms.Terms.Peer.Valid() {
		return
	}
	h.begun, h.failed = true, false
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	association, terms := h.association, h.terms
	h.running.Go(func() {
		defer stop()
		our, peer, err := association.Run(ctx, terms.Terms)
		err = c.shaken(association, our, peer, err)
		if terms.Done != nil {
			terms.Done(err)
		}
	})
}

// shaken puts the keys of a handshake to use, unless another association has
// taken its place, and says how it all ended.
func (c *Conn) shaken(a *srtp.Association, our, peer srtp.Key, err error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &c.handshake
	if h.association != a {
		our.Wipe()
		peer.Wipe()
		return fmt.Errorf("rtp: another handshake was begun: %w", fault.Cancelled)
	}
	if err == nil {
		err = c.rekey(our, peer)
	}
	if h.failed = err != nil; !h.failed {
		c.latch.hint(h.from)
	}
	return err
}

// sendHandshake writes a DTLS datagram to where the peer's come from, or to
// the announced address before any came.
func (c *Conn) sendHandshake(b []byte) {
	c.mu.Lock()
	to := c.handshake.from
	if !to.IsValid() {
		to = c.latch.target()
	}
	c.mu.Unlock()
	if to.IsValid() {
		c.send(c.media, time.Now(), b, to) // what is lost is repeated
	}
}

// takeHandshake gives a DTLS datagram to the association, if there is one. The
// first address is kept, and the announced one always goes before.
func (c *Conn) takeHandshake(b []byte, from netip.AddrPort) bool {
	c.mu.Lock()
	h := &c.handshake
	a := h.association
	if a == nil || h.from.IsValid() && from != h.from && from != c.latch.announced {
		c.mu.Unlock()
		return false
	}
	h.from = from
	c.mu.Unlock()
	a.Deliver(b)
	return true
}

// endShake ends a handshake that SDES has made needless.
func (c *Conn) endShake() {
	c.mu.Lock()
	former := c.handshake.drop()
	c.mu.Unlock()
	if former != nil {
		former.Close(true)
	}
}

// drop forgets the association and gives it to be closed, which must be done
// without the mutex: a write of it may be waiting for that.
func (h *handshake) drop() *srtp.Association {
	if h.stop != nil {
		h.stop()
	}
	former := h.association
	h.association, h.begun, h.failed, h.stop = nil, false, false, nil
	h.terms, h.from = Shake{}, netip.AddrPort{}
	return former
}

// endHandshake ends DTLS for good and says so to the peer.
func (c *Conn) endHandshake() {
	c.mu.Lock()
	h := &c.handshake
	h.closed = true
	a, stop := h.association, h.stop
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	if a != nil {
		a.Close(false)
	}
}

// Mux says whether RTCP shares the RTP socket (RFC 5761), as agreed.
func (c *Conn) Mux(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mux = on
}
