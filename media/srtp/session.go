package srtp

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"

	"flametree/engine/fault"
)

const (
	// Overhead is how many bytes sealing adds at most to RTP or RTCP: the tag
	// of sixteen bytes and RTCP's index of four. A key with an identifier adds
	// the identifier's length.
	Overhead = 20

	// Grace is how long packets under the former key are still opened after a
	// change of keys: they may be on their way, and a peer that offered a new
	// key uses the old one until our answer has reached it.
	Grace = 5 * time.Second

	window = 256 // packets, five seconds of them

	// maxSources bounds the streams that are opened under one key, each of
	// which holds a replay window for as long as the key is used.
	maxSources = 512
)

// Session seals one call's packets and opens the peer's. Until a key is set it
// seals and opens nothing. All methods may be called from any goroutine.
type Session struct {
	sending sync.Mutex
	out     outbound

	receiving sync.Mutex
	in        inbound
	former    inbound
	until     time.Time // of former
	stream    stream
}

// outbound is our key in use.
type outbound struct {
	key    Key
	ctx    *pion.Context
	header rtp.Header // scratch
	ssrc   uint32     // of the last packet
	begun  bool
	seq    uint16
	keys   int // used so far
}

// inbound is a key of the peer in use.
type inbound struct {
	key     Key
	ctx     *pion.Context
	header  rtp.Header // scratch
	sources map[source]struct{}
	settled bool // a packet was opened
}

// source names what a replay window is held for.
type source struct {
	ssrc    uint32
	control bool // RTCP
}

// stream is how far the peer's stream has come. The index outlives its key
// (RFC 3711 3.3.1).
type stream struct {
	begun bool
	ssrc  uint32
	index uint64 // the highest, of 48 bits
}

// Rekey sets the keys from now on; one that is not valid leaves that direction
// as it is. The same key again changes nothing: what was sealed under it must
// never be sealed anew with another count. Packets under the peer's former key
// are opened until now plus Grace. The Session takes the keys over and wipes
// them in time. One key for both directions is refused with fault.Invalid: a
// peer could be shown its own packets.
func (s *Session) Rekey(our, peer Key, now time.Time) error {
	// Both locks, nowhere else and in this order: the two keys are compared.
	s.sending.Lock()
	defer s.sending.Unlock()
	s.receiving.Lock()
	defer s.receiving.Unlock()
	mine, theirs := our, peer
	if !mine.Valid() {
		mine = s.out.key
	}
	if !theirs.Valid() {
		theirs = s.in.key
	}
	if mine.Valid() && mine.Equal(theirs) {
		return fmt.Errorf("srtp: the peer's key is ours: %w", fault.Invalid)
	}
	sealer, err := fresh(our, s.out.key)
	if err != nil {
		return err
	}
	if peer.Valid() && peer.Equal(s.former.key) { // back again, with what it has seen
		peer.leave(s.former.key)
		s.in, s.former, s.until = s.former, s.in, now.Add(Grace)
		peer = s.in.key
	}
	opener, err := fresh(peer, s.in.key)
	if err != nil {
		return err
	}
	if sealer != nil {
		s.out.change(our, sealer)
	}
	if opener != nil {
		s.follow(inbound{key: peer, ctx: opener, sources: map[source]struct{}{}}, now)
	}
	our.leave(s.out.key)
	peer.leave(s.in.key)
	return nil
}

// follow makes next the key in use, and the one before the former.
func (s *Session) follow(next inbound, now time.Time) {
	if s.in.settled || s.former.ctx == nil {
		s.former.drop()
		s.former, s.until = s.in, now.Add(Grace)
	} else {
		s.in.drop() // nothing came under it, but it may under the one before
	}
	s.in = next
}

// fresh gives a context for k, nil when there is no k or it is used already.
func fresh(k, used Key) (*pion.Context, error) {
	if !k.Valid() || k.Equal(used) {
		return nil, nil
	}
	return k.context()
}

// leave wipes k unless it is the very one that is used.
func (k Key) leave(used Key) {
	if k.secret != used.secret {
		k.Wipe()
	}
}

// context makes what seals or opens under k. Only one direction may use it.
func (k Key) context() (*pion.Context, error) {
	key, _ := k.suite.parts()
	ctx, err := pion.CreateContext(k.secret.master[:key], k.secret.master[key:], k.suite.profile(),
		pion.SRTPReplayProtection(window), pion.SRTCPReplayProtection(window), pion.MasterKeyIndicator(k.secret.mki))
	if err != nil {
		return nil, fmt.Errorf("srtp: %s: %w: %w", k.suite, fault.Invalid, err)
	}
	return ctx, nil
}

// change puts the sealer of a new key in place; the counts go on.
func (o *outbound) change(k Key, ctx *pion.Context) {
	if o.ctx != nil && o.begun {
		roc, _ := o.ctx.ROC(o.ssrc)
		if o.seq == 0xFFFF {
			roc++
		}
		ctx.SetROC(o.ssrc, roc)
		if index, ok := o.ctx.Index(o.ssrc); ok {
			ctx.SetIndex(o.ssrc, index)
		}
	}
	o.key.Wipe()
	o.key, o.ctx = k, ctx
	o.keys++
}

// CanSeal says whether there is a key to send under.
func (s *Session) CanSeal() bool {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.out.ctx != nil
}

// Keys is how many keys were sealed under so far.
func (s *Session) Keys() int {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.out.keys
}

// Seal seals an RTP packet in place and gives it with its tag; a packet whose
// capacity is larger by Overhead is not copied. It gives nil when there is no
// key, or none that may be used any more.
func (s *Session) Seal(packet []byte) []byte {
	s.sending.Lock()
	defer s.sending.Unlock()
	o := &s.out
	if o.ctx == nil {
		return nil
	}
	sealed, err := o.ctx.EncryptRTP(packet[:0], packet, &o.header)
	if err != nil {
		return nil
	}
	o.ssrc, o.seq, o.begun = o.header.SSRC, o.header.SequenceNumber, true
	return sealed
}

// SealControl is Seal for an RTCP compound packet.
func (s *Session) SealControl(packet []byte) []byte {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.out.ctx == nil {
		return nil
	}
	sealed, err := s.out.ctx.EncryptRTCP(nil, packet, nil)
	if err != nil {
		return nil
	}
	return sealed
}

// Open opens an RTP packet into dst, whose capacity must be the packet's
// length, and gives the plain packet, a part of dst. It gives nil for whatever
// is not sealed, not by the peer, or was opened before; the packet itself is
// not changed.
func (s *Session) Open(dst, packet []byte, now time.Time) []byte {
	if len(packet) < headerSize || packet[0]>>6 != 2 {
		return nil
	}
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if plain := s.in.open(dst, packet, &s.stream); plain != nil {
		s.stream.reach(packet)
		return plain
	}
	if s.old(now) {
		if plain := s.former.open(dst, packet, &s.stream); plain != nil {
			s.stream.reach(packet)
			return plain
		}
	}
	return nil
}

// OpenControl is Open for an RTCP compound packet. What it gives is memory of
// its own: reports are rare.
func (s *Session) OpenControl(packet []byte, now time.Time) []byte {
	if len(packet) < 8 || packet[0]>>6 != 2 {
		return nil
	}
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if plain := s.in.openControl(packet); plain != nil {
		return plain
	}
	if s.old(now) {
		return s.former.openControl(packet)
	}
	return nil
}

// old says whether the former key may still be used, and wipes it otherwise.
func (s *Session) old(now time.Time) bool {
	if s.former.ctx == nil {
		return false
	}
	if now.Before(s.until) {
		return true
	}
	s.former.drop()
	return false
}

// Close wipes the keys. Afterwards nothing is sealed or opened.
func (s *Session) Close() {
	s.sending.Lock()
	s.out.key.Wipe()
	s.out = outbound{}
	s.sending.Unlock()
	s.receiving.Lock()
	s.in.drop()
	s.former.drop()
	s.receiving.Unlock()
}

const headerSize = 12

func (i *inbound) drop() {
	i.key.Wipe()
	*i = inbound{}
}

// open gives nil for a packet that is not sealed under this key.
func (i *inbound) open(dst, packet []byte, st *stream) []byte {
	if i.ctx == nil {
		return nil
	}
	from := source{ssrc: binary.BigEndian.Uint32(packet[8:])}
	_, known := i.sources[from]
	if !known && len(i.sources) >= maxSources {
		return nil
	}
	if !known && st.begun && st.ssrc == from.ssrc {
		return i.first(dst, packet, st)
	}
	plain, err := i.ctx.DecryptRTP(dst, packet, &i.header)
	if err != nil {
		return nil
	}
	i.know(from)
	return plain
}

// first opens the first packet of a stream that has run under another key. Its
// count goes on (RFC 3711 3.3.1), but there are peers that begin it anew.
func (i *inbound) first(dst, packet []byte, st *stream) []byte {
	seq := binary.BigEndian.Uint16(packet[2:])
	for n, roc := range [...]uint32{uint32(nearest(st.index, seq) >> 16), 0} {
		if n == 1 && uint32(nearest(st.index, seq)>>16) == 0 {
			break
		}
		i.ctx.SetROC(st.ssrc, roc)
		if plain, err := i.ctx.DecryptRTP(dst, packet, &i.header); err == nil {
			i.know(source{ssrc: st.ssrc})
			if n == 1 {
				st.begun = false // the count began anew
			}
			return plain
		}
	}
	return nil
}

func (i *inbound) openControl(packet []byte) []byte {
	if i.ctx == nil {
		return nil
	}
	from := source{ssrc: binary.BigEndian.Uint32(packet[4:]), control: true}
	if _, known := i.sources[from]; !known && len(i.sources) >= maxSources {
		return nil
	}
	plain, err := i.ctx.DecryptRTCP(nil, packet, nil)
	if err != nil || !sealedControl(i.key.suite, packet, len(i.key.secret.mki)) {
		return nil
	}
	i.know(from)
	return plain
}

// sealedControl says whether the E bit is set: a report that is authentic but
// not encrypted was not agreed on (RFC 4568 6.3.2).
func sealedControl(s Suite, packet []byte, mki int) bool {
	end := len(packet) - mki - 4
	if s != AES128GCM && s != AES256GCM {
		end -= 10
	}
	return end >= 0 && packet[end]&0x80 != 0
}

func (i *inbound) know(from source) {
	if _, known := i.sources[from]; !known {
		i.sources[from] = struct{}{}
	}
	i.settled = true
}

// reach follows the stream's index by an authentic packet.
func (st *stream) reach(packet []byte) {
	ssrc, seq := binary.BigEndian.Uint32(packet[8:]), binary.BigEndian.Uint16(packet[2:])
	if !st.begun || st.ssrc != ssrc {
		*st = stream{begun: true, ssrc: ssrc, index: uint64(seq)}
		return
	}
	if index := nearest(st.index, seq); index > st.index {
		st.index = index
	}
}

// nearest is the index with this sequence number that is closest to the highest
// one (RFC 3711 appendix A).
func nearest(highest uint64, seq uint16) uint64 {
	index := highest&^0xFFFF | uint64(seq)
	switch diff := int64(index) - int64(highest); {
	case diff > 1<<15 && index >= 1<<16:
		return index - 1<<16
	case diff < -(1 << 15):
		return index + 1<<16
	}
	return index
}
